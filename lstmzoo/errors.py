"""The errors that a user can mend. Each message names what is wrong and the way out.

A message refers to a parameter by :func:`arg`, so that each face can spell it: ``str(error)`` as Python does
(``pad_short=True``), the command line as an option (``--pad-short``).
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

_REFERENCE = re.compile("\ue000([a-z_]+)(?:(=)([^\ue001]*))?\ue001")
NO_VALUE: Any = object()
Spelling = Callable[[str, Any], str]


def arg(name: str = "", /, **value: Any) -> str:
    """A reference to a parameter, for the text of an error.

    Args:
        name: The parameter's name in Python, where the text speaks of the parameter itself.
        **value: In place of it, the parameter with the value that the text speaks of, of Python's literals; ``...`` for any.

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
    """A text with its references to parameters spelled.

    Args:
        message: May have references, those of :func:`arg`.
        spell: From a name and a value to text. The value is ``NO_VALUE`` where the text speaks of the parameter itself, and
            ``...`` where it speaks of any value.
    """

    def spelled(match: re.Match[str]) -> str:
        name, equals, value = match.groups()
        return spell(name, NO_VALUE if equals is None else ast.literal_eval(value) if value else ...)

    return _REFERENCE.sub(spelled, message)


def as_python(name: str, value: Any) -> str:
    """A parameter as it is written in Python."""
    return name if value is NO_VALUE else f"{name}={'' if value is ... else repr(value)}"


def unknown_name(kind: str, name: object, valid: Iterable[object]) -> str:
    """What is said of a name that is not among the valid ones: the nearest of them, and all."""
    names = sorted(str(v) for v in valid)
    short = [n.rsplit("/", 1)[-1] for n in names if "/" not in str(name)]
    close = difflib.get_close_matches(str(name), [*short, *names], n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {name!r}{guess}; valid: {', '.join(names) or '(none)'}"


class LstmzooError(Exception):
    """Base of every error that lstmzoo raises on purpose."""

    @property
    def message(self) -> str:
        """The text with its references to parameters, as an error that repeats it needs it."""
        return " ".join(map(str, self.args))

    def __str__(self) -> str:
        return render(self.message, as_python)

    def spelled(self, spell: Spelling) -> str:
        """The text as a face spells parameters; see :func:`render`."""
        return render(self.message, spell)


class ConfigError(LstmzooError, ValueError):
    """A zoo config or a hyperparameter is wrong."""


class UnknownNameError(LstmzooError, LookupError):
    """A name is not registered; the message lists those that are."""

    def __init__(self, kind: str, name: object, valid: Iterable[object], hint: str = "") -> None:
        super().__init__(kind, name, tuple(valid), hint)

    @property
    def message(self) -> str:
        """The text; see :class:`LstmzooError`."""
        *name, hint = self.args
        return f"{unknown_name(*name)}; {hint}" if hint else unknown_name(*name)


class DataError(LstmzooError, ValueError):
    """Data that was passed in cannot be used as it is."""


class TrainingError(LstmzooError, FloatingPointError):
    """Training diverged."""


class SavedModelError(LstmzooError, ValueError):
    """A saved model is missing, damaged, tampered with, or of a newer format."""
