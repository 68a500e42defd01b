"""What networks and baselines have in common as forecasters: frames in, frames out, score and plot."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.estimators._base import ZooEstimator, digest, plain, shortened
from lstmzoo.metrics import mase, mean_over_series
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    find_season,
    forecast_frame,
    panel_frame,
    read_panel,
    user_times,
    usual_seasons,
)

Positive = Annotated[int, Field(gt=0)]
Level = Annotated[float, Field(gt=0, lt=1)]
Seasons = Annotated[list[Positive], Field(min_length=1)]


def refuse_second(X: Any) -> None:
    """Refuse a second argument of ``fit`` or ``score``, which scikit-learn passes as None.

    Raises:
        DataError: If it is not None.
    """
    if X is not None:
        raise DataError("a forecaster takes one argument of data, the series; covariates are not supported")


def panel_digest(panel: Panel) -> str:
    """SHA-256 of a panel."""
    return digest(panel.ids, panel.offsets, panel.values, panel.times)


class PanelForecaster(ZooEstimator):
    """Base of the forecasters; see :class:`lstmzoo.Forecaster` for what the methods take and give.

    A subclass has the parameters ``horizon``, ``season_length``, ``freq``, ``quantiles``, ``id_col``, ``time_col`` and
    ``target_col``, learns ``tail_`` (the :class:`Panel` it forecasts from), and implements :meth:`_forecast`.
    """

    task: ClassVar[str] = "forecasting"
    tail_: Panel
    form_: Form

    def predict(self, horizon: int | None = None, history: Any = None, quantiles: list[float] | None = None) -> Any:
        """Forecast what follows each series.

        Args:
            horizon: Steps to forecast, at most those trained for; all of them if None.
            history: Series to forecast, seen in training or not, as ``fit`` takes them; the training series if None.
            quantiles: Levels, out of those trained for; all of them if None.

        Returns:
            A long frame of the kind that ``history`` (or what was fitted) is: id, time, ``y_hat`` (the median) and a column
            ``y_hat_q<level>`` per quantile. For a Series, a Series (a frame with quantiles); for an array, an array ``(H,)``
            or ``(H, 1 + quantiles)``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the horizon is not between 1 and the one trained for, or a quantile was not trained.
            DataError: If the history is too short, or is refused as ``fit`` would refuse it.
        """
        self._check_fitted()
        steps = self._checked_horizon(horizon)
        levels = self._checked_quantiles(quantiles)
        panel, form = (self.tail_, self.form_) if history is None else self._read_history(history)
        forecast = self._forecast(panel)
        columns = {"y_hat": forecast[0.5], **{f"y_hat_q{level:g}": forecast[level] for level in levels}}
        return forecast_frame(panel, {n: f[:, :steps] for n, f in columns.items()}, form, self._columns)

    def score(self, y: Any, X: None = None) -> float:
        """Negative MASE of the last ``horizon`` observations of each series, forecast from those before them.

        Args:
            y: Series as ``fit`` takes them, longer than the horizon and the lookback together.
            X: Nothing; scikit-learn's pipelines and searches pass it.

        Returns:
            The mean over the series (higher is better); those whose history does not vary are left out.

        Raises:
            DataError: If a series is too short, or MASE is defined for none.
        """
        self._check_fitted()
        refuse_second(X)
        panel, _ = self._read_history(y, short=self.horizon)
        history = panel.head(self.horizon)
        actual = panel.tail(self.horizon).values.reshape(len(panel), self.horizon)
        past = [history.series(i) for i in range(len(history))]
        forecast = self._forecast(self._prepared(history))[0.5]
        return -mean_over_series(mase(actual, forecast, past, self.season_length_))

    def plot(self, path: str | Path | None = None, ids: list | None = None, history: Any = None) -> Figure:
        """Draw forecasts behind the end of their series, with a band between the outermost quantiles.

        Args:
            path: Where to save the figure, in a format that its suffix names; nowhere if None.
            ids: Series to draw; the first six if None.
            history: As for :meth:`predict`.

        Raises:
            UnknownNameError: If an id is not among the series.
        """
        self._check_fitted()
        panel = self.tail_ if history is None else self._read_history(history)[0]
        chosen = self._chosen(panel, ids)
        shown = panel.select(chosen)
        forecast, times = self._forecast(shown), shown.future_times(self.horizon)
        rows, columns = -(-len(chosen) // 2), min(2, len(chosen))
        figure = Figure(figsize=(6 * columns, 2.6 * rows), layout="constrained")
        for i, axis in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
            if i >= len(chosen):
                axis.set_axis_off()
                continue
            past = slice(max(shown.offsets[i], shown.offsets[i + 1] - 5 * self.horizon), shown.offsets[i + 1])
            ahead = user_times(times[i], shown.freq, shown.tz)
            axis.plot(
                user_times(shown.times[past], shown.freq, shown.tz), shown.values[past], color="0.3", label="observed"
            )
            axis.plot(ahead, forecast[0.5][i], color="C0", label="forecast")
            levels = sorted(forecast)
            if len(levels) > 1:
                low, high = levels[0], levels[-1]
                axis.fill_between(
                    ahead,
                    forecast[low][i],
                    forecast[high][i],
                    alpha=0.25,
                    label=f"{low:g} to {high:g} quantile",
                )
            axis.set_title(str(shown.ids[i]))
            axis.tick_params(axis="x", rotation=20)
        figure.axes[0].legend()
        if path is not None:
            figure.savefig(path)
        return figure

    def holdout_split(self, y: Any) -> tuple[tuple[Any], tuple[Any]]:
        """For a search: ``(what to fit,), (what to score,)``; the first lacks the last ``horizon`` steps of each series."""
        self._check_params()
        panel, form = read_panel(y, self._columns, self.freq)
        if (panel.lengths <= self.horizon).any():
            i = int((panel.lengths <= self.horizon).argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations, too few to hold out {self.horizon}"
            )
        return (panel_frame(panel.head(self.horizon), form, self._columns),), (y,)

    def data_digest(self, y: Any) -> str:
        """SHA-256 of series, whatever the order of their rows and the kind of their frame."""
        panel, _ = read_panel(y, self._columns, self.freq)
        return panel_digest(panel)

    def serving_example(self) -> pd.DataFrame:
        """Raw input that :meth:`serve` takes: the history of one series."""
        self._check_fitted()
        return panel_frame(self.tail_.select(np.array([0])), Form(), self._columns)

    def serving_params(self) -> dict[str, Any]:
        """The parameters that :meth:`serve` takes, with their defaults."""
        levels = [level for level in self._levels() if self.quantiles and level in self.quantiles]
        return {"horizon": self.horizon, **({"quantiles": levels} if levels else {})}

    def serve(self, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Forecast the series whose history the rows hold.

        Raises:
            ConfigError: If a parameter is unknown or out of range.
            DataError: If the rows are refused.
        """
        unknown = set(params) - set(self.serving_params())
        if unknown:
            raise UnknownNameError("parameter", sorted(unknown)[0], self.serving_params())
        known = [c for c in (self.id_col, self.time_col, self.target_col) if c is not None]
        odd = [c for c in model_input.columns if c not in known]
        if odd:
            raise UnknownNameError("column", odd[0], known)
        return self.predict(history=model_input, **params)

    def _forecast(self, panel: Panel) -> dict[float, np.ndarray]:
        """Forecasts ``(N, H)`` by quantile level; 0.5 is always there."""
        raise NotImplementedError

    def _prepared(self, panel: Panel) -> Panel:
        """History, long enough to be forecast from.

        Raises:
            DataError: If it is not.
        """
        raise NotImplementedError

    @property
    def _columns(self) -> Columns:
        return Columns(self.id_col, self.time_col, self.target_col)

    def _levels(self) -> list[float]:
        return sorted({0.5, *map(float, self.quantiles or ())})

    def _checked_horizon(self, horizon: int | None) -> int:
        steps = self.horizon if horizon is None else horizon
        if not isinstance(steps, int | float | str | np.generic):
            raise ConfigError(f"horizon: expected a whole number, got {shortened(steps)}; series go into history=")
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps <= self.horizon:
            raise ConfigError(
                f"horizon: expected a whole number from 1 to {self.horizon}, the horizon trained for; got {horizon!r}"
            )
        return int(steps)

    def _checked_quantiles(self, quantiles: list[float] | None) -> list[float]:
        if quantiles is None:
            return sorted(self.quantiles or [])
        levels = self._levels()
        for level in quantiles:
            if level not in levels:
                raise ConfigError(
                    f"quantiles: {level!r} was not trained; trained: {', '.join(f'{q:g}' for q in levels)}"
                )
        return list(quantiles)

    def _read_history(self, history: Any, short: int = 0) -> tuple[Panel, Form]:
        panel, form = read_panel(history, self._columns, self.tail_.freq)
        if short and (panel.lengths <= short).any():
            i = int((panel.lengths <= short).argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations; scoring needs more than {short}"
            )
        return (panel if short else self._prepared(panel)), form

    def _seasons(self, panel: Panel) -> list[int]:
        """Season lengths, shortest first: those given; else the usual ones that the series hold twice; else the one found.

        What the series hold is told by the shortest of them, or, if short ones are padded, by the median. A season is
        looked for in what lies before the last horizon, so that networks and baselines, whatever they hold out, agree.
        """
        if self.season_length is not None:
            given = plain(self.season_length)
            return sorted(given if isinstance(given, list) else [given])
        length = np.median(panel.lengths) if self.pad_short else panel.lengths.min()
        fitting = [s for s in usual_seasons(panel.freq) if 2 * (s + self.horizon) <= length]
        return fitting or [find_season(panel.head(self.horizon))]

    def _chosen(self, panel: Panel, ids: list | None) -> np.ndarray:
        if ids is None:
            return np.arange(min(6, len(panel)))
        names = list(panel.ids)
        for name in ids:
            if name not in names:
                raise UnknownNameError("series", name, names[:20])
        return np.array([names.index(name) for name in ids])

    def _panel_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """``tail_`` and ``form_`` as JSON and arrays."""
        tail = self.tail_
        document = {
            "ids": [i.item() if isinstance(i, np.generic) else i for i in tail.ids],
            "freq": tail.freq, "tz": tail.tz, "form": vars(self.form_),
        }  # fmt: skip
        times = tail.times if tail.times.dtype == np.int64 else tail.times.astype("datetime64[us]").astype(np.int64)
        return document, {"values": tail.values, "times": times, "offsets": tail.offsets.astype(np.int64)}

    def _restore_panel(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        values, times, offsets = arrays["values"], arrays["times"], arrays["offsets"]
        kinds = (values.dtype, times.dtype, offsets.dtype) == (np.float64, np.int64, np.int64)
        if not kinds or not values.ndim == times.ndim == offsets.ndim == 1 or values.shape != times.shape:
            raise SavedModelError("state.safetensors: the series have other types or shapes than they should")
        whole = len(offsets) == len(document["ids"]) + 1 and offsets[0] == 0 and offsets[-1] == len(values)
        if not whole or (np.diff(offsets) < 1).any() or not np.isfinite(values).all():
            raise SavedModelError("state.safetensors: the series are not whole")
        freq = document["freq"]
        ids = np.array([None, *document["ids"]], dtype=object)[1:]
        times = times if isinstance(freq, int) else times.astype("datetime64[us]")
        self.tail_ = Panel(ids, offsets, values, times, freq, document["tz"])
        self.form_ = Form(**document["form"])
