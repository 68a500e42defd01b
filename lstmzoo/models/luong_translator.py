"""A stacked decoder whose output looks at the source: global and local attention, with input feeding."""

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
    """The decoder's state attends after it has read a token; tokens are predicted from state and context.

    The encoder's final states start the decoder. Sizes as in :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training sentences.
        cell: Name of the recurrent cell.
        units: Size of each hidden state.
        num_layers: Recurrent layers of the encoder, and of the decoder.
        embedding_dim: E.
        score: How states are compared: ``dot``, ``general`` or ``concat``.
        local_window: Positions on either side of the place that is predicted to be looked at (local-p); 0 looks at all of them.
        input_feeding: Whether what a token was predicted from is read with the next one: better, and slower, for the steps of
            training are then one after the other.
        dropout: Rate of what each layer, and the softmax, reads; with input feeding not between the decoder's layers.
        label_smoothing: Share of the probability that training wants spread over all tokens.
        tied: Which of source's embedding, target's embedding and softmax share a matrix: ``none``, ``two_way``, ``three_way``.

    Returns:
        An uncompiled model from ``source`` (B, S), ``previous`` and ``targets`` (B, T) to negative log-likelihoods (B, T).

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
        spec, encode, decode, name="luong_translator", embedding_dim=embedding_dim, tied=tied, source_dropout=dropout,
        target_dropout=dropout, output_dropout=dropout, label_smoothing=label_smoothing,
    )  # fmt: skip


def _feeding(attention: Attention, options: dict[str, Any]) -> Callable:
    """Decode in one loop; the last of the states is what the last token was predicted from."""
    rnn = InputFeedingRNN(attention=attention, **options)

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        hidden, _, weights, *states = rnn(
            vectors, memory.values, mask=memory.mask, initial_state=states, keys=memory.keys
        )
        return hidden, weights, states

    return decode


def _plain(attention: Attention, dropout: float, options: dict[str, Any]) -> Callable:
    """Decode layer after layer, and attend from all steps at once."""
    stack = RecurrentStack(dropout=dropout, **options)
    combine = keras.layers.Dense(options["units"], use_bias=False, activation="tanh", name="combine")

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        hidden, states = stack(vectors, states)
        contexts, weights = attention(hidden, memory.values, mask=memory.mask, keys=memory.keys)
        return combine(ops.concatenate([contexts, hidden], axis=-1)), weights, states

    return decode
