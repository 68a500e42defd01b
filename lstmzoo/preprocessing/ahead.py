"""The steps to forecast: their times and future covariates."""

from dataclasses import dataclass

import numpy as np

from lstmzoo.panel import Panel


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
