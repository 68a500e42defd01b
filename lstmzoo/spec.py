"""What a builder needs to know of the data: one frozen dataclass per task, learned by the task's preprocessor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ForecastingSpec:
    """Sizes of a forecasting network.

    Attributes:
        lookback: T, time steps in a window.
        horizon: H, time steps to forecast.
        num_features: F, channels of the window and of the known future alike: channel 0 is the scaled series in the
            window and its reference forecast in the future; the others are calendar features.
        num_outputs: Q, forecast quantiles a step.
        median_index: Which of the Q outputs is the median.
    """

    lookback: int
    horizon: int
    num_features: int
    num_outputs: int
    median_index: int
