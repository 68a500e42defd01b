"""What several topologies are made of. Every layer is named, so that saved weights find their place."""

from typing import Annotated, Any, Literal

import keras
from keras import ops
from pydantic import Field

from lstmzoo.layers import OrderedQuantiles
from lstmzoo.spec import ForecastingSpec

Cell = Literal["simple_rnn", "lstm", "gru"]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]

CELLS: dict[str, type[keras.layers.Layer]] = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}


def recurrent(cell: Cell, units: int, *, name: str, **kwargs: Any) -> keras.layers.Layer:
    """A stock recurrent layer by the name of its cell."""
    return CELLS[cell](units, name=name, **kwargs)


def encoder_stack(
    x: Any, *, cell: Cell, units: int, num_layers: int, dropout: float, name: str
) -> tuple[Any, list[list[Any]]]:
    """Stacked recurrent layers, with dropout between them.

    Returns:
        The last layer's outputs ``(B, T, U)``, and each layer's final states (for an LSTM two, else one).
    """
    states = []
    for i in range(num_layers):
        if i:
            x = keras.layers.Dropout(dropout, name=f"{name}_dropout_{i}")(x)
        x, *state = recurrent(cell, units, name=f"{name}_{i}", return_sequences=True, return_state=True)(x)
        states.append(state)
    return x, states


def decoder_stack(x: Any, states: list[list[Any]], *, cell: Cell, units: int, dropout: float, name: str) -> Any:
    """Stacked recurrent layers that start from an encoder's final states; outputs ``(B, H, U)``."""
    for i, state in enumerate(states):
        if i:
            x = keras.layers.Dropout(dropout, name=f"{name}_dropout_{i}")(x)
        x = recurrent(cell, units, name=f"{name}_{i}", return_sequences=True)(x, initial_state=state)
    return x


def forecaster_inputs(spec: ForecastingSpec) -> tuple[Any, Any]:
    """The inputs of every forecaster: ``window`` (B, T, F) and what is known of the ``future`` (B, H, R + F - 1)."""
    window = keras.Input((spec.lookback, spec.num_features), name="window")
    future = keras.Input((spec.horizon, spec.num_future_features), name="future")
    return window, future


def output_size(spec: ForecastingSpec) -> int:
    """Numbers a step that :func:`forecast_head` makes a forecast of."""
    return spec.num_outputs + (spec.num_references if spec.num_references > 1 else 0)


def forecast_head(raw: Any, future: Any, spec: ForecastingSpec) -> Any:
    """Forecasts ``(B, H, Q)``, ascending, as deviations from the references.

    Where there are several references, a mean of them is corrected, weighted by a softmax over R of the raw numbers.

    Args:
        raw: ``(B, H, output_size(spec))``; with zeros, the forecast is the (mean) reference.
        future: The input of that name.
        spec: Sizes learned from the training data.
    """
    references = future[..., : spec.num_references]
    if spec.num_references > 1:
        weights = ops.softmax(raw[..., spec.num_outputs :], axis=-1)
        references = ops.sum(weights * references, axis=-1, keepdims=True)
    raw = raw[..., : spec.num_outputs] + references
    return OrderedQuantiles(median_index=spec.median_index, name="forecast")(raw)


def small_weights() -> keras.initializers.Initializer:
    """Initial weights of an output layer whose forecasts shall begin near the reference."""
    return keras.initializers.RandomNormal(stddev=0.01)
