"""Residual blocks of recurrent layers with a direct multi-step head."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, DirectHead, Rate, ResidualStack
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def residual_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, expansion: Count
) -> keras.Model:
    """Blocks of a normalized recurrent layer and a normalized feed-forward layer, with residual connections.

    Residual blocks allow deep stacks. Layers whose gates do not see the last output (minimal LSTM and GRU, mLSTM) need depth.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        units: Width of the blocks, and size of each hidden state.
        num_layers: Number of blocks.
        dropout: Rate at each block's two outputs, and before the head.
        expansion: Width of the feed-forward layers, as a multiple of the units.

    References:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024.
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024.
    """
    projection = keras.layers.Dense(units, name="projection")
    stack = ResidualStack(
        cell=cell, units=units, num_layers=num_layers, dropout=dropout, expansion=expansion, return_sequences=False
    )
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        return stack(projection(inputs.window), states)

    def decode(inputs: ForecasterInputs, last: Tensor, states: State) -> Tensor:
        return head(last, inputs.future)

    return forecaster(spec, encode, decode, name="residual_forecaster", streaming=True)
