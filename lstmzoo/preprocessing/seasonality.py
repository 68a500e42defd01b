"""Season lengths: the usual ones of a frequency, and those found in the data."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve

from lstmzoo.panel import Panel, was_observed
from lstmzoo.timesteps import is_shorter_than_a_day, months_of, offset_of

_CALENDAR_SEASONS = {"D": (7,), "B": (5,), "W": (52,), "M": (12,), "B-M": (12,), "Q": (4,), "Y": (1,)}

LONGEST_SEASON = 400  # steps, of a season that is searched for
_SHORTEST = 3  # a season of two steps cannot be told from noise that alternates
_PAIRS = 3  # fewest pairs of values that tell of a season, in units of its length
_REPEATS = 3  # lags of one, two and three seasons tell of a season
_CLEAR = 4.0  # standard errors that chance does not reach
_LEAST = 0.15  # least correlation of a season
_LEAST_ODD = 0.4  # the same for a second season that is no multiple of the first
_WORTH = 0.01  # least variance of a second season, relative to the first
_WORTH_MULTIPLE = 0.1  # the same if the second is two or three times as long, so that the first is a harmonic of it
_NONE = 0.05  # largest correlation of no season
_MOST = 0.7  # share of the seasonal variance that a shorter season explains, if it is the season and no harmonic of it
_MOST_OF_TWICE = 0.9  # the same if the other is twice as long
_HARMONIC = 3  # a season is no more than a harmonic of another that is so many times as long
_OFTEN = 7  # times that a season fits into a longer one, if their shares may differ as those of a day and a week do
_SHARE = 0.3  # share of the seasonal variance of such a season
_VALUES = 2**20  # read at most, of evenly spread series
_TOGETHER = 2**18  # values transformed at once
_TINY, _ROUNDING = 1e-300, 1e-12
_SPIKE = 6.0  # times the median change, the largest change that counts
_MOST_KEPT = 16  # panels whose seasons are kept
_KEPT: OrderedDict[tuple, tuple["Season", ...]] = OrderedDict()
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Season:
    """A season of a panel, and the evidence for it.

    Attributes:
        length: Steps.
        correlation: Correlation of values that lie one, two and three seasons apart, pooled over all series, after trends, levels
            and the seasons found before are removed; NaN if the series are too short to tell.
        error: Standard error of the correlation.
        variance: Variance of the seasonal pattern, in units of the variance of the changes from step to step.
    """

    length: int
    correlation: float
    error: float
    variance: float

    @property
    def is_clear(self) -> bool:
        """Whether the correlation is large, and larger than chance allows."""
        return bool(self.correlation > _LEAST and np.arctanh(self.correlation) > _CLEAR * self.error)

    @property
    def is_absent(self) -> bool:
        """Whether the correlation is certainly small."""
        return bool(self.correlation + 3 * self.error < _NONE)

    def __str__(self) -> str:
        known = "too short to tell" if np.isnan(self.correlation) else f"correlation {self.correlation:.2f}"
        return f"{self.length} ({known})"


def usual_seasons(freq: str | int) -> tuple[int, ...]:
    """Return the usual season lengths of a frequency, the shortest first: a day and a week of hours, a year of months.

    Examples:
        >>> usual_seasons("h"), usual_seasons("15min"), usual_seasons("MS"), usual_seasons("W-SUN"), usual_seasons(1)
        ((24, 168), (96, 672), (12,), (52,), ())
    """
    if isinstance(freq, int):
        return ()
    months = months_of(freq)
    if months is not None:
        return (12 // months,) if 12 % months == 0 else ()
    offset = offset_of(freq)
    if is_shorter_than_a_day(freq):
        step = pd.Timedelta(offset.freqstr if offset.n != 1 else "1" + offset.freqstr)
        spans = (pd.Timedelta("1h"), pd.Timedelta("1D"), pd.Timedelta("7D"))
        return tuple(
            int(span / step) for span in spans[step >= pd.Timedelta("1min") :] if span % step == pd.Timedelta(0)
        )
    prefix = offset.rule_code.split("-")[0].removesuffix("S").removesuffix("E").removeprefix("B") or "B"
    seasons = _CALENDAR_SEASONS.get(prefix, ())
    return tuple(s // offset.n for s in seasons if s % offset.n == 0)


def find_seasons(panel: Panel, usual: Sequence[int] = (), longest: int = LONGEST_SEASON) -> list[Season]:
    """Return the seasons of a panel, shortest first, with the evidence for each.

    Each series counts for the seasons that it is long enough to repeat. Of each, a centred moving average over one season is
    subtracted, which removes levels, trends and random walks without correlating values one season apart. What is left is
    correlated with itself one, two and three seasons later. A season stands out if that correlation is a local maximum, at
    least 0.15 and four standard errors. The shortest season that explains at least 0.7 of the largest seasonal variance is the
    first, unless it is only a harmonic. The second is found in the differences from one first season to the next. If there is
    none, a long smooth one is found in the moving average over the first season, which removes most noise too.

    What was found is kept for the last panels, because every trial of a search, and every baseline, asks for the same one.

    Args:
        panel: Series; values that were not observed are interpolated.
        usual: Usual season lengths, shortest first; 1 is none. They are kept unless the correlation is certainly below 0.05.
        longest: Longest season to look for, in steps. One series must repeat it three times; of many series, two times are
            enough. Usual seasons of more than 400 steps are kept.

    Examples:
        >>> from lstmzoo.preprocessing import Columns, read_panel
        >>> panel, _ = read_panel(np.tile([1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0], 12), Columns())
        >>> [season.length for season in find_seasons(panel)]
        [7]
    """
    read = hashlib.sha256()
    for array in (panel.offsets, panel.values, was_observed(panel)):
        read.update(array.tobytes())
    key = (read.digest(), *usual, longest)
    with _LOCK:
        if key in _KEPT:
            _KEPT.move_to_end(key)
            return list(_KEPT[key])
    found = _found(panel, usual, longest)
    with _LOCK:
        _KEPT[key] = tuple(found)
        if len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return found


def _found(panel: Panel, usual: Sequence[int], longest: int) -> list[Season]:
    changes = _changes(panel, longest)
    longest = min(longest, max((len(one.pairs) for one in changes), default=0) // 2)
    found: list[Season] = []
    for length in (steps for steps in usual if steps > 1):
        known = _changes(panel, length, found[-1].length) if found else changes
        season = _season(known, length) if length <= LONGEST_SEASON else _unknown(length)
        if not season.is_absent:
            found.append(season)
    plain = _peaks(changes, _SHORTEST, longest)
    if not found and plain:
        found = [_first(plain)]
    while len(found) == 1:
        second = _second(panel, found[0], plain, longest, usual=bool(usual))
        if second is None:
            break
        harmonic = found[0].length * np.arange(2, _HARMONIC + 1)
        found = [_season(changes, second.length)] if second.length in harmonic else [found[0], second]
    return sorted(found, key=lambda season: season.length)


def _first(peaks: list[Season]) -> Season:
    """Return the shortest season that explains most of the seasonal variance."""
    chance = {peak.length: 2 * peak.error / peak.correlation for peak in peaks}
    best = max(peaks, key=lambda peak: peak.variance * (1 - chance[peak.length]))
    variances = {peak.length: peak.variance for peak in peaks}

    def is_whole(peak: Season) -> bool:
        """Whether a peak explains most of what the best one does, and is no harmonic of one that is twice as long."""
        twice = 2 * peak.length
        beyond = (_MOST_OF_TWICE - chance[twice]) * variances[twice] if twice in variances else 0
        return bool(peak.variance >= max(_MOST * best.variance, beyond))

    first = next(filter(is_whole, peaks), best)
    often = (p for p in peaks if first.length % p.length == 0 and first.length >= _OFTEN * p.length)
    return next((p for p in often if p.variance >= _SHARE * first.variance), first)


def _second(panel: Panel, first: Season, plain: list[Season], longest: int, *, usual: bool) -> Season | None:
    """Return the season that is left in the differences from one first season to the next, or None."""

    def stands_out(season: Season) -> bool:
        times, rest = divmod(season.length, first.length)
        if not season.is_clear or season.variance < _WORTH * first.variance:
            return False
        if rest:
            return season.correlation > _LEAST_ODD
        return times > _HARMONIC or (not usual and season.variance > _WORTH_MULTIPLE * first.variance)

    changes = _changes(panel, longest, first.length)
    shorter = [s.length for s in plain if s.length < first.length and first.length % s.length]
    found = [_season(changes, length) for length in shorter] + _peaks(changes, first.length + 2, longest)
    found = [season for season in found if stands_out(season)] or _smooth(panel, first, longest)
    return _first(found) if found else None


def _smooth(panel: Panel, first: Season, longest: int) -> list[Season]:
    """Return the long seasons that hardly change within a first season: those of the moving average over it."""
    changes = _changes(panel, longest, first.length, averaged=True)
    peaks = _peaks(changes, _HARMONIC * first.length + 1, longest)
    least = {True: _LEAST_ODD, False: _LEAST}
    return [
        season for season in peaks
        if season.variance > _WORTH * first.variance and season.correlation > least[season.length % first.length > 0]
    ]  # fmt: skip


def _peaks(changes: "list[_Changes]", shortest: int, longest: int) -> list[Season]:
    """Return the seasons that stand out among those of similar lengths."""
    seasons = [_season(changes, length) for length in range(shortest, longest + 1)]
    correlations = np.array([season.correlation for season in seasons])
    answer = []
    for i, season in enumerate(seasons):
        near = max(1, season.length // 8)
        if season.is_clear and season.correlation >= np.nanmax(correlations[max(i - near, 0) : i + near + 1]):
            answer.append(season)
    return answer


def _unknown(length: int) -> Season:
    return Season(length, np.nan, np.inf, 0.0)


def _season(changes: "list[_Changes]", length: int) -> Season:
    """Return the evidence for a season."""
    weights = _weights(length)
    half, seen, alike = len(weights) // 2, [], 0.0
    for times in range(1, _REPEATS + 1):
        lag = times * length
        pooled = _pooled(changes, lag + length)
        if pooled is None:
            break
        products, pairs = pooled
        variance = float(weights[half] * products[0] + 2 * weights[half + 1 :] @ products[1 : half + 1])
        if variance <= 0:
            break
        covariance = float(weights @ products[lag - half : lag + half + 1]) * pairs[0] / pairs[lag]
        alike = alike or _alike(weights, products) / variance**2
        seen.append((covariance, covariance / variance, pairs[lag]))
    if not seen or sum(one[2] for one in seen) < _PAIRS * length:
        return _unknown(length)
    shares = np.array([one[2] for one in seen])
    covariance, correlation = shares / shares.sum() @ np.array(seen)[:, :2]
    error = np.sqrt(alike / shares.sum())
    return Season(length, float(np.clip(correlation, -0.9999, 0.9999)), float(error), float(covariance))


def _alike(weights: np.ndarray, products: np.ndarray) -> float:
    """Return the sum of the squared covariances of values less than half a season apart: so many of them count as one."""
    half = len(weights) // 2
    near = np.concatenate([products[half:0:-1], products[: half + half // 2 + 1]])
    around = fftconvolve(near, weights, "valid")
    return float(around[0] ** 2 + 2 * np.sum(around[1:] ** 2))


def _weights(length: int) -> np.ndarray:
    """Return the weights of the covariances of changes in those of values without their moving average over a season.

    A value without its average is a weighted sum of the ``length`` changes around it, so that its covariance with another one
    a season or more apart has no change in common.
    """
    average = np.ones(length) if length % 2 else np.concatenate([[0.5], np.ones(length - 1), [0.5]])
    sums = -np.cumsum(average / length)[:-1]
    sums[len(average) // 2 :] += 1
    return np.correlate(sums, sums, "full")


@dataclass(frozen=True)
class _Changes:
    """The changes from step to step of series of similar lengths, scaled to a variance of 1.

    Attributes:
        products: ``(lags,)`` the sums of the products of changes so many steps apart.
        pairs: ``(lags,)`` the number of such pairs.
    """

    products: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, rows: list[np.ndarray], lags: int) -> "_Changes":
        """Make them from the changes of each series."""
        longest = max(map(len, rows))
        size, together = 1 << (2 * longest - 1).bit_length(), max(1, _TOGETHER // longest)
        products = np.zeros(size)
        for first in range(0, len(rows), together):
            some = rows[first : first + together]
            table = np.zeros((len(some), longest))
            for row, changes in zip(table, some, strict=True):
                row[: len(changes)] = changes
            spectrum = np.fft.rfft(table, size)
            products += np.fft.irfft((spectrum * spectrum.conj()).real.sum(axis=0), size)
        pairs = np.sum([len(changes) - np.arange(lags) for changes in rows], axis=0)
        return cls(products[:lags], pairs)


def _pooled(changes: list[_Changes], lags: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the products of changes up to some lags apart over all series that are long enough, and the pairs.

    The products are sums over the whole series, not means over the pairs, so that the weighted sums of them in which large parts
    cancel are covariances of the series themselves.
    """
    long = [one for one in changes if len(one.pairs) >= lags]
    if not long:
        return None
    pairs = np.sum([one.pairs[:lags] for one in long], axis=0)
    return np.sum([one.products[:lags] for one in long], axis=0) / pairs[0], pairs


def _changes(panel: Panel, longest: int, removed: int = 0, *, averaged: bool = False) -> list[_Changes]:
    """Return the changes of a panel in groups of series of similar lengths.

    Args:
        panel: Series.
        longest: Longest season to look for.
        removed: Season whose differences are read instead of the values; 0 for none.
        averaged: Whether moving averages over that season are read instead of its differences.
    """
    lags, every = (_REPEATS + 1) * longest, 1 + len(panel.values) // _VALUES
    groups: dict[int, list[np.ndarray]] = {}
    for changes in _scaled(panel, range(0, len(panel), every)):
        rows = _without(changes, removed, averaged=averaged) if removed else changes
        if len(rows) > _SHORTEST:
            groups.setdefault(int(2 * np.log2(len(rows))), []).append(rows)
    return [_Changes.of(group, min(lags, *map(len, group))) for group in groups.values()]


def _without(changes: np.ndarray, season: int, *, averaged: bool) -> np.ndarray:
    """Return the changes of the differences from one season to the next, or of the moving average over a season."""
    if not averaged:
        return changes[season:] - changes[: max(len(changes) - season, 0)]
    values = np.concatenate([[0.0], np.cumsum(changes)])
    return (values[season:] - values[: max(len(values) - season, 0)]) / season


def _scaled(panel: Panel, numbers: Iterable[int]) -> Iterable[np.ndarray]:
    """Yield the changes of each series that varies, of mean 0 and variance 1, without spikes."""
    observed = was_observed(panel) & np.isfinite(panel.values)
    for i in numbers:
        rows = np.flatnonzero(observed[panel.offsets[i] : panel.offsets[i + 1]])
        if len(rows) <= _SHORTEST:
            continue
        values = panel.series(i)[rows]
        if len(rows) <= rows[-1] - rows[0]:
            values = np.interp(np.arange(rows[0], rows[-1] + 1), rows, values)
        values = values / max(float(np.abs(values).max()), _TINY)
        changes = np.diff(values)
        sizes = np.abs(changes[changes != 0])
        if len(sizes) < _SHORTEST:
            continue
        limit = _SPIKE * float(np.median(sizes))
        changes = np.clip(changes, -limit, limit)
        changes = changes - changes.mean()
        deviation = float(np.sqrt(changes @ changes / len(changes)))
        if deviation > _ROUNDING:
            yield changes / deviation
