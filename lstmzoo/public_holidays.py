"""Public holidays of countries and their parts, from the optional package ``holidays``."""

from functools import lru_cache
from types import ModuleType

import numpy as np

from lstmzoo.errors import ConfigError, UnknownNameError, arg

PREFIX = "holidays"


def check_region(name: str) -> None:
    """Refuse a calendar feature such as ``holidays:DE`` or ``holidays:US-CA`` if its country or part is unknown.

    Raises:
        ConfigError: If the country is missing, or the package is not installed.
        UnknownNameError: If the country or its part is unknown.
    """
    _, _, region = name.partition(":")
    if not region:
        raise ConfigError(f"{arg('calendar')}: {name!r} lacks a country: for instance 'holidays:DE', or 'holidays:US-CA' for a "
                          "part of one")  # fmt: skip
    country, _, part = region.partition("-")
    countries = _package().list_supported_countries(include_aliases=True)
    if country not in countries:
        raise UnknownNameError("country of holidays", country, sorted(countries))
    if part and part not in countries[country]:
        raise UnknownNameError(f"part of {country} of holidays", part, countries[country])


def are_holidays(days: np.ndarray, name: str) -> np.ndarray:
    """Return whether each day is a public holiday.

    Args:
        days: datetime64 array of any shape.
        name: Calendar feature, such as ``holidays:DE``.

    Raises:
        ConfigError: If the package is not installed.

    Examples:
        >>> are_holidays(np.array(["2024-12-24", "2024-12-25"], "datetime64[D]"), "holidays:DE")
        array([False,  True])
    """
    if not days.size:
        return np.zeros(days.shape, dtype=bool)
    days = days.astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(int) + 1970
    return np.isin(days, _holidays(name.partition(":")[2], int(years.min()), int(years.max())))


@lru_cache(maxsize=64)
def _holidays(region: str, first: int, last: int) -> np.ndarray:
    country, _, part = region.partition("-")
    found = _package().country_holidays(country, subdiv=part or None, years=range(first, last + 1))
    return np.array(sorted(found), dtype="datetime64[D]")


def _package() -> ModuleType:
    try:
        import holidays
    except ModuleNotFoundError:
        raise ConfigError(
            f"{arg('calendar')}: holidays need the package holidays: pip install 'lstmzoo[holidays]'"
        ) from None
    return holidays
