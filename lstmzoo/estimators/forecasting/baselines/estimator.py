"""The estimator of the baselines."""

import time
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from scipy.stats import norm

from lstmzoo.errors import SavedModelError
from lstmzoo.estimators._base import Untrained, as_json
from lstmzoo.estimators.forecasting._base import (
    Level,
    Missing,
    PanelForecaster,
    Positive,
    Seasons,
    panel_digest,
)
from lstmzoo.estimators.forecasting.baselines.naive import naive_forecast
from lstmzoo.estimators.forecasting.baselines.smoothing import FORECASTS, smoothed_forecasts
from lstmzoo.preprocessing import Ahead, Panel

Method = Literal["naive", "seasonal_naive", "drift", "window_average", "theta", "damped"]
METHODS: tuple[Method, ...] = get_args(Method)


class BaselineForecaster(Untrained, PanelForecaster):
    """A simple forecast of each series by itself, with the interface of :class:`lstmzoo.Forecaster`.

    ==================  =====================================================  ===========================================
    method              forecast of step h                                     standard deviation (s: of the residuals)
    ==================  =====================================================  ===========================================
    ``naive``           the last value                                         ``s sqrt(h)``
    ``seasonal_naive``  the value at the same place in the last season         ``s sqrt(floor((h - 1) / m) + 1)``
    ``drift``           the line through the first and the last value          ``s sqrt(h (1 + h / (T - 1)))``
    ``window_average``  the mean of the last season (of the last H values)     ``s sqrt(1 + 1 / w)``
    ``theta``           the mean of the trend line and of a smoothed series    ``s sqrt(1 + (h - 1) alpha^2)``
    ``damped``          exponential smoothing with a damped trend              ``s sqrt(1 + sum_j<h (alpha + beta phi_j)^2)``
    ==================  =====================================================  ===========================================

    ``theta`` and ``damped`` first remove the seasons, shortest first, and restore them in the forecast. A season is removed from
    a series if it fits three times and its autocorrelation is significant at 90 %. It is multiplied if all values are above 0,
    all factors are at least 0.1, and it fits better than a season that is added. The parameters of both methods maximize the
    likelihood of the history to forecast from. ``theta`` smooths the series after doubling the distances from its trend line.
    Both smooth the last 500 values of longer series. ``damped`` has no trend for a series of fewer than ten values. ``phi_j`` is
    ``phi + ... + phi^j``, with ``phi`` from 0.8 to 0.98.

    Args:
        method: A method of the table.
        horizon: H, steps to forecast.
        season_length: As for :class:`lstmzoo.Forecaster`; ``theta`` and ``damped`` use all seasons, other methods the shortest.
        freq: As for :class:`lstmzoo.Forecaster`.
        quantiles: Levels to forecast besides the mean; quantiles are those of a normal distribution.
        pad_short: Whether series that are shorter than a season (``seasonal_naive``) or two values (``drift``) are forecast by
            their last value. If None, they are, unless all series are too short. False refuses them.
        allow_negative: As for :class:`lstmzoo.Forecaster`.
        missing: As for :class:`lstmzoo.Forecaster`; filled values are read as if they had been observed.
        irregular: As for :class:`lstmzoo.Forecaster`; the length of steps is ignored.
        past_covariates: As for :class:`lstmzoo.Forecaster`; checked, but not used.
        future_covariates: As for :class:`lstmzoo.Forecaster`; checked, but not used.
        static_covariates: As for :class:`lstmzoo.Forecaster`; checked, but not used.
        id_col: Column that names the series; None if the frame holds one series.
        time_col: Column of timestamps, dates or integers.
        target_col: Column of values.

    Attributes:
        params_: The parameters of the fit that forecasts depend on.
        horizon_: Steps to forecast.
        levels_: Quantile levels to forecast, 0.5 among them.
        method_: The method.
        seasons_: As for :class:`lstmzoo.Forecaster`.
        season_length_: The shortest season, which naive methods repeat, and which scales MASE; 1 if there is none.
        seconds_: Seconds of the fit.
        data_digest_: SHA-256 of the training data.

    References:
        Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., sections 5.2 and 5.5.
        Assimakopoulos & Nikolopoulos, "The theta model: a decomposition approach to forecasting", International Journal of
        Forecasting 16(4), 2000.
        Gardner & McKenzie, "Forecasting Trends in Time Series", Management Science 31(10), 1985.

    Examples:
        >>> BaselineForecaster("drift", horizon=2).fit([1.0, 2.0, 3.0]).predict()
        array([4., 5.])
    """

    _saved = as_json("method_")

    def __init__(
        self,
        method: Method = "seasonal_naive",
        *,
        horizon: Positive,
        season_length: Positive | Seasons | None = None,
        freq: str | Positive | None = None,
        quantiles: list[Level] | None = None,
        pad_short: bool | None = None,
        allow_negative: bool = False,
        missing: Missing = "error",
        irregular: bool = False,
        past_covariates: list[str] | None = None,
        future_covariates: list[str] | None = None,
        static_covariates: list[str] | None = None,
        id_col: str | None = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
    ) -> None:
        self.method = method
        self.horizon = horizon
        self.season_length = season_length
        self.freq = freq
        self.quantiles = quantiles
        self.pad_short = pad_short
        self.allow_negative = allow_negative
        self.missing = missing
        self.irregular = irregular
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.static_covariates = static_covariates
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col

    def fit(self, y: Any, X: None = None) -> "BaselineForecaster":
        """Keep the series to forecast from.

        Args:
            y: Series, as for :meth:`lstmzoo.Forecaster.fit`.
            X: Ignored; scikit-learn's pipelines and searches pass it.

        Raises:
            ConfigError: If a parameter is wrong.
            DataError: If the data is refused.
        """
        started = time.perf_counter()
        self._check_params()
        self._refuse_second(X)
        params = self._given_params
        read, form = params.read(y)
        panel = params.filled(read)
        self.seasons_ = self._seasons(panel)
        local = _Local(self.method, params.horizon, self.seasons_, params.pad_short, params.allow_negative)
        short = panel.lengths < local.fewest_rows
        if self.pad_short is None and short.any() and not short.all():
            params, local = replace(params, pad_short=True), replace(local, pad_short=True)
        self.tail_, self.form_ = local.prepared(panel), form
        self.params_, self.method_, self.season_length_ = params, self.method, self.seasons_[0]
        self.data_digest_ = panel_digest(panel)
        self.seconds_ = time.perf_counter() - started
        return self

    @property
    def _panel_model(self) -> "_Local":
        params = self.params_
        return _Local(self.method_, self.horizon_, self.seasons_, params.pad_short, params.allow_negative)

    def _complete(self) -> None:
        if self.method_ not in METHODS:
            raise SavedModelError(f"params.json: unknown method {self.method_!r}; valid: {', '.join(METHODS)}")


@dataclass(frozen=True)
class _Local:
    """Forecasts of panels, each series from its own history alone.

    Attributes:
        method: One of :data:`METHODS`.
        horizon: H.
        seasons: Season lengths, shortest first.
        pad_short: Whether series that are too short are forecast by ``naive``.
        allow_negative: Whether series without negative values may be forecast negative.
    """

    method: Method
    horizon: int
    seasons: list[int]
    pad_short: bool
    allow_negative: bool

    @property
    def fewest_rows(self) -> int:
        """The fewest rows of a history to forecast from."""
        return 1 if self.pad_short else self._rows

    @property
    def any_level(self) -> bool:
        """Any quantile of a normal distribution can be forecast."""
        return True

    def prepared(self, panel: Panel) -> Panel:
        """Return the same histories.

        Raises:
            DataError: If one is too short.
        """
        panel.check_lengths(self.fewest_rows, f"; {self.method} needs {self.fewest_rows}")
        return panel

    def needed(self, history: Panel) -> Panel:
        """Return histories whole: a deviation is learned from all residuals."""
        return self.prepared(history)

    def forecast(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[float, np.ndarray]:
        """Return forecasts ``(N, H)`` by quantile level."""
        mean, deviation = self._mean_and_deviation(panel, ahead.times.shape[1])
        lowest = np.minimum.reduceat(panel.values, panel.offsets[:-1])
        least = np.where((lowest < 0) | self.allow_negative, -np.inf, 0.0)[:, None]
        return {level: np.maximum(mean + norm.ppf(level) * deviation, least) for level in levels}

    def _mean_and_deviation(self, panel: Panel, steps: int) -> tuple[np.ndarray, np.ndarray]:
        if self.method in FORECASTS:
            return smoothed_forecasts(self.method, panel, steps, self.seasons)
        season = self.seasons[0]
        width = season if season > 1 else self.horizon
        rows = [naive_forecast(self.method, panel.series(i), steps, season, width) for i in range(len(panel))]
        return np.array([mean for mean, _ in rows]), np.array([deviation for _, deviation in rows])

    @property
    def _rows(self) -> int:
        return {"seasonal_naive": self.seasons[0], "drift": 2}.get(self.method, 1)
