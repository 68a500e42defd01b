"""Masks of padding, from the lengths of sequences.

Sizes: B batch, T positions.
"""

from keras import ops

from lstmzoo.backend import Tensor


def length_mask(lengths: Tensor, x: Tensor) -> Tensor:
    """Mask the padding of sequences.

    Args:
        lengths: ``(B,)``, of any integer type.
        x: ``(B, T)``, of which only the shape matters; T may be unknown.

    Returns:
        ``(B, T)``, True at the first ``lengths`` positions of each row.

    Examples:
        >>> import numpy as np
        >>> ops.convert_to_numpy(length_mask(np.array([1, 3]), np.zeros((2, 3), "int32")))
        array([[ True, False, False],
               [ True,  True,  True]])
    """
    places = ops.cumsum(ops.ones_like(x, dtype="int32"), axis=1)  # not arange: T may be unknown when the graph is built
    return places <= ops.expand_dims(ops.cast(lengths, "int32"), 1)


def lengths_with_end(tokens: Tensor) -> Tensor:
    """Count the tokens ``(B,)`` of sentences ``(B, T)``: 0 ends a sentence, and is counted; all that follows is padding.

    Examples:
        >>> import numpy as np
        >>> ops.convert_to_numpy(lengths_with_end(np.array([[5, 0, 0], [5, 6, 7]], "int32")))
        array([2, 3], dtype=int32)
    """
    ends = ops.cast(ops.equal(tokens, 0), "int32")
    return ops.sum(ops.cast(ops.equal(ops.cumsum(ends, axis=1), ends), "int32"), axis=1)
