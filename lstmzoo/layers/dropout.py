"""Dropout and Gumbel noise. Their random numbers are hashes, which cost next to nothing under XLA."""

import math
from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.errors import ConfigError


@keras.saving.register_keras_serializable(package="lstmzoo")
class Dropout(keras.layers.Dropout):
    """Keras' dropout, with a mask that is a hash of each element's number and the seed generator's next state.

    Keras leaves the algorithm of random numbers to the backend. On a CPU, compiled by XLA, TensorFlow's algorithm takes many
    times as long as the rest of a small network's step.

    Args:
        rate: Share of the inputs to set to zero; the others are divided by ``1 - rate``.

    References:
        Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
        Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

    Examples:
        >>> import numpy as np
        >>> kept = ops.convert_to_numpy(Dropout(0.25, seed=1)(np.ones((100, 100), "float32"), training=True))
        >>> np.unique(kept).round(2), abs((kept > 0).mean() - 0.75) < 0.02
        (array([0.  , 1.33], dtype=float32), np.True_)
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """From inputs of any shape to outputs of that shape; the inputs themselves unless in training."""
        if not training or self.rate == 0:
            return inputs
        return _dropped(inputs, _numbered(self._mask_shape(ops.shape(inputs))), self.rate, self.seed_generator)

    @staticmethod
    def _mask_shape(shape: tuple) -> tuple:
        return shape


@keras.saving.register_keras_serializable(package="lstmzoo")
class LockedDropout(Dropout):
    """Dropout of inputs ``(B, T, F)`` with one mask for all steps of a sequence.

    Args:
        rate: Share of each sequence's features to set to zero; the others are divided by ``1 - rate``.

    References:
        Gal & Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", NeurIPS 2016.
        Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018, section 4.2.

    Examples:
        >>> import numpy as np
        >>> kept = ops.convert_to_numpy(LockedDropout(0.5, seed=1)(np.ones((2, 3, 8), "float32"), training=True))
        >>> (kept == kept[:, :1]).all(), np.unique(kept)
        (np.True_, array([0., 2.], dtype=float32))
    """

    @staticmethod
    def _mask_shape(shape: tuple) -> tuple:
        return (shape[0], 1, shape[2])


@keras.saving.register_keras_serializable(package="lstmzoo")
class EmbeddingDropout(keras.layers.Dropout):
    """Dropout of whole words: a dropped id of the vocabulary is dropped everywhere in the batch.

    Args:
        rate: Share of the vocabulary whose vectors to set to zero; the others are divided by ``1 - rate``.

    References:
        Gal & Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", NeurIPS 2016.
        Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018, section 4.3.

    Examples:
        >>> import numpy as np
        >>> tokens = np.array([[3, 7, 3], [8, 3, 7]])
        >>> vectors = EmbeddingDropout(0.5, seed=2)(np.ones((2, 3, 4), "float32"), tokens, training=True)
        >>> ops.convert_to_numpy(vectors)[:, :, 0]
        array([[0., 2., 0.],
               [2., 0., 2.]], dtype=float32)
    """

    def call(self, vectors: Tensor, tokens: Tensor, training: bool = False) -> Tensor:
        """From vectors ``(B, T, E)`` of tokens ``(B, T)`` to ``(B, T, E)``; the vectors themselves unless in training."""
        if not training or self.rate == 0:
            return vectors
        numbers = ops.expand_dims(ops.cast(tokens, "int32"), -1)
        return _dropped(vectors, numbers, self.rate, self.seed_generator)

    def compute_output_shape(self, vectors_shape: tuple, tokens_shape: tuple) -> tuple:
        return vectors_shape


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
        kernel = self.layer.cell.recurrent_kernel
        weights = _dropped(kernel.value, _numbered(kernel.shape), self.rate, self.seed_generator)
        variables = self.layer.variables
        values = [(variable, weights if variable is kernel else variable) for variable in variables]
        with keras.StatelessScope(values, collect_losses=True) as scope:
            before = [scope.get_current_value(variable) for variable in variables]
            outputs = self.layer(sequences, **given)
        self.add_loss(scope.losses)
        for variable, value in zip(variables, before, strict=True):
            if (after := scope.get_current_value(variable)) is not value:  # such as the state of a seed generator
                variable.assign(after)
        return outputs

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


def gumbel(seeds: Tensor, position: Tensor, size: int) -> Tensor:
    """Draw numbers from the standard Gumbel distribution. The largest of log-probabilities plus such noise is a sample.

    Args:
        seeds: ``(B, 2)`` int32.
        position: Scalar int32; each position has its own numbers.
        size: Numbers per seed.

    Returns:
        ``(B, size)``; a row depends on its own seed and the position, not on other rows.

    References:
        Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

    Examples:
        >>> import numpy as np
        >>> noise = ops.convert_to_numpy(gumbel(np.array([[1, 2], [3, 4]], "int32"), 0, 10_000))
        >>> noise.shape, bool(abs(noise.mean() - 0.577) < 0.03), bool(abs(noise.var() - np.pi**2 / 6) < 0.1)
        ((2, 10000), True, True)
        >>> bool(np.isfinite(ops.convert_to_numpy(gumbel(np.array([[869, 99]], "int32"), 124, 144_160))).all())
        True
    """
    seeds = ops.convert_to_tensor(seeds, dtype="int32")
    place = _mixed(ops.cast(position, "int32") * -1640531527 + 1)
    start = ops.expand_dims(_mixed(_mixed(seeds[:, 0] + place) + seeds[:, 1]), -1)
    bits = _mixed(ops.arange(size, dtype="int32") * -1640531527 + start)
    uniform = (ops.cast(_shifted(bits, 9), "float32") + 0.5) / 2**23  # exact in 24 bits, so never 0 or 1
    return -ops.log(-ops.log(uniform))


def _numbered(shape: tuple) -> Tensor:
    """The numbers 0, 1, 2, ... in a shape."""
    return ops.reshape(ops.arange(math.prod(shape), dtype="int32"), shape)


def _dropped(x: Tensor, numbers: Tensor, rate: float, seeds: keras.random.SeedGenerator) -> Tensor:
    """Divide ``x`` by ``1 - rate``, or set it to zero, by a hash of its number and the next seed.

    Args:
        x: Any shape.
        numbers: int32, broadcast against ``x``. Equal numbers are dropped together.
        rate: Share of the numbers to drop.
        seeds: Advances by one state.
    """
    seed = ops.cast(seeds.next(), "int32")
    start = _mixed(_mixed(seed[0]) + seed[1])
    noise = _mixed(_mixed(numbers * -1640531527 + start) + start)
    kept = noise >= int(rate * 2**32) - 2**31
    return ops.where(kept, x / (1 - rate), ops.zeros_like(x))


def _mixed(x: Tensor) -> Tensor:
    """Apply MurmurHash3's 32-bit finalizer to int32, whose products wrap."""
    x = ops.bitwise_xor(x, _shifted(x, 16)) * -2048144789
    x = ops.bitwise_xor(x, _shifted(x, 13)) * -1028477387
    return ops.bitwise_xor(x, _shifted(x, 16))


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Shift to the right, filling with zeros."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)
