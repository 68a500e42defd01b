"""Minimal recurrent layers, whose gates read the input but not the state."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.layers._base import LoopedLayer, check_fixed_steps


class _MinimalCell(keras.layers.Layer):
    """One step of ``h' = keep * h + take * candidate``.

    Args:
        units: U.
    """

    num_gates: int  # besides the candidate

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self._columns = (self.num_gates + 1) * units

    def build(self, input_shape: tuple) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self._columns), name="kernel")
        self.bias = self.add_weight(shape=(self._columns,), initializer=self._initial_bias, name="bias")

    def _initial_bias(self, shape: tuple, dtype: Any = None) -> Tensor:
        return ops.zeros(shape, dtype=dtype)

    def _gates(self, parts: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute ``keep`` and ``take`` (..., U) from the gates before their sigmoids."""
        raise NotImplementedError

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute ``keep`` and ``take * candidate`` (..., U) from inputs (..., F)."""
        *parts, candidate = ops.split(ops.matmul(x, self.kernel) + self.bias, self._columns // self.units, axis=-1)
        keep, take = self._gates(parts)
        return keep, take * candidate

    def call(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        keep, add = self.terms(x)
        h = keep * states[0] + add
        return h, [h]


class _MinGRUCell(_MinimalCell):
    num_gates = 1

    def _gates(self, parts: list[Tensor]) -> tuple[Tensor, Tensor]:
        take = ops.sigmoid(parts[0])
        return 1 - take, take


class _MinLSTMCell(_MinimalCell):
    num_gates = 2

    def _initial_bias(self, shape: tuple, dtype: Any = None) -> Tensor:
        forget, others = ops.ones((self.units,), dtype=dtype), ops.zeros((shape[0] - self.units,), dtype=dtype)
        return ops.concatenate([forget, others])

    def _gates(self, parts: list[Tensor]) -> tuple[Tensor, Tensor]:
        forget, take = parts
        m = ops.stop_gradient(ops.maximum(ops.maximum(-forget, -take), 0.0))
        forget, take, one = ops.exp(-forget - m), ops.exp(-take - m), ops.exp(-m)  # 1 / sigmoid, scaled to at most 1
        keep = (one + take) / (one + take + one + forget)
        return keep, 1 - keep


class _MinimalLayer(LoopedLayer):
    """A minimal cell, in a loop over time or for all steps at once."""

    cell_class: type[_MinimalCell]

    def __init__(self, units: int, *, parallel: bool = True, **kwargs: Any) -> None:
        cell = self.cell_class(units, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, {"units": units, "parallel": parallel}, **kwargs)
        self.parallel = self.needs_fixed_steps = parallel

    def inner_loop(self, sequences: Tensor, initial_state: State, mask: Tensor, training: bool = False) -> tuple:
        """Return the last output ``(B, U)``, all outputs ``(B, T, U)`` and the final states, as ``keras.layers.RNN`` does."""
        if not self.parallel or mask is not None:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        check_fixed_steps(self, sequences, " with parallel=True")
        keep, add = self.cell.terms(ops.flip(sequences, axis=1) if self.go_backwards else sequences)
        keep, add = _scanned(keep, add)
        outputs = keep * ops.expand_dims(initial_state[0], 1) + add
        return outputs[:, -1], outputs, [outputs[:, -1]]


def _scanned(keep: Tensor, add: Tensor) -> tuple[Tensor, Tensor]:
    """Compose steps ``h -> keep * h + add`` (B, T, U): for each t, the first t of them as one step. Steps are joined in pairs.

    XLA cannot compile Keras' ``associative_scan`` on TensorFlow.
    """
    steps, units = keep.shape[1:]
    if steps == 1:
        return keep, add
    pairs = (steps + 1) // 2

    def halves(x: Tensor, idle: float) -> list[Tensor]:
        x = ops.pad(x, ((0, 0), (0, 2 * pairs - steps), (0, 0)), constant_values=idle)
        return ops.unstack(ops.reshape(x, (-1, pairs, 2, units)), 2, axis=2)

    def before(x: Tensor, idle: float) -> Tensor:
        return ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)), constant_values=idle)

    def joined(first: Tensor, second: Tensor) -> Tensor:
        return ops.reshape(ops.stack([first, second], axis=2), (-1, 2 * pairs, units))[:, :steps]

    (keep, next_keep), (add, next_add) = halves(keep, 1.0), halves(add, 0.0)
    kept, added = _scanned(next_keep * keep, next_keep * add + next_add)
    return joined(keep * before(kept, 1.0), kept), joined(keep * before(added, 0.0) + add, added)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinGRU(_MinimalLayer):
    """The minimal GRU: ``h_t = (1 - z_t) h_{t-1} + z_t (V x_t + b)`` with ``z_t = sigmoid(W x_t + a)``.

    The gate reads the input only, so the recurrence can be solved for all steps at once, in about ``2 log T`` operations on the
    whole sequence. Compiled by XLA for one core of a CPU, training took 0.4 to 0.95 times as long as in Keras' loop over time,
    the longer T, the less; compiling took twice as long. The layer has the interface of ``keras.layers.GRU``, and one state
    ``h`` (B, U).

    Args:
        units: U.
        parallel: Whether to take all steps at once if there is no mask; T must then be known. The result is the same.

    Raises:
        ConfigError: If ``parallel`` and T is unknown.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.1.

    Examples:
        >>> import numpy as np
        >>> outputs, h = MinGRU(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 4), (2, 4))
    """

    cell_class = _MinGRUCell


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinLSTM(_MinimalLayer):
    """The minimal LSTM: ``h_t = f'_t h_{t-1} + i'_t (V x_t + b)`` with ``f' = f / (f + i)`` and ``i' = i / (f + i)``.

    ``f`` and ``i`` are sigmoids of the input. Arguments and states are those of :class:`MinGRU`.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.2.
    """

    cell_class = _MinLSTMCell
