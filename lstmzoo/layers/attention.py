"""Attention of decoder states over encoder states."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.errors import ConfigError
from lstmzoo.layers._base import LOG_ZERO, ConfiguredLayer

Score = Literal["additive", "dot", "general", "concat"]
SCORES: tuple[Score, ...] = get_args(Score)


@keras.saving.register_keras_serializable(package="lstmzoo")
class Attention(ConfiguredLayer):
    """Attention: for each query, a weighted mean of the memory.

    The weights are the softmax over the memory of a score of query q and key k:

    ========  ===============================  ==========================
    score     formula                          source
    ========  ===============================  ==========================
    additive  ``v . tanh(W q + U k)``          Bahdanau et al. 2014
    dot       ``q . k``                        Luong et al. 2015
    general   ``q . (W k)``                    Luong et al. 2015
    concat    ``v . tanh(W [q; k] + b)``       Luong et al. 2015
    ========  ===============================  ==========================

    With several heads, each has its own slice of the hidden layer of the ``additive`` score, its own v and its own softmax. It
    averages its slice of ``memory @ value_kernel``. The context is the concatenation of these averages.

    Sizes: B batch, S memory steps, T queries, Q units of the queries, M units of the memory.

    Args:
        score: Name of the score.
        units: Width of the hidden layer of the ``additive`` and ``concat`` scores.
        heads: Number of heads; more than one only with the ``additive`` score.

    Raises:
        ValueError: If the score is unknown.
        ConfigError: If ``heads`` does not divide ``units`` and M, or there are several with another score than ``additive``.

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
        Chen et al., "The Best of Both Worlds: Combining Recent Advances in Neural Machine Translation", ACL 2018, section 4.

    Examples:
        >>> import numpy as np
        >>> attend = Attention(score="dot", units=4)
        >>> context, weights = attend(np.ones((2, 3, 8), "float32"), np.ones((2, 5, 8), "float32"))
        >>> tuple(context.shape), tuple(weights.shape)
        ((2, 3, 8), (2, 3, 5))
    """

    def __init__(self, *, score: str, units: int, heads: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"unknown attention score {score!r}; valid: {', '.join(SCORES)}")
        if heads != 1 and score != "additive":
            raise ConfigError(f"score={score!r} has one head, got heads={heads}: give heads=1, or score='additive'")
        if heads < 1 or units % heads:
            raise ConfigError(f"units={units} is not a multiple of heads={heads}: change one of them")
        self.score = score
        self.units = units
        self.heads = heads

    def build(self, query_shape: tuple, memory_shape: tuple) -> None:
        query, memory = query_shape[-1], memory_shape[-1]
        if memory % self.heads:
            raise ConfigError(
                f"a memory of {memory} units cannot be divided among heads={self.heads}: change one of them"
            )
        if self.score == "general":
            self.key_kernel = self.add_weight(shape=(memory, query), name="key_kernel")
        elif self.score != "dot":
            self.query_kernel = self.add_weight(shape=(query, self.units), name="query_kernel")
            self.key_kernel = self.add_weight(shape=(memory, self.units), name="key_kernel")
            self.energy = self.add_weight(shape=(self.units, 1), name="energy")
        if self.score == "concat":
            self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        if self.heads > 1:
            self.value_kernel = self.add_weight(shape=(memory, memory), name="value_kernel")

    def call(self, query: Tensor, memory: Tensor, mask: Tensor = None, keys: Tensor = None) -> tuple[Tensor, Tensor]:
        """Return contexts ``(B, T, M)`` and weights ``(B, T, S)``, averaged over the heads.

        Args:
            query: ``(B, T, Q)``.
            memory: ``(B, S, M)``.
            mask: bool ``(B, S)``, False at the padding, whose weight is 0. Each row has at least one True.
            keys: The result of :meth:`project` for the memory, if it is known already.
        """
        return self.reader(memory, mask, keys)(query)

    def project(self, memory: Tensor) -> Tensor:
        """Compute the keys ``(B, S, any)`` of a memory ``(B, S, M)``, which are the same for all queries.

        With several heads, the values are concatenated to the keys.
        """
        if self.score == "dot":
            return memory
        keys = ops.matmul(memory, self.key_kernel)
        return keys if self.heads == 1 else ops.concatenate([keys, ops.matmul(memory, self.value_kernel)], axis=-1)

    def reader(
        self, memory: Tensor, mask: Tensor = None, keys: Tensor = None
    ) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Return :meth:`call` for one memory, ``query -> (contexts, weights)``. Weights are read now, not in a loop."""
        keys = self.project(memory) if keys is None else keys
        values = memory
        if self.heads > 1:
            keys, values = keys[..., : self.units], keys[..., self.units :]
        values = ops.stack(ops.split(values, self.heads, axis=-1), axis=1)
        score, weigh = self._scorer(keys), self._weigher(memory, mask)

        def read(query: Tensor) -> tuple[Tensor, Tensor]:
            weights = weigh(query, score(query))
            contexts = ops.unstack(ops.matmul(weights, values), self.heads, axis=1)
            return ops.concatenate(contexts, axis=-1), ops.mean(weights, axis=1)

        return read

    def _scorer(self, keys: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function from queries ``(B, T, Q)`` to scores ``(B, heads, T, S)``."""
        if self.score in ("dot", "general"):
            keys = ops.transpose(keys, (0, 2, 1))
            return lambda query: ops.expand_dims(ops.matmul(query, keys), 1)
        kernel, keys = ops.copy(self.query_kernel), ops.expand_dims(keys, 1)
        bias = ops.copy(self.bias) if self.score == "concat" else 0.0
        own = np.repeat(np.eye(self.heads, dtype="float32"), self.units // self.heads, axis=0)
        energies = self.energy * ops.cast(own, self.compute_dtype)  # (units, heads), each zero outside its slice

        def score(query: Tensor) -> Tensor:
            hidden = ops.tanh(ops.expand_dims(_times(query, kernel) + bias, 2) + keys)
            return ops.einsum("btsu,uh->bhts", hidden, energies)

        return score

    def _weigher(self, memory: Tensor, mask: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function from queries ``(B, T, Q)`` and scores ``(B, heads, T, S)`` to weights of the scores' shape."""
        if mask is None:
            return lambda query, scores: ops.softmax(scores, axis=-1)
        real = ops.expand_dims(mask, (1, 2))
        return lambda query, scores: ops.softmax(ops.where(real, scores, LOG_ZERO), axis=-1)

    def compute_mask(self, query: Tensor, previous_mask: Tensor) -> None:
        """None: the mask is that of the memory, and the outputs have none."""

    def compute_output_shape(self, query_shape: tuple, memory_shape: tuple) -> tuple[tuple, tuple]:
        return (*query_shape[:-1], memory_shape[-1]), (*query_shape[:-1], memory_shape[1])


@keras.saving.register_keras_serializable(package="lstmzoo")
class LocalAttention(Attention):
    """Attention to the positions near one that each query predicts: local-p.

    In a memory of L positions, query q predicts the position ``p = L sigmoid(v . tanh(W q))``. The softmax of the scores is over
    the positions s from ``p - D`` to ``p + D``, or over the nearest one if there is none. The weights are the softmax times
    ``exp(-(s - p)^2 / (2 (D / 2)^2))``; as published, they no longer sum to 1.

    Args:
        window: D.
        units: Width of the hidden layer that predicts positions, and of the ``additive`` and ``concat`` scores.
        score: As in :class:`Attention`.

    Raises:
        ValueError: If the score is unknown.
        ConfigError: If the window is less than 1.

    References:
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015, section 3.2.

    Examples:
        >>> import numpy as np
        >>> attend = LocalAttention(window=2, units=4)
        >>> context, weights = attend(np.ones((2, 3, 8), "float32"), np.ones((2, 9, 8), "float32"))
        >>> tuple(context.shape), int((ops.convert_to_numpy(weights) > 0).sum(-1).max()) <= 5
        ((2, 3, 8), True)
    """

    def __init__(self, *, window: int, units: int, score: str = "general", **kwargs: Any) -> None:
        super().__init__(score=score, units=units, **kwargs)
        if window < 1:
            raise ConfigError(f"window={window} is less than 1: give 1 or more")
        self.window = window

    def build(self, query_shape: tuple, memory_shape: tuple) -> None:
        super().build(query_shape, memory_shape)
        self.place_kernel = self.add_weight(shape=(query_shape[-1], self.units), name="place_kernel")
        self.place_energy = self.add_weight(shape=(self.units, 1), name="place_energy")

    def _weigher(self, memory: Tensor, mask: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        kernel, energy = ops.copy(self.place_kernel), ops.copy(self.place_energy)
        real = ops.ones(ops.shape(memory)[:2], dtype="bool") if mask is None else mask
        length = ops.expand_dims(ops.sum(ops.cast(real, "float32"), axis=1), (1, 2))
        real = ops.expand_dims(real, 1)
        places = ops.arange(ops.shape(memory)[1], dtype="float32")

        def weigh(query: Tensor, scores: Tensor) -> Tensor:
            hidden = ops.tanh(_times(query, kernel))
            distance = ops.abs(places - length * ops.sigmoid(ops.cast(_times(hidden, energy), "float32")))
            nearest = ops.min(ops.where(real, distance, -LOG_ZERO), axis=-1, keepdims=True)
            near = ops.logical_and(real, distance <= ops.maximum(nearest, self.window))
            weights = ops.softmax(ops.where(ops.expand_dims(near, 1), scores, LOG_ZERO), axis=-1)
            decay = ops.exp(-2 * ops.square(distance / self.window))
            return weights * ops.cast(ops.expand_dims(decay, 1), weights.dtype)

        return weigh


def _times(x: Tensor, kernel: Tensor) -> Tensor:
    """Multiply ``(B, T, Q)`` by ``(Q, any)`` as matrices: XLA cannot compile the gradient of a 3-D product in a loop."""
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    return ops.reshape(flat, (*ops.shape(x)[:2], flat.shape[-1]))
