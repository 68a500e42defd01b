"""Deep stacks with residual connections, and one attention: GNMT."""

from functools import partial
from typing import Annotated

import keras
from keras import ops
from pydantic import Field

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import BidirectionalEncoder, Count, GatedCell, Rate, recurrent, residual_encoder
from lstmzoo.layers import Attention, Dropout
from lstmzoo.models._translation import AttentionKeys, DeepDecoder, Memory, Tied, translation_model
from lstmzoo.registry import register_model
from lstmzoo.spec import TranslationSpec


@register_model
def deep_translator(
    spec: TranslationSpec, *, cell: GatedCell, units: Count, encoder_layers: Count,
    decoder_layers: Annotated[int, Field(ge=2)], embedding_dim: Count, dropout: Rate, label_smoothing: Rate, tied: Tied,
) -> keras.Model:  # fmt: skip
    """A bidirectional layer below a residual stack, and a decoder whose first layer attends for all others.

    From the second on, the decoder's layers read the context and the output of the layer below. From the third on, layers of
    encoder and decoder have residual connections. The attention does not depend on the upper layers, so training takes all steps
    of a layer at once. Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        encoder_layers: Number of layers; the first is bidirectional.
        decoder_layers: Number of layers, at least 2; the first attends.

    References:
        Wu et al., "Google's Neural Machine Translation System: Bridging the Gap between Human and Machine Translation",
        arXiv:1609.08144, 2016. There, the first layer's output of the last step attends.
    """
    make = partial(recurrent, cell, units, return_sequences=True, return_state=True)
    first = BidirectionalEncoder(make, num_layers=1, dropout=dropout, name="encoder_0")
    upper = [make(name=f"encoder_{i}") for i in range(1, encoder_layers)]
    between = [Dropout(dropout, name=f"encoder_dropout_{i}") for i in range(1, encoder_layers)]
    memory_units = units if encoder_layers > 1 else 2 * units
    attention = Attention(score="additive", units=units, name="attention")
    keys = AttentionKeys(attention, units, memory_units)
    decoder = DeepDecoder(make, attention, num_layers=decoder_layers, dropout=dropout)

    def encode(vectors: Tensor, mask: Tensor) -> tuple[Memory, State]:
        x = residual_encoder(first(vectors, mask)[0], upper, between, mask)
        start = ops.zeros_like(x[:, 0, :units])
        return Memory(x, keys(x), mask), [[start] * (2 if cell == "lstm" else 1) for _ in range(decoder_layers)]

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        x, _, weights, states = decoder(vectors, memory, states)
        return x, weights, states

    return translation_model(
        spec, encode, decode, name="deep_translator", embedding_dim=embedding_dim, tied=tied,
        embedding_dropout=dropout, output_dropout=dropout, label_smoothing=label_smoothing,
    )  # fmt: skip
