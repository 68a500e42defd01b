"""Windows over a panel: indices into one array, scaled batch by batch, never materialized."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel, was_observed
from lstmzoo.preprocessing.channels import Channels
from lstmzoo.scales import LARGEST_INPUT, mean_and_deviation
from lstmzoo.spec import ForecastingSpec
from lstmzoo.timesteps import time_text

_EXTREME = (
    1000.0  # standard deviations; a target beyond, after a window that hardly varied, would drown the other losses
)
_LARGEST_COUNT = 2.0**53  # beyond, float64 does not hold every count
_SINGLE = 32 * float(np.finfo(np.float32).eps)  # relative to the values, the least variation that float32 shows


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
        with np.errstate(over="ignore"):
            scaled = np.divide(values - shift, scale, out=np.zeros_like(values, dtype=float), where=scale > 0)
        return np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT)


class WindowPreprocessor:
    """Cuts a panel into windows and scales them; inverts forecasts.

    The network is shown *reference* forecasts (the last season repeated, the last value, the window's mean), which its
    own forecasts correct, and works in units of each window's own mean and standard deviation; counts, where a negative
    binomial distribution is forecast, in units of 1 + the window's mean (Salinas et al. 2017).

    Sizes: B windows, T ``lookback``, H ``horizon``, F channels of the window, R references, K channels of the future,
    Q outputs.

    Args:
        lookback: Time steps that the network sees.
        horizon: Time steps that it forecasts.
        quantiles: Levels that it forecasts, sorted, with 0.5 among them.
        periods: Periods of the references: of the last value (1), of a season (its length), 0 for the window's mean, or minus
            a season's length for the mean of its whole periods within the window.
        scaling: ``window``, ``series``, ``level`` or ``none``.
        transform: ``log`` or ``none``.
        distribution: ``quantiles``, or the name of a distribution.
        num_outputs: Q.
        season_length: The shortest season.
        channels: What accompanies the values: calendar, covariates, descriptions of the series.
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
    ):
        self.lookback = lookback
        self.horizon = horizon
        self.quantiles = quantiles
        self.periods = periods
        self.scaling = scaling
        self.transform = transform
        self.distribution = distribution
        self.num_outputs = num_outputs
        self.season_length = season_length
        self.channels = channels

    @property
    def context(self) -> int:
        """Past time steps that a forecast needs: the lookback, or the longest period if that is longer."""
        return max(self.lookback, *self.periods)

    @property
    def reach(self) -> int:
        """Past time steps that a forecast looks at: the context, and the one before, which tells how long the first is."""
        return self.context + 1

    @property
    def min_length(self) -> int:
        """Observations that a series needs to be trained on."""
        return self.context + self.horizon

    def fit(self, panel: Panel) -> "WindowPreprocessor":
        """Learn the sizes, the covariates' scales and categories, and the series' scales where they are by series.

        Raises:
            DataError: If calendar features are asked for where time is a count, a logarithm of what is not positive, or a
                distribution of counts of what is negative.
        """
        self._check_values(panel)
        self._check_single(panel, fitted=True)
        self.freq_, self.tz_ = panel.freq, panel.tz
        self.channels.fit(panel)
        self.series_ = {name: i + 1 for i, name in enumerate(panel.ids)}
        if self.scaling == "series":
            scales = [self._series_scale(values) for values in _observed_series(panel)]
            self.series_scales_ = dict(zip(panel.ids, scales, strict=True))
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
            distribution=self.distribution,
            num_known=self.channels.num_known_,
            num_past=self.channels.num_past_,
            num_static=self.channels.num_static_,
            cardinalities=self.channels.cardinalities_,
            num_series=len(self.series_),
            season_length=self.season_length,
        )

    _PARAMETERS = (
        "lookback", "horizon", "quantiles", "periods", "scaling", "transform", "distribution", "num_outputs",
        "season_length",
    )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Everything that has been learned, for :meth:`from_json`."""
        document = {name: getattr(self, name) for name in self._PARAMETERS}
        document |= {
            "freq_": self.freq_,
            "tz_": self.tz_,
            "series_": list(self.series_),
            "channels": self.channels.to_json(),
        }
        if self.scaling == "series":
            document["series_scales_"] = [list(scale) for scale in self.series_scales_.values()]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "WindowPreprocessor":
        """The preprocessor that :meth:`to_json` wrote."""
        channels = Channels.from_json(document["channels"])
        self = cls(**{name: document[name] for name in cls._PARAMETERS}, channels=channels)
        self.freq_, self.tz_ = document["freq_"], document["tz_"]
        self.series_ = {name: i + 1 for i, name in enumerate(document["series_"])}
        if self.scaling == "series":
            scales = [(float(shift), float(scale)) for shift, scale in document["series_scales_"]]
            self.series_scales_ = dict(zip(self.series_, scales, strict=True))
        return self

    def held_out_windows(self, panel: Panel, steps: int) -> "Windows":
        """All windows whose forecasts lie in the last ``steps`` steps of each series, a horizon at the least.

        Args:
            panel: Series, of ``min_length + steps`` observations at least.
            steps: Steps at each series' end.

        Raises:
            DataError: As of :meth:`windows`; or if there are no such windows, for in none of them a value was observed.
        """
        near = panel.tail(steps + self.reach)
        begun = _unobserved_at_start(panel) < panel.lengths - near.lengths
        self._check_values(near)
        windows = Windows(self, near, drop=0, skip=1, begun=begun)
        if not len(windows):
            check_observed(panel, steps, "held out for validation", f"raise {arg('validation_size')}, or pass "
                           f"{arg(validation_size=0)}")  # fmt: skip
            raise DataError(
                f"no series has an observed value before the {steps} steps held out for validation: lower "
                f"{arg('validation_size')}, or pass {arg(validation_size=0)}"
            )
        return windows

    def windows(self, panel: Panel, *, drop: int = 0, skip: int | np.ndarray = 0) -> "Windows":
        """All windows whose forecasts lie before the last ``drop`` steps of each series, without its first ``skip``.

        Args:
            panel: Series, of ``min_length`` observations at least where they are to give a window.
            drop: Steps at each series' end that no forecast covers.
            skip: Windows at each series' start that are left out; or ``(N,)`` of each series.

        Raises:
            DataError: If a logarithm is to be taken of what is not positive, or a category was not there in training.
        """
        self._check_values(panel)
        return Windows(self, panel, drop=drop, skip=skip)

    def last_windows(
        self, panel: Panel, times: np.ndarray | None = None, known: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], Scale]:
        """What the network is shown to forecast what follows each series.

        Args:
            panel: The N series.
            times: ``(N, H)`` of the steps to forecast; those that follow if None.
            known: ``(N, H, covariates)`` the future covariates, if the network has any.

        Returns:
            The inputs by name, see :class:`Windows`, and the scales that :meth:`invert` needs.

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
        near, panel = panel.tail(self.lookback + 1), panel.tail(self.context)
        self._check_values(panel)
        past = self._transformed(panel.values.reshape(len(panel), self.context))
        rows = near.offsets[1:, None] + np.arange(-self.lookback, 0)
        before, seen = self.channels.known(near)[rows], self.channels.past(near)[rows]
        ahead = self.channels.known_ahead(panel, panel.future_times(self.horizon) if times is None else times, known)
        stored = self._stored_scales(panel) if self.scaling == "series" else None
        inputs, scale = self._inputs(past, stored, np.concatenate([before, ahead], axis=1), seen)
        return inputs | self._described(panel), scale

    def step_inputs(
        self, panel: Panel, scale: Scale, times: np.ndarray, known: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """What a network that steps is shown of the last step of each series, ``window`` (N, 1, F), and of the steps ahead.

        Args:
            panel: The N series, of the context's length at least.
            scale: That of the windows which the network began to read with.
            times: As for :meth:`last_windows`.
            known: As for :meth:`last_windows`.
        """
        near, panel = panel.tail(2), panel.tail(self.context)
        past = self._transformed(panel.values.reshape(len(panel), self.context))
        rows = near.offsets[1:, None] - 1
        before, seen = self.channels.known(near)[rows], self.channels.past(near)[rows]
        references = scale.apply(self._references(past, past[:, -self.lookback :]))
        return {
            "window": _joined(scale.apply(past[:, -1:])[..., None], before, seen),
            "future": _joined(references, self.channels.known_ahead(panel, times, known)),
            **self._described(panel),
        }

    def scale_of(self, panel: Panel) -> Scale:
        """The scales of the last T values of N series, each of T values at least."""
        if self.scaling == "series":
            return self._stored_scales(panel)
        last = panel.tail(self.lookback)
        return self._window_scale(self._transformed(last.values.reshape(len(panel), self.lookback)))

    def check_value(self, value: float, at: str) -> None:
        """Refuse one value that the transform or the distribution cannot take.

        Raises:
            DataError: If it is one.
        """
        if self.transform == "log" and value <= 0:
            raise DataError(
                f"{arg(hyperparameters={'transform': 'log'})} needs positive values, but the value at {at} is {value:g}"
            )
        if self.distribution == "negative_binomial" and (value < 0 or value % 1 or value > _LARGEST_COUNT):
            raise DataError(f"{arg(distribution='negative_binomial')} needs counts, but the value at {at} is {value:g}")

    def invert(self, values: np.ndarray, scale: Scale) -> np.ndarray:
        """Forecasts in the data's own units; of counts, whole numbers.

        Args:
            values: ``(B, ...)``, scaled.
            scale: From :meth:`last_windows`.
        """
        shape = (len(values),) + (1,) * (values.ndim - 1)
        with np.errstate(over="ignore"):
            inverted = scale.shift.reshape(shape) + scale.scale.reshape(shape) * values.astype(float)
            if self.distribution == "negative_binomial":
                return np.maximum(np.rint(inverted), 0)
            return np.exp(inverted) if self.transform == "log" else inverted

    def _described(self, panel: Panel) -> dict[str, np.ndarray]:
        numbers = np.array([self.series_.get(name, 0) for name in panel.ids], dtype=np.int32)
        return {"series": numbers, **self.channels.static(panel)}

    def _inputs(
        self, past: np.ndarray, stored: Scale | None, known: np.ndarray, seen: np.ndarray
    ) -> tuple[dict[str, np.ndarray], Scale]:
        """From values (B, context), known channels (B, T + H, K) and past ones (B, T, P)."""
        window = past[:, -self.lookback :]
        scale = self._window_scale(window) if stored is None else stored
        scaled = scale.apply(window)[..., None]
        references = scale.apply(self._references(past, window))
        return {
            "window": _joined(scaled, known[:, : self.lookback], seen),
            "future": _joined(references, known[:, self.lookback :]),
        }, scale

    def _references(self, past: np.ndarray, window: np.ndarray) -> np.ndarray:
        """``(B, H, R)`` the forecasts that the network corrects."""
        steps = np.arange(self.horizon)
        return np.stack([self._reference(period, past, window, steps) for period in self.periods], axis=-1)

    @staticmethod
    def _reference(period: int, past: np.ndarray, window: np.ndarray, steps: np.ndarray) -> np.ndarray:
        if period > 0:
            return past[:, past.shape[1] - period + steps % period]
        if period == 0:
            return np.repeat(window.mean(axis=1, keepdims=True), len(steps), axis=1)
        whole = window.shape[1] // -period
        seasons = window[:, whole * period :].reshape(len(window), whole, -period)
        return seasons.mean(axis=1)[:, steps % -period]

    def _window_scale(self, window: np.ndarray) -> Scale:
        if self.scaling == "none":
            return Scale(np.zeros((len(window), 1)), np.ones((len(window), 1)))
        if self.scaling == "level":
            return Scale(window[:, -1:], np.ones((len(window), 1)))
        if self.distribution == "negative_binomial":
            mean = window.mean(axis=1, keepdims=True)
            return Scale(np.zeros_like(mean), 1 + mean)
        return Scale(*mean_and_deviation(window))

    def _series_scale(self, values: np.ndarray) -> tuple[float, float]:
        scale = self._window_scale(self._transformed(values)[None])
        return float(scale.shift[0, 0]), float(scale.scale[0, 0])

    def _stored_scales(self, panel: Panel) -> Scale:
        """The scales of known series; a series never seen has that of the history given."""
        pairs = [
            self.series_scales_.get(name) or self._series_scale(values)
            for name, values in zip(panel.ids, _observed_series(panel), strict=True)
        ]
        table = np.array(pairs, dtype=float)
        return Scale(table[:, :1], table[:, 1:])

    def _transformed(self, values: np.ndarray) -> np.ndarray:
        return np.log(values) if self.transform == "log" else values

    def _check_values(self, panel: Panel) -> None:
        if self.transform == "log" and (panel.values <= 0).any():
            row = int((panel.values <= 0).argmax())
            raise DataError(
                f"{arg(hyperparameters={'transform': 'log'})} needs positive values, but series {panel.name_of(row)!r} is "
                f"{panel.values[row]:g} at {time_text(panel.times[row])}: pass {arg(hyperparameters={'transform': 'none'})}"
            )
        self._check_single(panel)
        if self.distribution == "negative_binomial":
            bad = (panel.values < 0) | (panel.values % 1 != 0) | (panel.values > _LARGEST_COUNT)
            bad &= True if panel.observed is None else panel.observed
            if bad.any():
                row = int(bad.argmax())
                raise DataError(
                    f"{arg(distribution='negative_binomial')} needs counts, but series {panel.name_of(row)!r} is "
                    f"{panel.values[row]:g} at {time_text(panel.times[row])}: pass another {arg('distribution')}"
                )

    def _check_single(self, panel: Panel, *, fitted: bool = False) -> None:
        """Refuse values that float32 cannot hold, or in those to be fitted, cannot tell apart, in the data's own units."""
        if self.scaling not in ("none", "level") or self.distribution == "negative_binomial" or not len(panel.values):
            return
        values, starts = self._transformed(panel.values), panel.offsets[:-1]
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        span = high - low
        size = np.maximum(np.abs(low), np.abs(high)) if self.scaling == "none" else span
        large = size > LARGEST_INPUT
        lost = fitted & (span > 0) & ((span < _SINGLE * size) | (span < 1 / LARGEST_INPUT))
        if (large | lost).any():
            i = int((large | lost).argmax())
            what = f"reaches {size[i]:g}" if large[i] else f"varies by {span[i]:g} beside {size[i]:g}"
            raise DataError(
                f"series {panel.ids[i]!r} {what}, which float32 cannot show with "
                f"{arg(hyperparameters={'scaling': self.scaling})}: pass {arg(hyperparameters={'scaling': 'window'})}"
            )


class Windows:
    """The windows of a panel, by number: ``len()`` of them, and :meth:`batch` makes the arrays of some.

    What is kept is the panel, its channels and one count a series. A window that begins before its series' first observed
    value has one of them at least before what it forecasts; and every window has one at least among what it forecasts.

    The inputs of B windows are ``window`` (B, T, F): the scaled values, the channels known in the future too, those of the
    past; ``future`` (B, H, R + K): references, known channels; ``series`` (B,): the series' number; ``previous`` (B, H, 1):
    the scaled value before each step; and ``static`` (B, S) and ``categories`` (B, C), where series are described.
    """

    def __init__(
        self,
        preprocessor: WindowPreprocessor,
        panel: Panel,
        *,
        drop: int,
        skip: int | np.ndarray = 0,
        begun: bool | np.ndarray = False,
    ) -> None:
        self._pre = preprocessor
        width, values = preprocessor.min_length, preprocessor._transformed(panel.values)
        unobserved = np.where(begun, 0, _unobserved_at_start(panel))
        skip = np.maximum(skip, unobserved - preprocessor.context + 1)
        self._counts = np.maximum(panel.lengths - drop - width + 1 - skip, 0)
        self._ends = np.cumsum(self._counts)
        self._first_row = panel.offsets[:-1] + skip
        self._spans = self._known_then = _sliding(values, width)
        self._observed = None
        if panel.observed is not None:
            self._observed = _sliding(panel.observed, width)
            self._known_then = _sliding(values[_last_observed(panel)], width)
        self._known = _sliding(preprocessor.channels.known(panel), preprocessor.lookback + preprocessor.horizon)
        self._seen = _sliding(preprocessor.channels.past(panel), preprocessor.lookback)
        self._scales = preprocessor._stored_scales(panel) if preprocessor.scaling == "series" else None
        self._described = preprocessor._described(panel)
        self._chosen = None if panel.observed is None else self._with_target(panel.observed)

    def __len__(self) -> int:
        if self._chosen is not None:
            return len(self._chosen)
        return int(self._ends[-1]) if len(self._ends) else 0

    def _with_target(self, observed: np.ndarray) -> np.ndarray | None:
        """Numbers of the windows with an observed value to forecast; None if all have one."""
        count = np.concatenate([[0], np.cumsum(observed)])
        rows = self._rows(np.arange(self._counts.sum()))[1] + self._pre.context
        some = count[rows + self._pre.horizon] > count[rows]
        return None if some.all() else np.flatnonzero(some)

    def _rows(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The series and the first rows of windows, counted among all."""
        series = np.searchsorted(self._ends, numbers, side="right")
        return series, self._first_row[series] + numbers - (self._ends[series] - self._counts[series])

    @property
    def spec(self) -> ForecastingSpec:
        """The preprocessor's."""
        return self._pre.spec_

    def spread(self, most: int = 4096) -> np.ndarray:
        """Numbers of at most so many windows, evenly spread."""
        return np.unique(np.linspace(0, len(self) - 1, min(len(self), most)).astype(int))

    def batch(self, numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, Scale]:
        """The inputs of windows ``(B,)``, their targets, and their scales.

        The targets are ``(B, H, 1)``, scaled, NaN where not observed; or, for a distribution of counts, ``(B, H, 2)``: the
        scale is the second channel.
        """
        series, rows = self._rows(numbers if self._chosen is None else self._chosen[numbers])
        spans, context = self._spans[rows], self._pre.context
        first = rows + context - self._pre.lookback
        stored = None
        if self._scales is not None:
            stored = Scale(self._scales.shift[series], self._scales.scale[series])
        inputs, scale = self._pre._inputs(self._past(rows), stored, self._known[first], self._seen[first])
        ahead = self._scaled_target(spans[:, context:], scale)
        inputs["previous"] = self._scaled_target(self._known_then[rows][:, context - 1 : -1], scale)
        inputs |= {name: array[series] for name, array in self._described.items()}
        if self._observed is not None:
            ahead = np.where(self._observed[rows][:, context:, None], ahead, np.float32(np.nan))
        if self._pre.distribution == "negative_binomial":
            unit = np.broadcast_to(scale.scale[:, :, None], ahead.shape).astype(np.float32)
            ahead = np.concatenate([ahead, unit], axis=-1)
        return inputs, ahead, scale

    def _past(self, rows: np.ndarray) -> np.ndarray:
        """``(B, context)`` the values before what is to be forecast; what is missing at their end is their last value.

        A value that was filled by what comes after it would tell of what is to be forecast.
        """
        context = self._pre.context
        past = self._spans[rows][:, :context]
        if self._observed is None:
            return past
        since = np.logical_or.accumulate(self._observed[rows][:, :context][:, ::-1], axis=1)[:, ::-1]
        return np.where(since, past, self._known_then[rows][:, :context])

    def _scaled_target(self, target: np.ndarray, scale: Scale) -> np.ndarray:
        """``(B, H, 1)``."""
        scaled = scale.apply(target)
        if self._pre.scaling == "window":
            scaled = np.clip(scaled, -_EXTREME, _EXTREME)
        return scaled[..., None].astype(np.float32)


def check_observed(panel: Panel, steps: int, what: str, way_out: str) -> None:
    """Refuse series none of which has an observed value in its last steps.

    Args:
        panel: Filled, or with NaN where something is missing.
        steps: How many.
        what: What is done with them, for the message.
        way_out: For the message.

    Raises:
        DataError: Naming the first series, and the steps.
    """
    last = panel.tail(steps)
    if (was_observed(last) & np.isfinite(last.values)).any():
        return
    first, end = last.times[0], last.times[last.lengths[0] - 1]
    more = f", nor has any other of the {len(panel)} series in its last steps" if len(panel) > 1 else ""
    raise DataError(
        f"series {panel.ids[0]!r} has no observed value from {time_text(first)} to {time_text(end)}, the {steps} steps {what}"
        f"{more}: {way_out}"
    )


def _observed_series(panel: Panel) -> list[np.ndarray]:
    """The values of each series, from the first that was observed on; all, if none was."""
    start = _unobserved_at_start(panel)
    start = np.where(start < panel.lengths, start, 0)
    return [panel.series(i)[n:] for i, n in enumerate(start)]


def _unobserved_at_start(panel: Panel) -> np.ndarray:
    """``(N,)`` how many values of each series come before the first that was observed."""
    if panel.observed is None:
        return np.zeros_like(panel.lengths)
    first = np.where(panel.observed, np.arange(len(panel.values)), len(panel.values))
    return np.minimum(np.minimum.reduceat(first, panel.offsets[:-1]) - panel.offsets[:-1], panel.lengths)


def _last_observed(panel: Panel) -> np.ndarray:
    """``(R,)`` the row of the last value observed up to each; where there is none, the first row of its series."""
    rows = np.where(was_observed(panel), np.arange(len(panel.values)), 0)
    return np.maximum.accumulate(np.maximum(rows, np.repeat(panel.offsets[:-1], panel.lengths)))


def _sliding(rows: np.ndarray, width: int) -> np.ndarray:
    """A view ``(R - width + 1, width, ...)`` of rows ``(R, ...)``; none if there are fewer."""
    if len(rows) < width:
        return np.empty((0, width, *rows.shape[1:]), rows.dtype)
    return np.moveaxis(sliding_window_view(rows, width, axis=0), -1, 1)


def _joined(*channels: np.ndarray) -> np.ndarray:
    present = [c.astype(np.float32) for c in channels if c.shape[-1]]
    return np.concatenate(present, axis=-1) if len(present) > 1 else present[0]
