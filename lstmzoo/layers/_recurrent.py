"""What recurrent layers have in common, so that each can stand where a stock one stands."""

from typing import Any

import keras
from keras import ops

from lstmzoo.errors import ConfigError


class LoopedLayer(keras.layers.RNN):
    """A cell in Keras' loop over time, with the cell's hyperparameters as the layer's own, as ``keras.layers.LSTM`` has them.

    Args:
        cell: What is stepped.
        hyperparameters: What the cell was made from, by the names of the layer's arguments.
    """

    def __init__(self, cell: keras.layers.Layer, hyperparameters: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self._hyperparameters = hyperparameters

    def get_config(self) -> dict[str, Any]:
        config = {key: value for key, value in super().get_config().items() if key != "cell"}
        return {**config, **self._hyperparameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LoopedLayer":
        """The layer whose options :meth:`get_config` gave."""
        return cls(**config)


class WholeLayer(keras.layers.Layer):
    """A recurrent layer that has another way through time than step by step; T is known when it is called.

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

    def state_shapes(self) -> list[tuple[int, ...]]:
        """Of each state, without B."""
        raise NotImplementedError

    def run(self, x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """From ``(B, T, F)`` and initial states to outputs ``(B, T, U)`` and final states."""
        raise NotImplementedError

    def call(self, x: Any, initial_state: Any = None) -> Any:
        if x.shape[1] is None:
            raise ConfigError(
                f"layer {self.name!r} needs inputs of a fixed number of steps; give keras.Input its length"
            )
        if initial_state is None:
            zeros = [ops.zeros((ops.shape(x)[0], *shape), dtype=self.compute_dtype) for shape in self.state_shapes()]
        outputs, states = self.run(x, zeros if initial_state is None else list(initial_state))
        outputs = outputs if self.return_sequences else outputs[:, -1]
        return (outputs, *states) if self.return_state else outputs

    def compute_output_shape(self, x_shape: tuple, initial_state_shape: Any = None) -> tuple:
        output = (*x_shape[:2], self.units) if self.return_sequences else (x_shape[0], self.units)
        states = [(x_shape[0], *shape) for shape in self.state_shapes()]
        return (output, *states) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("units", "return_sequences", "return_state")}
        return {**super().get_config(), **own}
