"""The errors that a user can mend. Each message names what is wrong and the way out."""

import difflib


class LstmzooError(Exception):
    """Base of every error that lstmzoo raises on purpose."""


class ConfigError(LstmzooError, ValueError):
    """A zoo config or a hyperparameter is wrong."""


class UnknownNameError(LstmzooError, LookupError):
    """A name is not registered; the message lists those that are."""

    def __init__(self, kind: str, name: object, valid: object) -> None:
        names = sorted(str(v) for v in valid)  # type: ignore[attr-defined]
        short = [n.rsplit("/", 1)[-1] for n in names if "/" not in str(name)]
        close = difflib.get_close_matches(str(name), [*short, *names], n=1, cutoff=0.7)
        guess = f" (did you mean {close[0]!r}?)" if close else ""
        super().__init__(f"unknown {kind} {name!r}{guess}; valid: {', '.join(names) or '(none)'}")


class DataError(LstmzooError, ValueError):
    """Data that was passed in cannot be used as it is."""


class TrainingError(LstmzooError, FloatingPointError):
    """Training diverged."""


class SavedModelError(LstmzooError, ValueError):
    """A saved model is missing, damaged, tampered with, or of a newer format."""
