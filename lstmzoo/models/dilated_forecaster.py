"""Dilated LSTM stack, direct multi-step head."""

from typing import Any

import keras

from lstmzoo.layers import DilatedLSTM, Dropout
from lstmzoo.models._base import (
    Count,
    DirectHead,
    ForecasterInputs,
    Rate,
    State,
    forecaster,
    output_size,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def dilated_forecaster(spec: ForecastingSpec, *, units: Count, num_layers: Count, dropout: Rate) -> keras.Model:
    """Stacked LSTMs whose recurrence skips 1, 2, 4, ... steps, each from the second on added to what it reads.

    The network of the ES-RNN, without its smoothing: layer i sees steps ``2**i`` apart, so that few layers span a long window.

    Sizes as in :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training data.
        units: Size of each hidden state.
        num_layers: Recurrent layers.
        dropout: Rate between layers and before the head.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q).

    References:
        Chang et al., "Dilated Recurrent Neural Networks", NeurIPS 2017.
        Smyl, "A hybrid method of exponential smoothing and recurrent neural networks for time series forecasting",
        Int. J. Forecasting 36(1), 2020.
    """
    options = {"return_sequences": True, "return_state": True}
    layers = [DilatedLSTM(units, dilation=2**i, name=f"encoder_{i}", **options) for i in range(num_layers)]
    dropouts = [Dropout(dropout, name=f"encoder_dropout_{i}") for i in range(1, num_layers)]
    nonlinear = keras.layers.Dense(units, activation="tanh", name="nonlinear")
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State) -> tuple[Any, State]:
        x, final = inputs.window, []
        for i, layer in enumerate(layers):
            y, *state = layer(dropouts[i - 1](x) if i else x, initial_state=None if states is None else states[i])
            x = x + y if i else y
            final.append(state)
        return x[:, -1], final

    def decode(inputs: ForecasterInputs, last: Any, states: State) -> Any:
        return head(nonlinear(last), inputs.future)

    return forecaster(spec, encode, decode, name="dilated_forecaster", streaming=True)
