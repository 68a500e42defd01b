"""Data types of id and time columns as JSON, so that forecasts can have the data types of the user's columns.

A type is a dict. Its ``name`` is the name in pandas or pyarrow, or the class in polars; other keys hold what the name does not
tell, such as categories.
"""

import datetime
import re
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from lstmzoo.errors import DataError

DType = dict[str, Any]


def as_pandas(column: nw.Series[Any]) -> pd.Series:
    """Return a narwhals column as a pandas Series with the index 0, 1, ..."""
    if column.dtype == nw.Categorical and str(column.implementation) == "pyarrow":
        return column.to_native().to_pandas()  # narwhals loses a dictionary's missing values
    return column.to_pandas().reset_index(drop=True)


def describe(native: Any, backend: str) -> DType:
    """Return the data type of a column.

    Args:
        native: pandas or polars Series, or pyarrow (chunked) array.
        backend: ``pandas``, ``polars`` or ``pyarrow``.

    Examples:
        >>> describe(pd.Series([1, 2], dtype="Int32"), "pandas")
        {'name': 'Int32'}
        >>> describe(pa.array([0], pa.timestamp("ms", "Asia/Tokyo")), "pyarrow")
        {'name': 'timestamp', 'unit': 'ms', 'tz': 'Asia/Tokyo'}
    """
    if backend == "pyarrow":
        return _describe_arrow(native.type)
    return _describe_pandas(native) if backend == "pandas" else _describe_polars(native.dtype)


def usual_dtype(backend: str, tz: str | None) -> DType:
    """Return the default data type of timestamps in a frame."""
    if backend == "pandas":
        return {"name": "datetime64[us]" if tz is None else f"datetime64[us, {tz}]"}
    return {"name": "timestamp" if backend == "pyarrow" else "Datetime", "unit": "us", "tz": tz}


def resolution(dtype: DType) -> str | None:
    """Return the resolution of a data type of times, as a unit of NumPy; None for other data types.

    Examples:
        >>> resolution({"name": "datetime64[s, UTC]"}), resolution({"name": "Date"}), resolution({"name": "str"})
        ('s', 'D', None)
    """
    if dtype["name"] == "arrow":
        return resolution(dtype["of"])
    if dtype["name"] in ("Date", "date32[day]", "date64[ms]") or dtype.get("of") == "date":
        return "D"
    match = re.match(r"datetime64\[(s|ms|us|ns)", dtype["name"])
    return match[1] if match else dtype.get("unit")


def cast(column: Any, dtype: DType, backend: str, name: str) -> Any:
    """Return a column in the user's data type.

    Args:
        column: Native column of ids, whole numbers, text or timestamps. Timestamps with a time zone are in UTC without the time
            zone, except in pandas.
        dtype: Data type that :func:`describe` returned.
        backend: ``pandas``, ``polars`` or ``pyarrow``.
        name: Of the column, for messages.

    Raises:
        DataError: If a whole number is too large for the type.

    Examples:
        >>> cast(pd.Series(["b", "a"]), {"name": "category", "values": ["a", "b"], "of": {"name": "str"}, "ordered": True},
        ...     "pandas", "id").cat.codes.tolist()
        [1, 0]
    """
    if backend == "pandas":
        return _cast_pandas(column, dtype, name)
    return _cast_arrow(column, dtype, name) if backend == "pyarrow" else _cast_polars(column, dtype, name)


def is_dtype(dtype: Any, backend: str) -> bool:
    """Return whether a dict from a file describes a data type that :func:`cast` supports.

    Examples:
        >>> is_dtype({"name": "Int32"}, "pandas"), is_dtype({"name": "Int33"}, "pandas")
        (True, False)
    """
    try:
        if backend == "pandas":
            _pandas_dtype(dtype)
        elif backend == "pyarrow":
            _arrow_type(dtype)
        else:
            return dtype["name"] in _POLARS
    except (LookupError, TypeError, ValueError, pa.ArrowException):
        return False
    return True


def _describe_pandas(column: pd.Series) -> DType:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = dtype.categories.tolist()
        of = _describe_pandas(pd.Series(dtype.categories))
        return {"name": "category", "values": values, "of": of, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.StringDtype):
        return {"name": "string", "storage": dtype.storage, "nan": dtype.na_value is not pd.NA}
    if isinstance(dtype, pd.ArrowDtype):
        return {"name": "arrow", "of": _describe_arrow(dtype.pyarrow_dtype)}
    if pd.api.types.is_object_dtype(dtype):
        first = column.iloc[0] if len(column) else None
        kinds = (("Timestamp", pd.Timestamp), ("datetime", datetime.datetime), ("date", datetime.date))
        return {"name": "object", "of": next((kind for kind, of in kinds if isinstance(first, of)), "any")}
    return {"name": str(dtype)}


def _pandas_dtype(dtype: DType) -> Any:
    kind = dtype["name"]
    if kind == "category":
        categories = pd.Index(_cast_pandas(pd.Series(dtype["values"], dtype=object), dtype["of"], "categories"))
        return pd.CategoricalDtype(categories, ordered=dtype["ordered"])
    if kind == "string":
        return pd.StringDtype(dtype["storage"], na_value=np.nan if dtype["nan"] else pd.NA)
    if kind == "arrow":
        return pd.ArrowDtype(_arrow_type(dtype["of"]))
    return pd.api.types.pandas_dtype(kind)


def _cast_pandas(column: pd.Series, dtype: DType, name: str) -> pd.Series:
    target, times = _pandas_dtype(dtype), pd.api.types.is_datetime64_any_dtype(column)
    if isinstance(target, pd.ArrowDtype):
        return _cast_pandas_arrow(column, dtype["of"], name)
    if isinstance(target, pd.PeriodDtype):
        return column.dt.to_period(target.name.removeprefix("period[").removesuffix("]"))
    of = dtype.get("of") if times and pd.api.types.is_object_dtype(target) else None
    if of == "date":
        return column.dt.date
    if of == "datetime":
        return pd.Series(list(column.dt.to_pydatetime()), index=column.index, dtype=object)
    if isinstance(target, pd.CategoricalDtype):
        column = column.astype(object)
    _check_range(column, dtype["name"], name)
    return column.astype(target)


def _cast_pandas_arrow(column: pd.Series, of: DType, name: str) -> pd.Series:
    tz = getattr(column.dtype, "tz", None)
    plain = column if tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    array = _cast_arrow(pa.array(plain.to_numpy() if plain.dtype.kind in "Mi" else list(plain)), of, name)
    return pd.Series(pd.array(array, dtype=pd.ArrowDtype(array.type)), index=column.index)


def _describe_arrow(dtype: pa.DataType) -> DType:
    if pa.types.is_dictionary(dtype):
        return {
            "name": "dictionary",
            "index": str(dtype.index_type),
            "of": _describe_arrow(dtype.value_type),
            "ordered": dtype.ordered,
        }
    if pa.types.is_timestamp(dtype):
        return {"name": "timestamp", "unit": dtype.unit, "tz": dtype.tz}
    return {"name": str(dtype)}


def _cast_arrow(column: Any, dtype: DType, name: str) -> Any:
    if dtype["name"] == "dictionary":
        column = _cast_arrow(column, dtype["of"], name).dictionary_encode()
    _check_range(column, dtype["name"], name)
    return column.cast(_arrow_type(dtype))


def _arrow_type(dtype: DType) -> pa.DataType:
    if dtype["name"] == "timestamp":
        return pa.timestamp(dtype["unit"], tz=dtype["tz"])
    if dtype["name"] == "dictionary":
        return pa.dictionary(pa.type_for_alias(dtype["index"]), _arrow_type(dtype["of"]), ordered=dtype["ordered"])
    return pa.type_for_alias(dtype["name"])


def _describe_polars(dtype: Any) -> DType:
    kind = type(dtype).__name__
    if kind == "Datetime":
        return {"name": kind, "unit": dtype.time_unit, "tz": dtype.time_zone}
    if kind == "Enum":
        return {"name": kind, "values": dtype.categories.to_list()}
    if kind == "Categorical" and dtype.categories.name():
        names = {"name": dtype.categories.name(), "namespace": dtype.categories.namespace()}
        return {"name": kind, "categories": {**names, "physical": str(dtype.categories.physical())}}
    return {"name": kind}


def _cast_polars(column: Any, dtype: DType, name: str) -> Any:
    import polars as pl

    kind = dtype["name"]
    if kind == "Datetime":
        column = column.cast(pl.Datetime(dtype["unit"]))
        tz = dtype["tz"]
        return column if tz is None else column.dt.replace_time_zone("UTC").dt.convert_time_zone(tz)
    if kind == "Enum":
        return column.cast(pl.Enum(dtype["values"]))
    if kind == "Categorical" and "categories" in dtype:
        of = dtype["categories"]
        return column.cast(pl.Categorical(pl.Categories(of["name"], of["namespace"], getattr(pl, of["physical"]))))
    _check_range(column, kind, name)
    return column.cast(getattr(pl, kind))


_POLARS = (
    "Boolean", "Categorical", "Date", "Datetime", "Enum", "Int8", "Int16", "Int32", "Int64", "Int128", "String", "UInt8",
    "UInt16", "UInt32", "UInt64",
)  # fmt: skip


def _check_range(column: Any, kind: str, name: str) -> None:
    """Refuse whole numbers that do not fit an integer type."""
    if kind.lower() not in ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64") or not len(column):
        return
    limits, values = np.iinfo(kind.lower()), np.asarray(column, dtype=np.int64)
    for value in (int(values.min()), int(values.max())):
        if not limits.min <= value <= limits.max:
            raise DataError(f"column {name!r} is {kind}, which cannot hold {value}: convert it to int64")
