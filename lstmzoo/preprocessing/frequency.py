"""The frequency of a panel: inferred or given, and checked for every series; or the usual step of irregular series."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel, spans
from lstmzoo.timesteps import (
    LAST_DAY,
    day_of_month,
    fixed_step,
    is_shorter_than_a_day,
    months_of,
    offset_of,
    step_times,
    time_text,
)

_MOST_ROWS = 10_000_000  # that filled gaps may add, or as many as there are rows
_MOST_TIMES = 100  # by this factor a series may become longer
_SHORT = 10_000  # rows that a series of any length may become


def with_frequency(panel: Panel, wall: np.ndarray, freq: str | int | None, *, gaps: bool = False) -> Panel:
    """Return the panel with its frequency, inferred or given, after checking every series.

    Args:
        panel: Sorted panel without duplicate times.
        wall: ``(R,)`` its local times.
        freq: pandas frequency alias, or integer step; inferred if None.
        gaps: Whether gaps become rows without values, with the last future covariates; otherwise they are refused.
    """
    _check_kind(panel, freq)
    if panel.times.dtype == np.int64:
        panel = replace(panel, freq=_integer_step(panel) if freq is None else freq)
    else:
        alias = _canonical(freq) if freq is not None else _infer(panel, wall, gaps=gaps)
        panel = replace(panel, freq=alias, times=panel.times if is_shorter_than_a_day(alias) else wall)
        _check_day(panel, given=freq is not None)
    if gaps:
        return with_rows_in_gaps(panel)
    _check_regular(panel, given=freq is not None)
    return panel


def with_usual_step(panel: Panel, wall: np.ndarray, freq: str | int | None) -> Panel:
    """Return the panel as irregular; its frequency is the median step, or the given one.

    Raises:
        DataError: If no frequency is given and no series has two rows, or if it depends on the calendar.
    """
    _check_kind(panel, freq)
    if freq is None:
        steps = np.diff(panel.times)[panel.inner].astype(np.int64)
        if not len(steps):
            raise DataError("the usual time step cannot be told from series of one row each: pass " + arg(freq=...))
        usual = max(1, round(float(np.median(steps))))
    else:
        fixed = freq if isinstance(freq, int) else fixed_step(_canonical(freq))
        if fixed is None:
            raise DataError(f"{arg(freq=freq)} has no fixed length, which the usual step of irregular series needs: pass for "
                            "instance 'D' or 'h', or None for the median")  # fmt: skip
        usual = int(fixed) if isinstance(fixed, int) else int(fixed.astype(np.int64))
    if panel.times.dtype == np.int64:
        return replace(panel, freq=usual, irregular=True)
    alias = f"{usual // 10**6}s" if usual % 10**6 == 0 else f"{usual}us"
    panel = replace(panel, freq=alias, irregular=True, times=panel.times if is_shorter_than_a_day(alias) else wall)
    back = (np.diff(panel.times) <= np.timedelta64(0)) & panel.inner
    if back.any():
        row = int(back.argmax())
        raise DataError(f"the local times of series {panel.name_of(row)!r} go back after {time_text(panel.times[row])}, where "
                        "clocks change: convert them to UTC")  # fmt: skip
    return panel


def _check_kind(panel: Panel, freq: str | int | None) -> None:
    integers = panel.times.dtype == np.int64
    if freq is not None and integers != isinstance(freq, int):
        raise DataError(f"{arg(freq=freq)} does not fit a time column of {'integers' if integers else 'timestamps'}")
    if isinstance(freq, int) and freq < 1:
        raise DataError(f"{arg(freq=freq)}: an integer step has to be 1 or more")


def _integer_step(panel: Panel) -> int:
    steps = np.diff(panel.times)[panel.inner]
    return int(steps.min()) if len(steps) else 1


def _canonical(freq: str | int) -> str:
    try:
        offset = offset_of(str(freq))
    except ValueError:
        raise DataError(
            f"{arg(freq=freq)} is not a pandas frequency; for instance: 'h', 'D', 'W', 'MS', 'QS', '15min', or 'MS+14D' for the "
            "15th of each month"
        ) from None
    if months_of(str(freq)) is not None:
        return str(freq)
    step = fixed_step(offset.freqstr)
    if offset.n < 1 or (step is not None and step < np.timedelta64(1, "us")):
        raise DataError(f"{arg(freq=freq)} is not a step forward of a microsecond or more")
    return offset.freqstr


def _infer(panel: Panel, wall: np.ndarray, *, gaps: bool) -> str:
    longest = int(panel.lengths.argmax())
    first, last = panel.offsets[longest], panel.offsets[longest + 1]
    if last - first < 3:
        raise DataError(
            f"the frequency cannot be inferred from {last - first} rows of series {panel.ids[longest]!r}: pass "
            f"{arg(freq=...)}"
        )
    freq = _infer_one(wall[first:last], gaps=gaps)
    if panel.tz is not None and (freq is None or is_shorter_than_a_day(freq)):
        freq = _infer_one(panel.times[first:last], gaps=gaps)  # hours are regular in UTC, days and longer on the wall
    if freq is None:
        raise DataError(
            f"the time steps of series {panel.ids[longest]!r} are irregular: no frequency fits them; resample, pass "
            f"{arg(freq=...)}, or pass {arg(irregular=True)}"
        )
    return freq


def _infer_alias(index: pd.DatetimeIndex) -> str | None:
    """Return the frequency alias of regular timestamps; pandas returns a string or an offset, depending on its version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        found = pd.infer_freq(index)
    return getattr(found, "freqstr", found)


def _infer_one(times: np.ndarray, *, gaps: bool) -> str | None:
    """Return the most common frequency among stretches of a series, so that gaps do not hide it; shorter ones with ``gaps``."""
    index = pd.DatetimeIndex(times)
    same_day = _day_of_month(index)
    if same_day is not None:
        return same_day
    whole = _infer_alias(index[:4096])
    if whole is not None:
        return whole
    for longest, count in ((8, 24), (5, 100), (3, 400)) if gaps else ((8, 24),):
        width = min(longest, len(index))
        starts = np.unique(np.linspace(0, len(index) - width, count).astype(int))
        found = [f for f in (_infer_alias(index[s : s + width]) for s in starts) if f is not None]
        if found:
            return max(sorted(set(found)), key=found.count)
    return None


def _day_of_month(index: pd.DatetimeIndex) -> str | None:
    """Return the frequency of times that keep to a day of the month after the first, and to a time of day; otherwise None."""
    if not 1 < index[0].day <= LAST_DAY or (index.day != index[0].day).any():
        return None
    months = np.diff(index.year * 12 + index.month)
    if len(months) < 2 or (months < 1).any() or (index - index.normalize()).nunique() > 1:
        return None
    step = int(np.gcd.reduce(months))
    return day_of_month(step, index[0].day) if step < 100 else None


def _check_day(panel: Panel, *, given: bool) -> None:
    """Refuse times on another day of the month than the frequency's."""
    if months_of(str(panel.freq)) is None:
        return
    day = int(str(panel.freq).partition("+")[2].removesuffix("D")) + 1
    off = pd.DatetimeIndex(panel.times).day != day
    if off.any():
        row = int(off.argmax())
        whose = "that is expected" if given else "of others"
        raise DataError(
            f"mixed frequencies: series {panel.name_of(row)!r} has the time {time_text(panel.times[row])}, which is not on day "
            f"{day} of the month, as the freq {panel.freq!r} {whose}: fit them apart, or resample"
        )


def _check_regular(panel: Panel, *, given: bool) -> None:
    row = _first_irregular(panel)
    if row is None:
        return
    i = int(np.searchsorted(panel.offsets, row, side="right") - 1)
    times = panel.times[panel.offsets[i] : panel.offsets[i + 1]]
    own = _own_freq(times, panel)
    if own is not None and own != panel.freq:
        others = f"not the freq {panel.freq!r} that is expected" if given else f"others have {panel.freq!r}"
        raise DataError(
            f"mixed frequencies: series {panel.ids[i]!r} has {own!r}, {others}: fit them apart, or resample"
        )
    before = panel.times[row - 1]
    expected = step_times(before, panel.freq, 1)[0] if row > panel.offsets[i] else None
    if expected is None or panel.times[row] < expected:
        raise _off_grid(panel, row)
    raise DataError(
        f"series {panel.ids[i]!r} has a gap: nothing between {time_text(before)} and {time_text(panel.times[row])}, "
        f"where {time_text(expected)} should follow (freq {panel.freq!r}): pass {arg(missing='mask')} or "
        f"{arg(missing='interpolate')}, or fill it first, for instance with utilsforecast.preprocessing.fill_gaps"
    )


def _off_grid(panel: Panel, row: int) -> DataError:
    return DataError(
        f"series {panel.name_of(row)!r} does not keep to freq {panel.freq!r} at {time_text(panel.times[row])}: resample, "
        f"pass another {arg(freq=...)}, or pass {arg(irregular=True)}"
    )


def _own_freq(times: np.ndarray, panel: Panel) -> str | int | None:
    """Return the frequency of one series; None if it is irregular."""
    if isinstance(panel.freq, int):
        steps = np.unique(np.diff(times))
        return int(steps[0]) if len(steps) == 1 else None
    index = pd.DatetimeIndex(times)
    if panel.tz is not None and is_shorter_than_a_day(panel.freq):
        index = index.tz_localize("UTC").tz_convert(panel.tz)
    return (_day_of_month(index) or _infer_alias(index)) if len(index) > 2 else None


def _first_irregular(panel: Panel) -> int | None:
    """Return the first row that is not one step after the previous row, or not on the frequency's grid; otherwise None."""
    step = fixed_step(panel.freq)
    if step is not None:
        bad = (np.diff(panel.times) != step) & panel.inner
        return int(bad.argmax()) + 1 if bad.any() else None
    offset = offset_of(str(panel.freq))
    grids: dict[tuple[np.datetime64, int], np.ndarray] = {}
    for i, n in enumerate(panel.lengths):
        times = panel.times[panel.offsets[i] : panel.offsets[i + 1]]
        key = (times[0], n)
        if key not in grids:
            grids[key] = pd.date_range(times[0], periods=n, freq=offset, unit="us").to_numpy()
        bad = times != grids[key]
        if bad.any():
            return int(panel.offsets[i] + bad.argmax())
    return None


def with_rows_in_gaps(panel: Panel) -> Panel:
    """Return the panel with a row at every step between the first and the last of each series.

    New rows have NaN as values and past covariates, and the last future covariates.

    Raises:
        DataError: If a time is not on the frequency's grid, or gaps would become absurdly many rows.
    """
    if _first_irregular(panel) is None:
        return panel
    step = fixed_step(panel.freq)
    grids = None if step is not None else _grids(panel)
    start = np.repeat(panel.offsets[:-1], panel.lengths)
    places = _places(panel, grids) if grids is not None else (panel.times - panel.times[start]) // step
    lengths = places[panel.offsets[1:] - 1] + 1
    off = places < 0 if step is None else _off_steps(panel, places, start, step)
    if off.any():
        raise _off_grid(panel, int(off.argmax()))
    _check_not_absurd(panel, lengths)
    offsets, place = spans(np.zeros_like(lengths), lengths)
    rows = places + np.repeat(offsets[:-1], panel.lengths)
    if grids is None:
        times = np.repeat(panel.times[panel.offsets[:-1]], lengths) + step * place
    else:
        first = panel.times[panel.offsets[:-1]]
        times = np.concatenate([grids[t][:n] for t, n in zip(first, lengths, strict=True)])
    last = np.zeros(offsets[-1], dtype=np.int64)
    last[rows] = np.arange(len(rows))
    values = np.full(offsets[-1], np.nan)
    values[rows] = panel.values
    past = np.full((offsets[-1], panel.past.shape[1]), np.nan)
    past[rows] = panel.past
    known = panel.known[np.maximum.accumulate(last)]
    observed = None
    if panel.observed is not None:
        observed = np.zeros(offsets[-1], dtype=bool)
        observed[rows] = panel.observed
    return replace(panel, offsets=offsets, values=values, times=times, observed=observed, past=past, known=known)


def _off_steps(panel: Panel, places: np.ndarray, start: np.ndarray, step: int | np.timedelta64) -> np.ndarray:
    """Return whether each time is not a whole number of steps after the first time of its series."""
    return panel.times[start] + places * step != panel.times


def _grids(panel: Panel) -> dict[np.datetime64, np.ndarray]:
    """Return the times of a calendar frequency from the first time of each series to the last time of all, by first time."""
    offset, end = offset_of(str(panel.freq)), panel.times.max()
    first = np.unique(panel.times[panel.offsets[:-1]])
    return {t: pd.date_range(t, end, freq=offset, unit="us").to_numpy() for t in first}


def _places(panel: Panel, grids: dict[np.datetime64, np.ndarray]) -> np.ndarray:
    """Return ``(R,)``, the index of each time in the grid of its series; -1 if it is not on the grid."""
    places = np.empty(len(panel.times), dtype=np.int64)
    for i in range(len(panel)):
        span = slice(panel.offsets[i], panel.offsets[i + 1])
        times = panel.times[span]
        grid = np.append(grids[times[0]], np.datetime64("NaT"))
        place = np.searchsorted(grid[:-1], times)
        places[span] = np.where(grid[place] == times, place, -1)
    return places


def _check_not_absurd(panel: Panel, lengths: np.ndarray) -> None:
    added = lengths - panel.lengths
    many = (lengths > _SHORT) & (lengths > _MOST_TIMES * panel.lengths)
    i = int(many.argmax()) if many.any() else int(added.argmax())
    if not many.any() and added.sum() <= max(_MOST_ROWS, len(panel.values)):
        return
    times = panel.times[panel.offsets[i] : panel.offsets[i + 1]]
    row = int(np.diff(times).argmax())
    raise DataError(
        f"series {panel.ids[i]!r} has {panel.lengths[i]} rows and would have {lengths[i]} if its gaps were filled (freq "
        f"{panel.freq!r}); the longest is between {time_text(times[row])} and {time_text(times[row + 1])}: correct the times, "
        f"pass another {arg(freq=...)}, or pass {arg(irregular=True)}"
    )
