"""An LSTM whose input and state gate each other before each step."""

import itertools
from typing import Any

import keras
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.errors import ConfigError
from lstmzoo.layers._base import LoopedLayer


class _MogrifierCell(keras.layers.LSTMCell):
    """One step of :class:`MogrifierLSTM`: the rounds, and then a step of an LSTM.

    Args:
        units: U.
        rounds: Number of rounds, in which the input or the state is gated by the other.
        rank: Rank of the factorised gate weights; 0 for full matrices.
    """

    def __init__(self, units: int, rounds: int, rank: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.rounds = rounds
        self.rank = rank

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        sizes = (self.units, input_shape[-1])
        self.mogrifiers = [
            self._round_kernels(i, *(sizes if i % 2 else sizes[::-1])) for i in range(1, self.rounds + 1)
        ]

    def _round_kernels(self, i: int, size: int, gated: int) -> list[Tensor]:
        """Make the weights from the gating side to the gated one: a matrix, or two factors."""
        sizes = [size, self.rank, gated] if self.rank else [size, gated]
        names = ["left", "right"] if self.rank else ["kernel"]
        return [
            self.add_weight(shape=shape, name=f"mogrifier_{name}_{i}")
            for name, shape in zip(names, itertools.pairwise(sizes), strict=True)
        ]

    def call(self, x: Tensor, states: list[Tensor], training: bool = False) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        for i, kernels in enumerate(self.mogrifiers, start=1):
            gate, gated = (h, x) if i % 2 else (x, h)
            for kernel in kernels:
                gate = ops.matmul(gate, kernel)
            gated = 2 * ops.sigmoid(gate) * gated
            x, h = (gated, h) if i % 2 else (x, gated)
        return super().call(x, [h, c], training=training)


@keras.saving.register_keras_serializable(package="lstmzoo")
class MogrifierLSTM(LoopedLayer):
    """The Mogrifier LSTM: before each step, input and state gate each other in turn, in rounds i = 1, 2, ...

    In odd rounds ``x = 2 sigmoid(Q_i h) * x``, in even rounds ``h = 2 sigmoid(R_i x) * h``. Then x, h and c go through a step of
    an LSTM, whose forget bias starts at 1. The layer has the interface of ``keras.layers.LSTM``, and the states h and c (B, U).

    Args:
        units: U.
        rounds: Number of rounds. 0 makes a plain LSTM; the paper's models have 4 to 6.
        rank: Rank of the ``Q_i`` and ``R_i`` as products of two matrices; 0 for full matrices.

    Raises:
        ConfigError: If ``rounds`` or ``rank`` is negative.

    References:
        Melis, Kočiský & Blunsom, "Mogrifier LSTM", ICLR 2020.

    Examples:
        >>> import numpy as np
        >>> outputs, h, c = MogrifierLSTM(4, 5, return_sequences=True, return_state=True)(np.ones((2, 5, 3), "float32"))
        >>> tuple(outputs.shape), tuple(h.shape), tuple(c.shape)
        ((2, 5, 4), (2, 4), (2, 4))
    """

    def __init__(self, units: int, rounds: int, rank: int = 0, **kwargs: Any) -> None:
        hyperparameters = {"units": units, "rounds": rounds, "rank": rank}
        for name in ("rounds", "rank"):
            if hyperparameters[name] < 0:
                raise ConfigError(f"{name}={hyperparameters[name]} is negative: give 0 or more")
        cell = _MogrifierCell(**hyperparameters, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(cell, hyperparameters, **kwargs)
