"""Checks of a zoo entry: its network builds, trains, and steps as it should."""

from collections.abc import Callable

import keras
import numpy as np

from lstmzoo.checks._base import Inputs, Toy, make_toy, toys_of
from lstmzoo.config import load_config
from lstmzoo.models._base import SteppingModel
from lstmzoo.registry import build_model, hyperparameter_names


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


def check_entry(name: str) -> None:
    """Run all of :data:`ENTRY_CHECKS` on a zoo entry."""
    for check in ENTRY_CHECKS:
        check(name)


def _toy(name: str, *, without_dropout: bool = False) -> Toy:
    return make_toy(load_config(name), without_dropout=without_dropout)


def _called(model: keras.Model, inputs: Inputs) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs, training=False))
