"""Forecasts of each observation of a series from those before it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.estimators.forecasting.scoring._base import PanelModel, forecast_columns, together
from lstmzoo.preprocessing import Panel, ahead_of, observed_values


class InSample(NamedTuple):
    """Observations and their forecasts, by series and time.

    Attributes:
        series: ``(R,)`` which series each is of.
        times: ``(R,)``.
        actual: ``(R,)`` the observations, NaN where a value is missing.
        forecasts: ``(R,)`` by column name.
    """

    series: np.ndarray
    times: np.ndarray
    actual: np.ndarray
    forecasts: dict[str, np.ndarray]


def insample_forecasts(
    model: PanelModel,
    panel: Panel,
    step: int,
    parted: Callable[[Panel, int], tuple[Panel, Panel]],
    quantiles: tuple[float, ...],
) -> InSample:
    """Forecast each observation that has enough before it.

    Args:
        model: The fitted model.
        panel: N series, unfilled.
        step: Steps from the end of a history to the observation that is forecast.
        parted: Splits series into histories, and so many last steps.
        quantiles: Levels to forecast besides the median.

    Raises:
        DataError: If every series is too short.
    """
    fewest = np.maximum(model.fewest_rows, _first_whole_rows(panel) + 1)
    spare = panel.lengths - fewest - step
    if (spare < 0).all():
        longest = int(spare.argmax())
        raise DataError(
            f"no series is long enough: {panel.ids[longest]!r} has {panel.lengths[longest]} observations, but "
            f"{fewest[longest]} are forecast from, {step} ahead"
        )
    origins = [np.flatnonzero(spare >= after) for after in range(int(spare.max()) + 1)]
    parts = (parted(panel.select(some).head(after), step) for after, some in enumerate(origins))
    pieces: list[dict[str, np.ndarray]] = []
    for history, actual in together((model.needed(history), actual) for history, actual in parts):
        ahead = ahead_of(actual, step)
        columns = forecast_columns(model, history, quantiles, ahead)
        pieces.append({"times": ahead.times, "actual": observed_values(actual, step)} | columns)
    series = np.concatenate(origins)
    last = {name: np.concatenate([piece[name][:, -1] for piece in pieces]) for name in pieces[0]}
    order = np.lexsort((last["times"], series))
    ordered = {name: values[order] for name, values in last.items()}
    return InSample(series[order], ordered.pop("times"), ordered.pop("actual"), ordered)


def _first_whole_rows(panel: Panel) -> np.ndarray:
    """``(N,)`` the first row of each series up to which every column has had a value."""
    first = np.zeros(len(panel), dtype=np.int64)
    rows = np.arange(len(panel.values)) - np.repeat(panel.offsets[:-1], panel.lengths)
    for column in (panel.values, *panel.past.T, *panel.known.T):
        there = np.where(np.isnan(column), len(panel.values), rows)
        first = np.maximum(first, np.minimum.reduceat(there, panel.offsets[:-1]))
    return first
