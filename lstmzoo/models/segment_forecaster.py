"""Recurrence over segments of a window."""

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, StepHead, recurrent
from lstmzoo.models._forecasting import ForecasterInputs, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


def segments(x: Tensor, length: int, *, pad_first: bool) -> Tensor:
    """Cut ``(B, T, F)`` into ``(B, ceil(T / length), length * F)``; an incomplete segment repeats the value at that end."""
    _, steps, features = x.shape
    missing = -steps % length
    if missing:
        end = x[:, :1] if pad_first else x[:, -1:]
        filling = ops.repeat(end, missing, axis=1)
        x = ops.concatenate([filling, x] if pad_first else [x, filling], axis=1)
    return ops.reshape(x, (-1, (steps + missing) // length, length * features))


@keras.saving.register_keras_serializable(package="lstmzoo")
class PositionEmbedding(keras.layers.Layer):
    """One learned vector ``(U,)`` for each of the N steps, added to ``(B, N, U)``."""

    def build(self, input_shape: tuple) -> None:
        self.embedding = self.add_weight(shape=input_shape[1:], initializer="random_normal", name="embedding")

    def call(self, x: Tensor) -> Tensor:
        return x + self.embedding

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@register_model
def segment_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, dropout: Rate, segments_per_horizon: Count, linear_skip: bool
) -> keras.Model:
    """SegRNN: one recurrent step per segment of the window, then one per segment of the future, all at once.

    The window is cut into segments, each projected to U units, and read by one recurrent layer. Each future segment is one
    further step of the *same* layer from the encoder's final state (parallel multi-step forecasting). The input of that step is
    the projection of what is known of the segment (the reference forecast, the calendar) plus its learned position.

    Sizes and other arguments as in :mod:`lstmzoo.models`; W length of a segment, M = H / W segments of the future.

    Args:
        units: Size of the hidden state.
        dropout: Rate before the head.
        segments_per_horizon: M. The length of a segment is H / M, rounded up.
        linear_skip: Whether to add a linear map of the window's values to the forecasts (Zeng et al. 2023).

    References:
        Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting", arXiv:2308.11200, 2023.
        Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023.
    """
    length = -(-spec.horizon // segments_per_horizon)
    size = output_size(spec)
    window_projection = keras.layers.Dense(units, activation="relu", name="window_projection")
    future_projection = keras.layers.Dense(units, activation="relu", name="future_projection")
    position = PositionEmbedding(name="position")
    rnn = recurrent(cell, units, name="rnn", return_state=True)
    head = StepHead(length * size, dropout)

    linear = keras.layers.Dense(spec.horizon * spec.num_outputs, kernel_initializer="zeros", name="linear")

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        past = segments(inputs.window, length, pad_first=True)  # (B, T / W, W * F)
        _, *states = rnn(window_projection(past))
        return linear(inputs.window[..., 0]) if linear_skip else None, states

    def decode(inputs: ForecasterInputs, memory: Tensor, states: State) -> Tensor:
        ahead = segments(inputs.future, length, pad_first=False)  # (B, M, W * (R + K))
        count = ahead.shape[1]
        x = ops.reshape(position(future_projection(ahead)), (-1, 1, units))  # (B * M, 1, U)
        x = rnn(x, initial_state=[ops.repeat(state, count, axis=0) for state in states])[0]  # (B * M, U)
        raw = ops.reshape(head(x), (-1, count * length, size))[:, : spec.horizon]
        if memory is None:
            return raw
        straight = ops.reshape(memory, (-1, spec.horizon, spec.num_outputs))
        return raw + ops.pad(straight, ((0, 0), (0, 0), (0, size - spec.num_outputs)))

    return forecaster(spec, encode, decode, name="segment_forecaster", streaming=False)
