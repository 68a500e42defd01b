"""Scales of windows and series, and the transform of values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel, was_observed
from lstmzoo.scales import LARGEST_INPUT, mean_and_deviation
from lstmzoo.timesteps import time_text

_EXTREME = 1000.0  # standard deviations; a larger target, after a window that hardly varies, would dominate the loss
_UNIT = 0.1  # of the logarithm, as a share of the mean
_LARGEST_COUNT = 2.0**53  # float64 does not hold every larger count
_SINGLE = 32 * float(np.finfo(np.float32).eps)  # the least relative variation that float32 can show


@dataclass(frozen=True)
class Scale:
    """The shift and scale of each window, ``(B, 1)`` each: ``transformed value = shift + scale * scaled``.

    The scale of a constant window is 0, so that its forecast is its value.

    Attributes:
        shift: See above.
        scale: See above.
        unit: ``(B, 1)`` the unit of the series in the transform; None if the transform has none.
        least: ``(B, 1)`` the least forecast; None if there is no limit.
    """

    shift: np.ndarray
    scale: np.ndarray
    unit: np.ndarray | None = None
    least: np.ndarray | None = None

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
        transform: ``none`` or ``log``: ``log(y)`` or, if the training set has zeros, ``log(1 + y / unit)``. The unit is a tenth
            of the mean of the series in training.
        distribution: ``quantiles``, or the name of a distribution. Counts (``negative_binomial``) are scaled by 1 + the
            mean, without a shift.
        allow_negative: Whether series without negative values may be forecast negative.

    Attributes:
        series_scales_: Shift and scale by name of series, if ``scaling`` is ``series``.
        units_: Unit by name of series; None if the transform has none.
        negative_: Names of the series that have negative values in training.

    References:
        Salinas et al., "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks", 2017 (counts).
    """

    def __init__(self, scaling: str, transform: str, distribution: str, *, allow_negative: bool) -> None:
        self.scaling = scaling
        self.transform = transform
        self.distribution = distribution
        self.allow_negative = allow_negative
        self.series_scales_: dict[str, tuple[float, float]] = {}
        self.units_: dict[str, float] | None = None
        self.negative_: set[str] = set()

    def learn(self, panel: Panel) -> None:
        """Learn the units of the transform, and which series have negative values.

        Raises:
            DataError: As for :meth:`check`.
        """
        values, observed = panel.values, was_observed(panel)
        if self.transform == "log" and bool((values[observed] <= 0).any()):
            self.units_ = dict(zip(panel.ids, self._units_of(panel), strict=True))
        below = np.logical_or.reduceat(observed & (values < 0), panel.offsets[:-1])
        self.negative_ = set(panel.ids[below])
        self.check(panel, fitted=True)

    def fit(self, ids: Iterable[str], series: Iterable[np.ndarray]) -> None:
        """Learn the scale of each series of transformed values, if ``scaling`` is ``series``."""
        if self.scaling == "series":
            self.series_scales_ = {name: self._of_one(values) for name, values in zip(ids, series, strict=True)}

    def units(self, panel: Panel) -> np.ndarray | None:
        """Return the learned units ``(N, 1)`` of N series; the unit of an unknown series is computed from its values."""
        if self.units_ is None:
            return None
        own = self._units_of(panel) if any(name not in self.units_ for name in panel.ids) else np.ones(len(panel))
        return np.array([[self.units_.get(name, unit)] for name, unit in zip(panel.ids, own, strict=True)])

    def least(self, panel: Panel) -> np.ndarray | None:
        """Return the least forecasts ``(N, 1)``: 0 for series that were never negative; None if there is no limit."""
        if self.allow_negative:
            return None
        below = np.logical_or.reduceat(was_observed(panel) & (panel.values < 0), panel.offsets[:-1])
        known = np.array([name in self.negative_ for name in panel.ids])
        return np.where(below | known, -np.inf, 0.0)[:, None]

    def transformed(self, panel: Panel, units: np.ndarray | None = None) -> Panel:
        """Return a panel of transformed values.

        Args:
            panel: N series.
            units: ``(N, 1)``; those of :meth:`units` if None.
        """
        if self.transform == "none":
            return panel
        units = self.units(panel) if units is None else units
        if units is None:
            return replace(panel, values=np.log(panel.values))
        relative = panel.values / np.repeat(units[:, 0], panel.lengths)
        return replace(panel, values=np.log1p(relative))

    def of_windows(self, windows: np.ndarray, counted: np.ndarray | None = None) -> Scale:
        """Return the scales of windows ``(B, T)``; of the values ``counted`` ``(B, T)``, the last one included, if not None."""
        if self.scaling == "none":
            return Scale(np.zeros((len(windows), 1)), np.ones((len(windows), 1)))
        if self.scaling == "level":
            return Scale(windows[:, -1:], np.ones((len(windows), 1)))
        if self.distribution == "negative_binomial":
            mean = windows.mean(axis=1, keepdims=True, where=True if counted is None else counted)
            return Scale(np.zeros_like(mean), 1 + mean)
        return Scale(*mean_and_deviation(windows, counted))

    def of_series(self, ids: np.ndarray, series: Sequence[np.ndarray]) -> Scale:
        """Return the learned scales of N series of transformed values; that of an unknown series is computed from them."""
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
            if self.transform == "log":
                inverted = np.exp(inverted) if scale.unit is None else scale.unit.reshape(shape) * np.expm1(inverted)
        return inverted if scale.least is None else np.maximum(inverted, scale.least.reshape(shape))

    def check(self, panel: Panel, *, fitted: bool = False) -> None:
        """Refuse values that the transform, the distribution or float32 cannot take.

        Args:
            panel: The series.
            fitted: Whether they are the training set, in which float32 must be able to tell the values apart.

        Raises:
            DataError: If there is such a value; the message names its series and time.
        """
        if self.transform == "log":
            bad = panel.values < 0 if self.units_ is not None else panel.values <= 0
            if bad.any():
                row = int(bad.argmax())
                raise DataError(
                    f"{self._needs_log}, but series {panel.name_of(row)!r} is {panel.values[row]:g} at "
                    f"{time_text(panel.times[row])}: pass {arg(hyperparameters={'transform': 'none'})}"
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
        if self.transform == "log" and (value < 0 or (value == 0 and self.units_ is None)):
            raise DataError(f"{self._needs_log}, but the value at {at} is {value:g}")
        if self.distribution == "negative_binomial" and _is_no_count(np.float64(value)):
            raise DataError(f"{arg(distribution='negative_binomial')} needs counts, but the value at {at} is {value:g}")

    def _check_single(self, panel: Panel, fitted: bool) -> None:
        """Refuse series in the units of the data that float32 cannot hold, or whose values it cannot tell apart."""
        values, starts = self.transformed(panel).values, panel.offsets[:-1]
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

    @property
    def _needs_log(self) -> str:
        needed = "values of at least 0" if self.units_ is not None else "positive values, as in the training set"
        return f"{arg(hyperparameters={'transform': 'log'})} needs {needed}"

    def _units_of(self, panel: Panel) -> np.ndarray:
        """``(N,)`` a tenth of the mean absolute value of each series; 1 if it is 0."""
        sizes, starts = np.abs(panel.values), panel.offsets[:-1]
        observed = was_observed(panel) & np.isfinite(sizes)
        largest = float(sizes[observed].max(initial=0.0)) or 1.0
        total = np.add.reduceat(np.where(observed, sizes / largest, 0.0), starts)
        means = total / np.maximum(np.add.reduceat(observed.astype(float), starts), 1) * largest
        return np.where(means > 0, _UNIT * means, 1.0)

    def _of_one(self, values: np.ndarray) -> tuple[float, float]:
        scale = self.of_windows(values[None])
        return float(scale.shift[0, 0]), float(scale.scale[0, 0])


def _is_no_count(values: np.ndarray | np.float64) -> np.ndarray:
    return (values < 0) | (values % 1 != 0) | (values > _LARGEST_COUNT)
