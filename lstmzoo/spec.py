"""What a builder needs to know of the data: one frozen dataclass per task, learned by the task's preprocessor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForecastingSpec:
    """Sizes of a forecasting network.

    Attributes:
        lookback: T, time steps in a window.
        horizon: H, time steps to forecast.
        num_features: F, channels of the window: the scaled series first, then the calendar.
        num_references: R, reference forecasts; they are the first channels of the known future, the calendar the others.
        num_outputs: Q, forecast quantiles a step.
        median_index: Which of the Q outputs is the median.
    """

    lookback: int
    horizon: int
    num_features: int
    num_references: int
    num_outputs: int
    median_index: int

    @property
    def num_future_features(self) -> int:
        """Channels of the known future: references and calendar."""
        return self.num_references + self.num_features - 1
