"""Zoo entries for plain keras-tuner."""

import json
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
from keras_tuner.errors import FailedTrialError

from lstmzoo.backend import jit_compile
from lstmzoo.config import Categorical, IntRange, ModelConfig
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators import network_estimator
from lstmzoo.networks import Network, build_network, resolve
from lstmzoo.spec import DataSpec
from lstmzoo.training import make_optimizer
from lstmzoo.tuning.space import Range, from_oracle, parse_range, steps, to_oracle

_TRAINING = ("optimizer", "learning_rate", "beta_2", "clipnorm", "batch_size")


class HyperModel(keras_tuner.HyperModel):
    """A zoo entry for keras-tuner's tuners: its search space, and models compiled with its training settings.

    The learning rate is constant; pass ``keras.callbacks.LearningRateScheduler`` to ``search`` for a schedule. Settings that
    change the data (``scaling``, ``lookback_horizons``, ``vocab_size``, ...) are not searched, as the tuner gets finished data.

    Args:
        name: The entry, with or without its task.
        data: A spec, or data for the task's estimator; see :func:`lstmzoo.build_model`.
        *more: Further data, such as the translations for an entry of translation.
        hyperparameters: Settings by key that replace the entry's; they are not searched.
        search_space: Ranges by key, in the form of the entries' YAML, that replace or extend the entry's; None removes a key
            from the search.
        loss: A Keras loss. By default, forecasts use the pinball loss of the ``quantiles``, the loss of the distribution, or
            the absolute error of a single output; the other tasks use the mean of the network's outputs.
        metrics: Keras metrics.
        **params: With data, further parameters of the task's estimator, such as ``horizon=12``.

    Raises:
        UnknownNameError: If there is no such entry or setting.
        ConfigError: If a setting or range is invalid, or several outputs need a ``loss``.
        DataError: If the data is refused.

    Examples:
        >>> from lstmzoo.spec import ForecastingSpec
        >>> spec = ForecastingSpec(lookback=24, horizon=6, num_references=1, num_outputs=1)
        >>> hp = keras_tuner.HyperParameters()
        >>> model = HyperModel("gru", spec, search_space={"dropout": None}, hyperparameters={"num_layers": 1}).build(hp)
        >>> "units" in hp.values, "dropout" in hp.values, type(model.optimizer).__name__
        (True, False, 'Adam')
    """

    def __init__(
        self,
        name: str,
        data: Any,
        *more: Any,
        hyperparameters: Mapping[str, Any] | None = None,
        search_space: Mapping[str, Any] | None = None,
        loss: Any = None,
        metrics: Any = None,
        **params: Any,
    ) -> None:
        if "/" not in name and isinstance(data, DataSpec):
            name = f"{data.task}/{name}"
        config, spec, estimator = resolve(name, (data, *more), hyperparameters, params)
        super().__init__(name=config.name)
        self.config, self.spec = config, spec
        self.ranges = _ranges(config, search_space or {})
        if loss is None:
            loss_of = network_estimator(config.task).loss_of_spec if estimator is None else estimator.network_loss
            loss = loss_of(spec)
        self._loss = loss
        self._metrics = metrics

    def build(self, hp: keras_tuner.HyperParameters) -> Network:
        """Return a compiled model with the values that the tuner draws.

        Raises:
            FailedTrialError: If the values are inconsistent; the tuner continues with others.
        """
        try:
            config = self._drawn(hp)
            model = build_network(config, self.spec)
        except ConfigError as error:
            raise FailedTrialError(str(error)) from None
        optimizer = make_optimizer(config.training)
        optimizer.build(model.trainable_variables)  # otherwise weights that a tuner saved do not load
        model.compile(optimizer=optimizer, loss=self._loss, metrics=self._metrics, jit_compile=jit_compile())
        return model

    def fit(self, hp: keras_tuner.HyperParameters, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train a model; ``epochs`` and, for arrays, ``batch_size`` are the entry's by default."""
        training = self._drawn(hp).training
        x = args[0] if args else kwargs.get("x")
        if isinstance(x, dict | list | tuple) or hasattr(x, "shape"):
            kwargs.setdefault("batch_size", training.batch_size)
        kwargs.setdefault("epochs", training.epochs)
        return model.fit(*args, **kwargs)

    def _drawn(self, hp: keras_tuner.HyperParameters) -> ModelConfig:
        values = {key: _draw(hp, key, r, self.config.settings[key]) for key, r in self.ranges.items()}
        return self.config.override(values)


def _ranges(config: ModelConfig, overrides: Mapping[str, Any]) -> dict[str, Range]:
    parsed = {key: parse_range(key, value, [config]) for key, value in overrides.items()}
    known = {*config.hyperparameters, *_TRAINING}
    for key, r in parsed.items():
        if r is not None and key not in known:
            raise ConfigError(
                f"{arg('search_space')}: {key!r} is a setting of the data or the schedule, which are not searched: leave it out"
            )
    ranges = {key: r for key, r in {**config.search_space, **parsed}.items() if r is not None and key in known}
    for key, r in ranges.items():
        for value in r.values if isinstance(r, Categorical) else (r.min, r.max):
            config.override({key: value})
    return ranges


def _draw(hp: keras_tuner.HyperParameters, key: str, r: Range, own: Any) -> Any:
    """Return the tuner's value in a range. The default is the entry's value, moved to the nearest step."""
    default = {"default": own} if r.contains(own) else {}
    if isinstance(r, IntRange):
        default = {name: to_oracle(r, value) for name, value in default.items()}
        return hp.Int(key, r.min, r.max, step=r.step, sampling=r.sampling, **default)
    if not isinstance(r, Categorical):
        if r.step is None:
            return hp.Float(key, r.min, r.max, sampling=r.sampling, **default)
        default = {name: from_oracle(r, to_oracle(r, value)) for name, value in default.items()}
        return hp.Choice(key, [from_oracle(r, step) for step in range(steps(r, r.max) + 1)], **default)
    plain = all(isinstance(v, str) for v in r.values) or all(type(v) in (int, float) for v in r.values)
    if plain:
        return hp.Choice(key, r.values, **default)
    texts = [json.dumps(value) for value in r.values]  # keras-tuner lacks None, and turns booleans into numbers
    return json.loads(hp.Choice(key, texts, **({"default": json.dumps(own)} if default else {})))
