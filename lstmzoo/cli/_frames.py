"""Frames from CSV and Parquet files, and back into them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmzoo.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


def read_frame(
    path: Path, *, id_col: str | None = None, time_col: str | None = None, target_col: str | None = None
) -> "tuple[pd.DataFrame, str | None]":
    """Series from a file.

    Args:
        path: CSV or Parquet, by its suffix.
        id_col: Column that names the series; ``""`` if there is one only. If None, the usual one, or no column in
            a file that has only times and values.
        time_col: Column of times; the usual one if None. Text is read as whole numbers, if all of it is, or else as
            ISO 8601.
        target_col: Column of values; the usual one if None.

    Returns:
        The columns named, and the name of the id column.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it cannot be read, a column is missing, or a time cannot be read.
    """
    from lstmzoo.preprocessing import Columns

    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    is_csv = _suffix(path).startswith(".csv")
    usual = Columns()
    time_col, target_col = time_col or usual.time, target_col or usual.target
    try:
        names = _csv_columns(path) if is_csv else _parquet_columns(path)
        if id_col is None:
            id_col = "" if set(names) == {time_col, target_col} else usual.id or ""
        _check_columns(path, names, {"--id-col": id_col, "--time-col": time_col, "--target-col": target_col})
        columns = [c for c in (id_col, time_col, target_col) if c]
        frame = _read_csv(path, columns, target_col) if is_csv else _read_parquet(path, columns)
    except (ValueError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as {'CSV' if is_csv else 'Parquet'}: {error}") from None
    frame[time_col] = _times(frame[time_col], path)
    return frame, id_col or None


def _suffix(path: Path) -> str:
    for suffix in _SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise DataError(f"{path}: expected a name that ends in {', '.join(_SUFFIXES)}")


def _check_columns(path: Path, names: list[str], columns: dict[str, str]) -> None:
    for option, column in columns.items():
        if column and column not in names:
            one = ' (or --id-col "" if it holds one series)' if option == "--id-col" else ""
            there = ", ".join(map(repr, names))
            raise DataError(f"{path} has no column {column!r}; it has {there}: name yours with {option}{one}")


def _csv_columns(path: Path) -> list[str]:
    import pandas as pd

    return list(pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns)


def _parquet_columns(path: Path) -> list[str]:
    from pyarrow import parquet

    return parquet.read_schema(path).names


def _read_csv(path: Path, columns: list[str], target_col: str) -> "pd.DataFrame":
    """Names and times as the text they are; only a value may be written as missing."""
    import pandas as pd

    text = [c for c in columns if c != target_col]
    return pd.read_csv(
        path,
        usecols=columns,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={**{c: [""] for c in text}, target_col: list(_MISSING)},
        encoding="utf-8-sig",
    )


def _read_parquet(path: Path, columns: list[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path, columns=columns).reset_index(drop=True)


def _times(column: "pd.Series", path: Path) -> "pd.Series":
    """Whole numbers stay whole numbers; other text becomes timestamps."""
    import pandas as pd

    where = f"{path}: column {column.name!r}"
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataError(f"{where} has no time in row {int(missing.argmax()) + 1}")
    if pd.api.types.infer_dtype(column) != "string":
        return column
    text = column.astype(str).str.strip()
    if text.str.fullmatch(r"[+-]?\d{1,18}").all():
        return text.astype("int64")
    try:
        return pd.to_datetime(text, format="ISO8601")
    except ValueError:
        bad = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).isna().to_numpy()
    if not bad.any():
        raise DataError(f"{where} has times of several UTC offsets: write them all in one, such as UTC")
    row = int(bad.argmax())
    raise DataError(
        f"{where} holds {text.iloc[row][:40]!r} in row {row + 1}, which is not a time: write whole numbers, "
        "or ISO 8601 such as 2026-01-31 or 2026-01-31T18:00:00"
    )


def check_output(path: Path) -> None:
    """Refuse, before any work is done, a file that a frame cannot be written to.

    Raises:
        DataError: If its suffix is of no known format.
        FileNotFoundError: If its directory is missing.
    """
    _suffix(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(2, "no such directory", str(path.parent))


def write_frame(frame: "pd.DataFrame", path: Path) -> None:
    """Write a file in the format that its suffix names; it appears whole or not at all."""
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        if _suffix(path).startswith(".csv"):
            frame.to_csv(part, index=False)
        else:
            frame.to_parquet(part, index=False)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def as_frame(answer: Any, levels: Iterable[float] = ()) -> "pd.DataFrame":
    """A forecast of any kind (a frame, a series or an array) as a pandas frame.

    Args:
        answer: The forecast.
        levels: Quantiles that it has besides the median, which the columns of an array do not tell.
    """
    import narwhals as nw
    import numpy as np
    import pandas as pd

    if isinstance(answer, np.ndarray):
        answer = answer.reshape(len(answer), -1)
        return pd.DataFrame(answer, columns=["y_hat", *(f"y_hat_q{level:g}" for level in levels)])
    native = nw.from_native(answer, allow_series=True).to_pandas()
    if isinstance(native, pd.Series):
        native = native.rename("y_hat").to_frame()
    if not isinstance(native.index, pd.RangeIndex):
        native = native.rename_axis("ds").reset_index()
    return native
