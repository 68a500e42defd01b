"""The LSTM language model with many kinds of dropout: AWD-LSTM."""

from functools import partial
from typing import Annotated

import keras
from pydantic import Field

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, MaskedCell, Rate, recurrent, run_stack
from lstmzoo.layers import ActivationPenalty, EmbeddingDropout, LockedDropout, WeightDrop
from lstmzoo.models._language import SoftmaxKind, language_model
from lstmzoo.registry import register_model
from lstmzoo.spec import LanguageModellingSpec

Factor = Annotated[float, Field(ge=0)]


@register_model
def awd_language_model(
    spec: LanguageModellingSpec, *, cell: MaskedCell, units: Count, num_layers: Count,
    embedding_dim: Count, embedding_dropout: Rate, input_dropout: Rate, hidden_dropout: Rate, output_dropout: Rate,
    weight_drop: Rate, activation_penalty: Factor, change_penalty: Factor, tied: bool, softmax: SoftmaxKind,
) -> keras.Model:  # fmt: skip
    """Stacked recurrent layers with dropped recurrent weights, locked dropout, and dropout of whole words.

    The last layer has the embedding's size, so that weights can be tied. Inputs, outputs, sizes and other arguments are those of
    :mod:`lstmzoo.models`.

    Args:
        units: Size of each hidden state except the last layer's.
        embedding_dim: E, and the size of the last layer's hidden state.
        embedding_dropout: Share of the vocabulary whose words are dropped in a batch.
        input_dropout: Rate of the first layer's input, locked over time.
        hidden_dropout: Rate between layers, locked over time.
        output_dropout: Rate of the last layer's output, locked over time.
        weight_drop: Share of the recurrent weights that are dropped.
        activation_penalty: Factor of the mean square of the last layer's output (AR).
        change_penalty: Factor of the mean square change of the last layer's output from step to step (TAR).

    References:
        Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018.
    """
    sizes = [units] * (num_layers - 1) + [embedding_dim]
    make = partial(recurrent, cell, return_sequences=True, return_state=True)
    layers = [
        WeightDrop(make(size, name=f"rnn_{i}"), weight_drop, name=f"weight_drop_{i}") for i, size in enumerate(sizes)
    ]
    words = EmbeddingDropout(embedding_dropout, name="embedding_dropout")
    enter, leave = (
        LockedDropout(rate, name=f"{place}_dropout")
        for place, rate in (("input", input_dropout), ("output", output_dropout))
    )
    between = [LockedDropout(hidden_dropout, name=f"hidden_dropout_{i}") for i in range(1, num_layers)]
    penalty = ActivationPenalty(activation_penalty, change_penalty, name="activation_penalty")

    def read(vectors: Tensor, tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        hidden, states = run_stack(layers, between, enter(words(vectors, tokens)), states)
        return penalty(hidden, leave(hidden)), states

    return language_model(
        spec, read, name="awd_language_model", embedding_dim=embedding_dim, tied=tied, softmax=softmax
    )
