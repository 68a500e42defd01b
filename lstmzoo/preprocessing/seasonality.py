"""Season lengths: the usual ones of a frequency, and the one found in the data."""

import numpy as np
import pandas as pd

from lstmzoo.panel import Panel
from lstmzoo.timesteps import is_shorter_than_a_day, months_of, offset_of

_YEAR = pd.Timedelta(days=364)
_CALENDAR_SEASONS = {"D": (7,), "B": (5,), "W": (52,), "M": (12,), "B-M": (12,), "Q": (4,), "Y": (1,)}


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


def find_season(panel: Panel, longest: int = 400, sample: int = 100) -> int:
    """Return the lag with the highest autocorrelation of the panel's first differences; 1 if no lag stands out.

    A lag stands out if the autocorrelation, averaged over at most ``sample`` series, has a local maximum there, above 0.3 and
    above three times its standard error. Lags up to a third of the median length are considered.

    Examples:
        >>> from lstmzoo.preprocessing import Columns, read_panel
        >>> panel, _ = read_panel(np.tile([1.0, 5.0, 2.0, 8.0, 3.0, 9.0, 4.0], 12), Columns())
        >>> find_season(panel)
        7
    """
    chosen = np.unique(np.linspace(0, len(panel) - 1, min(sample, len(panel))).astype(int))
    lags = int(min(longest, np.median(panel.lengths[chosen]) // 3))
    all_curves = (_autocorrelation(np.diff(panel.series(i)), lags) for i in chosen if panel.lengths[i] > lags + 2)
    curves = [curve for curve in all_curves if curve is not None]
    if lags < 2 or not curves:
        return 1
    curve = np.mean(curves, axis=0)
    floor = max(0.3, 3 / np.sqrt(float(np.median(panel.lengths[chosen]))))
    inner = np.arange(2, lags)
    peaks = inner[(curve[inner] >= curve[inner - 1]) & (curve[inner] >= curve[inner + 1]) & (curve[inner] > floor)]
    if not len(peaks):
        return 1
    best = curve[peaks].max()
    return int(peaks[curve[peaks] >= 0.9 * best][0])


def _autocorrelation(x: np.ndarray, lags: int) -> np.ndarray | None:
    """Return the autocorrelation ``(lags + 1,)``, by the fast Fourier transform; None for a constant series."""
    largest = float(np.abs(x).max())
    if largest <= 0 or lags < 2:
        return None
    x = x / largest
    x = x - x.mean()
    power = float(x @ x)
    if power <= 0:
        return None
    size = 1 << (2 * len(x) - 1).bit_length()
    spectrum = np.fft.rfft(x, size)
    return np.fft.irfft(spectrum * spectrum.conj(), size)[: lags + 1] / power
