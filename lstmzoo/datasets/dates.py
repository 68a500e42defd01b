"""Dates, times and amounts in two languages, written by Babel: a translation task without a download."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    format_time,
    format_timedelta,
    get_datetime_format,
)
from babel.lists import format_list
from babel.numbers import format_currency
from babel.units import format_unit

from lstmzoo.datasets.pairs import PairData, Pairs
from lstmzoo.errors import ConfigError

_FIRST, _DAYS = dt.datetime(2000, 1, 1), 50 * 365
_LENGTHS = ("full", "long", "medium")
_SECONDS = {
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}
_UNITS = (
    "length-meter",
    "length-kilometer",
    "mass-gram",
    "mass-kilogram",
    "volume-liter",
    "duration-hour",
    "duration-day",
    "duration-week",
    "duration-year",
)
_CURRENCIES = ("EUR", "USD", "GBP", "CHF")

_Phrase = Mapping[Locale, str]


def load_dates(source: str = "en", target: str = "hu", *, num_pairs: int = 10_000, random_state: int = 0) -> PairData:
    """Dates, times, intervals, "3 hours ago" and amounts in two languages: a task to try translation on, no download.

    Babel writes them as its language data (Unicode's CLDR) tells, so that every translation is exactly right and a model can
    be scored by the share of sentences that it gets right. Between English and Hungarian words change places ("March 3, 2027"
    is "2027. március 3."), become endings ("3 hours ago" is "3 órával ezelőtt", "in 3 hours" is "3 óra múlva") or depend on
    each other ("2:05 PM" is "14:05"): word by word it cannot be done. Sentences are of 3 to 10 English words.

    Sentences are distinct, and a target is a function of its source: where two ways of writing give the same source, both
    have the target of the first. A twentieth each is for ``valid`` and ``test``. Words are those of the installed Babel:
    results compare only within one version of it.

    Licence: Unicode License, that of CLDR; Babel is under the BSD licence.

    Args:
        source: A locale that Babel knows, such as ``"en"``, ``"zh"`` or ``"pt_BR"``.
        target: Likewise.
        num_pairs: Of all three parts together.
        random_state: A seed; the same seed gives the same pairs.

    Raises:
        ConfigError: If Babel does not know a locale, or ``num_pairs`` is below 20.

    References:
        Unicode Consortium, "Unicode Technical Standard 35: Unicode Locale Data Markup Language".

    Examples:
        >>> data = load_dates(num_pairs=100)
        >>> data.test.source[0], data.test.target[0]
        ('Dec 16, 2005', '2005. dec. 16.')
        >>> [len(part.source) for part in (data.train, data.valid, data.test)]
        [90, 5, 5]
    """
    if num_pairs < 20:
        raise ConfigError(f"num_pairs={num_pairs}: pass 20 or more, so that there are some to validate and to test on")
    locales = _locale("source", source), _locale("target", target)
    rng = np.random.default_rng(random_state)
    voice = _Voice(locales, rng)
    drawn: dict[str, str] = {}
    while len(drawn) < num_pairs:
        phrase = voice.pick(_KINDS)(voice)
        drawn.setdefault(phrase[locales[0]], phrase[locales[1]])
    sources = list(drawn)
    order, held = [sources[i] for i in rng.permutation(num_pairs)], num_pairs // 20
    cuts = order[2 * held :], order[:held], order[held : 2 * held]
    train, valid, test = (Pairs(cut, [drawn[sentence] for sentence in cut]) for cut in cuts)
    return PairData("dates", source, target, train, valid, test)


def _locale(key: str, name: str) -> Locale:
    try:
        return Locale.parse(str(name).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ConfigError(f"{key}={name!r} is no locale that Babel knows: pass one, such as 'de' or 'pt_BR'") from None


class _Voice:
    """Draws things to say, and says them in each of the languages; what the first reads like settles the others.

    Args:
        locales: Of the languages.
        rng: What is drawn from.
    """

    def __init__(self, locales: Sequence[Locale], rng: np.random.Generator) -> None:
        self._locales = locales
        self._rng = rng

    def number(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self._rng.integers(low, high + 1))

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of them."""
        return choices[self.number(0, len(choices) - 1)]

    def day(self) -> dt.datetime:
        """A day's first moment."""
        return _FIRST + dt.timedelta(days=self.number(0, _DAYS))

    def say(self, styles: Sequence[Any], write: Callable[[Any, Locale], str]) -> _Phrase:
        """A thing in a style that is drawn, or the first of them that reads the same in the first language."""
        first = self._locales[0]
        text = write(self.pick(styles), first)
        style = next(style for style in styles if write(style, first) == text)
        return {locale: " ".join(write(style, locale).split()) for locale in self._locales}

    def listed(self, items: Sequence[_Phrase]) -> _Phrase:
        """The items with "and" or "or" between."""
        return self.say(
            ("standard", "or"), lambda style, locale: format_list([i[locale] for i in items], style, locale)
        )


def _date(voice: _Voice) -> _Phrase:
    day = voice.day()
    return voice.say(_LENGTHS, lambda style, locale: format_date(day, style, locale))


def _moment(voice: _Voice) -> _Phrase:
    time = voice.day() + dt.timedelta(minutes=5 * voice.number(0, 287))

    def write(style: Any, locale: Locale) -> str:
        pattern = str(get_datetime_format(style, locale=locale)).replace("'", "")
        return pattern.format(format_time(time, "short", locale=locale), format_date(time, style, locale))

    return voice.say(_LENGTHS, write)


def _interval(voice: _Voice) -> _Phrase:
    start = voice.day()
    end = start + dt.timedelta(days=voice.pick((voice.number(1, 20), voice.number(21, 300), voice.number(301, 3000))))
    return voice.say(("yMMMd", "yMMMEd"), lambda style, locale: format_interval(start, end, style, locale=locale))


def _distance(voice: _Voice) -> _Phrase:
    unit = voice.pick(tuple(_SECONDS))
    delta = dt.timedelta(seconds=_SECONDS[unit] * voice.number(1, 59) * voice.pick((-1, 1)))

    def write(style: Any, locale: Locale) -> str:
        return format_timedelta(delta, unit, threshold=np.inf, add_direction=True, locale=locale)

    return voice.say(("long",), write)


def _distances(voice: _Voice) -> _Phrase:
    return voice.listed([_distance(voice) for _ in range(voice.number(1, 2))])


def _period(voice: _Voice) -> _Phrase:
    day, skeleton = voice.day(), voice.pick(("yMMMM", "yQQQQ"))
    return voice.say((skeleton,), lambda style, locale: format_skeleton(style, day, locale=locale))


def _periods(voice: _Voice) -> _Phrase:
    return voice.listed([_period(voice) for _ in range(2)])


def _amount(voice: _Voice) -> _Phrase:
    number = voice.pick((voice.number(1, 99), voice.number(3, 99) / 2))
    if voice.number(0, 3):
        unit = voice.pick(_UNITS)
        return voice.say(("long",), lambda style, locale: format_unit(number, unit, "long", locale=locale))
    currency = voice.pick(_CURRENCIES)
    return voice.say(
        ("name",), lambda style, locale: format_currency(number, currency, locale=locale, format_type="name")
    )


def _amounts(voice: _Voice) -> _Phrase:
    return voice.listed([_amount(voice) for _ in range(voice.number(2, 3))])


_KINDS = (_date, _moment, _interval, _distances, _periods, _amounts)
