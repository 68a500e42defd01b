"""Batches of items in a seeded order."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

Batch = tuple[dict[str, np.ndarray], np.ndarray]  # the inputs of a model by name, and its targets


class Steps(Protocol):
    """The training set: the batches of an epoch, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, step: int) -> Batch: ...

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch; epochs are counted from 0."""


class Batches:
    """Batches of numbered items, all of one size, drawn for each epoch by ``default_rng([seed, epoch])``.

    An epoch is one pass over the items; the last batch is filled up with the first items of that epoch. If a pass has more
    than ``steps_per_epoch`` batches, an epoch is that many batches, drawn without replacement. The first epoch is 0.

    Args:
        make: Makes a batch from item numbers ``(B,)``.
        num_items: Number of items.
        batch_size: B, or the number of items if that is less.
        steps_per_epoch: Maximum number of batches in an epoch.
        seed: Seed of the order.

    Examples:
        >>> batches = Batches(lambda numbers: numbers, num_items=5, batch_size=2, steps_per_epoch=10, seed=0)
        >>> [batches[step].tolist() for step in range(len(batches))]
        [[2, 4], [3, 0], [1, 2]]
        >>> batches.set_epoch(1)
        >>> [batches[step].tolist() for step in range(len(batches))]
        [[1, 4], [3, 0], [2, 1]]
    """

    def __init__(
        self, make: Callable[[np.ndarray], Batch], *, num_items: int, batch_size: int, steps_per_epoch: int, seed: int
    ) -> None:
        self._make = make
        self._num_items = num_items
        self._batch_size = min(batch_size, num_items)
        self._steps = min(steps_per_epoch, -(-num_items // self._batch_size))
        self._seed = seed
        self.set_epoch(0)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._make(self._order[step * self._batch_size : (step + 1) * self._batch_size])

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch; epochs are counted from 0."""
        rng = np.random.default_rng([self._seed, epoch])
        size = self._steps * self._batch_size
        if size <= self._num_items:
            self._order = rng.choice(self._num_items, size, replace=False)
        else:
            order = rng.permutation(self._num_items)
            self._order = np.concatenate([order, order[: size - self._num_items]])
