"""Adaptation to the text that was just read: the neural cache, and dynamic evaluation.

Sizes: N tokens, T tokens read at a time, D hidden state, W tokens that the cache holds.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import jit_compile, train_batch
from lstmzoo.models._language import Frozen, TokenStepper
from lstmzoo.preprocessing import in_rows, most_members, pad_window

_PIECE = 128  # T


@dataclass(frozen=True)
class NeuralCache:
    """A cache that makes words likelier if they recently followed a similar hidden state.

    With ``h_i`` the hidden states of the last ``window`` tokens and ``w_i`` the tokens that followed them::

        p(w) = (1 - weight) p_network(w) + weight p_cache(w)
        p_cache(w) ~ sum over i of 1[w = w_i] exp(theta h . h_i)

    Args:
        window: W, number of tokens in the cache.
        theta: Factor of the similarity.
        weight: Weight of the cache in the mixture.

    References:
        Grave, Joulin & Usunier, "Improving Neural Language Models with a Continuous Cache", ICLR 2017.
    """

    window: int = 2000
    theta: float = 0.3
    weight: float = 0.1


@dataclass(frozen=True)
class DynamicEvaluation:
    """Gradient descent on each segment of text after it was scored, with decay towards the trained weights.

    Args:
        tokens: Number of tokens in a segment.
        learning_rate: Learning rate of a step.
        decay: Share of the distance to the trained weights by which each step moves back.

    References:
        Krause et al., "Dynamic Evaluation of Neural Sequence Models", ICML 2018, without its normalized gradients.
    """

    tokens: int = 16
    learning_rate: float = 0.1
    decay: float = 0.001


ADAPTATIONS: dict[str, type[NeuralCache] | type[DynamicEvaluation]] = {
    "cache": NeuralCache,
    "dynamic": DynamicEvaluation,
}


def cached_nll(stepper: TokenStepper, stream: np.ndarray, caches: list[NeuralCache]) -> np.ndarray:
    """Return the negative log-likelihoods ``(len(caches), N - 1)`` of each token of a stream but the first.

    Args:
        stream: ``(N,)`` token ids.
        caches: Caches with the same window; the stream is read once for all.
    """
    window = caches[0].window
    tokens, targets = in_rows(stream, 1)
    capacities = most_members(targets, stepper.head.cutoffs, _PIECE)
    state, keys, values, parts = stepper.begin(1), None, np.zeros(0, np.int32), []
    for place in range(0, tokens.shape[1], _PIECE):
        part = slice(place, place + _PIECE)
        wanted = targets[0, part]
        nll, hidden, state = stepper.score(
            *pad_window(tokens[:, part], targets[:, part], _PIECE), state, with_hidden=True, calls=len(stream) / _PIECE,
            capacities=capacities,
        )  # fmt: skip
        assert hidden is not None
        hidden, nll = hidden[0, : len(wanted)], nll[0, : len(wanted)].astype(float)
        keys = hidden if keys is None else np.concatenate([keys, hidden])
        values = np.concatenate([values, wanted])
        parts.append(_mixed(nll, keys, values, len(wanted), caches))
        keys, values = keys[-window:], values[-window:]
    return np.concatenate(parts, axis=1)


def _mixed(nll: np.ndarray, keys: np.ndarray, values: np.ndarray, steps: int, caches: list[NeuralCache]) -> np.ndarray:
    """Return the mixed losses of the last ``steps`` keys; each key sees at most ``window`` keys before it."""
    before = np.arange(len(keys) - steps, len(keys))[:, None] - np.arange(len(keys))
    visible = (before > 0) & (before <= caches[0].window)
    likeness = keys[-steps:] @ keys.T
    same = values[-steps:, None] == values
    rows, network = visible.any(axis=1), np.exp(-nll)
    answers = []
    for cache in caches:
        scores = np.where(visible, cache.theta * likeness, -np.inf)
        scores[~rows] = 0.0  # the cache is empty
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        share = (weights * same).sum(axis=1) / weights.sum(axis=1)
        mixed = (1 - cache.weight) * network + cache.weight * share
        answers.append(-np.log(np.where(rows, mixed, network)))
    return np.array(answers)


class _Descent(keras.optimizers.Optimizer):
    """Gradient descent with decay towards the initial weights."""

    def __init__(self, learning_rate: float, decay: float) -> None:
        super().__init__(learning_rate=learning_rate, clipnorm=None, global_clipnorm=1.0, name="descent")
        self._decay = decay

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)
            self._origins = [self.add_variable_from_reference(v, name="origin") for v in variables]
            for origin, variable in zip(self._origins, variables, strict=True):
                origin.assign(
                    ops.copy(variable)
                )  # on JAX both would share one buffer, and a step would donate it twice

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        origin = self._origins[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        moved = variable - rate * ops.cast(gradient, variable.dtype)
        self.assign(variable, moved + self._decay * (origin - moved))


def dynamic_nll(stepper: TokenStepper, stream: np.ndarray, how: DynamicEvaluation) -> np.ndarray:
    """Return the negative log-likelihoods ``(N - 1,)`` of each token of a stream but the first, as means over segments.

    The weights are restored afterwards.

    Args:
        stream: ``(N,)`` token ids.
        how: Settings of the steps.
    """
    trainer = stepper.trainer(1)
    model = Frozen(trainer)
    weights = model.get_weights()
    tokens, targets = in_rows(stream, 1)
    pieces = tokens.shape[1] // how.tokens
    optimizer = _Descent(how.learning_rate, how.decay)
    model.compile(optimizer=optimizer, loss=lambda _, nll: nll, jit_compile=jit_compile(steps=pieces))
    optimizer.build(model.trainable_variables)
    losses = []
    try:
        for number in range(pieces):
            part = slice(number * how.tokens, (number + 1) * how.tokens)
            inputs = {"tokens": tokens[:, part], "targets": targets[:, part]}
            inputs["begin"] = np.full((1, 1), float(number == 0), np.float32)
            loss = train_batch(model, inputs, np.zeros((1, how.tokens), np.float32))["loss"]
            losses += [float(loss)] * how.tokens
        rest = slice(pieces * how.tokens, None)  # no text follows to adapt to
        left = tokens[:, rest].shape[1]
        if left:
            given = pad_window(tokens[:, rest], targets[:, rest], how.tokens)
            nll, _, _ = stepper.score(*given, trainer.state(), calls=1)
            losses += nll[0, :left].tolist()
    finally:
        model.set_weights(weights)
    return np.array(losses)
