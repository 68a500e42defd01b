"""Columns of the user's frames as arrays, and arrays as a frame of the user's kind."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.preprocessing._base import Columns, Panel, is_shorter_than_a_day

_LARGEST_STEP = 2**53


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


def as_pandas(column: Any) -> pd.Series:
    """A narwhals column as a pandas Series, numbered from 0."""
    if column.dtype == nw.Categorical and str(column.implementation) == "pyarrow":
        return column.to_native().to_pandas()  # narwhals loses a dictionary's missing values
    return column.to_pandas().reset_index(drop=True)


def number_columns(frame: Any, names: tuple[str, ...], way_out: str) -> np.ndarray:
    """``(R, columns)`` float64: numbers, and true and false as 1 and 0.

    Raises:
        DataError: Naming a column that is neither.
    """
    table = np.empty((len(frame), len(names)))
    for i, name in enumerate(names):
        column = frame[name]
        if not column.dtype.is_numeric() and column.dtype != nw.Boolean:
            raise DataError(f"column {name!r} is not numeric, but {column.dtype}: {way_out}")
        table[:, i] = column.cast(nw.Float64).to_numpy()
    return table


def read_time_column(frame: Any, name: str) -> tuple[pd.Series, bool]:
    """A column of time, and whether it holds dates without hours."""
    column = frame[name]
    times = as_pandas(column)
    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None and times.dtype.kind == "M" and not isinstance(times.dtype, pd.DatetimeTZDtype | pd.ArrowDtype):
        times = times.dt.tz_localize("UTC").dt.tz_convert(zone)  # pyarrow's, whose time zone is lost on the way
    return times, column.dtype == nw.Date or pd.api.types.infer_dtype(times.head()) == "date"


def check_whole(name: str | None, column: pd.Series) -> None:
    """Refuse a column of ids or times with a missing value.

    Raises:
        DataError: Naming the row.
    """
    if column.isna().any():
        raise DataError(f"column {name!r} has a missing value in row {int(column.isna().to_numpy().argmax())}")


def as_times(times: pd.Series, column: str) -> tuple[np.ndarray, str | None]:
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


def wall_times(stamps: np.ndarray, tz: str) -> np.ndarray:
    """UTC as the wall shows it; a day that begins late, for its midnight was skipped, begins at midnight all the same."""
    wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    midnight = wall.normalize()
    shifted = midnight.tz_localize(tz, ambiguous=True, nonexistent="shift_forward").tz_localize(None)
    return np.where(wall == shifted, midnight, wall).astype("datetime64[us]")


def user_times(times: np.ndarray, freq: str | int, tz: str | None) -> np.ndarray | pd.DatetimeIndex:
    """Time steps as the user's: with the time zone back on."""
    if tz is None or isinstance(freq, int):
        return times
    index = pd.DatetimeIndex(times)
    if is_shorter_than_a_day(freq):
        return index.tz_localize("UTC").tz_convert(tz)
    return index.tz_localize(tz, ambiguous=False, nonexistent="shift_forward")


def forecast_frame(
    panel: Panel, forecasts: dict[str, np.ndarray], form: Form, columns: Columns, times: np.ndarray | None = None
) -> Any:
    """The answer, of the kind the user passed.

    Args:
        panel: The N series that were forecast.
        forecasts: Arrays ``(N, H)`` by column name.
        form: What the user passed.
        columns: The frame's column names.
        times: ``(N, H)`` of the steps forecast; those that follow if None.

    Returns:
        A long frame with N * H rows; for a series of the user's, a Series (a frame if there are several columns); for an
        array, an array ``(H,)`` or ``(H, columns)``.
    """
    horizon = next(iter(forecasts.values())).shape[1]
    times = panel.future_times(horizon) if times is None else times
    data = {name: forecast.ravel() for name, forecast in forecasts.items()}
    return assemble(np.repeat(panel.ids, horizon), times.ravel(), data, panel, form, columns)


def panel_frame(panel: Panel, form: Form, columns: Columns) -> Any:
    """The panel as the long frame, series or array that it was read from; values that were not observed are missing."""
    values = panel.values if panel.observed is None else np.where(panel.observed, panel.values, np.nan)
    data: dict[str, Any] = {columns.target: values}
    data |= {name: panel.past[:, i] for i, name in enumerate(columns.past)}
    data |= {name: panel.known[:, i] for i, name in enumerate(columns.known)}
    described = {name: np.repeat(panel.static[:, i], panel.lengths) for i, name in enumerate(columns.static)}
    data |= {name: pd.Series(column).infer_objects() for name, column in described.items()}
    return assemble(np.repeat(panel.ids, panel.lengths), panel.times, data, panel, form, columns)


def assemble(ids: np.ndarray, times: Any, data: dict[str, Any], panel: Panel, form: Form, columns: Columns) -> Any:
    """Rows of a panel's series as a frame, series or array of the user's kind."""
    if form.kind == "array":
        return np.stack(list(data.values()), axis=-1) if len(data) > 1 else next(iter(data.values()))
    times = user_times(times, panel.freq, panel.tz)
    if form.kind == "series":
        frame = pd.DataFrame(data, index=times if form.backend == "pandas" else None)
        answer = _to_backend(frame, form)
        return answer if len(data) > 1 else answer[next(iter(data))]
    data = {columns.time: times, **data}
    if columns.id is not None:
        data = {columns.id: pd.Series(ids).infer_objects(), **data}
    return _to_backend(pd.DataFrame(data), form)


def _to_backend(frame: pd.DataFrame, form: Form) -> Any:
    """The frame in the user's kind; its times are dates, if the user's were, and keep their time zone."""
    times = [str(name) for name in frame.select_dtypes(["datetime", "datetimetz"])]
    if form.backend == "pandas":
        return frame.assign(**{name: frame[name].dt.date for name in times}) if form.dates else frame
    zones = {name: getattr(frame[name].dtype, "tz", None) for name in times}
    utc = frame.assign(**{name: frame[name].dt.tz_convert(None) for name in times if zones[name] is not None})
    if form.backend == "pyarrow":
        return _to_arrow(utc, form.dates, zones)
    import polars as pl

    out = pl.from_pandas(utc)
    for name, tz in zones.items():
        if form.dates:
            out = out.with_columns(pl.col(name).cast(pl.Date))
        elif tz is not None:
            out = out.with_columns(pl.col(name).dt.replace_time_zone("UTC").dt.convert_time_zone(str(tz)))
    return out


def _to_arrow(frame: pd.DataFrame, dates: bool, zones: dict[str, Any]) -> Any:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, tz in zones.items():
        if dates or tz is not None:
            kind = pa.date32() if dates else pa.timestamp("us", tz=str(tz))
            table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
    return table
