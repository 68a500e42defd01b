"""Recurrent encoder-decoder."""

import keras

from lstmzoo.models._base import (
    Cell,
    Count,
    Rate,
    decoder_stack,
    encoder_stack,
    forecast_head,
    forecaster_inputs,
    output_size,
    small_weights,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def seq2seq_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate
) -> keras.Model:
    """Encoder-decoder: the encoder's final states start the decoder.

    The decoder reads what is known of each future step (the reference forecast, the calendar) rather than its own last
    output, so that training and forecasting are the same computation and errors do not feed on themselves (Wen et al. 2017).

    Sizes: B batch, T ``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``,
    Q ``spec.num_outputs``.

    Args:
        spec: Sizes learned from the training data.
        cell: ``simple_rnn``, ``lstm`` or ``gru``.
        units: Size of each hidden state.
        num_layers: Recurrent layers of the encoder, and of the decoder.
        dropout: Rate between layers and before the head.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + F - 1) to forecasts (B, H, Q).

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014.
        Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", NeurIPS Time Series Workshop 2017.
    """
    window, future = forecaster_inputs(spec)
    _, states = encoder_stack(window, cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder")
    x = decoder_stack(future, states, cell=cell, units=units, dropout=dropout, name="decoder")  # (B, H, U)
    x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    x = keras.layers.Dense(output_size(spec), kernel_initializer=small_weights(), name="head")(x)
    return keras.Model({"window": window, "future": future}, forecast_head(x, future, spec), name="seq2seq_forecaster")
