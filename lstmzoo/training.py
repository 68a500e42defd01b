"""Training: batches in a seeded order, one loop with a schedule, early stopping and a time limit, and its checkpoints."""

import contextlib
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lstmzoo.backend import compile_model, jit_compile, predict_batch, train_batch
from lstmzoo.config import TrainingConfig
from lstmzoo.errors import ConfigError, SavedModelError, TrainingError
from lstmzoo.folders import sync_folder
from lstmzoo.live import live
from lstmzoo.overrides import Overrides
from lstmzoo.saving import Bundle, check_arrays, read_bundle, write_bundle

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}

Weights = list[np.ndarray]  # of a network, in its own order
Validate = Callable[[], float | dict[str, float]]

_LAYOUT = 3  # of a checkpoint: a number that goes up when what is in it changes
_CHECKPOINT = re.compile(r"checkpoint-\d{10}")
_SECONDS_BETWEEN_CHECKPOINTS = 30.0  # within an epoch; there is one after each epoch besides


class Steps(Protocol):
    """What is trained on: the batches ``(inputs, targets)`` of an epoch, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> Any: ...

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, which are counted from 0."""


class Batches:
    """Batches of numbered items, drawn anew for each epoch by ``default_rng([seed, epoch])``; all of one size.

    An epoch is one pass over the items, the last batch filled up from its beginning; or, if that is more than
    ``steps_per_epoch`` batches, so many, drawn without replacement. The epoch is 0 until another one is set.

    Args:
        make: From item numbers ``(B,)`` to ``(inputs, targets)``.
        num_items: Items there are.
        batch_size: B; all items, if there are fewer.
        steps_per_epoch: Batches in an epoch, at the most.
        seed: Of the order.

    Examples:
        >>> batches = Batches(lambda numbers: numbers, num_items=5, batch_size=2, steps_per_epoch=10, seed=0)
        >>> [batches[step].tolist() for step in range(len(batches))]
        [[2, 4], [3, 0], [1, 2]]
        >>> batches.set_epoch(1)
        >>> [batches[step].tolist() for step in range(len(batches))]
        [[1, 4], [3, 0], [2, 1]]
    """

    def __init__(
        self, make: Callable[[np.ndarray], Any], *, num_items: int, batch_size: int, steps_per_epoch: int, seed: int
    ) -> None:
        self._make = make
        self._num_items = num_items
        self._batch_size = min(batch_size, num_items)
        self._steps = min(steps_per_epoch, -(-num_items // self._batch_size))
        self._seed = seed
        self.set_epoch(0)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Any:
        return self._make(self._order[step * self._batch_size : (step + 1) * self._batch_size])

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, which are counted from 0."""
        rng = np.random.default_rng([self._seed, epoch])
        size = self._steps * self._batch_size
        if size <= self._num_items:
            self._order = rng.choice(self._num_items, size, replace=False)
        else:
            order = rng.permutation(self._num_items)
            self._order = np.concatenate([order, order[: size - self._num_items]])


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of one fit's training is kept, so that it can be killed and gone on with.

    After each epoch, and every half minute of a long one, the state is written into a new folder of ``directory``, as a saved
    model is; only then is the one before it deleted. So there is a whole one at any moment, and no more than one stays.
    The checkpoint of a fit that ended stays too: the same fit, called again, ends at once, with the same weights.

    Args:
        directory: Of one fit at a time; made if missing.
        fingerprint: What makes it this fit and no other: a digest of its data, parameters and seed.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     Checkpoint(directory, "data 1").write(7, {"params.json": {"epoch": 1}})
        ...     files = Checkpoint(directory, "data 1").read()
        ...     Checkpoint(directory, "data 2").read()
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: ... is the checkpoint of another fit: of other data, parameters or seed; ...
        >>> files["params.json"]["epoch"]
        1
    """

    directory: str | Path
    fingerprint: str

    def write(self, step: int, files: Bundle) -> None:
        """Keep files, of which ``params.json`` is one, as the state after so many steps, in place of those of fewer."""
        folder = Path(self.directory) / f"checkpoint-{step:010d}"
        params = {**files["params.json"], "fingerprint": self.fingerprint}
        write_bundle(folder, {"class": "Checkpoint", "layout": _LAYOUT}, {**files, "params.json": params})
        sync_folder(folder)
        for other in Path(self.directory).iterdir():
            if _CHECKPOINT.match(other.name.lstrip(".")) and other.is_dir() and other != folder:
                shutil.rmtree(other)  # an older one, or what a write that was killed left

    def read(self) -> Bundle | None:
        """The newest files; None where there are none yet.

        Raises:
            ConfigError: If they are of another fit.
            SavedModelError: If they are damaged, or of another version.
        """
        folders = sorted(
            folder for folder in Path(self.directory).glob("checkpoint-*") if _CHECKPOINT.fullmatch(folder.name)
        )
        if not folders:
            return None
        with _way_out(self.directory):
            manifest, files = read_bundle(folders[-1])
            if manifest.get("class") != "Checkpoint" or "params.json" not in files:
                raise SavedModelError(f"{folders[-1]} is not a checkpoint")
            if manifest.get("layout") != _LAYOUT:
                raise SavedModelError(f"{folders[-1]} was written by another version of lstmzoo")
        if files["params.json"].pop("fingerprint") != self.fingerprint:
            raise ConfigError(f"{folders[-1]} is the checkpoint of another fit: of other data, parameters or seed; "
                              "choose another directory, or delete it")  # fmt: skip
        return files


@contextlib.contextmanager
def _way_out(directory: str | Path) -> Iterator[None]:
    try:
        yield
    except SavedModelError as error:
        raise SavedModelError(
            f"{error.message}; delete the checkpoint in {directory} to train from the beginning"
        ) from None


@dataclass
class _State:
    """How far training has come, beside the variables of model and optimizer.

    Attributes:
        history: A row for each epoch that is over.
        step: Steps done of the epoch after them.
        sums: Sums of the loss and the metrics of the batches of that epoch, by name.
        rate_factor: What callbacks have multiplied the schedule's learning rate by.
        best_epoch: Counted from 1; 0 before there is one.
        best: Sets of weights whose mean is that epoch's, with validation; the list ``recent`` itself where that is so.
        recent: The weights at the ends of the last epochs, where they are averaged.
        seconds: How long training took until this was last written, or would have been.
        stopped: Whether it ended before its last epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    rate_factor: float = 1.0
    best_epoch: int = 0
    best: list[Weights] = field(default_factory=list)
    recent: list[Weights] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def best_loss(self) -> float:
        return self.history[self.best_epoch - 1]["val_loss"] if self.best_epoch else math.inf


class Trained(NamedTuple):
    """What came of a training.

    Attributes:
        history: A row per epoch: ``epoch``, ``loss``, the mean of its batches', ``val_loss``, ``learning_rate``, ``seconds`` of
            that epoch. A loss that is not finite is None.
        best_epoch: Counted from 1.
        averaged: The weights at the ends of the last epochs up to the best, the oldest first, whose mean the model has; none with
            ``average_epochs`` 1.
    """

    history: list[dict[str, float | None]]
    best_epoch: int
    averaged: list[Weights]


def train(
    model: keras.Model, loss: Callable, batches: Steps, *, config: TrainingConfig,
    validate: Validate | None, time_limit: float | None, verbose: int, title: str,
    checkpoint: Checkpoint | None = None, overrides: Overrides | None = None,
) -> Trained:  # fmt: skip
    """Train a model in place; with validation, it ends with the weights of its best epoch.

    Killed at any moment and called again with the same checkpoint and a new model of the same kind, it goes on, and ends with
    the bits of a training that was never interrupted: all but ``seconds``, and what a time limit makes of those.

    Args:
        model: Uncompiled, with one input or a dict of them.
        loss: From targets and outputs to a loss per item.
        batches: What is trained on.
        config: Optimizer, schedule, epochs, patience.
        validate: Gives the validation loss, as ``loss``, and metrics, by name; or the loss alone. None trains all epochs.
        time_limit: Seconds, after which the epoch is cut short; the cosine schedule ends with it. Those before an
            interruption count, up to the checkpoint.
        verbose: 0 for silence, 1 for a progress bar.
        title: What the progress bar says.
        checkpoint: Where the state is kept, and gone on from; None keeps none.
        overrides: Callbacks, optimizer and metrics of this training's own. A learning rate that a callback sets is kept, by
            multiplying the schedule.

    Returns:
        Rows of the epochs, the best of them, and the weights that were averaged. Training ends at an epoch whose loss is not
        finite.

    Raises:
        TrainingError: If the loss stops being finite, before any epoch was good.
        ConfigError: If the checkpoint is of another fit.
        SavedModelError: If the checkpoint is damaged.

    Examples:
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
    overrides = overrides or Overrides()
    optimizer = overrides.make_optimizer() or make_optimizer(config)
    compile_model(
        model, optimizer=optimizer, loss=loss, metrics=overrides.make_metrics() or None,
        jit_compile=jit_compile(steps=config.epochs * len(batches)),
    )  # fmt: skip
    optimizer.build(model.trainable_variables)
    given = config.learning_rate
    if overrides.optimizer is not None:
        given = optimizer.get_config()["learning_rate"]  # before a checkpoint's is restored
    highest = None if isinstance(given, dict) else float(given)
    if checkpoint is not None:
        fit = f"{checkpoint.fingerprint} {config.model_dump_json()}{overrides.identity()}"
        checkpoint = replace(checkpoint, fingerprint=fit)
    state = _restored(model, checkpoint)
    hooks = overrides.hooks(model, config.epochs, len(batches))
    with _progress(config.epochs, title, verbose) as report:
        rate = _Rate(optimizer, config, state, highest)
        hooks.on_train_begin()
        if state.history or state.step:  # what it sets is in the state's factor already
            rate = _Rate(optimizer, config, state, highest)
        _run(model, batches, state, config, validate, time_limit, checkpoint, report, hooks, rate)
        hooks.on_train_end()
    kept = state.best or state.recent
    if kept:
        model.set_weights(_mean(kept))
    compile_for_prediction(model)
    if state.best_epoch == 0:
        last = state.history[-1]
        raise TrainingError(f"the loss of {title} is {last.get('val_loss', last['loss'])} in epoch {last['epoch']}: "
                            "lower learning_rate or clipnorm, or scale the data")  # fmt: skip
    rows = [{key: value if math.isfinite(value) else None for key, value in row.items()} for row in state.history]
    return Trained(rows, state.best_epoch, kept if config.average_epochs > 1 else [])


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """The optimizer that a config names, at its highest learning rate."""
    own = {"beta_2": config.beta_2} if config.optimizer.startswith("adam") else {}
    return _OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate, global_clipnorm=config.clipnorm, **own)


def _run(
    model: keras.Model, batches: Steps, state: _State, config: TrainingConfig, validate: Validate | None,
    time_limit: float | None, checkpoint: Checkpoint | None, report: Callable[[dict[str, float]], None],
    hooks: keras.callbacks.CallbackList, rate: "_Rate",
) -> None:  # fmt: skip
    """Train to the end from a state, which goes along.

    By ``train_on_batch``: ``fit`` puts a thread between the batches and a small network's short steps.
    """
    started = time.perf_counter() - state.seconds

    def elapsed() -> float:
        return time.perf_counter() - started

    def write() -> None:
        state.seconds = elapsed()
        if checkpoint is not None:
            checkpoint.write(len(state.history) * len(batches) + state.step, _files(model, state))

    model.stop_training = False
    if state.history:
        report(state.history[-1])
    while len(state.history) < config.epochs and not state.stopped:
        epoch = len(state.history)
        batches.set_epoch(epoch)
        hooks.on_epoch_begin(epoch)
        for step in range(state.step, len(batches)):
            late = step > state.step and elapsed() - state.seconds > _SECONDS_BETWEEN_CHECKPOINTS
            if late and math.isfinite(state.sums["loss"]):
                state.step = step
                write()
            done = (epoch * len(batches) + step) / (config.epochs * len(batches))
            if time_limit is not None:
                done = max(done, elapsed() / time_limit)
            hooks.on_train_batch_begin(step)
            rate.set(min(done, 1.0))
            logs = train_batch(model, *batches[step])
            state.sums = {name: state.sums.get(name, 0.0) + float(value) for name, value in logs.items()}
            hooks.on_train_batch_end(step, logs)
            state.stopped |= model.stop_training or (time_limit is not None and elapsed() > time_limit)
            if state.stopped:
                break
        means = {name: value / (step + 1) for name, value in state.sums.items()}
        row = {"epoch": epoch + 1, **means, "learning_rate": float(model.optimizer.learning_rate)}
        with _averaged(model, state, config.average_epochs):
            if validate is not None:
                row |= _validated(validate)
            row["seconds"] = elapsed() - sum(before["seconds"] for before in state.history)
            _end_epoch(model, state, row, config.patience)
            hooks.on_epoch_end(epoch, {name: value for name, value in row.items() if name != "epoch"})
            state.stopped |= model.stop_training
        report(row)
        if not math.isfinite(row["loss"] + row.get("val_loss", 0.0)):
            break
        write()


def _validated(validate: Validate) -> dict[str, float]:
    found = validate()
    values = found if isinstance(found, dict) else {"loss": found}
    return {f"val_{name}": value for name, value in values.items()}


class _Rate:
    """The learning rate of a schedule, which is multiplied by what callbacks multiply it by.

    Args:
        optimizer: Whose learning rate is set.
        config: The schedule.
        state: Keeps the factor.
        highest: The rate that the schedule begins with, after its warm-up; None if the optimizer has a schedule of its own.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, config: TrainingConfig, state: _State, highest: float | None
    ) -> None:
        self._optimizer, self._config, self._state, self._highest = optimizer, config, state, highest
        self._set = float(optimizer.learning_rate)

    def set(self, done: float) -> None:
        """Set the rate when so large a share of the training is done."""
        if self._highest is None:
            return
        now = float(self._optimizer.learning_rate)
        if now != self._set and self._set > 0:
            self._state.rate_factor *= now / self._set
        self._optimizer.learning_rate = self._state.rate_factor * _learning_rate(self._config, self._highest, done)
        self._set = float(self._optimizer.learning_rate)


def _learning_rate(config: TrainingConfig, highest: float, done: float) -> float:
    """When so large a share of the training is done."""
    rate = highest * min(1.0, done / config.warmup if config.warmup else 1.0)
    return rate * 0.5 * (1 + math.cos(math.pi * done)) if config.schedule == "cosine" else rate


@contextlib.contextmanager
def _averaged(model: keras.Model, state: _State, epochs: int) -> Iterator[None]:
    """Let the model have, for a while, the mean of its weights at the ends of so many epochs, the one that ends included."""
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


def _end_epoch(model: keras.Model, state: _State, row: dict[str, Any], patience: int) -> None:
    """Remember the epoch if it is the best, stop if none was for too long, and enter its row."""
    if "val_loss" not in row:
        state.best_epoch = row["epoch"] if math.isfinite(row["loss"]) else 0
    elif row["val_loss"] < state.best_loss:
        state.best_epoch, state.best = row["epoch"], state.recent or [model.get_weights()]
    elif row["epoch"] - state.best_epoch >= patience:
        state.stopped = True
    state.history.append(row)
    state.step, state.sums = 0, {}


def _variables(model: keras.Model) -> dict[str, Any]:
    """What steps change: weights, states of seed generators, and the optimizer's. By number: names vary by process."""
    kinds = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{kind}.{i}": variable for kind, variables in kinds.items() for i, variable in enumerate(variables)}


def _torch_generators() -> list[Any]:
    """What Keras' dropout draws from on torch, in place of the layers' seed generators; elsewhere none."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [torch.default_generator, *torch.cuda.default_generators]


def _files(model: keras.Model, state: _State) -> Bundle:
    """A checkpoint's contents."""
    arrays = {name: np.atleast_1d(np.asarray(variable)) for name, variable in _variables(model).items()}
    for kind, weights in _kept(state).items():
        arrays |= {f"{kind}.{i}": np.atleast_1d(array) for i, array in enumerate(weights)}
    arrays |= {f"generator.{i}": generator.get_state().numpy() for i, generator in enumerate(_torch_generators())}
    progress = asdict(replace(state, best=[], recent=[]))
    counts = {"best": None if state.best is state.recent else len(state.best), "recent": len(state.recent)}
    return {"params.json": {**progress, **counts}, "state.safetensors": arrays}


def _kept(state: _State) -> dict[str, Weights]:
    """Whole sets of weights that a state holds, by the names that they have in a checkpoint."""
    kinds = {"best": [] if state.best is state.recent else state.best, "recent": state.recent}
    return {f"{kind}.{number}": weights for kind, several in kinds.items() for number, weights in enumerate(several)}


def _restored(model: keras.Model, checkpoint: Checkpoint | None) -> _State:
    """The state of a checkpoint, or of the beginning; the variables of model and optimizer are set to it."""
    files = None if checkpoint is None else checkpoint.read()
    if checkpoint is None or files is None:
        return _State()
    arrays = files["state.safetensors"]
    now = model.get_weights()
    params = files["params.json"]
    recent = [now] * params["recent"]
    best = recent if params["best"] is None else [now] * params["best"]
    state = _State(**{**params, "best": best, "recent": recent})
    present = _files(model, state)["state.safetensors"]
    expected = {name: (array.shape, str(array.dtype)) for name, array in present.items()}
    with _way_out(checkpoint.directory):
        check_arrays(arrays, expected, str(checkpoint.directory))
    for name, variable in _variables(model).items():
        variable.assign(arrays[name].reshape(variable.shape))
    for i, generator in enumerate(_torch_generators()):
        position = generator.get_state()
        position.numpy()[:] = arrays[f"generator.{i}"]
        generator.set_state(position)
    kept = {
        name: [arrays[f"{name}.{i}"].reshape(weight.shape) for i, weight in enumerate(weights)]
        for name, weights in _kept(state).items()
    }
    state.recent = [kept[f"recent.{i}"] for i in range(params["recent"])]
    state.best = state.recent if params["best"] is None else [kept[f"best.{i}"] for i in range(params["best"])]
    return state


@contextlib.contextmanager
def _progress(epochs: int, title: str, verbose: int) -> Iterator[Callable[[dict[str, float]], None]]:
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


def compile_for_prediction(model: keras.Model) -> None:
    """Let a model predict, whether it was trained here or loaded, by the same compiled step."""
    compile_model(model, jit_compile=jit_compile())


def predict_padded(model: keras.Model, inputs: dict[str, np.ndarray], largest: int = 256) -> np.ndarray:
    """Outputs for any number of items, in batches whose sizes are powers of four: a compiled step is reused."""
    count = len(next(iter(inputs.values())))
    size = min(largest, 4 ** math.ceil(math.log(count, 4))) if count > 1 else 1
    outputs = []
    for start in range(0, count, size):
        part = {name: array[start : start + size] for name, array in inputs.items()}
        missing = size - len(next(iter(part.values())))
        if missing:
            part = {name: np.concatenate([a, np.repeat(a[-1:], missing, axis=0)]) for name, a in part.items()}
        outputs.append(np.asarray(predict_batch(model, part))[: size - missing])
    return np.concatenate(outputs)
