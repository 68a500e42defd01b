"""What networks and baselines have in common as forecasters: frames in, frames out, score and plot."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import narwhals as nw
import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.base import clone

from lstmzoo.errors import ConfigError, DataError, UnknownNameError, arg
from lstmzoo.estimators._base import ZooEstimator, check_picture, digest, plain, shortened
from lstmzoo.estimators.forecasting.backtesting import (
    backtest_frame,
    check_origins,
    origins,
    scores_by_series,
)
from lstmzoo.estimators.forecasting.panel_state import panel_state, restored_panel
from lstmzoo.metrics import mase, mean_over_series
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    continued,
    eager_frame,
    filled,
    find_season,
    forecast_frame,
    make_future_frame,
    panel_frame,
    plain_times_of,
    read_future,
    read_panel,
    usual_seasons,
    with_known_filled,
)

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

Positive = Annotated[int, Field(gt=0)]
Level = Annotated[float, Field(gt=0, lt=1)]
Seasons = Annotated[list[Positive], Field(min_length=1)]
Missing = Literal["error", "mask", "interpolate"]

_LONGEST = 20  # times the horizon trained for, that forecasts are rolled at the most


@dataclass(frozen=True)
class Ahead:
    """What is known of the steps to forecast.

    Attributes:
        times: ``(N, H)``.
        known: ``(N, H, covariates)``; None if there are none, or they were not given.
    """

    times: np.ndarray
    known: np.ndarray | None

    def part(self, first: int, last: int) -> "Ahead":
        """The steps from ``first`` up to ``last``."""
        return Ahead(self.times[:, first:last], None if self.known is None else self.known[:, first:last])

    def of(self, series: np.ndarray) -> "Ahead":
        """That of some series, by number."""
        return Ahead(self.times[series], None if self.known is None else self.known[series])


@dataclass(frozen=True)
class SeriesRead:
    """Series that were read by an estimator, for itself and its clones.

    Attributes:
        given: The user's frame, Series or array, for what reads it in comparison with fitted series.
        panel: Its series, with NaN where something is missing.
        form: What the user's object was.
    """

    given: Any
    panel: Panel
    form: Form


def refuse_second(X: Any) -> None:
    """Refuse a second argument of ``fit`` or ``score``, which scikit-learn passes as None.

    Raises:
        DataError: If it is not None.
    """
    if X is not None:
        raise DataError(
            "a forecaster takes one argument of data, a long frame: covariates are columns of it, named by "
            f"{arg('past_covariates')}, {arg('future_covariates')} and {arg('static_covariates')}"
        )


def panel_digest(panel: Panel) -> str:
    """SHA-256 of a panel."""
    more = [
        array for array in (panel.past, panel.known, panel.static, panel.observed) if array is not None and array.size
    ]
    return digest(panel.ids, panel.offsets, panel.values, panel.times, *more)


class PanelForecaster(ZooEstimator):
    """Base of the forecasters; see :class:`lstmzoo.Forecaster` for what the methods take and give.

    A subclass has the parameters ``horizon``, ``season_length``, ``freq``, ``quantiles``, ``missing``, ``irregular``,
    ``past_covariates``, ``future_covariates``, ``static_covariates``, ``id_col``, ``time_col`` and ``target_col``, learns
    ``tail_`` (the :class:`Panel` it forecasts from), and implements
    :meth:`_forecast`.
    """

    task: ClassVar[str] = "forecasting"
    tail_: Panel
    form_: Form

    def predict(
        self,
        horizon: int | None = None,
        history: Any = None,
        quantiles: list[float] | None = None,
        future: Any = None,
    ) -> Any:
        """Forecast what follows each series.

        Args:
            horizon: Steps to forecast; those trained for if None. More are rolled: what was forecast is read as if it had
                been observed.
            history: Series to forecast, seen in training or not, as ``fit`` takes them; the training series if None.
            quantiles: Levels, out of those trained for, or any of a distribution; those of the parameter if None.
            future: Where there are future covariates, the frame of :meth:`make_future_frame`, filled in.

        Returns:
            A long frame of the kind that ``history`` (or what was fitted) is: id, time, ``y_hat`` (the median) and a column
            ``y_hat_q<level>`` per quantile. For a Series, a Series (a frame with quantiles); for an array, an array ``(H,)``
            or ``(H, 1 + quantiles)``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the horizon is not between 1 and 20 times the one trained for, or a quantile was not trained.
            DataError: If the history is too short, or it or the future is refused.
        """
        self._check_fitted()
        steps = self._checked_horizon(horizon)
        levels = self._checked_quantiles(quantiles)
        panel, form = (self.tail_, self.form_) if history is None else self._read_history(history)
        ahead = self._ahead(panel, steps, future)
        return forecast_frame(panel, self._forecast_columns(panel, levels, ahead), form, self._columns, ahead.times)

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
        refuse_second(X)
        _, actual, past, forecasts = self._last_horizon(y, [0.5])
        return -mean_over_series(mase(actual, forecasts[0.5], past, self.season_length_))

    def evaluate(self, y: Any, X: None = None) -> pd.DataFrame:
        """Scores of the last ``horizon`` observations of each series, forecast from those before them.

        Args:
            y: As for :meth:`score`.
            X: Nothing.

        Returns:
            A row per series: ``mase``, ``smape`` and ``rmsse`` of the median; with quantiles, ``crps`` (scaled by the series'
            mean) and ``coverage_<percent>`` of each symmetric interval. See :mod:`lstmzoo.metrics`.

        Raises:
            DataError: As of :meth:`score`.
        """
        refuse_second(X)
        ids, actual, past, forecasts = self._last_horizon(y, sorted({0.5, *self._checked_quantiles(None)}))
        scores = scores_by_series(actual, forecasts, past, self.season_length_)
        if self.id_col in scores:
            raise ConfigError(
                f"{arg('id_col')}: {self.id_col!r} is the name of a score, which would overwrite it: rename yours"
            )
        return pd.DataFrame({self.id_col or "series": ids, **scores})

    def _last_horizon(
        self, y: Any, levels: list[float]
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], dict[float, np.ndarray]]:
        """Ids, the last ``horizon`` values ``(N, H)``, what is before them, and what is forecast from it, by level."""
        self._check_fitted()
        panel, _ = self._read_unfilled(y, self.tail_)
        short = panel.lengths <= self.horizon
        if short.any():
            i = int(short.argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations; scoring needs more than {self.horizon}"
            )
        history, actual = self._parted(panel)
        try:
            prepared = self._prepared(history)
            forecasts = self._forecast(prepared, levels, ahead_of(actual, self.horizon))
        except DataError as error:
            raise DataError(
                f"without the last {self.horizon} observations, which are scored: {error.message}"
            ) from None
        past = np.split(observed_values(history), history.offsets[1:-1])
        return panel.ids, observed_values(actual, self.horizon), past, forecasts

    def cross_validation(
        self, y: Any, *, n_windows: Positive = 5, step_size: Positive | None = None, refit: bool = False
    ) -> Any:
        """Forecasts from origins that roll on through the series; this estimator, fitted or not, is left as it is.

        Args:
            y: Series, as ``fit`` takes them.
            n_windows: Windows of ``horizon`` steps; the last ends where the series do.
            step_size: Steps from one window to the next; the horizon if None.
            refit: Whether a copy is fitted before each window, on all that lies before it, rather than once before the first.

        Returns:
            A frame of the kind that ``y`` is: id, time, the target, ``cutoff`` (the last time that the forecast knew of),
            ``y_hat`` and a column ``y_hat_q<level>`` per quantile.

        Raises:
            ConfigError: If a number is not a whole one above 0.
            DataError: If a series is too short.
        """
        self._check_params()
        panel, form = self._read_unfilled(y)
        steps = self.horizon if step_size is None else step_size
        check_origins(panel, self.horizon, n_windows, steps)
        pieces = []
        for first in range(n_windows) if refit else (0,):
            after = (n_windows - 1 - first) * steps
            fitted = clone(self).fit(panel_frame(panel.head(after + self.horizon), form, self._columns))
            read = fitted._read_unfilled(y, fitted.tail_)[0] if self.irregular else panel
            until, count = (read.head(after), 1) if refit else (read, n_windows)
            for history, actual in origins(until, count, steps, fitted._needed_and_actual):
                pieces.append(fitted._backtested(history, actual, form))
        whole = nw.concat([nw.from_native(piece) for piece in pieces]).to_native()
        return whole.reset_index(drop=True) if isinstance(whole, pd.DataFrame) and form.index is None else whole

    def plot_backtest(self, backtest: Any, path: str | Path | None = None, ids: list | None = None) -> "Figure":
        """Draw what :meth:`cross_validation` gave: each window's forecast over what was observed.

        Args:
            backtest: The frame.
            path: Where to save the figure, in a format that its suffix names; nowhere if None.
            ids: Series to draw; the first six if None.

        Raises:
            UnknownNameError: If an id is not among the series.
            ConfigError: If the path is of no known format, or cannot be written.
            DataError: If the frame is not one of a backtest.
        """
        if path is not None:
            check_picture(path)
        frame = _read_backtest(backtest, self._columns)
        names = list(dict.fromkeys(frame[self.id_col])) if self.id_col in frame else [0]
        for name in ids or ():
            if name not in names:
                raise UnknownNameError("series", name, names[:20])
        from lstmzoo.estimators.forecasting.drawing import draw_backtest

        figure = draw_backtest(frame, names[:6] if ids is None else ids, self._columns)
        if path is not None:
            figure.savefig(path)
        return figure

    def _parted(self, panel: Panel) -> tuple[Panel, Panel]:
        """Of an unfilled panel, what is before the last ``horizon`` steps, filled by itself, and those steps.

        Of these, only the future covariates are filled, which are known beforehand.
        """
        known = with_known_filled(panel, self.missing, self._columns)
        return self._filled(panel.head(self.horizon)), known.tail(self.horizon)

    def _needed_and_actual(self, panel: Panel) -> tuple[Panel, Panel]:
        history, actual = self._parted(panel)
        return self._needed(history), actual

    def _needed(self, history: Panel) -> Panel:
        """What a forecast needs of a history."""
        return self._prepared(history)

    def _forecast_columns(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[str, np.ndarray]:
        """``(N, H)`` by the names of a forecast's columns: the median, and a quantile per level."""
        forecast = self._forecast(panel, sorted({0.5, *levels}), ahead)
        for values in forecast.values():
            check_finite(panel, values)
        return {"y_hat": forecast[0.5], **{f"y_hat_q{level:g}": forecast[level] for level in levels}}

    def _backtested(self, history: Panel, actual: Panel, form: Form) -> Any:
        ahead = ahead_of(actual, self.horizon)
        columns = self._forecast_columns(history, self._checked_quantiles(None), ahead)
        return backtest_frame(history, observed_values(actual, self.horizon), ahead.times, columns, form, self._columns)

    def plot(
        self,
        path: str | Path | None = None,
        ids: list | None = None,
        history: Any = None,
        future: Any = None,
        horizon: int | None = None,
        quantiles: list[float] | None = None,
    ) -> "Figure":
        """Draw forecasts behind the end of their series, with a band between the outermost quantiles.

        Args:
            path: Where to save the figure, in a format that its suffix names; nowhere if None.
            ids: Series to draw; the first six if None.
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            horizon: As for :meth:`predict`.
            quantiles: As for :meth:`predict`.

        Raises:
            UnknownNameError: If an id is not among the series.
            ConfigError: As of :meth:`predict`; or if the path is of no known format, or cannot be written.
            DataError: As of :meth:`predict`.
        """
        self._check_fitted()
        if path is not None:
            check_picture(path)
        steps, levels = self._checked_horizon(horizon), sorted({0.5, *self._checked_quantiles(quantiles)})
        panel = self.tail_ if history is None else self._read_history(history)[0]
        chosen = self._chosen(panel, ids)
        shown, ahead = panel.select(chosen), self._ahead(panel, steps, future).of(chosen)
        forecast = self._forecast(shown, levels, ahead)
        from lstmzoo.estimators.forecasting.drawing import draw_forecast

        figure = draw_forecast(shown, observed_values(shown), ahead.times, forecast, 5 * steps)
        if path is not None:
            figure.savefig(path)
        return figure

    def holdout_split(self, y: Any) -> tuple[tuple[Any], tuple[Any]]:
        """For a search: ``(what to fit,), (what to score,)``; the first lacks the last ``horizon`` steps of each series."""
        self._check_params()
        panel, form = self._read_unfilled(y)
        if (panel.lengths <= self.horizon).any():
            i = int((panel.lengths <= self.horizon).argmax())
            raise DataError(
                f"series {panel.ids[i]!r} has {panel.lengths[i]} observations, too few to hold out {self.horizon}"
            )
        return (panel_frame(panel.head(self.horizon), form, self._columns),), (y,)

    def read_once(self, y: Any) -> tuple["SeriesRead"]:
        """What the hooks of a search, and ``fit`` and ``score``, take in place of the series, read and checked once.

        Args:
            y: Series, as ``fit`` takes them.

        Raises:
            DataError: If the series are refused.
        """
        if isinstance(y, SeriesRead):
            return (y,)
        return (SeriesRead(y, *self._read_unfilled(y)),)

    def data_digest(self, y: Any) -> str:
        """SHA-256 of series, whatever the order of their rows and the kind of their frame."""
        return panel_digest(self._read(y)[0])

    def serving_example(self) -> pd.DataFrame:
        """Raw input that :meth:`serve` takes: the history of one series, and its future covariates, if there are any."""
        self._check_fitted()
        series = replace(self.tail_.select(np.array([0])), observed=None)  # filled: it may have no other values
        columns = self._columns
        example = panel_frame(series, Form(), columns)
        if not columns.known:
            return example
        future = make_future_frame(series, self.horizon, Form(), columns)
        return pd.concat([example, future.assign(**{name: example[name].iloc[-1] for name in columns.known})])

    def serving_params(self) -> dict[str, Any]:
        """The parameters that :meth:`serve` takes, with their defaults."""
        levels = [level for level in self._levels() if level in self._asked]
        return {"horizon": self.horizon, **({"quantiles": levels} if levels or self._any_level else {})}

    def serving_nullable(self) -> list[str]:
        """Columns in which rows that :meth:`serve` takes may lack a value."""
        columns = self._columns
        filled = [columns.target, *columns.past, *columns.known] if self.missing != "error" else []
        ahead = [columns.target, *columns.past, *columns.static] if columns.known else []
        return list(dict.fromkeys([*filled, *ahead]))

    def serve(self, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Forecast the series whose history the rows hold.

        Where there are future covariates, rows after a series' last value, without a value themselves, hold them. Where
        values may be missing besides, it is of these those without static covariates; or, where there are none, the last
        ``horizon``.

        Raises:
            ConfigError: If a parameter is unknown or out of range.
            DataError: If the rows are refused.
        """
        unknown = set(params) - set(self.serving_params())
        if unknown:
            raise UnknownNameError("parameter", sorted(unknown)[0], self.serving_params())
        columns = self._columns
        names = [columns.id, columns.time, columns.target, *columns.past, *columns.known, *columns.static]
        known = [name for name in names if name is not None]
        odd = [c for c in model_input.columns if c not in known]
        if odd:
            raise UnknownNameError("column", odd[0], known)
        if not columns.known or columns.target not in model_input:
            return self.predict(history=model_input, **params)
        most = None if self.missing == "error" else self._checked_horizon(params.get("horizon"))
        history, future = _split_future(model_input, columns, most)
        return self.predict(history=history, future=future, **params)

    def make_future_frame(self, horizon: int | None = None, history: Any = None) -> Any:
        """The frame that :meth:`predict` takes as ``future``, to be filled in: id, time, and empty future covariates.

        Args:
            horizon: Steps; those trained for if None.
            history: As for :meth:`predict`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            DataError: If the history is refused.
        """
        self._check_fitted()
        panel, form = (self.tail_, self.form_) if history is None else self._read_history(history)
        return make_future_frame(panel, self._checked_horizon(horizon), form, self._columns)

    def _ahead(self, panel: Panel, steps: int, future: Any) -> Ahead:
        """What is known of the next steps of a panel's series."""
        if future is None:
            return Ahead(panel.future_times(steps), None)
        if not self._columns.known and not self.irregular:
            raise DataError(
                f"{arg('future')}: there are no future covariates; name them by {arg('future_covariates')}, and fit with them"
            )
        return Ahead(*read_future(future, panel, self._columns, steps))

    def _forecast(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[float, np.ndarray]:
        """Forecasts ``(N, H)`` by quantile level, for as many steps as ``ahead`` has."""
        raise NotImplementedError

    def _read(self, data: Any, like: Panel | None = None) -> tuple[Panel, Form]:
        panel, form = self._read_unfilled(data, like)
        return self._filled(panel), form

    def _read_unfilled(self, data: Any, like: Panel | None = None, after: Panel | None = None) -> tuple[Panel, Form]:
        """The panel with NaN where something is missing, to be cut before it is filled; if ``like``, read as that was."""
        if isinstance(data, SeriesRead):
            if like is None and after is None:
                return data.panel, data.form
            data = data.given
        missing, freq = "error" if self.missing == "error" else "keep", self.freq if like is None else like.freq
        read = read_panel(data, self._columns, freq, missing=missing, irregular=self.irregular, like=like, after=after)
        if like is not None and self.id_col is not None and self.form_.kind == read[1].kind == "frame":
            self._check_ids(read[0].ids, like.ids)
        return read

    def _check_ids(self, ids: np.ndarray, fitted: np.ndarray) -> None:
        kinds = ["text" if isinstance(names[0], str) else "whole numbers" for names in (ids, fitted)]
        if kinds[0] != kinds[1]:
            raise DataError(f"column {self.id_col!r} names the series by {kinds[0]}, such as {ids[0]!r}, but those fitted have "
                            f"{kinds[1]}, such as {fitted[0]!r}: convert it")  # fmt: skip

    def _filled(self, panel: Panel, held_out: int = 0) -> Panel:
        """See :func:`lstmzoo.preprocessing.filled`."""
        return filled(panel, self.missing, self._columns, held_out)

    def _read_further(self, y: Any) -> Panel:
        """``tail_`` and the rows that follow it."""
        new, _ = self._read_unfilled(y, self.tail_, after=self.tail_)
        return continued(self.tail_, new, self._columns, missing=self.missing)

    def _prepared(self, panel: Panel) -> Panel:
        """History, long enough to be forecast from.

        Raises:
            DataError: If it is not.
        """
        raise NotImplementedError

    @property
    def _columns(self) -> Columns:
        covariates = (self.past_covariates, self.future_covariates, self.static_covariates)
        return Columns(self.id_col, self.time_col, self.target_col, *(tuple(names or ()) for names in covariates))

    @property
    def _asked(self) -> list[float]:
        """The quantiles that the parameter names."""
        return [] if self.quantiles is None else [float(level) for level in self.quantiles]

    def _levels(self) -> list[float]:
        return sorted({0.5, *self._asked})

    def _checked_horizon(self, horizon: int | None) -> int:
        steps = self.horizon if horizon is None else horizon
        if not isinstance(steps, int | float | str | np.generic):
            raise ConfigError(
                f"{arg('horizon')}: expected a whole number, got {shortened(steps)}; series go into {arg(history=...)}"
            )
        longest = _LONGEST * self.horizon
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps <= longest:
            raise ConfigError(
                f"{arg('horizon')}: expected a whole number from 1 to {longest}, {_LONGEST} times the horizon trained for; "
                f"got {horizon!r}"
            )
        return int(steps)

    def _checked_quantiles(self, quantiles: list[float] | None) -> list[float]:
        if quantiles is None:
            return self._asked
        if isinstance(quantiles, str) or not np.iterable(quantiles):
            raise ConfigError(
                f"{arg('quantiles')}: expected a list of levels between 0 and 1, got {shortened(quantiles)}"
            )
        check_quantiles(quantiles)
        levels = self._levels()
        for level in quantiles if not self._any_level else ():
            if level not in levels:
                raise ConfigError(
                    f"{arg('quantiles')}: {level!r} was not trained; trained: {', '.join(f'{q:g}' for q in levels)}"
                )
        return list(quantiles)

    @property
    def _any_level(self) -> bool:
        """Whether any quantile can be forecast, rather than those trained for."""
        return False

    def _check_params(self) -> None:
        super()._check_params()
        check_quantiles(self._asked)

    def _read_history(self, history: Any) -> tuple[Panel, Form]:
        panel, form = self._read(history, self.tail_)
        return self._prepared(panel), form

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
        return panel_state(self.tail_, self.form_)

    def _restore_panel(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.tail_, self.form_ = restored_panel(document, arrays, self._columns)


def ahead_of(tail: Panel, horizon: int) -> Ahead:
    """The last ``horizon`` steps of each series, as if they were still ahead."""
    return Ahead(
        tail.times.reshape(len(tail), horizon),
        tail.known.reshape(len(tail), horizon, -1) if tail.known.shape[1] else None,
    )


def check_finite(panel: Panel, forecasts: np.ndarray) -> None:
    """Refuse forecasts ``(N, ...)`` that are not finite.

    Raises:
        DataError: Naming the first series with one.
    """
    finite = np.isfinite(forecasts).reshape(len(panel), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"the forecast of series {panel.ids[int((~finite).argmax())]!r} is beyond what a number can hold "
            f"({int((~finite).sum())} such series in all): rescale the values"
        )


def observed_values(panel: Panel, horizon: int | None = None) -> np.ndarray:
    """``(R,)``, or ``(N, horizon)``: the values, NaN where none was observed."""
    values = panel.values if panel.observed is None else np.where(panel.observed, panel.values, np.nan)
    return values if horizon is None else values.reshape(len(panel), horizon)


def check_quantiles(quantiles: list[float]) -> None:
    """Levels lie between 0 and 1 and ascend.

    Raises:
        ConfigError: If they do not.
    """
    levels = plain(quantiles)
    for level in levels:
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise ConfigError(f"{arg('quantiles')}: expected numbers between 0 and 1, got {level!r}")
    if any(low >= high for low, high in itertools.pairwise(levels)):
        raise ConfigError(f"{arg('quantiles')}: expected ascending levels, got {shortened(levels)}")


def _read_backtest(backtest: Any, columns: Columns) -> pd.DataFrame:
    """The frame that ``cross_validation`` gave, in pandas, with timestamps or whole numbers as times."""
    native, _ = eager_frame(backtest, columns)
    expected = [columns.time, columns.target, "cutoff", "y_hat"]
    if not isinstance(native, nw.DataFrame) or not set(expected) <= set(native.columns):
        raise DataError(
            f"expected the frame that cross_validation gave, with the columns {', '.join(map(repr, expected))}"
        )
    times = {name: plain_times_of(native, name) for name in (columns.time, "cutoff")}
    return native.to_pandas().reset_index(drop=True).assign(**times)


def _split_future(rows: pd.DataFrame, columns: Columns, most: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The history, and, without their values, the rows that follow each series' last value.

    Args:
        rows: Of all series.
        columns: Their names.
        most: Where values may be missing from the history too, the rows of the future; else None.
    """
    order = rows.sort_values(columns.time, kind="stable")
    ids = order[columns.id] if columns.id is not None else pd.Series(0, index=order.index)
    later = order[columns.target].notna()[::-1].groupby(ids[::-1], sort=False).cumsum()[::-1] == 0
    if most is not None and columns.static:
        later &= order[list(columns.static)].isna().any(axis=1)
    elif most is not None:
        later &= order.groupby(ids, sort=False).cumcount(ascending=False) < most
    wanted = [name for name in (columns.id, columns.time, *columns.known) if name is not None]
    return order[~later], order.loc[later, wanted]
