"""The parts of Temporal Fusion Transformers: gated residual networks, selection of variables, interpretable attention.

References:
    Lim et al., "Temporal Fusion Transformers for Interpretable Multi-horizon Time Series Forecasting",
    Int. J. Forecasting 37(4), 2021; arXiv:1912.09363, 2019.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers._base import ConfiguredLayer
from lstmzoo.layers.dropout import Dropout

_EPSILON = 1e-3  # of the layer normalization


@keras.saving.register_keras_serializable(package="lstmzoo")
class GatedSkip(ConfiguredLayer):
    """``LayerNorm(skip + GLU(dropout(x)))``, where ``GLU(x) = sigmoid(W x + b) * (V x + c)``.

    Args:
        dropout: Rate.
        normalize: Whether to normalize the sum.
        num_variables: V; if given, inputs are ``(V, N, any)``, and each variable has weights of its own.

    References:
        Dauphin et al., "Language Modeling with Gated Convolutional Networks", ICML 2017.

    Examples:
        >>> x, skip = np.ones((2, 3, 4), "float32"), np.ones((2, 3, 8), "float32")
        >>> tuple(GatedSkip(dropout=0.1)(x, skip).shape)
        (2, 3, 8)
    """

    def __init__(
        self, *, dropout: float, normalize: bool = True, num_variables: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.dropout = dropout
        self.normalize = normalize
        self.num_variables = num_variables
        self._dropout = Dropout(dropout, name="dropout")

    def build(self, x_shape: tuple, skip_shape: tuple) -> None:
        inputs, units = x_shape[-1], skip_shape[-1]
        self.kernel = _kernel(self, "kernel", inputs, 2 * units, fan_out=units)
        self.bias = _vector(self, "bias", 2 * units)
        if self.normalize:
            self.scale = _vector(self, "scale", units, initializer="ones")
            self.shift = _vector(self, "shift", units)

    def call(self, x: Tensor, skip: Tensor, training: bool | None = None) -> Tensor:
        """From ``(..., I)`` and ``(..., U)`` to ``(..., U)``."""
        value, gate = ops.split(ops.matmul(self._dropout(x, training=training), self.kernel) + self.bias, 2, axis=-1)
        x = skip + ops.sigmoid(gate) * value
        if not self.normalize:
            return x
        x = x - ops.mean(x, axis=-1, keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + _EPSILON)
        return x / deviation * self.scale + self.shift

    def compute_output_shape(self, x_shape: tuple, skip_shape: tuple) -> tuple:
        return skip_shape


@keras.saving.register_keras_serializable(package="lstmzoo")
class GatedResidual(ConfiguredLayer):
    """A gated residual network: two dense layers and a gate, with a skip connection.

    ``GatedSkip(W1 elu(W2 x + W3 context + b2) + b1, x)``. If the output differs in size from the input, the skip connection is a
    dense layer.

    Sizes: I input, U hidden layers, O output.

    Args:
        units: U.
        outputs: O; U if None.
        dropout: Rate before the gate.
        normalize: Whether to normalize the output.
        num_variables: V; if given, inputs are ``(V, N, I)``, and each variable has weights of its own.

    Examples:
        >>> x, context = np.ones((2, 3, 4), "float32"), np.ones((2, 1, 5), "float32")
        >>> tuple(GatedResidual(units=8, dropout=0.1)(x, context).shape)
        (2, 3, 8)
    """

    def __init__(
        self, *, units: int, dropout: float, outputs: int | None = None, normalize: bool = True,
        num_variables: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.units = units
        self.dropout = dropout
        self.outputs = units if outputs is None else outputs
        self.normalize = normalize
        self.num_variables = num_variables
        self._gate = GatedSkip(dropout=dropout, normalize=normalize, num_variables=num_variables, name="gate")

    def build(self, x_shape: tuple, context_shape: tuple | None = None) -> None:
        inputs = x_shape[-1]
        self.hidden_kernel = _kernel(self, "hidden_kernel", inputs, self.units)
        self.hidden_bias = _vector(self, "hidden_bias", self.units)
        if context_shape is not None:
            self.context_kernel = _kernel(self, "context_kernel", context_shape[-1], self.units)
        self.inner_kernel = _kernel(self, "inner_kernel", self.units, self.units)
        self.inner_bias = _vector(self, "inner_bias", self.units)
        if inputs != self.outputs:
            self.skip_kernel = _kernel(self, "skip_kernel", inputs, self.outputs)
            self.skip_bias = _vector(self, "skip_bias", self.outputs)
        self._gate.build((*x_shape[:-1], self.units), (*x_shape[:-1], self.outputs))

    def call(self, x: Tensor, context: Tensor = None, training: bool | None = None) -> Tensor:
        """From ``(..., I)``, and a context that broadcasts against it except for the last axis, to ``(..., O)``."""
        hidden = _product(x, self.hidden_kernel) + self.hidden_bias
        if context is not None:
            hidden = hidden + ops.matmul(context, self.context_kernel)
        hidden = ops.matmul(ops.elu(hidden), self.inner_kernel) + self.inner_bias
        skip = x if x.shape[-1] == self.outputs else _product(x, self.skip_kernel) + self.skip_bias
        return self._gate(hidden, skip, training=training)

    def compute_output_shape(self, x_shape: tuple, context_shape: tuple | None = None) -> tuple:
        return (*x_shape[:-1], self.outputs)


@keras.saving.register_keras_serializable(package="lstmzoo")
class VariableSelection(ConfiguredLayer):
    """A weighted mean of variables. Each becomes a vector by a network of its own; the weights depend on all variables.

    Each variable is a number, so its linear embedding is part of the first layer of the gated residual networks. The network of
    the weights ends without normalization, which would keep only the order of two scores. A single variable has the weight 1,
    and no such network. All variables are computed at once.

    Sizes: B batch, T time, V variables, U units.

    Args:
        units: U.
        dropout: Rate in the gated residual networks.

    Examples:
        >>> selected, weights = VariableSelection(units=8, dropout=0.1)(np.ones((2, 3, 5), "float32"))
        >>> tuple(selected.shape), tuple(weights.shape)
        ((2, 3, 8), (2, 3, 5))
    """

    def __init__(self, *, units: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dropout = dropout

    def build(self, x_shape: tuple, context_shape: tuple | None = None) -> None:
        count = x_shape[-1]
        options: Any = {"units": self.units, "dropout": self.dropout}
        self._values = GatedResidual(**options, num_variables=count, name="values")
        self._values.build((count, None, 1))
        self._weights = None
        if count > 1:
            self._weights = GatedResidual(**options, outputs=count, normalize=False, name="weights")
            self._weights.build(x_shape, context_shape)

    def call(self, x: Tensor, context: Tensor = None, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean ``(B, T, U)`` and the weights ``(B, T, V)`` of variables ``(B, T, V)``.

        The optional context is ``(B, 1, C)``. The axis T may be missing everywhere.
        """
        count = x.shape[-1]
        if self._weights is None:
            weights = ops.ones_like(x)
        else:
            weights = ops.softmax(self._weights(x, context, training=training), axis=-1)
        values = self._values(_by_variable(x, count), training=training)
        selected = ops.sum(values * _by_variable(weights, count), axis=0)
        return ops.reshape(selected, (-1, *x.shape[1:-1], self.units)), weights

    def compute_output_shape(self, x_shape: tuple, context_shape: tuple | None = None) -> tuple[tuple, tuple]:
        return (*x_shape[:-1], self.units), x_shape


@keras.saving.register_keras_serializable(package="lstmzoo")
class InterpretableAttention(ConfiguredLayer):
    """Multi-head attention whose heads share their values, so that the mean of the heads' weights explains the output.

    The queries belong to the last T of the S steps of the memory, and see no step after their own.

    Sizes: B batch, S memory steps, T queries, U units of queries and memory.

    Args:
        num_heads: Number of heads; each has U / ``num_heads`` units, rounded up.
        dropout: Rate of the attention weights.

    Examples:
        >>> attend = InterpretableAttention(num_heads=2, dropout=0.1)
        >>> context, weights = attend(np.ones((1, 2, 8), "float32"), np.ones((1, 4, 8), "float32"))
        >>> tuple(context.shape)
        (1, 2, 8)
        >>> ops.convert_to_numpy(weights).round(2)
        array([[[0.33, 0.33, 0.33, 0.  ],
                [0.25, 0.25, 0.25, 0.25]]], dtype=float32)
    """

    def __init__(self, *, num_heads: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.dropout = dropout
        self._dropout = Dropout(dropout, name="dropout")

    def build(self, query_shape: tuple, memory_shape: tuple) -> None:
        units = query_shape[-1]
        size = -(-units // self.num_heads)
        self.query_kernel = self.add_weight(shape=(units, self.num_heads * size), name="query_kernel")
        self.key_kernel = self.add_weight(shape=(memory_shape[-1], self.num_heads * size), name="key_kernel")
        self.value_kernel = self.add_weight(shape=(memory_shape[-1], size), name="value_kernel")
        self.output_kernel = self.add_weight(shape=(size, units), name="output_kernel")

    def call(self, query: Tensor, memory: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Return contexts ``(B, T, U)`` and weights ``(B, T, S)`` of queries ``(B, T, U)`` to a memory ``(B, S, U)``."""
        queries, steps = query.shape[1], memory.shape[1]
        keys = self._heads(ops.matmul(memory, self.key_kernel), steps)
        scores = ops.matmul(self._heads(ops.matmul(query, self.query_kernel), queries), ops.swapaxes(keys, -1, -2))
        unseen = np.triu(np.full((queries, steps), -1e9), k=steps - queries + 1)
        scores = scores / np.sqrt(keys.shape[-1]) + ops.convert_to_tensor(unseen, scores.dtype)
        weights = ops.mean(self._dropout(ops.softmax(scores, axis=-1), training=training), axis=1)
        context = ops.matmul(weights, ops.matmul(memory, self.value_kernel))
        return ops.matmul(context, self.output_kernel), weights

    def _heads(self, x: Tensor, steps: int) -> Tensor:
        """Reshape ``(B, steps, heads * D)`` to ``(B, heads, steps, D)``."""
        return ops.transpose(ops.reshape(x, (-1, steps, self.num_heads, x.shape[-1] // self.num_heads)), (0, 2, 1, 3))

    def compute_output_shape(self, query_shape: tuple, memory_shape: tuple) -> tuple[tuple, tuple]:
        return query_shape, (*query_shape[:-1], memory_shape[1])


def _kernel(layer: Any, name: str, inputs: int, outputs: int, fan_out: int | None = None) -> Tensor:
    """Make a matrix ``(inputs, outputs)``, or one for each variable, with Glorot's initial weights of a single matrix."""
    limit = (6 / (inputs + (fan_out or outputs))) ** 0.5
    lead = () if layer.num_variables is None else (layer.num_variables,)
    initializer = keras.initializers.RandomUniform(-limit, limit)
    return layer.add_weight(shape=(*lead, inputs, outputs), initializer=initializer, name=name)


def _vector(layer: Any, name: str, units: int, initializer: str = "zeros") -> Tensor:
    """Make a vector ``(units,)``, or one ``(1, units)`` for each variable."""
    shape = (units,) if layer.num_variables is None else (layer.num_variables, 1, units)
    return layer.add_weight(shape=shape, initializer=initializer, name=name)


def _product(x: Tensor, kernel: Tensor) -> Tensor:
    """Compute ``x @ kernel``, for single numbers without a matrix product."""
    return x * kernel if x.shape[-1] == 1 and len(kernel.shape) == 3 else ops.matmul(x, kernel)


def _by_variable(x: Tensor, count: int) -> Tensor:
    """Reshape ``(..., V)`` to ``(V, N, 1)``."""
    return ops.reshape(ops.moveaxis(x, -1, 0), (count, -1, 1))
