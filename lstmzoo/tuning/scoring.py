"""Scores by which a search compares estimators."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lstmzoo.contracts import Data, Measured, Searchable, missing_methods
from lstmzoo.errors import ConfigError, arg

Scoring = str | Callable[..., Any] | None
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Scorer:
    """The score of a fitted estimator on held-out data; greater is better.

    Args:
        scoring: None for the estimator's own score; the name of a metric; or a function ``(estimator, *data) -> float``.
    """

    scoring: Scoring = None

    def __call__(self, estimator: Any, *data: Any) -> float:
        """Return the score.

        Args:
            estimator: A fitted estimator.
            *data: The arguments of its ``score``.
        """
        if self.scoring is None:
            return float(estimator.score(*data))
        if isinstance(self.scoring, str):
            return float(estimator.score(*data, metric=self.scoring))
        return float(self.scoring(estimator, *data))

    def scores(self, estimator: Any, windows: list[Data], searched: Searchable) -> list[float]:
        """Return the score on each window.

        Args:
            estimator: A fitted estimator.
            windows: Held-out data, as the search read them.
            searched: The search's own estimator.
        """
        as_given = getattr(searched, "as_given", None) if callable(self.scoring) else None
        return [self(estimator, *(as_given(*window) if as_given else window)) for window in windows]


def make_scorer(estimator: Searchable, scoring: Any) -> Scorer:
    """Return the scorer of a search.

    Raises:
        ConfigError: If ``scoring`` is not None, a name or a function, or names a metric that the estimator cannot compute.
        UnknownNameError: If there is no such metric; the message lists them.
    """
    if isinstance(scoring, str):
        check: Callable[[str], None] | None = getattr(estimator, "check_metric", None)
        if check is None:
            raise ConfigError(f"{arg('scoring')}: {type(estimator).__name__} has no metrics by name: pass a function")
        check(scoring)
    elif scoring is not None and not callable(scoring):
        raise ConfigError(
            f"{arg('scoring')}: expected the name of one metric, a function of a fitted estimator and data, or None, "
            f"got {scoring!r}"
        )
    return Scorer(scoring)


def defined_scorer(scorer: Scorer, estimator: Searchable, folds: list[tuple[Data, list[Data]]]) -> Scorer:
    """Return a scorer that is defined for the held-out windows: the same one, or another if the default score is not.

    Raises:
        DataError: If a metric was given that is undefined for them.
    """
    if callable(scorer.scoring) or missing_methods(estimator, Measured):
        return scorer
    measured: Any = estimator
    return Scorer(measured.defined_metric(scorer.scoring, folds))


def described(value: Any) -> Any:
    """Return a parameter as the identity of a search has it: the same text in every process.

    Examples:
        >>> described(lambda estimator, y: 0.0), described("mae")
        ('<function <lambda>>', 'mae')
    """
    return value if value is None or isinstance(value, int | str) else _ADDRESS.sub("", repr(value))
