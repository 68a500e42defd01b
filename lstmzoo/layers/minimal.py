"""Minimal recurrent cells, whose gates read the input and not the state."""

from typing import Any

import keras
from keras import ops

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
        """``keep`` and ``take`` (B, U) from what is before the gates' sigmoids."""
        raise NotImplementedError

    def call(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        *parts, candidate = ops.split(ops.matmul(x, self.kernel) + self.bias, self._columns // self.units, axis=-1)
        keep, take = self._gates(parts)
        h = keep * states[0] + take * candidate
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


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinGRU(LoopedLayer):
    """The minimal GRU: ``h_t = (1 - z_t) h_{t-1} + z_t (V x_t + b)`` with ``z_t = sigmoid(W x_t + a)``.

    It has the interface of ``keras.layers.GRU``, one state ``h`` (B, U), and a small part of its work: on a CPU, Keras' loop
    over time with this cell took less time than parallel scans by doubling or by blocks, which the equations allow too.

    Args:
        units: U.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.1.

    Examples:
        >>> import numpy as np
        >>> outputs, h = MinGRU(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(_MinGRUCell(units, 1, dtype=kwargs.get("dtype"), name="cell"), {"units": units}, **kwargs)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MinLSTM(LoopedLayer):
    """The minimal LSTM: ``h_t = f'_t h_{t-1} + i'_t (V x_t + b)`` with ``f' = f / (f + i)`` and ``i' = i / (f + i)``.

    ``f`` and ``i`` are sigmoids of the input. For the rest it is as :class:`MinGRU`.

    Args:
        units: U.

    References:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024, section 3.2.

    Examples:
        >>> import numpy as np
        >>> outputs, h = MinLSTM(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape)
        ((2, 5, 4), (2, 4))
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(_MinLSTMCell(units, 2, dtype=kwargs.get("dtype"), name="cell"), {"units": units}, **kwargs)
