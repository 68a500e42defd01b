"""The steps to forecast: their times, and frames of their future covariates, empty and filled in."""

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError, arg, unseen_category
from lstmzoo.panel import Columns, Panel
from lstmzoo.preprocessing.covariates import read_covariates
from lstmzoo.preprocessing.frames import Form, assemble, eager_frame, read_ids, read_time_column
from lstmzoo.scales import LARGEST, odd_number
from lstmzoo.timestamps import as_times, wall_times
from lstmzoo.timesteps import is_shorter_than_a_day, time_kind, time_text


@dataclass(frozen=True)
class Ahead:
    """The steps to forecast.

    Attributes:
        times: ``(N, H)``.
        known: Future covariates ``(N, H, covariates)``; None if there are none, or if they were not passed.
    """

    times: np.ndarray
    known: np.ndarray | None

    def part(self, first: int, last: int) -> "Ahead":
        """Return the steps from ``first`` up to ``last``."""
        return Ahead(self.times[:, first:last], None if self.known is None else self.known[:, first:last])

    def of(self, series: np.ndarray) -> "Ahead":
        """Return the steps of some series, by number."""
        return Ahead(self.times[series], None if self.known is None else self.known[series])


def ahead_of(tail: Panel, horizon: int) -> Ahead:
    """Return the last ``horizon`` steps of each series as steps to forecast."""
    return Ahead(
        tail.times.reshape(len(tail), horizon),
        tail.known.reshape(len(tail), horizon, -1) if tail.known.shape[1] else None,
    )


def make_future_frame(panel: Panel, horizon: int, form: Form, columns: Columns) -> Any:
    """Return a frame for :func:`read_future` to fill in: ids, times, and empty future covariates.

    Args:
        panel: The N series to forecast.
        horizon: H, the number of steps to forecast.
        form: Form of the user's data.
        columns: Names of the frame's columns.

    Returns:
        A long frame of the user's kind with N * H rows.

    Examples:
        >>> panel = Panel(np.array(["a"]), np.array([0, 3]), np.array([1.0, 2, 5]), np.array([0, 1, 2]), 1)
        >>> make_future_frame(panel, 2, Form(), Columns(known=("price",)))
          unique_id  ds  price
        0         a   3    NaN
        1         a   4    NaN
    """
    rows = len(panel) * horizon
    empty: dict[str, Any] = {name: np.full(rows, np.nan) for name in columns.known}
    empty |= {name: pd.Series([None] * rows, dtype="str") for name in columns.known if name in panel.labels}
    times = panel.future_times(horizon).ravel()
    return assemble(np.repeat(panel.ids, horizon), times, empty, panel, replace(form, kind="frame"), columns)


def read_future(frame: Any, panel: Panel, columns: Columns, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Read and check the future covariates of the steps to forecast.

    Args:
        frame: Long frame of any backend, rows in any order: id, time and the future covariates, ``horizon`` rows per series.
        panel: The N series to forecast.
        columns: Names of the frame's columns.
        horizon: H, the number of steps to forecast.

    Returns:
        Times ``(N, H)``, which follow the series unless these are irregular; and future covariates ``(N, H, K)``.

    Raises:
        DataError: If a column, series or time is missing or unexpected, or a covariate is not numeric or not finite. The
            message names it.

    Examples:
        >>> panel = Panel(np.array(["a"]), np.array([0, 3]), np.array([1.0, 2, 5]), np.array([0, 1, 2]), 1)
        >>> frame = pd.DataFrame({"unique_id": "a", "ds": [4, 3], "price": [8.0, 9.0]})
        >>> times, known = read_future(frame, panel, Columns(known=("price",)), 2)
        >>> times, known[..., 0]
        (array([[3, 4]]), array([[9., 8.]]))
    """
    native, _ = eager_frame(frame, columns)
    if not isinstance(native, nw.DataFrame):
        raise DataError(
            f"{arg('future')}: expected a frame, that of make_future_frame() filled in, got {type(frame).__name__}"
        )
    _check_columns(native, columns)
    known, labels = read_covariates(native, columns.known, panel.labels, "fill it with numbers")
    _check_labels(columns, known, labels, panel)
    series = _series_of(native, panel, columns)
    times = _times_of(native, panel, columns)
    order = np.lexsort((times, series))
    series, times, known = series[order], times[order], known[order]
    counts = np.bincount(series, minlength=len(panel))
    missing = counts == 0
    if missing.any():
        raise DataError(f"{arg('future')}: series {panel.ids[int(missing.argmax())]!r} is missing ({int(missing.sum())} such "
                        f"series in all): it needs {horizon} rows")  # fmt: skip
    _check_times(panel, np.split(times, np.cumsum(counts)[:-1]), horizon)
    bad = np.argwhere(~(np.abs(known) <= LARGEST))
    if len(bad):
        row, column = bad[0]
        what, _ = odd_number(known[row, column])
        raise DataError(f"{arg('future')}: {columns.known[column]!r} of series {panel.ids[series[row]]!r} {what} at "
                        f"{time_text(times[row])} ({len(bad)} such values in all): fill it in")  # fmt: skip
    return times.reshape(len(panel), horizon), known.reshape(len(panel), horizon, len(columns.known))


def _check_columns(frame: nw.DataFrame[Any], columns: Columns) -> None:
    expected = [name for name in (columns.id, columns.time, *columns.known) if name is not None]
    wanted = f"expected {', '.join(map(repr, expected))}, as in make_future_frame()"
    for name in expected:
        if name not in frame.columns:
            has = ", ".join(map(repr, frame.columns))
            raise DataError(f"{arg('future')}: column {name!r} is missing; the frame has {has}; {wanted}")
    for name in frame.columns:
        if name not in expected:
            raise DataError(f"{arg('future')}: column {name!r} is none of the future covariates: drop it; {wanted}")


def _check_labels(columns: Columns, known: np.ndarray, labels: dict[str, list[str]], panel: Panel) -> None:
    """Refuse categories that do not occur in the training data."""
    for i, name in enumerate(columns.known):
        fitted = panel.labels.get(name, [])
        new = labels[name][len(fitted) :] if name in labels else []
        if new:
            row = int((known[:, i] == len(fitted)).argmax())
            raise unseen_category(f"{arg('future')}: {name!r} is {new[0]!r} in row {row}", fitted)


def _series_of(frame: nw.DataFrame[Any], panel: Panel, columns: Columns) -> np.ndarray:
    """Return ``(rows,)``, the series of each row."""
    if columns.id is None:
        return np.zeros(len(frame), dtype=np.int64)
    ids, _ = read_ids(frame, columns.id)
    places = {name: i for i, name in enumerate(panel.ids)}
    codes, names = pd.factorize(ids)
    for name in names:
        if name not in places:
            some = ", ".join(map(repr, panel.ids[:5])) + (", ..." if len(panel) > 5 else "")
            raise DataError(
                f"{arg('future')}: series {name!r} is not one of the series to forecast, {some}: drop it, or correct its name"
            )
    return np.array([places[name] for name in names], dtype=np.int64)[codes]


def _times_of(frame: nw.DataFrame[Any], panel: Panel, columns: Columns) -> np.ndarray:
    """Return ``(rows,)``, the times in the form of the panel."""
    if not len(frame):
        return panel.times[:0]
    column, _, _ = read_time_column(frame, columns.time)
    times, tz = as_times(column, columns.time)
    if times.dtype.kind != panel.times.dtype.kind or (tz is None) != (panel.tz is None):
        raise DataError(f"{arg('future')}: column {columns.time!r} holds {time_kind(times, tz)}, but the history has "
                        f"{time_kind(panel.times, panel.tz)}: convert it")  # fmt: skip
    on_wall = panel.tz is not None and not is_shorter_than_a_day(panel.freq)
    return wall_times(times, str(panel.tz)) if on_wall else times


def _check_times(panel: Panel, times: list[np.ndarray], horizon: int) -> None:
    """Check that each series has the steps after it, once each; or as many later steps, if series are irregular."""
    expected = panel.future_times(horizon)
    for i, given in enumerate(times):
        if np.array_equal(given, expected[i]):
            continue
        name, last = panel.ids[i], panel.times[panel.offsets[i + 1] - 1]
        same = given[1:][given[1:] == given[:-1]]
        if len(same):
            raise DataError(
                f"{arg('future')}: series {name!r} has more than one row at {time_text(same[0])}: drop all but one"
            )
        if not panel.irregular:
            raise DataError(f"{arg('future')}: series {name!r} {_odd_times(given, expected[i])}")
        if given[0] <= last:
            raise DataError(
                f"{arg('future')}: series {name!r} has a row at {time_text(given[0])}, but its history ends at "
                f"{time_text(last)}: drop it"
            )
        if len(given) != horizon:
            raise DataError(
                f"{arg('future')}: series {name!r} has {len(given)} rows, but {horizon} steps are to be forecast"
            )


def _odd_times(given: np.ndarray, expected: np.ndarray) -> str:
    lacks, extra = np.setdiff1d(expected, given), np.setdiff1d(given, expected)
    parts = [f"has no row at {time_text(lacks[0])}"] if len(lacks) else []
    parts += [f"has an unexpected row at {time_text(extra[0])}"] if len(extra) else []
    span = f"from {time_text(expected[0])} to {time_text(expected[-1])}"
    return f"{' and '.join(parts)}: {len(expected)} steps are to be forecast, {span}"
