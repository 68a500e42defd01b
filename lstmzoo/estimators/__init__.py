"""Estimators in scikit-learn's manner, one file or package per task."""

from lstmzoo.estimators._base import ZooEstimator, check_picture
from lstmzoo.estimators.forecasting import BaselineForecaster, Forecaster
from lstmzoo.estimators.loading import load

__all__ = ["BaselineForecaster", "Forecaster", "ZooEstimator", "check_picture", "load"]
