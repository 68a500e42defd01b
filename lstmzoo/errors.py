"""Errors that a user can correct. Each message says what is wrong and what to do.

A message refers to a parameter by :func:`arg`, so that each interface can spell it: ``str(error)`` as in Python
(``pad_short=True``), the command line as an option (``--pad-short``).
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_REFERENCE = re.compile("\ue000([a-z_]+)(?:(=)([^\ue001]*))?\ue001")
NO_VALUE: Any = object()
_LISTED = 20  # categories
Spelling = Callable[[str, Any], str]


def arg(name: str = "", /, **value: Any) -> str:
    """Return a reference to a parameter, for the message of an error.

    Args:
        name: Name of the parameter in Python, if the message is about the parameter itself.
        **value: The parameter with a value, a Python literal, if the message is about that value; ``...`` for any value.

    Examples:
        >>> print(ConfigError(f"{arg('horizon')}: too long; pass {arg(pad_short=True)}"))
        horizon: too long; pass pad_short=True
        >>> print(DataError(f"the steps are irregular: pass {arg(freq=...)}"))
        the steps are irregular: pass freq=
    """
    if name:
        return f"\ue000{name}\ue001"
    ((name, only),) = value.items()
    return f"\ue000{name}={'' if only is ... else repr(only)}\ue001"


def render(message: str, spell: Spelling) -> str:
    """Return a message with its references to parameters spelled out.

    Args:
        message: Message, with references made by :func:`arg`.
        spell: Function from a name and a value to text. The value is ``NO_VALUE`` if the message is about the parameter
            itself, and ``...`` for any value.
    """

    def spelled(match: re.Match[str]) -> str:
        name, equals, value = match.groups()
        return spell(name, NO_VALUE if equals is None else ast.literal_eval(value) if value else ...)

    return _REFERENCE.sub(spelled, message)


def as_python(name: str, value: Any) -> str:
    """Return a parameter as Python spells it."""
    return name if value is NO_VALUE else f"{name}={'' if value is ... else repr(value)}"


def unknown_name(kind: str, name: object, valid: Iterable[object]) -> str:
    """Return the message for an unknown name, with the nearest valid name and all valid names."""
    names = sorted(str(v) for v in valid)
    short = [n.rsplit("/", 1)[-1] for n in names if "/" not in str(name)]
    close = difflib.get_close_matches(str(name), [*short, *names], n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {name!r}{guess}; valid: {', '.join(names) or '(none)'}"


class LstmzooError(Exception):
    """Base class of all errors that lstmzoo raises."""

    @property
    def message(self) -> str:
        """Message with unspelled references, for errors that repeat it."""
        return " ".join(map(str, self.args))

    def __str__(self) -> str:
        return render(self.message, as_python)

    def spelled(self, spell: Spelling) -> str:
        """Return the message with parameters spelled by an interface; see :func:`render`."""
        return render(self.message, spell)


class ConfigError(LstmzooError, ValueError):
    """A zoo entry, a parameter or a hyperparameter is wrong."""


class UnknownNameError(LstmzooError, LookupError):
    """A name is unknown; the message lists the valid names."""

    def __init__(self, kind: str, name: object, valid: Iterable[object], hint: str = "") -> None:
        super().__init__(kind, name, tuple(valid), hint)

    @property
    def message(self) -> str:
        """Message; see :class:`LstmzooError`."""
        *name, hint = self.args
        return f"{unknown_name(*name)}; {hint}" if hint else unknown_name(*name)


class DataError(LstmzooError, ValueError):
    """Data cannot be used."""


def unseen_category(found: str, categories: Sequence[str]) -> DataError:
    """Return the error of a category that is not in the training data.

    Args:
        found: Which category was found, and where.
        categories: Those of the training data.
    """
    known = ", ".join(map(repr, categories[:_LISTED]))
    return DataError(f"{found}, a category that is not in the training data; known: {known}")


class TrainingError(LstmzooError, FloatingPointError):
    """Training diverged."""


class SavedModelError(LstmzooError, ValueError):
    """A saved model is missing, damaged, tampered with, or of a newer format."""
