"""The arguments of predicting, generating and translating: their types and ranges, in one table."""

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, arg


@dataclass(frozen=True)
class Number:
    """The numbers that an argument takes.

    Attributes:
        kind: ``int`` or ``float``; a float may be given as a whole number.
        low: The lowest.
        high: The highest.
        above: Whether ``low`` itself is excluded.
        optional: Whether None is allowed too.
    """

    kind: type
    low: float
    high: float = math.inf
    above: bool = False
    optional: bool = False

    def __str__(self) -> str:
        noun = "a whole number" if self.kind is int else "a number"
        if self.above:
            text = f"{noun} above {self.low:,}{'' if self.high == math.inf else f', at most {self.high:,}'}"
        else:
            text = f"{noun} {f'of at least {self.low:,}' if self.high == math.inf else f'from {self.low:,} to {self.high:,}'}"
        return f"{text}, or None" if self.optional else text

    def holds(self, value: object) -> bool:
        """Whether a value is one of them; NumPy's numbers count as Python's."""
        if value is None:
            return self.optional
        kinds = int | np.integer if self.kind is int else int | float | np.integer | np.floating
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        return (operator.gt if self.above else operator.ge)(value, self.low) and value <= self.high


_COUNT = Number(int, 0, above=True)
OPTIONS = {
    "max_tokens": _COUNT,
    "beam_size": _COUNT,
    "length_penalty": Number(float, 0, 10),
    "coverage_penalty": Number(float, 0, 10),
    "no_repeat_ngram": Number(int, 0),
    "n_best": _COUNT,
    "temperature": Number(float, 0, 1_000_000),
    "top_k": Number(int, 0, above=True, optional=True),
    "top_p": Number(float, 0, 1, above=True),
    "repetition_penalty": Number(float, 0, 1_000_000, above=True),
    "n": _COUNT,
    "random_state": Number(int, 0, optional=True),
}


def checked_options(**options: Any) -> dict[str, Any]:
    """The arguments of generating and of translating, by name.

    Raises:
        ConfigError: Naming the first that is out of range.

    Examples:
        >>> checked_options(top_k=None, top_p=np.float32(0.5))["top_k"]
        >>> checked_options(top_p=0)
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: top_p: expected a number above 0, at most 1, got 0
    """
    for name, value in options.items():
        _check(name, value, OPTIONS[name])
    return options


def require_counts(**counts: Any) -> None:
    """Refuse arguments that are not whole numbers above 0.

    Raises:
        ConfigError: If one is not; it is named.
    """
    for name, value in counts.items():
        _check(name, value, _COUNT)


def _check(name: str, value: Any, numbers: Number) -> None:
    if not numbers.holds(value):
        raise ConfigError(f"{arg(name)}: expected {numbers}, got {value!r}")
