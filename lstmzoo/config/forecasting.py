"""Zoo entries for forecasting."""

from typing import ClassVar, Literal

from pydantic import PositiveInt

from lstmzoo.config._base import ModelConfig
from lstmzoo.config.ranges import Strict
from lstmzoo.spec import DataSpec, ForecastingSpec

DistributionName = Literal["quantiles", "normal", "student_t", "negative_binomial"]


class ForecastingData(Strict):
    """How series become windows.

    Attributes:
        lookback_horizons: Length of a window as a multiple of the horizon, used if the estimator sets no ``lookback``.
        scaling: How windows are scaled. ``window``: by the window's mean and standard deviation; ``series``: by those of the
            series' training part; ``level``: the window's last value is subtracted; ``none``: not at all.
        transform: ``log``, for values of at least 0, or ``none``.
        residual: Reference that the network's forecast is added to. ``none``: the window's mean; ``naive``: the last value;
            ``seasonal_naive`` and ``long_seasonal_naive``: the last period of the shortest and of the longest season;
            ``seasonal_mix``: a learned mixture of the last period of each season and of its double; ``mix``: a learned
            mixture of these, the last value, and the means of the window and of its seasons.
        calendar: Whether the sine and cosine of hour, weekday, month, ... are features of each time step.
        distribution: Type of the forecast: ``quantiles``, or the parameters of a distribution.
    """

    lookback_horizons: PositiveInt
    scaling: Literal["window", "series", "level", "none"]
    transform: Literal["none", "log"]
    residual: Literal["none", "naive", "seasonal_naive", "long_seasonal_naive", "seasonal_mix", "mix"]
    calendar: bool
    distribution: DistributionName


class ForecastingConfig(ModelConfig):
    """A zoo entry for forecasting."""

    task: ClassVar[str] = "forecasting"
    estimators: ClassVar[tuple[str, ...]] = ("Forecaster", "BaselineForecaster", "ForecastEnsemble", "ForecastScorer")
    spec: ClassVar[type[DataSpec]] = ForecastingSpec
    data: ForecastingData
