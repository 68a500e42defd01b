"""Streams: forecasts of a series as it is observed, each at the same cost."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError, arg, unseen_category
from lstmzoo.estimators.forecasting._base import ForecastParams
from lstmzoo.estimators.forecasting.network._base import Projection
from lstmzoo.preprocessing import (
    Ahead,
    Form,
    Panel,
    Scale,
    is_shorter_than_a_day,
    time_text,
    user_time,
    wall_times,
)
from lstmzoo.scales import LARGEST, odd_number
from lstmzoo.values import shortened

_OUTGROWN = 10.0  # times the scale at the anchor


class ForecastStream:
    """The forecasts of one series as it is observed; made by :meth:`lstmzoo.Forecaster.stream`.

    The network's state is carried from observation to observation. It starts at an anchor: the last T observations (the
    lookback), whose scale it keeps. The stream is anchored again after T observations, or when the scale of the last T is more
    than ten times that of the anchor. A forecast is what the network forecasts from all observations since the start of the
    anchor, T to 2 T - 1 of them, read as one window, with the reference forecasts of the last T. An observation costs one step
    of the network, and every T observations one window more.

    Args:
        projection: The fitted network, of an entry that can step.
        params: How the series is read, and what is forecast.
        panel: One series, at least as long as the context.
        form: What the user passed.
    """

    def __init__(self, projection: Projection, params: ForecastParams, panel: Panel, form: Form) -> None:
        self._projection = projection
        self._preprocessor = projection.preprocessor
        self._params = params
        self._form = form
        self._panel = panel.tail(self._preprocessor.reach)
        self._scale: Scale
        self._state: list[np.ndarray]
        self._since: int
        self._anchor()

    @property
    def next_time(self) -> Any:
        """The time of the next step, of the user's type; for irregular series, one usual step after the last."""
        return user_time(self._panel.future_times(1)[0, 0], self._panel, self._form)

    def update(
        self,
        y: float,
        time: Any = None,
        *,
        past: dict[str, float | str] | None = None,
        known: dict[str, float | str] | None = None,
        future: Any = None,
    ) -> np.ndarray:
        """Read one observation, and forecast the steps after it.

        Args:
            y: The value; NaN if it is missing, which needs a forecaster fitted with ``missing="mask"``.
            time: The time of the value, which is checked; the next step if None.
            past: Past covariates at that time, by column.
            known: Future covariates at that time, by column.
            future: Future covariates of the next H steps: a frame as for :meth:`lstmzoo.Forecaster.predict`, or an array
                ``(H, covariates)`` in the order of ``future_covariates``.

        Returns:
            An array ``(H,)``, or ``(H, 1 + quantiles)``, as :meth:`lstmzoo.Forecaster.predict` returns for an array.

        Raises:
            DataError: If the time is not that of the next step, or a value or covariate is missing or not finite.
        """
        params, columns = self._params, self._params.columns
        at = self._checked_time(time)
        value, observed = self._checked_value(y, at)
        labels = self._panel.labels
        seen, now = _row("past", past, columns.past, at, labels), _row("known", known, columns.known, at, labels)
        one = [np.array([[each]]) for each in (value, at, observed)]
        longer = self._panel.append(one[0], one[1], now[None, None], seen[None, None], one[2])
        ahead = self._checked_future(future, longer)
        self._panel = longer.tail(self._preprocessor.reach)
        quantiles = self._afresh(ahead) if self._outgrown() else self._step(ahead)
        wanted = quantiles[0][:, [params.levels.index(level) for level in (0.5, *params.quantiles)]]
        return wanted[:, 0] if wanted.shape[1] == 1 else wanted

    def _outgrown(self) -> bool:
        """Whether the last T observations vary more than ten times as much as the anchor."""
        return bool((self._preprocessor.scale_of(self._panel).scale > _OUTGROWN * self._scale.scale).any())

    def _afresh(self, ahead: Ahead) -> np.ndarray:
        """Anchor the stream again, and forecast ``(1, H, L)`` from the last T observations alone."""
        self._anchor()
        return self._projection.direct(self._panel, self._params.levels, ahead)

    def _step(self, ahead: Ahead) -> np.ndarray:
        """Forecast ``(1, H, L)`` after one more step of the network."""
        inputs = self._preprocessor.step_inputs(self._panel, self._scale, ahead.times, ahead.known)
        names, levels = self._panel.ids, self._params.levels
        scaled, self._state = self._projection.outlook.stepped(inputs, self._scale.scale, levels, names, self._state)
        self._since += 1
        finished = self._projection.finished(scaled, self._scale)
        if self._since == self._preprocessor.lookback:
            self._anchor()
        return finished

    def _anchor(self) -> None:
        """Read the last T observations as one window, in their own scale."""
        inputs, self._scale = self._projection.past_windows(self._panel)
        _, self._state = self._projection.outlook.model.stepper.encode(inputs)
        self._since = 0

    def _checked_time(self, time: Any) -> Any:
        expected = self._panel.future_times(1)[0, 0]
        if time is None:
            return expected
        last = self._panel.times[-1]
        given = self._stamp(time) if isinstance(expected, np.datetime64) else _whole(time)
        in_order = given > last if self._panel.irregular else given == expected
        if not in_order:
            wanted = f"a time after {time_text(last)}" if self._panel.irregular else time_text(expected)
            utc = " (times in UTC)" if self._in_utc else ""
            raise DataError(f"stream: expected {wanted}, the step after {time_text(last)}, got {time_text(given)}{utc}: "
                            "observations come in order, each once")  # fmt: skip
        return given

    @property
    def _in_utc(self) -> bool:
        return self._panel.tz is not None and is_shorter_than_a_day(self._panel.freq)

    def _stamp(self, time: Any) -> np.datetime64:
        """A timestamp of the panel's type."""
        try:
            stamp = time.to_timestamp() if isinstance(time, pd.Period) else pd.Timestamp(time)
        except (TypeError, ValueError):
            raise DataError(f"stream: expected a time, got {shortened(time)}") from None
        tz = self._panel.tz
        if (stamp.tzinfo is None) != (tz is None):
            needed = "one without a time zone" if tz is None else f"one with a time zone, such as {tz}"
            raise DataError(f"stream: expected a time as in the training data, {needed}, got {stamp}")
        if tz is None:
            return stamp.to_datetime64().astype("datetime64[us]")
        utc = stamp.tz_convert("UTC").tz_localize(None).to_datetime64().astype("datetime64[us]")
        return utc if self._in_utc else wall_times(np.array([utc]), tz)[0]

    def _checked_value(self, y: Any, at: Any) -> tuple[float, bool]:
        value = _number(y, f"the value at {time_text(at)}")
        if np.isnan(value) and self._params.missing == "mask":
            return float(self._panel.values[-1]), False
        if not np.isfinite(value):
            raise DataError(
                f"stream: the value at {time_text(at)} is {value:g}: fill it, or fit with {arg(missing='mask')}"
            )
        if abs(value) > LARGEST:
            what, way_out = odd_number(value)
            raise DataError(f"stream: the value at {time_text(at)} {what}: {way_out}")
        self._preprocessor.scaler.check_value(value, time_text(at))
        return value, True

    def _checked_future(self, future: Any, panel: Panel) -> Ahead:
        """Return the times and the future covariates of the steps after a panel."""
        names, horizon = self._params.columns.known, self._params.horizon
        frame = isinstance(nw.from_native(future, eager_only=True, pass_through=True), nw.DataFrame)
        if frame or (future is None and not names):
            return self._params.ahead(panel, horizon, future)
        wanted = (
            f"stream: pass {arg(future=...)}, the frame of the next {horizon} steps as predict() takes it, or an array "
        )
        wanted += f"of shape {(horizon, len(names))} of {', '.join(names) or 'nothing'}"
        if future is None:
            raise DataError(wanted)
        coded = _coded(future, names, panel.labels)
        try:
            array = np.asarray(coded, dtype=float)
        except (TypeError, ValueError):
            raise DataError(f"{wanted}; got {shortened(future)}") from None
        if not names or array.shape != (horizon, len(names)) or not np.isfinite(array).all():
            odd = "numbers that are not finite" if np.isfinite(array).sum() < array.size else f"shape {array.shape}"
            raise DataError(f"{wanted}; got {odd}")
        return Ahead(panel.future_times(horizon), array[None])


def _coded(future: Any, names: tuple[str, ...], labels: dict[str, list[str]]) -> Any:
    """Covariates with each category replaced by its index among the labels; an array of a wrong shape is returned as it is."""
    array = np.asarray(future, dtype=object)
    if not labels or array.ndim != 2 or array.shape[1] != len(names):
        return future
    what = "{!r} of the future"
    coded = [
        [_entry(value, labels.get(name), what.format(name)) for value in array[:, i]] for i, name in enumerate(names)
    ]
    return np.array(coded).T


def _whole(time: Any) -> int:
    if isinstance(time, str) and time.strip().lstrip("+-").isdecimal():
        return int(time)
    if isinstance(time, bool) or not isinstance(time, int | float | np.number) or not float(time).is_integer():
        raise DataError(f"stream: expected a whole number as the time, as in the training data, got {shortened(time)}")
    return int(time)


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"stream: {what} is {shortened(value)}, not a number") from None


def _entry(value: Any, labels: list[str] | None, what: str) -> float:
    """A covariate as a number: its value, or the index of a category among its labels."""
    if labels is None:
        return _number(value, what)
    if str(value) not in labels:
        raise unseen_category(f"stream: {what} is {shortened(value)}", labels)
    return float(labels.index(str(value)))


def _row(
    argument: str,
    given: dict[str, float | str] | None,
    names: tuple[str, ...],
    at: Any,
    labels: dict[str, list[str]],
) -> np.ndarray:
    """Covariates ``(C,)`` in the order of their names."""
    odd = sorted(set(given or {}) ^ set(names))
    if odd:
        wanted = f"a dict of {', '.join(names)}" if names else "nothing"
        raise DataError(f"stream: {arg(**{argument: ...})} takes {wanted}, the covariates at {time_text(at)}; "
                        f"missing or unknown: {', '.join(odd)}")  # fmt: skip
    row = np.array([_entry((given or {})[name], labels.get(name), f"{name!r} at {time_text(at)}") for name in names])
    if not np.isfinite(row).all():
        raise DataError(
            f"stream: the covariate {names[int((~np.isfinite(row)).argmax())]!r} at {time_text(at)} is not finite"
        )
    return row
