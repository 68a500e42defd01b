"""Exponential smoothing of seasonally adjusted series."""

from lstmzoo.estimators.forecasting.baselines.smoothing.adjustment import is_seasonal, seasonal_pattern
from lstmzoo.estimators.forecasting.baselines.smoothing.forecasts import FORECASTS, smoothed_forecasts

__all__ = ["FORECASTS", "is_seasonal", "seasonal_pattern", "smoothed_forecasts"]
