"""Shared by language models: embedding, output layer, and their faces over the same weights.

A language model is made of one function, ``read``. The model itself reads a window of tokens at once. ``model.stepper`` reads,
scores and generates any number of tokens, from a state. Its ``trainer`` carries the state from batch to batch.

Sizes: B batch, T tokens of a window, V vocabulary, E embedding, D hidden state that tokens are predicted from.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Arrays, State, Tensor, Tensors
from lstmzoo.decoding import Sampling, generate_tokens
from lstmzoo.layers import LOG_ZERO, TokenSoftmax, gumbel
from lstmzoo.models._base import Stepper, SteppingModel, mixed_log_probs
from lstmzoo.programs import FunctionModel, NetworkTrainer, Programs, named, unnamed
from lstmzoo.spec import LanguageModellingSpec

SoftmaxKind = Literal["full", "adaptive"]
# From tokens (B, T) and states to hidden states (B, T, D) and states.
Face = Callable[[Tensor, State | None], tuple[Tensor, State]]


def language_model(
    spec: LanguageModellingSpec, read: Callable, *, name: str, embedding_dim: int, tied: bool, softmax: SoftmaxKind
) -> keras.Model:
    """Make a model of the next token from a function that reads vectors.

    Args:
        spec: Sizes learned from the training text.
        read: ``(vectors (B, T, E), tokens (B, T), states) -> (hidden (B, T, D), states)``, from states, or from the beginning
            if they are None. It is called several times, so it makes no layers.
        name: Name of the model.
        embedding_dim: E.
        tied: Whether the output layer shares the embedding's matrix. If D is not E, a linear layer comes between them.
        softmax: ``full``, or ``adaptive`` if the spec has cutoffs.

    Returns:
        An uncompiled model from ``tokens`` (B, T) and ``targets`` (B, T), the tokens that follow each, to their negative
        log-likelihoods (B, T).
    """
    embed = keras.layers.Embedding(spec.vocab_size, embedding_dim, name="embedding")
    project = keras.layers.Dense(embedding_dim, name="projection")
    cutoffs = spec.cutoffs if softmax == "adaptive" else ()
    head = TokenSoftmax(spec.vocab_size, cutoffs=cutoffs, embedding=embed if tied else None, name="softmax")

    def face(tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        hidden, states = read(embed(tokens), tokens, states)
        return project(hidden) if tied and hidden.shape[-1] != embedding_dim else hidden, states

    tokens, targets = (keras.Input((spec.bptt,), dtype="int32", name=part) for part in ("tokens", "targets"))
    hidden, state = face(tokens, None)
    model = SteppingModel({"tokens": tokens, "targets": targets}, head(hidden, targets), name=name)
    model.stepper = TokenStepper(model, face, head, state)
    return model


class GeneratingStepper(Stepper):
    """The face of a model that generates tokens. ``step`` reads ``tokens`` (B,) and returns log-probabilities ``(B, V)``."""

    def generate(
        self, last: np.ndarray, state: Arrays, seen: np.ndarray, sampling: Sampling, *, length: int,
        position: int, seeds: np.ndarray, banned: np.ndarray,
    ) -> tuple[np.ndarray, Arrays, np.ndarray]:  # fmt: skip
        """Generate tokens ``(B, length)``; returns them, the state before the last of them, and ``seen``.

        Args:
            last: ``(B,)`` the last tokens.
            state: Before the last tokens.
            seen: ``(B, V)`` whether a token is in the text already.
            sampling: How to draw tokens.
            length: Number of tokens.
            position: Number of tokens generated before. The noise of a token depends only on its seed and its position.
            seeds: ``(B, 2)`` int32.
            banned: ``(V,)`` whether a token may never be drawn.
        """

        def run(inputs: Tensors) -> Tensors:
            def step(tokens: Tensor, states: State) -> tuple[Tensor, State]:
                log_probs, states = self._step({"tokens": tokens}, states, ())
                return ops.where(inputs["banned"], LOG_ZERO, log_probs), states

            tokens, states, met = generate_tokens(
                step,
                lambda i: gumbel(inputs["seeds"], inputs["position"] + i, inputs["seen"].shape[-1]),
                inputs["last"], self.unpack_state(inputs), inputs["seen"],
                sampling.given(inputs), length,
            )  # fmt: skip
            return {"tokens": tokens, "seen": met, **named(states)}

        given = {"last": last, "seen": seen, "seeds": seeds, "banned": banned, **sampling.numbers(), **named(state)}
        key = ("generate", length, sampling.filtered, sampling.penalized)
        answer = self.programs.run(key, run, {**given, "position": np.asarray(position, "int32")})
        return answer["tokens"], unnamed(answer), answer["seen"]


class TokenStepper(GeneratingStepper):
    """The face of a language model that steps. It also scores and generates tokens, from a state.

    ``encode`` reads ``tokens`` (B, T). ``step`` reads ``tokens`` (B,) and returns the log-probabilities ``(B, V)`` of the next
    ones.

    Args:
        network: The model.
        face: Reads tokens.
        head: Predicts them; an attribute.
        state: A state of the network, for its structure.
    """

    def __init__(self, network: keras.Model, face: Face, head: TokenSoftmax, state: State) -> None:
        def step(inputs: Tensors, before: State, _: State) -> tuple[Tensor, State]:
            hidden, after = face(ops.expand_dims(inputs["tokens"], 1), before)
            return head.log_probs(hidden[:, 0]), after

        super().__init__(
            network, lambda inputs, before: ((), face(inputs["tokens"], before)[1]), step, state=state,
            sources=["tokens"], inputs=["tokens"],
        )  # fmt: skip
        self.face, self.head = face, head

    @property
    def needs_fixed_windows(self) -> bool:
        """Whether all training windows must have the same length."""
        return any(getattr(layer, "needs_fixed_steps", False) for layer in self.network.layers)

    def hidden(self, tokens: np.ndarray, state: Arrays, *, calls: float = math.inf) -> tuple[np.ndarray, Arrays]:
        """Return the hidden states ``(B, T, D)`` after tokens ``(B, T)``, and the state; ``calls`` as for :meth:`score`."""

        def run(inputs: Tensors) -> Tensors:
            hidden, states = self.face(inputs["tokens"], self.unpack_state(inputs))
            return {"hidden": hidden, **named(states)}

        answer = self.programs.run(("hidden",), run, {"tokens": tokens, **named(state)}, calls)
        return answer["hidden"], unnamed(answer)

    def score(
        self, tokens: np.ndarray, targets: np.ndarray, state: Arrays, *, with_hidden: bool = False,
        calls: float = math.inf, capacities: tuple[int, ...] | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None, Arrays]:  # fmt: skip
        """Score targets: their negative log-likelihoods ``(B, T)``, the hidden states ``(B, T, D)`` and the state.

        Args:
            tokens: ``(B, T)``.
            targets: ``(B, T)``, the tokens that follow each.
            state: Before the tokens.
            with_hidden: Whether to return the hidden states too; otherwise they are None.
            calls: How many times such shapes will be run. XLA compiles what runs often.
            capacities: As for :class:`lstmzoo.layers.TokenSoftmax`.
        """

        def run(inputs: Tensors) -> Tensors:
            hidden, states = self.face(inputs["tokens"], self.unpack_state(inputs))
            nll = self.head(hidden, inputs["targets"], capacities=capacities)
            return {"nll": nll, **({"hidden": hidden} if with_hidden else {}), **named(states)}

        given = {"tokens": tokens, "targets": targets, **named(state)}
        answer = self.programs.run(("score", with_hidden, capacities), run, given, calls)
        return answer["nll"], answer.get("hidden"), unnamed(answer)

    def trainer(self, batch_size: int, capacities: Sequence[int] | None = None) -> "StatefulTrainer":
        """Make the model that is trained; it carries its state from batch to batch.

        Args:
            batch_size: B, number of streams read side by side.
            capacities: As for :class:`lstmzoo.layers.TokenSoftmax`.
        """
        return StatefulTrainer(self, batch_size, capacities)


class TokenMixture(GeneratingStepper):
    """Several language models of one vocabulary that read and generate as one: their probabilities are averaged.

    Args:
        steppers: The faces of the models.
        weights: Their weights, above 0 and of sum 1.
    """

    def __init__(self, steppers: Sequence[TokenStepper], weights: Sequence[float]) -> None:
        def encode(inputs: Tensors, before: State | None) -> tuple[State, State]:
            states = [None] * len(steppers) if before is None else before
            return (), [stepper._encode(inputs, one)[1] for stepper, one in zip(steppers, states, strict=True)]

        def step(inputs: Tensors, before: State, _: State) -> tuple[Tensor, State]:
            answers = [stepper._step(inputs, one, ()) for stepper, one in zip(steppers, before, strict=True)]
            log_probs, after = zip(*answers, strict=True)
            return mixed_log_probs(log_probs, weights), list(after)

        super().__init__(
            steppers[0].network, encode, step, state=[stepper.state for stepper in steppers],
            sources=["tokens"], inputs=["tokens"],
        )  # fmt: skip
        self.programs = Programs(*(stepper.network for stepper in steppers))


class StatefulTrainer(NetworkTrainer):
    """A language model in training on streams side by side. Its states are variables, without gradients.

    Its inputs are ``tokens`` and ``targets`` (B, T), and ``begin`` (B, 1), which is 1 where the state is reset to zero, otherwise
    0. Its outputs are the negative log-likelihoods (B, T).
    """

    def __init__(self, stepper: TokenStepper, batch_size: int, capacities: Sequence[int] | None) -> None:
        super().__init__(name=f"{stepper.network.name}_trainer")
        self.network = stepper.network
        self._stepper = stepper
        self._capacities = capacities
        self.carried = [
            self.add_weight(
                shape=(batch_size, *t.shape[1:]), dtype=keras.backend.standardize_dtype(t.dtype), initializer="zeros",
                trainable=False, name=f"carried_{i}",
            )
            for i, t in enumerate(keras.tree.flatten(stepper.state))
        ]  # fmt: skip

    def state(self) -> Arrays:
        """The current state."""
        return [ops.convert_to_numpy(variable) for variable in self.carried]

    def run(self, inputs: Tensors) -> Tensor:
        """Compute the negative log-likelihoods, and carry the state on."""
        keep = 1 - inputs["begin"]
        before = [v * ops.cast(ops.reshape(keep, (-1, *(1,) * (len(v.shape) - 1))), v.dtype) for v in self.carried]
        hidden, states = self._stepper.face(inputs["tokens"], keras.tree.pack_sequence_as(self._stepper.state, before))
        nll = self._stepper.head(hidden, inputs["targets"], capacities=self._capacities)
        for variable, state in zip(self.carried, keras.tree.flatten(states), strict=True):
            variable.assign(ops.stop_gradient(state))
        return nll


class Frozen(FunctionModel):
    """A model that is trained without its dropout, for dynamic evaluation."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=f"{model.name}_frozen")
        self.inner = model

    def run(self, inputs: Tensors) -> Tensor:
        """Call the model without dropout."""
        return self.inner(inputs, training=False)
