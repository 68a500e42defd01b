"""Random numbers that depend only on a seed and a position."""

from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.layers.dropout import mixed, shifted


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
    place = mixed(ops.cast(position, "int32") * -1640531527 + 1)
    start = ops.expand_dims(mixed(mixed(seeds[:, 0] + place) + seeds[:, 1]), -1)
    bits = mixed(ops.arange(size, dtype="int32") * -1640531527 + start)
    uniform = (ops.cast(shifted(bits, 9), "float32") + 0.5) / 2**23  # exact in 24 bits, so never 0 or 1
    return -ops.log(-ops.log(uniform))
