"""Timestamps as arrays: in UTC, in local time, and again in the user's time zone."""

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.timesteps import is_shorter_than_a_day

_LARGEST_STEP = 2**53  # float64 does not hold every larger integer


def as_times(times: pd.Series, column: str) -> tuple[np.ndarray, str | None]:
    """Integers as they are; dates and timestamps as datetime64[us], in UTC if they have a time zone."""
    if pd.api.types.is_integer_dtype(times):
        steps = times.to_numpy(dtype=np.int64)
        if (np.abs(steps) > _LARGEST_STEP).any():
            raise DataError(
                f"column {column!r} holds integers beyond 2**53: if they are timestamps, convert them first"
            )
        return steps, None
    if isinstance(times.dtype, pd.ArrowDtype):
        times = times.astype(object)
    if times.dtype == object or str(times.dtype).startswith("date32"):
        times = _object_times(times, column)
    if not pd.api.types.is_datetime64_any_dtype(times):
        raise DataError(f"column {column!r} is {times.dtype}, not timestamps, dates or integers: convert it, for instance "
                        "with pandas.to_datetime")  # fmt: skip
    tz = None
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        tz = str(times.dt.tz)
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times.to_numpy(dtype="datetime64[us]"), tz


def _object_times(times: pd.Series, column: str) -> pd.Series:
    """Objects, such as datetimes or dates, as timestamps."""
    kind = pd.api.types.infer_dtype(times)
    if kind not in ("date", "datetime", "datetime64"):
        raise DataError(f"column {column!r} holds {kind}, not times: convert it, for instance with pandas.to_datetime")
    try:
        return pd.to_datetime(times)
    except ValueError as error:
        naive = np.array([getattr(time, "tzinfo", None) is None for time in times])
        if naive.any() and not naive.all():
            odd = int(np.argmax(naive != naive[0]))
            has = "has no time zone" if naive[odd] else "has one"
            raise DataError(
                f"column {column!r} mixes times with and without a time zone: that in row {odd} {has}, unlike those before it; "
                "give all of them one, or none"
            ) from None
        if not naive.any():
            raise DataError(
                f"column {column!r} has times of several UTC offsets: convert them to one time zone, for instance with "
                f"pandas.to_datetime(..., utc=True)"
            ) from None
        raise DataError(f"column {column!r} cannot be read as times: {error}") from None


def wall_times(stamps: np.ndarray, tz: str) -> np.ndarray:
    """UTC as the wall shows it; a day that begins late, for its midnight was skipped, begins at midnight all the same."""
    wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    midnight = wall.normalize()
    shifted = _localized(midnight, tz).tz_localize(None)
    return np.where(wall == shifted, midnight, wall).astype("datetime64[us]")


def user_times(
    times: np.ndarray, freq: str | int, tz: str | None, own: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray | pd.DatetimeIndex:
    """Time steps as the user's: with the time zone back on.

    A time that clocks show twice is the first of the two, and one that they skip is the first after it, but for the user's own.

    Args:
        times: As a panel has them.
        freq: The panel's.
        tz: The panel's.
        own: The panel's.

    Examples:
        >>> day = np.array(["2024-11-03"], "datetime64[us]")  # when the first hour is repeated in Havana
        >>> str(user_times(day, "D", "America/Havana")[0])
        '2024-11-03 00:00:00-04:00'
    """
    if tz is None or isinstance(freq, int):
        return times
    index = pd.DatetimeIndex(times)
    if is_shorter_than_a_day(freq):
        return index.tz_localize("UTC").tz_convert(tz)
    local = _localized(index, tz)
    if own is None:
        return local
    wall, stamps = own
    place = np.minimum(np.searchsorted(wall, times), len(wall) - 1)
    utc = np.where(wall[place] == times, stamps[place], _utc(local))
    return pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(tz)


def own_times(stamps: np.ndarray, wall: np.ndarray, tz: str) -> tuple[np.ndarray, np.ndarray] | None:
    """``Panel.own``: the times on the wall whose stamps are not those that :func:`user_times` has by itself, and the stamps."""
    unlike = stamps != _utc(_localized(pd.DatetimeIndex(wall), tz))
    if not unlike.any():
        return None
    times, first = np.unique(wall[unlike], return_index=True)
    return times, stamps[unlike][first]


def _localized(wall: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    return wall.tz_localize(tz, ambiguous=True, nonexistent="shift_forward")


def _utc(local: pd.DatetimeIndex) -> np.ndarray:
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
