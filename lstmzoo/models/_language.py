"""What language models have in common: embedding, output layer, and their faces over the same weights.

A language model is made of one function, ``read``. The model itself reads a window of tokens at once; ``model.stepper`` reads,
scores and generates any number of tokens from a state, which goes along; its ``trainer`` carries the state from batch to batch.

Sizes: B batch, T tokens of a window, V vocabulary, E embedding, D hidden state that tokens are predicted from.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from lstmzoo.decoding import NEVER, Sampling, generate_tokens
from lstmzoo.layers import TokenSoftmax, gumbel
from lstmzoo.models._base import State
from lstmzoo.programs import FunctionModel, NetworkTrainer, Programs, named, unnamed
from lstmzoo.spec import LanguageModellingSpec

SoftmaxKind = Literal["full", "adaptive"]
Face = Callable[[Any, State], tuple[Any, State]]  # tokens (B, T) and states to hidden states (B, T, D) and states


def language_model(
    spec: LanguageModellingSpec, read: Callable, *, name: str, embedding_dim: int, tied: bool, softmax: SoftmaxKind
) -> keras.Model:
    """A model of the next token, from a function that reads vectors.

    Args:
        spec: Sizes learned from the training text.
        read: ``(vectors (B, T, E), tokens (B, T), states) -> (hidden (B, T, D), states)``, from states, or from the beginning
            if they are None. It is called once for each face, so it makes no layers.
        name: Of the model.
        embedding_dim: E.
        tied: Whether the output layer shares the embedding's matrix; where D is not E, a linear layer comes between them.
        softmax: ``full``, or ``adaptive`` where the spec has cutoffs.

    Returns:
        An uncompiled model from ``tokens`` (B, T) and ``targets`` (B, T), the tokens that follow each, to their negative
        log-likelihoods (B, T).
    """
    embed = keras.layers.Embedding(spec.vocab_size, embedding_dim, name="embedding")
    project = keras.layers.Dense(embedding_dim, name="projection")
    cutoffs = spec.cutoffs if softmax == "adaptive" else ()
    head = TokenSoftmax(spec.vocab_size, cutoffs=cutoffs, embedding=embed if tied else None, name="softmax")

    def face(tokens: Any, states: State) -> tuple[Any, State]:
        hidden, states = read(embed(tokens), tokens, states)
        return project(hidden) if tied and hidden.shape[-1] != embedding_dim else hidden, states

    tokens, targets = (keras.Input((spec.bptt,), dtype="int32", name=part) for part in ("tokens", "targets"))
    hidden, states = face(tokens, None)
    model = keras.Model({"tokens": tokens, "targets": targets}, head(hidden, targets), name=name)
    model.stepper = TokenStepper(model, face, head, states)
    return model


class TokenStepper:
    """The face of a language model that carries its state: the same weights, any number of tokens at a time.

    A state is a list of arrays ``(B, ...)``. Each number of rows, and of tokens, is compiled once.

    Args:
        network: The model.
        face: Reads tokens.
        head: Predicts them.
        states: The model's own states, for their shapes.
    """

    def __init__(self, network: keras.Model, face: Face, head: TokenSoftmax, states: State) -> None:
        self._network = network
        self._face = face
        self._head = head
        self._states = states
        self._programs = Programs(network)

    @property
    def vocab_size(self) -> int:
        """V."""
        return self._head.vocab_size

    def start_from(self, counts: np.ndarray) -> None:
        """Let an untrained model begin with the tokens' frequencies; see :meth:`lstmzoo.layers.TokenSoftmax.start_from`."""
        self._head.start_from(counts)

    @property
    def needs_fixed_windows(self) -> bool:
        """Whether all windows that it is trained on must be of one length."""
        return any(getattr(layer, "needs_fixed_steps", False) for layer in self._network.layers)

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """Of the adaptive softmax; empty where it is not."""
        return self._head.cutoffs

    def begin(self, batch_size: int) -> list[np.ndarray]:
        """The state before a first token, which is the end of a text."""
        flat = keras.tree.flatten(self._states)
        return [np.zeros((batch_size, *t.shape[1:]), keras.backend.standardize_dtype(t.dtype)) for t in flat]

    def read(self, tokens: np.ndarray, state: list[np.ndarray], *, calls: float = math.inf) -> list[np.ndarray]:
        """The state after reading tokens ``(B, T)``; ``calls`` as for :meth:`score`."""

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            _, states = self._face(inputs["tokens"], self._unpacked(inputs))
            return named(states)

        given = {"tokens": tokens, **named(state)}
        return unnamed(self._programs.run(("read", tokens.shape), run, given, calls))

    def hidden(
        self, tokens: np.ndarray, state: list[np.ndarray], *, calls: float = math.inf
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the hidden states ``(B, T, D)`` after tokens ``(B, T)``, and the state; ``calls`` as for :meth:`score`."""

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            hidden, states = self._face(inputs["tokens"], self._unpacked(inputs))
            return {"hidden": hidden, **named(states)}

        answer = self._programs.run(("hidden", tokens.shape), run, {"tokens": tokens, **named(state)}, calls)
        return answer["hidden"], unnamed(answer)

    def next_log_probs(self, last: np.ndarray, state: list[np.ndarray], *, calls: float = math.inf) -> np.ndarray:
        """Return the log probabilities ``(B, V)`` of the tokens that follow.

        Args:
            last: ``(B,)`` the tokens before.
            state: Before these.
            calls: As for :meth:`score`.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            hidden, _ = self._face(ops.expand_dims(inputs["last"], 1), self._unpacked(inputs))
            return {"log_probs": self._head.log_probs(hidden[:, 0])}

        return self._programs.run(("next", len(last)), run, {"last": last, **named(state)}, calls)["log_probs"]

    def score(
        self, tokens: np.ndarray, targets: np.ndarray, state: list[np.ndarray], *, with_hidden: bool = False,
        calls: float = math.inf, capacities: tuple[int, ...] | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None, list[np.ndarray]]:  # fmt: skip
        """Negative log-likelihoods ``(B, T)`` of the targets after each token, hidden states ``(B, T, D)`` and the state.

        Args:
            tokens: ``(B, T)``.
            targets: ``(B, T)``.
            state: Before the tokens.
            with_hidden: Whether the hidden states are wanted, too; else they are None.
            calls: How often it will be called so: XLA compiles it where that pays.
            capacities: As for :class:`lstmzoo.layers.TokenSoftmax`.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            hidden, states = self._face(inputs["tokens"], self._unpacked(inputs))
            nll = self._head(hidden, inputs["targets"], capacities=capacities)
            return {"nll": nll, **({"hidden": hidden} if with_hidden else {}), **named(states)}

        given = {"tokens": tokens, "targets": targets, **named(state)}
        answer = self._programs.run(("score", tokens.shape, with_hidden, capacities), run, given, calls)
        return answer["nll"], answer.get("hidden"), unnamed(answer)

    def generate(
        self, last: np.ndarray, state: list[np.ndarray], seen: np.ndarray, sampling: Sampling, *, length: int,
        position: int, seeds: np.ndarray, banned: np.ndarray,
    ) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:  # fmt: skip
        """Tokens ``(B, length)`` that follow, the state before the last of them, and what was seen.

        Args:
            last: ``(B,)`` the tokens before.
            state: Before these.
            seen: ``(B, V)`` whether a token is in the text already.
            sampling: How tokens are drawn.
            length: Tokens to come.
            position: How many were generated before: the noise of a token depends on its seed and place alone.
            seeds: ``(B, 2)`` int32.
            banned: ``(V,)`` whether a token may never be drawn.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            tokens, states, met = generate_tokens(
                lambda tokens, states: self._logits(tokens, states, inputs["banned"]),
                lambda i: gumbel(inputs["seeds"], inputs["position"] + i, self.vocab_size),
                inputs["last"], self._unpacked(inputs), inputs["seen"],
                sampling.given(inputs), length,
            )  # fmt: skip
            return {"tokens": tokens, "seen": met, **named(states)}

        given = {"last": last, "seen": seen, "seeds": seeds, "banned": banned, **sampling.numbers(), **named(state)}
        key = ("generate", len(last), length, sampling.filtered, sampling.penalized)
        answer = self._programs.run(key, run, {**given, "position": np.asarray(position, "int32")})
        return answer["tokens"], unnamed(answer), answer["seen"]

    def trainer(self, batch_size: int, capacities: Sequence[int] | None = None) -> "StreamTrainer":
        """The face that is trained: its state is carried from batch to batch.

        Args:
            batch_size: B, streams side by side.
            capacities: As for :class:`lstmzoo.layers.TokenSoftmax`.
        """
        return StreamTrainer(self._network, self._face, self._head, self._states, batch_size, capacities)

    def _logits(self, tokens: Any, states: State, banned: Any) -> tuple[Any, State]:
        hidden, states = self._face(ops.expand_dims(tokens, 1), states)
        return ops.where(banned, NEVER, self._head.log_probs(hidden[:, 0])), states

    def _unpacked(self, inputs: dict[str, Any]) -> State:
        return keras.tree.pack_sequence_as(self._states, unnamed(inputs))


class StreamTrainer(NetworkTrainer):
    """A language model that is trained on streams side by side; its states are variables, which no gradient passes.

    Its inputs are ``tokens`` and ``targets`` (B, T), and ``begin`` (B, 1): 1 where the state is to be zero, else 0. Its output
    are the negative log-likelihoods (B, T).
    """

    def __init__(
        self, network: keras.Model, face: Face, head: TokenSoftmax, states: State, batch_size: int,
        capacities: Sequence[int] | None,
    ) -> None:  # fmt: skip
        super().__init__(name=f"{network.name}_trainer")
        self.network = network
        self._face = face
        self._head = head
        self._states = states
        self._capacities = capacities
        self.carried = [
            self.add_weight(
                shape=(batch_size, *t.shape[1:]), dtype=keras.backend.standardize_dtype(t.dtype), initializer="zeros",
                trainable=False, name=f"carried_{i}",
            )
            for i, t in enumerate(keras.tree.flatten(states))
        ]  # fmt: skip

    def state(self) -> list[np.ndarray]:
        """The state that is carried now."""
        return [ops.convert_to_numpy(variable) for variable in self.carried]

    def run(self, inputs: dict[str, Any]) -> Any:
        """The negative log-likelihoods; the carried state goes along."""
        keep = 1 - inputs["begin"]
        before = [v * ops.cast(ops.reshape(keep, (-1, *(1,) * (len(v.shape) - 1))), v.dtype) for v in self.carried]
        hidden, states = self._face(inputs["tokens"], keras.tree.pack_sequence_as(self._states, before))
        nll = self._head(hidden, inputs["targets"], capacities=self._capacities)
        for variable, state in zip(self.carried, keras.tree.flatten(states), strict=True):
            variable.assign(ops.stop_gradient(state))
        return nll


class Frozen(FunctionModel):
    """A model without its dropout, to be trained so: for dynamic evaluation."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name=f"{model.name}_frozen")
        self.inner = model

    def run(self, inputs: dict[str, Any]) -> Any:
        """What the model gives without dropout."""
        return self.inner(inputs, training=False)
