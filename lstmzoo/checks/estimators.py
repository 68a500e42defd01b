"""Checks of an estimator: parameters, randomness, storage, serving and search, as scikit-learn and lstmzoo need them."""

import json
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from lstmzoo.estimators import load


def check_params_are_stored(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that ``__init__`` only assigns, ``fit`` keeps parameters, and ``clone``, ``set_params`` and ``repr`` work."""
    params = estimator.get_params()
    for name, value in estimator.get_params(deep=False).items():
        assert getattr(estimator, name) is value, f"__init__ changes {name}"
    assert clone(estimator).set_params(**params).get_params() == params, "clone or set_params loses parameters"
    assert type(estimator).__name__ in repr(estimator)
    assert estimator.fit(*data) is estimator, "fit does not return self"
    assert estimator.get_params() == params, "fit changes parameters"


def check_unfitted_refuses(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that before ``fit``, methods raise ``NotFittedError``, and there are no learned attributes."""
    learned = [name for name in vars(estimator) if name.endswith("_") and not name.endswith("__")]
    assert not learned, f"__init__ sets {learned}"
    answers = [getattr(estimator, name) for name in ("predict", "generate") if hasattr(estimator, name)]
    assert answers, "it can neither predict nor generate"
    asked: list[Callable] = [partial(answer, *data[: _required(answer)]) for answer in answers]
    for call in (*asked, lambda: estimator.score(*data), lambda: estimator.save("unfitted")):
        try:
            call()
        except NotFittedError:
            continue
        raise AssertionError("an unfitted estimator answers")


def _required(answer: Callable) -> int:
    """Return the number of required arguments; the first parts of the data stand for them."""
    return sum(
        p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in signature(answer).parameters.values()
    )


def check_fit_is_reproducible(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that two fits with one ``random_state`` give the same bits, and do not use NumPy's global generator."""
    state = np.random.get_state(legacy=True)[1]  # type: ignore[index]  # noqa: NPY002
    first, second = (clone(estimator).fit(*data) for _ in range(2))
    assert _served(first).equals(_served(second)), "same random_state, other answers"
    assert first.score(*data) == second.score(*data), "same random_state, another score"
    unchanged = np.array_equal(state, np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002
    assert unchanged, "fit changes NumPy's global random state"


def check_predictions_survive_storage(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that an estimator gives the same bits after saving and loading, or pickling, and that no code is saved."""
    estimator.fit(*data)
    expected, score = _served(estimator), estimator.score(*data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        estimator.save(path)
        kinds = {file.suffix for file in path.iterdir()}
        assert kinds <= {".json", ".safetensors"}, f"a saved model holds {sorted(kinds)}"
        loaded = load(path)
    for other in (loaded, pickle.loads(pickle.dumps(estimator))):
        assert _served(other).equals(expected), "answers change in storage"
        assert other.score(*data) == score, "the score changes in storage"
        assert other.get_params() == estimator.get_params(), "parameters change in storage"


def check_serves(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that the serving example is answered, with finite numbers, and that the parameters are JSON."""
    estimator.fit(*data)
    answer = _served(estimator)
    assert len(answer), "serving answers nothing"
    assert np.isfinite(answer.select_dtypes("number")).all(axis=None), "serving answers NaN or infinity"
    words = answer.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    assert words.map(lambda value: isinstance(value, str)).all(axis=None), "serving answers neither numbers nor text"


def check_search_hooks(estimator: Any, data: tuple[Any, ...]) -> None:
    """Check that the estimator and each baseline can be fitted and scored on the held-out split."""
    train, valid = estimator.holdout_split(*data)
    for candidate in (estimator, *estimator.baselines().values()):
        assert np.isfinite(candidate.fit(*train).score(*valid)), f"{candidate} has no finite score"


ESTIMATOR_CHECKS: tuple[Callable[[Any, tuple[Any, ...]], None], ...] = (
    check_params_are_stored,
    check_unfitted_refuses,
    check_fit_is_reproducible,
    check_predictions_survive_storage,
    check_serves,
    check_search_hooks,
)


def check_estimator(estimator: Any, data: tuple[Any, ...]) -> None:
    """Run all of :data:`ESTIMATOR_CHECKS` on an unfitted estimator.

    Args:
        estimator: Estimator, with a ``random_state`` if it has one.
        data: Arguments of ``fit``. A fit should take a few seconds.
    """
    for check in ESTIMATOR_CHECKS:
        check(clone(estimator), data)


def _served(estimator: Any) -> Any:
    """Return the answer of a fitted estimator to its serving example, with parameters that went through JSON."""
    params = json.loads(json.dumps(estimator.serving_params()))
    return estimator.serve(estimator.serving_example(), params)
