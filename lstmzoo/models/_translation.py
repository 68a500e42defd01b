"""Shared by translation models: embeddings, output layer, and their faces over the same weights.

A translation model is made of two functions, ``encode`` and ``decode``. The model itself reads a source and a target sentence at
once. ``model.stepper`` encodes a source once, and then writes the target token by token, from a state. Its ``trainer`` is
trained with label smoothing.

Sizes: B batch, S source positions, T target positions, E embedding, M memory, D hidden state that tokens are predicted from, U
units, V target vocabulary.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import State, Tensor, Tensors
from lstmzoo.errors import ConfigError
from lstmzoo.layers import Attention, Dropout, TokenSoftmax
from lstmzoo.models._base import Stepper, SteppingModel
from lstmzoo.programs import NetworkTrainer
from lstmzoo.spec import TranslationSpec

Tied = Literal["none", "two_way", "three_way"]
Write = Callable[[Tensor, State, State], tuple[Tensor, State, Tensor | None]]


class Memory(NamedTuple):
    """The part of the source that a decoder attends to. Without attention, the memory is ``()``.

    Attributes:
        values: ``(B, S, M)``, a vector for each position.
        keys: The keys that the attention compares its queries to.
        mask: ``(B, S)``, False at the padding.
    """

    values: Tensor
    keys: Tensor
    mask: Tensor


def translation_model(
    spec: TranslationSpec, encode: Callable, decode: Callable, *, name: str, embedding_dim: int, tied: Tied,
    embedding_dropout: float, output_dropout: float, label_smoothing: float,
) -> keras.Model:  # fmt: skip
    """Make a model of the next target token, given the source and the tokens before.

    Args:
        spec: Sizes learned from the training sentences.
        encode: ``(vectors (B, S, E), mask (B, S)) -> (memory, states)``: a :class:`Memory`, or ``()``, and the decoder's initial
            states.
        decode: ``(vectors (B, T, E), memory, states) -> (hidden (B, T, D), weights, states)``; the weights are those of the
            attention (B, T, S), or None. Both functions are called several times, so they make no layers.
        name: Name of the model.
        embedding_dim: E.
        tied: ``none``; ``two_way``: the target's embedding and the softmax share a matrix; ``three_way``: the source's embedding
            shares it too, which needs a joint vocabulary. If D is not E, a linear layer comes between.
        embedding_dropout: Rate of the embeddings of source and target.
        output_dropout: Rate of the hidden states.
        label_smoothing: Share of the probability that training spreads over all tokens (Szegedy et al. 2016).

    Returns:
        An uncompiled model from ``source`` (B, S), ``previous`` (B, T) and ``targets`` (B, T) to the targets' negative
        log-likelihoods (B, T), 0 at the padding.

    Raises:
        ConfigError: If ``tied`` is ``three_way`` and there are two vocabularies.
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
        for place, rate in (("source", embedding_dropout), ("target", embedding_dropout), ("output", output_dropout))
    )

    def read(source: Tensor) -> tuple[State, State]:
        return encode(enter(source_embed(source)), sentence_mask(source))

    def write(previous: Tensor, states: State, memory: State) -> tuple[Tensor, State, Tensor | None]:
        hidden, weights, states = decode(begin(target_embed(previous)), memory, states)
        if tied != "none" and hidden.shape[-1] != embedding_dim:
            hidden = project(hidden)
        return leave(hidden), states, weights

    inputs = {part: keras.Input((None,), dtype="int32", name=part) for part in ("source", "previous", "targets")}
    memory, state = read(inputs["source"])
    hidden, _, _ = write(inputs["previous"], state, memory)
    nll = ops.where(sentence_mask(inputs["targets"]), head(hidden, inputs["targets"]), 0.0)
    model = SteppingModel(inputs, nll, name=name)
    model.stepper = TranslationStepper(model, read, write, head, state, memory, label_smoothing)
    return model


def _embedding(vocab_size: int, size: int, name: str) -> keras.layers.Embedding:
    """Make an embedding whose initial numbers are ten times those of Keras, with which deep encoders hardly tell tokens apart."""
    return keras.layers.Embedding(
        vocab_size, size, embeddings_initializer=keras.initializers.RandomUniform(-0.5, 0.5), name=name
    )


def sentence_mask(tokens: Tensor) -> Tensor:
    """Mask the padding of sentences ``(B, T)``: True up to the first 0, the end of a sentence, which is included.

    Examples:
        >>> ops.convert_to_numpy(sentence_mask(np.array([[5, 0, 0], [5, 6, 7]], "int32")))
        array([[ True,  True, False],
               [ True,  True,  True]])
    """
    ends = ops.cast(ops.equal(tokens, 0), "int32")
    return ops.equal(ops.cumsum(ends, axis=1), ends)


class DeepDecoder:
    """Stacked recurrent layers, the first of which attends for all others.

    The others read the context and the output of the layer below. From the third on, they have residual connections.

    Args:
        make: Makes a recurrent layer that returns sequences and states, from its name.
        attention: A built attention.
        num_layers: Number of recurrent layers.
        dropout: Rate between the layers.
    """

    def __init__(
        self, make: Callable[..., keras.layers.Layer], attention: Attention, *, num_layers: int, dropout: float
    ) -> None:
        self._attention = attention
        self._layers = [make(name=f"decoder_{i}") for i in range(num_layers)]
        self._dropouts = [Dropout(dropout, name=f"decoder_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Return outputs ``(B, T, U)``, contexts ``(B, T, M)``, attention weights ``(B, T, S)`` and each layer's states."""
        x, *state = self._layers[0](vectors, initial_state=states[0])
        contexts, weights = self._attention(x, memory.values, mask=memory.mask, keys=memory.keys)
        after = [state]
        for i, (layer, drop) in enumerate(zip(self._layers[1:], self._dropouts, strict=True), start=1):
            y, *state = layer(drop(ops.concatenate([x, contexts], axis=-1)), initial_state=states[i])
            x = x + y if i > 1 else y
            after.append(state)
        return x, contexts, weights, after


class TranslationStepper(Stepper):
    """The face of a translation model that encodes a source once and writes token by token. It also scores translations.

    ``encode`` reads ``source`` (B, S). ``step`` reads ``tokens`` (B,), which are 0 at the beginning, and returns the
    log-probabilities ``(B, V)`` of the next ones.

    Args:
        network: The model.
        read: From ``source`` (B, S) to memory and states.
        write: From ``previous`` (B, T), states and memory to hidden states, states and the attention's weights.
        head: Predicts tokens from hidden states.
        state: A state of the network, for its structure.
        memory: A memory of the network, for its structure.
        label_smoothing: Share of the wanted probability that training spreads over all tokens.
    """

    def __init__(
        self, network: keras.Model, read: Callable[[Tensor], tuple[State, State]], write: Write, head: TokenSoftmax,
        state: State, memory: State, label_smoothing: float,
    ) -> None:  # fmt: skip
        super().__init__(
            network,
            lambda inputs, _: read(inputs["source"]),
            lambda inputs, before, known: self.write_token(inputs["tokens"], before, known)[:2],
            state=state, memory=memory, sources=["source"], inputs=["tokens"],
        )  # fmt: skip
        self.read, self.write, self.head = read, write, head
        self.label_smoothing = label_smoothing

    @property
    def attends(self) -> bool:
        """Whether the decoder attends to the source."""
        return bool(keras.tree.flatten(self.memory))

    def trainer(self) -> "TranslationTrainer":
        """Make the model that is trained."""
        return TranslationTrainer(self)

    def write_token(self, tokens: Tensor, states: State, memory: State) -> tuple[Tensor, State, Tensor | None]:
        """One step on tensors, for loops that are compiled as a whole.

        Args:
            tokens: ``(B,)``.
            states: Before the tokens.
            memory: Memory of the source.

        Returns:
            Log-probabilities ``(B, V)`` of the next tokens, states, and the attention to the source, ``(B, S)`` or None.
        """
        hidden, states, weights = self.write(ops.expand_dims(tokens, 1), states, memory)
        return self.head.log_probs(hidden[:, 0]), states, None if weights is None else weights[:, 0]

    def score(
        self, source: np.ndarray, previous: np.ndarray, targets: np.ndarray, *, calls: float = math.inf
    ) -> np.ndarray:
        """Negative log-likelihoods ``(B, T)`` of the targets, in nats; 0 at the padding.

        Args:
            source: ``(B, S)``.
            previous: ``(B, T)``, the token before each target.
            targets: ``(B, T)``.
            calls: How many times such shapes will be run. XLA compiles what runs often.
        """
        given = {"source": source, "previous": previous, "targets": targets}
        return self.programs.run(("score",), lambda inputs: {"nll": self.network(inputs)}, given, calls)["nll"]

    def align(self, source: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """The attention ``(B, T, S)`` to the source when the token after each of ``previous`` (B, T) is predicted."""

        def run(inputs: Tensors) -> Tensors:
            memory, states = self.read(inputs["source"])
            return {"weights": self.write(inputs["previous"], states, memory)[2]}

        return self.programs.run(("align",), run, {"source": source, "previous": previous}, 1)["weights"]


class TranslationTrainer(NetworkTrainer):
    """A translation model in training. The mean of its outputs (B, T) is the mean loss of the batch's tokens."""

    def __init__(self, stepper: TranslationStepper) -> None:
        super().__init__(name=f"{stepper.network.name}_trainer")
        self.network = stepper.network
        self._stepper = stepper

    def run(self, inputs: Tensors) -> Tensor:
        """The losses of the tokens; 0 at the padding."""
        stepper = self._stepper
        memory, states = stepper.read(inputs["source"])
        hidden, _, _ = stepper.write(inputs["previous"], states, memory)
        loss = stepper.head(hidden, inputs["targets"], smoothing=stepper.label_smoothing)
        counted = ops.cast(sentence_mask(inputs["targets"]), loss.dtype)
        return loss * counted / ops.mean(counted)


class AttentionKeys(keras.layers.Layer):
    """The keys that an attention compares its queries to, computed once for a source.

    Args:
        attention: Is built here.
        units: Size of the queries.
        memory_units: M.
    """

    def __init__(self, attention: Attention, units: int, memory_units: int) -> None:
        super().__init__(name="attention_keys")
        attention.build((None, None, units), (None, None, memory_units))
        self.attention = attention
        self.supports_masking = True

    def call(self, memory: Tensor) -> Tensor:
        return self.attention.project(memory)

    def compute_mask(self, memory: Tensor, previous_mask: Tensor) -> None:
        """None: the memory holds the mask already."""
