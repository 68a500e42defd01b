"""Plots of forecasts, after the end of their series or over later observations."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lstmzoo.figures import Figure
from lstmzoo.preprocessing import Columns, Panel, user_times


def draw_forecast(
    panel: Panel, observed: np.ndarray, times: np.ndarray, forecasts: dict[float, np.ndarray], shown: int
) -> Figure:
    """Draw forecasts after the end of their series, with a band between the outermost quantiles.

    Args:
        panel: N series.
        observed: Their values ``(R,)``; NaN if missing.
        times: Times ``(N, H)`` of the forecasts.
        forecasts: Forecasts ``(N, H)`` by level, 0.5 among them.
        shown: Steps of each series to draw, at most.
    """
    figure, axes = _figure(list(panel.ids))
    levels = sorted(forecasts)
    for i, axis in enumerate(axes):
        past = slice(max(panel.offsets[i], panel.offsets[i + 1] - shown), panel.offsets[i + 1])
        steps = user_times(times[i], panel.freq, panel.tz, panel.own)
        axis.plot(
            user_times(panel.times[past], panel.freq, panel.tz, panel.own),
            observed[past],
            color="0.3",
            label="observed",
        )
        axis.plot(steps, forecasts[0.5][i], color="C0", label="forecast")
        if len(levels) > 1:
            low, high = levels[0], levels[-1]
            label = f"{low:g} to {high:g} quantile"
            axis.fill_between(steps, forecasts[low][i], forecasts[high][i], alpha=0.25, label=label)
    figure.axes[0].legend()
    return figure


def draw_backtest(frame: pd.DataFrame, names: list, columns: Columns) -> Figure:
    """Draw the forecast of each window over the observations, with a band between the outermost quantiles.

    Args:
        frame: Frame that :meth:`lstmzoo.Forecaster.cross_validation` returned.
        names: Ids of the series to draw.
        columns: The frame's column names.
    """
    ids = frame[columns.id] if columns.id in frame else pd.Series(0, index=frame.index)
    names_of_bands = [str(c) for c in frame if str(c).startswith("y_hat_q")]
    bands = sorted(names_of_bands, key=lambda c: float(c.removeprefix("y_hat_q")))
    figure, axes = _figure(names)
    for axis, name in zip(axes, names, strict=True):
        one = frame[ids == name]
        observed = one.drop_duplicates(columns.time).sort_values(columns.time)
        axis.plot(observed[columns.time], observed[columns.target], color="0.3", label="observed")
        for i, (_, window) in enumerate(one.groupby("cutoff")):
            axis.plot(window[columns.time], window["y_hat"], color="C0", label=None if i else "forecasts")
            if len(bands) > 1:
                axis.fill_between(window[columns.time], window[bands[0]], window[bands[-1]], color="C0", alpha=0.2)
            axis.axvline(window["cutoff"].iloc[0], color="0.8", linewidth=0.8, zorder=0)
    figure.axes[0].legend()
    return figure


def _figure(titles: list) -> tuple[Figure, list[Axes]]:
    """A figure of two columns, and an axis for each title."""
    rows, wide = -(-len(titles) // 2), min(2, len(titles))
    figure = Figure(figsize=(6 * wide, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, wide, squeeze=False).ravel()
    for axis, title in zip(axes, titles, strict=False):
        axis.set_title(str(title))
        axis.tick_params(axis="x", rotation=20)
    for axis in axes[len(titles) :]:
        axis.set_axis_off()
    return figure, list(axes[: len(titles)])
