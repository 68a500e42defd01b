"""Ensembles of forecasters: the weighted mean of the members' forecasts, and their networks as one."""

from lstmzoo.estimators.forecasting.ensemble.estimator import ForecastEnsemble

__all__ = ["ForecastEnsemble"]
