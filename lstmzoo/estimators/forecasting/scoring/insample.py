"""Forecasts of each observation of a series from those before it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.preprocessing import Columns, Form, Panel, ahead_of, forecast_frame, observed_values, stack

_TOGETHER = 2**22  # values that are forecast from at once


def insample_frame(forecaster: Any, panel: Panel, form: Form, step: int, *, residuals: bool) -> Any:
    """Observations and their forecasts in rows, by series and time.

    Args:
        forecaster: Fitted.
        panel: N series, unfilled.
        form: What the user passed; for a series or array the answer is a frame without ids.
        step: Steps from the end of a history to what is forecast from it.
        residuals: Whether a column ``residual`` is added.

    Raises:
        ConfigError: If a column of the user's is named as that of residuals is.
        DataError: If every series is too short.
    """
    params = forecaster.params_
    if residuals and "residual" in (params.columns.id, params.columns.time, params.columns.target):
        raise ConfigError("a column is named 'residual', as the column of residuals is: rename yours, and fit")
    fewest = np.maximum(forecaster._fewest_rows, _first_whole_rows(panel) + 1)
    if (panel.lengths < fewest + step).all():
        longest = int((panel.lengths - fewest).argmax())
        raise DataError(
            f"no series is long enough: {panel.ids[longest]!r} has {panel.lengths[longest]} observations, but "
            f"{fewest[longest]} are forecast from, {step} ahead"
        )
    parts: list[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]] = []
    for number, history, actual in _histories(forecaster, panel, fewest, step):
        ahead = ahead_of(actual, step)
        columns = forecaster._forecast_columns(history, list(params.quantiles), ahead)
        last = {name: values[:, -1] for name, values in columns.items()}
        y = observed_values(actual, step)[:, -1]
        parts.append((number, ahead.times[:, -1], {params.columns.target: y, **last}))
    series, times = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    order = np.lexsort((times, series))
    names = parts[0][2]
    data = {name: np.concatenate([part[2][name] for part in parts])[order, None] for name in names}
    if residuals:
        data["residual"] = data[params.columns.target] - data["y_hat"]
    columns = params.columns
    if form.kind != "frame":
        form, columns = replace(form, kind="frame", index=None), Columns(None, columns.time, columns.target)
    return forecast_frame(panel.tail(1).select(series[order]), data, form, columns, times[order, None])


def _histories(
    forecaster: Any, panel: Panel, fewest: np.ndarray, step: int
) -> Iterator[tuple[np.ndarray, Panel, Panel]]:
    """The numbers of series, what a forecast needs of their histories, and the steps that follow, of many at a time."""
    pending: list[tuple[np.ndarray, Panel, Panel]] = []
    size, most = 0, int((panel.lengths - fewest).max()) - step
    for after in range(most + 1):
        some = np.flatnonzero(panel.lengths - after >= fewest + step)
        history, actual = forecaster.params_.parted(panel.select(some).head(after), step)
        pending.append((some, forecaster._needed(history), actual))
        size += len(pending[-1][1].values)
        if size > _TOGETHER or after == most:
            numbers, histories, actuals = zip(*pending, strict=True)
            yield np.concatenate(numbers), stack(list(histories)), stack(list(actuals))
            pending, size = [], 0


def _first_whole_rows(panel: Panel) -> np.ndarray:
    """``(N,)`` the first row of each series up to which every column has had a value."""
    first = np.zeros(len(panel), dtype=np.int64)
    rows = np.arange(len(panel.values)) - np.repeat(panel.offsets[:-1], panel.lengths)
    for column in (panel.values, *panel.past.T, *panel.known.T):
        there = np.where(np.isnan(column), len(panel.values), rows)
        first = np.maximum(first, np.minimum.reduceat(there, panel.offsets[:-1]))
    return first
