"""The zoo's networks as plain Keras models, for heads, losses and training of one's own."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from lstmzoo.config import ModelConfig, full_name, load_config, schema_of
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators import network_estimator
from lstmzoo.registry import build_model as build
from lstmzoo.spec import DataSpec


@keras.saving.register_keras_serializable(package="lstmzoo")
class Network(keras.Model):
    """A functional model of the zoo. Its config is what it was built from, so that ``.keras`` files hold no graph of it.

    Attributes:
        recipe: The builder's name, its hyperparameters, and the fields of the spec.
    """

    recipe: dict[str, Any]

    def get_config(self) -> dict[str, Any]:
        """What the model was built from."""
        return {**self.recipe, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Network":
        """The model that was built from the same.

        Raises:
            UnknownNameError: If its builder is unknown.
        """
        spec = {k: tuple(v) if isinstance(v, list) else v for k, v in config["spec"].items()}
        sizes = schema_of(config["task"]).spec(**spec)
        network = _network(config["builder"], sizes, config["hyperparameters"], config["task"])
        network.name = config["name"]
        return network


def build_model(
    name: str, data: Any, *more: Any, hyperparameters: Mapping[str, Any] | None = None, **params: Any
) -> Network:
    """The bare Keras model of a zoo entry: functional, uncompiled, with fresh weights.

    Forecasters map ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q). Language models and translators
    map token ids, the targets among them, to negative log-likelihoods (B, T). See :mod:`lstmzoo.models`.

    Args:
        name: The entry, with or without its task.
        data: The sizes of the network, a spec such as :class:`lstmzoo.spec.ForecastingSpec`; or what the task's estimator is
            fitted on, from which the sizes are learned.
        *more: Further data: the translations, for an entry for translation.
        hyperparameters: Settings of the entry by key, in the place of its own.
        **params: With data, further parameters of the task's estimator, such as ``horizon=12``.

    Raises:
        UnknownNameError: If there is no such entry, or setting.
        ConfigError: If a setting is wrong, or the spec is another task's.
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
    """The bare Keras model of a config."""
    return _network(config.builder, spec, config.hyperparameters, config.task)


def resolve(
    name: str, data: tuple, hyperparameters: Mapping[str, Any] | None, params: Mapping[str, Any]
) -> tuple[ModelConfig, Any, Any]:
    """The config and the spec of :func:`build_model`, and the unfitted estimator that read the data, None with a spec."""
    name = full_name(name)
    task = name.split("/", 1)[0]
    if not isinstance(data[0], DataSpec):
        estimator = network_estimator(task)(name, hyperparameters=dict(hyperparameters or {}) or None, **params)
        return *estimator.network_sizes(*data), estimator
    needed = schema_of(task).spec
    if not isinstance(data[0], needed):
        raise ConfigError(f"{arg('data')}: {name} needs a {needed.__name__}, got a {type(data[0]).__name__}")
    if params or data[1:]:
        given = ", ".join(map(arg, params)) or "further data"
        raise ConfigError(f"{given}: a spec has all sizes already: leave it out")
    return load_config(name).override(hyperparameters or {}), data[0], None


def _network(builder: str, spec: DataSpec, hyperparameters: dict[str, Any], task: str) -> Network:
    model = build(builder, spec, hyperparameters)
    network = Network(inputs=model.input, outputs=model.output, name=model.name)
    network.recipe = {
        "task": task, "builder": builder, "hyperparameters": dict(hyperparameters), "spec": dataclasses.asdict(spec),
    }  # fmt: skip
    return network
