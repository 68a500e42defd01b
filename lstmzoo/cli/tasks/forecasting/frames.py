"""Reading and writing of frames: CSV and Parquet files."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmzoo.errors import DataError
from lstmzoo.outputs import check_file, replacing

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


def read_frame(
    path: Path,
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    past_covariates: Collection[str] | None = None,
    future_covariates: Collection[str] | None = None,
    static_covariates: Collection[str] | None = None,
) -> "tuple[pd.DataFrame, str | None]":
    """Read series from a file.

    Args:
        path: CSV or Parquet, by its suffix.
        id_col: Column that names the series; ``""`` for a single series. If None, the default column, or no column if the
            file has only the other columns named here.
        time_col: Column of times; the default one if None. Text is parsed as whole numbers if possible, otherwise as
            ISO 8601.
        target_col: Column of values; the default one if None.
        past_covariates: Columns of numbers, or of categories if no cell is a number.
        future_covariates: As ``past_covariates``.
        static_covariates: Columns of numbers, or of text if a cell is not a number.

    Returns:
        The columns named, and the name of the id column.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it cannot be read, a column is missing, or a time cannot be read.
    """
    from lstmzoo.preprocessing import Columns

    usual = Columns()
    time_col, target_col = time_col or usual.time, target_col or usual.target
    static = list(static_covariates or ())
    covariates = [*(past_covariates or ()), *(future_covariates or ()), *static]
    names = _column_names(path)
    if id_col is None:
        id_col = "" if set(names) == {time_col, target_col, *covariates} else usual.id or ""
    options = {"--id-col": [id_col] if id_col else [], "--time-col": [time_col], "--target-col": [target_col],
               "--past-covariates": past_covariates or (), "--future-covariates": future_covariates or (),
               "--static-covariates": static}  # fmt: skip
    for option, wanted in options.items():
        one = ' (or --id-col "" if it holds one series)' if option == "--id-col" else ""
        _check_columns(path, names, wanted, f"name yours with {option}{one}")
    text = [c for c in (id_col, time_col, *static) if c]
    frame = _read_columns(path, text, [target_col, *covariates])
    varying = [c for c in covariates if c not in static]
    _check_cells(frame, path, id_col, [target_col, *(c for c in varying if not _is_text(frame[c]))])
    frame[time_col] = _times(frame[time_col], path)
    for name in static:
        frame[name] = _described(frame[name], path)
    return frame, id_col or None


def read_history(path: Path, estimator: Any) -> "pd.DataFrame":
    """Read the columns that a fitted estimator needs from a file.

    Names of series and static covariates have the same types as in training: numbers or text.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it cannot be read, a column is missing, or a time or number cannot be read.
    """
    columns = estimator.params_.columns
    past, known, static = list(columns.past), list(columns.known), list(columns.static)
    id_col, time_col, target_col = columns.id, columns.time, columns.target
    labels = estimator.tail_.labels
    numbers = [target_col, *(c for c in (*past, *known) if c not in labels)]
    wanted = [c for c in (id_col, time_col, *static) if c]
    _check_columns(path, _column_names(path), [*wanted, target_col, *past, *known], "the model was fitted with it")
    frame = _read_columns(path, [*wanted, *labels], numbers)
    _check_cells(frame, path, id_col, numbers)
    frame[time_col] = _times(frame[time_col], path)
    for name, value in zip(static, estimator.tail_.static[0], strict=True):
        frame[name] = frame[name] if isinstance(value, str) else _described(frame[name], path, numbers=True)
    if id_col:
        frame[id_col] = _named_as(frame[id_col], estimator.tail_.ids)
    return frame


def read_future(path: Path, estimator: Any, history: "pd.DataFrame | None") -> "pd.DataFrame":
    """Read the future steps from a file: id, time and future covariates, and nothing else.

    Args:
        path: CSV or Parquet, by its suffix.
        estimator: Fitted forecaster.
        history: History to forecast from; the training data if None.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it cannot be read, a column is missing or one too many, or a time cannot be read.
    """
    columns = estimator.params_.columns
    id_col, time_col, known = columns.id, columns.time, list(columns.known)
    text = [c for c in (id_col, time_col) if c]
    names = _column_names(path)
    expected = f"expected {', '.join(map(repr, [*text, *known]))}"
    _check_columns(path, names, [*text, *known], expected)
    for name in names:
        if name not in (*text, *known):
            raise DataError(f"{path}: column {name!r} is none of the model's future covariates: drop it; {expected}")
    labels = [c for c in known if c in estimator.tail_.labels]
    numbers = [c for c in known if c not in labels]
    frame = _read_columns(path, [*text, *labels], numbers)
    _check_cells(frame, path, id_col, numbers)
    frame[time_col] = _times(frame[time_col], path)
    if id_col:
        frame[id_col] = _named_as(frame[id_col], estimator.tail_.ids if history is None else history[id_col].unique())
    return frame


def _column_names(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    with _readable(path) as is_csv:
        return _csv_columns(path) if is_csv else _parquet_columns(path)


def _read_columns(path: Path, text: list[str], numbers: list[str]) -> "pd.DataFrame":
    with _readable(path) as is_csv:
        return _read_csv(path, text, numbers) if is_csv else _read_parquet(path, [*text, *numbers])


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[bool]:
    """Yield whether a file is CSV; errors of reading become DataErrors that name the file."""
    is_csv = _suffix(path).startswith(".csv")
    try:
        yield is_csv
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8: save the file as UTF-8") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as {'CSV' if is_csv else 'Parquet'}: {error}") from None


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise DataError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")


def _check_columns(path: Path, names: list[str], wanted: Iterable[str], way_out: str) -> None:
    for column in wanted:
        if column not in names:
            other = next((c for c in (";", "\t", "|") if len(names) == 1 and c in names[0]), None)
            if other is not None:
                raise DataError(
                    f"{path} is separated by {other!r}: write commas between its columns, and points in its numbers"
                )
            raise DataError(f"{path} has no column {column!r}; it has {', '.join(map(repr, names))}: {way_out}")


def _csv_columns(path: Path) -> list[str]:
    import pandas as pd

    return list(pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns)


def _parquet_columns(path: Path) -> list[str]:
    """Return the column names, without row numbers that pandas may have written."""
    from pyarrow import parquet

    return [name for name in parquet.read_schema(path).names if not name.startswith("__index_level_")]


def _read_csv(path: Path, text: list[str], numbers: list[str]) -> "pd.DataFrame":
    """Read names and times as text; only numbers may be written as missing."""
    import pandas as pd

    columns = list(dict.fromkeys([*text, *numbers]))
    return pd.read_csv(
        path,
        usecols=columns,
        dtype=dict.fromkeys(text, str),
        keep_default_na=False,
        na_values={c: [""] if c in text else list(_MISSING) for c in columns},
        encoding="utf-8-sig",
    )


def _read_parquet(path: Path, columns: list[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path, columns=list(dict.fromkeys(columns))).reset_index(drop=True)


def _check_cells(frame: "pd.DataFrame", path: Path, id_col: str | None, numbers: list[str]) -> None:
    """Refuse a row without a name, and text among numbers.

    Raises:
        DataError: Naming the column and row, which are counted from 0.
    """
    import numpy as np
    import pandas as pd

    if id_col and frame[id_col].isna().any():
        row = int(frame[id_col].isna().to_numpy().argmax())
        raise DataError(f"{path}: column {id_col!r} names no series in row {row}")
    for name in numbers:
        bad = np.zeros(0) if pd.api.types.is_numeric_dtype(frame[name]) else _parsed(frame[name])[1]
        if bad.any():
            row = int(bad.argmax())
            raise DataError(f"{path}: column {name!r} holds {str(frame[name].iloc[row])[:40]!r} in row {row}, which is not a "
                            "number: correct it")  # fmt: skip


def _is_text(column: "pd.Series") -> bool:
    """Return whether no cell is a number, so that the column holds categories."""
    import pandas as pd

    return not pd.api.types.is_numeric_dtype(column) and bool(_parsed(column)[0].isna().all())


def _described(column: "pd.Series", path: Path, *, numbers: bool = False) -> "pd.Series":
    """Convert text to numbers, if all cells are numbers or ``numbers`` says that they must be."""
    import pandas as pd

    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        return column
    parsed, bad = _parsed(column)
    if not bad.any():
        return parsed
    if numbers:
        row = int(bad.argmax())
        raise DataError(
            f"{path}: column {column.name!r} holds {column.iloc[row][:40]!r} in row {row}, "
            "but the model was fitted with numbers there: correct it"
        )
    return column


def _parsed(column: "pd.Series") -> "tuple[pd.Series, np.ndarray]":
    """Return text as numbers, and which rows hold something else."""
    import pandas as pd

    there = column.notna() & ~column.isin(_MISSING)
    parsed = pd.to_numeric(column.where(there), errors="coerce")
    return parsed, (there & parsed.isna()).to_numpy()


def _named_as(column: "pd.Series", ids: Iterable[Any]) -> "pd.Series":
    """Convert names of series to the types of ``ids``, if all names are among them."""
    known = {str(name): name for name in ids}
    named = column.map(lambda name: known.get(str(name)), na_action="ignore")
    return column if named.isna().any() else named


def _times(column: "pd.Series", path: Path) -> "pd.Series":
    """Parse times: whole numbers, or ISO 8601."""
    import pandas as pd

    from lstmzoo.isotext import read_text

    where = f"{path}: column {column.name!r}"
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataError(f"{where} has no time in row {int(missing.argmax())}")
    return read_text(column, where) if pd.api.types.infer_dtype(column) == "string" else column


def check_output(path: Path) -> None:
    """Refuse a file that a frame cannot be written to, before any work is done.

    Raises:
        DataError: If its suffix is of no known format.
        ConfigError: If it cannot be written.
    """
    _suffix(path)
    check_file(path, "--out")


def write_frame(frame: "pd.DataFrame", path: Path) -> None:
    """Write a file in the format that its suffix names; it appears whole or not at all. Missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        if _suffix(path).startswith(".csv"):
            frame.to_csv(part, index=False)
        else:
            frame.to_parquet(part, index=False)


def as_frame(answer: Any, levels: Iterable[float] = ()) -> "pd.DataFrame":
    """Convert a forecast of any kind (frame, series or array) to a pandas frame.

    Args:
        answer: The forecast.
        levels: Levels of the quantiles besides the median, in the columns of an array.
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
        usual = ["unique_id", "ds"][-native.index.nlevels :]
        names = [name or other for name, other in zip(native.index.names, usual, strict=True)]
        native = native.rename_axis(names).reset_index()
    return native
