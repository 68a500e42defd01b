"""An LSTM with layer normalization inside its cell."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.layers._base import LoopedLayer, Step
from lstmzoo.layers.recurrence import ProjectedLayer

_EPSILON = 1e-5  # added to variances


class _LayerNormLSTMCell(keras.layers.LSTMCell):
    """One step of :class:`LayerNormLSTM`. Rows of the gains: gates i, f, g, o."""

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.gain = self.add_weight(shape=(4, self.units), initializer="ones", name="gain")
        self.state_gain = self.add_weight(shape=(self.units,), initializer="ones", name="state_gain")
        self.state_bias = self.add_weight(shape=(self.units,), initializer="zeros", name="state_bias")

    def stepper(self) -> Step:
        """Return the step ``(inputs times the kernel (B, 4 U), states) -> (output, states)``; the weights are read now."""
        kernel, gain, bias = ops.copy(self.recurrent_kernel), ops.copy(self.gain), ops.copy(self.bias)
        bias = ops.reshape(bias, (4, self.units))
        state_gain, state_bias = ops.copy(self.state_gain), ops.copy(self.state_bias)

        def step(x: Tensor, states: State) -> tuple[Tensor, list[Tensor]]:
            h, c = states
            sums = ops.reshape(x + ops.matmul(h, kernel), (-1, 4, self.units))
            i, f, g, o = ops.unstack(_normalized(sums) * gain + bias, 4, axis=1)
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
            h = ops.sigmoid(o) * ops.tanh(_normalized(c) * state_gain + state_bias)
            return h, [h, c]

        return step

    def call(self, x: Tensor, states: State, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        return self.stepper()(ops.matmul(x, self.kernel), states)


def _normalized(x: Tensor) -> Tensor:
    """Normalize to mean 0 and variance 1 over the last axis."""
    mean, variance = ops.moments(x, axes=-1, keepdims=True)
    return (x - mean) * ops.rsqrt(variance + _EPSILON)


@keras.saving.register_keras_serializable(package="lstmzoo")
class LayerNormLSTM(ProjectedLayer, LoopedLayer):
    """An LSTM with layer normalization of each gate, and of the state before the output's tanh.

    A gate is the sigmoid, and the candidate the tanh, of ``gain * LN(W x_t + R h_{t-1}) + bias``, where LN is over the U units
    of the gate. Then ``c_t = f c_{t-1} + i g`` and ``h_t = o tanh(gain' * LN(c_t) + bias')``. The forget gate's bias begins at
    1. The layer has the interface of ``keras.layers.LSTM``, and the states h and c (B, U).

    Args:
        units: U.

    References:
        Ba, Kiros & Hinton, "Layer Normalization", arXiv:1607.06450, 2016.
        Chen et al., "The Best of Both Worlds: Combining Recent Advances in Neural Machine Translation", ACL 2018, section 4.

    Examples:
        >>> import numpy as np
        >>> outputs, h, c = LayerNormLSTM(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 4), (2, 4), (2, 4))
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        cell = _LayerNormLSTMCell(units, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, {"units": units}, **kwargs)

    def _parts(self, cell: Any) -> tuple[Tensor, Step]:
        return None, cell.stepper()
