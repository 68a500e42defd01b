"""The two layers of xLSTM: exponential gates, kept in range by a running maximum ``m``.

The outputs do not depend on ``m``, so no gradient passes through it.
"""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.errors import ConfigError
from lstmzoo.layers._base import LOG_ZERO, LoopedLayer, WholeLayer

_EPSILON = 1e-5  # in the square root of the variance
_CHUNK = 64  # steps at a time: the work of MLSTM grows with T * _CHUNK, not with T * T


def _check_heads(units: int, num_heads: int) -> None:
    if units % num_heads:
        raise ConfigError(f"units={units} is not a multiple of num_heads={num_heads}: change one of them")


def _forget_bias(size: int, dtype: Any) -> Tensor:
    """Initial biases from 3 to 6, that is, memories of about 20 to 400 steps."""
    return ops.linspace(3.0, 6.0, size, dtype=dtype)


class _SLSTMCell(keras.layers.Layer):
    """One step of :class:`SLSTM`. Sizes: B batch, N heads, D = U / N. Columns of the kernels: (N, 4, D), gates i, f, z, o."""

    def __init__(self, units: int, num_heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.output_size = units
        self.num_heads = num_heads
        self.state_size = [units] * 4

    def build(self, input_shape: tuple) -> None:
        heads, size = self.num_heads, self.units // self.num_heads
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(heads, size, 4 * size), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(4 * self.units,), initializer=self._initial_bias, name="bias")

    def _initial_bias(self, shape: tuple, dtype: Any = None) -> Tensor:
        forget = ops.reshape(_forget_bias(self.units, dtype), (self.num_heads, 1, -1))
        zeros = ops.zeros_like(forget)
        return ops.reshape(ops.concatenate([zeros, forget, zeros, zeros], axis=1), shape)

    def call(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h, c, n, m = states
        heads, size = self.num_heads, self.units // self.num_heads
        recurrent = ops.einsum("bnd,ndk->bnk", ops.reshape(h, (-1, heads, size)), self.recurrent_kernel)
        gates = ops.matmul(x, self.kernel) + self.bias + ops.reshape(recurrent, (-1, 4 * self.units))
        parts = ops.unstack(ops.reshape(gates, (-1, heads, 4, size)), 4, axis=2)
        i, f, z, o = (ops.reshape(part, (-1, self.units)) for part in parts)
        # n is 0 only at the beginning, and at least 1 afterwards.
        kept = ops.log_sigmoid(f) + ops.where(n > 0, m, LOG_ZERO)
        m = ops.stop_gradient(ops.maximum(kept, i))
        keep, take = ops.exp(kept - m), ops.exp(i - m)
        c = keep * c + take * ops.tanh(z)
        n = keep * n + take
        h = ops.sigmoid(o) * c / n
        return h, [h, c, n, m]


@keras.saving.register_keras_serializable(package="lstmzoo")
class SLSTM(LoopedLayer):
    """The sLSTM: an LSTM with an exponential input gate, a normalized memory, and heads that do not see each other.

    ``c_t = f_t c_{t-1} + i_t z_t``, ``n_t = f_t n_{t-1} + i_t``, ``h_t = o_t c_t / n_t``; f and o are sigmoids, i an
    exponential, z a tanh, each of the input and ``h_{t-1}`` of the same head. The layer has the interface of
    ``keras.layers.LSTM``, and the states h, c, n and m, (B, U) each, where c and n stand for ``c exp(m)`` and ``n exp(m)``.

    Args:
        units: U.
        num_heads: Number of blocks on the diagonal of the recurrent kernel.

    Raises:
        ConfigError: If ``units`` is not a multiple of ``num_heads``.

    References:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024, section 2.2.

    Examples:
        >>> import numpy as np
        >>> outputs, *states = SLSTM(8, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 8), [(2, 8), (2, 8), (2, 8), (2, 8)])
    """

    def __init__(self, units: int, *, num_heads: int = 4, **kwargs: Any) -> None:
        _check_heads(units, num_heads)
        cell = _SLSTMCell(units, num_heads, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, {"units": units, "num_heads": num_heads}, **kwargs)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MLSTM(WholeLayer):
    """The mLSTM: a memory that is a matrix, written with keys and values and read with queries, in parallel over time.

    For each head, ``C_t = f_t C_{t-1} + i_t k_t v_t'``, ``n_t = f_t n_{t-1} + i_t k_t``,
    ``h_t = o_t norm(C_t' q_t / max(|n_t . q_t|, 1))``; f and o are sigmoids, i is an exponential, all of the input alone. The
    divisor can be a small difference of large terms, which makes the quotient very large. So ``norm`` normalizes the D numbers
    of each head at each step to mean 0 and variance 1, and multiplies each by a learned factor, initially 0.1.
    Up to 64 steps are one product of matrices, which continues from the state before them.

    Sizes: B batch, N heads, D = U / N. The states are C (B, N, D, D), n (B, N, D) and m (B, N), where C and n stand for
    ``C exp(m)`` and ``n exp(m)``.

    Args:
        units: U.
        num_heads: N.

    Raises:
        ConfigError: If ``units`` is not a multiple of ``num_heads``, or equal to it, or T is unknown.

    References:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024, section 2.3 and appendix A.
        Wu & He, "Group Normalization", ECCV 2018.

    Examples:
        >>> import numpy as np
        >>> outputs, *states = MLSTM(8, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), [tuple(state.shape) for state in states]
        ((2, 5, 8), [(2, 4, 2, 2), (2, 4, 2), (2, 4)])
    """

    def __init__(self, units: int, *, num_heads: int = 4, **kwargs: Any) -> None:
        _check_heads(units, num_heads)
        if units == num_heads:
            raise ConfigError(f"units={units} leaves each of num_heads={num_heads} one number, which is 0 when normalized: "
                              "raise units or lower num_heads")  # fmt: skip
        super().__init__(units, **kwargs)
        self.num_heads = num_heads

    def build(self, x_shape: tuple) -> None:
        features, heads = x_shape[-1], self.num_heads
        for part in ("query", "key", "value", "output"):
            setattr(self, f"{part}_kernel", self.add_weight(shape=(features, self.units), name=f"{part}_kernel"))
            bias = self.add_weight(shape=(self.units,), initializer="zeros", name=f"{part}_bias")
            setattr(self, f"{part}_bias", bias)
        self.gate_kernel = self.add_weight(shape=(features, 2 * heads), initializer="zeros", name="gate_kernel")
        self.gate_bias = self.add_weight(shape=(2 * heads,), initializer=self._initial_gate_bias, name="gate_bias")
        self.norm_scale = self.add_weight(
            shape=(self.units,), initializer=keras.initializers.Constant(0.1), name="norm_scale"
        )

    def _initial_gate_bias(self, shape: tuple, dtype: Any = None) -> Tensor:
        return ops.concatenate([ops.zeros((self.num_heads,), dtype=dtype), _forget_bias(self.num_heads, dtype)])

    def _state_shapes(self) -> list[tuple[int, ...]]:
        heads, size = self.num_heads, self.units // self.num_heads
        return [(heads, size, size), (heads, size), (heads,)]

    def _heads(self, x: Tensor, part: str) -> Tensor:
        """Compute queries, keys or values ``(B, N, T, D)``."""
        whole = ops.matmul(x, getattr(self, f"{part}_kernel")) + getattr(self, f"{part}_bias")
        size = self.units // self.num_heads
        return ops.transpose(ops.reshape(whole, (-1, x.shape[1], self.num_heads, size)), (0, 2, 1, 3))

    def _run(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        steps, size = x.shape[1], self.units // self.num_heads
        q, k, v = (self._heads(x, part) for part in ("query", "key", "value"))
        gates = ops.transpose(ops.matmul(x, self.gate_kernel) + self.gate_bias, (0, 2, 1))
        i, f = gates[:, : self.num_heads], ops.log_sigmoid(gates[:, self.num_heads :])
        k = k / size**0.5
        outputs = []
        for start in range(0, steps, _CHUNK):
            part = slice(start, min(start + _CHUNK, steps))
            h, states = _chunk([a[:, :, part] for a in (q, k, v, i, f)], states)
            outputs.append(h)
        h = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=2)
        h = ops.reshape(ops.transpose(_standardized(h), (0, 2, 1, 3)), (-1, steps, self.units)) * self.norm_scale
        return ops.sigmoid(ops.matmul(x, self.output_kernel) + self.output_bias) * h, states


def _standardized(x: Tensor) -> Tensor:
    """Normalize to mean 0 and variance 1 along the last axis."""
    centered = x - ops.mean(x, axis=-1, keepdims=True)
    return centered * ops.rsqrt(ops.mean(ops.square(centered), axis=-1, keepdims=True) + _EPSILON)


def _chunk(inputs: list[Tensor], states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Return outputs ``(B, N, T, D)`` and final states, from q, k, v ``(B, N, T, D)`` and log gates ``(B, N, T)``."""
    q, k, v, i, f = inputs
    memory, norm, m = states
    steps = q.shape[2]
    decay = ops.cumsum(f, axis=-1)
    since = ops.expand_dims(decay, -1) + ops.expand_dims(i - decay, -2)  # (B, N, T, T): step s as seen from step t
    since = ops.where(ops.tril(ops.ones((steps, steps), dtype="bool")), since, LOG_ZERO)
    before = decay + ops.expand_dims(m, -1)
    m = ops.stop_gradient(ops.maximum(ops.max(since, axis=-1), before))  # (B, N, T)
    weights, before = ops.exp(since - ops.expand_dims(m, -1)), ops.expand_dims(ops.exp(before - m), -1)
    scores = weights * ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
    read = ops.matmul(scores, v) + before * ops.matmul(q, memory)
    size = ops.sum(scores, axis=-1, keepdims=True) + before * ops.matmul(q, ops.expand_dims(norm, -1))
    one = ops.exp(ops.minimum(-ops.expand_dims(m, -1), 80.0))  # 1, in the scale of m
    written = ops.expand_dims(weights[:, :, -1], -1) * k
    memory = before[:, :, -1:] * memory + ops.matmul(ops.transpose(written, (0, 1, 3, 2)), v)
    norm = before[:, :, -1] * norm + ops.sum(written, axis=2)
    return read / ops.maximum(ops.abs(size), one), [memory, norm, m[:, :, -1]]
