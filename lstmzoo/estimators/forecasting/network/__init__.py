"""The network of a forecaster: how series are framed for it, how it learns, and what it forecasts."""

from lstmzoo.estimators.forecasting.network.estimator import NetworkForecaster
from lstmzoo.estimators.forecasting.network.joining import Joined

__all__ = ["Joined", "NetworkForecaster"]
