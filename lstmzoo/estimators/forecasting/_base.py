"""What all forecasters share: they read frames, forecast, plot, and split data for searches."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import narwhals as nw
import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.base import clone

from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import Learned, as_json
from lstmzoo.estimators.forecasting.panel_state import LearnedPanel
from lstmzoo.estimators.forecasting.params import ForecastParams, SeriesRead, check_levels
from lstmzoo.estimators.forecasting.scoring import (
    HeldOut,
    ScoredForecaster,
    backtest_frames,
    check_finite,
    check_origins,
    check_scored,
    defined_metric,
    forecast_columns,
    read_backtest,
)
from lstmzoo.estimators.forecasting.serving import ServedForecaster
from lstmzoo.estimators.forecasting.splitting import SplitForecaster
from lstmzoo.options import checked_options
from lstmzoo.outputs import check_picture
from lstmzoo.preprocessing import (
    Ahead,
    Form,
    Panel,
    find_seasons,
    forecast_frame,
    future_of,
    make_future_frame,
    observed_values,
    panel_frame,
    series_numbers,
    usual_seasons,
)
from lstmzoo.values import digest, plain

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

__all__ = [
    "ForecastParams", "Level", "Missing", "PanelForecaster", "Positive", "Seasons", "check_finite", "panel_digest",
]  # fmt: skip

Positive = Annotated[int, Field(gt=0)]
Level = Annotated[float, Field(gt=0, lt=1)]
Seasons = Annotated[list[Positive], Field(min_length=1)]
Missing = Literal["error", "mask", "interpolate"]

_logger = logging.getLogger(__name__)
_DRAWN = 6  # series


def panel_digest(panel: Panel) -> str:
    """Return the SHA-256 of a panel."""
    more = [
        array for array in (panel.past, panel.known, panel.static, panel.observed) if array is not None and array.size
    ]
    more += [np.array([name, *labels], dtype=object) for name, labels in panel.labels.items()]
    return digest(panel.ids, panel.offsets, panel.values, panel.times, *more)


class PanelForecaster(ServedForecaster, SplitForecaster, ScoredForecaster):
    """Base of the forecasters.

    A subclass has the parameters ``horizon``, ``season_length``, ``freq``, ``quantiles``, ``allow_negative``, ``missing``,
    ``irregular``, ``past_covariates``, ``future_covariates``, ``static_covariates``, ``id_col``, ``time_col`` and
    ``target_col``. Its ``fit`` sets ``params_`` (the parameters of the fit), ``tail_`` (the :class:`Panel` to forecast from)
    and ``form_``, and its ``_panel_model`` forecasts.
    """

    task: ClassVar[str] = "forecasting"
    newest_held_out = True
    _saved = (
        *as_json("season_length_", "seasons_"),
        Learned("params_", dump=ForecastParams.to_json, load=ForecastParams.of),
        LearnedPanel("tail_"),
    )
    horizon: int
    season_length: int | list[int] | None
    quantiles: list[float] | None
    pad_short: bool | None
    params_: ForecastParams
    seasons_: list[int]
    tail_: Panel
    form_: Form

    def predict(
        self,
        history: Any = None,
        *,
        horizon: int | None = None,
        quantiles: list[float] | None = None,
        future: Any = None,
        ids: Any = None,
    ) -> Any:
        """Forecast the next steps of each series.

        Args:
            history: Series to forecast, as for ``fit``, whether or not they were in the training data; the training series if
                None.
            horizon: Steps to forecast; the horizon of the fit if None. A longer horizon is forecast recursively: forecasts are
                read as if they had been observed.
            quantiles: Quantile levels, each one of those of the fit, or any level of a distribution; those of the fit if None.
                Quantiles without a closed form (autoregressive entries, and all beyond the horizon of the fit) are computed from
                200 sample paths with the seed ``seed_``, so that the same call returns the same numbers.
            future: If there are future covariates, the frame of :meth:`make_future_frame`, filled in. Rows of series that are
                not among ``ids`` are ignored.
            ids: Names of the series to forecast, in the order of the result; all if None.

        Returns:
            A long frame of the type of ``history`` (or of the training data): id, time, ``y_hat`` (the median) and a column
            ``y_hat_q<level>`` per quantile. For a Series, a Series (a frame with quantiles); for an array, an array ``(H,)``
            or ``(H, 1 + quantiles)``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the horizon is not between 1 and 20 times the one trained for, a quantile was not trained, or
                ``ids`` is not a list of names.
            UnknownNameError: If there is no series of such a name.
            DataError: If the history is too short, or the history or the future is refused.
        """
        self._check_fitted()
        params = self.params_
        steps = params.checked_horizon(horizon)
        levels = params.checked_levels(quantiles, any_level=self._panel_model.any_level)
        panel, form, ahead = self._to_forecast(history, steps, future, ids)
        columns = forecast_columns(self._panel_model, panel, levels, ahead)
        return forecast_frame(panel, columns, form, params.columns, ahead.times)

    def cross_validation(
        self, y: Any, *, n_windows: Positive = 5, step_size: Positive | None = None, refit: bool = False
    ) -> Any:
        """Backtest copies of this estimator: forecast from origins that roll through the series.

        Args:
            y: Series, as for ``fit``.
            n_windows: How many windows of ``horizon`` steps to forecast; the last ends with the series.
            step_size: Steps from one window to the next; the horizon if None.
            refit: Whether a copy is fitted before each window, on all data before it; otherwise one is fitted before the first.

        Returns:
            A frame of the type of ``y``: id, time, the target, ``cutoff`` (the last time before the window),
            ``y_hat`` and a column ``y_hat_q<level>`` per quantile.

        Raises:
            ConfigError: If a number is not a whole one above 0.
            DataError: If a series is too short.
        """
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        steps = params.horizon if step_size is None else step_size
        check_origins(panel, params.horizon, n_windows, steps)
        after = [(n_windows - 1 - window) * steps for window in range(n_windows)]
        pieces: list[Any] = []
        for origins in [[last] for last in after] if refit else [after]:
            fitted = clone(self).fit(panel_frame(panel.head(origins[0] + params.horizon), form, params.columns))
            read = fitted._read_like_fitted(y)[0] if params.irregular else panel
            pieces += backtest_frames(
                fitted._panel_model, read, origins, params.parted, params.quantiles, *params.in_frame(form)
            )
        whole = nw.concat([nw.from_native(piece) for piece in pieces]).to_native()
        return whole.reset_index(drop=True) if isinstance(whole, pd.DataFrame) and form.index is None else whole

    def plot_backtest(self, backtest: Any, path: str | Path | None = None, ids: list | None = None) -> "Figure":
        """Draw the result of :meth:`cross_validation`: the forecast of each window over the observations.

        Args:
            backtest: The frame.
            path: File to save the figure to, in the format of its suffix; not saved if None.
            ids: Series to draw; the first six if None.

        Raises:
            UnknownNameError: If an id is not among the series.
            ConfigError: If ``ids`` is not a list of names, or the path has an unknown format or cannot be written.
            DataError: If the frame is not the result of a backtest.
        """
        if path is not None:
            check_picture(path)
        columns = self._given_params.columns
        frame = read_backtest(backtest, columns)
        names = list(dict.fromkeys(frame[columns.id])) if columns.id in frame else [0]
        numbers = series_numbers(names[:_DRAWN] if ids is None else ids, names)
        from lstmzoo.estimators.forecasting.drawing import draw_backtest

        return draw_backtest(frame, [names[i] for i in numbers], columns).saved(path)

    def plot(
        self,
        path: str | Path | None = None,
        ids: list | None = None,
        history: Any = None,
        future: Any = None,
        horizon: int | None = None,
        quantiles: list[float] | None = None,
    ) -> "Figure":
        """Draw forecasts after the end of their series, with a band between the outermost quantiles.

        Args:
            path: File to save the figure to, in the format of its suffix; not saved if None.
            ids: Series to draw; the first six if None.
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            horizon: As for :meth:`predict`.
            quantiles: As for :meth:`predict`.

        Raises:
            UnknownNameError: If an id is not among the series.
            ConfigError: As for :meth:`predict`; or if the path has an unknown format or cannot be written.
            DataError: As for :meth:`predict`.
        """
        self._check_fitted()
        if path is not None:
            check_picture(path)
        params = self.params_
        steps = params.checked_horizon(horizon)
        levels = sorted({0.5, *params.checked_levels(quantiles, any_level=self._panel_model.any_level)})
        panel, _, ahead = self._to_forecast(history, steps, future, ids, most=_DRAWN)
        forecast = self._panel_model.forecast(panel, levels, ahead)
        from lstmzoo.estimators.forecasting.drawing import draw_forecast

        return draw_forecast(panel, observed_values(panel), ahead.times, forecast, 5 * steps).saved(path)

    def read_once(self, y: Any) -> tuple["SeriesRead"]:
        """Read and check series once; ``fit``, ``score`` and the methods that a search calls take the result in their place.

        Args:
            y: Series, as for ``fit``.

        Raises:
            DataError: If the series are refused.
        """
        if isinstance(y, SeriesRead):
            return (y,)
        return (SeriesRead(y, *self._given_params.read(y)),)

    def as_given(self, y: Any) -> tuple:
        """Return series of :meth:`read_once` in the form that the user gave them."""
        return (y.given if isinstance(y, SeriesRead) else y,)

    def check_metric(self, metric: str) -> None:
        """Refuse a metric that :meth:`score` does not take, or whose quantiles are not forecast; see :meth:`score`."""
        if check_scored(metric) == "crps" and len(self._given_params.levels) < 2:
            raise ConfigError(f"crps needs quantiles besides the median: pass {arg(quantiles=[0.1, 0.9])}")

    def defined_metric(self, metric: str | None, folds: Sequence[tuple[tuple, Sequence[tuple]]]) -> str | None:
        """Return the metric by which a search scores; see :meth:`lstmzoo.contracts.Measured.defined_metric`."""
        if metric is None and type(self).score is not ScoredForecaster.score:
            return None
        params, held_out = self._given_params, list[HeldOut]()
        for (train,), windows in folds:
            season = self._seasons(params.filled(params.read(train)[0]))[0]
            held_out += [HeldOut(*params.parted(params.read(window)[0]), season) for (window,) in windows]
        return defined_metric(metric, held_out, params.levels)

    def data_digest(self, y: Any) -> str:
        """Return the SHA-256 of series; it does not depend on the order of rows or the type of frame."""
        return panel_digest(self._given_params.filled(self._given_params.read(y)[0]))

    def make_future_frame(self, horizon: int | None = None, history: Any = None) -> Any:
        """Return the frame to fill in and pass to :meth:`predict` as ``future``: id, time, and empty future covariates.

        Args:
            horizon: Steps to forecast; the horizon of the fit if None.
            history: As for :meth:`predict`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            DataError: If the history is refused.
        """
        self._check_fitted()
        panel, form = self._history(history)
        return make_future_frame(panel, self.params_.checked_horizon(horizon), form, self.params_.columns)

    def _read_like_fitted(self, data: Any, after: Panel | None = None) -> tuple[Panel, Form]:
        """Read series like the training series; ``after`` as for :meth:`ForecastParams.read`. Missing values are not filled."""
        read = self.params_.read(data, self.tail_, after)
        if self.params_.columns.id is not None and self.form_.kind == read[1].kind == "frame":
            self._check_ids(read[0].ids, self.tail_.ids)
        return read

    def _check_ids(self, ids: np.ndarray, fitted: np.ndarray) -> None:
        kinds = ["text" if isinstance(names[0], str) else "whole numbers" for names in (ids, fitted)]
        if kinds[0] != kinds[1]:
            name = self.params_.columns.id
            raise DataError(f"column {name!r} names the series by {kinds[0]}, such as {ids[0]!r}, but the training data by "
                            f"{kinds[1]}, such as {fitted[0]!r}: convert it")  # fmt: skip

    @property
    def _given_params(self) -> ForecastParams:
        """The current parameters, for the next fit."""
        own = {name: value for name, value in vars(self).items() if not name.startswith("_") and not name.endswith("_")}
        return ForecastParams.of(plain(own))

    def _check_params(self) -> None:
        super()._check_params()
        check_levels(plain(self.quantiles) or [])

    def _to_forecast(
        self, history: Any, steps: int, future: Any, ids: Any = None, most: int | None = None
    ) -> tuple[Panel, Form, Ahead]:
        """Return the series to forecast, the form of the result, and the steps ahead.

        Args:
            history: As for :meth:`predict`.
            steps: Steps to forecast.
            future: As for :meth:`predict`.
            ids: As for :meth:`predict`.
            most: How many series to select if ``ids`` is None; all if None.
        """
        panel, form = self._history(history)
        ids = panel.ids[:most] if ids is None and most else ids
        if ids is not None:
            numbers = series_numbers(ids, panel.ids)
            panel, future = panel.select(numbers), future_of(future, panel, numbers, self.params_.columns)
        return panel, form, self.params_.ahead(panel, steps, future)

    def _sampled(self, n: Any, horizon: Any, history: Any, future: Any, random_state: Any) -> Any:
        """Return sample paths; see :meth:`lstmzoo.Forecaster.sample_paths`."""
        self._check_fitted()
        checked_options(n=n, random_state=random_state)
        panel, form, ahead = self._to_forecast(history, self.params_.checked_horizon(horizon), future)
        seed = int(np.random.SeedSequence(random_state).generate_state(1)[0])
        model: Any = self._panel_model
        paths = model.seeded(seed).paths(panel, ahead, int(n))
        check_finite(panel, paths)
        if form.kind == "array":
            return paths[0].T
        return forecast_frame(
            panel, {f"y_hat_path{i}": paths[:, i] for i in range(n)}, form, self.params_.columns, ahead.times
        )

    def _history(self, history: Any) -> tuple[Panel, Form]:
        """Return the series to forecast and the form of the result; the training series if ``history`` is None."""
        if history is None:
            return self.tail_, self.form_
        if isinstance(history, int | np.integer):
            raise ConfigError(
                f"{arg('history')}: expected series, got {history!r}: pass the steps to forecast as {arg(horizon=int(history))}"
            )
        panel, form = self._read_like_fitted(history)
        return self._panel_model.prepared(self.params_.filled(panel)), form

    def _seasons(self, panel: Panel, *, log: bool = False) -> list[int]:
        """Return season lengths, shortest first: the parameter, or those of :func:`lstmzoo.preprocessing.find_seasons`; [1] if
        there is none.

        A season must fit twice, each time with a horizon, into half of the series; into all of them if ``pad_short`` is False.
        Seasons are searched without the last ``horizon`` steps, so that networks and baselines agree, whatever they hold out.

        Args:
            panel: Series, filled.
            log: Whether to log what was found.
        """
        if self.season_length is not None:
            given = plain(self.season_length)
            return sorted(given if isinstance(given, list) else [given])
        length = panel.lengths.min() if self.pad_short is False else np.median(panel.lengths)
        longest = int(length) // 2 - self.horizon
        usual = [season for season in usual_seasons(panel.freq) if 1 < season <= longest]
        found = find_seasons(panel.head(self.horizon), usual)
        if log:
            _logger.info("seasons: %s", ", ".join(map(str, found)) or "none found")
        return [season.length for season in found if season.length <= longest] or [1]
