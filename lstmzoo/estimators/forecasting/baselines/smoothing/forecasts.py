"""Forecasts of panels by exponential smoothing."""

from collections.abc import Iterator, Sequence

import numpy as np

from lstmzoo.estimators.forecasting.baselines.smoothing.adjustment import adjusted
from lstmzoo.estimators.forecasting.baselines.smoothing.fitting import FEWEST, smoothed
from lstmzoo.preprocessing import Panel

_TOGETHER = 2**18  # values smoothed at once


def smoothed_forecasts(method: str, panel: Panel, steps: int, seasons: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the means ``(N, H)`` of the next steps and their standard deviations.

    Args:
        method: A key of :data:`FORECASTS`.
        panel: N series, filled.
        steps: H.
        seasons: Season lengths, shortest first.
    """
    mean, deviation = np.empty((2, len(panel), steps))
    for rows in _alike(panel.lengths):
        values, lengths = _table(panel, rows), panel.lengths[rows]
        power = np.frexp(np.abs(values).max(axis=1, keepdims=True))[1]  # exact, so that levels and units do not matter
        plain = adjusted(np.ldexp(values, -power), lengths, seasons)
        ahead = plain.restored(*FORECASTS[method](plain.values, lengths, lengths - plain.counts, steps))
        mean[rows], deviation[rows] = (np.ldexp(part, power) for part in ahead)
    return mean, deviation


def theta(values: np.ndarray, lengths: np.ndarray, freedom: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast by the Theta method: the mean of the trend line and of the smoothed line with twice the curvature.

    Args:
        values: ``(N, T)`` series, from the left.
        lengths: ``(N,)`` how many of these T values each series has.
        freedom: ``(N,)`` the same, less the parameters that were estimated before.
        steps: H.
    """
    place = np.arange(values.shape[1])
    known = place < lengths[:, None]
    centred = np.where(known, place - (lengths[:, None] - 1) / 2, 0.0)
    inner = np.where(known, values - values[:, :1], 0.0)
    power = np.einsum("nt,nt->n", centred, centred)
    slope = np.einsum("nt,nt->n", centred, inner) / np.where(power > 0, power, 1.0)
    middle = values[:, 0] + inner.sum(axis=1) / lengths
    line = middle[:, None] + slope[:, None] * centred
    fit = smoothed(np.where(known, 2 * values - line, 0.0), lengths, trend=False)
    mean, spread = fit.forecast(steps)
    ahead = (lengths[:, None] - 1) / 2 + np.arange(1, steps + 1)
    error = fit.error / 2 * np.sqrt(lengths / np.maximum(freedom - 3, 1))
    return (mean + middle[:, None] + slope[:, None] * ahead) / 2, spread * error[:, None]


def damped(values: np.ndarray, lengths: np.ndarray, freedom: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast by exponential smoothing with a damped trend; series of fewer than ten values have no trend.

    Args:
        values: As for :func:`theta`.
        lengths: As for :func:`theta`.
        freedom: As for :func:`theta`.
        steps: H.
    """
    mean, deviation = np.empty((2, len(values), steps))
    for trend in (False, True):
        rows = np.flatnonzero((lengths >= FEWEST) == trend)
        if len(rows):
            fit = smoothed(values[rows], lengths[rows], trend=trend)
            mean[rows], spread = fit.forecast(steps)
            error = fit.error * np.sqrt(lengths[rows] / np.maximum(freedom[rows] - (5 if trend else 2), 1))
            deviation[rows] = spread * error[:, None]
    return mean, deviation


FORECASTS = {"theta": theta, "damped": damped}


def _alike(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the numbers of series of similar lengths, as many as are smoothed at once."""
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        longest = int(lengths[order[first]])
        alike = int(np.searchsorted(-lengths[order], -longest / 2, side="right"))
        last = max(first + 1, min(alike, first + _TOGETHER // longest))
        yield order[first:last]
        first = last


def _table(panel: Panel, rows: np.ndarray) -> np.ndarray:
    """Return series as ``(N, T)``, from the left, then zeros."""
    table = np.zeros((len(rows), int(panel.lengths[rows].max())))
    for values, row in zip(table, rows, strict=True):
        values[: panel.lengths[row]] = panel.series(row)
    return table
