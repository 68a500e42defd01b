"""Data prepared for a fit, and compiled networks that fits share."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from lstmzoo.models._base import SteppingModel
from lstmzoo.seeding import seeded
from lstmzoo.training import Program, compile_for_prediction

PREDICTIONS = 100  # batches, a generous guess of what a network of a search predicts at its pauses


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The data of a fit or an update, prepared for training. Each task adds its own fields.

    Attributes:
        preprocessor: Fitted preprocessor.
        spec: Sizes of the network.
        digest: SHA-256 of the data.
        identity: Digest of all that a checkpoint is tied to, such as validation data; ``digest`` if empty.
        empty: Whether there is nothing to train on, as after an update with very few rows.
    """

    preprocessor: Any
    spec: Any
    digest: str
    identity: str = ""
    empty: bool = False


class Networks:
    """Networks that fits of equal sizes share, so that each is compiled once. The least recently used are dropped.

    They predict few batches, and do so without XLA; see :func:`compile_network`. :func:`hand_over` compiles a network as an
    estimator's own.

    Args:
        most: Networks to keep.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[str, tuple[keras.Model, Program]] = {}

    def get(self, key: str) -> tuple[keras.Model, Program] | None:
        """Return a network and the program that trains it; None if there is none of this key."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def add(self, key: str, model: keras.Model, program: Program) -> None:
        """Keep a network."""
        self._kept[key] = model, program
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


def compile_network(model: keras.Model, calls: float = math.inf) -> None:
    """Compile a network, and what steps it, for so many predictions.

    Args:
        model: The network. Nothing is compiled before it predicts.
        calls: Batches that it will predict; see :func:`lstmzoo.backend.jit_compile`.
    """
    compile_for_prediction(model, calls)
    if isinstance(model, SteppingModel):
        model.stepper.programs.usual_calls = calls


def hand_over(estimator: Any) -> None:
    """Compile the network of a fitted estimator for prediction as ``fit`` does, because no other fit shares it any more."""
    compile_network(estimator.model_)


def unshare(estimator: Any) -> None:
    """Give a fitted estimator a network of its own, with the weights of the one that it shares with other fits."""
    with seeded(0):
        own = estimator._build(estimator.config_, estimator.spec_)
    own.set_weights(estimator.model_.get_weights())
    compile_for_prediction(own)
    estimator.model_ = own
