"""Stacks of recurrent layers: those that read a sequence of known length, and those that skip the padding.

Sizes: B batch, T time, S source positions, F features, U units.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks.cells import Cell, MaskedCell, recurrent
from lstmzoo.layers import DilatedLSTM, Dropout


def run_stack(
    layers: Sequence[keras.layers.Layer], dropouts: Sequence[keras.layers.Layer], x: Tensor, states: State | None,
    *, residual: bool = False,
) -> tuple[Tensor, State]:  # fmt: skip
    """Run recurrent layers one after the other, with a dropout between each two.

    If ``residual``, there are residual connections from the second layer on.

    Returns:
        The outputs of the last layer and the final states of each layer.
    """
    final = []
    for i, layer in enumerate(layers):
        y, *state = layer(dropouts[i - 1](x) if i else x, initial_state=None if states is None else states[i])
        x = x + y if residual and i else y
        final.append(state)
    return x, final


class RecurrentStack:
    """Stacked recurrent layers with dropout between them.

    Args:
        cell: Name of the cell.
        units: U, size of each hidden state.
        num_layers: Number of recurrent layers.
        dropout: Rate between the layers.
        name: Prefix of the layers' names.
        return_sequences: Whether to return all outputs ``(B, T, U)``, or the last ``(B, U)``.
    """

    def __init__(
        self, *, cell: Cell, units: int, num_layers: int, dropout: float, name: str, return_sequences: bool = True
    ) -> None:
        self._layers = [
            recurrent(
                cell, units, name=f"{name}_{i}", return_sequences=return_sequences or i < num_layers - 1,
                return_state=True,
            )
            for i in range(num_layers)
        ]  # fmt: skip
        self._dropouts = _dropouts(dropout, name, num_layers)

    def __call__(self, x: Tensor, states: State | None = None) -> tuple[Tensor, State]:
        """From ``(B, T, F)`` and each layer's initial states to outputs and each layer's final states."""
        return run_stack(self._layers, self._dropouts, x, states)


class BidirectionalStack:
    """Stacked recurrent layers, each reading in both directions, with dropout between them.

    The arguments are those of :class:`RecurrentStack`; the outputs of the two directions are concatenated.
    """

    def __init__(
        self, *, cell: Cell, units: int, num_layers: int, dropout: float, name: str, return_sequences: bool = True
    ) -> None:
        self._layers = []
        for i in range(num_layers):
            whole = return_sequences or i < num_layers - 1
            forward = recurrent(cell, units, name=f"{name}_{i}", return_sequences=whole)
            backward = recurrent(cell, units, name=f"{name}_{i}_backward", return_sequences=whole, go_backwards=True)
            both = keras.layers.Bidirectional(forward, backward_layer=backward, name=f"{name}_{i}_both")
            self._layers.append(both)
        self._dropouts = _dropouts(dropout, name, num_layers)

    def __call__(self, x: Tensor, states: State | None = None) -> tuple[Tensor, State | None]:
        """From ``(B, T, F)`` to outputs, and None: a stack that reads backwards has no state to resume from."""
        for i, layer in enumerate(self._layers):
            x = layer(self._dropouts[i - 1](x) if i else x)
        return x, None


class ResidualStack:
    """Residual blocks and a normalization.

    A block is ``x + rnn(norm(x))``, and then ``x + feed_forward(norm(x))``.

    Args:
        cell: Name of the cell.
        units: U, width of the blocks.
        num_layers: Number of blocks.
        dropout: Rate at each block's two outputs.
        expansion: Width of the feed-forward layers, as a multiple of U.
        return_sequences: Whether to return all outputs ``(B, T, U)``, or the last ``(B, U)``.
    """

    def __init__(
        self, *, cell: Cell, units: int, num_layers: int, dropout: float, expansion: int, return_sequences: bool = True
    ) -> None:
        self._blocks = [_ResidualBlock(cell, units, dropout, expansion, f"block_{i}") for i in range(num_layers)]
        self._norm = keras.layers.LayerNormalization(name="norm")
        self._return_sequences = return_sequences

    def __call__(self, x: Tensor, states: State | None) -> tuple[Tensor, State]:
        """From ``(B, T, U)`` and each block's initial states to outputs and each block's final states."""
        final = []
        for i, block in enumerate(self._blocks):
            x, state = block(x, None if states is None else states[i])
            final.append(state)
        return self._norm(x if self._return_sequences else x[:, -1]), final


class _ResidualBlock:
    """A block of a :class:`ResidualStack`."""

    def __init__(self, cell: Cell, units: int, dropout: float, expansion: int, name: str) -> None:
        self._norms = [keras.layers.LayerNormalization(name=f"{name}_norm_{i}") for i in range(2)]
        self._rnn = recurrent(cell, units, name=f"{name}_rnn", return_sequences=True, return_state=True)
        self._wide = keras.layers.Dense(expansion * units, name=f"{name}_wide")
        self._narrow = keras.layers.Dense(units, name=f"{name}_narrow")
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(2)]

    def __call__(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        y, *state = self._rnn(self._norms[0](x), initial_state=state)
        x = x + self._dropouts[0](y)
        wide = ops.gelu(self._wide(self._norms[1](x)), approximate=True)  # ONNX has no exact GELU
        return x + self._dropouts[1](self._narrow(wide)), state


class DilatedStack:
    """Stacked LSTMs whose recurrence skips 1, 2, 4, ... steps, with residual connections from the second layer on.

    The arguments are those of :class:`RecurrentStack`.
    """

    def __init__(self, *, units: int, num_layers: int, dropout: float, name: str) -> None:
        options = {"return_sequences": True, "return_state": True}
        self._layers = [DilatedLSTM(units, dilation=2**i, name=f"{name}_{i}", **options) for i in range(num_layers)]
        self._dropouts = _dropouts(dropout, name, num_layers)

    def __call__(self, x: Tensor, states: State | None = None) -> tuple[Tensor, State]:
        """From ``(B, T, F)`` and each layer's initial states to ``(B, T, U)`` and each layer's final states."""
        return run_stack(self._layers, self._dropouts, x, states, residual=True)


class BidirectionalEncoder:
    """Stacked pairs of recurrent layers, one reading forwards and one backwards, which skip the padding.

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
        self._dropouts = _dropouts(dropout, name, num_layers)

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
    """Stacked recurrent layers with dropout between them, which skip the padding of sequences of different lengths.

    Args:
        backwards: Whether to read each sequence from its end. The other arguments are those of :class:`RecurrentStack`.
    """

    def __init__(
        self, *, cell: MaskedCell, units: int, num_layers: int, dropout: float, name: str, backwards: bool = False
    ) -> None:
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        self._layers = [recurrent(cell, units, name=f"{name}_{i}", **options) for i in range(num_layers)]
        self._dropouts = _dropouts(dropout, name, num_layers)

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


def _dropouts(rate: float, name: str, num_layers: int) -> list[Dropout]:
    """One dropout before each layer but the first."""
    return [Dropout(rate, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]
