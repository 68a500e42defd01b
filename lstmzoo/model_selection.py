"""Splits of panels for scikit-learn's searches and cross-validation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.preprocessing import Columns, eager_frame, plain_times_of, read_ids, series_times


@dataclass(frozen=True)
class RollingOriginSplit:
    """Cross-validation splits of a long frame, at origins that roll through the series.

    The training rows of a split are the rows of each series before an origin. The test rows are *the same rows and the next*
    ``horizon``, because a forecaster's ``score`` forecasts the last ``horizon`` steps from those before them: only steps that
    training has not seen are scored. The last origin is ``horizon`` rows before each series' end.

    Args:
        n_splits: Number of origins.
        horizon: Rows to score after each origin; the forecaster's ``horizon``.
        step_size: Rows from one origin to the next; the horizon if None.
        id_col: Column that names the series; None if the frame holds one series.
        time_col: Column of times. Rows may be in any order.

    Examples:
        >>> frame = pd.DataFrame({"unique_id": list("aaaabbbb"), "ds": [1, 2, 3, 4] * 2, "y": range(8)})
        >>> for train, test in RollingOriginSplit(n_splits=2, horizon=1).split(frame):
        ...     print(train, test)
        [0 1 4 5] [0 1 2 4 5 6]
        [0 1 2 4 5 6] [0 1 2 3 4 5 6 7]
    """

    n_splits: int = 5
    horizon: int = 1
    step_size: int | None = None
    id_col: str | None = "unique_id"
    time_col: str = "ds"

    def __post_init__(self) -> None:
        for name in ("n_splits", "horizon", "step_size"):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0
            if not whole and not (name == "step_size" and value is None):
                raise ConfigError(f"{arg(name)}: expected a whole number above 0, got {value!r}")

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits; the arguments, which scikit-learn passes, are ignored."""
        return int(self.n_splits)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the row numbers of the training set and of the test set, ascending; the oldest origin first.

        Args:
            X: Data as for ``fit``: a long frame (pandas, polars, pyarrow), whose ids and times may be a pandas index; or one
                series as a Series or an array ``(T,)``. A pandas Series is ordered by its index; other data without times must
                be in order.
            y: Ignored; scikit-learn passes it.
            groups: Ignored.

        Raises:
            DataError: If a column, an id or a time is missing, or a series is too short.
        """
        names, ids, place = self._places(X)
        lengths = np.bincount(ids)[ids]
        step = self.horizon if self.step_size is None else self.step_size
        needed = self.horizon + (self.n_splits - 1) * step
        short = lengths <= needed
        if short.any():
            row = int(short.argmax())
            raise DataError(
                f"series {names[row]!r} has {lengths[row]} rows, but {self.n_splits} splits take {needed}, and at least "
                f"one more is needed for training: lower {arg('n_splits')} or {arg('step_size')}, or drop it"
            )
        for number in range(self.n_splits):
            end = lengths - (self.n_splits - 1 - number) * step
            yield np.flatnonzero(place < end - self.horizon), np.flatnonzero(place < end)

    def _places(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The name ``(R,)`` of each row's series, the number of the series, and the row's place in the series by time."""
        names, times = self._names_and_times(X)
        ids = pd.factorize(names)[0]
        order = np.lexsort((pd.factorize(times, sort=True)[0], ids))
        first = np.concatenate([[0], np.cumsum(np.bincount(ids))])
        place = np.empty(len(ids), dtype=np.int64)
        place[order] = np.arange(len(ids)) - first[ids[order]]
        return names, ids, place

    def _names_and_times(self, X: Any) -> tuple[np.ndarray, Any]:
        """The name ``(R,)`` of each row's series, and sortable times."""
        frame, _ = eager_frame(X, Columns(self.id_col, self.time_col))
        if not isinstance(frame, nw.DataFrame):
            times = series_times(X)[0] if isinstance(X, pd.Series) else np.arange(len(X))
            return np.zeros(len(X), dtype=np.int64), times
        self._check_columns(frame)
        one = np.zeros(len(frame), dtype=np.int64)
        names = one if self.id_col is None else read_ids(frame, self.id_col)[0].to_numpy()
        return names, plain_times_of(frame, self.time_col)

    def _check_columns(self, frame: nw.DataFrame) -> None:
        for which, name in (("id_col", self.id_col), ("time_col", self.time_col)):
            if name is not None and name not in frame.columns:
                has = ", ".join(map(repr, frame.columns))
                raise DataError(
                    f"column {name!r} is missing; the frame has {has}: rename one or pass {arg(**{which: ...})}"
                )
