"""The errors that a user can mend. Each message names what is wrong and the way out."""

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, name: object, valid: Iterable[object]) -> str:
    """What is said of a name that is not among the valid ones: the nearest of them, and all."""
    names = sorted(str(v) for v in valid)
    short = [n.rsplit("/", 1)[-1] for n in names if "/" not in str(name)]
    close = difflib.get_close_matches(str(name), [*short, *names], n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {kind} {name!r}{guess}; valid: {', '.join(names) or '(none)'}"


class LstmzooError(Exception):
    """Base of every error that lstmzoo raises on purpose."""


class ConfigError(LstmzooError, ValueError):
    """A zoo config or a hyperparameter is wrong."""


class UnknownNameError(LstmzooError, LookupError):
    """A name is not registered; the message lists those that are."""

    def __init__(self, kind: str, name: object, valid: Iterable[object]) -> None:
        super().__init__(unknown_name(kind, name, valid))


class DataError(LstmzooError, ValueError):
    """Data that was passed in cannot be used as it is."""


class TrainingError(LstmzooError, FloatingPointError):
    """Training diverged."""


class SavedModelError(LstmzooError, ValueError):
    """A saved model is missing, damaged, tampered with, or of a newer format."""
