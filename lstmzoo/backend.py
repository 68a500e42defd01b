"""The types of tensors and batches, and the differences between Keras' backends."""

import contextlib
import logging
import math
import threading
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from lstmzoo.turns import aside, holding, pause

Tensor = Any  # of the backend that runs: Keras has no type for all of them
Tensors = dict[str, Tensor]
State = Any  # tensors (B, ...) in nested lists: what one step of a network hands to the next
Arrays = list[np.ndarray]  # a state, flat, as arrays (B, ...)
Batch = dict[str, np.ndarray]  # inputs by name

# XLA takes 1.5 to 5 seconds more to compile, and makes loops over time faster, but little else. On one core, that paid after
# 3,000 training steps of a forecaster that reads 10 segments, after 300 of one that reads 65 observations one by one, and after
# 40 to 170 of text models, whose layers do not tell how long they loop. This is a compromise: none of them loses much more
# than 3 seconds or a tenth of its time.
_LOOPS_THAT_PAY = 30_000
_USUAL_LOOP = 64
_PREDICTING = threading.RLock()
_LOCK, _COMPILING = threading.Lock(), threading.Lock()
_COMPILED: WeakKeyDictionary[keras.Model, set[int]] = WeakKeyDictionary()


def jit_compile(steps: float = math.inf, model: keras.Model | None = None) -> bool | str:
    """Decide whether to compile a function that runs for so many steps.

    The recurrent layers of a ``model`` tell over how many time steps each of them loops.

    On TensorFlow, CPUs use XLA if it pays, which is not Keras' default; GPUs use what Keras chooses, such as cuDNN. JAX always
    compiles, because it would otherwise run one operation at a time. torch never compiles, because ``torch.compile`` unrolls the
    steps of a sequence.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    if steps * _longest_loop(model) < _LOOPS_THAT_PAY:
        return False
    return "auto" if keras.distribution.list_devices("gpu") else True


def _longest_loop(model: keras.Model | None) -> int:
    """Return the most time steps that a recurrent layer of a model reads, as far as they are known."""
    layers = [] if model is None else model._flatten_layers()
    shapes = (layer.get_build_config() for layer in layers if isinstance(layer, keras.layers.RNN))
    lengths = [shape["input_shape"][1] for shape in shapes if shape and "input_shape" in shape]
    return max((length for length in lengths if length), default=_USUAL_LOOP)


def compile_model(model: keras.Model, **options: Any) -> None:
    """Compile a model as Keras does. Functions that it had compiled before are compiled again when they are needed."""
    model.compile(**options)
    with _LOCK:
        _COMPILED.pop(model, None)


def model_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return all variables that a step changes, by number, as names vary by process: weights, seed generators, optimizer."""
    kinds = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{kind}.{i}": variable for kind, variables in kinds.items() for i, variable in enumerate(variables)}


def train_batch(model: keras.Model, inputs: Any, targets: Any) -> dict[str, float]:
    """Train a compiled model on a batch, and return the loss and the metrics by name."""
    with _without_warnings_of_retracing():
        return model.train_on_batch(inputs, targets, return_dict=True)


def predict_batch(model: keras.Model, inputs: dict[str, np.ndarray]) -> Any:
    """Return a compiled model's outputs as NumPy arrays. Any thread may call it. It is a block of work; see :mod:`lstmzoo.turns`.

    The first batch of each size is compiled, which takes seconds; other work continues meanwhile. Models are compiled one at a
    time, because several threads may not call Keras' layers.

    On JAX, one thread predicts at a time: Keras donates the arrays of a model's variables to a step, which returns new ones, and
    several models use the same variables.

    Args:
        model: Compiled. Except for the batch size, the shapes of its inputs are fixed.
        inputs: Arrays by name.
    """
    pause()
    size = max(len(array) for array in inputs.values() if np.ndim(array))
    with _LOCK:
        sizes = _COMPILED.setdefault(model, set())
    if size in sizes:
        return _predict_batch(model, inputs)
    with aside(), holding(_COMPILING):
        answer = _predict_batch(model, inputs)
        sizes.add(size)
        return answer


def _predict_batch(model: keras.Model, inputs: dict[str, np.ndarray]) -> Any:
    alone = _PREDICTING if keras.backend.backend() == "jax" else contextlib.nullcontext()
    with alone, _without_warnings_of_retracing():
        return model.predict_on_batch(inputs)


@contextlib.contextmanager
def _without_warnings_of_retracing() -> Iterator[None]:
    """Suppress TensorFlow's warnings that this thread traces one function several times.

    Each batch size is traced once, on purpose. Warnings of other threads, and of the caller's own functions, are kept.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    thread = threading.get_ident()

    def is_kept(record: logging.LogRecord) -> bool:
        return record.thread != thread or "tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_kept)
    try:
        yield
    finally:
        logger.removeFilter(is_kept)
