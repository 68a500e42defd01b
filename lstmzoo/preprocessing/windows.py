"""Windows over a panel: indices into one array, scaled batch by batch, never materialized."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Panel, is_shorter_than_a_day, time_text
from lstmzoo.spec import ForecastingSpec

_EXTREME = (
    1000.0  # standard deviations; a target beyond, after a window that hardly varied, would drown the other losses
)


@dataclass(frozen=True)
class Scale:
    """Where and how large each window is: ``value = shift + scale * scaled``; both are ``(B, 1)``.

    A window that does not vary has the scale 0, so that its forecast is its value.
    """

    shift: np.ndarray
    scale: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Values ``(B, any)`` or ``(B, any, any)`` in units of their window; 0 where the window does not vary."""
        shape = (len(self.shift),) + (1,) * (values.ndim - 1)
        shift, scale = self.shift.reshape(shape), self.scale.reshape(shape)
        return np.divide(values - shift, scale, out=np.zeros_like(values, dtype=float), where=scale > 0)


class WindowPreprocessor:
    """Cuts a panel into windows and scales them; inverts forecasts.

    The network is shown *reference* forecasts (the last season repeated, the last value, the window's mean), which its
    own forecasts correct, and works in units of each window's own mean and standard deviation.

    Sizes: B windows, T ``lookback``, H ``horizon``, F features (the series and the calendar), R references, Q quantiles.

    Args:
        lookback: Time steps that the network sees.
        horizon: Time steps that it forecasts.
        quantiles: Levels that it forecasts, sorted, with 0.5 among them.
        periods: Periods of the references: of the last value (1), of a season (its length), or 0 for the window's mean.
        scaling: ``window``, ``series`` or ``none``.
        transform: ``log`` or ``none``.
        calendar: Whether calendar features accompany each time step.
    """

    def __init__(
        self,
        *,
        lookback: int,
        horizon: int,
        quantiles: list[float],
        periods: list[int],
        scaling: str,
        transform: str,
        calendar: bool,
    ):
        self.lookback = lookback
        self.horizon = horizon
        self.quantiles = quantiles
        self.periods = periods
        self.scaling = scaling
        self.transform = transform
        self.calendar = calendar

    @property
    def context(self) -> int:
        """Past time steps that a forecast needs: the lookback, or the longest period if that is longer."""
        return max(self.lookback, *self.periods)

    @property
    def min_length(self) -> int:
        """Observations that a series needs to be trained on."""
        return self.context + self.horizon

    def fit(self, panel: Panel) -> "WindowPreprocessor":
        """Learn the sizes, and the series' scales where they are by series.

        Raises:
            DataError: If calendar features are asked for where time is a count, or a logarithm of what is not positive.
        """
        if self.calendar and not panel.has_calendar:
            raise DataError(
                "calendar features need timestamps, but the time column holds integers: pass calendar=False"
            )
        self._check_transform(panel)
        self.freq_ = panel.freq
        self.num_calendar_ = calendar_features(panel.times[:1], panel.freq, panel.tz).shape[1] if self.calendar else 0
        if self.scaling == "series":
            self.series_scales_ = {name: self._series_scale(panel.series(i)) for i, name in enumerate(panel.ids)}
        return self

    @property
    def spec_(self) -> ForecastingSpec:
        """The sizes that a builder needs."""
        return ForecastingSpec(
            lookback=self.lookback,
            horizon=self.horizon,
            num_features=1 + self.num_calendar_,
            num_references=len(self.periods),
            num_outputs=len(self.quantiles),
            median_index=self.quantiles.index(0.5),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that has been learned, for :meth:`from_json`."""
        names = ("lookback", "horizon", "quantiles", "periods", "scaling", "transform", "calendar")
        document = {name: getattr(self, name) for name in names}
        document |= {"freq_": self.freq_, "num_calendar_": self.num_calendar_}
        if self.scaling == "series":
            document["series_scales_"] = [[name, *scale] for name, scale in self.series_scales_.items()]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "WindowPreprocessor":
        """The preprocessor that :meth:`to_json` wrote."""
        learned = {name: value for name, value in document.items() if name.endswith("_")}
        self = cls(**{name: value for name, value in document.items() if name not in learned})
        self.freq_, self.num_calendar_ = learned["freq_"], learned["num_calendar_"]
        if self.scaling == "series":
            self.series_scales_ = {name: (shift, scale) for name, shift, scale in learned["series_scales_"]}
        return self

    def windows(self, panel: Panel, *, drop: int = 0) -> "Windows":
        """All windows whose forecasts lie before the last ``drop`` steps of each series.

        Args:
            panel: Series, of ``min_length`` observations at least where they are to give a window.
            drop: Steps at each series' end that no forecast covers.

        Raises:
            DataError: If a logarithm is to be taken of what is not positive.
        """
        self._check_transform(panel)
        return Windows(self, panel, drop=drop)

    def last_windows(self, panel: Panel) -> tuple[dict[str, np.ndarray], Scale]:
        """What the network is shown to forecast what follows each series.

        Returns:
            The inputs ``window`` (N, T, F) and ``future`` (N, H, R + F - 1), and the scales that :meth:`invert` needs.

        Raises:
            DataError: If a series is shorter than the context.
        """
        short = panel.lengths < self.context
        if short.any():
            i = int(short.argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations of history; a forecast needs {self.context}: "
                "give a longer history, or fit with pad_short=True"
            )
        self._check_transform(panel)
        take = panel.offsets[1:, None] + np.arange(-self.context, 0)
        past = self._transformed(panel.values[take])
        calendar = None
        if self.calendar:
            times = np.concatenate([panel.times[take[:, -self.lookback :]], panel.future_times(self.horizon)], axis=1)
            calendar = calendar_features(times.ravel(), panel.freq, panel.tz).reshape(*times.shape, -1)
        stored = self._stored_scales(panel) if self.scaling == "series" else None
        return self._inputs(past, stored, calendar)

    def invert(self, outputs: np.ndarray, scale: Scale) -> np.ndarray:
        """Forecasts in the data's own units.

        Args:
            outputs: ``(B, H, Q)``, scaled.
            scale: From :meth:`last_windows`.
        """
        values = scale.shift[..., None] + scale.scale[..., None] * outputs.astype(float)
        return np.exp(values) if self.transform == "log" else values

    def _inputs(
        self, past: np.ndarray, stored: Scale | None, calendar: np.ndarray | None
    ) -> tuple[dict[str, np.ndarray], Scale]:
        window = past[:, -self.lookback :]
        scale = self._window_scale(window) if stored is None else stored
        reference = self._references(past, window)
        channels = [scale.apply(window)[..., None]], [scale.apply(reference)]
        if calendar is not None:
            channels[0].append(calendar[:, : self.lookback])
            channels[1].append(calendar[:, self.lookback :])
        join = [
            np.concatenate(c, axis=-1).astype(np.float32) if len(c) > 1 else c[0].astype(np.float32) for c in channels
        ]
        return {"window": join[0], "future": join[1]}, scale

    def _references(self, past: np.ndarray, window: np.ndarray) -> np.ndarray:
        """``(B, H, R)`` the forecasts that the network corrects."""
        steps, length = np.arange(self.horizon), past.shape[1]
        seasonal = [past[:, length - p + steps % p] if p else None for p in self.periods]
        mean = np.repeat(window.mean(axis=1, keepdims=True), self.horizon, axis=1)
        return np.stack([mean if r is None else r for r in seasonal], axis=-1)

    def _window_scale(self, window: np.ndarray) -> Scale:
        if self.scaling == "none":
            return Scale(np.zeros((len(window), 1)), np.ones((len(window), 1)))
        shift = window.mean(axis=1, keepdims=True)
        deviation = window.std(axis=1, keepdims=True)
        return Scale(shift, np.where(deviation > 1e-9 * np.abs(shift), deviation, 0.0))

    def _series_scale(self, values: np.ndarray) -> tuple[float, float]:
        scale = self._window_scale(self._transformed(values)[None])
        return float(scale.shift[0, 0]), float(scale.scale[0, 0])

    def _stored_scales(self, panel: Panel) -> Scale:
        """The scales of known series; a series never seen has that of the history given."""
        pairs = [
            self.series_scales_.get(name) or self._series_scale(panel.series(i)) for i, name in enumerate(panel.ids)
        ]
        table = np.array(pairs, dtype=float)
        return Scale(table[:, :1], table[:, 1:])

    def _transformed(self, values: np.ndarray) -> np.ndarray:
        return np.log(values) if self.transform == "log" else values

    def _check_transform(self, panel: Panel) -> None:
        if self.transform == "log" and (panel.values <= 0).any():
            row = int((panel.values <= 0).argmax())
            raise DataError(
                f"transform='log' needs positive values, but series {panel.name_of(row)!r} is {panel.values[row]:g} at "
                f"{time_text(panel.times[row])}: pass transform='none'"
            )


class Windows:
    """The windows of a panel, by number: ``len()`` of them, and :meth:`batch` makes the arrays of some.

    What is kept is the panel and one count a series.
    """

    def __init__(self, preprocessor: WindowPreprocessor, panel: Panel, *, drop: int) -> None:
        self._pre = preprocessor
        self._panel = panel
        self._counts = np.maximum(panel.lengths - drop - preprocessor.min_length + 1, 0)
        self._ends = np.cumsum(self._counts)
        self._first_row = panel.offsets[:-1]
        span = preprocessor.context + preprocessor.horizon
        values = preprocessor._transformed(panel.values)
        self._spans = sliding_window_view(values, span) if len(values) >= span else np.empty((0, span))
        self._calendar = None
        if preprocessor.calendar:
            features = calendar_features(panel.times, panel.freq, panel.tz)
            width = preprocessor.lookback + preprocessor.horizon
            self._calendar = sliding_window_view(features, width, axis=0).transpose(0, 2, 1)
        self._scales = preprocessor._stored_scales(panel) if preprocessor.scaling == "series" else None

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def batch(self, numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, Scale]:
        """The inputs of windows ``(B,)``, their scaled targets ``(B, H, 1)``, and their scales."""
        series = np.searchsorted(self._ends, numbers, side="right")
        rows = self._first_row[series] + numbers - (self._ends[series] - self._counts[series])
        spans = self._spans[rows]
        past, target = spans[:, : self._pre.context], spans[:, self._pre.context :]
        calendar = None if self._calendar is None else self._calendar[rows + self._pre.context - self._pre.lookback]
        stored = None
        if self._scales is not None:
            stored = Scale(self._scales.shift[series], self._scales.scale[series])
        inputs, scale = self._pre._inputs(past, stored, calendar)
        return inputs, self._scaled_target(target, scale), scale

    def _scaled_target(self, target: np.ndarray, scale: Scale) -> np.ndarray:
        """``(B, H, 1)``."""
        scaled = scale.apply(target)
        if self._pre.scaling == "window":
            scaled = np.clip(scaled, -_EXTREME, _EXTREME)
        return scaled[..., None].astype(np.float32)


def calendar_features(times: np.ndarray, freq: str | int, tz: str | None = None) -> np.ndarray:
    """``(R, C)`` float32: sine and cosine of each cycle that the frequency resolves (day, week, year), in local time.

    Args:
        times: ``(R,)`` as a panel has them.
        freq: The panel's.
        tz: The panel's.

    Examples:
        >>> calendar_features(np.array(["2024-01-01T06:00"], dtype="datetime64[us]"), "h").round(2)
        array([[1., 0., 0., 1., 0., 1.]], dtype=float32)
    """
    index = pd.DatetimeIndex(times)
    if tz is not None and is_shorter_than_a_day(freq):
        index = index.tz_localize("UTC").tz_convert(tz)
    hours = index.hour.to_numpy() + index.minute.to_numpy() / 60
    weekday = index.day_of_week.to_numpy()
    year = (index.day_of_year.to_numpy() - 1) / 365.25
    cycles = []
    if is_shorter_than_a_day(freq):
        cycles.append(hours / 24)
    offset = pd.tseries.frequencies.to_offset(str(freq))
    if is_shorter_than_a_day(freq) or offset.rule_code in ("D", "B"):
        cycles.append(weekday / 7)
    cycles.append(year)
    angles = 2 * np.pi * np.stack(cycles, axis=1)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(index), -1).astype(np.float32)
