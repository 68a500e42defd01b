"""Stacked recurrent layers with attention over the last few steps."""

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, RecurrentStack
from lstmzoo.layers import Dropout, WindowAttention
from lstmzoo.models._language import SoftmaxKind, language_model
from lstmzoo.registry import register_model
from lstmzoo.spec import LanguageModellingSpec


@register_model
def attention_language_model(
    spec: LanguageModellingSpec, *, cell: Cell, units: Count, num_layers: Count, window: Count, embedding_dim: Count,
    dropout: Rate, tied: bool, softmax: SoftmaxKind,
) -> keras.Model:  # fmt: skip
    """Stacked recurrent layers, and a causal attention to their last ``window`` outputs.

    The keys and values of these outputs are part of the state, so the cost of a token does not depend on the length of the text.
    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        units: Size of each hidden state, and of the attention's queries, keys and values.
        window: W, how many steps back the attention reaches.

    References:
        Daniluk et al., "Frustratingly Short Attention Spans in Neural Language Modeling", ICLR 2017.
        Merity, "Single Headed Attention RNN: Stop Thinking With Your Head", arXiv:1911.11423, 2019.
    """
    stack = RecurrentStack(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="rnn")
    attention = WindowAttention(units, window, return_sequences=True, return_state=True, name="attention")
    combine = keras.layers.Dense(units, activation="tanh", name="combine")
    enter, leave = (Dropout(dropout, name=f"{place}_dropout") for place in ("input", "output"))

    def read(vectors: Tensor, tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        below, above = (None, None) if states is None else states
        hidden, below = stack(enter(vectors), below)
        found, *above = attention(hidden, initial_state=above)
        return leave(combine(ops.concatenate([hidden, found], axis=-1))), [below, above]

    return language_model(
        spec, read, name="attention_language_model", embedding_dim=embedding_dim, tied=tied, softmax=softmax
    )
