"""Exponential smoothing and a recurrent network, trained together."""

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, DilatedStack, DirectHead, Rate
from lstmzoo.layers import DISTRIBUTIONS, ExponentialSmoothing
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def es_rnn_forecaster(spec: ForecastingSpec, *, units: Count, num_layers: Count, dropout: Rate) -> keras.Model:
    """ES-RNN: exponential smoothing, corrected by a recurrent network; both are trained together.

    Each series has smoothing coefficients of its own. The network reads the window without its seasonality and its last level.
    It forecasts the deviation from that level plus the continued seasonality. Its LSTM layers look 1, 2, 4, ... steps back, with
    residual connections from the second layer on. Smoothing is additive; after ``transform: log`` it is the paper's
    multiplicative smoothing. The reference forecasts are inputs, relative to the smoothed forecast. Unlike in other forecasters,
    the network does not correct their mean.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Returns:
        An uncompiled model from ``window`` (B, T, F), ``future`` (B, H, R + K) and ``series`` (B,), the series' number, to
        forecasts (B, H, Q). The layer ``smoothing`` returns levels (B, T), seasonality (B, T) and future seasonality (B, H).

    References:
        Smyl, "A hybrid method of exponential smoothing and recurrent neural networks for time series forecasting",
        Int. J. Forecasting 36(1), 2020.
    """
    sizes = {"horizon": spec.horizon, "season_length": spec.season_length, "num_series": spec.num_series}
    smoothing = ExponentialSmoothing(**sizes, name="smoothing")
    encoder = DilatedStack(units=units, num_layers=num_layers, dropout=dropout, name="encoder")
    nonlinear = keras.layers.Dense(units, activation="tanh", name="nonlinear")
    head = DirectHead(spec.horizon, spec.num_outputs, dropout)
    index = spec.median_index if spec.distribution == "quantiles" else DISTRIBUTIONS[spec.distribution].location
    location = np.eye(spec.num_outputs, dtype="float32")[index]  # (Q,)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        values = inputs.window[..., 0]
        level, season, ahead = smoothing(values, inputs.series)
        rest = ops.expand_dims(values - season - level[:, -1:], -1)
        x, _ = encoder(ops.concatenate([rest, inputs.window[..., 1:]], axis=-1))
        return (x[:, -1], ops.expand_dims(level[:, -1:] + ahead, -1)), states

    def decode(inputs: ForecasterInputs, memory: Tensor, states: State) -> Tensor:
        last, smoothed = memory  # (B, U), (B, H, 1)
        references, known = inputs.future[..., : spec.num_references], inputs.future[..., spec.num_references :]
        relative = ops.concatenate([references - smoothed, known], axis=-1)
        correction = head(nonlinear(last), relative)
        raw = correction + (smoothed - ops.mean(references, axis=-1, keepdims=True)) * location
        # All references have the same weight.
        return ops.pad(raw, [[0, 0], [0, 0], [0, output_size(spec) - spec.num_outputs]])

    return forecaster(spec, encode, decode, name="es_rnn_forecaster", streaming=False, with_series=True)
