"""Attention of each step over the few before it."""

from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers._base import LOG_ZERO, WholeLayer


@keras.saving.register_keras_serializable(package="lstmzoo")
class WindowAttention(WholeLayer):
    """Attention of each step, with one head, to the ``window`` steps before it, not to itself or to later steps.

    The context of step t is the mean of the values ``V x_s``, weighted by the softmax of ``(Q x_t) . (K x_s) / sqrt(U)``, for s
    from t - W to t - 1. The context of the first step is zero.

    Sizes: B batch, T time, F features, U units, W window. The states are the keys and values of the last W steps, (B, W, 2 U),
    the oldest first, and the number of these steps that exist, (B, 1). So a sequence can be read in parts, with the same result.

    Args:
        units: U.
        window: W.

    Raises:
        ConfigError: If T is unknown.

    References:
        Daniluk et al., "Frustratingly Short Attention Spans in Neural Language Modeling", ICLR 2017, section 2.2.
        Merity, "Single Headed Attention RNN: Stop Thinking With Your Head", arXiv:1911.11423, 2019.

    Examples:
        >>> import numpy as np
        >>> layer = WindowAttention(4, 3, return_sequences=True, return_state=True)
        >>> contexts, memory, seen = layer(np.ones((2, 5, 6), "float32"))
        >>> tuple(contexts.shape), tuple(memory.shape), tuple(seen.shape)
        ((2, 5, 4), (2, 3, 8), (2, 1))
    """

    def __init__(self, units: int, window: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.window = window

    def build(self, x_shape: tuple) -> None:
        for part in ("query", "key", "value"):
            setattr(self, f"{part}_kernel", self.add_weight(shape=(x_shape[-1], self.units), name=f"{part}_kernel"))

    def _state_shapes(self) -> list[tuple[int, ...]]:
        return [(self.window, 2 * self.units), (1,)]

    def _run(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        memory, seen = states
        steps, window = x.shape[1], self.window
        written = ops.concatenate([ops.matmul(x, self.key_kernel), ops.matmul(x, self.value_kernel)], axis=-1)
        # (B, W + T, 2 U). Step t of x sees W places, beginning at t.
        memory = ops.concatenate([memory, written], axis=1)
        keys, values = memory[..., : self.units], memory[..., self.units :]
        scores = ops.matmul(ops.matmul(x, self.query_kernel), ops.transpose(keys, (0, 2, 1))) / self.units**0.5
        weights = self._weights(ops.cast(scores, "float32"), self._visible(steps, seen))
        contexts = ops.matmul(ops.cast(weights, values.dtype), values)
        return contexts, [memory[:, steps:], ops.minimum(seen + steps, window)]

    def _visible(self, steps: int, seen: Tensor) -> Tensor:
        """Which places each step sees, ``(B, T, W + T)``; ``seen`` of the first W places belong to steps that exist."""
        places = np.arange(self.window + steps, dtype="float32")
        ahead = places - np.arange(steps)[:, None]
        band = (ahead >= 0) & (ahead < self.window)
        written = ops.add(ops.cast(seen, "float32"), places) >= self.window
        return ops.logical_and(band, ops.expand_dims(written, 1))

    @staticmethod
    def _weights(scores: Tensor, visible: Tensor) -> Tensor:
        """The softmax over visible places; all zeros if there is none."""
        return ops.where(visible, ops.softmax(ops.where(visible, scores, LOG_ZERO), axis=-1), 0.0)
