"""Small networks on small batches, which the checks of entries train. A task's module registers how its toys are made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from lstmzoo.backend import jit_compile, train_batch
from lstmzoo.config import ModelConfig
from lstmzoo.errors import UnknownNameError
from lstmzoo.plugins import look_for
from lstmzoo.registry import build_model
from lstmzoo.seeding import seeded
from lstmzoo.spec import DataSpec

Inputs = dict[str, np.ndarray]


@dataclass
class Toy:
    """A network on a small batch.

    Attributes:
        model: The network.
        inputs: Inputs of the batch.
        target: Targets of the batch.
        loss: Loss of targets and outputs.
        floor: Lowest possible loss.
        step_through: Maps the model and the inputs to the outputs, computed step by step; None if the task has no such models.
        trainer: Maps the toy to the model that is trained, and its inputs; the model itself if None.
    """

    model: keras.Model
    inputs: Inputs
    target: np.ndarray
    loss: Callable
    floor: float = 0.0
    step_through: Callable[[Any, Inputs], np.ndarray] | None = None
    trainer: Callable[["Toy"], tuple[keras.Model, Inputs]] | None = None

    def train(
        self, steps: int, rate: float = 5e-3, run_eagerly: bool = False, enough: float | None = None
    ) -> list[float]:
        """Take steps of Adam and return their losses.

        Args:
            steps: Maximum number of steps.
            rate: Learning rate.
            run_eagerly: Whether to run eagerly, which is faster for a few steps.
            enough: Stop when the loss has fallen below this share of the first loss.
        """
        jit = False if run_eagerly else jit_compile(steps=0)
        optimizer = keras.optimizers.Adam(rate)
        self.model.compile(optimizer=optimizer, loss=self.loss, jit_compile=jit, run_eagerly=run_eagerly)
        losses: list[float] = []
        while len(losses) < steps:
            losses.append(train_batch(self.model, self.inputs, self.target)["loss"])
            if enough is not None and losses[-1] - self.floor < enough * (losses[0] - self.floor):
                break
        return losses

    def losses_of_training(self) -> tuple[float, float]:
        """Return the losses of two steps at learning rate 0, of the model that a fit trains."""
        model, inputs = (self.model, self.inputs) if self.trainer is None else self.trainer(self)
        eager = keras.backend.backend() == "tensorflow"
        model.compile(keras.optimizers.SGD(0.0), self.loss, jit_compile=jit_compile(steps=0), run_eagerly=eager)
        first, second = (train_batch(model, inputs, self.target)["loss"] for _ in range(2))
        return first, second


@dataclass(frozen=True)
class Toys:
    """How a task's toys are made.

    Attributes:
        spec: Maps an entry to small sizes.
        make: Maps a network, its sizes and a random generator to a toy.
        sizes: Settings that are replaced by small ones, in entries that have them.
    """

    spec: Callable[[ModelConfig], Any]
    make: Callable[[keras.Model, Any, np.random.Generator], Toy]
    sizes: dict[str, Any] = field(default_factory=dict)


TOYS: dict[str, Toys] = {}


def toys_of(task: str) -> Toys:
    """Return how toys of a task are made.

    Raises:
        UnknownNameError: If nothing is registered for the task; the message lists the tasks.
    """
    look_for(task, TOYS, "lstmzoo.checks")
    if task not in TOYS:
        raise UnknownNameError("task", task, TOYS, hint="add its toys to lstmzoo.checks.TOYS")
    return TOYS[task]


def small(config: ModelConfig) -> ModelConfig:
    """Return an entry with small settings."""
    sizes = toys_of(config.task).sizes
    return config.override({key: size for key, size in sizes.items() if key in config.settings})


def make_toy(config: ModelConfig, *, without_dropout: bool = False) -> Toy:
    """Build the network of an entry, small, with a batch of random data."""
    toys, config = toys_of(config.task), small(config)
    if without_dropout:
        config = config.override({key: 0.0 for key in config.hyperparameters if "drop" in key})
    spec: DataSpec = toys.spec(config)
    with seeded(1):
        model = build_model(config.builder, spec, config.hyperparameters)
    return toys.make(model, spec, np.random.default_rng(0))
