"""A recurrent encoder-decoder."""

from functools import partial

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, RecurrentStack, StepHead
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def seq2seq_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate
) -> keras.Model:
    """An encoder-decoder: the encoder's final states start the decoder.

    The decoder reads what is known of each future step (the reference forecast, the calendar), not its own last output. So
    training and forecasting are the same computation, and errors do not accumulate (Wen et al. 2017).

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014.
        Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", NeurIPS Time Series Workshop 2017.
    """
    stack = partial(RecurrentStack, cell=cell, units=units, num_layers=num_layers, dropout=dropout)
    encoder, decoder = stack(name="encoder"), stack(name="decoder")
    head = StepHead(output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        return encoder(inputs.window, states)

    def decode(inputs: ForecasterInputs, memory: Tensor, states: State) -> Tensor:
        return head(decoder(inputs.future, states)[0])

    return forecaster(spec, encode, decode, name="seq2seq_forecaster", streaming=True)
