"""Scales of windows and series, and the transform of values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel
from lstmzoo.scales import LARGEST_INPUT, mean_and_deviation
from lstmzoo.timesteps import time_text

_EXTREME = 1000.0  # standard deviations; a larger target, after a window that hardly varies, would dominate the loss
_LARGEST_COUNT = 2.0**53  # float64 does not hold every larger count
_SINGLE = 32 * float(np.finfo(np.float32).eps)  # the least relative variation that float32 can show


@dataclass(frozen=True)
class Scale:
    """The shift and scale of each window, ``(B, 1)`` each: ``value = shift + scale * scaled``.

    The scale of a constant window is 0, so that its forecast is its value.
    """

    shift: np.ndarray
    scale: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scale values ``(B, any)`` or ``(B, any, any)``; 0 in constant windows."""
        shape = (len(self.shift),) + (1,) * (values.ndim - 1)
        shift, scale = self.shift.reshape(shape), self.scale.reshape(shape)
        with np.errstate(over="ignore"):
            scaled = np.divide(values - shift, scale, out=np.zeros_like(values, dtype=float), where=scale > 0)
        return np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT)


class Scaler:
    """The transform of values, and the scales of windows.

    Args:
        scaling: ``window``: each window's mean and standard deviation; ``series``: those of the series in training;
            ``level``: the window's last value, and 1; ``none``: 0 and 1.
        transform: ``log`` or ``none``.
        distribution: ``quantiles``, or the name of a distribution. Counts (``negative_binomial``) are scaled by 1 + the
            mean, without a shift.

    Attributes:
        series_scales_: Shift and scale by name of series, if ``scaling`` is ``series``.

    References:
        Salinas et al., "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks", 2017 (counts).
    """

    def __init__(self, scaling: str, transform: str, distribution: str) -> None:
        self.scaling = scaling
        self.transform = transform
        self.distribution = distribution
        self.series_scales_: dict[str, tuple[float, float]] = {}

    def fit(self, ids: Iterable[str], series: Iterable[np.ndarray]) -> None:
        """Learn the scale of each series, if ``scaling`` is ``series``."""
        if self.scaling == "series":
            self.series_scales_ = {name: self._of_one(values) for name, values in zip(ids, series, strict=True)}

    def transformed(self, values: np.ndarray) -> np.ndarray:
        """Return values as they are scaled: their logarithms if ``transform`` is ``log``."""
        return np.log(values) if self.transform == "log" else values

    def of_windows(self, windows: np.ndarray) -> Scale:
        """Return the scales of windows ``(B, T)``."""
        if self.scaling == "none":
            return Scale(np.zeros((len(windows), 1)), np.ones((len(windows), 1)))
        if self.scaling == "level":
            return Scale(windows[:, -1:], np.ones((len(windows), 1)))
        if self.distribution == "negative_binomial":
            mean = windows.mean(axis=1, keepdims=True)
            return Scale(np.zeros_like(mean), 1 + mean)
        return Scale(*mean_and_deviation(windows))

    def of_series(self, ids: np.ndarray, series: Sequence[np.ndarray]) -> Scale:
        """Return the learned scales of N series; the scale of an unknown series is computed from its values."""
        pairs = [self.series_scales_.get(name) or self._of_one(v) for name, v in zip(ids, series, strict=True)]
        table = np.array(pairs, dtype=float)
        return Scale(table[:, :1], table[:, 1:])

    def targets(self, values: np.ndarray, scale: Scale) -> np.ndarray:
        """Return scaled targets ``(B, H, 1)``, without outliers that would dominate the loss."""
        scaled = scale.apply(values)
        if self.scaling == "window":
            scaled = np.clip(scaled, -_EXTREME, _EXTREME)
        return scaled[..., None].astype(np.float32)

    def invert(self, values: np.ndarray, scale: Scale) -> np.ndarray:
        """Return scaled forecasts ``(B, ...)`` in the units of the data; whole numbers for counts."""
        shape = (len(values),) + (1,) * (values.ndim - 1)
        with np.errstate(over="ignore"):
            inverted = scale.shift.reshape(shape) + scale.scale.reshape(shape) * values.astype(float)
            if self.distribution == "negative_binomial":
                return np.maximum(np.rint(inverted), 0)
            return np.exp(inverted) if self.transform == "log" else inverted

    def check(self, panel: Panel, *, fitted: bool = False) -> None:
        """Refuse values that the transform, the distribution or float32 cannot take.

        Args:
            panel: The series.
            fitted: Whether they are the training set, in which float32 must be able to tell the values apart.

        Raises:
            DataError: If there is such a value; the message names its series and time.
        """
        if self.transform == "log" and (panel.values <= 0).any():
            row = int((panel.values <= 0).argmax())
            raise DataError(
                f"{arg(hyperparameters={'transform': 'log'})} needs positive values, but series {panel.name_of(row)!r} is "
                f"{panel.values[row]:g} at {time_text(panel.times[row])}: pass {arg(hyperparameters={'transform': 'none'})}"
            )
        if self.distribution == "negative_binomial":
            bad = _is_no_count(panel.values) & (True if panel.observed is None else panel.observed)
            if bad.any():
                row = int(bad.argmax())
                raise DataError(
                    f"{arg(distribution='negative_binomial')} needs counts, but series {panel.name_of(row)!r} is "
                    f"{panel.values[row]:g} at {time_text(panel.times[row])}: pass another {arg('distribution')}"
                )
        elif self.scaling in ("none", "level") and len(panel.values):
            self._check_single(panel, fitted)

    def check_value(self, value: float, at: str) -> None:
        """Refuse a value that the transform or the distribution cannot take.

        Raises:
            DataError: If it is such a value.
        """
        if self.transform == "log" and value <= 0:
            raise DataError(
                f"{arg(hyperparameters={'transform': 'log'})} needs positive values, but the value at {at} is {value:g}"
            )
        if self.distribution == "negative_binomial" and _is_no_count(np.float64(value)):
            raise DataError(f"{arg(distribution='negative_binomial')} needs counts, but the value at {at} is {value:g}")

    def _check_single(self, panel: Panel, fitted: bool) -> None:
        """Refuse series in the units of the data that float32 cannot hold, or whose values it cannot tell apart."""
        values, starts = self.transformed(panel.values), panel.offsets[:-1]
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        span = high - low
        size = np.maximum(np.abs(low), np.abs(high)) if self.scaling == "none" else span
        large = size > LARGEST_INPUT
        lost = fitted & (span > 0) & ((span < _SINGLE * size) | (span < 1 / LARGEST_INPUT))
        if (large | lost).any():
            i = int((large | lost).argmax())
            what = f"reaches {size[i]:g}" if large[i] else f"varies by {span[i]:g} around {size[i]:g}"
            raise DataError(
                f"series {panel.ids[i]!r} {what}, which float32 cannot show with "
                f"{arg(hyperparameters={'scaling': self.scaling})}: pass {arg(hyperparameters={'scaling': 'window'})}"
            )

    def _of_one(self, values: np.ndarray) -> tuple[float, float]:
        scale = self.of_windows(self.transformed(values)[None])
        return float(scale.shift[0, 0]), float(scale.scale[0, 0])


def _is_no_count(values: np.ndarray | np.float64) -> np.ndarray:
    return (values < 0) | (values % 1 != 0) | (values > _LARGEST_COUNT)
