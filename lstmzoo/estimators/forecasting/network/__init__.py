"""The network of a forecaster: how series are framed for it, how it learns, and what it forecasts."""

from lstmzoo.estimators.forecasting.network.estimator import NetworkForecaster

__all__ = ["NetworkForecaster"]
