"""Steps of series that a search holds out."""

import logging
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import ZooEstimator
from lstmzoo.preprocessing import Panel, any_observed, check_observed, panel_frame

_MOST_WINDOWS = 3  # that a search scores by default
_WAY_OUT = f": leave out such series, or lower {arg('horizon')}"
_logger = logging.getLogger(__name__)


class SplitForecaster(ZooEstimator):
    """Base of the forecasters: series are split in time. A subclass reads series by :meth:`read_once` and its parameters.

    Series that are too short for that are whole in the training set, and are not scored; a warning is logged. They are refused if
    the parameter ``pad_short`` is False, or if all series are too short.
    """

    def holdout_split(self, y: Any) -> tuple[tuple[Any], tuple[Any]]:
        """Return ``(training data,), (data to score,)`` for a search; ``horizon`` steps of each series are held out."""
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        long = self._long_enough(panel, params.horizon)
        scored = panel.select(np.flatnonzero(long))
        check_observed(scored, params.horizon, "held out for scores", "give observed values, or drop those rows")
        train = panel_frame(panel.head(params.horizon * long), form, params.columns)
        return (train,), (y if long.all() else panel_frame(scored, form, params.columns),)

    def rolling_holdout(self, *data: Any, windows: int | None = None) -> tuple[tuple, list[tuple]]:
        """Hold out the last horizons of each series, for a search.

        Args:
            *data: Series, as for ``fit``.
            windows: Number of horizons to hold out; if None, that of :func:`usual_windows`.

        Returns:
            The series without the held-out steps, and for each window with an observed value the series up to its end, the
            earliest first.
        """
        (y,) = data
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        horizon = params.horizon
        windows = usual_windows(panel, horizon) if windows is None else windows
        long = self._long_enough(panel, windows * horizon)
        scored = panel.select(np.flatnonzero(long))
        check_observed(scored, horizon, "held out for scores", "give observed values, or drop those rows")
        earlier = [scored.head(horizon * left) for left in range(windows - 1, 0, -1)]
        seen = [end for end in earlier if any_observed(end, horizon)]
        if len(seen) < len(earlier):
            _logger.warning(
                "%d of %d held-out windows have no observed value and are not scored", len(earlier) - len(seen), windows
            )
        parts = [panel.head(windows * horizon * long), *seen, *([] if long.all() else [scored])]
        train, *ends = [self.read_once(panel_frame(part, form, params.columns)) for part in parts]
        return train, [*ends, self.read_once(y)] if long.all() else ends

    def split_size(self, y: Any) -> int:
        """Return the number of time steps that a splitter of scikit-learn splits.

        This is the length of the shortest series that is longer than the horizon.
        """
        params = self._given_params
        panel = params.read(y)[0]
        return shortest(panel, self._long_enough(panel, params.horizon))

    def split_at(self, train: np.ndarray, test: np.ndarray, y: Any) -> tuple[tuple, list[tuple]]:
        """Split each series by the indices of time steps, for a search; see :func:`parts_at`."""
        self._check_params()
        params = self._given_params
        panel, form = params.read(y)
        known, windows = parts_at(panel, panel.lengths > params.horizon, train, test, params.horizon)
        for window in windows:
            check_observed(window, params.horizon, "held out for scores", "give observed values, or drop those rows")
        read = [self.read_once(panel_frame(part, form, params.columns)) for part in (known, *windows)]
        return read[0], read[1:]

    def read_once(self, y: Any) -> tuple[Any]:
        """Read series once; see :meth:`lstmzoo.contracts.Searchable.read_once`."""
        raise NotImplementedError

    def _long_enough(self, panel: Panel, steps: int) -> np.ndarray:
        """Return ``(N,)``, whether each series has more than so many steps; see the class for those that do not."""
        long = panel.lengths > steps
        if not long.any():
            i = int(panel.lengths.argmax())
            raise DataError(
                f"the longest series, {panel.ids[i]!r}, has {panel.lengths[i]} observations, too few to hold out {steps}: lower "
                f"{arg('horizon')}, or give longer series; a BaselineForecaster forecasts them without a search"
            )
        if vars(self).get("pad_short") is False:
            panel.check_lengths(steps + 1, f", too few to hold out {steps}{_WAY_OUT}")
        if not long.all():
            _logger.warning(
                "%d of %d series have at most %d observations: they are in the training set, but are not scored, because no "
                "steps can be held out; pad_short=False refuses them", int((~long).sum()), len(panel), steps,
            )  # fmt: skip
        return long

    @property
    def _given_params(self) -> Any:
        """The current parameters, for the next fit."""
        raise NotImplementedError


def usual_windows(panel: Panel, horizon: int) -> int:
    """Return the number of horizons to hold out: at most three, a fifth of the median length, and half of the shortest series.

    Series that are not longer than the horizon do not count as the shortest one.
    """
    most = min(0.2 * float(np.median(panel.lengths)), 0.5 * shortest(panel, panel.lengths > horizon))
    return int(min(max(most // horizon, 1), _MOST_WINDOWS))


def shortest(panel: Panel, long: np.ndarray) -> int:
    """Return the least length of the series that are long enough ``(N,)``; of all series if none is."""
    return int(panel.lengths[long if long.any() else slice(None)].min())


def parts_at(
    panel: Panel, long: np.ndarray, train: np.ndarray, test: np.ndarray, horizon: int
) -> tuple[Panel, list[Panel]]:
    """Return the series of a training set, and for each horizon of test steps the series up to its end.

    Args:
        panel: The N series.
        long: ``(N,)`` whether each series is long enough to be scored; the others are whole in the training set.
        train: Indices of training steps, ascending. They count the last steps of each series, as many as the shortest one that
            is scored has; with the first of them, the earlier steps of longer series are in the training set too.
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
    size, scored = shortest(panel, long), panel.select(np.flatnonzero(long))
    known = panel.head((size - 1 - int(train[-1])) * long)
    if train[0] > 0:
        known = known.tail(len(train))
    ends = range(int(test[0]) + horizon, int(test[-1]) + 2, horizon)
    return known, [scored.head(size - end) for end in ends]


def _in_a_row(steps: np.ndarray) -> bool:
    return len(steps) > 0 and int(steps[-1]) - int(steps[0]) + 1 == len(steps)
