"""Dates, times and amounts in two languages: a translation task without a download."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from lstmzoo.datasets._words import LANGUAGES, Words, read_words
from lstmzoo.datasets.pairs import PairData, Pairs
from lstmzoo.errors import ConfigError, UnknownNameError

_T = TypeVar("_T")
_FIRST, _DAYS = dt.datetime(2000, 1, 1), 50 * 365
LENGTHS = ("full", "long", "medium")
DISTANCES = ("minute", "hour", "day", "week", "month", "year")
INTERVALS = ("yMMMd", "yMMMEd")
PERIODS = ("yMMMM", "yQQQQ")
LISTS = ("standard", "or")
UNITS = (
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
CURRENCIES = ("EUR", "USD", "GBP", "CHF")

_Phrase = tuple[str, ...]  # one text for each language


def load_dates(source: str = "en", target: str = "hu", *, num_pairs: int = 10_000, random_state: int = 0) -> PairData:
    """Generate dates, times, intervals, "3 hours ago" and amounts in two languages: a translation task without a download.

    They are written as Unicode's language data (CLDR) specifies. Every translation is exactly right, so a model can be scored
    by its share of correct sentences. Between English and Hungarian words change places ("March 3, 2027"
    is "2027. március 3."), become endings ("3 hours ago" is "3 órával ezelőtt", "in 3 hours" is "3 óra múlva") or depend on
    each other ("2:05 PM" is "14:05"), so that translating word by word fails. Sentences have 3 to 10 English words.

    Sentences are distinct, and a target is a function of its source: if two phrasings give the same source, both
    have the target of the first. ``valid`` and ``test`` have a twentieth of the pairs each.

    Licence: Unicode License v3, as CLDR. The words of 17 languages come with the package, from Babel 2.19.

    Args:
        source: Language: ``"cs"``, ``"da"``, ``"de"``, ``"en"``, ``"es"``, ``"fi"``, ``"fr"``, ``"hu"``, ``"it"``, ``"ja"``,
            ``"nl"``, ``"pl"``, ``"pt"``, ``"ru"``, ``"sv"``, ``"tr"`` or ``"zh"``.
        target: Another one of these languages.
        num_pairs: Number of pairs in all three parts together.
        random_state: Seed; the same seed gives the same pairs.

    Raises:
        UnknownNameError: If a language is unknown; the message lists the known ones.
        ConfigError: If ``num_pairs`` is below 20.

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
        raise ConfigError(
            f"num_pairs={num_pairs}: pass at least 20, so that the validation set and the test set are not empty"
        )
    languages = _words("source", source), _words("target", target)
    rng = np.random.default_rng(random_state)
    voice = _Voice(languages, rng)
    drawn: dict[str, str] = {}
    while len(drawn) < num_pairs:
        drawn.setdefault(*voice.pick(_KINDS)(voice))
    sources = list(drawn)
    order, held = [sources[i] for i in rng.permutation(num_pairs)], num_pairs // 20
    cuts = order[2 * held :], order[:held], order[held : 2 * held]
    train, valid, test = (Pairs(cut, [drawn[sentence] for sentence in cut]) for cut in cuts)
    return PairData("dates", source, target, train, valid, test)


def _words(key: str, name: str) -> Words:
    if name not in LANGUAGES:
        raise UnknownNameError(f"{key} language", name, LANGUAGES)
    return read_words(name)


class _Voice:
    """Draws phrases and writes them in each language; equal texts in the first language get equal translations.

    Args:
        languages: Words of each language.
        rng: Generator of random numbers.
    """

    def __init__(self, languages: Sequence[Words], rng: np.random.Generator) -> None:
        self._languages = languages
        self._rng = rng

    def number(self, low: int, high: int) -> int:
        """Draw a number from ``low`` to ``high``, both included."""
        return int(self._rng.integers(low, high + 1))

    def pick(self, choices: Sequence[_T]) -> _T:
        """Draw one of the choices."""
        return choices[self.number(0, len(choices) - 1)]

    def day(self) -> dt.datetime:
        """Draw a day; its time is midnight."""
        return _FIRST + dt.timedelta(days=self.number(0, _DAYS))

    def say(self, styles: Sequence[str], write: Callable[[str, Words], str]) -> _Phrase:
        """Write a phrase in a drawn style, or in the first style that reads the same in the first language."""
        first = self._languages[0]
        text = write(self.pick(styles), first)
        style = next(style for style in styles if write(style, first) == text)
        return tuple(" ".join(write(style, words).split()) for words in self._languages)

    def listed(self, items: Sequence[_Phrase]) -> _Phrase:
        """Join phrases by "and" or "or"."""
        of_language = dict(zip(self._languages, zip(*items, strict=True), strict=True))
        return self.say(LISTS, lambda style, words: words.listed(of_language[words], style))


def _date(voice: _Voice) -> _Phrase:
    day = voice.day()
    return voice.say(LENGTHS, lambda style, words: words.date(day, style))


def _moment(voice: _Voice) -> _Phrase:
    time = voice.day() + dt.timedelta(minutes=5 * voice.number(0, 287))
    return voice.say(LENGTHS, lambda style, words: words.moment(time, style))


def _interval(voice: _Voice) -> _Phrase:
    start = voice.day()
    end = start + dt.timedelta(days=voice.pick((voice.number(1, 20), voice.number(21, 300), voice.number(301, 3000))))
    return voice.say(INTERVALS, lambda style, words: words.interval(start, end, style))


def _distance(voice: _Voice) -> _Phrase:
    unit = voice.pick(DISTANCES)
    number = voice.number(1, 59) * voice.pick((-1, 1))
    return voice.say(("long",), lambda _, words: words.distance(number, unit))


def _distances(voice: _Voice) -> _Phrase:
    return voice.listed([_distance(voice) for _ in range(voice.number(1, 2))])


def _period(voice: _Voice) -> _Phrase:
    day, style = voice.day(), voice.pick(PERIODS)
    return voice.say((style,), lambda style, words: words.period(day, style))


def _periods(voice: _Voice) -> _Phrase:
    return voice.listed([_period(voice) for _ in range(2)])


def _amount(voice: _Voice) -> _Phrase:
    number = voice.pick((voice.number(1, 99), voice.number(3, 99) / 2))
    if voice.number(0, 3):
        unit = voice.pick(UNITS)
        return voice.say(("long",), lambda _, words: words.measure(number, unit))
    currency = voice.pick(CURRENCIES)
    return voice.say(("name",), lambda _, words: words.amount(number, currency))


def _amounts(voice: _Voice) -> _Phrase:
    return voice.listed([_amount(voice) for _ in range(voice.number(2, 3))])


_KINDS = (_date, _moment, _interval, _distances, _periods, _amounts)
