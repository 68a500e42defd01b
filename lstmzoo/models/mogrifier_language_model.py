"""Stacked LSTMs whose input and state gate each other before each step."""

from typing import Annotated

import keras
from pydantic import Field

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, Rate, run_stack
from lstmzoo.layers import LockedDropout, MogrifierLSTM
from lstmzoo.models._language import SoftmaxKind, language_model
from lstmzoo.registry import register_model
from lstmzoo.spec import LanguageModellingSpec

Rank = Annotated[int, Field(ge=0)]


@register_model
def mogrifier_language_model(
    spec: LanguageModellingSpec, *, units: Count, num_layers: Count, rounds: Count, rank: Rank, embedding_dim: Count,
    dropout: Rate, tied: bool, softmax: SoftmaxKind,
) -> keras.Model:  # fmt: skip
    """Stacked mogrifier LSTMs between an embedding and a softmax, with one dropout mask for all steps.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        rounds: Number of rounds in which input and state gate each other in turn.
        rank: Rank of the gates' matrices; 0 for full rank.

    References:
        Melis, Kočiský & Blunsom, "Mogrifier LSTM", ICLR 2020.
    """
    layers = [
        MogrifierLSTM(units, rounds, rank, name=f"rnn_{i}", return_sequences=True, return_state=True)
        for i in range(num_layers)
    ]
    enter, *between, leave = (LockedDropout(dropout, name=f"dropout_{i}") for i in range(num_layers + 1))

    def read(vectors: Tensor, tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        hidden, states = run_stack(layers, between, enter(vectors), states)
        return leave(hidden), states

    return language_model(
        spec, read, name="mogrifier_language_model", embedding_dim=embedding_dim, tied=tied, softmax=softmax
    )
