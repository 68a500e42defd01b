"""Steps of series that a search holds out."""

from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base import ZooEstimator
from lstmzoo.preprocessing import Panel, check_observed, panel_frame

_MOST_WINDOWS = 3  # that a search scores by default
_WAY_OUT = f": leave out such series, or lower {arg('horizon')}"


class SplitForecaster(ZooEstimator):
    """Base of the forecasters: series are split in time. A subclass reads series by :meth:`read_once` and its parameters."""

    def holdout_split(self, y: Any) -> tuple[tuple[Any], tuple[Any]]:
        """Return ``(training data,), (data to score,)`` for a search; ``horizon`` steps of each series are held out."""
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        panel.check_lengths(params.horizon + 1, f", too few to hold out {params.horizon}{_WAY_OUT}")
        check_observed(panel, params.horizon, "held out for scores", "give observed values, or drop those rows")
        return (panel_frame(panel.head(params.horizon), form, params.columns),), (y,)

    def rolling_holdout(self, *data: Any, windows: int | None = None) -> tuple[tuple, list[tuple]]:
        """Hold out the last horizons of each series, for a search.

        Args:
            *data: Series, as for ``fit``.
            windows: Number of horizons to hold out; if None, that of :func:`usual_windows`.

        Returns:
            The series without the held-out steps, and for each window the series up to its end, the earliest first.
        """
        (y,) = data
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        horizon = params.horizon
        windows = usual_windows(panel, horizon) if windows is None else windows
        panel.check_lengths(windows * horizon + 1, f", too few to hold out {windows * horizon}{_WAY_OUT}")
        check_observed(panel, horizon, "held out for scores", "give observed values, or drop those rows")
        parts = [panel_frame(panel.head(horizon * left), form, params.columns) for left in range(windows, 0, -1)]
        train, *ends = [self.read_once(part) for part in parts]
        return train, [*ends, self.read_once(y)]

    def split_size(self, y: Any) -> int:
        """Return the number of time steps that a splitter of scikit-learn splits: the length of the shortest series."""
        return int(self._given_params.read(y)[0].lengths.min())

    def split_at(self, train: np.ndarray, test: np.ndarray, y: Any) -> tuple[tuple, list[tuple]]:
        """Split each series by the indices of time steps, for a search; see :func:`parts_at`."""
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        known, windows = parts_at(panel, train, test, params.horizon)
        for window in windows:
            check_observed(window, params.horizon, "held out for scores", "give observed values, or drop those rows")
        read = [self.read_once(panel_frame(part, form, params.columns)) for part in (known, *windows)]
        return read[0], read[1:]

    def read_once(self, y: Any) -> tuple[Any]:
        """Read series once; see :meth:`lstmzoo.contracts.Searchable.read_once`."""
        raise NotImplementedError

    @property
    def _given_params(self) -> Any:
        """The current parameters, for the next fit."""
        raise NotImplementedError


def usual_windows(panel: Panel, horizon: int) -> int:
    """Return the number of horizons to hold out: at most three, a fifth of the median length, and half of the shortest series."""
    most = min(0.2 * float(np.median(panel.lengths)), 0.5 * int(panel.lengths.min()))
    return int(min(max(most // horizon, 1), _MOST_WINDOWS))


def parts_at(panel: Panel, train: np.ndarray, test: np.ndarray, horizon: int) -> tuple[Panel, list[Panel]]:
    """Return the series of a training set, and for each horizon of test steps the series up to its end.

    Args:
        panel: The series.
        train: Indices of training steps, ascending. They count the last steps of each series, as many as the shortest one has;
            with the first of them, the earlier steps of longer series are in the training set too.
        test: Indices of test steps, ascending; those that are in ``train`` are left out.
        horizon: Steps to forecast.

    Raises:
        ConfigError: If the steps are not in a row, the test steps do not follow the training steps, or are not whole horizons.
    """
    test = np.setdiff1d(test, train)
    if not _in_a_row(train) or not _in_a_row(test) or test[0] < train[-1]:
        raise ConfigError(
            "a forecaster is trained on steps in a row, and scored on steps in a row after them: split with "
            "TimeSeriesSplit or RollingOriginSplit"
        )
    if len(test) % horizon:
        raise ConfigError(
            f"there are {len(test)} test steps, which are not whole horizons of {horizon} steps: pass test_size={horizon} "
            f"to the splitter, or change {arg('horizon')}"
        )
    shortest = int(panel.lengths.min())
    known = panel.head(shortest - 1 - int(train[-1]))
    if train[0] > 0:
        known = known.tail(len(train))
    ends = range(int(test[0]) + horizon, int(test[-1]) + 2, horizon)
    return known, [panel.head(shortest - end) for end in ends]


def _in_a_row(steps: np.ndarray) -> bool:
    return len(steps) > 0 and int(steps[-1]) - int(steps[0]) + 1 == len(steps)
