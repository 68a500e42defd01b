"""Forecasters."""

from lstmzoo.estimators.forecasting.baselines import BaselineForecaster
from lstmzoo.estimators.forecasting.ensemble import ForecastEnsemble
from lstmzoo.estimators.forecasting.forecaster import Forecaster
from lstmzoo.estimators.forecasting.scoring import ForecastScorer

__all__ = ["BaselineForecaster", "ForecastEnsemble", "ForecastScorer", "Forecaster"]
