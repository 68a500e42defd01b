"""How forecasters are judged: metrics by name, and forecasts of what has been observed."""

from lstmzoo.estimators.forecasting.scoring.by_name import ForecastScorer
from lstmzoo.estimators.forecasting.scoring.scored import ScoredForecaster

__all__ = ["ForecastScorer", "ScoredForecaster"]
