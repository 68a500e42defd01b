"""Scores of forecasts by the name of a metric, for ``evaluate``, ``score`` and scikit-learn's ``scoring``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from lstmzoo import metrics as m
from lstmzoo.errors import ConfigError, UnknownNameError, arg

_POINT: dict[str, Callable[..., np.ndarray]] = {
    "mae": m.mae, "rmse": m.rmse, "mape": m.mape, "wape": m.wape, "bias": m.bias, "smape": m.smape,
}  # fmt: skip
_SCALED: dict[str, Callable[..., np.ndarray]] = {"mase": m.mase, "rmsse": m.rmsse}
METRICS = (*_POINT, *_SCALED, "crps", "coverage")
_DEFAULT = ("mase", "smape", "rmsse", "crps", "coverage")


def intervals(levels: list[float]) -> list[tuple[float, float]]:
    """Return pairs of levels that are symmetric around the median, the widest first."""
    found = []
    for low in levels:
        high = next((level for level in levels if low < 0.5 and np.isclose(level, 1 - low)), None)
        if high is not None:
            found.append((low, high))
    return found


def checked_metrics(metrics: Any, levels: list[float]) -> list[str]:
    """Return the names of metrics; if None, the default ones that can be computed for forecasts of these levels.

    Raises:
        ConfigError: If it is not a list of names, or a metric needs quantiles that are not forecast.
        UnknownNameError: If there is no such metric; the message lists them.
    """
    lacking = {"crps": len(levels) < 2, "coverage": not intervals(levels)}
    if metrics is None:
        return [name for name in _DEFAULT if not lacking.get(name)]
    if isinstance(metrics, str) or not np.iterable(metrics):
        raise ConfigError(f"{arg('metrics')}: expected a list of names, such as ['mae', 'wape'], got {metrics!r}")
    for name in metrics:
        if name not in METRICS:
            raise UnknownNameError("metric", name, METRICS)
        if lacking.get(name):
            what = "symmetric quantiles, such as [0.1, 0.9]" if name == "coverage" else "quantiles besides the median"
            raise ConfigError(f"{arg('metrics')}: {name} needs {what}: fit with them")
    return list(metrics)


def scores_by_series(
    actual: np.ndarray, forecasts: dict[float, np.ndarray], past: list[np.ndarray], season_length: int, metrics: list[str]
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return scores ``(N,)`` by name; ``coverage`` gives one per symmetric interval.

    Args:
        actual: Observations ``(N, H)``; NaN if missing.
        forecasts: Forecasts ``(N, H)`` by level, 0.5 among them.
        past: The N histories.
        season_length: Season of the naive forecast that scales the errors.
        metrics: Names of metrics, checked.
    """
    median, levels = forecasts[0.5], sorted(forecasts)
    scores: dict[str, np.ndarray] = {}
    for name in metrics:
        if name in _POINT:
            scores[name] = _POINT[name](actual, median)
        elif name in _SCALED:
            scores[name] = _SCALED[name](actual, median, past, season_length)
        elif name == "crps":
            scores[name] = m.crps(actual, np.stack([forecasts[level] for level in levels], axis=-1), levels)
        else:
            for low, high in intervals(levels):
                scores[f"coverage_{100 * (high - low):g}"] = m.coverage(actual, forecasts[low], forecasts[high])
    return scores


def score_function(
    actual: np.ndarray, past: list[np.ndarray], season_length: int, levels: list[float], metric: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from forecasts ``(N, H, L)`` to scores ``(N,)``, for many forecasts of the same series.

    Greater is better. NaN where the metric is undefined, minus infinity where a forecast is not finite.

    Args:
        actual: Observations ``(N, H)``; NaN if missing.
        past: The N histories.
        season_length: Season of the naive forecast that scales the errors.
        levels: L levels, ascending, 0.5 among them.
        metric: Name of a metric, checked.
    """
    naive = m.naive_error(past, season_length) if metric == "mase" else np.array([])
    scale = np.where(naive > 0, naive, np.nan)
    observed = np.isfinite(actual)
    counts = np.where(observed.any(axis=1), observed.sum(axis=1), np.nan)

    def mase(forecasts: np.ndarray) -> np.ndarray:
        median = forecasts[..., levels.index(0.5)]
        errors = np.abs(actual - np.where(np.isfinite(median), median, np.inf))
        return -(errors.sum(axis=1, where=observed) / counts / scale)

    def score(forecasts: np.ndarray) -> np.ndarray:
        by_level = {level: forecasts[..., i] for i, level in enumerate(levels)}
        (values,) = scores_by_series(actual, by_level, past, season_length, [metric]).values()
        return -np.abs(values)

    return mase if metric == "mase" else score


def check_scored(metric: Any) -> str:
    """Return the name of a metric by which forecasts can be ranked.

    Raises:
        UnknownNameError: If there is no such metric; the message lists them.
    """
    scored = [name for name in METRICS if name != "coverage"]
    if metric not in scored:
        raise UnknownNameError("metric", metric, scored)
    return str(metric)


@dataclass(frozen=True)
class ForecastScorer:
    """A scorer of forecasters for scikit-learn's ``scoring``; see :meth:`lstmzoo.Forecaster.score`.

    Args:
        metric: ``mase``, ``smape``, ``rmsse``, ``mae``, ``rmse``, ``mape``, ``wape``, ``bias`` or ``crps``.

    Raises:
        UnknownNameError: If there is no such metric.

    Examples:
        >>> from lstmzoo import BaselineForecaster
        >>> ForecastScorer("mae")(BaselineForecaster("naive", horizon=2).fit([1.0, 2.0]), [1.0, 2.0, 3.0, 5.0])
        -2.0
    """

    metric: str = "mase"

    def __post_init__(self) -> None:
        check_scored(self.metric)

    def __call__(self, estimator: Any, X: Any, y: None = None) -> float:
        """Score a fitted forecaster, or a pipeline that ends with one; higher is better.

        Args:
            estimator: The fitted forecaster or pipeline.
            X: Series, as for its ``score``.
            y: Ignored; scikit-learn passes it.
        """
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        return estimator.score(X, metric=self.metric)
