"""Columns of covariates as numbers, and categories as places among their labels."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.dtypes import as_pandas
from lstmzoo.errors import DataError


def read_covariates(
    frame: Any, names: tuple[str, ...], like: dict[str, list[str]] | None, way_out: str
) -> tuple[np.ndarray, dict[str, list[str]]]:
    """``(R, columns)`` float64: numbers, true and false as 1 and 0, and categories as their places among the labels.

    Args:
        frame: A narwhals frame.
        names: Of the columns.
        like: The labels of the columns that are categories, to which new ones are added; None if nothing was fitted yet.
        way_out: For messages.

    Returns:
        The table, NaN where a value is missing, and the labels of the columns that are categories.

    Raises:
        DataError: Naming a column that is none of these, or not of the kind that was fitted.
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
            raise DataError(f"column {name!r} is not numeric, but {column.dtype}: {way_out}")
    return table, labels


def _is_text(column: Any) -> bool:
    return pd.api.types.infer_dtype(as_pandas(column), skipna=True) in ("string", "categorical")


def _categories(column: Any, known: list[str]) -> tuple[np.ndarray, list[str]]:
    """Text as places among labels, those known followed by the new ones in order."""
    missing = column.is_null().to_numpy()
    if not missing.all() and not _is_text(column):
        raise DataError(f"column {column.name!r} is {column.dtype}, but what was fitted has categories, such as {known[0]!r}: "
                        "make it text")  # fmt: skip
    codes, found = pd.factorize(as_pandas(column).astype(object))
    texts = [str(value) for value in found]
    labels = [*known, *sorted(set(texts) - set(known))]
    places = {label: place for place, label in enumerate(labels)}
    at = np.array([*(places[text] for text in texts), np.nan], dtype=float)
    return at[codes], labels
