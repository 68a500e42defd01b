"""Stacked recurrent layers that predict the next token."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, RecurrentStack
from lstmzoo.layers import Dropout
from lstmzoo.models._language import SoftmaxKind, language_model
from lstmzoo.registry import register_model
from lstmzoo.spec import LanguageModellingSpec


@register_model
def recurrent_language_model(
    spec: LanguageModellingSpec, *, cell: Cell, units: Count, num_layers: Count, embedding_dim: Count, dropout: Rate,
    tied: bool, softmax: SoftmaxKind,
) -> keras.Model:  # fmt: skip
    """Stacked recurrent layers between an embedding and a softmax.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    References:
        Mikolov et al., "Recurrent neural network based language model", Interspeech 2010.
        Zaremba, Sutskever & Vinyals, "Recurrent Neural Network Regularization", arXiv:1409.2329, 2014.
        Press & Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.
    """
    stack = RecurrentStack(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="rnn")
    enter, leave = (Dropout(dropout, name=f"{place}_dropout") for place in ("input", "output"))

    def read(vectors: Tensor, tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        hidden, states = stack(enter(vectors), states)
        return leave(hidden), states

    return language_model(
        spec, read, name="recurrent_language_model", embedding_dim=embedding_dim, tied=tied, softmax=softmax
    )
