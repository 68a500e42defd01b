"""Write the words and patterns of `lstmzoo.datasets.load_dates` from an installed Babel: ``python docs/date_words.py``."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import DateTimeFormat, get_datetime_format, match_skeleton
from babel.lists import _resolve_list_style
from babel.numbers import get_currency_name, get_currency_unit_pattern
from babel.units import _find_unit_pattern

from lstmzoo.datasets import dates

LANGUAGES = ["cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "ja", "nl", "pl", "pt", "ru", "sv", "tr", "zh"]
OUT = Path(dates.__file__).parent / "words"
NUMBERS = [half / 2 if half % 2 else half // 2 for half in range(2 * 100)]
WHEN = {
    "M": [dt.datetime(2001, month, 1) for month in range(1, 13)],
    "E": [dt.datetime(2001, 1, day) for day in range(1, 8)],  # from Monday on
    "Q": [dt.datetime(2001, 3 * quarter + 1, 1) for quarter in range(4)],
    "a": [dt.datetime(2001, 1, 1, hour, 5) for hour in range(24)],
}
ALIASES = {"L": "M", "c": "E", "q": "Q", "B": "a", "b": "a"}


def skeleton(name: str, known: Any) -> str:
    return name if name in known else match_skeleton(name, known)


def words_of(locale: Locale) -> dict[str, Any]:
    data = locale._data
    plurals = [locale.plural_form(number) for number in NUMBERS]
    forms = sorted(set(plurals))

    def by_form(patterns: Any) -> dict[str, str]:
        return {form: patterns.get(form) or patterns["other"] for form in forms}

    def distance(unit: str) -> dict[str, Any]:
        fields = data["date_fields"]
        found = fields.get(f"{unit}-long") or fields[unit]
        return {way: by_form(found[way]) for way in ("future", "past")}

    def amount(currency: str) -> dict[str, str]:
        counts = {form: NUMBERS[plurals.index(form)] for form in forms}
        return {
            form: get_currency_unit_pattern(currency, count, locale).format(
                "{0}", get_currency_name(currency, count, locale)
            )
            for form, count in counts.items()
        }

    intervals = {}
    for name in dates.INTERVALS:
        pair = locale.interval_formats[skeleton(name, locale.interval_formats)]
        intervals[name] = {field: list(pair[field]) for field in "yMd"}
    periods = {
        name: locale.datetime_skeletons[skeleton(name, locale.datetime_skeletons)].pattern for name in dates.PERIODS
    }
    words: dict[str, Any] = {
        "dates": {style: locale.date_formats[style].pattern for style in dates.LENGTHS},
        "moments": {style: str(get_datetime_format(style, locale=locale)).replace("'", "") for style in dates.LENGTHS},
        "time": locale.time_formats["short"].pattern,
        "intervals": intervals,
        "periods": periods,
        "distances": {unit: distance(unit) for unit in dates.DISTANCES},
        "lists": {style: dict(_resolve_list_style(locale, style)) for style in dates.LISTS},
        "units": {
            unit: by_form(data["unit_patterns"][_find_unit_pattern(unit, locale)]["long"]) for unit in dates.UNITS
        },
        "currencies": {currency: amount(currency) for currency in dates.CURRENCIES},
        "decimal": locale.number_symbols["latn"]["decimal"],
        "plurals": "".join(str(forms.index(plural)) for plural in plurals),
        "forms": forms,
    }
    patterns = [*words["dates"].values(), words["time"], *periods.values()]
    patterns += [part for pair in intervals.values() for parts in pair.values() for part in parts]
    fields = {
        match[0] for pattern in patterns for match in re.finditer(r"([a-zA-Z])\1*", re.sub("'[^']*'", "", pattern))
    }
    named = {}
    for field in sorted(fields):
        kind = ALIASES.get(field[0], field[0])
        if kind in WHEN and not (kind == "M" and len(field) < 3):
            named[field] = [DateTimeFormat(when, locale)[field] for when in WHEN[kind]]
    return {"names": named, **words}


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for language in LANGUAGES:
        text = json.dumps(words_of(Locale.parse(language)), ensure_ascii=False, indent=1)
        (OUT / f"{language}.json").write_text(text + "\n", encoding="utf-8")
