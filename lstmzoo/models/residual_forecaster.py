"""Residual blocks of recurrent layers, direct multi-step head."""

from typing import Any

import keras
from keras import ops

from lstmzoo.layers import Dropout
from lstmzoo.models._base import (
    Cell,
    Count,
    DirectHead,
    ForecasterInputs,
    Rate,
    State,
    forecaster,
    output_size,
    recurrent,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def residual_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, expansion: Count
) -> keras.Model:
    """Blocks of a normalized recurrent layer and a normalized feed-forward layer, each added to what it reads.

    The form in which recurrent layers are stacked deep, and in which those whose gates do not see the last output (minimal
    LSTM and GRU, mLSTM) get from layer to layer what they lack from step to step.

    Sizes as in :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training data.
        cell: Name of the recurrent cell.
        units: Width of the blocks, and size of each hidden state.
        num_layers: Blocks.
        dropout: Rate at each block's two outputs, and before the head.
        expansion: Width of the feed-forward layers, as a multiple of the units.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q).

    References:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024.
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024.
    """
    projection = keras.layers.Dense(units, name="projection")
    blocks = [_Block(cell, units, dropout, expansion, name=f"block_{i}") for i in range(num_layers)]
    norm = keras.layers.LayerNormalization(name="norm")
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State) -> tuple[Any, State]:
        x, final = projection(inputs.window), []
        for i, block in enumerate(blocks):
            x, state = block(x, None if states is None else states[i])
            final.append(state)
        return norm(x[:, -1]), final

    def decode(inputs: ForecasterInputs, last: Any, states: State) -> Any:
        return head(last, inputs.future)

    return forecaster(spec, encode, decode, name="residual_forecaster", streaming=True)


class _Block:
    """``x + rnn(norm(x))``, then ``x + feed_forward(norm(x))``; called several times, the weights are the same."""

    def __init__(self, cell: Cell, units: int, dropout: float, expansion: int, name: str) -> None:
        self._norms = [keras.layers.LayerNormalization(name=f"{name}_norm_{i}") for i in range(2)]
        self._rnn = recurrent(cell, units, name=f"{name}_rnn", return_sequences=True, return_state=True)
        self._wide = keras.layers.Dense(expansion * units, name=f"{name}_wide")
        self._narrow = keras.layers.Dense(units, name=f"{name}_narrow")
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(2)]

    def __call__(self, x: Any, state: State) -> tuple[Any, State]:
        y, *state = self._rnn(self._norms[0](x), initial_state=state)
        x = x + self._dropouts[0](y)
        wide = ops.gelu(self._wide(self._norms[1](x)), approximate=True)  # the exact one cannot be said in ONNX
        return x + self._dropouts[1](self._narrow(wide)), state
