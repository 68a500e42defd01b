"""Shared by layers: configs, the logarithm of zero, Keras' loop over time, and the interface of Keras' recurrent layers."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.errors import ConfigError

LOG_ZERO = -1e30  # stands for the logarithm of zero; finite, so that the difference of two is not NaN

Step = Callable[[Tensor, State], tuple[State, list[Tensor]]]  # from inputs (B, ...) and states to outputs and states


class ConfiguredLayer(keras.layers.Layer):
    """A layer whose config is its constructor's arguments, each of which is an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        classes = [cls for cls in type(self).__mro__ if issubclass(cls, ConfiguredLayer) and "__init__" in vars(cls)]
        names = [name for cls in classes for name in inspect.signature(cls.__init__).parameters if hasattr(self, name)]
        return {name: getattr(self, name) for name in names} | super().get_config()


class _Cell:
    """A function as a cell of ``keras.layers.RNN``."""

    state_size = 1  # which Keras asks for; the states are always passed

    def __init__(self, step: Step) -> None:
        self._step = step

    def call(self, inputs: Tensor, states: State) -> tuple[State, list[Tensor]]:
        return self._step(inputs, states)

    __call__ = call


def loop(
    step: Step, sequences: Tensor, states: list[Tensor], mask: Tensor | None = None, **options: bool
) -> tuple[State, State, list[Tensor]]:
    """Run a step in Keras' loop over time, the fastest one of each backend.

    Args:
        step: From the inputs ``(B, any)`` of one step and states to outputs, which may be nested, and states.
        sequences: ``(B, T, any)``.
        states: Before the first step.
        mask: ``(B, T)``, False at the padding, which is skipped.
        **options: Those of ``keras.layers.RNN``, such as ``go_backwards``.

    Returns:
        The last outputs, all outputs ``(B, T, any)`` or, without ``return_sequences``, only the last of them, and the states.

    Examples:
        >>> import numpy as np
        >>> step = lambda x, states: (x + states[0], [x + states[0]])
        >>> last, outputs, _ = loop(step, np.ones((1, 3, 1), "float32"), [np.zeros((1, 1), "float32")], return_sequences=True)
        >>> ops.convert_to_numpy(last).tolist(), ops.convert_to_numpy(outputs)[0, :, 0].tolist()
        ([[3.0]], [1.0, 2.0, 3.0])
    """
    return keras.layers.RNN(_Cell(step), name="loop", **options).inner_loop(sequences, states, mask)


class LoopedLayer(keras.layers.RNN):
    """A cell in Keras' loop over time, with the cell's hyperparameters as the layer's own, as in ``keras.layers.LSTM``.

    Args:
        cell: The cell.
        hyperparameters: The arguments that the cell was made from, by the names of the layer's arguments.
    """

    def __init__(self, cell: keras.layers.Layer, hyperparameters: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._hyperparameters = hyperparameters

    def get_config(self) -> dict[str, Any]:
        config = {key: value for key, value in super().get_config().items() if key != "cell"}
        return {**config, **self._hyperparameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LoopedLayer":
        """Make the layer from the options that :meth:`get_config` returned."""
        return cls(**config)


def check_fixed_steps(layer: keras.layers.Layer, x: Tensor, why: str = "") -> None:
    """Refuse inputs ``(B, T, F)`` of unknown T."""
    if x.shape[1] is None:
        raise ConfigError(
            f"layer {layer.name!r}{why} needs inputs of a fixed number of steps; give keras.Input its length"
        )


class WholeLayer(ConfiguredLayer):
    """A recurrent layer that reads a sequence other than step by step. Its length must be known when the layer is called.

    Sizes: B batch, T time, F features, U units.

    Args:
        units: U.
        return_sequences: Whether to return outputs ``(B, T, U)``, or the last ``(B, U)``.
        return_state: Whether to return the final states too.
    """

    needs_fixed_steps = True

    def __init__(
        self, units: int, *, return_sequences: bool = False, return_state: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.return_sequences = return_sequences
        self.return_state = return_state

    def _state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state, without B."""
        raise NotImplementedError

    def _run(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """From ``(B, T, F)`` and initial states to outputs ``(B, T, U)`` and final states."""
        raise NotImplementedError

    def call(self, x: Tensor, initial_state: State | None = None) -> State:
        check_fixed_steps(self, x)
        if initial_state is None:
            zeros = [ops.zeros((ops.shape(x)[0], *shape), dtype=self.compute_dtype) for shape in self._state_shapes()]
        outputs, states = self._run(x, zeros if initial_state is None else list(initial_state))
        outputs = outputs if self.return_sequences else outputs[:, -1]
        return (outputs, *states) if self.return_state else outputs

    def compute_output_shape(self, x_shape: tuple, initial_state_shape: Any = None) -> tuple:
        output = (*x_shape[:2], self.units) if self.return_sequences else (x_shape[0], self.units)
        states = [(x_shape[0], *shape) for shape in self._state_shapes()]
        return (output, *states) if self.return_state else output
