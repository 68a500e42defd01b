"""Generated series with trend, season and noise."""

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError


def generate_seasonal(
    n_series: int = 10,
    length: int = 200,
    freq: str | None = "D",
    season_length: int = 7,
    random_state: int | np.random.Generator | None = None,
    *,
    start: str = "2000-01-01",
    level: float = 100.0,
    trend: float = 1.0,
    amplitude: float = 10.0,
    noise: float = 2.0,
) -> pd.DataFrame:
    """Generate series with trend, season and noise, each with its own level, slope and seasonal pattern.

    Series ``i`` is, for ``t = 0, 1, ...`` and a season of ``m`` steps,

        y[i, t] = level * l[i] + trend * d[i] * t / m + amplitude * s[i, t mod m] + noise * e[i, t]

    with ``l`` uniform from 0.5 to 1.5, ``d`` and ``e`` standard normal, and ``s[i]`` a random mixture of the
    season's first three harmonics, of mean 0 and (population) standard deviation 1 over the season. Ten thousand
    series of a thousand steps take two seconds.

    Args:
        n_series: Number of series; ``unique_id`` is ``"s0"``, ``"s1"``, ..., zero-padded to equal length.
        length: Number of steps of each series.
        freq: pandas frequency; None makes ``ds`` whole numbers from 1.
        season_length: Number of steps in a season; 1 for no seasonality.
        random_state: Seed or generator; the same seed gives the same values.
        start: Time of the first step, if ``freq`` is given.
        level: Mean of the series' initial levels.
        trend: Standard deviation, over series, of the change in one season.
        amplitude: Standard deviation of the seasonal pattern.
        noise: Standard deviation of the noise.

    Licence: the project's own.

    Returns:
        ``n_series * length`` rows of ``unique_id``, ``ds``, ``y``, sorted by the first two.

    Raises:
        DataError: If a size is below 1, or ``freq`` and ``start`` give no times.

    Examples:
        >>> generate_seasonal(2, 3, freq=None, season_length=2, random_state=0).round(1)
          unique_id  ds      y
        0        s0   1  102.3
        1        s0   2  121.5
        2        s0   3  103.1
        3        s1   1   87.1
        4        s1   2   62.4
        5        s1   3   86.6
    """
    for name, size in (("n_series", n_series), ("length", length), ("season_length", season_length)):
        if size < 1:
            raise DataError(f"{name} must be at least 1, got {size}")
    times = _times(start, length, freq)
    rng = np.random.default_rng(random_state)
    step = np.arange(length)
    offset = level * rng.uniform(0.5, 1.5, (n_series, 1))
    slope = trend / season_length * rng.standard_normal((n_series, 1))
    pattern = amplitude * _seasonal_patterns(rng, n_series, season_length)
    y = rng.standard_normal((n_series, length))
    y *= noise
    y += offset + slope * step
    y += pattern[:, step % season_length]
    width = len(str(n_series - 1))
    ids = pd.Index([f"s{i:0{width}d}" for i in range(n_series)])
    return pd.DataFrame({"unique_id": ids.repeat(length), "ds": np.tile(times, n_series), "y": y.ravel()}, copy=False)


def _times(start: str, length: int, freq: str | None) -> np.ndarray:
    if freq is None:
        return np.arange(1, length + 1)
    try:
        return pd.date_range(start, periods=length, freq=freq).to_numpy()
    except (ValueError, OverflowError) as error:
        raise DataError(f"no {length} steps of freq {freq!r} from {start!r}: {error}") from None


def _seasonal_patterns(rng: np.random.Generator, n_series: int, season_length: int) -> np.ndarray:
    """Return patterns ``(n_series, season_length)`` of mean 0 and standard deviation 1; zero for a season of one step."""
    harmonics = np.arange(1, min(3, season_length // 2) + 1)
    angle = 2 * np.pi * np.outer(harmonics, np.arange(season_length)) / season_length
    waves = np.concatenate([np.cos(angle), np.sin(angle)])
    pattern = rng.standard_normal((n_series, len(waves))) @ waves
    deviation = pattern.std(axis=1, keepdims=True)
    return np.divide(pattern, deviation, out=np.zeros_like(pattern), where=deviation > 0)
