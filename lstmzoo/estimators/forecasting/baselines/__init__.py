"""Baselines: naive forecasts and exponential smoothing."""

from lstmzoo.estimators.forecasting.baselines.estimator import METHODS, BaselineForecaster

__all__ = ["METHODS", "BaselineForecaster"]
