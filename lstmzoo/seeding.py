"""Seeds of networks, independent of other threads."""

import contextlib
import random
import threading
from collections.abc import Iterable, Iterator

import keras
import numpy as np

_BUILDING = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make the weights and seed generators of a network that is built in this context depend on the seed alone.

    Keras draws the seeds of initializers and seed generators from Python's generator, which all threads share. So networks are
    built one at a time, which takes a moment. Training needs no lock, because layers have their own generators. Afterwards the
    state of Python's generator is restored; the generators of NumPy and of the backend are not used.

    Args:
        seed: Whole number, at least 0.

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
    """Set the states of a model's seed generators, which are not part of saved weights."""
    weights = {id(weight) for weight in model.weights}
    states = [variable for variable in model.variables if id(variable) not in weights]
    for i, state in enumerate(states):
        state.assign(np.random.SeedSequence([seed, i]).generate_state(state.shape[0]))


def row_seeds(random_state: int | None, rows: Iterable[int]) -> list[np.random.SeedSequence]:
    """Return a seed for each row, which depends on ``random_state`` and the row's number alone; a fresh one if that is None."""
    entropy = np.random.SeedSequence(random_state).entropy
    return [np.random.SeedSequence(entropy, spawn_key=(row,)) for row in rows]
