"""Timestamps as arrays: in UTC, in local time, and again in the user's time zone."""

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.timesteps import is_shorter_than_a_day

_LARGEST_STEP = 2**53  # float64 does not hold every larger integer


def as_times(times: pd.Series, column: str) -> tuple[np.ndarray, str | None]:
    """Return times as an array, and their time zone: integers as int64, dates and timestamps as datetime64[us].

    Timestamps with a time zone are converted to UTC.

    Raises:
        DataError: If the column holds other values, or integers that float64 does not hold exactly.
    """
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
    """Return a column of objects, such as dates, as timestamps."""
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
                f"column {column!r} mixes times with and without a time zone: the one in row {odd} {has}, unlike those before "
                "it: give all of them a time zone, or none"
            ) from None
        if not naive.any():
            raise DataError(
                f"column {column!r} has times of several UTC offsets: convert them to one time zone, for instance with "
                f"pandas.to_datetime(..., utc=True)"
            ) from None
        raise DataError(f"column {column!r} cannot be read as times: {error}") from None


def wall_times(stamps: np.ndarray, tz: str) -> np.ndarray:
    """Return UTC times as local times. A day whose midnight was skipped still begins at midnight."""
    wall = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    midnight = wall.normalize()
    shifted = _localized(midnight, tz).tz_localize(None)
    return np.where(wall == shifted, midnight, wall).astype("datetime64[us]")


def user_times(
    times: np.ndarray, freq: str | int, tz: str | None, own: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray | pd.DatetimeIndex:
    """Return times of a panel as the user has them: in the user's time zone.

    A local time that occurs twice is the first of the two, unless the user has the other one. A local time that was skipped is
    the first time after it.

    Args:
        times: Times as in :class:`lstmzoo.panel.Panel`.
        freq: Frequency of the panel.
        tz: Time zone of the panel.
        own: ``Panel.own``.

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
    """Return ``Panel.own``: the local times that :func:`user_times` would map to other UTC times, and their UTC times."""
    unlike = stamps != _utc(_localized(pd.DatetimeIndex(wall), tz))
    if not unlike.any():
        return None
    times, first = np.unique(wall[unlike], return_index=True)
    return times, stamps[unlike][first]


def _localized(wall: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    return wall.tz_localize(tz, ambiguous=True, nonexistent="shift_forward")


def _utc(local: pd.DatetimeIndex) -> np.ndarray:
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
