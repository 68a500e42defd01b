"""Layer-normalized LSTMs with an attention of several heads: RNMT+."""

from functools import partial

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import BidirectionalEncoder, Count, Rate, residual_encoder
from lstmzoo.layers import Attention, Dropout, LayerNormLSTM
from lstmzoo.models._translation import AttentionKeys, DeepDecoder, Memory, Tied, translation_model
from lstmzoo.registry import register_model
from lstmzoo.spec import TranslationSpec


@register_model
def rnmt_translator(
    spec: TranslationSpec, *, units: Count, encoder_layers: Count, decoder_layers: Count, heads: Count, embedding_dim: Count,
    dropout: Rate, label_smoothing: Rate, tied: Tied,
) -> keras.Model:  # fmt: skip
    """An encoder of bidirectional layers, and a decoder whose first layer attends, with several heads, for all others.

    The other layers of the decoder and the softmax read the context. From the third on, layers have residual connections.
    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        encoder_layers: Number of bidirectional layers.
        decoder_layers: Number of layers; the first attends.
        heads: Number of heads of the attention, a divisor of the units.

    Raises:
        ConfigError: If ``heads`` does not divide ``units``.

    References:
        Chen et al., "The Best of Both Worlds: Combining Recent Advances in Neural Machine Translation", ACL 2018, section 4.
    """
    make = partial(LayerNormLSTM, units, return_sequences=True, return_state=True)
    encoder = [
        BidirectionalEncoder(make, num_layers=1, dropout=dropout, name=f"encoder_{i}") for i in range(encoder_layers)
    ]
    between = [Dropout(dropout, name=f"encoder_dropout_{i}") for i in range(1, encoder_layers)]
    narrow = keras.layers.Dense(units, name="memory")
    attention = Attention(score="additive", units=units, heads=heads, name="attention")
    keys = AttentionKeys(attention, units, units)
    decoder = DeepDecoder(make, attention, num_layers=decoder_layers, dropout=dropout)

    def encode(vectors: Tensor, mask: Tensor) -> tuple[Memory, State]:
        values = narrow(residual_encoder(encoder[0](vectors, mask)[0], encoder[1:], between, mask))
        start = ops.zeros_like(values[:, 0])
        return Memory(values, keys(values), mask), [[start, start] for _ in range(decoder_layers)]

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        x, contexts, weights, states = decoder(vectors, memory, states)
        return ops.concatenate([x, contexts], axis=-1), weights, states

    return translation_model(
        spec, encode, decode, name="rnmt_translator", embedding_dim=embedding_dim, tied=tied,
        embedding_dropout=dropout, output_dropout=dropout, label_smoothing=label_smoothing,
    )  # fmt: skip
