"""An encoder and a decoder that share nothing but a state."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, MaskedCell, MaskedStack, Rate, RecurrentStack
from lstmzoo.models._translation import Tied, translation_model
from lstmzoo.registry import register_model
from lstmzoo.spec import TranslationSpec


@register_model
def recurrent_translator(
    spec: TranslationSpec, *, cell: MaskedCell, units: Count, num_layers: Count, embedding_dim: Count, reverse_source: bool,
    dropout: Rate, label_smoothing: Rate, tied: Tied,
) -> keras.Model:  # fmt: skip
    """An encoder whose final states are all that the decoder knows of the source.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        reverse_source: Whether to read the source from its end, so that its beginning is close to the beginning of the target.

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014.
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", EMNLP 2014.
    """
    encoder = MaskedStack(
        cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder", backwards=reverse_source
    )
    decoder = RecurrentStack(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="decoder")

    def encode(vectors: Tensor, mask: Tensor) -> tuple[State, State]:
        return (), encoder(vectors, mask)[1]

    def decode(vectors: Tensor, memory: State, states: State) -> tuple[Tensor, None, State]:
        hidden, states = decoder(vectors, states)
        return hidden, None, states

    return translation_model(
        spec, encode, decode, name="recurrent_translator", embedding_dim=embedding_dim, tied=tied,
        embedding_dropout=dropout, output_dropout=dropout, label_smoothing=label_smoothing,
    )  # fmt: skip
