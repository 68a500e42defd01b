"""Recurrent encoder-decoder with attention."""

import keras

from lstmzoo.layers import Attention
from lstmzoo.layers.attention import Score
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
def attention_forecaster(
    spec: ForecastingSpec,
    *,
    cell: Cell,
    units: Count,
    num_layers: Count,
    dropout: Rate,
    score: Score,
    attention_units: Count,
) -> keras.Model:
    """Encoder-decoder whose decoder outputs attend over all encoder outputs (global attention).

    Sizes: B batch, T ``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``,
    Q ``spec.num_outputs``, U units.

    Args:
        spec: Sizes learned from the training data.
        cell: ``simple_rnn``, ``lstm`` or ``gru``.
        units: Size of each hidden state.
        num_layers: Recurrent layers of the encoder, and of the decoder.
        dropout: Rate between layers and before the head.
        score: ``additive``, ``dot``, ``general`` or ``concat``; see :class:`lstmzoo.layers.Attention`.
        attention_units: Hidden width of the ``additive`` and ``concat`` scores.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + F - 1) to forecasts (B, H, Q). The layer
        ``attention`` gives the alignment (B, H, T) as its second output.

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
    """
    window, future = forecaster_inputs(spec)
    memory, states = encoder_stack(
        window, cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder"
    )
    query = decoder_stack(future, states, cell=cell, units=units, dropout=dropout, name="decoder")
    context, _ = Attention(score=score, units=attention_units, name="attention")(query, memory)
    x = keras.layers.Concatenate(name="attentional_inputs")([context, query])
    x = keras.layers.Dense(units, activation="tanh", name="attentional_state")(x)  # (B, H, U)
    x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    x = keras.layers.Dense(output_size(spec), kernel_initializer=small_weights(), name="head")(x)
    return keras.Model(
        {"window": window, "future": future}, forecast_head(x, future, spec), name="attention_forecaster"
    )
