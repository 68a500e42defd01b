"""One observation in, a forecast out, at a cost that does not grow."""

from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.preprocessing import Panel, Scale, is_shorter_than_a_day, time_text


class ForecastStream:
    """The forecasts of one series as it is observed; made by :meth:`lstmzoo.Forecaster.stream`.

    The network's state is carried from observation to observation. It is anchored in the last T observations (the lookback),
    whose scale it keeps, and anchored anew after every T: what is forecast is what the network forecasts from all
    observations since the anchor, T to 2 T - 1 of them, read as one window, with the references of the last T. An
    observation costs one step of the network, whatever came before, and one more window in every T.

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
        """The time of the next step, as a panel has it: in UTC, if it is shorter than a day and has a time zone."""
        return self._panel.future_times(1)[0, 0]

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
        quantiles = self._step(self._panel.future_times(horizon), ahead)
        return quantiles[0, :, 0] if quantiles.shape[-1] == 1 else quantiles[0]

    def _step(self, times: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """``(1, H, 1 + quantiles)`` in the data's own units: the median first."""
        forecaster, levels = self._forecaster, self._forecaster._levels()
        inputs = forecaster.preprocessor_.step_inputs(self._panel, self._scale, times, known)
        names, scale = self._panel.ids, self._scale.scale
        scaled, self._state = forecaster._outlook.stepped(inputs, scale, levels, names, self._state)
        self._since += 1
        finished = forecaster._finished(scaled, self._scale, levels)
        if self._since == forecaster.preprocessor_.lookback:
            self._anchor()
        wanted = [0.5, *forecaster._asked]
        return finished[..., [levels.index(level) for level in wanted]]

    def _anchor(self) -> None:
        """Read the last T observations as one window, in their own scale."""
        pre = self._forecaster.preprocessor_
        inputs, self._scale = pre.last_windows(self._panel, known=self._blank_future())
        self._state = self._forecaster.model_.stepper.encode(inputs)
        self._since = 0

    def _blank_future(self) -> np.ndarray | None:
        """Future covariates, which reading a window does not look at."""
        count = len(self._forecaster._columns.known)
        return np.zeros((1, self._forecaster.horizon, count)) if count else None

    def _checked_time(self, time: Any) -> Any:
        expected = self.next_time
        if time is None:
            return expected
        last = self._panel.times[-1]
        given = time
        if isinstance(expected, np.datetime64):
            stamp = pd.Timestamp(time)
            if stamp.tzinfo is not None:
                stamp = stamp.tz_convert(
                    "UTC" if is_shorter_than_a_day(self._panel.freq) else self._panel.tz
                ).tz_localize(None)
            given = stamp.to_datetime64().astype("datetime64[us]")
        in_order = given > last if self._panel.irregular else given == expected
        if not in_order:
            wanted = f"a time after {time_text(last)}" if self._panel.irregular else time_text(expected)
            raise DataError(f"stream: expected {wanted}, the step after {time_text(last)}, got {time_text(given)}: observations "
                            "come in order, each once")  # fmt: skip
        return given

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
