"""The size of numbers: what float64 can reckon with, and what is told from rounding."""

import numpy as np

LARGEST = 1e300  # absolute value: sums and differences of several stay finite
LARGEST_INPUT = 1e30  # of a network in float32
_SMALLEST = 1e-300  # of differences
_ROUNDING = 16 * np.finfo(float).eps  # relative to the values, what sums of a few make of equal ones


def mean_and_deviation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the last axis, which is kept; the deviation is 0 where only rounding varies.

    They are those of differences from the last value, in units of the largest. So a variation is found beside any level that
    float64 can tell it from, and no square overflows or vanishes.

    Examples:
        >>> mean, deviation = mean_and_deviation(4e6 + np.array([[0.001, 0.003], [0.1, 0.1]]))
        >>> (mean - 4e6).round(6).tolist(), deviation.round(6).tolist()
        ([[0.002], [0.1]], [[0.001], [0.0]])
    """
    last = values[..., -1:]
    apart = values - last
    largest = np.abs(apart).max(axis=-1, keepdims=True)
    unit = np.where(largest > _SMALLEST, largest, 1.0)
    apart = apart / unit
    deviation = unit * apart.std(axis=-1, keepdims=True)
    varies = (largest > _SMALLEST) & (deviation > _ROUNDING * (np.abs(last) + largest))
    return last + unit * apart.mean(axis=-1, keepdims=True), np.where(varies, deviation, 0.0)


def odd_number(value: float) -> tuple[str, str]:
    """What is wrong with a number that is not one of at most :data:`LARGEST` in size, and the way out."""
    if np.isnan(value):
        return "is missing (NaN)", "fill or drop them first"
    if np.isinf(value):
        return "is infinite", "fill or drop them first"
    return f"is {value:g}, beyond {LARGEST:g}", "rescale the column"
