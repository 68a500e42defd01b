"""Minimal recurrent cells, whose gates read the input and not the state."""

from typing import Any

import keras
from keras import ops

from lstmzoo.errors import ConfigError
from lstmzoo.layers._recurrent import LoopedLayer


class _MinimalCell(keras.layers.Layer):
    """One step of ``h' = keep * h + take * candidate``.

    Args:
        units: U.
        num_gates: Gates beside the candidate.
    """

    def __init__(self, units: int, num_gates: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self._columns = (num_gates + 1) * units

    def build(self, input_shape: tuple) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self._columns), name="kernel")
        self.bias = self.add_weight(shape=(self._columns,), initializer=self._initial_bias, name="bias")

    def _initial_bias(self, shape: tuple, dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype=dtype)

    def _gates(self, parts: list[Any]) -> tuple[Any, Any]:
        """``keep`` and ``take`` (..., U) from what is before the gates' sigmoids."""
        raise NotImplementedError

    def terms(self, x: Any) -> tuple[Any, Any]:
        """``keep`` and ``take * candidate`` (..., U) of inputs (..., F)."""
        *parts, candidate = ops.split(ops.matmul(x, self.kernel) + self.bias, self._columns // self.units, axis=-1)
        keep, take = self._gates(parts)
        return keep, take * candidate

    def call(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        keep, add = self.terms(x)
        h = keep * states[0] + add
        return h, [h]


class _MinGRUCell(_MinimalCell):
    def _gates(self, parts: list[Any]) -> tuple[Any, Any]:
        take = ops.sigmoid(parts[0])
        return 1 - take, take


class _MinLSTMCell(_MinimalCell):
    def _initial_bias(self, shape: tuple, dtype: Any = None) -> Any:
        forget, others = ops.ones((self.units,), dtype=dtype), ops.zeros((shape[0] - self.units,), dtype=dtype)
        return ops.concatenate([forget, others])

    def _gates(self, parts: list[Any]) -> tuple[Any, Any]:
        forget, take = parts
        m = ops.stop_gradient(ops.maximum(ops.maximum(-forget, -take), 0.0))
        forget, take, one = ops.exp(-forget - m), ops.exp(-take - m), ops.exp(-m)  # of 1 / sigmoid, none above 1
        keep = (one + take) / (one + take + one + forget)
        return keep, 1 - keep


class _MinimalLayer(LoopedLayer):
    """A minimal cell in a loop over time, or all steps at once.

    Args:
        cell: What is stepped.
        parallel: Whether all steps are taken at once, where there is no mask.
    """

    def __init__(self, cell: _MinimalCell, parallel: bool, **kwargs: Any) -> None:
        super().__init__(cell, {"units": cell.units, "parallel": parallel}, **kwargs)
        self.parallel = self.needs_fixed_steps = parallel

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple:
        """The last output ``(B, U)``, all outputs ``(B, T, U)`` and the final states, as of ``keras.layers.RNN``."""
        if not self.parallel or mask is not None:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        if sequences.shape[1] is None:
            raise ConfigError(f"layer {self.name!r} with parallel=True needs inputs of a fixed number of steps")
        keep, add = self.cell.terms(ops.flip(sequences, axis=1) if self.go_backwards else sequences)
        keep, add = _scanned(keep, add)
        outputs = keep * ops.expand_dims(initial_state[0], 1) + add
        return outputs[:, -1], outputs, [outputs[:, -1]]


def _scanned(keep: Any, add: Any) -> tuple[Any, Any]:
    """Of steps ``h -> keep * h + add`` (B, T, U), what the first t of them are as one step, for each t: by pairs of steps.

    Keras' ``associative_scan`` cannot be compiled by XLA on TensorFlow.
    """
    steps, units = keep.shape[1:]
    if steps == 1:
        return keep, add
    pairs = (steps + 1) // 2

    def halves(x: Any, idle: float) -> list[Any]:
        x = ops.pad(x, ((0, 0), (0, 2 * pairs - steps), (0, 0)), constant_values=idle)
        return ops.unstack(ops.reshape(x, (-1, pairs, 2, units)), 2, axis=2)

    def before(x: Any, idle: float) -> Any:
        return ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)), constant_values=idle)

    def joined(first: Any, second: Any) -> Any:
        return ops.reshape(ops.stack([first, second], axis=2), (-1, 2 * pairs, units))[:, :steps]

    (keep, next_keep), (add, next_add) = halves(keep, 1.0), halves(add, 0.0)
    kept, added = _scanned(next_keep * keep, next_keep * add + next_add)
    return joined(keep * before(kept, 1.0), kept), joined(keep * before(added, 0.0) + add, added)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinGRU(_MinimalLayer):
    """The minimal GRU: ``h_t = (1 - z_t) h_{t-1} + z_t (V x_t + b)`` with ``z_t = sigmoid(W x_t + a)``.

    It has the interface of ``keras.layers.GRU``, one state ``h`` (B, U), and a small part of its work. The equations can be
    solved for all steps at once, in about ``2 log T`` operations on the whole: compiled by XLA for one core of a CPU, training
    took 0.4 to 0.95 times as long as in Keras' loop over time, the less the longer T was, and compiling twice as long.

    Args:
        units: U.
        parallel: Whether to take all steps at once, where there is no mask; T must be known then. The answer is the same.

    Raises:
        ConfigError: If ``parallel`` and T is not known.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.1.

    Examples:
        >>> import numpy as np
        >>> outputs, h = MinGRU(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, units: int, *, parallel: bool = True, **kwargs: Any) -> None:
        super().__init__(_MinGRUCell(units, 1, dtype=kwargs.get("dtype"), name="cell"), parallel, **kwargs)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinLSTM(_MinimalLayer):
    """The minimal LSTM: ``h_t = f'_t h_{t-1} + i'_t (V x_t + b)`` with ``f' = f / (f + i)`` and ``i' = i / (f + i)``.

    ``f`` and ``i`` are sigmoids of the input. For the rest it is as :class:`MinGRU`.

    Args:
        units: U.
        parallel: Whether to take all steps at once, where there is no mask; T must be known then. The answer is the same.

    Raises:
        ConfigError: If ``parallel`` and T is not known.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.2.

    Examples:
        >>> import numpy as np
        >>> outputs, h = MinLSTM(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, units: int, *, parallel: bool = True, **kwargs: Any) -> None:
        super().__init__(_MinLSTMCell(units, 2, dtype=kwargs.get("dtype"), name="cell"), parallel, **kwargs)
