"""The network of a forecaster: how series are framed for it, how it learns, and what it says of series."""

from lstmzoo.estimators.forecasting.network.conformal import check_held_out
from lstmzoo.estimators.forecasting.network.fitted import FittedForecaster
from lstmzoo.estimators.forecasting.network.framing import (
    PreparedSeries,
    check_counts,
    kept_rows,
    long_enough,
    training_windows,
    window_preprocessor,
)
from lstmzoo.estimators.forecasting.network.learning import (
    checked_overrides,
    forecast_loss,
    judged,
    learned_errors,
    window_batches,
    window_validation,
)
from lstmzoo.estimators.forecasting.network.outlook import PATHS, check_sampled, is_autoregressive

__all__ = [
    "PATHS", "FittedForecaster", "PreparedSeries", "check_counts", "check_held_out", "check_sampled", "checked_overrides",
    "forecast_loss", "is_autoregressive", "judged", "kept_rows", "learned_errors", "long_enough", "training_windows",
    "window_batches", "window_preprocessor", "window_validation",
]  # fmt: skip
