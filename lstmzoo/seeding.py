"""Where the random numbers of networks come from: seeds of their own, so that fits in threads do not disturb each other."""

import contextlib
import random
import threading
from collections.abc import Iterator

import keras
import numpy as np

_BUILDING = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Build a network here: its weights and its layers' seed generators depend on the seed alone.

    Keras draws the seed of each initializer and of each seed generator from Python's generator, which all threads share. So
    networks are built one at a time, which takes a moment; training needs no lock, as layers draw from generators of their own.
    Afterwards Python's generator is as it was. NumPy's and the backend's are not touched.

    Args:
        seed: A whole number from 0 up.

    Examples:
        >>> with seeded(1):
        ...     first = keras.layers.Dense(2, name="first")
        >>> with seeded(1):
        ...     second = keras.layers.Dense(2, name="second")
        >>> first.kernel_initializer.seed == second.kernel_initializer.seed
        True
    """
    with _BUILDING:
        state = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)


def reseed(model: keras.Model, seed: int) -> None:
    """Set the states that a model's layers draw from, which saved weights are without."""
    weights = {id(weight) for weight in model.weights}
    states = [variable for variable in model.variables if id(variable) not in weights]
    for i, state in enumerate(states):
        state.assign(np.random.SeedSequence([seed, i]).generate_state(state.shape[0]))
