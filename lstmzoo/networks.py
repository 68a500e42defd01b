"""The zoo's networks as plain Keras models, for your own heads, losses and training."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from lstmzoo.config import ModelConfig, full_name, load_config, schema_of
from lstmzoo.contracts import Sizable
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators import network_estimator
from lstmzoo.registry import build_model as build
from lstmzoo.spec import DataSpec


@keras.saving.register_keras_serializable(package="lstmzoo")
class Network(keras.Model):
    """A functional model of the zoo. Its config is its recipe, so that ``.keras`` files contain no graph.

    Attributes:
        recipe: The builder's name, its hyperparameters, and the fields of the spec.
    """

    recipe: dict[str, Any]

    def get_config(self) -> dict[str, Any]:
        """The recipe and the name."""
        return {**self.recipe, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Network":
        """Build the model from a config of :meth:`get_config`.

        Raises:
            UnknownNameError: If the builder is unknown.
        """
        spec = {k: tuple(v) if isinstance(v, list) else v for k, v in config["spec"].items()}
        sizes = schema_of(config["task"]).spec(**spec)
        network = _network(config["builder"], sizes, config["hyperparameters"], config["task"])
        network.name = config["name"]
        return network


def build_model(
    name: str, data: Any, *more: Any, hyperparameters: Mapping[str, Any] | None = None, **params: Any
) -> Network:
    """Build the bare Keras model of a zoo entry: functional, uncompiled, with fresh weights.

    Forecasters map ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q). Language models and translators
    map token ids, the targets among them, to negative log-likelihoods (B, T). See :mod:`lstmzoo.models`.

    Args:
        name: The entry, with or without its task.
        data: The sizes of the network, a spec such as :class:`lstmzoo.spec.ForecastingSpec`; or data to fit the task's estimator
            on, from which the sizes are learned.
        *more: Further data, such as the translations for an entry of translation.
        hyperparameters: Settings by key that override those of the entry.
        **params: With data, further parameters of the task's estimator, such as ``horizon=12``.

    Raises:
        UnknownNameError: If there is no such entry or setting.
        ConfigError: If a setting is invalid, or the spec is that of another task.
        DataError: If the data is refused.

    Examples:
        >>> from lstmzoo.spec import ForecastingSpec
        >>> spec = ForecastingSpec(lookback=24, horizon=6, num_references=1, num_outputs=1)
        >>> model = build_model("forecasting/lstm", spec, hyperparameters={"units": 8})
        >>> model.output_shape
        (None, 6, 1)
    """
    config, spec, _ = resolve(name, (data, *more), hyperparameters, params)
    return build_network(config, spec)


def build_network(config: ModelConfig, spec: DataSpec) -> Network:
    """Build the bare Keras model of a config."""
    return _network(config.builder, spec, config.hyperparameters, config.task)


def resolve(
    name: str, data: tuple, hyperparameters: Mapping[str, Any] | None, params: Mapping[str, Any]
) -> tuple[ModelConfig, Any, Any]:
    """Find the config and the spec for :func:`build_model`, and the unfitted estimator that read the data; None with a spec."""
    name = full_name(name)
    task = name.split("/", 1)[0]
    if not isinstance(data[0], DataSpec):
        estimator: Sizable = network_estimator(task)(
            name, hyperparameters=dict(hyperparameters or {}) or None, **params
        )
        return *estimator.network_sizes(*data), estimator
    needed = schema_of(task).spec
    if not isinstance(data[0], needed):
        raise ConfigError(f"{arg('data')}: {name} needs a {needed.__name__}, got a {type(data[0]).__name__}")
    if params or data[1:]:
        given = ", ".join(map(arg, params)) or "further data"
        raise ConfigError(f"{given}: a spec has all sizes already. Pass the spec alone")
    return load_config(name).override(hyperparameters or {}), data[0], None


def _network(builder: str, spec: DataSpec, hyperparameters: dict[str, Any], task: str) -> Network:
    model = build(builder, spec, hyperparameters)
    network = Network(inputs=model.input, outputs=model.output, name=model.name)
    network.recipe = {
        "task": task, "builder": builder, "hyperparameters": dict(hyperparameters), "spec": dataclasses.asdict(spec),
    }  # fmt: skip
    return network
