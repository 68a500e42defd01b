"""Missing values of a panel: filled, and remembered as not observed."""

from dataclasses import replace
from typing import Any

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Columns, Panel


def filled(panel: Panel, how: str, columns: Columns) -> Panel:
    """The panel without NaN in values and covariates.

    Args:
        panel: With NaN where something is missing.
        how: ``mask``: by the last value, or the first where there is none yet, and ``observed`` says so; ``interpolate``:
            linearly, in steps (in time, if they are irregular), and at the ends by the nearest.
        columns: Names, for messages.

    Raises:
        DataError: If a series has no value at all.
    """
    missing = np.isnan(panel.values)
    return replace(
        panel,
        values=_filled(panel, panel.values, how, columns.target),
        observed=~missing if how == "mask" and missing.any() else None,
        past=_filled_columns(panel, panel.past, how, columns.past),
        known=_filled_columns(panel, panel.known, how, columns.known),
    )


def _filled_columns(panel: Panel, table: np.ndarray, how: str, names: tuple[str, ...]) -> np.ndarray:
    if not np.isnan(table).any():
        return table
    return np.stack([_filled(panel, table[:, i], how, name) for i, name in enumerate(names)], axis=1)


def _filled(panel: Panel, values: np.ndarray, how: str, name: str) -> np.ndarray:
    missing = np.isnan(values)
    if not missing.any():
        return values
    none = np.logical_and.reduceat(missing, panel.offsets[:-1])
    if none.any():
        raise DataError(f"{name!r} of series {panel.ids[int(none.argmax())]!r} is missing in every row ({int(none.sum())} such "
                        "series in all): drop the series")  # fmt: skip
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


def _neighbours(missing: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows with a value before and after each row of ``gaps``: -1 and R where there is none."""
    whole = np.concatenate([[-1], np.flatnonzero(~missing), [len(missing)]])
    after = np.searchsorted(whole, gaps)
    return whole[after - 1], whole[after]
