"""The frequency of a panel: inferred, or given, and kept to by every series."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Panel, is_shorter_than_a_day, step_times, time_text


def with_frequency(panel: Panel, wall: np.ndarray, freq: str | int | None) -> Panel:
    """The panel with its frequency, inferred or given, that every series has been checked against."""
    integers = panel.times.dtype == np.int64
    if freq is not None and integers != isinstance(freq, int):
        raise DataError(f"freq={freq!r} does not fit a time column of {'integers' if integers else 'timestamps'}")
    if integers:
        step = freq or _integer_step(panel)
        panel = Panel(panel.ids, panel.offsets, panel.values, panel.times, int(step))
        _check_regular(panel, given=freq is not None)
        return panel
    alias = _canonical(freq) if freq is not None else _infer(panel, wall)
    times = panel.times if is_shorter_than_a_day(alias) else wall
    panel = Panel(panel.ids, panel.offsets, panel.values, times, alias, panel.tz)
    _check_regular(panel, given=freq is not None)
    return panel


def _integer_step(panel: Panel) -> int:
    steps = np.diff(panel.times)[panel.inner]
    return int(steps.min()) if len(steps) else 1


def _canonical(freq: str | int) -> str:
    try:
        return pd.tseries.frequencies.to_offset(str(freq)).freqstr
    except ValueError:
        raise DataError(
            f"freq={freq!r} is not a pandas frequency; for instance: 'h', 'D', 'W', 'MS', 'QS', '15min'"
        ) from None


def _infer(panel: Panel, wall: np.ndarray) -> str:
    longest = int(panel.lengths.argmax())
    first, last = panel.offsets[longest], panel.offsets[longest + 1]
    if last - first < 3:
        raise DataError(
            f"the frequency cannot be inferred from {last - first} rows of series {panel.ids[longest]!r}: pass freq="
        )
    freq = _infer_one(wall[first:last])
    if panel.tz is not None and (freq is None or is_shorter_than_a_day(freq)):
        freq = _infer_one(panel.times[first:last])  # hours are regular in UTC, days and longer on the wall
    if freq is None:
        raise DataError(
            f"the time steps of series {panel.ids[longest]!r} are irregular: no frequency fits them; resample, or pass freq="
        )
    return freq


def _infer_alias(index: pd.DatetimeIndex) -> str | None:
    """The frequency alias of regular timestamps, under pandas versions that give a string and those that give an offset."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        found = pd.infer_freq(index)
    return getattr(found, "freqstr", found)


def _infer_one(times: np.ndarray) -> str | None:
    """The frequency of most of the series' stretches, so that a gap does not hide it."""
    index = pd.DatetimeIndex(times)
    whole = _infer_alias(index[:4096])
    if whole is not None:
        return whole
    width = min(8, len(index))
    starts = np.unique(np.linspace(0, len(index) - width, 24).astype(int))
    found = [f for f in (_infer_alias(index[s : s + width]) for s in starts) if f is not None]
    return max(sorted(set(found)), key=found.count) if found else None


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
        raise DataError(
            f"series {panel.ids[i]!r} does not keep to freq {panel.freq!r} at {time_text(panel.times[row])}"
        )
    raise DataError(
        f"series {panel.ids[i]!r} has a gap: nothing between {time_text(before)} and {time_text(panel.times[row])}, "
        f"where {time_text(expected)} should follow (freq {panel.freq!r}): fill it first, "
        "for instance with utilsforecast.preprocessing.fill_gaps"
    )


def _own_freq(times: np.ndarray, panel: Panel) -> str | int | None:
    """The frequency of one series, if it is regular."""
    if isinstance(panel.freq, int):
        steps = np.unique(np.diff(times))
        return int(steps[0]) if len(steps) == 1 else None
    index = pd.DatetimeIndex(times)
    if panel.tz is not None and is_shorter_than_a_day(panel.freq):
        index = index.tz_localize("UTC").tz_convert(panel.tz)
    return _infer_alias(index) if len(index) > 2 else None


def _first_irregular(panel: Panel) -> int | None:
    """The first row that is not one step after the row before it, or not on the frequency's grid."""
    freq = panel.freq
    offset = None if isinstance(freq, int) else pd.tseries.frequencies.to_offset(freq)
    if offset is None or isinstance(offset, pd.offsets.Tick | pd.offsets.Day):
        step = (
            freq
            if offset is None
            else np.timedelta64(pd.Timedelta(offset.freqstr if offset.n != 1 else "1" + offset.freqstr))
        )
        bad = (np.diff(panel.times) != step) & panel.inner
        return int(bad.argmax()) + 1 if bad.any() else None
    grids: dict[tuple[Any, int], np.ndarray] = {}
    for i, n in enumerate(panel.lengths):
        times = panel.times[panel.offsets[i] : panel.offsets[i + 1]]
        key = (times[0], n)
        if key not in grids:
            grids[key] = pd.date_range(times[0], periods=n, freq=offset, unit="us").to_numpy()
        bad = times != grids[key]
        if bad.any():
            return int(panel.offsets[i] + bad.argmax())
    return None
