"""Output layers that forecast several steps. Their forecasts begin near zero, that is, near the reference.

Sizes: B batch, H horizon, U units.
"""

import keras

from lstmzoo.backend import Tensor
from lstmzoo.layers import Dropout


class DirectHead:
    """Forecasts all steps from one vector, plus a linear map of what is known of each step.

    Args:
        horizon: H.
        size: Numbers per step.
        dropout: Rate of the vector's dropout.
    """

    def __init__(self, horizon: int, size: int, dropout: float) -> None:
        self._dropout = Dropout(dropout, name="head_dropout")
        self._head = small_dense(horizon * size)
        self._steps = keras.layers.Reshape((horizon, size), name="head_steps")
        self._future = keras.layers.Dense(size, use_bias=False, kernel_initializer="zeros", name="head_future")

    def __call__(self, last: Tensor, known: Tensor) -> Tensor:
        """From ``(B, U)`` and ``(B, H, any)`` to ``(B, H, size)``."""
        return self._steps(self._head(self._dropout(last))) + self._future(known)


class StepHead:
    """Forecasts each step from a vector of its own.

    Args:
        size: Numbers per step.
        dropout: Rate of the vectors' dropout.
    """

    def __init__(self, size: int, dropout: float) -> None:
        self._dropout = Dropout(dropout, name="head_dropout")
        self._head = small_dense(size)

    def __call__(self, x: Tensor) -> Tensor:
        """From ``(..., U)`` to ``(..., size)``."""
        return self._head(self._dropout(x))


def small_dense(size: int) -> keras.layers.Dense:
    """Make the output layer, with small initial weights."""
    return keras.layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01), name="head")
