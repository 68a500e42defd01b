"""A decoder whose recurrence includes an attention to a bidirectional encoder."""

from functools import partial
from typing import Literal

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import BidirectionalEncoder, Count, GatedCell, Rate, recurrent
from lstmzoo.layers import Attention, AttentiveRNN, ConditionalRNN, Dropout
from lstmzoo.models._translation import AttentionKeys, Memory, Tied, translation_model
from lstmzoo.registry import register_model
from lstmzoo.spec import TranslationSpec

_DECODERS = {"attentive": AttentiveRNN, "conditional": ConditionalRNN}


@register_model
def attentive_translator(
    spec: TranslationSpec, *, cell: GatedCell, decoder: Literal["attentive", "conditional"], units: Count,
    encoder_layers: Count, embedding_dim: Count, embedding_dropout: Rate, encoder_dropout: Rate, output_dropout: Rate,
    label_smoothing: Rate, tied: Tied,
) -> keras.Model:  # fmt: skip
    """A decoder whose last state chooses what to read of the source for the next state: additive attention.

    The decoder begins with the encoder's backward state at the beginning of the source. Tokens are predicted from the state, the
    context and the last token. Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        decoder: ``attentive``, as by Bahdanau: the last state attends, and then the cell reads token and context;
            ``conditional``: one cell reads the token, its state attends, and another cell reads the context.
        encoder_layers: Number of bidirectional layers.
        embedding_dropout: Rate of the embeddings of source and target.
        encoder_dropout: Rate of the encoder's outputs, and between its layers.
        output_dropout: Rate of the softmax's inputs.

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
        Sennrich et al., "Nematus: a Toolkit for Neural Machine Translation", EACL 2017 (the conditional decoder).
    """
    encoder = BidirectionalEncoder(
        partial(recurrent, cell, units, return_sequences=True, return_state=True),
        num_layers=encoder_layers, dropout=encoder_dropout, name="encoder",
    )  # fmt: skip
    leave = Dropout(encoder_dropout, name="memory_dropout")
    attention = Attention(score="additive", units=units, name="attention")
    keys = AttentionKeys(attention, units, 2 * units)
    rnn = _DECODERS[decoder](units, cell=cell, attention=attention, name="decoder")
    bridges = [keras.layers.Dense(units, activation="tanh", name=f"bridge_{i}") for i in range(rnn.state_count())]
    readout = keras.layers.Dense(embedding_dim, activation="tanh", name="readout")

    def encode(vectors: Tensor, mask: Tensor) -> tuple[Memory, State]:
        values, first = encoder(vectors, mask)
        values = leave(values)
        return Memory(values, keys(values), mask), [bridge(first[0]) for bridge in bridges]

    def decode(vectors: Tensor, memory: Memory, states: State) -> tuple[Tensor, Tensor, State]:
        hidden, contexts, weights, *states = rnn(
            vectors, memory.values, mask=memory.mask, initial_state=states, keys=memory.keys
        )
        return readout(ops.concatenate([hidden, contexts, vectors], axis=-1)), weights, states

    return translation_model(
        spec, encode, decode, name="attentive_translator", embedding_dim=embedding_dim, tied=tied,
        embedding_dropout=embedding_dropout, output_dropout=output_dropout, label_smoothing=label_smoothing,
    )  # fmt: skip
