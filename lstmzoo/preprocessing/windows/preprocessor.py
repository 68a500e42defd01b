"""The preprocessor of forecasters: sizes and scales of windows, and their inputs."""

from dataclasses import replace
from typing import Any

import numpy as np

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel
from lstmzoo.preprocessing.channels import Channels
from lstmzoo.preprocessing.observed import observed_series, padding_from
from lstmzoo.preprocessing.scaling import Scale, Scaler
from lstmzoo.spec import ForecastingSpec


class WindowPreprocessor:
    """Makes a network's inputs from windows of a panel, and inverts its forecasts.

    The network gets *reference* forecasts (the last season repeated, the last value, the window's mean), which its own
    forecasts correct. It works in units of each window's own mean and standard deviation; see :class:`Scaler`. Padding before
    the first observed value counts in neither: a season that was not observed as a whole is replaced by the next shorter one
    that divides it, or by the last value.

    Sizes: B windows, T ``lookback``, H ``horizon``, F channels of the window, R references, K known channels, P past
    channels, Q outputs.

    Args:
        lookback: Number of past time steps that the network reads.
        horizon: Number of time steps to forecast.
        quantiles: Levels of the quantiles to forecast, sorted, 0.5 included.
        periods: Periods of the references: 1 for the last value, a season's length for that season, 0 for the window's mean,
            minus a season's length for the mean of the whole seasons within the window.
        scaling: ``window``, ``series``, ``level`` or ``none``.
        transform: ``log`` or ``none``; see :class:`Scaler`.
        distribution: ``quantiles``, or the name of a distribution.
        num_outputs: Q.
        season_length: The shortest season.
        channels: Calendar, covariates and static covariates.
        allow_negative: Whether series without negative values may be forecast negative.
        count_padding: Whether references and scales count padding, as in models of formats 1 and 2.
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
        distribution: str,
        num_outputs: int,
        season_length: int,
        channels: Channels,
        allow_negative: bool = False,
        count_padding: bool = False,
    ):
        self.lookback = lookback
        self.horizon = horizon
        self.quantiles = quantiles
        self.periods = periods
        self.num_outputs = num_outputs
        self.season_length = season_length
        self.channels = channels
        self.count_padding = count_padding
        self.scaler = Scaler(scaling, transform, distribution, allow_negative=allow_negative)

    @property
    def context(self) -> int:
        """Past time steps that a forecast needs: the lookback, or the longest period if that is longer."""
        return max(self.lookback, *self.periods)

    @property
    def reach(self) -> int:
        """Past time steps that a forecast reads: the context, and one more, from which the length of the first step follows."""
        return self.context + 1

    @property
    def min_length(self) -> int:
        """Observations that a series needs for training."""
        return self.context + self.horizon

    def fit(self, panel: Panel) -> "WindowPreprocessor":
        """Learn the sizes, the covariates' scales and categories, and the series' scales if scaling is by series.

        Raises:
            DataError: If calendar features are asked for where time is a count, or a value does not suit the transform or the
                distribution.
        """
        self.scaler.learn(panel)
        self.freq_, self.tz_ = panel.freq, panel.tz
        self.channels.fit(panel)
        self.series_ = {name: i + 1 for i, name in enumerate(panel.ids)}
        self.scaler.fit(panel.ids, observed_series(self.scaler.transformed(panel)))
        return self

    @property
    def spec_(self) -> ForecastingSpec:
        """The sizes that a builder needs."""
        return ForecastingSpec(
            lookback=self.lookback,
            horizon=self.horizon,
            num_references=len(self.periods),
            num_outputs=self.num_outputs,
            median_index=self.quantiles.index(0.5),
            distribution=self.scaler.distribution,
            num_known=self.channels.num_known_,
            num_past=self.channels.num_past_,
            num_static=self.channels.num_static_,
            cardinalities=self.channels.cardinalities_,
            num_series=len(self.series_),
            season_length=self.season_length,
        )

    _PARAMETERS = ("lookback", "horizon", "quantiles", "periods", "num_outputs", "season_length", "count_padding")
    _OF_SCALER = ("scaling", "transform", "distribution", "allow_negative")

    def to_json(self) -> dict[str, Any]:
        """Return everything that was learned, for :meth:`from_json`."""
        document = {name: getattr(self, name) for name in self._PARAMETERS}
        document |= {name: getattr(self.scaler, name) for name in self._OF_SCALER}
        document |= {
            "freq_": self.freq_,
            "tz_": self.tz_,
            "series_": list(self.series_),
            "channels": self.channels.to_json(),
            "units_": None if self.scaler.units_ is None else list(self.scaler.units_.values()),
            "negative_": [name for name in self.series_ if name in self.scaler.negative_],
        }
        if self.scaler.scaling == "series":
            document["series_scales_"] = [list(scale) for scale in self.scaler.series_scales_.values()]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "WindowPreprocessor":
        """Return the preprocessor that :meth:`to_json` described."""
        channels = Channels.from_json(document["channels"])
        self = cls(**{name: document[name] for name in (*cls._PARAMETERS, *cls._OF_SCALER)}, channels=channels)
        self.freq_, self.tz_ = document["freq_"], document["tz_"]
        self.series_ = {name: i + 1 for i, name in enumerate(document["series_"])}
        self.scaler.negative_ = set(document["negative_"])
        if document["units_"] is not None:
            self.scaler.units_ = dict(zip(self.series_, map(float, document["units_"]), strict=True))
        if self.scaler.scaling == "series":
            scales = [(float(shift), float(scale)) for shift, scale in document["series_scales_"]]
            self.scaler.series_scales_ = dict(zip(self.series_, scales, strict=True))
        return self

    def last_windows(
        self, panel: Panel, times: np.ndarray | None = None, known: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], Scale]:
        """Return the inputs from which the network forecasts the steps after each series, and the scales.

        Args:
            panel: The N series.
            times: ``(N, H)`` the steps to forecast; the steps that follow if None.
            known: ``(N, H, covariates)`` the future covariates, if there are any.

        Returns:
            The inputs by name, see :class:`Windows`, and the scales for :meth:`Scaler.invert`.

        Raises:
            DataError: If a series is shorter than the context.
        """
        short = panel.lengths < self.context
        if short.any():
            i = int(short.argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations of history; a forecast needs {self.context}: "
                f"give a longer history, or fit with {arg(pad_short=True)}"
            )
        least = self.scaler.least(panel)
        near, panel = panel.tail(self.lookback + 1), panel.tail(self.context)
        self.scaler.check(panel)
        units = self.scaler.units(panel)
        values = self.scaler.transformed(panel, units).values.reshape(len(panel), self.context)
        rows = near.offsets[1:, None] + np.arange(-self.lookback, 0)
        before, past = self.channels.known_channels(near)[rows], self.channels.past_channels(near)[rows]
        times = panel.future_times(self.horizon) if times is None else times
        ahead = self.channels.known_channels_ahead(panel, times, known)
        known_channels = np.concatenate([before, ahead], axis=1)
        padding = self.padding_from(panel)[panel.offsets[:-1]]
        inputs, scale = self.inputs(values, self.series_scales(panel), known_channels, past, padding)
        return inputs | self.static(panel), replace(scale, unit=units, least=least)

    def step_inputs(
        self, panel: Panel, scale: Scale, times: np.ndarray, known: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Return the inputs with which a stepping network reads the last step of each series, ``window`` being (N, 1, F).

        Args:
            panel: The N series, at least as long as the context.
            scale: Scales of the windows that the network read first.
            times: As for :meth:`last_windows`.
            known: As for :meth:`last_windows`.
        """
        near, panel = panel.tail(2), panel.tail(self.context)
        values = self.scaler.transformed(panel, scale.unit).values.reshape(len(panel), self.context)
        rows = near.offsets[1:, None] - 1
        before, past = self.channels.known_channels(near)[rows], self.channels.past_channels(near)[rows]
        references = scale.apply(self._references(values, self.padding_from(panel)[panel.offsets[:-1]]))
        return {
            "window": _joined(scale.apply(values[:, -1:])[..., None], before, past),
            "future": _joined(references, self.channels.known_channels_ahead(panel, times, known)),
            **self.static(panel),
        }

    def scale_of(self, panel: Panel) -> Scale:
        """Return the scales of the last T values of N series, each of at least T values."""
        stored = self.series_scales(panel)
        if stored is not None:
            return stored
        near, last = panel.tail(self.context), panel.tail(self.lookback)
        padding = self.padding_from(near)[near.offsets[:-1]]
        padding = np.where(padding < self.context, padding, 0) - (self.context - self.lookback)
        counted = _counted(padding, self.lookback)
        return self.scaler.of_windows(self.scaler.transformed(last).values.reshape(len(panel), self.lookback), counted)

    def padding_from(self, panel: Panel) -> np.ndarray:
        """Return ``(R,)``, the number of rows from each row on that count neither in references nor in scales."""
        return padding_from(replace(panel, observed=None) if self.count_padding else panel)

    def series_scales(self, panel: Panel) -> Scale | None:
        """Return the scales of N series, or None if scaling is not by series."""
        if self.scaler.scaling != "series":
            return None
        return self.scaler.of_series(panel.ids, observed_series(self.scaler.transformed(panel)))

    def static(self, panel: Panel) -> dict[str, np.ndarray]:
        """Return the inputs that do not vary in time: the numbers of the series, 0 if unknown, and static covariates."""
        numbers = np.array([self.series_.get(name, 0) for name in panel.ids], dtype=np.int32)
        return {"series": numbers, **self.channels.static(panel)}

    def inputs(
        self,
        values: np.ndarray,
        scale: Scale | None,
        known_channels: np.ndarray,
        past_channels: np.ndarray,
        padding: np.ndarray,
    ) -> tuple[dict[str, np.ndarray], Scale]:
        """Return the inputs of windows that vary in time, and the windows' scales.

        Args:
            values: ``(B, context)``.
            scale: Scales of the windows' series; computed from the windows if None.
            known_channels: ``(B, T + H, K)``.
            past_channels: ``(B, T, P)``.
            padding: ``(B,)`` the number of first values that do not count; all count if it is the context or more.
        """
        window, padding = values[:, -self.lookback :], np.where(padding < self.context, padding, 0)
        if scale is None:
            scale = self.scaler.of_windows(window, _counted(padding - (self.context - self.lookback), self.lookback))
        return {
            "window": _joined(scale.apply(window)[..., None], known_channels[:, : self.lookback], past_channels),
            "future": _joined(scale.apply(self._references(values, padding)), known_channels[:, self.lookback :]),
        }, scale

    def _references(self, values: np.ndarray, padding: np.ndarray) -> np.ndarray:
        """``(B, H, R)`` the reference forecasts after values ``(B, context)``, whose first ``padding`` (B,) do not count."""
        return np.stack([self._reference(period, values, padding) for period in self.periods], axis=-1)

    def _reference(self, period: int, values: np.ndarray, padding: np.ndarray) -> np.ndarray:
        if period > 0:
            return self._repeated(period, values, padding)
        window, steps = values[:, -self.lookback :], np.arange(self.horizon)
        counted = _counted(padding - (self.context - self.lookback), self.lookback)
        where: Any = True if counted is None else counted
        mean = np.repeat(window.mean(axis=1, keepdims=True, where=where), self.horizon, axis=1)
        if period == 0:
            return mean
        whole = self.lookback // -period
        seasons = window[:, whole * period :].reshape(len(window), whole, -period)
        if counted is None:
            return seasons.mean(axis=1)[:, steps % -period]
        complete = counted[:, whole * period :: -period]  # (B, whole): the first value of the season counts
        some = complete.any(axis=1, keepdims=True)
        return np.where(some, seasons.mean(axis=1, where=(complete | ~some)[..., None])[:, steps % -period], mean)

    def _repeated(self, period: int, values: np.ndarray, padding: np.ndarray) -> np.ndarray:
        """The last ``period`` values; where not all of them count, those of the next shorter period that divides it."""
        first = self.context - period
        repeated = values[:, first + np.arange(self.horizon) % period]
        missing = padding > first
        if not missing.any():
            return repeated
        shorter = [p for p in (*self.periods, self.season_length) if 0 < p < period and period % p == 0]
        return np.where(missing[:, None], self._repeated(max(shorter, default=1), values, padding), repeated)


def _counted(padding: np.ndarray, length: int) -> np.ndarray | None:
    """``(B, length)`` whether a value comes after the padding ``(B,)``; None if all do."""
    return np.arange(length) >= padding[:, None] if (padding > 0).any() else None


def _joined(*channels: np.ndarray) -> np.ndarray:
    present = [c.astype(np.float32) for c in channels if c.shape[-1]]
    return np.concatenate(present, axis=-1) if len(present) > 1 else present[0]
