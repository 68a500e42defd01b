"""Sizes of a forecasting network."""

from dataclasses import dataclass
from typing import ClassVar

from lstmzoo.spec._base import DataSpec


@dataclass(frozen=True)
class ForecastingSpec(DataSpec):
    """Sizes of a forecasting network.

    Attributes:
        lookback: T, time steps in a window.
        horizon: H, time steps to forecast.
        num_references: R, reference forecasts.
        num_outputs: Q, outputs per step: quantiles, or parameters of a distribution.
        median_index: Index of the median among the Q quantiles.
        distribution: ``quantiles``, or the name of a distribution; see :data:`lstmzoo.layers.DISTRIBUTIONS`.
        num_known: K, channels known in the past and the future: calendar, future covariates, time differences.
        num_past: P, channels known only in the past: past covariates, whether a value was observed.
        num_static: S, numeric static covariates.
        cardinalities: Number of values of each categorical static covariate.
        num_series: Number of series in the training data.
        season_length: Steps of the shortest season; 1 without one.
    """

    task: ClassVar[str] = "forecasting"
    lookback: int
    horizon: int
    num_references: int
    num_outputs: int
    median_index: int = 0
    distribution: str = "quantiles"
    num_known: int = 0
    num_past: int = 0
    num_static: int = 0
    cardinalities: tuple[int, ...] = ()
    num_series: int = 1
    season_length: int = 1

    @property
    def num_features(self) -> int:
        """F, channels of the window: the scaled series, the K known channels, the P past ones."""
        return 1 + self.num_known + self.num_past

    @property
    def num_future_features(self) -> int:
        """R + K, channels of the future: the references, then the known channels."""
        return self.num_references + self.num_known
