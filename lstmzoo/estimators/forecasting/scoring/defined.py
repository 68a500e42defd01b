"""Metrics that are undefined for some series: those that divide by what does not vary or is zero."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstmzoo.estimators.forecasting.scoring._base import each_observed
from lstmzoo.estimators.forecasting.scoring.by_name import scores_by_series
from lstmzoo.metrics import mean_over_series
from lstmzoo.preprocessing import Panel, observed_values

_UNSCALED = "mae"
_SCALED = "their histories repeat themselves or are not longer than a season, or their held-out steps were not observed"
_RELATIVE = "their held-out steps are all zero, or were not observed"
_REASONS = {"mase": _SCALED, "rmsse": _SCALED, "mape": _RELATIVE, "wape": _RELATIVE, "crps": _RELATIVE}
_logger = logging.getLogger(__name__)


class HeldOut(NamedTuple):
    """A held-out window.

    Attributes:
        history: N series.
        actual: The H steps that followed them.
        season_length: Season of the naive forecast that scales the errors.
    """

    history: Panel
    actual: Panel
    season_length: int


def defined_metric(metric: str | None, windows: Sequence[HeldOut], levels: list[float]) -> str | None:
    """Return the metric by which a search scores: ``mae`` in place of a default MASE that is undefined in a window.

    Whether a metric is defined depends on the history, the observations and the season, not on the forecasts. Series for which
    it is not are left out of its mean; a warning says how many.

    Args:
        metric: Name of a metric, checked; None for the default, MASE.
        windows: The held-out windows, all of the same N series.
        levels: Quantile levels to forecast, ascending.

    Raises:
        DataError: If the metric was given, or is ``mae``, and is undefined for all series of a window.
    """
    name = metric or "mase"
    scores = [_scores_of_zeros(name, window, levels) for window in windows]
    if metric is None and any(np.isnan(values).all() for values in scores):
        _logger.warning(
            "MASE is undefined in a held-out window, as each history repeats itself or is not longer than a season: this search "
            "or benchmark scores by the mean absolute error ('mae')"
        )
        return defined_metric(_UNSCALED, windows, levels)
    for values in scores:
        mean_over_series(values, name)
    undefined = np.logical_or.reduce([np.isnan(values) for values in scores])
    if undefined.any():
        reason = _REASONS.get(name, "their held-out steps were not observed")
        _logger.warning(
            "%s is undefined for %d of %d series, which do not count in the score of a window: %s",
            name.upper(), int(undefined.sum()), undefined.size, reason,
        )  # fmt: skip
    return metric


def _scores_of_zeros(metric: str, window: HeldOut, levels: list[float]) -> np.ndarray:
    """Return the scores ``(N,)`` of a forecast of zeros; NaN where the metric is undefined."""
    horizon = int(window.actual.lengths[0])
    actual, past = observed_values(window.actual, horizon), each_observed(window.history)
    zeros = {level: np.zeros_like(actual) for level in levels}
    (values,) = scores_by_series(actual, zeros, past, window.season_length, [metric]).values()
    return values
