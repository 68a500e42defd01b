"""Attention of decoder states over encoder states."""

from typing import Any, Literal, get_args

import keras
from keras import ops

Score = Literal["additive", "dot", "general", "concat"]
SCORES: tuple[Score, ...] = get_args(Score)


@keras.saving.register_keras_serializable(package="lstmzoo")
class Attention(keras.layers.Layer):
    """Each query's weighted mean of the memory.

    The weights are the softmax over the memory of a score of query q and key k:

    ========  ===============================  ==========================
    score     formula                          source
    ========  ===============================  ==========================
    additive  ``v . tanh(W q + U k)``          Bahdanau et al. 2014
    dot       ``q . k``                        Luong et al. 2015
    general   ``q . (W k)``                    Luong et al. 2015
    concat    ``v . tanh(W [q; k] + b)``       Luong et al. 2015
    ========  ===============================  ==========================

    Sizes: B batch, S memory steps, T queries, U units of the queries and the memory.

    Args:
        score: Name of the score.
        units: Width of the hidden layer of the ``additive`` and ``concat`` scores.

    Raises:
        ValueError: If the score is unknown.

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015.
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.

    Examples:
        >>> import numpy as np
        >>> attend = Attention(score="dot", units=4)
        >>> context, weights = attend(np.ones((2, 3, 8), "float32"), np.ones((2, 5, 8), "float32"))
        >>> tuple(context.shape), tuple(weights.shape)
        ((2, 3, 8), (2, 3, 5))
    """

    def __init__(self, *, score: str, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"unknown attention score {score!r}; valid: {', '.join(SCORES)}")
        self.score = score
        self.units = units

    def build(self, query_shape: tuple, memory_shape: tuple) -> None:
        query, memory = query_shape[-1], memory_shape[-1]
        if self.score == "general":
            self.key_kernel = self.add_weight(shape=(memory, query), name="key_kernel")
        elif self.score != "dot":
            self.query_kernel = self.add_weight(shape=(query, self.units), name="query_kernel")
            self.key_kernel = self.add_weight(shape=(memory, self.units), name="key_kernel")
            self.energy = self.add_weight(shape=(self.units, 1), name="energy")
        if self.score == "concat":
            self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, query: Any, memory: Any) -> tuple[Any, Any]:
        """Context ``(B, T, U)`` and weights ``(B, T, S)`` for queries ``(B, T, U)`` and a memory ``(B, S, U)``."""
        weights = ops.softmax(self._scores(query, memory), axis=-1)
        return ops.matmul(weights, memory), weights

    def _scores(self, query: Any, memory: Any) -> Any:
        if self.score in ("dot", "general"):
            keys = memory if self.score == "dot" else ops.matmul(memory, self.key_kernel)
            return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))
        queries = ops.matmul(query, self.query_kernel)
        if self.score == "concat":
            queries = queries + self.bias
        hidden = ops.tanh(ops.expand_dims(queries, 2) + ops.expand_dims(ops.matmul(memory, self.key_kernel), 1))
        return ops.squeeze(ops.matmul(hidden, self.energy), -1)

    def compute_output_shape(self, query_shape: tuple, memory_shape: tuple) -> tuple[tuple, tuple]:
        return (*query_shape[:-1], memory_shape[-1]), (*query_shape[:-1], memory_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "score": self.score, "units": self.units}
