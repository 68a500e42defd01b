"""The loop over epochs: a schedule, early stopping, a time limit and checkpoints."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lstmzoo.backend import compile_model, jit_compile, train_batch
from lstmzoo.config import TrainingConfig
from lstmzoo.errors import TrainingError
from lstmzoo.live import live
from lstmzoo.overrides import Overrides
from lstmzoo.training.batches import Steps
from lstmzoo.training.checkpoints import Checkpoint, State, Weights
from lstmzoo.training.program import Program

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}

Validate = Callable[[], float | dict[str, float]]

_SECONDS_BETWEEN_CHECKPOINTS = 30.0  # within an epoch; there is always one after each epoch
_TINY = 1e-9


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        history: One row per epoch: ``epoch``, ``loss`` (mean over its batches), ``val_loss``, ``learning_rate``, and
            ``seconds`` of that epoch. A loss that is not finite is None.
        best_epoch: The best epoch, counted from 1.
        averaged: Weights at the ends of the averaged epochs, the oldest first; the model has their mean. Empty if
            ``average_epochs`` is 1.
    """

    history: list[dict[str, float | None]]
    best_epoch: int
    averaged: list[Weights]


def train(
    model: keras.Model, loss: Callable, batches: Steps, *, config: TrainingConfig,
    validate: Validate | None, time_limit: float | None, verbose: int, title: str,
    checkpoint: Checkpoint | None = None, overrides: Overrides | None = None,
) -> Trained:  # fmt: skip
    """Train a model in place, to the end; see :class:`Training`.

    Examples:
        >>> from lstmzoo.training import Batches
        >>> inputs = keras.Input((3,), name="x")
        >>> model = keras.Model({"x": inputs}, keras.layers.Dense(1, name="y")(inputs))
        >>> batches = Batches(
        ...     lambda numbers: ({"x": np.ones((len(numbers), 3))}, np.zeros((len(numbers), 1))),
        ...     num_items=8, batch_size=4, steps_per_epoch=10, seed=0,
        ... )
        >>> config = TrainingConfig(
        ...     optimizer="adam", learning_rate=0.1, beta_2=0.999, schedule="cosine", warmup=0.0, clipnorm=None,
        ...     batch_size=4, epochs=3, steps_per_epoch=10, patience=1, average_epochs=1,
        ... )
        >>> trained = train(
        ...     model, lambda y, output: (y - output) ** 2, batches,
        ...     config=config, validate=None, time_limit=None, verbose=0, title="line",
        ... )
        >>> len(trained.history), trained.best_epoch
        (3, 3)
    """
    training = Training(
        Program(model), loss, batches, config=config, validate=validate, time_limit=time_limit, verbose=verbose,
        title=title, checkpoint=checkpoint, overrides=overrides,
    )  # fmt: skip
    training.run()
    return training.result()


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Return the optimizer that a config names, at the config's learning rate."""
    options = {"beta_2": config.beta_2} if config.optimizer.startswith("adam") else {}
    return _OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate, global_clipnorm=config.clipnorm, **options)


def _highest_rate(optimizer: keras.optimizers.Optimizer, config: TrainingConfig, overrides: Overrides) -> float | None:
    if overrides.optimizer is None:
        return config.learning_rate
    rate = optimizer.get_config()["learning_rate"]
    return None if isinstance(rate, dict) else float(rate)  # a dict is a schedule of the optimizer's own


class Training:
    """One training, from its beginning or its checkpoint to its end. It can be paused and continued.

    A training that was killed is resumed by a new object with the same checkpoint and a new model of the same architecture. Its
    result equals that of an uninterrupted training bit by bit, except for ``seconds`` and for where a time limit ends it. The
    same is true of a training that was paused.

    Batches go through ``train_on_batch``, as ``fit`` puts a thread between the batches and a small network's short steps.

    Args:
        program: The model to train, uncompiled or compiled by an earlier training with the same loss and optimizer.
        loss: Function of targets and outputs that returns a loss per item.
        batches: Training set.
        config: Optimizer, schedule, epochs, patience.
        validate: Function that returns the validation loss, or a dict of ``loss`` and metrics. None trains all epochs.
        time_limit: Seconds after which training ends, even within an epoch; the cosine schedule ends with it. Seconds before
            an interruption count up to the last checkpoint; pauses do not count.
        verbose: 0 for silence, 1 for a progress bar.
        title: Title of the progress bar.
        checkpoint: Where the state is kept, and resumed from. None keeps none.
        overrides: Callbacks, optimizer and metrics of this training. If a callback changes the learning rate, the schedule
            continues from there, multiplied by the same factor.
        variables: Initial values of all variables of the model, in its order; None to start from those that it has.

    Attributes:
        program: The model that is trained.
        state: The progress.
        ended: Whether the training is over.

    Raises:
        ConfigError: If the checkpoint belongs to another fit.
        SavedModelError: If the checkpoint is damaged.
    """

    def __init__(
        self, program: Program, loss: Callable, batches: Steps, *, config: TrainingConfig,
        validate: Validate | None, time_limit: float | None, verbose: int, title: str,
        checkpoint: Checkpoint | None = None, overrides: Overrides | None = None,
        variables: Sequence[np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        overrides = overrides or Overrides()
        self.program, self.model, self.batches = program, program.model, batches
        self.config, self.validate, self.time_limit = config, validate, time_limit
        self._title, self._verbose = title, verbose
        program.begin(self, lambda: self._compile(loss, overrides), variables)
        highest = _highest_rate(self.model.optimizer, config, overrides)  # before a checkpoint's rate is restored
        if checkpoint is not None:
            fit = f"{checkpoint.fingerprint} {config.model_dump_json()}{overrides.identity()}"
            checkpoint = replace(checkpoint, fingerprint=fit)
        self.checkpoint = checkpoint
        self.state = _first_state(self.model, checkpoint)
        self.rate = _Rate(self.model.optimizer, config, self.state.rate_factor, highest)
        self.hooks = overrides.hooks(self.model, config.epochs, len(batches))
        self.ended = self.state.stopped or len(self.state.history) >= config.epochs
        self._begun, self._over, self._in_epoch = False, False, -1

    @property
    def steps_share(self) -> float:
        """The share of the steps that were taken."""
        return self._taken(len(self.state.history), self.state.step)

    def run(self, until: float = 1.0) -> None:
        """Train until a share of the training is over, by steps or by time, or to the end.

        Args:
            until: Above 0 and at most 1.
        """
        self.program.take(self)
        self._started = time.perf_counter() - self.state.seconds
        with _progress_bar(self.config.epochs, self._title, self._verbose) as report:
            if not self._begun:
                self._begun, self.model.stop_training = True, False
                self.hooks.on_train_begin()
                if self.state.begun:  # a rate that a callback sets at the beginning is in the state's factor already
                    self.rate.follow()
            if self.state.history:
                report(self.state.history[-1])
            self._run_epochs(until, report)
            if self.ended and not self._over:
                self._over = True
                self.hooks.on_train_end()
        self.state.seconds = self._elapsed()

    def result(self) -> Trained:
        """Give the model the weights to keep: those of the best epoch with validation, otherwise the last ones.

        Returns:
            The history, the best epoch, and the weights that were averaged. A loss that is not finite ended the training.

        Raises:
            TrainingError: If the loss is not finite before any epoch was good.
        """
        self.program.take(self)
        if not self.ended:
            self.program.put_aside()
        kept = self.state.best or self.state.recent
        if kept:
            self.model.set_weights(_mean(kept))
        if self.state.history and self.state.best_epoch == 0:
            last = self.state.history[-1]
            raise TrainingError(f"the loss of {self._title} is {last.get('val_loss', last['loss'])} in epoch {last['epoch']}: "
                                "lower learning_rate or clipnorm, or scale the data")  # fmt: skip
        rows = [
            {key: value if math.isfinite(value) else None for key, value in row.items()} for row in self.state.history
        ]
        return Trained(rows, self.state.best_epoch, kept if self.config.average_epochs > 1 else [])

    def _compile(self, loss: Callable, overrides: Overrides) -> None:
        optimizer = overrides.make_optimizer() or make_optimizer(self.config)
        compile_model(
            self.model, optimizer=optimizer, loss=loss, metrics=overrides.make_metrics() or None,
            jit_compile=jit_compile(self.config.epochs * len(self.batches), self.model),
        )  # fmt: skip
        optimizer.build(self.model.trainable_variables)

    def _run_epochs(self, until: float, report: Callable[[dict[str, float]], None]) -> None:
        state = self.state
        while not self.ended and not self._reached(until):
            self._train_epoch(len(state.history), until)
            if state.step == len(self.batches) or state.stopped:
                row = self._validate_epoch(len(state.history))
                report(row)
                self.ended = state.stopped or len(state.history) >= self.config.epochs
                if not math.isfinite(row["loss"] + row.get("val_loss", 0.0)):
                    self.ended = True
                    return
            self._write()

    def _reached(self, until: float) -> bool:
        return until < 1 and self._done(len(self.state.history), self.state.step, self._elapsed()) >= until

    def _train_epoch(self, epoch: int, until: float) -> None:
        """Take the steps of an epoch that are left, or those until the pause."""
        state, first = self.state, self.state.step
        self.batches.set_epoch(epoch)
        if self._in_epoch != epoch:
            self._in_epoch = epoch
            self.hooks.on_epoch_begin(epoch)
        while state.step < len(self.batches) and not state.stopped and not self._reached(until):
            step = state.step
            late = step > first and self._elapsed() - state.seconds > _SECONDS_BETWEEN_CHECKPOINTS
            if late and math.isfinite(state.sums["loss"]):
                self._write()
                first = step
            self.hooks.on_train_batch_begin(step)
            self.rate.set(self._done(epoch, step, self._elapsed()))
            began = time.perf_counter()
            logs = train_batch(self.model, *self.batches[step])
            state.first_seconds = state.first_seconds or time.perf_counter() - began
            state.sums = {name: state.sums.get(name, 0.0) + float(value) for name, value in logs.items()}
            state.step += 1
            self.hooks.on_train_batch_end(step, logs)
            out_of_time = self.time_limit is not None and self._elapsed() > self.time_limit
            state.stopped |= self.model.stop_training or out_of_time

    def _validate_epoch(self, epoch: int) -> dict[str, float]:
        """Validate an epoch, and return its row."""
        state = self.state
        means = {name: value / state.step for name, value in state.sums.items()}
        row = {"epoch": epoch + 1, **means, "learning_rate": float(self.model.optimizer.learning_rate)}
        with _averaged(self.model, state, self.config.average_epochs):
            if self.validate is not None:
                row |= _validated(self.validate)
            row["seconds"] = self._elapsed() - sum(before["seconds"] for before in state.history)
            _end_epoch(self.model, state, row, self.config.patience)
            self.hooks.on_epoch_end(epoch, {name: value for name, value in row.items() if name != "epoch"})
            state.stopped |= self.model.stop_training
        return row

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started

    def _done(self, epoch: int, step: int, seconds: float) -> float:
        """Return the share that is over; compilation is no part of it."""
        done = self._taken(epoch, step)
        if self.time_limit is not None:
            first = self.state.first_seconds
            done = max(done, (seconds - first) / max(self.time_limit - first, _TINY))
        return min(done, 1.0)

    def _taken(self, epoch: int, step: int) -> float:
        return (epoch * len(self.batches) + step) / (self.config.epochs * len(self.batches))

    def _write(self) -> None:
        self.state.seconds, self.state.rate_factor = self._elapsed(), self.rate.factor
        if self.checkpoint is not None:
            step = len(self.state.history) * len(self.batches) + self.state.step
            self.checkpoint.write(step, self.state.to_files(self.model))


def _first_state(model: keras.Model, checkpoint: Checkpoint | None) -> State:
    files = None if checkpoint is None else checkpoint.read()
    if checkpoint is None or files is None:
        return State()
    with checkpoint.explained():
        return State.from_files(files, model, str(checkpoint.directory))


def _validated(validate: Validate) -> dict[str, float]:
    found = validate()
    values = found if isinstance(found, dict) else {"loss": found}
    return {f"val_{name}": value for name, value in values.items()}


@contextlib.contextmanager
def _averaged(model: keras.Model, state: State, epochs: int) -> Iterator[None]:
    """Give the model, for a while, the mean of its weights at the ends of the last epochs."""
    if epochs == 1:
        yield
        return
    state.recent = [*state.recent, model.get_weights()][-epochs:]
    model.set_weights(_mean(state.recent))
    yield
    model.set_weights(state.recent[-1])


def _mean(several: list[Weights]) -> Weights:
    if len(several) == 1:
        return several[0]
    return [np.mean(arrays, axis=0, dtype=arrays[0].dtype) for arrays in zip(*several, strict=True)]


def _end_epoch(model: keras.Model, state: State, row: dict[str, float], patience: int) -> None:
    """Enter an epoch's row; keep its weights if it is the best, and stop if the patience is over."""
    epoch = int(row["epoch"])
    if "val_loss" not in row:
        state.best_epoch = epoch if math.isfinite(row["loss"]) else 0
    elif row["val_loss"] < state.best_loss:
        state.best_epoch, state.best = epoch, state.recent or [model.get_weights()]
    elif epoch - state.best_epoch >= patience:
        state.stopped = True
    state.history.append(row)
    state.step, state.sums = 0, {}


class _Rate:
    """The learning rate of a schedule, times the factor by which callbacks change it.

    Args:
        optimizer: Optimizer whose learning rate is set.
        config: The schedule.
        factor: Factor by which callbacks have changed the rate so far.
        highest: Rate of the schedule after its warm-up; None if the optimizer has a schedule of its own.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, config: TrainingConfig, factor: float, highest: float | None
    ) -> None:
        self._optimizer, self._config, self._highest = optimizer, config, highest
        self.factor = factor
        self.follow()

    def follow(self) -> None:
        """Take the optimizer's present rate as the schedule's, whoever set it."""
        self._scheduled = float(self._optimizer.learning_rate)

    def set(self, done: float) -> None:
        """Set the rate for when a share ``done`` of the training is over."""
        if self._highest is None:
            return
        now = float(self._optimizer.learning_rate)
        if now != self._scheduled and self._scheduled > 0:
            self.factor *= now / self._scheduled
        self._optimizer.learning_rate = self.factor * _learning_rate(self._config, self._highest, done)
        self.follow()


def _learning_rate(config: TrainingConfig, highest: float, done: float) -> float:
    """The schedule's learning rate when a share ``done`` of the training is over."""
    rate = highest * min(1.0, done / config.warmup if config.warmup else 1.0)
    return rate * 0.5 * (1 + math.cos(math.pi * done)) if config.schedule == "cosine" else rate


@contextlib.contextmanager
def _progress_bar(epochs: int, title: str, verbose: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show a progress bar, unless ``verbose`` is 0. Yields a function that takes the row of each finished epoch."""
    if not verbose:
        yield lambda row: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}{task.fields[losses]}"),
    )
    bar = Progress(*columns, TimeElapsedColumn())
    task = bar.add_task(title, total=epochs, losses="")
    with live(bar.get_renderable) as refresh:

        def report(row: dict[str, float]) -> None:
            losses = "".join(f"  {name} {row[name]:.4f}" for name in ("loss", "val_loss") if name in row)
            bar.update(task, completed=row["epoch"], losses=losses)
            refresh()

        yield report
