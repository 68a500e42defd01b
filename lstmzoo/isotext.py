"""Times as text: reading them, and writing times in the same format."""

import re
from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError

_WHOLE = r"[+-]?\d{1,18}"
_ISO = re.compile(
    r"\d{4}-\d\d(?P<day>-\d\d(?:(?P<separator>[T ])\d\d(?P<minute>:\d\d(?P<second>:\d\d(?:\.(?P<fraction>\d{1,9}))?)?)?)?)?"
    r"(?P<suffix>Z|[+-]\d\d(?::?\d\d)?)?"
)
_UNITS = ("M", "D", "h", "m", "s", "ms", "us")


def read_text(column: pd.Series, where: str) -> pd.Series:
    """Return whole numbers if all texts are such, otherwise timestamps.

    Args:
        column: Text without missing values.
        where: Name of the column, for messages.

    Raises:
        DataError: If a text is not a time, or the UTC offsets differ. The message names the row, counted from 0.

    Examples:
        >>> read_text(pd.Series(["2024-01-31", "2024-02-29"]), "column 'ds'").dt.day.tolist()
        [31, 29]
    """
    text = column.astype(object).str.strip()
    if text.str.fullmatch(_WHOLE).all():
        return text.astype("int64")
    try:
        return pd.to_datetime(text, format="ISO8601")
    except ValueError:
        bad = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).isna().to_numpy()
    if not bad.any():
        raise DataError(f"{where} has times of several UTC offsets: write them all in one, such as UTC")
    row = int(bad.argmax())
    raise DataError(
        f"{where} holds {text.iloc[row][:40]!r} in row {row}, which is not a time: write whole numbers, or ISO 8601 such as "
        "2026-01-31 or 2026-01-31T18:00:00, or convert it, for instance with pandas.to_datetime"
    )


def pattern_of(text: pd.Series, times: pd.Series, where: str) -> dict[str, Any]:
    """Return the format in which times are written, as JSON: ``unit``, ``separator`` and ``suffix``.

    Args:
        text: Times as the user wrote them.
        times: The same times as :func:`read_text` returns them.
        where: Name of the column, for messages.

    Raises:
        DataError: If they are not all written in one format of ISO 8601.

    Examples:
        >>> text = pd.Series(["2024-01-31 18:00"])
        >>> pattern_of(text, read_text(text, "ds"), "ds")
        {'unit': 'm', 'separator': ' ', 'suffix': ''}
    """
    first = str(text.iloc[0])
    if times.dtype.kind == "i":
        pattern = {"unit": "integer", "separator": "", "suffix": ""}
    else:
        match = _ISO.fullmatch(first)
        pattern = {"unit": "D", "separator": "T", "suffix": ""} if match is None else _pattern(match)
    differs = np.asarray(text.astype(object)) != write_text(times, pattern)
    if differs.any():
        row = int(differs.argmax())
        other = f" and {first!r} in row 0" if row else ""
        raise DataError(
            f"{where} holds {text.iloc[row]!r} in row {row}{other}, so the format of forecasts is ambiguous: write all times "
            "in one format, such as 2026-01-31 or 2026-01-31T18:00:00, or convert it, for instance with pandas.to_datetime"
        )
    return pattern


def write_text(times: Any, pattern: dict[str, Any]) -> np.ndarray:
    """Return times as text, in a finer unit than the pattern's if that cannot represent them.

    Args:
        times: Whole numbers or timestamps, in any time zone or none.
        pattern: Format that :func:`pattern_of` returned.

    Examples:
        >>> write_text(np.array(["2024-01-31T18:00"], "datetime64[us]"), {"unit": "D", "separator": " ", "suffix": "Z"})
        array(['2024-01-31 18Z'], dtype=object)
    """
    if pattern["unit"] == "integer":
        return np.array([str(step) for step in times], dtype=object)
    index = pd.DatetimeIndex(times)
    if index.tz is not None:
        index = index.tz_convert(_zone(pattern["suffix"])).tz_localize(None)
    stamps = index.to_numpy().astype("datetime64[us]")
    for unit in _UNITS[_UNITS.index(pattern["unit"]) :]:
        if (stamps.astype(f"datetime64[{unit}]") == stamps).all():
            break
    text = np.datetime_as_string(stamps, unit=unit)  # type: ignore[call-overload]
    return np.array([each.replace("T", pattern["separator"]) + pattern["suffix"] for each in text], dtype=object)


def _pattern(match: re.Match) -> dict[str, Any]:
    given = match.groupdict()
    digits = len(given["fraction"] or "")
    unit = "ms" if 0 < digits <= 3 else "us" if digits else None
    for name, coarser in (("second", "s"), ("minute", "m"), ("separator", "h"), ("day", "D")):
        unit = unit or (coarser if given[name] else None)
    return {"unit": unit or "M", "separator": given["separator"] or "T", "suffix": given["suffix"] or ""}


def _zone(suffix: str) -> str:
    if suffix in ("", "Z"):
        return "UTC"
    digits = suffix[1:].replace(":", "").ljust(4, "0")
    return f"UTC{suffix[0]}{digits[:2]}:{digits[2:]}"
