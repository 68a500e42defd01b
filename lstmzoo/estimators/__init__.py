"""Estimators in scikit-learn's manner, one file or package per task."""

from lstmzoo.estimators._base import ZooEstimator, load
from lstmzoo.estimators.forecasting import BaselineForecaster, Forecaster

__all__ = ["BaselineForecaster", "Forecaster", "ZooEstimator", "load"]
