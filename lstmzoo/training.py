"""Training: batches in a seeded order, and one loop with a schedule, validation, early stopping and a time limit."""

import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lstmzoo.config import TrainingConfig
from lstmzoo.errors import TrainingError

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}

_STEPS_THAT_PAY = 200  # compiling by XLA takes as long as so many steps of a small network

# Each batch size is traced once, on purpose; TensorFlow warns of several.
logging.getLogger("tensorflow").addFilter(lambda record: "tf.function retracing" not in record.getMessage())


class Batches(keras.utils.PyDataset):
    """Batches of numbered items, drawn anew each epoch by ``default_rng([seed, epoch])``; all of one size.

    An epoch is one pass over the items, the last batch filled up from its beginning; or, if that is more than
    ``steps_per_epoch`` batches, so many, drawn without replacement.

    Args:
        make: From item numbers ``(B,)`` to ``(inputs, targets)``.
        num_items: Items there are.
        batch_size: B; all items, if there are fewer.
        steps_per_epoch: Batches in an epoch, at the most.
        seed: Of the order.
    """

    def __init__(
        self,
        make: Callable[[np.ndarray], Any],
        *,
        num_items: int,
        batch_size: int,
        steps_per_epoch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._make = make
        self._num_items = num_items
        self._batch_size = min(batch_size, num_items)
        self._steps = min(steps_per_epoch, -(-num_items // self._batch_size))
        self._seed = seed
        self._epoch = 0
        self._order = self._draw()

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Any:
        return self._make(self._order[step * self._batch_size : (step + 1) * self._batch_size])

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._draw()

    def _draw(self) -> np.ndarray:
        rng = np.random.default_rng([self._seed, self._epoch])
        size = self._steps * self._batch_size
        if size <= self._num_items:
            return rng.choice(self._num_items, size, replace=False)
        order = rng.permutation(self._num_items)
        return np.concatenate([order, order[: size - self._num_items]])


class _Loop(keras.callbacks.Callback):
    """Learning-rate schedule, validation, early stopping, time limit and history, epoch by epoch."""

    def __init__(
        self,
        config: TrainingConfig,
        validate: Callable[[], float] | None,
        time_limit: float | None,
        report: Callable,
    ) -> None:
        super().__init__()
        self._config = config
        self._validate = validate
        self._time_limit = time_limit
        self._report = report
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._best_loss = math.inf
        self._best_weights: list[np.ndarray] | None = None
        self._started = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._config.schedule == "cosine":
            steps = self.params["steps"]
            done = (len(self.history) * steps + batch) / (self._config.epochs * steps)
            if self._time_limit is not None:
                done = max(done, self._elapsed() / self._time_limit)
            rate = self._config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
            self.model.optimizer.learning_rate = rate

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._time_limit is not None and self._elapsed() > self._time_limit:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {
            "epoch": epoch + 1,
            "loss": float((logs or {})["loss"]),
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        if self._validate is not None:
            row["val_loss"] = self._validate()
        self.history.append({**row, "seconds": self._elapsed() - sum(before["seconds"] for before in self.history)})
        self._report(self.history[-1])
        if self._validate is None:
            self.best_epoch = epoch + 1 if math.isfinite(row["loss"]) else 0
        elif row["val_loss"] < self._best_loss:
            self.best_epoch, self._best_loss = epoch + 1, row["val_loss"]
            self._best_weights = self.model.get_weights()
        elif epoch + 1 - self.best_epoch >= self._config.patience:
            self.model.stop_training = True
        if not math.isfinite(row["loss"] + row.get("val_loss", 0.0)):
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started


def train(
    model: keras.Model, loss: Callable, batches: Batches, *, config: TrainingConfig,
    validate: Callable[[], float] | None, time_limit: float | None, verbose: int, title: str,
) -> tuple[list[dict[str, float]], int]:  # fmt: skip
    """Train a model in place; with validation, it ends with the weights of its best epoch.

    Args:
        model: Uncompiled.
        loss: From targets and outputs to a loss per item.
        batches: What is trained on.
        config: Optimizer, schedule, epochs, patience.
        validate: Gives the validation loss; None trains all epochs.
        time_limit: Seconds, after which the epoch is cut short; the cosine schedule ends with it.
        verbose: 0 for silence, 1 for a progress bar.
        title: What the progress bar says.

    Returns:
        A row per epoch (``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds`` of that epoch), and the best epoch.

    Raises:
        TrainingError: If the loss stops being finite, before any epoch was good.
    """
    optimizer = _OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate, global_clipnorm=config.clipnorm)
    pays = config.epochs * len(batches) >= _STEPS_THAT_PAY
    model.compile(optimizer=optimizer, loss=loss, jit_compile=_jit_compile() if pays else False)
    with _progress(config.epochs, title, verbose) as report:
        loop = _Loop(config, validate, time_limit, report)
        _run(model, batches, config.epochs, loop)
    compile_for_prediction(model)
    if loop.best_epoch == 0:
        raise TrainingError(f"the loss of {title} is {loop.history[-1]['loss']} in epoch {len(loop.history)}: "
                                 "lower learning_rate or clipnorm, or scale the data")  # fmt: skip
    return loop.history, loop.best_epoch


def _run(model: keras.Model, batches: Batches, epochs: int, loop: "_Loop") -> None:
    """What ``fit`` does, by ``train_on_batch``: without a thread between the batches and a small network's short steps."""
    loop.set_model(model)
    loop.set_params({"steps": len(batches)})
    model.stop_training = False
    for epoch in range(epochs):
        model.reset_metrics()
        logs: dict[str, float] = {}
        for step in range(len(batches)):
            loop.on_train_batch_begin(step)
            logs = model.train_on_batch(*batches[step], return_dict=True)
            loop.on_train_batch_end(step)
            if model.stop_training:
                break
        batches.on_epoch_end()
        loop.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    loop.on_train_end()


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
    with Progress(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task(title, total=epochs, losses="")

        def report(row: dict[str, float]) -> None:
            losses = "".join(f"  {name} {row[name]:.4f}" for name in ("loss", "val_loss") if name in row)
            bar.update(task, completed=row["epoch"], losses=losses)

        yield report


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every generator that a network draws from, and leave the global ones as if nothing had been drawn.

    Python's and NumPy's states are put back; the backend's, which cannot be read, is seeded afresh.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        keras.utils.set_random_seed(int(np.random.SeedSequence().generate_state(1)[0] % 2**31))
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def _jit_compile() -> bool | str:
    """XLA on CPUs, where Keras leaves TensorFlow without it; elsewhere what Keras chooses, such as cuDNN on GPUs."""
    on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return True if on_cpu else "auto"


def compile_for_prediction(model: keras.Model) -> None:
    """Let a model predict, whether it was trained here or loaded, by the same compiled step."""
    model.compile(jit_compile=_jit_compile())


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
        outputs.append(np.asarray(model.predict_on_batch(part))[: size - missing])
    return np.concatenate(outputs)
