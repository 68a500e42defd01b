"""The arguments of predicting, generating and translating, and the parameters of requests: types, bounds and defaults."""

import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, DataError, UnknownNameError, arg

_NOUNS = {int: "a whole number", float: "a number", str: "text", list: "a list of numbers"}


@dataclass(frozen=True)
class Values:
    """The values that an argument takes.

    Attributes:
        type: ``int``; ``float``, which includes whole numbers; ``str``; or ``list``, of numbers.
        low: The lowest number.
        high: The highest number.
        above: Whether ``low`` itself is excluded.
        optional: Whether None is allowed too.
        choices: The texts that are allowed; any text if empty.
    """

    type: type
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        noun = f"one of {', '.join(self.choices)}" if self.choices else _NOUNS[self.type]
        return f"{noun}{self._bounds()}{', or None' if self.optional else ''}"

    def _bounds(self) -> str:
        if self.low == -math.inf:
            return ""
        if self.above:
            return f" above {self.low:,}" + ("" if self.high == math.inf else f", at most {self.high:,}")
        return f" of at least {self.low:,}" if self.high == math.inf else f" from {self.low:,} to {self.high:,}"

    def holds(self, value: object) -> bool:
        """Whether a value is one of them; NumPy's numbers count as Python's."""
        if value is None:
            return self.optional
        if self.type is str:
            return isinstance(value, str)
        if self.type is list:
            return isinstance(value, list | tuple) and all(map(self._holds_number, value))
        return self._holds_number(value)

    def _holds_number(self, value: object) -> bool:
        numbers = int | np.integer if self.type is int else int | float | np.integer | np.floating
        if isinstance(value, bool) or not isinstance(value, numbers):
            return False
        return (operator.gt if self.above else operator.ge)(value, self.low) and value <= self.high

    def check(self, name: str, value: object) -> None:
        """Refuse any other value for the argument of this name.

        Raises:
            ConfigError: If the value has another type or is out of bounds.
            UnknownNameError: If it is none of the choices.
        """
        if not self.holds(value):
            raise ConfigError(f"{arg(name)}: expected {self}, got {shown(value)}")
        if self.choices and value not in self.choices:
            raise UnknownNameError(name, value, self.choices)


_COUNT = Values(int, 0, above=True)
OPTIONS = {
    "max_tokens": _COUNT,
    "beam_size": _COUNT,
    "length_penalty": Values(float, 0, 10),
    "coverage_penalty": Values(float, 0, 10),
    "no_repeat_ngram": Values(int, 0),
    "n_best": _COUNT,
    "temperature": Values(float, 0, 1_000_000),
    "top_k": Values(int, 0, above=True, optional=True),
    "top_p": Values(float, 0, 1, above=True),
    "repetition_penalty": Values(float, 0, 1_000_000, above=True),
    "n": _COUNT,
    "random_state": Values(int, 0, optional=True),
}


@dataclass(frozen=True, kw_only=True)
class ServingParam(Values):
    """A parameter of served requests. Checks, MLflow's signature and the table in docs/serving.md derive from it.

    Attributes:
        name: Its key among the request's ``params``.
        default: The value of a request that leaves it out.
        doc: What it does, as Markdown.
    """

    name: str
    default: Any
    doc: str


def served(name: str, default: Any, doc: str, **bounds: Any) -> ServingParam:
    """Declare that an argument in :data:`OPTIONS` is served: with the same values except None, within tighter bounds.

    Examples:
        >>> print(served("beam_size", 5, "Beams of the search.", high=50))
        a whole number above 0, at most 50
    """
    values = {**vars(OPTIONS[name]), "optional": False, **bounds}
    return ServingParam(**values, name=name, default=default, doc=doc)


def checked_params(declared: Iterable[ServingParam], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters of a request: the given ones, checked, and the defaults of the others.

    NumPy's numbers and arrays become Python's.

    Args:
        declared: All parameters.
        given: Values by name.

    Raises:
        DataError: If ``given`` is no mapping.
        UnknownNameError: If a name or a choice is unknown.
        ConfigError: If a value has another type or is out of bounds.

    Examples:
        >>> checked_params([served("beam_size", 5, "Beams of the search."), served("temperature", 1.0, "")], {"beam_size": 2})
        {'beam_size': 2, 'temperature': 1.0}
    """
    if not isinstance(given, Mapping | None):
        raise DataError(f"params must be names with values, got {type(given).__name__}")
    by_name = {param.name: param for param in declared}
    values = {name: param.default for name, param in by_name.items()}
    for name, value in (given or {}).items():
        if name not in by_name:
            raise UnknownNameError("parameter", truncated(name), by_name)
        plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
        by_name[name].check(name, plain)
        values[name] = plain
    return values


def checked_options(**options: Any) -> dict[str, Any]:
    """Return the checked arguments of generating and translating, by name.

    Raises:
        ConfigError: If one is out of bounds; the first is named.

    Examples:
        >>> checked_options(top_k=None, top_p=np.float32(0.5))["top_k"]
        >>> checked_options(top_p=0)
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: top_p: expected a number above 0, at most 1, got 0
    """
    for name, value in options.items():
        OPTIONS[name].check(name, value)
    return options


def require_counts(**counts: Any) -> None:
    """Refuse arguments that are not whole numbers above 0.

    Raises:
        ConfigError: If one is not; the first is named.
    """
    for name, value in counts.items():
        _COUNT.check(name, value)


def shown(value: object) -> str:
    """Return a user's value for a message, on one line of at most 40 characters.

    Examples:
        >>> shown([1, 2, 3])
        'a list of 3'
    """
    if isinstance(value, list | tuple | dict | np.ndarray):
        return f"a {type(value).__name__} of {len(value)}"
    return truncated(repr(value.item() if isinstance(value, np.generic) else value))


def truncated(text: Any) -> Any:
    """Cut text to at most 40 characters; other values are returned unchanged."""
    return f"{text[:37]}..." if isinstance(text, str) and len(text) > 40 else text
