"""Dropout of recurrent weights."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.errors import ConfigError
from lstmzoo.layers.dropout import dropped, numbered


@keras.saving.register_keras_serializable(package="lstmzoo")
class WeightDrop(keras.layers.Wrapper):
    """A recurrent layer with dropout of its recurrent weights in training: one mask per call, for all steps.

    The mask is on the weights, not on the states, so the layer is as fast as without it, also in cuDNN. It is called like the
    wrapped layer, and outside training it is the wrapped layer.

    Args:
        layer: ``SimpleRNN``, ``LSTM`` or ``GRU``, or another layer whose cell has a ``recurrent_kernel``.
        rate: Share of the recurrent weights to set to zero; the others are divided by ``1 - rate``.
        seed: Seed of the masks.
        name: None for the wrapped layer's name with ``_weight_drop``.

    Raises:
        ConfigError: If the rate is not in [0, 1), or the layer's cell has no ``recurrent_kernel``.

    References:
        Wan et al., "Regularization of Neural Networks using DropConnect", ICML 2013.
        Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018, section 2.

    Examples:
        >>> import numpy as np
        >>> layer = WeightDrop(keras.layers.LSTM(4, return_state=True, name="lstm"), 0.5)
        >>> output, h, c = layer(np.ones((2, 5, 3), "float32"), training=True)
        >>> layer.name, tuple(output.shape), tuple(c.shape)
        ('lstm_weight_drop', (2, 4), (2, 4))
    """

    def __init__(
        self, layer: keras.layers.Layer, rate: float, *, seed: int | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        if not 0 <= rate < 1:
            raise ConfigError(f"rate={rate} is not in [0, 1): give a share below 1")
        super().__init__(layer, name=name or f"{layer.name}_weight_drop", **kwargs)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = layer.supports_masking

    def build(self, sequences_shape: tuple, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape)
        if not hasattr(getattr(self.layer, "cell", None), "recurrent_kernel"):
            raise ConfigError(
                f"{type(self.layer).__name__} has no cell with a recurrent_kernel to drop weights of; wrap an LSTM, a GRU or a "
                "SimpleRNN"
            )

    def call(
        self, sequences: Tensor, initial_state: State = None, mask: Tensor = None, training: bool = False
    ) -> Tensor:
        """Call the wrapped layer with the same arguments."""
        given = {"initial_state": initial_state, "mask": mask, "training": training}
        if not training or self.rate == 0:
            return self.layer(sequences, **given)
        cell = self.layer.cell
        kernel = cell.recurrent_kernel
        weights = ops.cast(kernel, cell.compute_dtype)
        # Bypasses the __setattr__ of Keras and of the backends, which would track a tensor, or refuse it.
        cell.__dict__["recurrent_kernel"] = dropped(weights, numbered(kernel.shape), self.rate, self.seed_generator)
        try:
            return self.layer(sequences, **given)
        finally:
            cell.__dict__["recurrent_kernel"] = kernel

    def compute_mask(self, sequences: Tensor, mask: Tensor) -> Tensor:
        """The mask of the wrapped layer."""
        return self.layer.compute_mask(sequences, mask)

    def compute_output_shape(self, sequences_shape: tuple, initial_state_shape: Any = None) -> Tensor:
        return self.layer.compute_output_shape(sequences_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # Otherwise it would be built before it is wrapped, and the paths of its weights would differ.
        config["layer"].pop("build_config", None)
        return {**config, "rate": self.rate, "seed": self.seed}
