"""The panel: many regular time series in one flat array."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Panel:
    """N regular time series, one after the other, R rows in all.

    Attributes:
        ids: ``(N,)`` the series' names.
        offsets: ``(N + 1,)`` where each series begins; series i is ``values[offsets[i]:offsets[i + 1]]``.
        values: ``(R,)`` float64.
        times: ``(R,)`` int64 steps, or datetime64[us]: in UTC where ``freq`` is shorter than a day, else as on the wall.
        freq: A pandas frequency alias, or an integer step.
        tz: Time zone of the user's timestamps, if they have one.
    """

    ids: np.ndarray
    offsets: np.ndarray
    values: np.ndarray
    times: np.ndarray
    freq: str | int
    tz: str | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        """``(N,)`` observations in each series."""
        return np.diff(self.offsets)

    @property
    def has_calendar(self) -> bool:
        """Whether time is a date, rather than a count."""
        return not isinstance(self.freq, int)

    def series(self, i: int) -> np.ndarray:
        """The values of series i."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @cached_property
    def inner(self) -> np.ndarray:
        """``(R - 1,)`` whether row r and row r + 1 are of the same series."""
        inner = np.ones(len(self.values) - 1, dtype=bool)
        inner[self.offsets[1:-1] - 1] = False
        return inner

    def name_of(self, row: int) -> Any:
        """The name of the series that a row is of."""
        return self.ids[np.searchsorted(self.offsets, row, side="right") - 1]

    def rows(self, first: np.ndarray, last: np.ndarray) -> "Panel":
        """Of each series i, the rows ``first[i]`` up to ``last[i]``, counted from the series' start."""
        lengths = last - first
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        take = np.repeat(self.offsets[:-1] + first - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(self, offsets=offsets, values=self.values[take], times=self.times[take])

    def head(self, drop: int) -> "Panel":
        """Each series without its last ``drop`` observations."""
        return self.rows(np.zeros_like(self.lengths), np.maximum(self.lengths - drop, 0))

    def tail(self, keep: int) -> "Panel":
        """The last ``keep`` observations of each series."""
        return self.rows(np.maximum(self.lengths - keep, 0), self.lengths)

    def select(self, keep: np.ndarray) -> "Panel":
        """The series whose indices are in ``keep``."""
        lengths = self.lengths[keep]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        take = np.repeat(self.offsets[:-1][keep] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(self, ids=self.ids[keep], offsets=offsets, values=self.values[take], times=self.times[take])

    def padded(self, length: int) -> "Panel":
        """Series shorter than ``length`` made longer, at the left, by repeating their first value."""
        missing = np.maximum(length - self.lengths, 0)
        if not missing.any():
            return self
        pieces = [np.concatenate([np.full(m, self.series(i)[0]), self.series(i)]) for i, m in enumerate(missing)]
        times = [
            np.concatenate([step_times(self.times[self.offsets[i]], self.freq, -m)[::-1], self.times[o : self.offsets[i + 1]]])
            for i, (m, o) in enumerate(zip(missing, self.offsets[:-1], strict=True))
        ]  # fmt: skip
        offsets = np.concatenate([[0], np.cumsum(self.lengths + missing)])
        return replace(self, offsets=offsets, values=np.concatenate(pieces), times=np.concatenate(times))

    def future_times(self, horizon: int) -> np.ndarray:
        """``(N, H)`` the time steps that follow each series."""
        last = self.times[self.offsets[1:] - 1]
        unique, inverse = np.unique(last, return_inverse=True)
        return np.stack([step_times(t, self.freq, horizon) for t in unique])[inverse]


def step_times(start: Any, freq: str | int, steps: int) -> np.ndarray:
    """The ``abs(steps)`` times after ``start``, or before it, nearest first, if ``steps`` is negative."""
    count = abs(steps)
    if isinstance(freq, int):
        return start + freq * np.sign(steps) * np.arange(1, count + 1)
    offset = pd.tseries.frequencies.to_offset(freq)
    span = pd.date_range(start, periods=count + 1, freq=offset if steps >= 0 else -1 * offset, unit="us")
    return span.to_numpy()[1:]


def is_shorter_than_a_day(freq: str | int) -> bool:
    """Whether time steps count hours or less, so that they are regular in UTC rather than on the wall."""
    offset = None if isinstance(freq, int) else pd.tseries.frequencies.to_offset(freq)
    return isinstance(offset, pd.offsets.Tick) and pd.Timedelta(offset) % pd.Timedelta("1D") != pd.Timedelta(0)


def time_text(time: Any) -> str:
    """A time step as text: a number, a date, or a date and time."""
    if isinstance(time, np.datetime64):
        stamp = pd.Timestamp(time)
        return str(stamp.date()) if stamp == stamp.normalize() else str(stamp)
    return str(time)
