"""Selection of series by name."""

from typing import Any

import narwhals as nw
import numpy as np

from lstmzoo.errors import ConfigError, UnknownNameError, arg
from lstmzoo.panel import Columns, Panel
from lstmzoo.preprocessing.frames import eager_frame

_LISTED = 20


def series_numbers(ids: Any, known: Any) -> np.ndarray:
    """Return the numbers of series, in the order of their names in ``ids``.

    Args:
        ids: List, tuple, array or series of distinct names.
        known: Names of all series, in order.

    Raises:
        ConfigError: If ``ids`` is not a list of names, is empty, or holds a name twice.
        UnknownNameError: If there is no such series; the message lists the known ones.

    Examples:
        >>> series_numbers(["b"], ["a", "b"])
        array([1])
    """
    if nw.dependencies.is_into_series(ids):
        ids = nw.from_native(ids, series_only=True).to_list()
    if isinstance(ids, str) or not np.iterable(ids):
        raise ConfigError(f"{arg('ids')}: expected a list of names of series, got {ids!r}")
    names = list(ids)
    places = {name: i for i, name in enumerate(known)}
    for name in names:
        if name not in places:
            raise UnknownNameError("series", name, known[:_LISTED])
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), None)
        raise ConfigError(f"{arg('ids')}: {twice!r} occurs twice" if names else f"{arg('ids')}: the list is empty")
    return np.array([places[name] for name in names])


def future_of(future: Any, panel: Panel, numbers: np.ndarray, columns: Columns) -> Any:
    """Return a frame of the steps to forecast without the rows of a panel's other series; return other objects unchanged.

    Args:
        future: Frame, as for :func:`lstmzoo.preprocessing.read_future`.
        panel: All series.
        numbers: Numbers of the series to forecast.
        columns: Names of the frame's columns.
    """
    frame, _ = eager_frame(future, columns)
    if not isinstance(frame, nw.DataFrame) or columns.id not in frame.columns:
        return future
    others = set(np.delete(panel.ids, numbers))
    return frame.filter([name not in others for name in frame[columns.id].to_list()]).to_native()
