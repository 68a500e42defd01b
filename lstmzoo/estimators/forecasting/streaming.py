"""One observation in, a forecast out, at a cost that does not grow."""

from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.estimators._base import shortened
from lstmzoo.estimators.forecasting._base import Ahead
from lstmzoo.preprocessing import Panel, Scale, is_shorter_than_a_day, time_text, user_times

_OUTGROWN = 10.0  # times the scale of the anchor


class ForecastStream:
    """The forecasts of one series as it is observed; made by :meth:`lstmzoo.Forecaster.stream`.

    The network's state is carried from observation to observation. It is anchored in the last T observations (the lookback),
    whose scale it keeps, and anchored anew after every T, or as soon as the scale of the last T is more than ten times that:
    what is forecast is what the network forecasts from all observations since the anchor, T to 2 T - 1 of them, read as one
    window, with the references of the last T. An observation costs one step of the network, whatever came before, and one
    more window in every T.

    Args:
        forecaster: Fitted, of an entry that can step.
        panel: One series, as long as the context at least.
    """

    def __init__(self, forecaster: Any, panel: Panel) -> None:
        self._forecaster = forecaster
        self._panel = panel.tail(forecaster.preprocessor_.reach)
        self._scale: Scale
        self._state: list[np.ndarray]
        self._since: int
        self._anchor()

    @property
    def next_time(self) -> Any:
        """The time of the next step, in the time zone fitted; of irregular series, that after the usual step."""
        return user_times(self._panel.future_times(1)[0], self._panel.freq, self._panel.tz)[0]

    def update(
        self,
        y: float,
        time: Any = None,
        *,
        past: dict[str, float] | None = None,
        known: dict[str, float] | None = None,
        future: Any = None,
    ) -> np.ndarray:
        """Read one observation, and forecast what follows it.

        Args:
            y: The value; NaN if it is missing, and the forecaster was fitted with ``missing="mask"``.
            time: Its time, which is checked; the next step if None.
            past: Its past covariates, by column.
            known: Its future covariates, by column.
            future: Those of the next H steps: an array ``(H, covariates)``, in the order of ``future_covariates``.

        Returns:
            ``(H,)``, or ``(H, 1 + quantiles)``, as :meth:`lstmzoo.Forecaster.predict` gives for an array.

        Raises:
            DataError: If the time is not the next step's, or a value or covariate is missing or not finite.
        """
        columns, horizon = self._forecaster._columns, self._forecaster.horizon
        at = self._checked_time(time)
        value, observed = self._checked_value(y, at)
        rows = [_row(given, names, at)[None, None] for given, names in ((past, columns.past), (known, columns.known))]
        ahead = self._checked_future(future, (horizon, len(columns.known)))
        longer = self._panel.append(np.array([[value]]), np.array([[at]]), rows[1], rows[0], np.array([[observed]]))
        self._panel = longer.tail(self._forecaster.preprocessor_.reach)
        next_steps = Ahead(self._panel.future_times(horizon), ahead)
        quantiles = self._afresh(next_steps) if self._outgrown() else self._step(next_steps.times, ahead)
        levels = self._forecaster._levels()
        wanted = quantiles[0][:, [levels.index(level) for level in (0.5, *self._forecaster._asked)]]
        return wanted[:, 0] if wanted.shape[1] == 1 else wanted

    def _outgrown(self) -> bool:
        """Whether what was observed since the anchor is out of all proportion to it."""
        return bool((self._forecaster.preprocessor_.scale_of(self._panel).scale > _OUTGROWN * self._scale.scale).any())

    def _afresh(self, ahead: Ahead) -> np.ndarray:
        """``(1, H, L)`` from the last T observations alone, where the stream is then anchored."""
        self._anchor()
        return self._forecaster._direct(self._panel, self._forecaster._levels(), ahead)

    def _step(self, times: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """``(1, H, L)`` after one more step of the network, in the data's own units."""
        forecaster, levels = self._forecaster, self._forecaster._levels()
        inputs = forecaster.preprocessor_.step_inputs(self._panel, self._scale, times, known)
        names, scale = self._panel.ids, self._scale.scale
        scaled, self._state = forecaster._outlook.stepped(inputs, scale, levels, names, self._state)
        self._since += 1
        finished = forecaster._finished(scaled, self._scale)
        if self._since == forecaster.preprocessor_.lookback:
            self._anchor()
        return finished

    def _anchor(self) -> None:
        """Read the last T observations as one window, in their own scale."""
        pre = self._forecaster.preprocessor_
        inputs, self._scale = pre.last_windows(self._panel, known=self._forecaster._blank_future(1))
        self._state = self._forecaster.model_.stepper.encode(inputs)
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
        """A time as the panel has it."""
        try:
            stamp = pd.Timestamp(time)
        except (TypeError, ValueError):
            raise DataError(f"stream: expected a time, got {shortened(time)}") from None
        tz = self._panel.tz
        if (stamp.tzinfo is None) != (tz is None):
            needed = "one without a time zone" if tz is None else f"one with a time zone, such as {tz}"
            raise DataError(f"stream: expected a time like those fitted, {needed}, got {stamp}")
        if tz is not None:
            stamp = stamp.tz_convert("UTC" if self._in_utc else tz).tz_localize(None)
        return stamp.to_datetime64().astype("datetime64[us]")

    def _checked_value(self, y: Any, at: Any) -> tuple[float, bool]:
        value = float(y)
        if np.isnan(value) and self._forecaster.missing == "mask":
            return float(self._panel.values[-1]), False
        if not np.isfinite(value):
            raise DataError(f"stream: the value at {time_text(at)} is {value:g}: fill it, or fit with missing='mask'")
        self._forecaster.preprocessor_.check_value(value, time_text(at))
        return value, True

    def _checked_future(self, future: Any, shape: tuple[int, int]) -> np.ndarray | None:
        if not shape[1]:
            return None
        array = None if future is None else np.asarray(future, dtype=float)
        if array is None or array.shape != shape or not np.isfinite(array).all():
            got = "nothing" if array is None else f"shape {array.shape}"
            raise DataError(f"stream: future= has to hold finite future covariates of shape {shape}, got {got}")
        return array[None]


def _whole(time: Any) -> int:
    if isinstance(time, bool) or not isinstance(time, int | float | np.number) or not float(time).is_integer():
        raise DataError(f"stream: expected a whole number as the time, as those fitted are, got {shortened(time)}")
    return int(time)


def _row(given: dict[str, float] | None, names: tuple[str, ...], at: Any) -> np.ndarray:
    """``(C,)`` covariates in their order."""
    odd = sorted(set(given or {}) ^ set(names))
    if odd:
        raise DataError(f"stream: expected the covariates {', '.join(names) or 'none'} at {time_text(at)}; missing or unknown: "
                        f"{', '.join(odd)}")  # fmt: skip
    row = np.array([float((given or {})[name]) for name in names])
    if not np.isfinite(row).all():
        raise DataError(
            f"stream: the covariate {names[int((~np.isfinite(row)).argmax())]!r} at {time_text(at)} is not finite"
        )
    return row
