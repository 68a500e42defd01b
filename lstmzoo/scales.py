"""Limits of float64 and float32, and deviations that are larger than rounding errors."""

from typing import Any

import numpy as np

LARGEST = 1e300  # absolute value of data, so that sums and differences stay finite
LARGEST_INPUT = 1e30  # absolute value of a network's input in float32
_SMALLEST = 1e-300  # difference that counts
_ROUNDING = 16 * np.finfo(float).eps  # relative rounding error of a sum of equal values


def mean_and_deviation(values: np.ndarray, counted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the last axis, which is kept. The deviation is 0 if it is only rounding error.

    Both are computed from the differences to the last value, in units of the largest difference. So small variations at a high
    level are found, and squares neither overflow nor vanish.

    Args:
        values: ``(..., n)``.
        counted: ``(..., n)`` whether a value counts; the last values do. All count if None.

    Examples:
        >>> mean, deviation = mean_and_deviation(4e6 + np.array([[0.001, 0.003], [0.1, 0.1]]))
        >>> (mean - 4e6).round(6).tolist(), deviation.round(6).tolist()
        ([[0.002], [0.1]], [[0.001], [0.0]])
    """
    last = values[..., -1:]
    where: Any = True if counted is None else counted
    apart = values - last if counted is None else np.where(counted, values - last, 0.0)
    largest = np.abs(apart).max(axis=-1, keepdims=True)
    unit = np.where(largest > _SMALLEST, largest, 1.0)
    apart = apart / unit
    deviation = unit * apart.std(axis=-1, keepdims=True, where=where)
    varies = (largest > _SMALLEST) & (deviation > _ROUNDING * (np.abs(last) + largest))
    return last + unit * apart.mean(axis=-1, keepdims=True, where=where), np.where(varies, deviation, 0.0)


def odd_number(value: float) -> tuple[str, str]:
    """Return what is wrong with a number that is not finite or above :data:`LARGEST`, and what to do."""
    if np.isnan(value):
        return "is missing (NaN)", "fill or drop them first"
    if np.isinf(value):
        return "is infinite", "fill or drop them first"
    return f"is {value:g}, beyond {LARGEST:g}", "rescale the column"
