"""Recurrent encoder, direct multi-step head."""

import keras

from lstmzoo.models._base import (
    Cell,
    Count,
    Rate,
    forecast_head,
    forecaster_inputs,
    output_size,
    recurrent,
    small_weights,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def recurrent_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, bidirectional: bool
) -> keras.Model:
    """Stacked recurrent encoder whose last output forecasts all steps at once.

    What is known of the future (the reference forecast, the calendar) enters the head linearly, the same for every step.

    Sizes: B batch, T ``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``,
    Q ``spec.num_outputs``, U units.

    Args:
        spec: Sizes learned from the training data.
        cell: ``simple_rnn``, ``lstm`` or ``gru``.
        units: Size of each hidden state; of each direction, if there are two.
        num_layers: Recurrent layers.
        dropout: Rate between layers and before the head.
        bidirectional: Whether each layer reads the window in both directions.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + F - 1) to forecasts (B, H, Q).

    References:
        Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.
        Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
        Schuster & Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Trans. Signal Processing 45(11), 1997.
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    """
    window, future = forecaster_inputs(spec)
    x = window
    for i in range(num_layers):
        layer = recurrent(cell, units, name=f"encoder_{i}", return_sequences=i < num_layers - 1)
        if bidirectional:
            backward = recurrent(
                cell,
                units,
                name=f"encoder_{i}_backward",
                return_sequences=i < num_layers - 1,
                go_backwards=True,
            )
            layer = keras.layers.Bidirectional(layer, backward_layer=backward, name=f"encoder_{i}_both")
        x = keras.layers.Dropout(dropout, name=f"dropout_{i}")(layer(x))  # (B, T, U), at last (B, U)
    size = output_size(spec)
    steps = keras.layers.Dense(spec.horizon * size, kernel_initializer=small_weights(), name="head")(x)
    steps = keras.layers.Reshape((spec.horizon, size), name="head_steps")(steps)
    known = keras.layers.Dense(size, use_bias=False, kernel_initializer="zeros", name="head_future")(future)
    forecast = forecast_head(steps + known, future, spec)
    return keras.Model({"window": window, "future": future}, forecast, name="recurrent_forecaster")
