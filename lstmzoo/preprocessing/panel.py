"""From the user's frame, series or array to a checked :class:`Panel`, and back."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Panel, is_shorter_than_a_day, time_text
from lstmzoo.preprocessing.frequency import with_frequency

_LARGEST_STEP = 2**53


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
    index = native.index if backend == "pandas" else pd.RangeIndex(len(values))
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    return _one_series(values, index, "series", freq), Form("series", backend)


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
    zone = getattr(frame[columns.time].dtype, "time_zone", None)
    if zone is not None and times.dtype.kind == "M" and not isinstance(times.dtype, pd.DatetimeTZDtype | pd.ArrowDtype):
        times = times.dt.tz_localize("UTC").dt.tz_convert(zone)  # pyarrow's, whose time zone is lost on the way
    dates = frame[columns.time].dtype == nw.Date or pd.api.types.infer_dtype(times.head()) == "date"
    return _build(ids, times, values, columns, freq), Form("frame", str(frame.implementation), dates)


def _build(ids: pd.Series, times: pd.Series, values: np.ndarray, columns: Columns, freq: str | int | None) -> Panel:
    if not len(values):
        raise DataError("the series is empty: no observations")
    for name, series in ((columns.id, ids), (columns.time, times)):
        if series.isna().any():
            raise DataError(f"column {name!r} has a missing value in row {int(series.isna().to_numpy().argmax())}")
    codes, names = pd.factorize(ids, sort=True)
    odd = [name for name in names[:1000] if not isinstance(name, str | int | np.integer)]
    if odd:
        raise DataError(
            f"column {columns.id!r} holds {type(odd[0]).__name__}: name the series by text or whole numbers"
        )
    stamps, tz = _as_times(times, columns.time)
    wall = stamps if tz is None else _wall_times(stamps, tz)
    order = _order(codes, stamps)
    if order is not None:
        codes, stamps, wall, values = codes[order], stamps[order], wall[order], values[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
    labels = np.asarray(names.tolist(), dtype=object)
    panel = Panel(labels, offsets, values, stamps, freq=1, tz=tz)
    _check_finite(panel, columns.target)
    _check_duplicates(panel)
    return with_frequency(panel, wall, freq)


def _as_times(times: pd.Series, column: str) -> tuple[np.ndarray, str | None]:
    """Integers as they are; dates and timestamps as datetime64[us], in UTC if they have a time zone."""
    if pd.api.types.is_integer_dtype(times):
        steps = times.to_numpy(dtype=np.int64)
        if (np.abs(steps) > _LARGEST_STEP).any():
            raise DataError(
                f"column {column!r} holds integers beyond 2**53: if they are timestamps, convert them first"
            )
        return steps, None
    if isinstance(times.dtype, pd.ArrowDtype):
        times = times.astype(object)
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


def _wall_times(stamps: np.ndarray, tz: str) -> np.ndarray:
    """UTC as the wall shows it; a day that begins late, for its midnight was skipped, begins at midnight all the same."""
    wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    midnight = wall.normalize()
    shifted = midnight.tz_localize(tz, ambiguous=True, nonexistent="shift_forward").tz_localize(None)
    return np.where(wall == shifted, midnight, wall).astype("datetime64[us]")


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
        name = panel.name_of(row)
        what = "is missing (NaN)" if np.isnan(panel.values[row]) else "is infinite"
        raise DataError(f"{column!r} of series {name!r} {what} at {time_text(panel.times[row])} "
                        f"({int(bad.sum())} such values in all): fill or drop them first")  # fmt: skip


def _check_duplicates(panel: Panel) -> None:
    same = (panel.times[1:] == panel.times[:-1]) & panel.inner
    if same.any():
        row = int(same.argmax())
        name = panel.name_of(row)
        hint = (
            "" if panel.times.dtype == np.int64 or panel.tz else "; local times across a clock change need a time zone"
        )
        raise DataError(f"series {name!r} has more than one row at {time_text(panel.times[row])} "
                        f"({int(same.sum())} duplicates in all): aggregate or drop them first{hint}")  # fmt: skip


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
    tz = None
    if time_column and isinstance(frame[time_column].dtype, pd.DatetimeTZDtype):
        tz = str(frame[time_column].dt.tz)
        frame = frame.assign(**{time_column: frame[time_column].dt.tz_convert(None)})
    if form.backend == "pyarrow":
        return _to_arrow(frame, form.dates, time_column, tz)
    import polars as pl

    out = pl.from_pandas(frame)
    if time_column is None:
        return out
    if form.dates:
        return out.with_columns(pl.col(time_column).cast(pl.Date))
    if tz is not None:
        local = pl.col(time_column).dt.replace_time_zone("UTC").dt.convert_time_zone(tz)
        return out.with_columns(local)
    return out


def _to_arrow(frame: pd.DataFrame, dates: bool, time_column: str | None, tz: str | None) -> Any:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    if time_column and (dates or tz is not None):
        kind = pa.date32() if dates else pa.timestamp("us", tz=tz)
        at = table.schema.get_field_index(time_column)
        table = table.set_column(at, time_column, table[time_column].cast(kind))
    return table
