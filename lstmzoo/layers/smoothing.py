"""Exponential smoothing as a layer, whose coefficients are learned with the network."""

from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers._base import ConfiguredLayer


@keras.saving.register_keras_serializable(package="lstmzoo")
class ExponentialSmoothing(ConfiguredLayer):
    """The level and seasonality of a window, by Holt and Winters' additive method without trend.

    For values y, level l and seasonality s of M steps, with each series' own coefficients a and b between 0 and 1:

        l[t] = a (y[t] - s[t]) + (1 - a) l[t-1]
        s[t+M] = b (y[t] - l[t]) + (1 - b) s[t]

    They start from the mean of the first season and the deviations from it. On logarithms, the method is multiplicative. The
    coefficients are the sigmoid of a number shared by all series plus a number of each series' own.

    Within a season, s is known, and the levels are a product with a triangular matrix of powers of 1 - a. So the recurrence
    takes one step per season, with the same result. Without a season, it takes steps of the square root of T.

    Sizes: B batch, T time, H horizon, M season.

    Args:
        horizon: H.
        season_length: M; there is no seasonality if it is 1, or at least as long as the window.
        num_series: Number of series with coefficients of their own, numbered from 1.

    References:
        Winters, "Forecasting Sales by Exponentially Weighted Moving Averages", Management Science 6(3), 1960.
        Smyl, "A hybrid method of exponential smoothing and recurrent neural networks for time series forecasting",
        Int. J. Forecasting 36(1), 2020.

    Examples:
        >>> smooth = ExponentialSmoothing(horizon=3, season_length=2, num_series=1)
        >>> level, season, ahead = smooth(np.array([[1.0, 3, 1, 3, 1]], "float32"), np.array([1]))
        >>> [ops.convert_to_numpy(x)[0].tolist() for x in (level, season, ahead)]
        [[2.0, 2.0, 2.0, 2.0, 2.0], [-1.0, 1.0, -1.0, 1.0, -1.0], [1.0, -1.0, 1.0]]
    """

    def __init__(self, *, horizon: int, season_length: int, num_series: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.horizon = horizon
        self.season_length = season_length
        self.num_series = num_series

    def build(self, values_shape: tuple, series_shape: tuple) -> None:
        count = 2 if self._season(values_shape[1]) > 1 else 1
        start = keras.initializers.Constant(-1.0)
        self.common = self.add_weight(shape=(count,), initializer=start, name="common")
        self._own = keras.layers.Embedding(self.num_series + 1, count, embeddings_initializer="zeros", name="own")
        self._own.build(series_shape)

    def call(self, values: Tensor, series: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return levels ``(B, T)``, seasonality ``(B, T)`` and future seasonality ``(B, H)``.

        Args:
            values: ``(B, T)``.
            series: ``(B,)`` numbers of the series; 0 for a series without coefficients of its own.
        """
        steps = values.shape[1]
        season = self._season(steps)
        logits = self._logits(series)
        length = season if season > 1 else max(1, round(steps**0.5))
        matrix, fading = _decay(logits[:, :1], length)
        level = ops.mean(values[:, :season], axis=1, keepdims=True)
        cycle = values[:, :season] - level  # seasonality of the next M steps
        levels, cycles = [ops.repeat(level, season, axis=1)], [cycle]
        for start in range(season, steps, length):
            block = values[:, start : start + length]
            width = block.shape[1]
            now = cycle[:, :width] if season > 1 else ops.zeros_like(block)
            smoothed = _product(matrix[:, :width, :width], block - now) + fading[:, :width] * level
            levels.append(smoothed)
            cycles.append(now)
            level = smoothed[:, -1:]
            if season > 1:
                updated = now + ops.sigmoid(logits[:, 1:]) * (block - smoothed - now)
                cycle = ops.concatenate([cycle[:, width:], updated], axis=1)
        ahead = ops.tile(cycle, (1, -(-self.horizon // season)))[:, : self.horizon]
        return ops.concatenate(levels, axis=1), ops.concatenate(cycles, axis=1), ahead

    def coefficients(self, series: Tensor) -> Tensor:
        """The coefficients ``(B, 2)`` of level and seasonality of series ``(B,)``; ``(B, 1)`` without seasonality."""
        return ops.sigmoid(self._logits(series))

    def _logits(self, series: Tensor) -> Tensor:
        own = ops.cast(ops.expand_dims(series > 0, -1), self.compute_dtype)
        return self.common + own * self._own(series)

    def _season(self, steps: int) -> int:
        return self.season_length if self.season_length < steps else 1

    def compute_output_shape(self, values_shape: tuple, series_shape: tuple) -> tuple[tuple, tuple, tuple]:
        return values_shape, values_shape, (values_shape[0], self.horizon)


def _decay(logit: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Compute the weights of smoothing by a = sigmoid(logit), ``(B, 1)``.

    Returns:
        ``(B, length, length)``, the weight a (1 - a)^(t - j) of value j in level t, and ``(B, length)``, the weight
        (1 - a)^(t + 1) of the level before the first value.
    """
    log_rest = ops.log_sigmoid(-logit)
    steps = np.arange(length)
    age = np.subtract.outer(steps, steps)
    exponents, past, steps = (ops.convert_to_tensor(x, logit.dtype) for x in (np.maximum(age, 0), age >= 0, steps))
    matrix = ops.expand_dims(ops.sigmoid(logit), -1) * ops.exp(ops.expand_dims(log_rest, -1) * exponents) * past
    return matrix, ops.exp(log_rest * (steps + 1))


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    """Multiply ``(B, N, N)`` by ``(B, N)``."""
    return ops.squeeze(ops.matmul(matrix, ops.expand_dims(x, -1)), -1)
