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

    Inputs, outputs and sizes are those of :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training text.
        cell: Name of the recurrent cell.
        units: Size of each hidden state.
        num_layers: Number of recurrent layers.
        embedding_dim: E.
        dropout: Rate of the inputs of each layer and of the softmax.
        tied: Whether the embedding and the softmax share a matrix.
        softmax: ``full``, or ``adaptive`` if the vocabulary is large enough for it to pay.

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
