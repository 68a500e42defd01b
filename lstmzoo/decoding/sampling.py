"""Ancestral sampling."""

from collections.abc import Callable

import numpy as np

from lstmzoo.backend import Arrays


def sample_sequences(
    step: Callable[[np.ndarray, int, Arrays], tuple[np.ndarray, Arrays]],
    draw: Callable[[np.ndarray, int], np.ndarray],
    first: np.ndarray,
    state: Arrays,
    length: int,
) -> np.ndarray:
    """Sample sequences in which each value is drawn given the values before it. The cost of a step does not grow.

    Args:
        step: ``(previous (B, 1), i, state) -> (outputs (B, Q), state)``.
        draw: ``(outputs (B, Q), i) -> values (B,)``.
        first: ``(B,)`` the values before the first step.
        state: Before the first step.
        length: Number of steps.

    Returns:
        ``(B, length)``.

    Examples:
        >>> def step(previous, i, state):
        ...     return previous + state[0], state
        >>> sample_sequences(step, lambda outputs, i: outputs[:, 0], np.zeros(2), [np.array([[1.0], [2.0]])], 3)
        array([[1., 2., 3.],
               [2., 4., 6.]])
    """
    values = np.empty((len(first), length))
    previous = first
    for i in range(length):
        outputs, state = step(previous[:, None], i, state)
        previous = values[:, i] = draw(outputs, i)
    return values
