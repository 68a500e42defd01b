"""Conformance checks for any zoo entry and any estimator, your own included.

    from lstmzoo import checks
    checks.check_entry("forecasting/lstm")
    checks.check_estimator(Forecaster("lstm", horizon=4, random_state=0, verbose=0), (series,))

Each check raises an AssertionError that says what does not hold. lstmzoo's own tests run all checks on all entries. The entries
of a task need small data to train on, which the task registers in :data:`TOYS`.
"""

import json
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from lstmzoo.checks._base import TOYS as TOYS
from lstmzoo.checks._base import Inputs, Toy, make_toy, toys_of
from lstmzoo.checks._base import Toys as Toys
from lstmzoo.checks._base import small as small
from lstmzoo.config import load_config
from lstmzoo.contracts import Data, Searchable, Servable
from lstmzoo.estimators import load
from lstmzoo.models._base import SteppingModel
from lstmzoo.registry import build_model, hyperparameter_names


def check_entry(name: str) -> None:
    """Run all of :data:`ENTRY_CHECKS` on a zoo entry."""
    for check in ENTRY_CHECKS:
        check(name)


def check_estimator(estimator: Any, data: Data) -> None:
    """Run all of :data:`ESTIMATOR_CHECKS` on an unfitted estimator.

    Args:
        estimator: Estimator, with a ``random_state`` if it has one.
        data: Arguments of ``fit``. A fit should take a few seconds.
    """
    for check in ESTIMATOR_CHECKS:
        check(clone(estimator), data)


def check_keys_match_builder(name: str) -> None:
    """Check that the config's hyperparameters are the builder's keywords, no more and no fewer."""
    config = load_config(name)
    expected, found = set(hyperparameter_names(config.builder)), set(config.hyperparameters)
    assert found == expected, f"{name}: hyperparameters differ from the builder's: {sorted(found ^ expected)}"


def check_layers_are_named(name: str) -> None:
    """Check that weights are found again by path: a second build gives the same paths, each once."""
    first, second = ([w.path for w in _toy(name).model.weights] for _ in range(2))
    assert first == second, f"{name}: weight paths change from build to build: {sorted(set(first) ^ set(second))}"
    assert len(set(first)) == len(first), f"{name}: two weights share a path"


def check_training(name: str) -> None:
    """Check that training changes every weight, with a finite loss, and gives the same bits twice with one seed and dropout."""
    runs = []
    for _ in range(2):
        toy = _toy(name)
        before = [w.numpy().copy() for w in toy.model.trainable_weights]
        losses = toy.train(steps=3, run_eagerly=True)
        assert np.isfinite(losses).all(), f"{name}: the loss is {losses}"
        runs.append(toy.model.get_weights())
        weights = zip(toy.model.trainable_weights, before, strict=True)
        idle = [w.path for w, old in weights if np.array_equal(w.numpy(), old)]
        assert not idle, f"{name}: weights that training leaves alone: {idle}"
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True)), f"{name}: same seed, other weights"


def check_dropout_is_of_training(name: str) -> None:
    """Check that two training losses of one batch, with the same weights, differ if and only if the entry has dropout."""
    for without_dropout in (False, True):
        losses = _toy(name, without_dropout=without_dropout).losses_of_training()
        assert (losses[0] == losses[1]) == without_dropout, (
            f"{name}: two losses of one batch are {losses}, {'without' if without_dropout else 'with'} dropout"
        )


def check_overfits_one_batch(name: str) -> None:
    """Check that the network learns one small batch, without dropout."""
    toy = _toy(name, without_dropout=True)
    losses = toy.train(steps=150, rate=1e-2, enough=0.3)
    assert losses[-1] - toy.floor < 0.3 * (losses[0] - toy.floor), (
        f"{name}: the loss of one batch fell from {losses[0]:.3f} to {losses[-1]:.3f} only"
    )


def check_batch_company_changes_nothing(name: str) -> None:
    """Check that the output of an item does not depend on the other items of its batch."""
    toy = _toy(name)
    together = _called(toy.model, toy.inputs)
    for i in (0, len(together) - 1):
        alone = _called(toy.model, {key: value[i : i + 1] for key, value in toy.inputs.items()})
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-4, atol=1e-5, err_msg=f"{name}: item {i}")


def check_search_space_builds(name: str) -> None:
    """Check that networks can be built with both ends of each range of the search space."""
    config = load_config(name)
    for key, span in config.search_space.items():
        if key in config.hyperparameters:
            for value in span.values if span.type == "categorical" else (span.min, span.max):
                changed = config.override({key: value})
                build_model(changed.builder, toys_of(config.task).spec(config), changed.hyperparameters)


def check_stepping_equals_whole(name: str) -> None:
    """Check that entries tagged ``streaming``, and no others, can step, and that steps give the whole sequence's outputs."""
    toy = _toy(name)
    tagged = "streaming" in load_config(name).tags
    can_step = isinstance(toy.model, SteppingModel)
    assert can_step == tagged, f"{name}: an entry is tagged 'streaming' if, and only if, its model can step"
    if can_step:
        assert toy.step_through is not None, f"{name}: the toys of the task have no step_through"
        whole, stepped = _called(toy.model, toy.inputs), toy.step_through(toy.model, toy.inputs)
        np.testing.assert_allclose(stepped, whole, rtol=1e-4, atol=1e-5, err_msg=f"{name}: stepping")


ENTRY_CHECKS: tuple[Callable[[str], None], ...] = (
    check_keys_match_builder,
    check_layers_are_named,
    check_training,
    check_dropout_is_of_training,
    check_overfits_one_batch,
    check_batch_company_changes_nothing,
    check_search_space_builds,
    check_stepping_equals_whole,
)


def _toy(name: str, *, without_dropout: bool = False) -> Toy:
    return make_toy(load_config(name), without_dropout=without_dropout)


def _called(model: keras.Model, inputs: Inputs) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def check_params_are_stored(estimator: Any, data: Data) -> None:
    """Check that ``__init__`` only assigns, ``fit`` keeps parameters, and ``clone``, ``set_params`` and ``repr`` work."""
    params = estimator.get_params()
    for name, value in estimator.get_params(deep=False).items():
        assert getattr(estimator, name) is value, f"__init__ changes {name}"
    assert clone(estimator).set_params(**params).get_params() == params, "clone or set_params loses parameters"
    assert type(estimator).__name__ in repr(estimator)
    assert estimator.fit(*data) is estimator, "fit does not return self"
    assert estimator.get_params() == params, "fit changes parameters"


def check_unfitted_refuses(estimator: Any, data: Data) -> None:
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


def check_fit_is_reproducible(estimator: Any, data: Data) -> None:
    """Check that two fits with one ``random_state`` give the same bits, and do not use NumPy's global generator."""
    state = np.random.get_state(legacy=True)[1]  # type: ignore[index]  # noqa: NPY002
    first, second = (clone(estimator).fit(*data) for _ in range(2))
    assert _served(first).equals(_served(second)), "same random_state, other answers"
    assert first.score(*data) == second.score(*data), "same random_state, another score"
    unchanged = np.array_equal(state, np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002
    assert unchanged, "fit changes NumPy's global random state"


def check_predictions_survive_storage(estimator: Any, data: Data) -> None:
    """Check that an estimator gives the same bits after saving and loading, or pickling, and that no code is saved."""
    estimator.fit(*data)
    expected, score = _served(estimator), estimator.score(*data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        estimator.save(path)
        kinds = {file.suffix for file in path.iterdir()}
        assert kinds <= {".json", ".safetensors"}, f"a saved model holds {sorted(kinds)}"
        loaded = load(path)
    others: tuple[Any, ...] = (loaded, pickle.loads(pickle.dumps(estimator)))
    for other in others:
        assert _served(other).equals(expected), "answers change in storage"
        assert other.score(*data) == score, "the score changes in storage"
        assert other.get_params() == estimator.get_params(), "parameters change in storage"


def check_serves(estimator: Any, data: Data) -> None:
    """Check that the serving example is answered, with finite numbers, and that the parameters are JSON."""
    estimator.fit(*data)
    answer = _served(estimator)
    assert len(answer), "serving answers nothing"
    assert np.isfinite(answer.select_dtypes("number")).all(axis=None), "serving answers NaN or infinity"
    words = answer.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    assert words.map(lambda value: isinstance(value, str)).all(axis=None), "serving answers neither numbers nor text"


def check_search_hooks(estimator: Searchable, data: Data) -> None:
    """Check that the estimator and each baseline can be fitted and scored on the held-out split."""
    train, valid = estimator.holdout_split(*data)
    for candidate in (estimator, *estimator.baselines().values()):
        assert np.isfinite(candidate.fit(*train).score(*valid)), f"{candidate} has no finite score"


ESTIMATOR_CHECKS: tuple[Callable[[Any, Data], None], ...] = (
    check_params_are_stored,
    check_unfitted_refuses,
    check_fit_is_reproducible,
    check_predictions_survive_storage,
    check_serves,
    check_search_hooks,
)


def _served(estimator: Servable) -> pd.DataFrame:
    """Return the answer of a fitted estimator to its serving example, with parameters that went through JSON."""
    params = json.loads(json.dumps(estimator.serving_params()))
    return estimator.serve(estimator.serving_example(), params)
