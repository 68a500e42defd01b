"""Forecasters."""

from lstmzoo.estimators.forecasting.baselines import BaselineForecaster
from lstmzoo.estimators.forecasting.forecaster import Forecaster

__all__ = ["BaselineForecaster", "Forecaster"]
