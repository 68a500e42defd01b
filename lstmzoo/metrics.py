"""The field's metrics, by well-kept libraries."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from utilsforecast import losses

from lstmzoo.errors import DataError


def mase(actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Mean absolute scaled error of each series: its error over the in-sample error of the seasonal naive forecast.

    Args:
        actual: ``(N, H)``.
        forecast: ``(N, H)``.
        history: What came before, N arrays of any lengths.
        season_length: Of the seasonal naive forecast.

    Returns:
        ``(N,)``; NaN for a series whose history does not vary, or is no longer than a season; infinity for a forecast
        that is not finite.

    References:
        Hyndman & Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22(4), 2006.

    Examples:
        >>> mase(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), [np.array([1.0, 2.0, 3.0])], season_length=1)
        array([2.])
    """
    numbers = np.repeat(np.arange(len(history)), [len(h) for h in history])
    past = pd.DataFrame({"unique_id": numbers, "y": np.concatenate(list(history))})
    values = losses.mase(_frame(actual, forecast), ["y_hat"], season_length, past)["y_hat"].to_numpy(dtype=float)
    defined = [len(h) > season_length and np.any(h[season_length:] != h[:-season_length]) for h in history]
    return np.where(np.array(defined), np.where(np.isfinite(values), values, np.inf), np.nan)


def smape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Symmetric mean absolute percentage error of each series ``(N,)``, from 0 to 200 as the M competitions define it.

    Args:
        actual: ``(N, H)``.
        forecast: ``(N, H)``.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36(1), 2020.

    Examples:
        >>> smape(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
        array([50.])
    """
    return 200 * losses.smape(_frame(actual, forecast), ["y_hat"])["y_hat"].to_numpy(dtype=float)


def mean_over_series(values: np.ndarray) -> float:
    """The mean over the series for which a metric is defined.

    Raises:
        DataError: If it is defined for none.
    """
    if np.isnan(values).all():
        raise DataError("MASE is undefined: no series varies in its history, or none is longer than a season")
    return float(np.nanmean(values))


def _frame(actual: np.ndarray, forecast: np.ndarray) -> pd.DataFrame:
    numbers = np.repeat(np.arange(len(actual)), actual.shape[1])
    return pd.DataFrame({"unique_id": numbers, "y": actual.ravel(), "y_hat": forecast.ravel()})
