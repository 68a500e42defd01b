"""Words and patterns of languages from Unicode's CLDR. ``docs/date_words.py`` writes the files from Babel's copy."""

import datetime as dt
import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
_FIELD = re.compile(r"'([^']*)'|([a-zA-Z])\2*")


class Words:
    """Writes dates, times and amounts in one language.

    Args:
        document: Patterns and names, in CLDR's terms. The plural form of a number is at the index of its double in ``plurals``.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._d = document

    def date(self, day: dt.datetime, style: str) -> str:
        """Return a day as text."""
        return self._write(self._d["dates"][style], day)

    def moment(self, time: dt.datetime, style: str) -> str:
        """Return a day with a time as text."""
        return self._d["moments"][style].format(self._write(self._d["time"], time), self.date(time, style))

    def interval(self, start: dt.datetime, end: dt.datetime, style: str) -> str:
        """Return an interval of two days as text."""
        greatest = "y" if start.year != end.year else "M" if start.month != end.month else "d"
        return "".join(map(self._write, self._d["intervals"][style][greatest], (start, end)))

    def period(self, day: dt.datetime, style: str) -> str:
        """Return the month or the quarter of a day as text."""
        return self._write(self._d["periods"][style], day)

    def distance(self, number: int, unit: str) -> str:
        """Return a distance from now as text: into the past if ``number`` is below 0."""
        patterns = self._d["distances"][unit]["past" if number < 0 else "future"]
        return patterns[self._plural(abs(number))].format(abs(number))

    def measure(self, number: float, unit: str) -> str:
        """Return a measure as text; ``number`` is a multiple of one half."""
        return self._d["units"][unit][self._plural(number)].format(self._number(f"{number:g}"))

    def amount(self, number: float, currency: str) -> str:
        """Return an amount of money as text; ``number`` is a multiple of one half."""
        return self._d["currencies"][currency][self._plural(number)].format(self._number(f"{number:.2f}"))

    def listed(self, items: Sequence[str], style: str) -> str:
        """Return a list of items as text, joined by "and" or "or"."""
        patterns = self._d["lists"][style]
        if len(items) == 1:
            return items[0]
        if len(items) == 2:
            return patterns["2"].format(*items)
        text = patterns["start"].format(*items[:2])
        for item in items[2:-1]:
            text = patterns["middle"].format(text, item)
        return patterns["end"].format(text, items[-1])

    def _plural(self, number: float) -> str:
        return self._d["forms"][int(self._d["plurals"][round(2 * number)])]

    def _number(self, text: str) -> str:
        return text.replace(".", self._d["decimal"])

    def _write(self, pattern: str, time: dt.datetime) -> str:
        def field(match: re.Match[str]) -> str:
            name, kind = match[0], match[2]
            if kind is None:
                return match[1] or "'"
            if name in self._d["names"]:
                return self._d["names"][name][_PLACES[kind](time)]
            number = _NUMBERS[kind](time)
            return str(number)[-2:] if name == "yy" else f"{number:0{len(name)}d}"

        return _FIELD.sub(field, pattern)


_PLACES = {
    **dict.fromkeys("ML", lambda time: time.month - 1),
    **dict.fromkeys("Ec", lambda time: time.weekday()),
    **dict.fromkeys("Qq", lambda time: (time.month - 1) // 3),
    **dict.fromkeys("abB", lambda time: time.hour),
}
_NUMBERS = {
    "y": lambda time: time.year,
    **dict.fromkeys("ML", lambda time: time.month),
    "d": lambda time: time.day,
    "h": lambda time: time.hour % 12 or 12,
    "H": lambda time: time.hour,
    "m": lambda time: time.minute,
}


@functools.cache
def read_words(language: str) -> Words:
    """Return the words of a language, one of ``LANGUAGES``."""
    return Words(json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8")))
