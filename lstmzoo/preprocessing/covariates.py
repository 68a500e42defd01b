"""Columns of covariates as numbers; categories as codes."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.dtypes import as_pandas
from lstmzoo.errors import DataError


def read_covariates(
    frame: nw.DataFrame[Any], names: tuple[str, ...], like: dict[str, list[str]] | None, advice: str
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """Return covariates as ``(R, columns)`` float64: numbers, booleans as 1 and 0, and categories as codes.

    Args:
        frame: A narwhals frame.
        names: Names of the columns.
        like: Labels of the categorical columns in training, to which new labels are added; None in training itself.
        advice: What the user can do, for messages.

    Returns:
        The table, NaN where a value is missing, and the labels of the categorical columns.

    Raises:
        DataError: If a column is none of these, or not of the kind it had in training. The message names the column.
    """
    table, labels = np.empty((len(frame), len(names))), {}
    for i, name in enumerate(names):
        column = frame[name]
        if like is not None and name in like:
            table[:, i], labels[name] = _categories(column, like[name])
        elif column.dtype.is_numeric() or column.dtype == nw.Boolean:
            table[:, i] = column.cast(nw.Float64).to_numpy()
        elif like is None and _is_text(column):
            table[:, i], labels[name] = _categories(column, [])
        else:
            raise DataError(f"column {name!r} is not numeric, but {column.dtype}: {advice}")
    return table, labels


def _is_text(column: nw.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(as_pandas(column), skipna=True) in ("string", "categorical")


def _categories(column: nw.Series[Any], known: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return text as codes, and the labels: the known ones, then the new ones, sorted."""
    missing = column.is_null().to_numpy()
    if not missing.all() and not _is_text(column):
        raise DataError(f"column {column.name!r} is {column.dtype}, but had categories in training, such as {known[0]!r}: "
                        "make it text")  # fmt: skip
    codes, found = pd.factorize(as_pandas(column).astype(object))
    texts = [str(value) for value in found]
    labels = [*known, *sorted(set(texts) - set(known))]
    places = {label: place for place, label in enumerate(labels)}
    at = np.array([*(places[text] for text in texts), np.nan], dtype=float)
    return at[codes], labels
