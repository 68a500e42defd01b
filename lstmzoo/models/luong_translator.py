"""A stacked decoder whose output attends to the source: global and local attention, with input feeding."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import keras
from keras import ops
from pydantic import Field

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, GatedCell, MaskedStack, Rate, RecurrentStack
from lstmzoo.layers import Attention, InputFeedingRNN, LocalAttention
from lstmzoo.models._translation import AttentionKeys, Memory, Tied, translation_model
from lstmzoo.registry import register_model
from lstmzoo.spec import TranslationSpec


@register_model
def luong_translator(
    spec: TranslationSpec, *, cell: GatedCell, units: Count, num_layers: Count, embedding_dim: Count,
    score: Literal["dot", "general", "concat"], local_window: Annotated[int, Field(ge=0)], input_feeding: bool,
    dropout: Rate, label_smoothing: Rate, tied: Tied,
) -> keras.Model:  # fmt: skip
    """A decoder that attends after it has read a token. Tokens are predicted from state and context.

    The encoder's final states start the decoder. Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        score: How states are compared: ``dot``, ``general`` or ``concat``.
        local_window: Number of positions to attend to on either side of a predicted one (local-p); 0 attends to all positions.
        input_feeding: Whether the decoder reads its last output with the next token. It is better and slower, because training
            then computes one step after the other.
        dropout: Rate of the inputs of each layer and of the softmax; with input feeding, not between the decoder's layers.

    References:
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
    """
    encoder = MaskedStack(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder")
    look: dict[str, Any] = {"score": score, "units": units, "name": "attention"}
    attention = LocalAttention(window=local_window, **look) if local_window else Attention(**look)
    keys = AttentionKeys(attention, units, units)
    options: dict[str, Any] = {"cell": cell, "units": units, "num_layers": num_layers, "name": "decoder"}
    decode = _feeding(attention, options) if input_feeding else _plain(attention, dropout, options)

    def encode(vectors: Tensor, mask: Tensor) -> tuple[Memory, State]:
        values, states = encoder(vectors, mask)
        first = [*keras.tree.flatten(states), ops.zeros_like(values[:, 0])] if input_feeding else states
        return Memory(values, keys(values), mask), first

    return translation_model(
        spec, encode, decode, name="luong_translator", embedding_dim=embedding_dim, tied=tied,
        embedding_dropout=dropout, output_dropout=dropout, label_smoothing=label_smoothing,
    )  # fmt: skip


def _feeding(attention: Attention, options: dict[str, Any]) -> Callable:
    """Return a function that decodes in one loop; the last of its states is the last output."""
    rnn = InputFeedingRNN(attention=attention, **options)

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        hidden, _, weights, *states = rnn(
            vectors, memory.values, mask=memory.mask, initial_state=states, keys=memory.keys
        )
        return hidden, weights, states

    return decode


def _plain(attention: Attention, dropout: float, options: dict[str, Any]) -> Callable:
    """Return a function that decodes layer after layer, and attends from all steps at once."""
    stack = RecurrentStack(dropout=dropout, **options)
    combine = keras.layers.Dense(options["units"], use_bias=False, activation="tanh", name="combine")

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        hidden, states = stack(vectors, states)
        contexts, weights = attention(hidden, memory.values, mask=memory.mask, keys=memory.keys)
        return combine(ops.concatenate([contexts, hidden], axis=-1)), weights, states

    return decode
