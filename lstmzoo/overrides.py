"""Callbacks, an optimizer, a loss and metrics of a single fit, which override the training of its entry."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.errors import ConfigError, arg


@dataclass(frozen=True)
class Overrides:
    """Objects of a single fit that add to the training of its entry, or override it.

    Attributes:
        callbacks: Keras callbacks, called at the beginning and end of training, of each epoch and of each batch.
        optimizer: Keras optimizer or its config; None for the optimizer of the entry. It is copied, so each fit starts anew.
        loss: Function of targets and forecasts ``(B, H)``; None for the loss of the entry.
        metrics: Keras metrics, or their names, of targets and point forecasts.
        point: Index of the output that is the point forecast.

    Raises:
        ConfigError: If one of them has another type.
    """

    callbacks: Sequence[keras.callbacks.Callback] | None = None
    optimizer: keras.optimizers.Optimizer | dict[str, Any] | None = None
    loss: Callable[[Any, Any], Any] | None = None
    metrics: Sequence[str | keras.metrics.Metric] | None = None
    point: int = 0

    def __post_init__(self) -> None:
        callbacks = _listed("callbacks", self.callbacks)
        for callback in callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise ConfigError(f"{arg('callbacks')}: expected Keras callbacks, got a {type(callback).__name__}")
        if self.loss is not None and not callable(self.loss):
            raise ConfigError(f"{arg('loss')}: expected a function of targets and forecasts, got {self.loss!r}")
        self.make_metrics()
        self.make_optimizer()

    def make_optimizer(self) -> keras.optimizers.Optimizer | None:
        """Return a copy of the optimizer; None if there is none."""
        if self.optimizer is None:
            return None
        try:
            given = keras.optimizers.get(self.optimizer)
            return type(given).from_config(given.get_config())
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{arg('optimizer')}: expected a Keras optimizer or its config: {error}") from None

    def make_metrics(self) -> list["PointMetric"]:
        """Return copies of the metrics."""
        metrics = [PointMetric(_metric(metric), self.point) for metric in _listed("metrics", self.metrics)]
        names = [metric.name for metric in metrics]
        for name in names:
            if names.count(name) > 1 or name in _TAKEN or name.startswith("val_"):
                raise ConfigError(f"{arg('metrics')}: the name {name!r} is taken: leave one out, or rename it")
        return metrics

    def identity(self) -> str:
        """Return optimizer, loss and metrics as JSON, which tell fits apart in checkpoints; empty if there are none.

        Raises:
            ConfigError: If the loss has no name that identifies it.
        """
        if self.optimizer is None and self.loss is None and not self.metrics:
            return ""
        optimizer = self.make_optimizer()
        parts = {
            "optimizer": optimizer and keras.optimizers.serialize(optimizer),
            "loss": self.loss and _name_of(self.loss),
            "metrics": [[metric.name, metric.metric.get_config()] for metric in self.make_metrics()],
        }
        return f" {json.dumps(parts, sort_keys=True, default=str)}"

    def hooks(self, model: keras.Model, epochs: int, steps: int) -> keras.callbacks.CallbackList:
        """Return the callbacks as one list for the model to train."""
        return keras.callbacks.CallbackList(
            list(self.callbacks or ()),
            add_history=False,
            add_progbar=False,
            model=model,
            epochs=epochs,
            steps=steps,
            verbose=0,
        )


_TAKEN = ("loss", "epoch", "learning_rate", "seconds")


class PointMetric(keras.metrics.Metric):
    """A metric over the observed steps of targets ``(B, H, 1)``, NaN where missing, and outputs ``(B, H, Q)``.

    Args:
        metric: Keras metric of targets and forecasts ``(B, 1)``, with weights.
        point: Index of the output that is the point forecast.
    """

    def __init__(self, metric: keras.metrics.Metric, point: int = 0) -> None:
        super().__init__(name=metric.name)
        self.metric = metric
        self._point = point

    def update_state(self, target: Any, forecast: Any, sample_weight: Any = None) -> Any:
        """Update the metric with a batch."""
        forecast = ops.reshape(ops.convert_to_tensor(forecast)[..., self._point], (-1, 1))
        target = ops.cast(ops.reshape(ops.convert_to_tensor(target), (-1, 1)), forecast.dtype)
        observed = ops.logical_not(ops.isnan(target))
        self.metric.update_state(ops.where(observed, target, forecast), forecast, sample_weight=observed[:, 0])

    def result(self) -> Any:
        """Return the value of the metric."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Reset the metric."""
        self.metric.reset_state()


def point_loss(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a loss of arrays ``(B, H)`` as a loss of targets ``(B, H, 1)``, NaN where missing, and forecasts ``(B, H, 1)``.

    A missing target is replaced by the forecast, so that it does not contribute.
    """

    def computed(target: Any, forecast: Any) -> Any:
        target = ops.where(ops.isnan(target), ops.stop_gradient(forecast), target)
        return loss(target[..., 0], forecast[..., 0])

    return computed


def measured(metrics: list[PointMetric], target: np.ndarray, forecast: np.ndarray) -> dict[str, float]:
    """Return the values of metrics, by name, for targets and forecasts ``(N, H, 1)``."""
    for metric in metrics:
        metric.reset_state()
        metric.update_state(target, forecast)
    return {metric.name: float(metric.result()) for metric in metrics}


def _metric(metric: str | keras.metrics.Metric) -> keras.metrics.Metric:
    try:
        found = keras.metrics.get(metric)
    except ValueError:
        raise ConfigError(
            f"{arg('metrics')}: {metric!r} is not a Keras metric; valid are names such as 'mae', 'mse' or 'mape'"
        ) from None
    if isinstance(found, keras.metrics.Metric):
        name = metric if isinstance(metric, str) else found.name
        return type(found).from_config({**found.get_config(), "name": re.sub(r"\W", "_", name)})
    if callable(found):
        return keras.metrics.MeanMetricWrapper(found, name=getattr(found, "__name__", "metric"))
    raise ConfigError(f"{arg('metrics')}: expected names of Keras metrics, metrics or functions, got {metric!r}")


def _name_of(loss: Callable[[Any, Any], Any]) -> str:
    name = getattr(loss, "__qualname__", "")
    if not name or "<" in name:
        raise ConfigError(f"{arg('loss')}: with {arg('checkpoint_dir')}, it needs a name that identifies it: "
                          "define it as a function in a module")  # fmt: skip
    return f"{loss.__module__}.{name}"


def _listed(name: str, values: Any) -> list[Any]:
    if values is None:
        return []
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ConfigError(f"{arg(name)}: expected a list, got {type(values).__name__}")
    return list(values)
