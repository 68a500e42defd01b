"""What a fitted network says of series: quantiles and sample paths, corrected, and in the data's own units."""

from lstmzoo.estimators.forecasting.network.conformal import check_held_out, conformal_offsets
from lstmzoo.estimators.forecasting.network.fitted import FittedForecaster
from lstmzoo.estimators.forecasting.network.outlook import PATHS, check_sampled, is_autoregressive, step_correlation

__all__ = [
    "PATHS", "FittedForecaster", "check_held_out", "check_sampled", "conformal_offsets", "is_autoregressive",
    "step_correlation",
]  # fmt: skip
