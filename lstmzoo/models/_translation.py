"""What translation models have in common: embeddings, output layer, and their faces over the same weights.

A translation model is made of two functions, ``encode`` and ``decode``. The model itself reads a source and a target sentence at
once; ``model.stepper`` encodes a source once and then writes the target token by token, from a state; its ``trainer`` is what is
trained, with label smoothing.

Sizes: B batch, S source positions, T target positions, E embedding, M memory, D hidden state that tokens are predicted from, U
units, V target vocabulary.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from lstmzoo.errors import ConfigError
from lstmzoo.layers import Dropout, TokenSoftmax
from lstmzoo.models._base import State, recurrent
from lstmzoo.programs import NetworkTrainer, Programs, named, unnamed
from lstmzoo.spec import TranslationSpec

Tied = Literal["none", "two_way", "three_way"]
MaskedCell = Literal["simple_rnn", "lstm", "gru"]  # those that can leave out padding


@dataclass(frozen=True)
class Memory:
    """What a decoder knows of the source; tensors ``(B, ...)``, or None.

    Attributes:
        values: ``(B, S, M)``, a vector for each position; None if the decoder begins with the encoder's states and that is all.
        keys: What the attention compares its queries to, computed once.
        mask: ``(B, S)``, True for what is no padding.
    """

    values: Any
    keys: Any
    mask: Any

    @property
    def tensors(self) -> list[Any]:
        """Those of the attributes that are not None."""
        return [part for part in (self.values, self.keys, self.mask) if part is not None]

    def of(self, change: Callable[[Any], Any]) -> "Memory":
        """The memory with each tensor changed; None stays None."""
        return Memory(*(None if part is None else change(part) for part in (self.values, self.keys, self.mask)))


def translation_model(
    spec: TranslationSpec, encode: Callable, decode: Callable, *, name: str, embedding_dim: int, tied: Tied,
    source_dropout: float, target_dropout: float, output_dropout: float, label_smoothing: float,
) -> keras.Model:  # fmt: skip
    """A model of the next target token, given the source and the tokens before.

    Args:
        spec: Sizes learned from the training sentences.
        encode: ``(vectors (B, S, E), mask (B, S)) -> (memory, states)``: a :class:`Memory`, and what the decoder begins with.
        decode: ``(vectors (B, T, E), memory, states) -> (hidden (B, T, D), weights, states)``, the weights being those of the
            attention (B, T, S), or None. Both are called once for each face, so they make no layers.
        name: Of the model.
        embedding_dim: E.
        tied: ``two_way``: the target's embedding and the softmax share a matrix; ``three_way``: so does the source's embedding,
            which needs a joint vocabulary. Where D is not E, a linear layer comes between.
        source_dropout: Rate of the source's vectors.
        target_dropout: Rate of the target's vectors.
        output_dropout: Rate of the hidden states.
        label_smoothing: Share of the probability that training wants spread over all tokens (Szegedy et al. 2016).

    Returns:
        An uncompiled model from ``source`` (B, S), ``previous`` (B, T) and ``targets`` (B, T) to the targets' negative
        log-likelihoods (B, T), 0 where there is padding.

    Raises:
        ConfigError: If ``three_way`` is asked for with two vocabularies.
    """
    if tied == "three_way" and not spec.joint:
        raise ConfigError(
            "tied='three_way' needs one vocabulary for both languages: pass joint=True, or tied='two_way'"
        )
    target_embed = _embedding(spec.target_vocab_size, embedding_dim, "target_embedding")
    source_embed = (
        target_embed if tied == "three_way" else _embedding(spec.source_vocab_size, embedding_dim, "source_embedding")
    )
    project = keras.layers.Dense(embedding_dim, name="projection")
    head = TokenSoftmax(spec.target_vocab_size, embedding=None if tied == "none" else target_embed, name="softmax")
    enter, begin, leave = (
        Dropout(rate, name=f"{place}_dropout")
        for place, rate in (("source", source_dropout), ("target", target_dropout), ("output", output_dropout))
    )

    def read(source: Any) -> tuple[Memory, State]:
        return encode(enter(source_embed(source)), real(source))

    def write(previous: Any, memory: Memory, states: State) -> tuple[Any, Any, State]:
        hidden, weights, states = decode(begin(target_embed(previous)), memory, states)
        if tied != "none" and hidden.shape[-1] != embedding_dim:
            hidden = project(hidden)
        return leave(hidden), weights, states

    source, previous, targets = (
        keras.Input((None,), dtype="int32", name=part) for part in ("source", "previous", "targets")
    )
    memory, states = read(source)
    hidden, _, _ = write(previous, memory, states)
    nll = ops.where(real(targets), head(hidden, targets), 0.0)
    model = keras.Model({"source": source, "previous": previous, "targets": targets}, nll, name=name)
    model.stepper = TranslationStepper(model, read, write, head, states, memory, label_smoothing)
    return model


def _embedding(vocab_size: int, size: int, name: str) -> keras.layers.Embedding:
    """Begins with numbers ten times as large as Keras', with which encoders, above all deep ones, hardly tell tokens apart."""
    return keras.layers.Embedding(
        vocab_size, size, embeddings_initializer=keras.initializers.RandomUniform(-0.5, 0.5), name=name
    )


def real(tokens: Any) -> Any:
    """``(B, T)`` True up to the first end of sentence in tokens ``(B, T)``, and there; all that follows is padding."""
    ends = ops.cast(ops.equal(tokens, 0), "int32")
    return ops.equal(ops.cumsum(ends, axis=1), ends)


class BidirectionalEncoder:
    """Stacked recurrent layers, each forwards and backwards side by side; each call has the same weights.

    Args:
        make: From ``name`` and ``go_backwards`` to a recurrent layer that returns sequences and states.
        num_layers: Pairs of layers.
        dropout: Rate between them.
        name: Prefix of the layers' names.
    """

    def __init__(self, make: Callable[..., keras.layers.Layer], *, num_layers: int, dropout: float, name: str) -> None:
        self._pairs = [
            (make(name=f"{name}_forward_{i}"), make(name=f"{name}_backward_{i}", go_backwards=True))
            for i in range(num_layers)
        ]
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Any, mask: Any) -> tuple[Any, State]:
        """From ``(B, S, F)`` to ``(B, S, 2 U)``, and the last layer's states at the sentence's beginning, read backwards."""
        first: State = []
        for i, (forward, backward) in enumerate(self._pairs):
            x = self._dropouts[i - 1](x) if i else x
            forth, *_ = forward(x, mask=mask)
            back, *first = backward(x, mask=mask)
            x = ops.concatenate([forth, ops.flip(back, axis=1)], axis=-1)
        return x, first


class MaskedStack:
    """Stacked recurrent layers with dropout between them, which pass by the padding; each call has the same weights.

    Args:
        cell: Name of the cell.
        units: U, size of each hidden state.
        num_layers: Recurrent layers.
        dropout: Rate between them.
        name: Prefix of the layers' names.
        backwards: Whether the sentence is read from its end.
    """

    def __init__(
        self, *, cell: MaskedCell, units: int, num_layers: int, dropout: float, name: str, backwards: bool = False
    ) -> None:
        self._layers = [
            recurrent(
                cell, units, name=f"{name}_{i}", return_sequences=True, return_state=True, go_backwards=backwards
            )
            for i in range(num_layers)
        ]  # fmt: skip
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Any, mask: Any) -> tuple[Any, list[State]]:
        """From ``(B, S, F)`` to ``(B, S, U)``, in the order of the sentence, and each layer's final states."""
        final = []
        for i, layer in enumerate(self._layers):
            x, *state = layer(self._dropouts[i - 1](x) if i else x, mask=mask)
            x = ops.flip(x, axis=1) if layer.go_backwards else x
            final.append(state)
        return x, final


def climbed(x: Any, layers: Sequence[Callable], dropouts: Sequence[Callable], mask: Any) -> Any:
    """``(B, S, U)`` through encoders' layers, which from the second on are added to what they read."""
    for i, (layer, drop) in enumerate(zip(layers, dropouts, strict=True)):
        y, *_ = layer(drop(x), mask=mask)
        x = x + y if i else y
    return x


class DeepDecoder:
    """Stacked recurrent layers, the first of which attends for all others; each call has the same weights.

    The others read the context beside what is below them; from the third on, they are added to it.

    Args:
        make: From ``name`` to a recurrent layer that returns sequences and states.
        attention: A built one.
        num_layers: Recurrent layers.
        dropout: Rate between them.
    """

    def __init__(
        self, make: Callable[..., keras.layers.Layer], attention: keras.layers.Layer, *, num_layers: int, dropout: float
    ) -> None:
        self._attention = attention
        self._layers = [make(name=f"decoder_{i}") for i in range(num_layers)]
        self._dropouts = [Dropout(dropout, name=f"decoder_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, vectors: Any, memory: Memory, states: list[State]) -> tuple[Any, Any, Any, list[State]]:
        """Outputs ``(B, T, U)``, contexts ``(B, T, M)``, the attention's weights ``(B, T, S)`` and each layer's states."""
        x, *state = self._layers[0](vectors, initial_state=states[0])
        contexts, weights = self._attention(x, memory.values, mask=memory.mask, keys=memory.keys)
        after = [state]
        for i, (layer, drop) in enumerate(zip(self._layers[1:], self._dropouts, strict=True), start=1):
            y, *state = layer(drop(ops.concatenate([x, contexts], axis=-1)), initial_state=states[i])
            x = x + y if i > 1 else y
            after.append(state)
        return x, contexts, weights, after


class TranslationStepper:
    """The face of a translation model that encodes a source once and writes token by token, over the same weights.

    Each number of rows and positions is compiled once.

    Args:
        network: The model.
        read: From ``source`` (B, S) to memory and states.
        write: From ``previous`` (B, T), memory and states to hidden states, weights and states.
        head: Predicts tokens from hidden states.
        states: The model's own, for their structure.
        memory: The model's own, for its structure.
        label_smoothing: Of training.
    """

    def __init__(
        self, network: keras.Model, read: Callable, write: Callable, head: TokenSoftmax, states: State, memory: Memory,
        label_smoothing: float,
    ) -> None:  # fmt: skip
        self.network = network
        self.read = read
        self.write = write
        self.head = head
        self.states = states
        self._memory = memory
        self._label_smoothing = label_smoothing
        self._programs = Programs(network)

    @property
    def attends(self) -> bool:
        """Whether there is an attention over the source."""
        return self._memory.values is not None

    @property
    def memory_size(self) -> int:
        """How many tensors the memory has."""
        return len(self._memory.tensors)

    def memory_of(self, tensors: list[Any]) -> Memory:
        """The memory whose :attr:`Memory.tensors` these are."""
        parts = iter(tensors)
        return self._memory.of(lambda _: next(parts))

    def start_from(self, counts: np.ndarray) -> None:
        """Let an untrained model begin with the tokens' frequencies; see :meth:`lstmzoo.layers.TokenSoftmax.start_from`."""
        self.head.start_from(counts)

    def trainer(self) -> "PairTrainer":
        """The face that is trained."""
        return PairTrainer(self, self._label_smoothing)

    def score(
        self, source: np.ndarray, previous: np.ndarray, targets: np.ndarray, *, calls: float = math.inf
    ) -> np.ndarray:
        """Negative log-likelihoods ``(B, T)`` of the targets, 0 where there is padding; in nats.

        Args:
            source: ``(B, S)``.
            previous: ``(B, T)``, the token before each target.
            targets: ``(B, T)``.
            calls: How often it will be called so: XLA compiles it where that pays.
        """
        given = {"source": source, "previous": previous, "targets": targets}
        answer = self._programs.run(
            ("score", source.shape, targets.shape), lambda inputs: {"nll": self.network(inputs)}, given, calls
        )
        return answer["nll"]

    def align(self, source: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """``(B, T, S)`` what of the source is looked at for the token after each of ``previous`` (B, T)."""

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            return {"weights": self.write(inputs["previous"], *self.read(inputs["source"]))[1]}

        given = {"source": source, "previous": previous}
        return self._programs.run(("align", source.shape, previous.shape), run, given, 1)["weights"]

    def encode(self, source: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Memory and state, as lists of arrays ``(B, ...)``, of sources ``(B, S)``."""

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            memory, states = self.read(inputs["source"])
            return {**named(memory.tensors, "memory"), **named(states)}

        answer = self._programs.run(("encode", source.shape), run, {"source": source}, 1)
        return unnamed(answer, "memory"), unnamed(answer)

    def step(
        self, tokens: np.ndarray, state: list[np.ndarray], memory: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One token on: a cost that does not depend on what came before.

        Args:
            tokens: ``(B,)`` the last ones; 0 at the beginning.
            state: From :meth:`encode` or the last step.
            memory: From :meth:`encode`.

        Returns:
            Log-probabilities ``(B, V)`` of the tokens to come, and the state.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            states = keras.tree.pack_sequence_as(self.states, unnamed(inputs))
            known = self.memory_of(unnamed(inputs, "memory"))
            hidden, _, states = self.write(ops.expand_dims(inputs["tokens"], 1), known, states)
            return {"log_probs": self.head.log_probs(hidden[:, 0]), **named(states)}

        given = {"tokens": tokens, **named(state), **named(memory, "memory")}
        key = ("step", len(tokens), *(array.shape[1] for array in memory))
        answer = self._programs.run(key, run, given, 1)
        return answer["log_probs"], unnamed(answer)


class PairTrainer(NetworkTrainer):
    """A translation model that is trained: its outputs (B, T) have the mean loss of the batch's tokens as their mean.

    Args:
        stepper: Of the model.
        label_smoothing: Share of the wanted probability that is spread over all tokens.
    """

    def __init__(self, stepper: TranslationStepper, label_smoothing: float) -> None:
        super().__init__(name=f"{stepper.network.name}_trainer")
        self.network = stepper.network
        self._stepper = stepper
        self._label_smoothing = label_smoothing

    def run(self, inputs: dict[str, Any]) -> Any:
        """The losses of the tokens; 0 where there is padding."""
        stepper, targets = self._stepper, inputs["targets"]
        hidden, _, _ = stepper.write(inputs["previous"], *stepper.read(inputs["source"]))
        loss = stepper.head(hidden, targets, smoothing=self._label_smoothing)
        counted = ops.cast(real(targets), loss.dtype)
        return loss * counted / ops.mean(counted)


class AttentionKeys(keras.layers.Layer):
    """What an attention compares its queries to, computed once for a source.

    Args:
        attention: A built one.
    """

    def __init__(self, attention: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.supports_masking = True

    def call(self, memory: Any) -> Any:
        return self.attention.project(memory)

    def compute_mask(self, memory: Any, previous_mask: Any) -> None:
        """None: decoders are given the mask by itself."""
