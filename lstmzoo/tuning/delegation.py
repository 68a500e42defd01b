"""What a search has of its winner: each public method that the search does not have itself."""

import functools
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if


def _can(name: str) -> Any:
    """Whether the winner, or before there is one the estimator, has a method of that name."""

    def check(search: Any) -> bool:
        owner = vars(search).get("best_estimator_", vars(search).get("estimator"))
        return callable(getattr(owner, name, None))

    return check


class WinnerMethods:
    """Base of a search: the winner's methods are the search's, such as ``generate``, ``evaluate``, ``save``.

    A subclass has the parameters ``estimator`` and ``refit``, and learns ``best_estimator_`` and ``records_``. Methods that the
    winner lacks are absent, so that :func:`hasattr` tells. Before ``fit``, the estimator's count.
    """

    @available_if(_can("predict"))
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """What the winner predicts; see its own ``predict``.

        Raises:
            NotFittedError: If there is no winner yet, or ``refit`` is false.
        """
        return self._winner().predict(*args, **kwargs)

    def score(self, *data: Any) -> float:
        """The winner's score; see its own ``score``.

        Raises:
            NotFittedError: If there is no winner yet, or ``refit`` is false.
        """
        return self._winner().score(*data)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name.endswith("_") or not _can(name)(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        owner = vars(self).get("best_estimator_", vars(self).get("estimator"))

        @functools.wraps(getattr(owner, name))
        def method(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._winner(), name)(*args, **kwargs)

        return method

    def __dir__(self) -> list[str]:
        owner = vars(self).get("best_estimator_", vars(self).get("estimator"))
        theirs = (name for name in dir(owner) if not (name.startswith("_") or name.endswith("_")) and _can(name)(self))
        return sorted({*super().__dir__(), *theirs})

    def _winner(self) -> Any:
        if "best_estimator_" not in vars(self):
            searched = "records_" in vars(self) and not vars(self)["refit"]
            reason = "was fitted with refit=False" if searched else "is not fitted yet: call fit first"
            raise NotFittedError(f"this {type(self).__name__} {reason}")
        return vars(self)["best_estimator_"]
