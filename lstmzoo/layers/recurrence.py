"""Recurrent layers of Keras, and LSTMs with layer normalization, whose inputs are multiplied by the kernel before the loop."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.layers._base import LoopedLayer, Step, loop

_EPSILON = 1e-5  # added to variances


def _on_gpu() -> bool:
    """Whether there is a GPU, with cuDNN."""
    if keras.backend.backend() == "torch":  # for which Keras lists no devices
        import torch

        return torch.cuda.is_available()
    return any("gpu" in name for name in keras.distribution.list_devices())  # JAX raises where asked for GPUs alone


class ProjectedLayer(keras.layers.RNN):
    """A layer that multiplies the inputs of all steps by its kernel at once; Keras does so step by step.

    Results and weights are those of Keras. On GPUs, where cuDNN does the same and more, and with Keras' own dropout, it is the
    layer of Keras. Measured on one core, compiled by XLA, a training step took 0.87 to 0.92 times as long with 256 units, and
    about as long with 64 (``benchmarks/recurrent_layers.py``).
    """

    def inner_loop(self, sequences: Tensor, initial_state: State, mask: Tensor, training: bool = False) -> Tensor:
        """Return the last output, all outputs and the final states, as ``keras.layers.RNN`` does."""
        cell = self.cell
        if self._better_by_keras() or cell.dropout or cell.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        flat = ops.matmul(ops.reshape(sequences, (-1, sequences.shape[-1])), cell.kernel)
        bias, step = self._parts(cell)
        flat = flat if bias is None else flat + bias
        projected = ops.reshape(flat, (*ops.shape(sequences)[:2], flat.shape[-1]))
        options = ("go_backwards", "unroll", "zero_output_for_mask", "return_sequences", "stateful")
        return loop(step, projected, initial_state, mask, **{name: getattr(self, name) for name in options})

    def _better_by_keras(self) -> bool:
        """Whether cuDNN runs the layer. On JAX it does not for numbers smaller than float32, and fails when it is compiled."""
        small = keras.backend.backend() == "jax" and self.compute_dtype in ("bfloat16", "float16")
        return _on_gpu() and not small

    def _parts(self, cell: Any) -> tuple[Tensor, Step]:
        """Return the bias of the inputs, and the step ``(projected (B, any), states) -> (output, states)``."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="lstmzoo")
class SimpleRNN(ProjectedLayer, keras.layers.SimpleRNN):
    """``keras.layers.SimpleRNN``, faster on CPUs.

    References:
        Elman, "Finding Structure in Time", Cognitive Science 14(2), 1990.

    Examples:
        >>> import numpy as np
        >>> tuple(SimpleRNN(4)(np.ones((2, 5, 3), "float32")).shape)
        (2, 4)
    """

    def _parts(self, cell: Any) -> tuple[Tensor, Step]:
        recurrent = ops.copy(cell.recurrent_kernel)

        def step(x: Tensor, states: State) -> tuple[Tensor, list[Tensor]]:
            h = x + ops.matmul(states[0], recurrent)
            h = h if cell.activation is None else cell.activation(h)
            return h, [h]

        return cell.bias, step


@keras.saving.register_keras_serializable(package="lstmzoo")
class LSTM(ProjectedLayer, keras.layers.LSTM):
    """``keras.layers.LSTM``, faster on CPUs.

    References:
        Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.
        Appleyard et al., "Optimizing Performance of Recurrent Neural Networks on GPUs", arXiv:1604.01946, 2016, section 3.1.

    Examples:
        >>> import numpy as np
        >>> tuple(LSTM(4)(np.ones((2, 5, 3), "float32")).shape)
        (2, 4)
    """

    def _parts(self, cell: Any) -> tuple[Tensor, Step]:
        return cell.bias, lstm_step(cell)


@keras.saving.register_keras_serializable(package="lstmzoo")
class GRU(ProjectedLayer, keras.layers.GRU):
    """``keras.layers.GRU``, faster on CPUs.

    References:
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", EMNLP 2014.

    Examples:
        >>> import numpy as np
        >>> tuple(GRU(4)(np.ones((2, 5, 3), "float32")).shape)
        (2, 4)
    """

    def _parts(self, cell: Any) -> tuple[Tensor, Step]:
        if not cell.reset_after or cell.bias is None:
            return cell.bias, gru_step(cell)
        return cell.bias[0], gru_step(cell, cell.bias[1])


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


def lstm_step(cell: Any) -> Step:
    """Return the step of an LSTM for inputs that are already multiplied by its kernel, with the bias added."""
    recurrent = ops.copy(cell.recurrent_kernel)

    def step(x: Tensor, states: State) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        i, f, g, o = ops.split(x + ops.matmul(h, recurrent), 4, axis=1)
        c = cell.recurrent_activation(f) * c + cell.recurrent_activation(i) * cell.activation(g)
        h = cell.recurrent_activation(o) * cell.activation(c)
        return h, [h, c]

    return step


def gru_step(cell: Any, later: Tensor = 0.0) -> Step:
    """Return the step of a GRU, as :func:`lstm_step`; ``later`` is the bias of the state, where it is reset after its product."""
    recurrent, size = ops.copy(cell.recurrent_kernel), 2 * cell.units
    of_gates, of_candidate = recurrent[:, :size], recurrent[:, size:]

    def step(x: Tensor, states: State) -> tuple[Tensor, list[Tensor]]:
        h = states[0]
        if cell.reset_after:
            (xz, xr, xg), (hz, hr, hg) = (ops.split(a, 3, axis=1) for a in (x, ops.matmul(h, recurrent) + later))
            z, r = cell.recurrent_activation(xz + hz), cell.recurrent_activation(xr + hr)
            g = xg + r * hg
        else:
            z, r = ops.split(cell.recurrent_activation(x[:, :size] + ops.matmul(h, of_gates)), 2, axis=1)
            g = x[:, size:] + ops.matmul(r * h, of_candidate)
        h = z * h + (1 - z) * cell.activation(g)
        return h, [h]

    return step
