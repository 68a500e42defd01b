"""Time steps: frequencies as pandas offsets, the times that follow, and times in messages."""

import re
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

LAST_DAY = 28  # the last day that every month has
_DAY_OF_MONTH = re.compile(r"(?P<months>[1-9]\d?)?MS\+(?P<day>[1-9]|1\d|2[0-7])D")


def offset_of(freq: str) -> BaseOffset:
    """Return the pandas offset of a frequency: a pandas alias, or a day of the month as in ``MS+14D``, the 15th.

    Raises:
        ValueError: If it is neither of these.

    Examples:
        >>> offset_of("MS"), offset_of("3MS+14D")
        (<MonthBegin>, <DateOffset: months=3>)
    """
    match = _DAY_OF_MONTH.fullmatch(freq)
    if match is None:
        return pd.tseries.frequencies.to_offset(freq)
    return pd.DateOffset(months=int(match["months"] or 1))


def day_of_month(months: int, day: int) -> str:
    """Return the frequency of steps of whole months, always on the same day.

    Examples:
        >>> day_of_month(1, 15), day_of_month(12, 2)
        ('MS+14D', '12MS+1D')
    """
    return f"{months if months > 1 else ''}MS+{day - 1}D"


def months_of(freq: str) -> int | None:
    """Return the months in a step that keeps to a day of the month; None for other frequencies."""
    match = _DAY_OF_MONTH.fullmatch(freq)
    return int(match["months"] or 1) if match else None


def fixed_step(freq: str | int) -> int | np.timedelta64 | None:
    """Return the length of a time step, an integer or timedelta64[us]; None if it depends on the calendar."""
    if isinstance(freq, int):
        return freq
    offset = offset_of(freq)
    if not isinstance(offset, pd.offsets.Tick | pd.offsets.Day):
        return None
    return np.timedelta64(pd.Timedelta(offset.freqstr if offset.n != 1 else "1" + offset.freqstr)).astype(
        "timedelta64[us]"
    )


def step_times(start: Any, freq: str | int, steps: int) -> np.ndarray:
    """Return the ``abs(steps)`` times after ``start``; if ``steps`` is negative, those before it, the nearest first."""
    count = abs(steps)
    step = fixed_step(freq)
    if step is not None:
        return start + step * np.sign(steps) * np.arange(1, count + 1)
    offset = offset_of(str(freq))
    span = pd.date_range(start, periods=count + 1, freq=offset if steps >= 0 else -1 * offset, unit="us")
    return span.to_numpy()[1:]


def is_shorter_than_a_day(freq: str | int) -> bool:
    """Return whether steps are shorter than a day, so that they are regular in UTC instead of local time."""
    offset = None if isinstance(freq, int) else offset_of(freq)
    return isinstance(offset, pd.offsets.Tick) and pd.Timedelta(offset) % pd.Timedelta("1D") != pd.Timedelta(0)


def time_text(time: Any) -> str:
    """Return a time as text for messages: a number, a date, or a date with a time of day."""
    if isinstance(time, np.datetime64):
        stamp = pd.Timestamp(time)
        return str(stamp.date()) if stamp == stamp.normalize() else str(stamp)
    return str(time)


def time_kind(times: np.ndarray, tz: str | None) -> str:
    """Return the kind of times in words, for messages."""
    if times.dtype == np.int64:
        return "integers"
    return "timestamps without a time zone" if tz is None else f"timestamps in the time zone {tz}"
