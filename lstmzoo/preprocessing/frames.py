"""Columns of a user's frame as arrays, and arrays as a frame of the user's kind."""

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from lstmzoo.dtypes import DType, as_pandas, cast, describe, resolution, usual_dtype
from lstmzoo.errors import DataError
from lstmzoo.isotext import pattern_of, read_text, write_text
from lstmzoo.panel import Columns, Panel
from lstmzoo.timestamps import as_times, user_times
from lstmzoo.timesteps import time_text


@dataclass(frozen=True)
class Form:
    """The form of the user's data, so that forecasts have the same form and can be joined to it.

    Attributes:
        kind: ``frame``, ``series`` or ``array``.
        backend: ``pandas``, ``polars`` or ``pyarrow``.
        id: Data type of the id column, see :mod:`lstmzoo.dtypes`; None for the backend's default.
        time: Data type of the time column; None for the backend's default.
        text: Format of times that are text, see :func:`lstmzoo.isotext.pattern_of`; otherwise None.
        index: If ids and times are the index of a pandas object, the column and the name of each level; otherwise None.
    """

    kind: str = "frame"
    backend: str = "pandas"
    id: DType | None = None
    time: DType | None = None
    text: dict[str, Any] | None = None
    index: list[list[str | None]] | None = None


def eager_frame(data: Any, columns: Columns) -> tuple[Any, list[list[str | None]] | None]:
    """Return data as a narwhals frame or series, unchanged if it is neither, and ``Form.index``.

    A level of a pandas index becomes a column if it has the name of a missing id or time column. Levels without these names are
    used in order, if there are as many as missing columns and the last one holds timestamps or periods.

    Raises:
        DataError: If two columns have the same name.
    """
    if isinstance(data, pd.DataFrame | pa.Table):
        names = list(data.columns) if isinstance(data, pd.DataFrame) else data.column_names
        twice = [name for i, name in enumerate(names) if name in names[:i]] if len(set(names)) < len(names) else []
        if twice:
            raise DataError(f"column {twice[0]!r} occurs twice: rename or drop one of the two")
    index = None
    if isinstance(data, pd.DataFrame):
        data, index = _with_index_as_columns(data, columns)
    return nw.from_native(data, eager_only=True, allow_series=True, pass_through=True), index


def _with_index_as_columns(data: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, list[list[str | None]] | None]:
    wanted = [name for name in (columns.id, columns.time) if name is not None and name not in data.columns]
    levels = [data.index.get_level_values(i) for i in range(data.index.nlevels)]
    if not wanted or isinstance(data.index, pd.RangeIndex):
        return data, None
    names = list(data.index.names)
    if set(wanted) <= set(names):
        at = sorted(names.index(name) for name in wanted)
    elif len(levels) == len(wanted) and isinstance(levels[-1], pd.DatetimeIndex | pd.PeriodIndex):
        at = list(range(len(levels)))
    else:
        return data, None
    roles = [str(names[i]) if set(wanted) <= set(names) else wanted[i] for i in at]
    data = data.reset_index(drop=True)
    for role, i in zip(roles, at, strict=True):
        data[role] = pd.Series(levels[i])
    return data, [[role, None if names[i] is None else str(names[i])] for role, i in zip(roles, at, strict=True)]


def read_ids(frame: nw.DataFrame[Any], name: str) -> tuple[pd.Series, DType]:
    """Return a column of ids, and its data type.

    Raises:
        DataError: If an id is missing; the message names the row.
    """
    column = frame[name]
    ids = as_pandas(column)
    check_whole(name, ids)
    return ids, describe(column.to_native(), str(frame.implementation))


def read_time_column(frame: nw.DataFrame[Any], name: str) -> tuple[pd.Series, DType, dict[str, Any] | None]:
    """Return a column of times, its data type, and the format of times that are text.

    Periods become the timestamps of their start; text becomes whole numbers or timestamps.

    Raises:
        DataError: If a time is missing, or text is not a time; the message names the row.
    """
    column = frame[name]
    times = as_pandas(column)
    check_whole(name, times)
    zone = getattr(column.dtype, "time_zone", None)
    if zone is not None and times.dtype.kind == "M" and not isinstance(times.dtype, pd.DatetimeTZDtype | pd.ArrowDtype):
        times = times.dt.tz_localize("UTC").dt.tz_convert(
            zone
        )  # pyarrow columns lose their time zone in the conversion
    dtype = describe(column.to_native(), str(frame.implementation))
    plain, text = plain_times(times, name)
    return plain, dtype, text


def plain_times(times: pd.Series, name: str) -> tuple[pd.Series, dict[str, Any] | None]:
    """Return times with periods and text converted, and the format of the text."""
    if isinstance(times.dtype, pd.PeriodDtype):
        return times.dt.to_timestamp(), None
    if isinstance(times.dtype, pd.CategoricalDtype) or pd.api.types.infer_dtype(times) != "string":
        return times, None
    parsed = read_text(times, f"column {name!r}")
    return parsed, pattern_of(times, parsed, f"column {name!r}")


def series_times(series: pd.Series) -> tuple[pd.Series, dict[str, Any] | None]:
    """Return the times in the index of a series, as :func:`plain_times` does.

    Raises:
        DataError: If the index has several levels or a missing time, or text is not a time.
    """
    if isinstance(series.index, pd.MultiIndex):
        raise DataError("the series has an index of several levels: pass a frame with columns for ids and times")
    times = pd.Series(series.index)
    check_whole("index", times)
    return plain_times(times, "index")


def plain_times_of(frame: nw.DataFrame[Any], name: str) -> pd.Series | pd.DatetimeIndex:
    """Return a column of times of any data type as whole numbers or timestamps."""
    stamps, tz = as_times(read_time_column(frame, name)[0], name)
    return pd.Series(stamps) if tz is None else pd.DatetimeIndex(stamps, tz="UTC").tz_convert(tz)


def check_whole(name: str | None, column: pd.Series) -> None:
    """Refuse a column of ids or times with a missing value.

    Raises:
        DataError: Naming the row.
    """
    if column.isna().any():
        raise DataError(f"column {name!r} has a missing value in row {int(column.isna().to_numpy().argmax())}")


def forecast_frame(
    panel: Panel,
    forecasts: dict[str, np.ndarray],
    form: Form,
    columns: Columns,
    times: np.ndarray | None = None,
    time_columns: tuple[str, ...] = (),
) -> Any:
    """Return forecasts in the form of the user's data.

    Args:
        panel: The N series that were forecast.
        forecasts: Arrays ``(N, H)`` by column name.
        form: Form of the user's data.
        columns: Names of the frame's columns.
        times: ``(N, H)`` times of the forecasts; the steps after each series if None.
        time_columns: Names of the forecasts that are times.

    Returns:
        A long frame with N * H rows. For a series: a Series, or a frame if there are several columns. For an array: an array
        ``(H,)`` or ``(H, columns)``.
    """
    horizon = next(iter(forecasts.values())).shape[1]
    times = panel.future_times(horizon) if times is None else times
    data = {name: forecast.ravel() for name, forecast in forecasts.items()}
    return assemble(np.repeat(panel.ids, horizon), times.ravel(), data, panel, form, columns, time_columns)


def panel_frame(panel: Panel, form: Form, columns: Columns) -> Any:
    """Return a panel in the form of the user's data; values that were not observed are missing."""
    values = panel.values if panel.observed is None else np.where(panel.observed, panel.values, np.nan)
    data: dict[str, Any] = {columns.target: values}
    data |= {name: _labelled(panel, name, panel.past[:, i]) for i, name in enumerate(columns.past)}
    data |= {name: _labelled(panel, name, panel.known[:, i]) for i, name in enumerate(columns.known)}
    described = {name: np.repeat(panel.static[:, i], panel.lengths) for i, name in enumerate(columns.static)}
    data |= {name: pd.Series(column).infer_objects() for name, column in described.items()}
    return assemble(np.repeat(panel.ids, panel.lengths), panel.times, data, panel, form, columns)


def _labelled(panel: Panel, name: str, column: np.ndarray) -> Any:
    """Return a covariate; categories become text, and missing ones stay missing."""
    if name not in panel.labels:
        return column
    missing = np.isnan(column)
    texts = np.array([*panel.labels[name], ""], dtype=object)
    return pd.Series(texts[np.where(missing, -1, column).astype(int)]).astype("str").where(~missing)


def assemble(
    ids: np.ndarray,
    times: np.ndarray,
    data: dict[str, Any],
    panel: Panel,
    form: Form,
    columns: Columns,
    time_columns: tuple[str, ...] = (),
) -> Any:
    """Return rows as a frame, series or array of the user's kind; ids and times have the user's data types.

    Args:
        ids: ``(R,)``.
        times: ``(R,)``, in the form of the panel.
        data: ``(R,)`` by column name.
        panel: Panel that the rows belong to.
        form: Form of the user's data.
        columns: Names of the frame's columns.
        time_columns: Names of the data that are times.

    Raises:
        DataError: If an id or time does not fit the user's data type.
    """
    if form.kind == "array":
        return np.stack(list(data.values()), axis=-1) if len(data) > 1 else next(iter(data.values()))
    data = {name: _written(data[name], panel, form, name) if name in time_columns else data[name] for name in data}
    keys = {columns.time: _written(times, panel, form, columns.time)}
    if form.kind == "series":
        return _series(keys[columns.time], data, panel, form)
    if columns.id is not None:
        keys = {columns.id: pd.Series(ids).infer_objects(), **keys}
    answer = _to_backend(pd.DataFrame({**keys, **data}), form.backend)
    for name in (*keys, *time_columns):
        dtype = form.id if name == columns.id else _time_dtype(form, panel)
        if dtype is not None:
            answer = _with_column(answer, name, dtype, form.backend)
    return answer if form.index is None else _with_index(answer, form.index)


def series_frame(ids: np.ndarray, data: dict[str, Any], form: Form, columns: Columns) -> Any:
    """Return rows without times as a frame of the user's kind; ids have the user's data type.

    Args:
        ids: ``(R,)``.
        data: ``(R,)`` by column name.
        form: Form of the user's data, a frame.
        columns: Names of the frame's columns.
    """
    keys = {} if columns.id is None else {columns.id: pd.Series(ids).infer_objects()}
    answer = _to_backend(pd.DataFrame({**keys, **data}), form.backend)
    if columns.id is None or form.id is None:
        return answer
    return _with_column(answer, columns.id, form.id, form.backend)


def _written(times: np.ndarray, panel: Panel, form: Form, name: str) -> pd.Series:
    """Return times as a pandas Series: as text if the user's are; in UTC without a time zone if the backend is not pandas."""
    if form.time is not None and form.text is None and times.dtype.kind == "M":
        unit = resolution(form.time)
        odd = times != times.astype(f"datetime64[{unit}]") if unit else np.zeros(0)
        if odd.any():
            raise DataError(
                f"column {name!r} is {form.time}, which cannot hold {time_text(times[odd][0])}: convert it to timestamps"
            )
    local = pd.Series(user_times(times, panel.freq, panel.tz, panel.own))
    if form.text is not None:
        return pd.Series(write_text(local, form.text), dtype=object)
    if form.backend == "pandas" or panel.tz is None or local.dtype.kind != "M":
        return local
    return local.dt.tz_convert("UTC").dt.tz_localize(None)


def user_time(time: Any, panel: Panel, form: Form) -> Any:
    """Return one time of a panel as the user has it: a timestamp, date, period, whole number, or text."""
    one = _written(np.array([time]), panel, replace(form, backend="pandas"), "time")
    keep = form.text is None and form.backend == "pandas" and form.time is not None
    return (cast(one, form.time, "pandas", "time") if keep and form.time is not None else one).iloc[0]


def _time_dtype(form: Form, panel: Panel) -> DType | None:
    if form.time is not None or panel.times.dtype.kind != "M":
        return form.time
    return usual_dtype(form.backend, panel.tz)


def _series(times: pd.Series, data: dict[str, Any], panel: Panel, form: Form) -> Any:
    frame = pd.DataFrame(data)
    if form.backend == "pandas":
        dtype = _time_dtype(form, panel)
        index = times if dtype is None else cast(times, dtype, "pandas", "index")
        frame.index = pd.Index(index, name=None if form.index is None else form.index[0][1])
    answer = _to_backend(frame, form.backend)
    return answer if len(data) > 1 else answer[next(iter(data))]


def _to_backend(frame: pd.DataFrame, backend: str) -> Any:
    if backend == "pandas":
        return frame
    if backend == "pyarrow":
        return pa.Table.from_pandas(frame, preserve_index=False)
    import polars as pl

    return pl.from_pandas(frame)


def _with_column(answer: Any, name: str, dtype: DType, backend: str) -> Any:
    """Return the answer with one column converted to the user's data type."""
    column = cast(answer[name], dtype, backend, name)
    if backend == "pandas":
        return answer.assign(**{name: column})
    if backend == "pyarrow":
        return answer.set_column(answer.schema.get_field_index(name), name, column)
    return answer.with_columns(column.alias(name))


def _with_index(answer: pd.DataFrame, index: list[list[str | None]]) -> pd.DataFrame:
    return answer.set_index([column for column, _ in index]).rename_axis([name for _, name in index])
