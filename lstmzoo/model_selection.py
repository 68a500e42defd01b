"""Splits of panels for scikit-learn's searches and cross-validation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import ConfigError, DataError, arg


@dataclass(frozen=True)
class RollingOriginSplit:
    """Train and test rows of a long frame, from origins that roll on through the series.

    The train rows of a split are those of each series before an origin. Its test rows are *these and the next* ``horizon``: a
    forecaster's ``score`` forecasts the last ``horizon`` steps that it is given from those before them. So it needs the history,
    and scores only what training did not see. The last origin lies ``horizon`` rows before each series' end.

    Args:
        n_splits: Origins.
        horizon: Rows after each origin that are scored; the forecaster's ``horizon``.
        step_size: Rows from one origin to the next; the horizon if None.
        id_col: Column that names the series; None if the frame holds one series.
        time_col: Column of times, which the rows need not be sorted by.

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
        """The number of splits; the arguments are scikit-learn's, and are not looked at."""
        return int(self.n_splits)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the numbers of the rows to train on and to be scored with, ascending, the oldest origin first.

        Args:
            X: A long frame (pandas, polars, pyarrow); or, of one series in order, a Series or an array ``(T,)``.
            y: Nothing; scikit-learn passes it.
            groups: Nothing.

        Raises:
            DataError: If a column is missing, or a series is too short; it is named.
        """
        ids, place = self._places(X)
        lengths = np.bincount(ids)[ids]
        step = self.horizon if self.step_size is None else self.step_size
        needed = self.horizon + (self.n_splits - 1) * step
        short = lengths <= needed
        if short.any():
            row = int(short.argmax())
            raise DataError(
                f"series {self._name(X, row)!r} has {lengths[row]} rows, but {self.n_splits} splits take {needed}, and one "
                f"or more are to be trained on: lower {arg('n_splits')} or {arg('step_size')}, or drop it"
            )
        for number in range(self.n_splits):
            end = lengths - (self.n_splits - 1 - number) * step
            yield np.flatnonzero(place < end - self.horizon), np.flatnonzero(place < end)

    def _places(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """``(R,)`` which series each row is of, and which row of it, by time."""
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            return np.zeros(len(X), dtype=np.int64), np.arange(len(X))
        wanted = [name for name in (self.id_col, self.time_col) if name is not None]
        missing = next((name for name in wanted if name not in frame.columns), None)
        if missing is not None:
            which = "id_col" if missing == self.id_col else "time_col"
            has = ", ".join(map(repr, frame.columns))
            raise DataError(
                f"column {missing!r} is missing; the frame has {has}: rename one or pass {arg(**{which: ...})}"
            )
        ids = np.zeros(len(frame), dtype=np.int64)
        if self.id_col is not None:
            ids = pd.factorize(frame[self.id_col].to_numpy())[0]
        if (ids < 0).any():
            raise DataError(f"column {self.id_col!r} has a missing value in row {int((ids < 0).argmax())}")
        order = np.lexsort((frame[self.time_col].to_numpy(), ids))
        first = np.concatenate([[0], np.cumsum(np.bincount(ids))])
        place = np.empty(len(frame), dtype=np.int64)
        place[order] = np.arange(len(frame)) - first[ids[order]]
        return ids, place

    def _name(self, X: Any, row: int) -> Any:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        return frame[self.id_col][row] if isinstance(frame, nw.DataFrame) and self.id_col is not None else 0
