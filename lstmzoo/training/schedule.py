"""The optimizer of a config, and the schedule of its learning rate."""

import math

import keras

from lstmzoo.config import TrainingConfig

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Return the optimizer that a config names, at the config's learning rate."""
    options = {"beta_2": config.beta_2} if config.optimizer.startswith("adam") else {}
    return _OPTIMIZERS[config.optimizer](learning_rate=config.learning_rate, global_clipnorm=config.clipnorm, **options)


class Rate:
    """The learning rate of a schedule, times the factor by which callbacks change it.

    Args:
        optimizer: Optimizer whose learning rate is set.
        config: The schedule.
        factor: Factor by which callbacks have changed the rate so far.
        highest: Rate of the schedule after its warm-up; None if the optimizer has a schedule of its own.
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer, config: TrainingConfig, factor: float, highest: float | None
    ) -> None:
        self._optimizer, self._config, self._highest = optimizer, config, highest
        self.factor = factor
        self.follow()

    def follow(self) -> None:
        """Take the optimizer's present rate as the schedule's, whoever set it."""
        self._scheduled = float(self._optimizer.learning_rate)

    def set(self, done: float) -> None:
        """Set the rate for when a share ``done`` of the training is over."""
        if self._highest is None:
            return
        now = float(self._optimizer.learning_rate)
        if now != self._scheduled and self._scheduled > 0:
            self.factor *= now / self._scheduled
        self._optimizer.learning_rate = self.factor * _learning_rate(self._config, self._highest, done)
        self.follow()


def _learning_rate(config: TrainingConfig, highest: float, done: float) -> float:
    """The schedule's learning rate when a share ``done`` of the training is over."""
    rate = highest * min(1.0, done / config.warmup if config.warmup else 1.0)
    return rate * 0.5 * (1 + math.cos(math.pi * done)) if config.schedule == "cosine" else rate
