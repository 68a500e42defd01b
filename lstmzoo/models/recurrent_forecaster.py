"""Recurrent encoder, direct multi-step head."""

from collections.abc import Callable
from typing import Any

import keras

from lstmzoo.layers import Dropout
from lstmzoo.models._base import (
    Cell,
    Count,
    DirectHead,
    ForecasterInputs,
    Rate,
    RecurrentStack,
    State,
    forecaster,
    output_size,
    recurrent,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def recurrent_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate, bidirectional: bool
) -> keras.Model:
    """Stacked recurrent encoder whose last output forecasts all steps at once.

    What is known of the future (the reference forecast, the calendar) enters the head linearly, the same for every step.

    Sizes as in :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training data.
        cell: Name of the recurrent cell.
        units: Size of each hidden state; of each direction, if there are two.
        num_layers: Recurrent layers.
        dropout: Rate between layers and before the head.
        bidirectional: Whether each layer reads the window in both directions.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q).

    References:
        Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.
        Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
        Schuster & Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Trans. Signal Processing 45(11), 1997.
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    """
    make = _bidirectional_stack if bidirectional else RecurrentStack
    stack = make(cell=cell, units=units, num_layers=num_layers, dropout=dropout, name="encoder", return_sequences=False)
    head = DirectHead(spec.horizon, output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State) -> tuple[Any, State]:
        return stack(inputs.window, states)

    def decode(inputs: ForecasterInputs, last: Any, states: State) -> Any:
        return head(last, inputs.future)

    return forecaster(spec, encode, decode, name="recurrent_forecaster", streaming=not bidirectional)


def _bidirectional_stack(
    *, cell: Cell, units: int, num_layers: int, dropout: float, name: str, return_sequences: bool
) -> Callable[[Any, State], tuple[Any, State]]:
    """As :class:`RecurrentStack`, each layer in both directions; it has no states to go on from."""
    layers = []
    for i in range(num_layers):
        whole = return_sequences or i < num_layers - 1
        forward = recurrent(cell, units, name=f"{name}_{i}", return_sequences=whole)
        backward = recurrent(cell, units, name=f"{name}_{i}_backward", return_sequences=whole, go_backwards=True)
        layers.append(keras.layers.Bidirectional(forward, backward_layer=backward, name=f"{name}_{i}_both"))
    dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def read(x: Any, states: State) -> tuple[Any, State]:
        for i, layer in enumerate(layers):
            x = layer(dropouts[i - 1](x) if i else x)
        return x, None

    return read
