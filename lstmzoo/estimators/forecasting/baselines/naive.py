"""Naive forecasts of one series."""

import numpy as np

from lstmzoo.scales import mean_and_deviation


def naive_forecast(method: str, y: np.ndarray, horizon: int, season: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the means ``(H,)`` of the next steps and their standard deviations.

    A series that is too short for ``seasonal_naive`` or ``drift`` has the forecast of ``naive``.

    Args:
        method: ``naive``, ``seasonal_naive``, ``drift`` or ``window_average``.
        y: ``(T,)`` the series.
        horizon: H.
        season: Season length.
        width: How many last values ``window_average`` averages at most.
    """
    steps = np.arange(1, horizon + 1)
    if method == "window_average":
        width = min(width, len(y))
        mean, deviation = (float(x[0]) for x in mean_and_deviation(y[-width:]))
        return np.full(horizon, mean), np.full(horizon, deviation * np.sqrt(1 + 1 / width))
    if method == "seasonal_naive" and len(y) >= season:
        seasons = (steps - 1) // season + 1
        return y[len(y) - season + (steps - 1) % season], _spread(y[season:] - y[:-season]) * np.sqrt(seasons)
    if method == "drift" and len(y) > 1:
        slope = (y[-1] - y[0]) / (len(y) - 1)
        return y[-1] + slope * steps, _spread(np.diff(y) - slope) * np.sqrt(steps * (1 + steps / (len(y) - 1)))
    return np.full(horizon, y[-1]), _spread(y[1:] - y[:-1]) * np.sqrt(steps)


def _spread(residuals: np.ndarray) -> float:
    """Root mean square of residuals; 0 if there are none."""
    largest = float(np.abs(residuals).max(initial=0.0))
    return largest * float(np.sqrt(np.mean((residuals / largest) ** 2))) if largest > 0 else 0.0
