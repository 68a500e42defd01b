"""Seasonal adjustment of many series at once, by classical decomposition."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CYCLES = 3  # fewest repeats of a season that is adjusted for
_SIGNIFICANT = 1.645  # 90 % quantile of a two-sided normal test
_LEAST_FACTOR = 0.1  # a smaller one would blow up noise
_LEAST_RANGE = 1e-3  # relative to the level; below, multiplying and adding a pattern is the same


@dataclass(frozen=True)
class Adjusted:
    """N series without their seasons: ``(base + values) * factor + offset`` is the series.

    Attributes:
        values: ``(N, T)`` the adjusted series less their base, from the left.
        base: ``(N,)`` the first value of each series.
        lengths: ``(N,)`` how many of these T values each series has.
        patterns: For each season of length m, its factors ``(N, m)`` and its offsets ``(N, m)``, from the first value on.
        counts: ``(N,)`` the number of seasonal parameters.
    """

    values: np.ndarray
    base: np.ndarray
    lengths: np.ndarray
    patterns: list[tuple[np.ndarray, np.ndarray]]
    counts: np.ndarray

    def restored(self, mean: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return forecasts ``(N, H)`` of the series, from forecasts of ``values``."""
        mean = self.base[:, None] + mean
        steps = np.arange(mean.shape[1])
        for factors, offsets in reversed(self.patterns):
            place = (self.lengths[:, None] + steps) % factors.shape[1]
            factor = np.take_along_axis(factors, place, axis=1)
            mean, deviation = mean * factor + np.take_along_axis(offsets, place, axis=1), deviation * np.abs(factor)
        return mean, deviation


def adjusted(values: np.ndarray, lengths: np.ndarray, seasons: Sequence[int]) -> Adjusted:
    """Remove the significant seasons of each series, one after the other.

    A pattern is multiplied if all values are above 0, all its factors are at least 0.1, and it leaves a smaller squared error
    than a pattern that is added.

    Args:
        values: ``(N, T)`` series, from the left.
        lengths: ``(N,)`` how many of these T values each series has.
        seasons: Season lengths, shortest first.

    Examples:
        >>> y = np.tile([1.0, 2.0, 3.0, 6.0], (1, 5))
        >>> plain = adjusted(y, np.array([20]), [4])
        >>> (plain.base + plain.values)[0, :5]
        array([3., 3., 3., 3., 3.])
    """
    base, known = values[:, 0], np.arange(values.shape[1]) < lengths[:, None]
    inner = np.where(known, values - base[:, None], 0.0)
    patterns, counts = [], np.zeros(len(values), dtype=np.int64)
    for season in seasons:
        rows = np.flatnonzero(is_seasonal(inner, lengths, season)) if season > 1 else np.empty(0, dtype=np.int64)
        if len(rows):
            factors, offsets = np.ones((len(values), season)), np.zeros((len(values), season))
            factors[rows], offsets[rows] = _patterns(inner[rows], base[rows], lengths[rows], season)
            place = np.arange(values.shape[1]) % season
            inner = inner - offsets[:, place]
            multiplied = np.flatnonzero((factors != 1).any(axis=1))
            lifted = inner[multiplied] + base[multiplied, None]
            inner[multiplied] = lifted / factors[multiplied][:, place] - base[multiplied, None]
            inner = np.where(known, inner, 0.0)
            patterns.append((factors, offsets))
            counts[rows] += season - 1
    return Adjusted(inner, base, lengths, patterns, counts)


def is_seasonal(values: np.ndarray, lengths: np.ndarray, season: int) -> np.ndarray:
    """Return ``(N,)``, whether each series has a significant season, by the test of M4's benchmarks.

    The autocorrelation at one season must be significant at 90 %, and the season must fit three times.

    Args:
        values: As for :func:`adjusted`.
        lengths: As for :func:`adjusted`.
        season: Season length.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting methods",
        International Journal of Forecasting 36(1), 2020.
    """
    answer = np.zeros(len(values), dtype=bool)
    rows = np.flatnonzero(lengths >= _CYCLES * season)
    if not len(rows):
        return answer
    lengths = lengths[rows]
    known = np.arange(int(lengths.max())) < lengths[:, None]
    centred = np.where(known, values[rows, : known.shape[1]] - values[rows, :1], 0.0)
    unit = np.abs(centred).max(axis=1, keepdims=True)
    centred = centred / np.where(unit > 0, unit, 1.0)
    centred = np.where(known, centred - centred.sum(axis=1, keepdims=True) / lengths[:, None], 0.0)
    power = np.einsum("nt,nt->n", centred, centred)
    products = [np.einsum("nt,nt->n", centred[:, lag:], centred[:, :-lag]) for lag in range(1, season + 1)]
    correlations = np.array(products) / np.where(power > 0, power, 1.0)
    limit = _SIGNIFICANT * np.sqrt((1 + 2 * np.sum(correlations[:-1] ** 2, axis=0)) / lengths)
    answer[rows] = np.abs(correlations[-1]) > limit
    return answer


def _patterns(inner: np.ndarray, base: np.ndarray, lengths: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors and the offsets ``(N, m)`` of a season of the series ``base + inner``."""
    known = np.arange(inner.shape[1]) < lengths[:, None]
    low = np.where(known, inner, np.inf).min(axis=1) + base
    high = np.where(known, inner, -np.inf).max(axis=1) + base
    factors, (offsets, error) = np.ones((len(inner), season)), seasonal_pattern(inner, lengths, season)
    rows = np.flatnonzero((low > 0) & (high - low > _LEAST_RANGE * high))
    if len(rows):
        lifted = inner[rows] + base[rows, None]
        found, other = seasonal_pattern(lifted, lengths[rows], season, multiplicative=True)
        better = (other < error[rows]) & (found >= _LEAST_FACTOR).all(axis=1)
        factors[rows[better]], offsets[rows[better]] = found[better], 0.0
    return factors, offsets


def seasonal_pattern(
    values: np.ndarray, lengths: np.ndarray, season: int, *, multiplicative: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the seasonal pattern ``(N, m)`` of each series by classical decomposition, and the squared error ``(N,)``.

    The differences from a centred moving average over one season, or the ratios to it, are averaged by place in the season,
    from the first value on. The mean of the pattern is 0, or 1.

    Args:
        values: As for :func:`adjusted`; the season must fit twice.
        lengths: As for :func:`adjusted`.
        season: Season length, m.
        multiplicative: Whether the pattern is multiplied; values must then be above 0.

    References:
        Hyndman & Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 3.4.
    """
    half = season // 2
    total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    trend = (total[:, season:] - total[:, :-season]) / season
    if season % 2 == 0:
        trend = (trend[:, 1:] + trend[:, :-1]) / 2
    inner = values[:, half : half + trend.shape[1]]
    known = np.arange(half, half + trend.shape[1]) < lengths[:, None] - half
    trend = np.where(known, trend, 1.0)
    left = np.where(known, inner / trend if multiplicative else inner - trend, 0.0)
    pattern = np.empty((len(values), season))
    for place in range(season):
        columns = slice((place - half) % season, None, season)
        pattern[:, place] = left[:, columns].sum(axis=1) / known[:, columns].sum(axis=1)
    mean = pattern.mean(axis=1, keepdims=True)
    pattern = pattern / mean if multiplicative else pattern - mean
    seasonal = pattern[:, (half + np.arange(trend.shape[1])) % season]
    error = np.where(known, inner - (trend * seasonal if multiplicative else trend + seasonal), 0.0)
    return pattern, np.einsum("nt,nt->n", error, error)
