"""Dropout whose mask costs next to nothing under XLA."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lstmzoo")
class Dropout(keras.layers.Dropout):
    """Keras' dropout, its mask made by a hash of each element's number and the seed generator's next state.

    Keras leaves the random generator's algorithm to the backend; on TensorFlow's CPU, compiled by XLA, that one takes many
    times as long as the rest of a small network's step.

    Args:
        rate: Share of the inputs that are set to zero; the others are divided by ``1 - rate``.

    References:
        Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", JMLR 15, 2014.
        Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.

    Examples:
        >>> import numpy as np
        >>> kept = ops.convert_to_numpy(Dropout(0.25, seed=1)(np.ones((100, 100), "float32"), training=True))
        >>> np.unique(kept).round(2), abs((kept > 0).mean() - 0.75) < 0.02
        (array([0.  , 1.33], dtype=float32), np.True_)
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs of any shape to outputs of that shape; the inputs themselves unless in training."""
        if not training or self.rate == 0:
            return inputs
        seed = ops.cast(self.seed_generator.next(), "int32")
        start = _mixed(_mixed(seed[0]) + seed[1])
        shape = ops.shape(inputs)
        count = 1
        for size in shape:
            count = count * size
        numbers = ops.reshape(ops.arange(count, dtype="int32"), shape)
        noise = _mixed(_mixed(numbers * -1640531527 + start) + start)
        kept = noise >= int(self.rate * 2**32) - 2**31
        return ops.where(kept, inputs / (1 - self.rate), ops.zeros_like(inputs))


def _mixed(x: Any) -> Any:
    """MurmurHash3's 32-bit finalizer, on int32, whose products wrap."""
    x = ops.bitwise_xor(x, _shifted(x, 16)) * -2048144789
    x = ops.bitwise_xor(x, _shifted(x, 13)) * -1028477387
    return ops.bitwise_xor(x, _shifted(x, 16))


def _shifted(x: Any, bits: int) -> Any:
    """To the right, filled with zeros."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)
