"""Prediction in batches of few sizes, so that compiled steps are reused."""

import math

import keras
import numpy as np

from lstmzoo.backend import compile_model, jit_compile, predict_batch


def compile_for_prediction(model: keras.Model, calls: float = math.inf) -> None:
    """Compile a model for prediction, in the same way after training and after loading.

    Args:
        model: The model. Nothing is compiled before it predicts.
        calls: How many batches it will predict; see :func:`lstmzoo.backend.jit_compile`.
    """
    compile_model(model, jit_compile=jit_compile(calls, model))


def predict_padded(model: keras.Model, inputs: dict[str, np.ndarray], largest: int = 256) -> np.ndarray:
    """Predict any number of items, in padded batches whose sizes are powers of four, at most ``largest``."""
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
