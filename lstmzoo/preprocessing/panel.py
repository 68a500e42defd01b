"""From the user's frame, series or array to a checked :class:`Panel`, and back."""

import warnings
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Panel, is_shorter_than_a_day, step_times, time_text


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a long frame; ``id`` may be None where there is one series only."""

    id: str | None = "unique_id"
    time: str = "ds"
    target: str = "y"


@dataclass(frozen=True)
class Form:
    """What the user passed, so that the answer can be of the same kind.

    Attributes:
        kind: ``frame``, ``series`` or ``array``.
        backend: ``pandas``, ``polars`` or ``pyarrow``.
        dates: Whether time was of a date type, without hours.
    """

    kind: str = "frame"
    backend: str = "pandas"
    dates: bool = False


def read_panel(data: Any, columns: Columns, freq: str | int | None = None) -> tuple[Panel, Form]:
    """Check a long frame, a series or an array, and lay it out flat, sorted by time.

    Args:
        data: A long frame (pandas, polars, pyarrow), a pandas or polars Series (one time series; a pandas index of
            timestamps is its time), or an array ``(T,)``.
        columns: The frame's column names. Other columns are left alone.
        freq: pandas frequency alias, or integer step; inferred if None.

    Raises:
        DataError: Naming the column, series or time that is wrong: a missing column, an empty frame, a target that is not
            numeric, not finite or missing, a duplicate time, a gap, or mixed frequencies.

    Examples:
        >>> panel, form = read_panel([3.0, 1.0, 2.0], Columns())
        >>> panel.values, panel.times, form.kind
        (array([3., 1., 2.]), array([0, 1, 2]), 'array')
    """
    if isinstance(data, list | tuple | np.ndarray):
        values = _array_values(data)
        return _one_series(values, np.arange(len(values)), None, freq), Form("array", "pandas")
    native = nw.from_native(data, eager_only=True, allow_series=True, pass_through=True)
    if isinstance(native, nw.Series):
        return _read_series(native, freq)
    if not isinstance(native, nw.DataFrame):
        raise DataError(f"expected a frame, a series or an array, got {type(data).__name__}")
    return _read_frame(native, columns, freq)


def _array_values(data: Any) -> np.ndarray:
    try:
        values = np.asarray(data, dtype=float)
    except (TypeError, ValueError):
        raise DataError("the array is not numeric") from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"expected one series, an array of shape (T,), got shape {values.shape}; pass several as a long frame"
        )
    return values


def _read_series(series: Any, freq: str | int | None) -> tuple[Panel, Form]:
    backend = str(series.implementation)
    if not series.dtype.is_numeric():
        raise DataError(f"the series is not numeric, but {series.dtype}")
    native = series.to_native()
    values = series.to_numpy().astype(float)
    index = native.index if backend == "pandas" else None
    if isinstance(index, pd.PeriodIndex):
        index, freq = index.to_timestamp(), freq or index.freqstr
    times: Any = index if isinstance(index, pd.DatetimeIndex) else np.arange(len(values))
    if index is not None and pd.api.types.is_integer_dtype(index):
        times = index.to_numpy()
    return _one_series(values, times, "series", freq), Form("series", backend)


def _one_series(values: np.ndarray, times: Any, name: str | None, freq: str | int | None) -> Panel:
    ids = pd.Series([name or "series"] * len(values), dtype=object)
    return _build(ids, pd.Series(times), values, Columns(None), freq)


def _read_frame(frame: Any, columns: Columns, freq: str | int | None) -> tuple[Panel, Form]:
    for role, column in (("id_col", columns.id), ("time_col", columns.time), ("target_col", columns.target)):
        if column is not None and column not in frame.columns:
            way_out = "; pass id_col=None if the frame holds one series" if role == "id_col" else ""
            raise DataError(f"column {column!r} is missing; the frame has {', '.join(map(repr, frame.columns))}: "
                            f"rename one or pass {role}={way_out}")  # fmt: skip
    if not len(frame):
        raise DataError("the frame is empty: no rows")
    target = frame[columns.target]
    if not target.dtype.is_numeric():
        raise DataError(f"column {columns.target!r} is not numeric, but {target.dtype}: convert it to numbers first")
    values = target.cast(nw.Float64).to_numpy().astype(float)
    ids = pd.Series([0] * len(frame)) if columns.id is None else frame[columns.id].to_pandas().reset_index(drop=True)
    times = frame[columns.time].to_pandas().reset_index(drop=True)
    dates = frame[columns.time].dtype == nw.Date
    return _build(ids, times, values, columns, freq), Form("frame", str(frame.implementation), dates)


def _build(ids: pd.Series, times: pd.Series, values: np.ndarray, columns: Columns, freq: str | int | None) -> Panel:
    if not len(values):
        raise DataError("the series is empty: no observations")
    for name, series in ((columns.id, ids), (columns.time, times)):
        if series.isna().any():
            raise DataError(f"column {name!r} has a missing value in row {int(series.isna().to_numpy().argmax())}")
    codes, names = pd.factorize(ids, sort=True)
    stamps, tz = _as_times(times, columns.time)
    wall = stamps
    if tz is not None:
        wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(tz).tz_localize(None).to_numpy()
    order = _order(codes, stamps)
    if order is not None:
        codes, stamps, wall, values = codes[order], stamps[order], wall[order], values[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
    labels = np.asarray(names.tolist(), dtype=object)
    panel = Panel(labels, offsets, values, stamps, freq=1, tz=tz)
    _check_finite(panel, columns.target)
    _check_duplicates(panel)
    return _with_freq(panel, wall, freq)


def _as_times(times: pd.Series, column: str) -> tuple[np.ndarray, str | None]:
    """Integers as they are; dates and timestamps as datetime64[us], in UTC if they have a time zone."""
    if pd.api.types.is_integer_dtype(times):
        return times.to_numpy(dtype=np.int64), None
    if times.dtype == object or str(times.dtype).startswith("date32"):
        kind = pd.api.types.infer_dtype(times)
        if kind not in ("date", "datetime", "datetime64"):
            raise DataError(
                f"column {column!r} holds {kind}, not times: convert it, for instance with pandas.to_datetime"
            )
        times = pd.to_datetime(times)
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise DataError(f"column {column!r} is {times.dtype}, not timestamps, dates or integers: convert it, for instance "
                        "with pandas.to_datetime")  # fmt: skip
    tz = None
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        tz = str(times.dt.tz)
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times.to_numpy(dtype="datetime64[us]"), tz


def _order(codes: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """The order by series and time, or None if the rows have it already."""
    step = np.diff(codes)
    if (step >= 0).all() and (times[1:][step == 0] > times[:-1][step == 0]).all():
        return None
    return np.lexsort((times, codes))


def _check_finite(panel: Panel, column: str) -> None:
    bad = ~np.isfinite(panel.values)
    if bad.any():
        row = int(bad.argmax())
        name = panel.ids[np.searchsorted(panel.offsets, row, side="right") - 1]
        what = "is missing (NaN)" if np.isnan(panel.values[row]) else "is infinite"
        raise DataError(f"{column!r} of series {name!r} {what} at {time_text(panel.times[row])} "
                        f"({int(bad.sum())} such values in all): fill or drop them first")  # fmt: skip


def _inner(panel: Panel) -> np.ndarray:
    """``(R - 1,)`` whether row r and row r + 1 are of the same series."""
    inner = np.ones(len(panel.values) - 1, dtype=bool)
    inner[panel.offsets[1:-1] - 1] = False
    return inner


def _check_duplicates(panel: Panel) -> None:
    same = (panel.times[1:] == panel.times[:-1]) & _inner(panel)
    if same.any():
        row = int(same.argmax())
        name = panel.ids[np.searchsorted(panel.offsets, row, side="right") - 1]
        hint = (
            "" if panel.times.dtype == np.int64 or panel.tz else "; local times across a clock change need a time zone"
        )
        raise DataError(f"series {name!r} has more than one row at {time_text(panel.times[row])} "
                        f"({int(same.sum())} duplicates in all): aggregate or drop them first{hint}")  # fmt: skip


def _with_freq(panel: Panel, wall: np.ndarray, freq: str | int | None) -> Panel:
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
    steps = np.diff(panel.times)[_inner(panel)]
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
    freq = _infer_one(panel.times[first:last]) or _infer_one(wall[first:last])
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
        bad = (np.diff(panel.times) != step) & _inner(panel)
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


def user_times(times: np.ndarray, freq: str | int, tz: str | None) -> np.ndarray | pd.DatetimeIndex:
    """Time steps as the user's: with the time zone back on."""
    if tz is None or isinstance(freq, int):
        return times
    index = pd.DatetimeIndex(times)
    if is_shorter_than_a_day(freq):
        return index.tz_localize("UTC").tz_convert(tz)
    return index.tz_localize(tz, ambiguous=False, nonexistent="shift_forward")


def forecast_frame(panel: Panel, forecasts: dict[str, np.ndarray], form: Form, columns: Columns) -> Any:
    """The answer, of the kind the user passed.

    Args:
        panel: The N series that were forecast.
        forecasts: Arrays ``(N, H)`` by column name.
        form: What the user passed.
        columns: The frame's column names.

    Returns:
        A long frame with N * H rows; for a series of the user's, a Series (a frame if there are several columns); for an
        array, an array ``(H,)`` or ``(H, columns)``.
    """
    horizon = next(iter(forecasts.values())).shape[1]
    ids = np.repeat(panel.ids, horizon)
    return _assemble(
        ids,
        panel.future_times(horizon).ravel(),
        {n: f.ravel() for n, f in forecasts.items()},
        panel,
        form,
        columns,
    )


def panel_frame(panel: Panel, form: Form, columns: Columns) -> Any:
    """The panel as the long frame, series or array that it was read from."""
    return _assemble(
        np.repeat(panel.ids, panel.lengths), panel.times, {columns.target: panel.values}, panel, form, columns
    )


def _assemble(ids: np.ndarray, times: Any, data: dict[str, Any], panel: Panel, form: Form, columns: Columns) -> Any:
    if form.kind == "array":
        return np.stack(list(data.values()), axis=-1) if len(data) > 1 else next(iter(data.values()))
    times = user_times(times, panel.freq, panel.tz)
    if form.kind == "series":
        frame = pd.DataFrame(data, index=times if form.backend == "pandas" else None)
        answer = _to_backend(frame, form, None)
        return answer if len(data) > 1 else answer[next(iter(data))]
    data = {columns.time: times, **data}
    if columns.id is not None:
        data = {columns.id: pd.Series(ids).infer_objects(), **data}
    return _to_backend(pd.DataFrame(data), form, columns.time)


def _to_backend(frame: pd.DataFrame, form: Form, time_column: str | None) -> Any:
    if form.backend == "pandas":
        if form.dates and time_column:
            frame[time_column] = frame[time_column].dt.date
        return frame
    if form.backend == "pyarrow":
        import pyarrow as pa

        table = pa.Table.from_pandas(frame, preserve_index=False)
        if form.dates and time_column:
            at = table.schema.get_field_index(time_column)
            table = table.set_column(at, time_column, table[time_column].cast(pa.date32()))
        return table
    import polars as pl

    out = pl.from_pandas(frame)
    return out.with_columns(pl.col(time_column).cast(pl.Date)) if form.dates and time_column else out
