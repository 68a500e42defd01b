"""The winner's methods as methods of the search."""

import functools
from collections.abc import Callable
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if


def _has_method(name: str) -> Callable[[Any], bool]:
    """Return a check that a search's winner, or its estimator before ``fit``, has a method of this name."""
    return lambda search: callable(getattr(_owner(search), name, None))


def _owner(search: Any) -> Any:
    return vars(search).get("best_estimator_", vars(search).get("estimator"))


def _hint(search: Any, name: str) -> str:
    """Return what to do if the winner lacks a method; an empty text if it does not say so."""
    absent = getattr(type(_owner(search)), "absent", None)
    return f"the winner is a {type(_owner(search)).__name__}; {hint}" if absent and (hint := absent(name)) else ""


class WinnerMethods:
    """Base of a search: it has the public methods of its winner, such as ``generate``, ``evaluate`` and ``save``.

    A subclass has the parameters ``estimator`` and ``refit``, and learns ``best_estimator_``, ``scorer_`` and ``records_``.
    :func:`hasattr` is false for methods that the winner lacks. Before ``fit``, the methods are those of the estimator.
    """

    @available_if(_has_method("predict"))
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Call the winner's ``predict``.

        Raises:
            NotFittedError: If there is no winner yet, or ``refit`` is false.
        """
        return self._winner().predict(*args, **kwargs)

    def score(self, *data: Any) -> float:
        """Return the winner's score on data, by the ``scoring`` of the search.

        Raises:
            NotFittedError: If there is no winner yet, or ``refit`` is false.
        """
        winner = self._winner()
        return float(vars(self)["scorer_"](winner, *data))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name.endswith("_") or not _has_method(name)(self):
            hint = _hint(self, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint and f': {hint}'}")

        @functools.wraps(getattr(_owner(self), name))
        def method(*args: Any, **kwargs: Any) -> Any:
            return getattr(self._winner(), name)(*args, **kwargs)

        return method

    def __dir__(self) -> list[str]:
        names = (name for name in dir(_owner(self)) if not (name.startswith("_") or name.endswith("_")))
        return sorted({*super().__dir__(), *(name for name in names if _has_method(name)(self))})

    def _winner(self) -> Any:
        if "best_estimator_" not in vars(self):
            searched = "records_" in vars(self) and not vars(self)["refit"]
            reason = "was fitted with refit=False" if searched else "is not fitted yet: call fit first"
            raise NotFittedError(f"this {type(self).__name__} {reason}")
        return vars(self)["best_estimator_"]
