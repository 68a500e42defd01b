"""A recurrent encoder-decoder with attention."""

from functools import partial

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, RecurrentStack, StepHead
from lstmzoo.layers import Attention
from lstmzoo.layers.attention import Score
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def attention_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, score: Score, attention_units: Count
) -> keras.Model:  # fmt: skip
    """An encoder-decoder whose decoder attends to all encoder outputs (global attention).

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        score: ``additive``, ``dot``, ``general`` or ``concat``; see :class:`lstmzoo.layers.Attention`.
        attention_units: Hidden width of the ``additive`` and ``concat`` scores.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q). The second
        output of the layer ``attention`` is the alignment (B, H, T).

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
    """
    stack = partial(RecurrentStack, cell=cell, units=units, num_layers=num_layers, dropout=dropout)
    encoder, decoder = stack(name="encoder"), stack(name="decoder")
    attention = Attention(score=score, units=attention_units, name="attention")
    attentional_state = keras.layers.Dense(units, activation="tanh", name="attentional_state")
    head = StepHead(output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        return encoder(inputs.window, states)

    def decode(inputs: ForecasterInputs, memory: Tensor, states: State) -> Tensor:
        query, _ = decoder(inputs.future, states)
        context, _ = attention(query, memory)
        return head(attentional_state(ops.concatenate([context, query], axis=-1)))

    return forecaster(spec, encode, decode, name="attention_forecaster", streaming=False)
