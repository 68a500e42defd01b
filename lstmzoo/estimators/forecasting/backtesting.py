"""Forecasts of what has already been observed: from origins that roll on, with their scores."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.options import require_counts
from lstmzoo.preprocessing import Columns, Form, Panel, forecast_frame, stack

_TOGETHER = 2**22  # values that are forecast from at once


def check_origins(panel: Panel, horizon: int, n_windows: int, step_size: int) -> None:
    """Refuse numbers of windows that the series are too short for.

    Raises:
        ConfigError: If a number is not a whole one above 0.
        DataError: If a series is too short.
    """
    require_counts(n_windows=n_windows, step_size=step_size)
    dropped = horizon + (n_windows - 1) * step_size
    if (panel.lengths <= dropped).any():
        i = int((panel.lengths <= dropped).argmax())
        raise DataError(f"series {panel.ids[i]!r} has {panel.lengths[i]} observations, too few for {n_windows} windows: they "
                        f"take {dropped}, and something is to be fitted: lower n_windows or step_size, or drop it")  # fmt: skip


def origins(
    panel: Panel, n_windows: int, step_size: int, parted: Callable[[Panel], tuple[Panel, Panel]]
) -> Iterator[tuple[Panel, Panel]]:
    """Of each window, oldest first, or of several together: the histories, and the steps that follow.

    Args:
        panel: N series.
        n_windows: Windows; the last ends where the series do.
        step_size: Steps between one window and the next.
        parted: What there is at a window's end, as what a forecast needs of the history, and the steps that follow.
    """
    pending: list[tuple[Panel, Panel]] = []
    size = 0
    for window in range(n_windows):
        after = (n_windows - 1 - window) * step_size
        pending.append(parted(panel.head(after)))
        size += len(pending[-1][0].values)
        if size > _TOGETHER or window == n_windows - 1:
            histories, actual = zip(*pending, strict=True)
            yield stack(list(histories)), stack(list(actual))
            pending, size = [], 0


def backtest_frame(
    history: Panel,
    actual: np.ndarray,
    times: np.ndarray,
    forecasts: dict[str, np.ndarray],
    form: Form,
    columns: Columns,
) -> Any:
    """Id, time, ``cutoff`` (the last time of the history), what was observed and what was forecast, in rows.

    Args:
        history: The N histories.
        actual: ``(N, H)``, NaN where nothing was observed.
        times: ``(N, H)``.
        forecasts: ``(N, H)`` by column name.
        form: What the user passed; for a series or array the answer is a frame without ids.
        columns: The frame's column names.
    """
    cutoffs = np.repeat(history.times[history.offsets[1:] - 1][:, None], times.shape[1], axis=1)
    data = {columns.target: actual, "cutoff": cutoffs, **forecasts}
    if form.kind != "frame":
        form, columns = replace(form, kind="frame", index=None), Columns(None, columns.time, columns.target)
    return forecast_frame(history, data, form, columns, times, time_columns=("cutoff",))
