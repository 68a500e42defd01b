"""Which values of a panel were observed, and which were filled in."""

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.panel import Panel, was_observed
from lstmzoo.timesteps import time_text


def observed_values(panel: Panel, horizon: int | None = None) -> np.ndarray:
    """Return the values, NaN where none was observed: ``(R,)``, or ``(N, horizon)``."""
    values = panel.values if panel.observed is None else np.where(panel.observed, panel.values, np.nan)
    return values if horizon is None else values.reshape(len(panel), horizon)


def observed_series(panel: Panel) -> list[np.ndarray]:
    """Return each series from its first observed value on; the whole series if none was observed."""
    start = unobserved_at_start(panel)
    start = np.where(start < panel.lengths, start, 0)
    return [panel.series(i)[n:] for i, n in enumerate(start)]


def unobserved_at_start(panel: Panel) -> np.ndarray:
    """``(N,)`` the number of values before the first observed value of each series."""
    if panel.observed is None:
        return np.zeros_like(panel.lengths)
    first = np.where(panel.observed, np.arange(len(panel.values)), len(panel.values))
    return np.minimum(np.minimum.reduceat(first, panel.offsets[:-1]) - panel.offsets[:-1], panel.lengths)


def padding_from(panel: Panel) -> np.ndarray:
    """``(R,)`` the number of rows of padding from each row on: unobserved rows that repeat the next observed value.

    A short series is padded with its first value, and missing values at its start are filled with it. The rows of a later gap
    have the value before it, or are interpolated; they count as padding, too, where that is the value after the gap.

    Examples:
        >>> values, observed = np.array([5.0, 5, 5, 6]), np.array([False, False, True, True])
        >>> padding_from(Panel(np.array(["a"]), np.array([0, 4]), values, np.arange(4), 1, observed=observed))
        array([2, 1, 0, 0])
    """
    if panel.observed is None:
        return np.broadcast_to(np.int64(0), len(panel.values))
    rows, ends = np.arange(len(panel.values)), np.repeat(panel.offsets[1:], panel.lengths)
    following = np.minimum.accumulate(np.where(panel.observed, rows, len(rows))[::-1])[::-1]
    repeated = panel.values == panel.values[np.minimum(following, ends - 1)]
    return np.where((following < ends) & repeated, following - rows, 0)


def last_observed(panel: Panel) -> np.ndarray:
    """``(R,)`` the row of the last observed value up to each row; the first row of the series if there is none."""
    rows = np.where(was_observed(panel), np.arange(len(panel.values)), 0)
    return np.maximum.accumulate(np.maximum(rows, np.repeat(panel.offsets[:-1], panel.lengths)))


def any_observed(panel: Panel, steps: int) -> bool:
    """Return whether any series has an observed value in its last steps."""
    last = panel.tail(steps)
    return bool((was_observed(last) & np.isfinite(last.values)).any())


def check_observed(panel: Panel, steps: int, what: str, advice: str) -> None:
    """Refuse a panel in which no series has an observed value in its last steps.

    Args:
        panel: Panel, filled or with NaN where values are missing.
        steps: Number of last steps.
        what: What the steps are used for, for the message.
        advice: What the user can do, for the message.

    Raises:
        DataError: If there is no such value; the message names the first series and the steps.
    """
    if any_observed(panel, steps):
        return
    last = panel.tail(steps)
    first, end = last.times[0], last.times[last.lengths[0] - 1]
    more = f", nor has any other of the {len(panel)} series in its last steps" if len(panel) > 1 else ""
    raise DataError(
        f"series {panel.ids[0]!r} has no observed value from {time_text(first)} to {time_text(end)}, the {steps} steps {what}"
        f"{more}: {advice}"
    )
