"""Encoders of sequences of different lengths, which skip the padding.

Sizes: B batch, S source positions, F features, U units.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks.cells import MaskedCell, recurrent
from lstmzoo.layers import Dropout


class BidirectionalEncoder:
    """Stacked pairs of recurrent layers, one reading forwards and one backwards.

    Args:
        make: Makes a recurrent layer that returns sequences and states, from ``name`` and ``go_backwards``.
        num_layers: Number of pairs.
        dropout: Rate between the pairs.
        name: Prefix of the layers' names.
    """

    def __init__(self, make: Callable[..., keras.layers.Layer], *, num_layers: int, dropout: float, name: str) -> None:
        self._pairs = [
            (make(name=f"{name}_forward_{i}"), make(name=f"{name}_backward_{i}", go_backwards=True))
            for i in range(num_layers)
        ]
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Tensor, mask: Tensor) -> tuple[Tensor, State]:
        """From ``(B, S, F)`` to ``(B, S, 2 U)``, and the final states of the last layer that reads backwards."""
        first: State = []
        for i, (forward, backward) in enumerate(self._pairs):
            x = self._dropouts[i - 1](x) if i else x
            forth, *_ = forward(x, mask=mask)
            back, *first = backward(x, mask=mask)
            x = ops.concatenate([forth, ops.flip(back, axis=1)], axis=-1)
        return x, first


class MaskedStack:
    """Stacked recurrent layers with dropout between them, which skip the padding.

    Args:
        backwards: Whether to read each sequence from its end. The other arguments are those of :class:`RecurrentStack`.
    """

    def __init__(
        self, *, cell: MaskedCell, units: int, num_layers: int, dropout: float, name: str, backwards: bool = False
    ) -> None:
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        self._layers = [recurrent(cell, units, name=f"{name}_{i}", **options) for i in range(num_layers)]
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Tensor, mask: Tensor) -> tuple[Tensor, State]:
        """From ``(B, S, F)`` to ``(B, S, U)``, in the order of the source, and each layer's final states."""
        final = []
        for i, layer in enumerate(self._layers):
            x, *state = layer(self._dropouts[i - 1](x) if i else x, mask=mask)
            x = ops.flip(x, axis=1) if layer.go_backwards else x
            final.append(state)
        return x, final


def residual_encoder(x: Tensor, layers: Sequence[Callable], dropouts: Sequence[Callable], mask: Tensor) -> Tensor:
    """Run ``(B, S, U)`` through layers, with residual connections from the second layer on."""
    for i, (layer, drop) in enumerate(zip(layers, dropouts, strict=True)):
        y, *_ = layer(drop(x), mask=mask)
        x = x + y if i else y
    return x
