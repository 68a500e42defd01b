"""Quantile outputs that never cross, and the loss that trains them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers._base import ConfiguredLayer


@keras.saving.register_keras_serializable(package="lstmzoo")
class OrderedQuantiles(ConfiguredLayer):
    """Makes the last axis ascend: the median is kept, and each neighbour lies a softplus above or below.

    Args:
        median_index: Index of the median.

    Examples:
        >>> OrderedQuantiles(median_index=1)(np.zeros((1, 3), "float32")).numpy().round(2)
        array([[-0.69,  0.  ,  0.69]], dtype=float32)
    """

    def __init__(self, *, median_index: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.median_index = median_index

    def call(self, raw: Tensor) -> Tensor:
        """From ``(..., Q)`` to ascending ``(..., Q)``."""
        m = self.median_index
        median = raw[..., m : m + 1]
        above = median + ops.cumsum(ops.softplus(raw[..., m + 1 :]), axis=-1)
        below = median - ops.flip(ops.cumsum(ops.flip(ops.softplus(raw[..., :m]), -1), axis=-1), -1)
        return ops.concatenate([below, median, above], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


def pinball_loss(quantiles: Sequence[float]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss: twice the mean pinball loss over the quantiles. For the median alone it is the mean absolute error.

    The loss takes targets ``(B, H, 1)``, NaN where missing, and forecasts ``(B, H, Q)``. It is ``(B,)``, the mean over the
    observed steps; 0 if there are none.

    References:
        Koenker & Bassett, "Regression Quantiles", Econometrica 46(1), 1978.

    Examples:
        >>> float(pinball_loss([0.5])(np.array([[[3.0]]]), np.array([[[1.0]]]))[0])
        2.0
    """
    levels = np.asarray(quantiles, dtype="float32")

    def loss(target: Tensor, forecast: Tensor) -> Tensor:
        observed = ops.logical_not(ops.isnan(target))
        error = ops.where(observed, target - forecast, 0.0)
        over, under = ops.cast(levels, error.dtype), ops.cast(levels - 1, error.dtype)
        count, steps = ops.sum(ops.cast(observed, error.dtype), axis=(-2, -1)), ops.shape(observed)[-2]
        share = ops.where(count < steps, ops.maximum(count, 1) / steps, 1.0)  # exactly 1 if none is missing
        return 2 * ops.mean(ops.maximum(over * error, under * error), axis=(-2, -1)) / share

    return loss
