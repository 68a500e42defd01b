"""Filling missing values of a panel, which then count as not observed."""

from dataclasses import replace
from typing import Any

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.panel import Columns, Panel, was_observed
from lstmzoo.timesteps import time_text


def filled(panel: Panel, how: str, columns: Columns, held_out: int = 0) -> Panel:
    """Return the panel without NaN in values and covariates; its ``observed`` tells which values were filled.

    Args:
        panel: Panel with NaN where something is missing.
        how: ``mask`` fills with the last value, or with the first one if there is none before. ``interpolate`` fills
            linearly, over steps (over time if these are irregular), and at the ends with the nearest value. Past covariates
            and categories are always filled with the last value.
        columns: Names of the columns, for messages.
        held_out: Number of held-out steps at the end of each series. Earlier gaps are filled without using them, and each of
            them is filled with the last value before it, so that no step tells of later ones.

    Raises:
        DataError: If a series has no value at all, or none before the held-out steps.
    """
    if not (np.isnan(panel.values).any() or np.isnan(panel.past).any() or np.isnan(panel.known).any()):
        return panel
    if held_out:
        first = filled(panel.head(held_out), how, columns)
        panel, how = first.extended(panel.tail(held_out), np.arange(len(panel))), "mask"
    missing = np.isnan(panel.values)
    return replace(
        panel,
        values=_filled(panel, panel.values, how, columns.target),
        observed=was_observed(panel) & ~missing if missing.any() else panel.observed,
        past=_filled_columns(panel, panel.past, "mask", columns.past),
        known=_filled_columns(panel, panel.known, how, columns.known),
    )


def with_known_filled(panel: Panel, how: str, columns: Columns) -> Panel:
    """Return the panel without NaN in its future covariates; values and past covariates are unchanged.

    Raises:
        DataError: If a series has no value of a future covariate.
    """
    return replace(panel, known=_filled_columns(panel, panel.known, how, columns.known))


def open_ended(panel: Panel) -> Panel:
    """Return the panel with NaN after the last observed value of each series that has one."""
    if panel.observed is None:
        return panel
    rows = np.arange(len(panel.values))
    last = np.maximum.reduceat(np.where(panel.observed, rows, -1), panel.offsets[:-1])
    last = np.repeat(np.where(last < 0, len(rows), last), panel.lengths)
    return replace(panel, values=np.where(rows > last, np.nan, panel.values))


def _filled_columns(panel: Panel, table: np.ndarray, how: str, names: tuple[str, ...]) -> np.ndarray:
    if not np.isnan(table).any():
        return table
    return np.stack(
        [_filled(panel, table[:, i], "mask" if name in panel.labels else how, name) for i, name in enumerate(names)],
        axis=1,
    )


def _filled(panel: Panel, values: np.ndarray, how: str, name: str) -> np.ndarray:
    missing = np.isnan(values)
    if not missing.any():
        return values
    _check_not_empty(panel, missing, name)
    gaps = np.flatnonzero(missing)
    before, after = _neighbours(missing, gaps)
    series = np.searchsorted(panel.offsets, gaps, side="right") - 1
    has_before, has_after = before >= panel.offsets[series], after < panel.offsets[series + 1]
    answer = values.copy()
    nearest = np.where(has_before, before, after)
    answer[gaps] = values[nearest]
    if how == "interpolate":
        both = has_before & has_after
        low, high, row = before[both], after[both], gaps[both]
        place: Any = panel.times if panel.irregular else np.arange(len(values))
        share = (place[row] - place[low]) / (place[high] - place[low])
        answer[row] = values[low] + share * (values[high] - values[low])
    return answer


def _check_not_empty(panel: Panel, missing: np.ndarray, name: str) -> None:
    count = np.concatenate([[0], np.cumsum(missing)])
    none = (np.diff(count[panel.offsets]) == panel.lengths) & (panel.lengths > 0)
    if none.any():
        i = int(none.argmax())
        raise DataError(f"{name!r} of series {panel.ids[i]!r} is missing in every row up to "
                        f"{time_text(panel.times[panel.offsets[i + 1] - 1])} ({int(none.sum())} such series in all): drop the "
                        "series")  # fmt: skip


def _neighbours(missing: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest rows with a value before and after each row of ``gaps``: -1 and R if there is none."""
    whole = np.concatenate([[-1], np.flatnonzero(~missing), [len(missing)]])
    after = np.searchsorted(whole, gaps)
    return whole[after - 1], whole[after]
