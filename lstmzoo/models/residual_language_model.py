"""Residual blocks of recurrent layers that predict the next token."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, ResidualStack
from lstmzoo.layers import Dropout
from lstmzoo.models._language import SoftmaxKind, language_model
from lstmzoo.registry import register_model
from lstmzoo.spec import LanguageModellingSpec


@register_model
def residual_language_model(
    spec: LanguageModellingSpec, *, cell: Cell, units: Count, num_layers: Count, expansion: Count, dropout: Rate,
    tied: bool, softmax: SoftmaxKind,
) -> keras.Model:  # fmt: skip
    """Blocks of a normalized recurrent layer and a normalized feed-forward layer, with residual connections.

    The embedding, the blocks and the output have the same size, E. Embeddings are multiplied by the square root of E; otherwise
    the blocks' outputs would dominate them. Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        units: E, width of the blocks, and size of each hidden state.
        num_layers: Number of blocks.
        expansion: Width of the feed-forward layers, as a multiple of the units.
        dropout: Rate of the embeddings, of each block's two outputs, and of the softmax's inputs.

    References:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024.
        Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.4.
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024.
    """
    stack = ResidualStack(cell=cell, units=units, num_layers=num_layers, dropout=dropout, expansion=expansion)
    enter, leave = (Dropout(dropout, name=f"{place}_dropout") for place in ("input", "output"))

    def read(vectors: Tensor, tokens: Tensor, states: State | None) -> tuple[Tensor, State]:
        hidden, states = stack(enter(vectors * units**0.5), states)
        return leave(hidden), states

    return language_model(spec, read, name="residual_language_model", embedding_dim=units, tied=tied, softmax=softmax)
