"""Evaluation of forecasters: metrics by name, in-sample forecasts and backtests."""

from lstmzoo.estimators.forecasting.scoring._base import PanelModel, check_finite, forecast_columns
from lstmzoo.estimators.forecasting.scoring.backtesting import backtest_frames, check_origins, read_backtest
from lstmzoo.estimators.forecasting.scoring.by_name import ForecastScorer, check_scored
from lstmzoo.estimators.forecasting.scoring.defined import HeldOut, defined_metric
from lstmzoo.estimators.forecasting.scoring.scored import ScoredForecaster

__all__ = [
    "ForecastScorer", "HeldOut", "PanelModel", "ScoredForecaster", "backtest_frames", "check_finite", "check_origins",
    "check_scored", "defined_metric", "forecast_columns", "read_backtest",
]  # fmt: skip
