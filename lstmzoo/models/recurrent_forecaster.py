"""A recurrent encoder with a direct multi-step head."""

import keras

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import BidirectionalStack, Cell, Count, DirectHead, Rate, RecurrentStack
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def recurrent_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, bidirectional: bool
) -> keras.Model:
    """A stacked recurrent encoder whose last output forecasts all steps at once.

    What is known of the future (the reference forecast, the calendar) enters the head linearly, by the same map at every step.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        units: Size of each hidden state; of each direction, if there are two.
        bidirectional: Whether each layer reads the window in both directions.

    References:
        Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.
        Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
        Schuster & Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Trans. Signal Processing 45(11), 1997.
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    """
    make = BidirectionalStack if bidirectional else RecurrentStack
    stack = make(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder", return_sequences=False)
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        return stack(inputs.window, states)

    def decode(inputs: ForecasterInputs, last: Tensor, states: State) -> Tensor:
        return head(last, inputs.future)

    return forecaster(spec, encode, decode, name="recurrent_forecaster", streaming=not bidirectional)
