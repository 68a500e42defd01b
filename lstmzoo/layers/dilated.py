"""Recurrence that skips steps."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers._base import WholeLayer
from lstmzoo.layers.recurrence import LSTM


@keras.saving.register_keras_serializable(package="lstmzoo")
class DilatedLSTM(WholeLayer):
    """An LSTM whose state comes from ``dilation`` steps before, instead of one.

    It is ``dilation`` LSTMs with the same weights, each of which reads every ``dilation``-th step. These lanes are computed as
    one batch of a stock LSTM. The states are h and c, (B, ``dilation``, U); the lane that reads next comes first.

    Args:
        units: U.
        dilation: Steps from one state to the next of the same lane.

    Raises:
        ConfigError: If T is unknown.

    References:
        Chang et al., "Dilated Recurrent Neural Networks", NeurIPS 2017.
        Smyl, "A Hybrid Method of Exponential Smoothing and Recurrent Neural Networks for Time Series Forecasting",
        International Journal of Forecasting 36(1), 2020.

    Examples:
        >>> import numpy as np
        >>> layer = DilatedLSTM(4, dilation=3, return_sequences=True, return_state=True)
        >>> outputs, h, c = layer(np.ones((2, 5, 6), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 4), (2, 3, 4), (2, 3, 4))
    """

    def __init__(self, units: int, *, dilation: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.dilation = dilation
        self.lstm = LSTM(units, return_sequences=True, return_state=True, dtype=self.dtype_policy, name="lstm")

    def build(self, x_shape: tuple) -> None:
        self.lstm.build((None, None, x_shape[-1]))

    def _state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.dilation, self.units)] * 2

    def _run(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        steps = x.shape[1]
        rest = steps % self.dilation
        outputs = []
        if steps > rest:
            h, states = self._rounds(x[:, : steps - rest], states)
            outputs.append(h)
        if rest:
            h, stepped = self._rounds(x[:, steps - rest :], [state[:, :rest] for state in states])
            outputs.append(h)
            states = [ops.concatenate([old[:, rest:], new], axis=1) for old, new in zip(states, stepped, strict=True)]
        return outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=1), states

    def _rounds(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Run ``(B, T, F)``, T a multiple of the number of lanes, through lanes in states ``(B, lanes, U)``."""
        lanes = states[0].shape[1]
        rounds = x.shape[1] // lanes
        folded = ops.transpose(ops.reshape(x, (-1, rounds, lanes, x.shape[2])), (0, 2, 1, 3))
        folded = ops.reshape(folded, (-1, rounds, x.shape[2]))
        h, *final = self.lstm(folded, initial_state=[ops.reshape(state, (-1, self.units)) for state in states])
        h = ops.transpose(ops.reshape(h, (-1, lanes, rounds, self.units)), (0, 2, 1, 3))
        h = ops.reshape(h, (-1, x.shape[1], self.units))
        return h, [ops.reshape(state, (-1, lanes, self.units)) for state in final]
