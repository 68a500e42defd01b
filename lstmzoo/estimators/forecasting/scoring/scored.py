"""Evaluation of forecasters: scores, in-sample forecasts, residuals."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import ZooEstimator
from lstmzoo.estimators.forecasting.scoring._base import PanelModel, each_observed
from lstmzoo.estimators.forecasting.scoring.by_name import (
    check_scored,
    checked_metrics,
    score_function,
    scores_by_series,
)
from lstmzoo.estimators.forecasting.scoring.insample import insample_forecasts
from lstmzoo.metrics import mean_over_series
from lstmzoo.options import require_counts
from lstmzoo.preprocessing import Form, Panel, ahead_of, check_observed, forecast_frame, observed_values


class ScoredForecaster(ZooEstimator):
    """Base of the forecasters: evaluation on series whose last values are known.

    A subclass learns ``params_`` and ``season_length_``, reads series by :meth:`_read_like_fitted`, and forecasts by
    :attr:`_panel_model`.
    """

    scores_predictions: ClassVar[bool] = True
    params_: Any
    season_length_: int

    @property
    def horizon_(self) -> int:
        """The horizon H that was trained for."""
        return self.params_.horizon

    @property
    def levels_(self) -> list[float]:
        """The quantile levels that were trained for, ascending, 0.5 among them."""
        return self.params_.levels

    def score(self, y: Any, X: None = None, *, metric: str = "mase") -> float:
        """Score forecasts of the last ``horizon`` observations of each series, made from those before; higher is better.

        Args:
            y: Series, as for ``fit``, longer than horizon and lookback together.
            X: Ignored; scikit-learn's pipelines and searches pass it.
            metric: ``mase``, ``smape``, ``rmsse``, ``mae``, ``rmse``, ``mape``, ``wape``, ``bias`` or ``crps``. For
                scikit-learn's ``scoring``, pass a :class:`lstmzoo.ForecastScorer`.

        Returns:
            The negative mean of the metric (for ``bias``, of its absolute value) over the series for which it is defined;
            ``mase`` is not defined for a constant history.

        Raises:
            NotFittedError: If the estimator is not fitted.
            UnknownNameError: If the metric is unknown.
            ConfigError: If the metric needs quantiles, and none are forecast.
            DataError: If a series is too short, or the metric is undefined for all.
        """
        self._refuse_second(X)
        self._check_fitted()
        checked_metrics([check_scored(metric)], self.levels_)
        _, actual, past, forecasts = self._last_horizon(y, self.levels_ if metric == "crps" else [0.5])
        (values,) = scores_by_series(actual, forecasts, past, self.season_length_, [metric]).values()
        return -mean_over_series(np.abs(values), metric)

    def held_out_predictions(self, y: Any) -> np.ndarray:
        """Return forecasts ``(N, H, L)`` of the last ``horizon`` observations of N series, made from those before, by level.

        Args:
            y: As for :meth:`score`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            DataError: If a series is too short.
        """
        _, _, _, forecasts = self._last_horizon(y, self.levels_)
        return np.stack([forecasts[level] for level in self.levels_], axis=-1)

    def prediction_key(self) -> str:
        """Return a text that is the same for forecasters whose forecasts can be averaged: that of all of the same series."""
        return self.task

    def prediction_scorer(self, y: Any, *, metric: str | None = None) -> Callable[[np.ndarray], float]:
        """Return a function from forecasts ``(N, H, L)``, as of :meth:`held_out_predictions`, to what :meth:`score` would return.

        Args:
            y: As for :meth:`score`.
            metric: As for :meth:`score`; ``mase`` if None.

        Raises:
            NotFittedError: If the estimator is not fitted.
            UnknownNameError: If the metric is unknown.
            ConfigError: If the metric needs quantiles, and none are forecast.
            DataError: If a series is too short.
        """
        score = self.series_scorer(y, metric=metric)
        return lambda forecasts: -mean_over_series(-score(forecasts), metric or "mase")

    def series_scorer(self, y: Any, *, metric: str | None = None) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from forecasts ``(N, H, L)``, as of :meth:`held_out_predictions`, to scores ``(N,)`` of the series.

        NaN where the metric is undefined. The mean of the others is what :meth:`score` would return.

        Args:
            y: As for :meth:`score`.
            metric: As for :meth:`score`; ``mase`` if None.

        Raises:
            NotFittedError: As for :meth:`prediction_scorer`.
            UnknownNameError: As for :meth:`prediction_scorer`.
            ConfigError: As for :meth:`prediction_scorer`.
            DataError: As for :meth:`prediction_scorer`.
        """
        self._check_fitted()
        name = "mase" if metric is None else check_scored(metric)
        checked_metrics([name], self.levels_)
        history, actual = self._parted(y)
        observed = observed_values(actual, self.horizon_)
        return score_function(observed, each_observed(history), self.season_length_, self.levels_, name)

    def evaluate(self, y: Any, X: None = None, *, metrics: list[str] | None = None) -> pd.DataFrame:
        """Score forecasts of the last ``horizon`` observations of each series by several metrics.

        Args:
            y: As for :meth:`score`.
            X: Ignored.
            metrics: Names of metrics; see :mod:`lstmzoo.metrics`. ``mase``, ``smape``, ``rmsse``, ``mae``, ``rmse``, ``mape``,
                ``wape`` and ``bias`` score the median; ``crps`` (scaled by the series' mean) and ``coverage`` (of each symmetric
                interval) score quantiles. If None: ``mase``, ``smape``, ``rmsse`` and, with quantiles, ``crps`` and ``coverage``.

        Returns:
            A frame with a row per series and a column per metric; ``coverage`` has a column ``coverage_<percent>`` per interval.

        Raises:
            NotFittedError: If the estimator is not fitted.
            UnknownNameError: If a metric is unknown.
            ConfigError: If a metric needs quantiles that are not forecast.
            DataError: As for :meth:`score`.
        """
        self._refuse_second(X)
        self._check_fitted()
        names = checked_metrics(metrics, self.levels_)
        ids, actual, past, forecasts = self._last_horizon(y, self.levels_)
        scores = scores_by_series(actual, forecasts, past, self.season_length_, names)
        name = self.params_.columns.id
        if name in scores:
            raise ConfigError(f"{arg('id_col')}: {name!r} is also the name of a score: rename the column")
        return pd.DataFrame({name or "series": ids, **scores})

    def _last_horizon(
        self, y: Any, levels: list[float]
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], dict[float, np.ndarray]]:
        """Ids, the last ``horizon`` values ``(N, H)``, the N histories before them, and forecasts ``(N, H)`` by level."""
        history, actual = self._parted(y)
        horizon = self.horizon_
        try:
            model = self._panel_model
            forecasts = model.forecast(model.prepared(history), levels, ahead_of(actual, horizon))
        except DataError as error:
            raise DataError(f"without the last {horizon} observations, which are scored: {error.message}") from None
        return history.ids, observed_values(actual, horizon), each_observed(history), forecasts

    def _parted(self, y: Any) -> tuple[Panel, Panel]:
        """Read series, and return histories and the last ``horizon`` rows, which are scored."""
        self._check_fitted()
        panel, horizon = self._read_like_fitted(y)[0], self.horizon_
        panel.check_lengths(horizon + 1, f"; scores need more than {horizon}")
        check_observed(panel, horizon, "to be scored", "give observed values, or drop those rows")
        return self.params_.parted(panel)

    def fitted_values(self, y: Any, *, step: int = 1) -> Any:
        """Forecast each observation of a series from those before it.

        For the training series, these are in-sample forecasts; pass the series again, because a forecaster keeps only their
        ends. For forecasts of data that was held out, see :meth:`cross_validation`.

        Args:
            y: Series, as for ``fit``.
            step: How many steps ahead an observation is forecast: its forecast is the last step of ``predict(horizon=step)``.

        Returns:
            A frame of the type of ``y``: id, time, the target (missing values stay missing), ``y_hat`` and a column
            ``y_hat_q<level>`` per quantile; a row per observation with a history that is long enough.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If ``step`` is not a whole number from 1 to the horizon trained for.
            DataError: If ``y`` is refused, or every series is too short.
        """
        return self._insample(y, step, residuals=False)

    def residuals(self, y: Any, *, step: int = 1) -> Any:
        """Subtract its forecast from each observation.

        Args:
            y: As for :meth:`fitted_values`.
            step: As for :meth:`fitted_values`.

        Returns:
            The frame of :meth:`fitted_values` with a column ``residual``: the target minus ``y_hat``.

        Raises:
            NotFittedError: As for :meth:`fitted_values`.
            ConfigError: As for :meth:`fitted_values`.
            DataError: As for :meth:`fitted_values`.
        """
        return self._insample(y, step, residuals=True)

    def _insample(self, y: Any, step: Any, *, residuals: bool) -> Any:
        self._check_fitted()
        require_counts(step=step)
        if step > self.horizon_:
            raise ConfigError(f"{arg('step')}: at most {self.horizon_}, the horizon trained for, got {step}")
        panel, form = self._read_like_fitted(y)
        params = self.params_
        form, columns = params.in_frame(form)
        if residuals and "residual" in (columns.id, columns.time, columns.target):
            raise ConfigError(
                "a column of the data is named 'residual', like the column of residuals: rename it, and fit again"
            )
        series, times, actual, forecasts = insample_forecasts(
            self._panel_model, panel, int(step), params.parted, params.quantiles
        )
        data = {columns.target: actual, **forecasts}
        if residuals:
            data["residual"] = actual - forecasts["y_hat"]
        rows = {name: values[:, None] for name, values in data.items()}
        return forecast_frame(panel.tail(1).select(series), rows, form, columns, times[:, None])

    @staticmethod
    def _refuse_second(X: Any) -> None:
        """Refuse a second argument of ``fit`` or ``score``; scikit-learn passes None.

        Raises:
            DataError: If it is not None.
        """
        if X is not None:
            raise DataError(
                "a forecaster takes one data argument, a long frame; covariates are columns of it, named by "
                f"{arg('past_covariates')}, {arg('future_covariates')} and {arg('static_covariates')}"
            )

    def _read_like_fitted(self, data: Any, after: Panel | None = None) -> tuple[Panel, Form]:
        """Read series like the training series; missing values are not filled."""
        raise NotImplementedError

    @property
    def _panel_model(self) -> PanelModel:
        """The model that forecasts the series that were read."""
        raise NotImplementedError
