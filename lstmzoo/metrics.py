"""The metrics of forecasts, computed by utilsforecast, and those of translations."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from utilsforecast import losses

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.translation_metrics import bleu, chrf, ter, translation_scores

__all__ = [
    "bias", "bleu", "chrf", "coverage", "crps", "mae", "mape", "mase", "mean_over_series", "msis", "naive_error", "rmse", "rmsse",
    "smape", "ter", "translation_scores", "wape", "weighted_quantile_loss",
]  # fmt: skip


def mase(actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Mean absolute scaled error of each series: its error divided by the in-sample error of the seasonal naive forecast.

    Args:
        actual: ``(N, H)``; missing steps (NaN) are left out.
        forecast: ``(N, H)``.
        history: The values before the forecast, N arrays of any lengths; NaN is left out.
        season_length: Season of the seasonal naive forecast.

    Returns:
        ``(N,)``. NaN if the seasonal naive forecast has no error in the history, as in a constant one, or if the history is not
        longer than a season, or if no step was observed. Infinity if the forecast is not finite.

    References:
        Hyndman & Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22(4), 2006.

    Examples:
        >>> mase(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), [np.array([1.0, 2.0, 3.0])], season_length=1)
        array([2.])
    """
    return _scaled_error(losses.mase, actual, forecast, history, season_length)


def rmsse(actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Root mean squared scaled error of each series: :func:`mase` with squared errors. M5 used a season of 1.

    Arguments, shapes, NaN and infinity are those of :func:`mase`.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "M5 accuracy competition", Int. J. Forecasting 38(4), 2022.

    Examples:
        >>> rmsse(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), [np.array([1.0, 2.0, 3.0])], season_length=1).round(3)
        array([2.236])
    """
    return _scaled_error(losses.rmsse, actual, forecast, history, season_length)


def smape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Symmetric mean absolute percentage error of each series ``(N,)``, from 0 to 200 as in the M competitions.

    Arguments, NaN and infinity are those of :func:`mae`.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36(1), 2020.

    Examples:
        >>> smape(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
        array([50.])
    """
    return 200 * _error(losses.smape, actual, forecast)


def mae(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean absolute error of each series ``(N,)``, in its own units.

    NaN if no step of a series was observed; infinity if its forecast is not finite.

    Args:
        actual: ``(N, H)``; missing steps (NaN) are left out.
        forecast: ``(N, H)``.

    Examples:
        >>> mae(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
        array([1.])
    """
    return _error(losses.mae, actual, forecast)


def rmse(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Root mean squared error of each series ``(N,)``, in its own units. Arguments, NaN and infinity are those of :func:`mae`.

    Examples:
        >>> rmse(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]])).round(3)
        array([1.414])
    """
    unit = np.array([_power_of_two(values) for values in actual])
    return unit * _error(losses.rmse, actual / unit[:, None], forecast / unit[:, None])


def mape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean absolute percentage error of each series ``(N,)``, in percent of the values.

    Steps whose value is 0 are left out. Arguments, NaN and infinity are those of :func:`mae`.

    Examples:
        >>> mape(np.array([[1.0, 2.0, 0.0]]), np.array([[3.0, 2.0, 1.0]]))
        array([100.])
    """
    actual, forecast, _ = _in_units(actual, forecast, actual)
    return 100 * _error(losses.mape, actual, forecast)


def wape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Weighted absolute percentage error of each series ``(N,)``: the sum of errors in percent of the sum of values.

    It is NaN for a series of zeros. Arguments, NaN and infinity are otherwise those of :func:`mae`.

    References:
        Kolassa & Schütz, "Advantages of the MAD/Mean ratio over the MAPE", Foresight 6, 2007.

    Examples:
        >>> wape(np.array([[1.0, 3.0]]), np.array([[3.0, 3.0]]))
        array([50.])
    """
    actual, forecast, _ = _in_units(actual, forecast, actual)
    return 100 * _error(losses.nd, actual, forecast)


def bias(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean of forecast minus value of each series ``(N,)``; above 0, forecasts are too high.

    Arguments, NaN and infinity are those of :func:`mae`.

    Examples:
        >>> bias(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]))
        array([0.5])
    """
    return _error(losses.bias, actual, forecast)


def coverage(actual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Share of each series' steps that lie in their interval, bounds included; NaN if no step was observed.

    Args:
        actual: ``(N, H)``; missing steps (NaN) are left out.
        low: ``(N, H)``.
        high: ``(N, H)``.

    Returns:
        ``(N,)``, from 0 to 1.

    Examples:
        >>> coverage(np.array([[1.0, 2.0, 3.0, np.nan]]), np.full((1, 4), 1.5), np.full((1, 4), 3.0)).round(2)
        array([0.67])
    """
    table = _frame(actual, **{"y_hat-lo-0": low, "y_hat-hi-0": high})
    return _by_series(losses.coverage(table, ["y_hat"], level=0), actual)


def crps(actual: np.ndarray, quantile_forecasts: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Scaled continuous ranked probability score of each series, from quantile forecasts.

    ``2 mean_q sum_t pinball_q(t) / sum_t |actual(t)|``: twice the pinball loss, averaged over the levels and summed over the
    steps, divided by the sum of the series' absolute values. With many evenly spaced levels it approaches the series' summed
    CRPS divided by that sum. :func:`weighted_quantile_loss` gives one number for all series.

    Args:
        actual: ``(N, H)``; missing steps (NaN) are left out.
        quantile_forecasts: ``(N, H, Q)``.
        levels: The Q levels, in (0, 1).

    Returns:
        ``(N,)``; NaN for a series of zeros, or if no step was observed; infinity if a forecast is not finite.

    References:
        Rangapuram et al., "End-to-End Learning of Coherent Probabilistic Forecasts for Hierarchical Time Series", ICML 2021.

    Examples:
        >>> crps(np.array([[4.0, 6.0]]), np.array([[[3.0, 5.0], [6.0, 7.0]]]), levels=[0.25, 0.75])
        array([0.075])
    """
    unit = np.array([_power_of_two(values) for values in actual])[:, None]
    actual, quantile_forecasts = actual / unit, quantile_forecasts / unit[..., None]
    columns = {f"q{i}": quantile_forecasts[..., i] for i in range(len(levels))}
    table = losses.scaled_crps(_frame(actual, **columns), {"y_hat": list(columns)}, np.array(levels))
    values = _by_series(table, actual, *columns.values())
    return np.where(np.nan_to_num(actual).any(axis=1), values, np.nan)


def weighted_quantile_loss(actual: np.ndarray, quantile_forecasts: np.ndarray, levels: Sequence[float]) -> float:
    """Mean weighted quantile loss of all series together: :func:`crps` with both sums over series and steps.

    Large series weigh more. This is the number that probabilistic forecasting papers report as CRPS or wQL. The arguments are
    those of :func:`crps`.

    References:
        Alexandrov et al., "GluonTS: Probabilistic and Neural Time Series Modeling in Python", JMLR 21(116), 2020.

    Examples:
        >>> weighted_quantile_loss(np.array([[4.0], [6.0]]), np.array([[[3.0]], [[7.0]]]), levels=[0.5])
        0.2
    """
    return float(crps(actual.reshape(1, -1), quantile_forecasts.reshape(1, -1, len(levels)), levels)[0])


def msis(
    actual: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    history: Sequence[np.ndarray],
    season_length: int,
    level: float,
) -> np.ndarray:
    """Mean scaled interval score of each series: widths and penalties divided by the seasonal naive's in-sample error.

    A step outside of its interval is penalized by its distance times ``2 / (1 - level)``.

    Args:
        actual: ``(N, H)``; missing steps (NaN) are left out.
        low: ``(N, H)``.
        high: ``(N, H)``.
        history: The values before the forecast, N arrays of any lengths.
        season_length: Season of the seasonal naive forecast.
        level: Level of the interval, in (0, 1); 0.95 in M4.

    Returns:
        ``(N,)``; NaN and infinity as in :func:`mase`.

    Raises:
        ConfigError: If the level is not in (0, 1).

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36(1), 2020.
        Gneiting & Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102(477), 2007.

    Examples:
        >>> past = [np.array([1.0, 3.0, 5.0])]
        >>> msis(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), np.array([[5.0, 5.0]]), past, 1, level=0.5)
        array([2.])
    """
    if not 0 < level < 1:
        raise ConfigError(f"level: expected a number between 0 and 1, such as 0.95, got {level}")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    scores = _frame(actual, y_hat=high - low + 2 / (1 - level) * outside).groupby("unique_id", as_index=False).mean()
    naive = naive_error(history, season_length)
    return _by_series(scores, actual, low, high) / np.where(naive > 0, naive, np.nan)


def mean_over_series(values: np.ndarray, name: str = "mase") -> float:
    """Return the mean over the series for which a metric is defined.

    Args:
        values: ``(N,)``; NaN where it is not defined.
        name: Name of the metric, for the message.

    Raises:
        DataError: If it is defined for no series.
    """
    if np.isnan(values).all():
        scaled = "no series varies in its history, or none is longer than a season, or "
        relative = "all values of the forecast steps are zero, or "
        why = {"mase": scaled, "rmsse": scaled, "mape": relative, "wape": relative, "crps": relative}.get(name, "")
        instead = "; score by mae instead" if why else ""
        raise DataError(f"{name.upper()} is undefined: {why}none of the forecast steps was observed{instead}")
    return float(np.nanmean(values))


def _error(loss: Callable[..., pd.DataFrame], actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """``(N,)`` a loss of utilsforecast; NaN if no step was observed, infinity if the forecast is not finite."""
    return _by_series(loss(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def _scaled_error(
    loss: Callable[..., pd.DataFrame],
    actual: np.ndarray,
    forecast: np.ndarray,
    history: Sequence[np.ndarray],
    season_length: int,
) -> np.ndarray:
    """``(N,)`` a loss of utilsforecast that is scaled by the history; NaN where the history does not vary."""
    actual, forecast, history = _in_units(actual, forecast, history)
    table = loss(_frame(actual, y_hat=forecast), ["y_hat"], season_length, _past(history))
    return np.where(naive_error(history, season_length) > 0, _by_series(table, actual, forecast), np.nan)


def _in_units(
    actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return each series in units of its size, so that squares neither overflow nor vanish."""
    unit = np.array([_power_of_two(np.concatenate(both)) for both in zip(actual, history, strict=True)])
    return actual / unit[:, None], forecast / unit[:, None], [h / u for h, u in zip(history, unit, strict=True)]


def _power_of_two(values: np.ndarray) -> float:
    """The largest power of two that is at most the largest absolute value; 1 if all are 0 or missing."""
    largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    return 2.0 ** int(np.frexp(largest)[1] - 1) if largest > 0 else 1.0


def _frame(actual: np.ndarray, **forecasts: np.ndarray) -> pd.DataFrame:
    """The observed steps as a long frame."""
    observed = ~np.isnan(actual)
    numbers = np.broadcast_to(np.arange(len(actual))[:, None], actual.shape)
    columns = {"y": actual, **forecasts}
    return pd.DataFrame({"unique_id": numbers[observed]} | {name: array[observed] for name, array in columns.items()})


def _past(history: Sequence[np.ndarray]) -> pd.DataFrame:
    numbers = np.repeat(np.arange(len(history)), [len(h) for h in history])
    return pd.DataFrame({"unique_id": numbers, "y": np.concatenate(list(history))})


def naive_error(history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Return the mean absolute in-sample error ``(N,)`` of the seasonal naive forecast, which scales MASE; NaN if it has none.

    Args:
        history: N arrays of any lengths; NaN is left out.
        season_length: Season of the forecast.

    Examples:
        >>> naive_error([np.array([1.0, 2.0, 5.0])], season_length=1)
        array([2.])
    """
    errors = [np.abs(h[season_length:] - h[:-season_length]) for h in history]
    return np.array([np.nanmean(e) if np.isfinite(e).any() else np.nan for e in errors])


def _by_series(table: pd.DataFrame, actual: np.ndarray, *forecasts: np.ndarray) -> np.ndarray:
    """``(N,)`` the scores in a table; NaN if no step was observed, infinity if the forecast of an observed step is not finite."""
    scores, observed = table.set_index("unique_id")["y_hat"], ~np.isnan(actual)
    values = scores.reindex(range(len(actual))).to_numpy(dtype=float, copy=True)
    values[~observed.any(axis=1)] = np.nan
    for forecast in forecasts:
        values[(observed & ~np.isfinite(forecast)).any(axis=1)] = np.inf
    return values
