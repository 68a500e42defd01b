"""Dropout layers whose masks cost next to nothing under XLA."""

import keras
from keras import ops

from lstmzoo.backend import Tensor


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
        return dropped(inputs, numbered(self._mask_shape(ops.shape(inputs))), self.rate, self.seed_generator)

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
        return dropped(vectors, numbers, self.rate, self.seed_generator)

    def compute_output_shape(self, vectors_shape: tuple, tokens_shape: tuple) -> tuple:
        return vectors_shape


def numbered(shape: tuple) -> Tensor:
    """The numbers 0, 1, 2, ... in a shape."""
    count = 1
    for size in shape:
        count = count * size
    return ops.reshape(ops.arange(count, dtype="int32"), shape)


def dropped(x: Tensor, numbers: Tensor, rate: float, seeds: keras.random.SeedGenerator) -> Tensor:
    """Divide ``x`` by ``1 - rate``, or set it to zero, by a hash of its number and the next seed.

    Args:
        x: Any shape.
        numbers: int32, broadcast against ``x``. Equal numbers are dropped together.
        rate: Share of the numbers to drop.
        seeds: Advances by one state.
    """
    seed = ops.cast(seeds.next(), "int32")
    start = mixed(mixed(seed[0]) + seed[1])
    noise = mixed(mixed(numbers * -1640531527 + start) + start)
    kept = noise >= int(rate * 2**32) - 2**31
    return ops.where(kept, x / (1 - rate), ops.zeros_like(x))


def mixed(x: Tensor) -> Tensor:
    """Apply MurmurHash3's 32-bit finalizer to int32, whose products wrap."""
    x = ops.bitwise_xor(x, shifted(x, 16)) * -2048144789
    x = ops.bitwise_xor(x, shifted(x, 13)) * -1028477387
    return ops.bitwise_xor(x, shifted(x, 16))


def shifted(x: Tensor, bits: int) -> Tensor:
    """Shift to the right, filling with zeros."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)
