"""Reading a user's frame, series or array into a checked :class:`lstmzoo.panel.Panel`."""

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.dtypes import as_pandas, describe
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.panel import Columns, Panel
from lstmzoo.preprocessing.covariates import read_covariates
from lstmzoo.preprocessing.frames import Form, eager_frame, read_ids, read_time_column, series_times
from lstmzoo.preprocessing.frequency import with_frequency, with_rows_in_gaps, with_usual_step
from lstmzoo.preprocessing.missing import filled, open_ended
from lstmzoo.scales import LARGEST, odd_number
from lstmzoo.timestamps import as_times, own_times, user_times, wall_times
from lstmzoo.timesteps import is_shorter_than_a_day, time_kind, time_text

_TIMES_OF = {"frame": "column {!r} holds", "series": "the index holds", "array": "an array without times has"}
_MISSING = ("error", "mask", "interpolate", "keep")


@dataclass
class _Rows:
    """The user's R rows, in any order.

    Attributes:
        past: ``(R, P)``.
        known: ``(R, K)``.
        static: For each column, codes ``(R,)``, -1 if missing, and the values of the codes.
        labels: For each categorical covariate, the labels of its codes.
    """

    ids: pd.Series
    times: pd.Series
    values: np.ndarray
    past: np.ndarray
    known: np.ndarray
    static: dict[str, tuple[np.ndarray, np.ndarray]]
    labels: dict[str, list[str]]


def read_panel(
    data: Any,
    columns: Columns,
    freq: str | int | None = None,
    *,
    missing: str = "error",
    irregular: bool = False,
    like: Panel | None = None,
    after: Panel | None = None,
) -> tuple[Panel, Form]:
    """Read a long frame, a series or an array into a panel, sorted by series and time.

    Args:
        data: Long frame (pandas, polars, pyarrow); pandas or polars Series, which is one time series (a pandas index of
            timestamps has its times); or array ``(T,)``.
        columns: Names of the frame's columns. Other columns are ignored.
        freq: pandas frequency alias, or integer step; inferred if None.
        missing: ``error`` refuses missing values and gaps. Otherwise gaps become rows, with the last future covariates.
            ``mask`` fills missing values and covariates with the last value, or with the first one if there is none before.
            ``interpolate`` fills linearly, and at the ends with the nearest value; past covariates are filled as by ``mask``.
            The panel's ``observed`` tells which values were filled. ``keep`` leaves missing values NaN, to be filled later.
        irregular: Whether time steps may have any length. There are no gaps then, and the frequency is the median step.
        like: Panel read before: timestamps are converted to its time zone, and covariates must be of the same kinds.
        after: Series that the data continue: data without times begin at its next step.

    Raises:
        ConfigError: If a column has two roles.
        DataError: If a column is missing, the frame is empty, a target or covariate is not numeric, not finite or missing, a
            static covariate changes, a time is duplicated, there is a gap, a series has no value, frequencies are mixed, or
            only one of the data and ``like`` has a time zone. The message names the column, series or time.

    Examples:
        >>> panel, form = read_panel([3.0, 1.0, 2.0], Columns())
        >>> panel.values, panel.times, form.kind
        (array([3., 1., 2.]), array([0, 1, 2]), 'array')
        >>> panel, _ = read_panel([3.0, np.nan, 2.0], Columns(), missing="mask")
        >>> panel.values, panel.observed
        (array([3., 3., 2.]), array([ True, False,  True]))
    """
    if missing not in _MISSING:
        raise ConfigError(f"{arg('missing')}: expected one of {', '.join(map(repr, _MISSING))}, got {missing!r}")
    rows, form, columns = _read_rows(data, columns, None if like is None else like.labels)
    if after is not None and (form.kind == "array" or (form.kind == "series" and form.backend != "pandas")):
        rows.times = pd.Series(user_times(after.future_times(len(rows.values))[0], after.freq, after.tz, after.own))
    sorted_, wall = _sorted_panel(rows, columns, missing, like, _TIMES_OF[form.kind].format(columns.time))
    gaps, freq = missing != "error", int(freq) if isinstance(freq, np.integer) else freq
    panel = with_usual_step(sorted_, wall, freq) if irregular else with_frequency(sorted_, wall, freq, gaps=gaps)
    if panel.tz is not None and not is_shorter_than_a_day(panel.freq):
        panel = replace(panel, own=own_times(sorted_.times, wall, panel.tz))
    return panel if missing in ("error", "keep") else filled(panel, missing, columns), form


def continued(panel: Panel, new: Panel, columns: Columns, *, missing: str) -> Panel:
    """Return a filled panel extended by new rows; gaps between them and missing new values are filled from both sides.

    Values that were filled before stay, except at the end of a series: these gaps can now be interpolated.

    Args:
        panel: Filled panel.
        new: New rows, NaN where something is missing.
        columns: Names of the columns, for messages.
        missing: As for :func:`read_panel`; ``error`` refuses gaps.

    Raises:
        DataError: As in :meth:`Panel.continued`; or if a gap would become absurdly many rows.

    Examples:
        >>> panel, _ = read_panel([3.0, 1.0], Columns())
        >>> new, _ = read_panel([np.nan, 7.0], Columns(), missing="keep", after=panel)
        >>> continued(panel, new, Columns(), missing="interpolate").values
        array([3., 1., 4., 7.])
    """
    if missing == "error":
        return panel.continued(new)
    longer = open_ended(panel).continued(new, gaps=True)
    return filled(longer if longer.irregular else with_rows_in_gaps(longer), missing, columns)


def _read_rows(data: Any, columns: Columns, labels: dict[str, list[str]] | None) -> tuple[_Rows, Form, Columns]:
    if isinstance(data, list | tuple | np.ndarray):
        _check_no_covariates("an array", columns)
        values = _array_values(data)
        return _one_series(values, np.arange(len(values))), Form("array", "pandas"), Columns(None)
    native, index = eager_frame(data, columns)
    if isinstance(native, nw.Series):
        _check_no_covariates("a series", columns)
        return *_read_series(native), Columns(None)
    if not isinstance(native, nw.DataFrame):
        lazy = ": collect it first" if hasattr(data, "collect") else ""
        raise DataError(f"expected a frame, a series or an array, got {type(data).__name__}{lazy}")
    return *_read_frame(native, columns, index, labels), columns


def _check_no_covariates(what: str, columns: Columns) -> None:
    names = [*columns.past, *columns.known, *columns.static]
    if names:
        raise DataError(
            f"covariates are columns of a long frame, but {what} was passed: pass a frame with the column {names[0]!r}"
        )


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


def _read_series(series: nw.Series[Any]) -> tuple[_Rows, Form]:
    backend = str(series.implementation)
    if not series.dtype.is_numeric():
        raise DataError(f"the series is not numeric, but {series.dtype}")
    values = series.to_numpy().astype(float)
    if backend != "pandas":
        return _one_series(values, np.arange(len(values))), Form("series", backend)
    index = series.to_native().index
    times, text = series_times(series.to_native())
    name = None if index.name is None else str(index.name)
    return _one_series(values, times), Form(
        "series", backend, None, describe(pd.Series(index), backend), text, [[None, name]]
    )


def _one_series(values: np.ndarray, times: Any) -> _Rows:
    ids = pd.Series(["series"] * len(values), dtype=object)
    none = np.empty((len(values), 0))
    return _Rows(ids, pd.Series(times), values, none, none, {}, {})


def _read_frame(
    frame: nw.DataFrame[Any], columns: Columns, index: list | None, labels: dict[str, list[str]] | None
) -> tuple[_Rows, Form]:
    _check_columns(frame, columns)
    if not len(frame):
        raise DataError("the frame is empty: no rows")
    target = frame[columns.target]
    if not target.dtype.is_numeric():
        raise DataError(f"column {columns.target!r} is not numeric, but {target.dtype}: convert it to numbers first")
    values = target.cast(nw.Float64).to_numpy().astype(float)
    ids, id_dtype = (pd.Series([0] * len(frame)), None) if columns.id is None else read_ids(frame, columns.id)
    times, time_dtype, text = read_time_column(frame, columns.time)
    advice = "make it numbers" if labels is not None else "make it numbers, or text, which is a category"
    past, past_labels = read_covariates(frame, columns.past, labels, advice)
    known, known_labels = read_covariates(frame, columns.known, labels, advice)
    static = {name: _static_codes(frame[name]) for name in columns.static}
    form = Form("frame", str(frame.implementation), id_dtype, time_dtype, text, index)
    return _Rows(ids, times, values, past, known, static, past_labels | known_labels), form


def _check_columns(frame: nw.DataFrame[Any], columns: Columns) -> None:
    roles: dict[str, str] = {}
    for role, column in columns.roles:
        if column in roles:
            raise ConfigError(f"column {column!r} is named by {arg(roles[column])} and by {arg(role)}: give it one role" if
                              roles[column] != role else f"column {column!r} is named twice by {arg(role)}")  # fmt: skip
        roles[column] = role
        _check_not_a_result(role, column)
        if column not in frame.columns:
            has = f"column {column!r} is missing; the frame has {', '.join(map(repr, frame.columns))}"
            if role.endswith("_covariates"):
                raise DataError(f"{has}: add it, or leave it out of {arg(role)}")
            advice = f"; pass {arg(id_col=None)} if the frame holds one series" if role == "id_col" else ""
            raise DataError(f"{has}: rename one or pass {arg(**{role: ...})}{advice}")


def _check_not_a_result(role: str, column: str) -> None:
    key = role in ("id_col", "time_col", "target_col")
    if column == "y_hat" or column.startswith("y_hat_") or (key and column in ("cutoff", "residual")):
        raise ConfigError(
            f"{arg(role)}: {column!r} is the name of a column of forecasts, which would overwrite it: rename yours"
        )


def _static_codes(column: nw.Series[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return codes ``(R,)``, -1 if missing, and their values: numbers as float, categories as text."""
    if column.dtype.is_numeric():
        codes, values = pd.factorize(column.cast(nw.Float64).to_numpy().astype(float))
        return codes, values.astype(object)
    native = as_pandas(column)
    kind = pd.api.types.infer_dtype(native, skipna=True)
    if kind not in ("string", "boolean", "categorical", "empty"):
        raise DataError(f"static covariate {column.name!r} holds {kind}: make it numbers or text")
    codes, categories = pd.factorize(native)
    return codes, np.array([str(value) for value in categories], dtype=object)


def _sorted_panel(
    rows: _Rows, columns: Columns, missing: str, like: Panel | None, times_of: str
) -> tuple[Panel, np.ndarray]:
    """Return the rows sorted by series and time, checked, and their local times; the frequency is not known yet.

    Args:
        rows: The user's rows.
        columns: Names of the columns.
        missing: As for :func:`read_panel`.
        like: As for :func:`read_panel`.
        times_of: Beginning of a message about the times.
    """
    if not len(rows.values):
        raise DataError("the series is empty: no observations")
    codes, names = _numbered(rows.ids)
    odd = [name for name in names[:1000] if not isinstance(name, str | int | np.integer)]
    if odd:
        raise DataError(
            f"column {columns.id!r} holds {type(odd[0]).__name__}: name the series by text or whole numbers"
        )
    stamps, tz = as_times(rows.times, columns.time)
    if like is not None:
        if stamps.dtype.kind != like.times.dtype.kind or (tz is None) != (like.tz is None):
            raise DataError(f"{times_of} {time_kind(stamps, tz)}, but the training data have {time_kind(like.times, like.tz)}: "
                            "pass times of that kind")  # fmt: skip
        tz = like.tz
    wall = stamps if tz is None else wall_times(stamps, tz)
    values, past, known, static = rows.values, rows.past, rows.known, rows.static
    order = _order(codes, stamps)
    if order is not None:
        codes, stamps, wall, values = codes[order], stamps[order], wall[order], values[order]
        past, known = past[order], known[order]
        static = {name: (column[order], kinds) for name, (column, kinds) in static.items()}
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
    panel = Panel(names, offsets, values, stamps, freq=1, tz=tz, past=past, known=known, labels=rows.labels)
    _check_finite(panel, values, columns.target, missing)
    for table, covariates in ((past, columns.past), (known, columns.known)):
        for i, column in enumerate(covariates):
            _check_finite(panel, table[:, i], column, missing)
    _check_duplicates(panel, columns)
    described = np.empty((len(names), len(static)), dtype=object)
    for i, (column, (of_row, kinds)) in enumerate(static.items()):
        described[:, i] = _described(panel, column, of_row, kinds)
    return replace(panel, static=described), wall


def _numbered(ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(R,)``, the number of each row's series, and the names of the series, sorted."""
    codes, found = pd.factorize(ids)
    order, names = pd.factorize(np.array([None, *found], dtype=object)[1:], sort=True)
    return order[codes], names


def _order(codes: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """Return the order by series and time; None if the rows are sorted already."""
    step = np.diff(codes)
    if (step >= 0).all() and (times[1:][step == 0] > times[:-1][step == 0]).all():
        return None
    return np.lexsort((times, codes))


def _check_finite(panel: Panel, values: np.ndarray, column: str, missing: str) -> None:
    bad = ~(np.abs(values) <= LARGEST) if missing == "error" else np.abs(values) > LARGEST
    if bad.any():
        row = int(bad.argmax())
        what, advice = odd_number(values[row])
        more = f", or pass {arg(missing='mask')} or {arg(missing='interpolate')}" if np.isnan(values[row]) else ""
        raise DataError(f"{column!r} of series {panel.name_of(row)!r} {what} at {time_text(panel.times[row])} "
                        f"({int(bad.sum())} such values in all): {advice}{more}")  # fmt: skip


def _check_duplicates(panel: Panel, columns: Columns) -> None:
    same = (panel.times[1:] == panel.times[:-1]) & panel.inner
    if same.any():
        row = int(same.argmax())
        name = panel.name_of(row)
        at = panel.times[row]
        of_day = at.dtype.kind == "M" and panel.tz is None and at != at.astype("datetime64[D]")
        hint = "; local times across a clock change need a time zone" if of_day else ""
        several = (
            f", or name the column that tells several series apart by {arg('id_col')}" if columns.id is None else ""
        )
        raise DataError(f"series {name!r} has more than one row at {time_text(at)} "
                        f"({int(same.sum())} duplicates in all): aggregate or drop them first{several}{hint}")  # fmt: skip


def _described(panel: Panel, column: str, codes: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return ``(N,)``, a static covariate of each series.

    Raises:
        DataError: If it is missing or infinite, or changes within a series.
    """
    infinite = np.flatnonzero([value in (np.inf, -np.inf) for value in kinds])
    for what, bad in (("missing", codes < 0), ("infinite", np.isin(codes, infinite))):
        if bad.any():
            row = int(bad.argmax())
            raise DataError(f"static covariate {column!r} of series {panel.name_of(row)!r} is {what} at "
                            f"{time_text(panel.times[row])} ({int(bad.sum())} such rows in all): correct it")  # fmt: skip
    changes = (codes[1:] != codes[:-1]) & panel.inner
    if changes.any():
        row = int(changes.argmax())
        before, after = kinds[codes[row]], kinds[codes[row + 1]]
        raise DataError(
            f"static covariate {column!r} of series {panel.name_of(row)!r} changes from {before!r} to {after!r} at "
            f"{time_text(panel.times[row + 1])}: correct it, or, if it varies, pass it as a past or future covariate"
        )
    return kinds[codes[panel.offsets[:-1]]]
