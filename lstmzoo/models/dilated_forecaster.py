"""Dilated LSTMs with a direct multi-step head."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, DilatedStack, DirectHead, Rate
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def dilated_forecaster(spec: ForecastingSpec, *, units: Count, num_layers: Count, dropout: Rate) -> keras.Model:
    """Stacked LSTMs whose recurrence skips 1, 2, 4, ... steps, with residual connections from the second layer on.

    This is the network of the ES-RNN without its smoothing. Layer i sees steps ``2**i`` apart, so few layers span a long window.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    References:
        Chang et al., "Dilated Recurrent Neural Networks", NeurIPS 2017.
        Smyl, "A hybrid method of exponential smoothing and recurrent neural networks for time series forecasting",
        Int. J. Forecasting 36(1), 2020.
    """
    encoder = DilatedStack(units=units, num_layers=num_layers, dropout=dropout, name="encoder")
    nonlinear = keras.layers.Dense(units, activation="tanh", name="nonlinear")
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        x, states = encoder(inputs.window, states)
        return x[:, -1], states

    def decode(inputs: ForecasterInputs, last: Tensor, states: State) -> Tensor:
        return head(nonlinear(last), inputs.future)

    return forecaster(spec, encode, decode, name="dilated_forecaster", streaming=True)
