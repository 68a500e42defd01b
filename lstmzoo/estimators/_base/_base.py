"""What a search asks of an estimator: data that are split, and metrics by name."""

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from lstmzoo.contracts import Searchable
from lstmzoo.errors import ConfigError, UnknownNameError, arg


class Searched:
    """Base of the estimators: the methods of a search that are the same for most tasks."""

    _metrics: ClassVar[tuple[str, ...]] = ()  # that ``score`` takes by name
    newest_held_out: ClassVar[bool] = False  # see lstmzoo.contracts.Pausable
    holdout_split: Any

    def rolling_holdout(self, *data: Any, windows: int | None = None) -> tuple[tuple, list[tuple]]:
        """Split data into a training set and held-out windows to score, for a search; one window if the task has no time.

        Args:
            *data: As for ``fit``.
            windows: Number of windows; None for as many as suit the data.

        Raises:
            ConfigError: If there are to be several windows.
        """
        if windows is not None and windows > 1:
            raise ConfigError(
                f"{arg('cv')}: {type(self).__name__} has one held-out window: pass a splitter, such as KFold({windows})"
            )
        train, valid = self._holdout_of_search(*data)
        return train, [valid]

    def _holdout_of_search(self, *data: Any) -> tuple[tuple, tuple]:
        """Split data for a search, into parts of other sizes than those of ``holdout_split`` if scoring takes long."""
        train, valid = self.holdout_split(*data)
        return train, valid

    def split_size(self: Searchable, *data: Any) -> int:
        """Return the number of items that a splitter of scikit-learn splits: texts, or pairs of sentences."""
        return len(self.read_once(*data)[0])

    def split_at(self: Searchable, train: np.ndarray, test: np.ndarray, *data: Any) -> tuple[tuple, list[tuple]]:
        """Split data by the indices of items, for a search.

        Args:
            train: Indices of the training set, ascending.
            test: Indices of the held-out items, ascending.
            *data: As for ``fit``.

        Returns:
            The training set, and a list with one window to score.
        """
        read = self.read_once(*data)
        parts = [self.read_once(*(_chosen(items, set(side.tolist())) for items in read)) for side in (train, test)]
        return parts[0], [parts[1]]

    def first_seconds(self, *data: Any) -> float:
        """Return the seconds that a first network takes at least on one core, to be compiled and to score held-out data."""
        return 3.0

    def continue_from(self, *data: Any) -> None:
        """Go on from data that is longer than what the estimator was fitted on, without training."""

    def check_metric(self, metric: str) -> None:
        """Refuse a metric that ``score(metric=...)`` does not take.

        Raises:
            ConfigError: If the estimator has no metrics by name.
            UnknownNameError: If there is no such metric; the message lists them.
        """
        if not self._metrics:
            raise ConfigError(f"{type(self).__name__} has no metrics by name: pass {arg(scoring=None)} or a function")
        if metric not in self._metrics:
            raise UnknownNameError("metric", metric, self._metrics)

    def as_given(self, *data: Any) -> tuple:
        """Return data of ``read_once`` in the form that the user gave it, for a function that scores."""
        return data


def _chosen(items: Iterable[Any], indices: set[int]) -> list[Any]:
    return [item for i, item in enumerate(items) if i in indices]
