"""The space of a search: which zoo entries, and for each of them its own ranges.

An architecture is drawn first, then that architecture's own settings, then its data choices. keras-tuner is told all
of it up front: a choice ``model``, and under each of its values the parameters ``<model>/<key>``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
from pydantic import TypeAdapter, ValidationError
from sklearn.base import clone

from lstmzoo.config import (
    Categorical,
    FloatRange,
    IntRange,
    ModelConfig,
    Scalar,
    SearchParameter,
    list_models,
    load_config,
)
from lstmzoo.errors import ConfigError, UnknownNameError, arg

Range = IntRange | FloatRange | Categorical


@dataclass(frozen=True)
class ModelSpace:
    """One architecture's part of the space.

    Attributes:
        config: The zoo entry, the estimator's own ``hyperparameters`` in place.
        fixed: Those of the estimator's ``hyperparameters`` that this architecture has.
        ranges: What is searched, by setting.
    """

    config: ModelConfig
    fixed: dict[str, Any]
    ranges: dict[str, Range]

    @property
    def first(self) -> dict[str, Scalar]:
        """Where the search of this architecture begins: the config's values, moved into their ranges."""
        return {key: _nearest(r, self.config.settings[key]) for key, r in self.ranges.items()}


Space = dict[str, ModelSpace]


def select_models(task: str, models: str | Iterable[str]) -> list[ModelConfig]:
    """The zoo entries that names or patterns stand for: those tagged ``quick`` first, builders take turns, else as given.

    Raises:
        UnknownNameError: If a name or pattern matches nothing.
        ConfigError: If one is of another task.

    Examples:
        >>> [config.name for config in select_models("forecasting", ["gru", "forecasting/lstm"])]
        ['forecasting/gru', 'forecasting/lstm']
    """
    patterns = [models] if isinstance(models, str) else list(models)
    names = dict.fromkeys(n for p in patterns for n in list_models(p, task=task))
    if not names:
        raise ConfigError(f"{arg('models')} is empty; give names or patterns, such as {arg(models='*')}")
    turns: Counter[str] = Counter()
    order = []
    for position, config in enumerate(map(load_config, names)):
        order.append(("quick" not in config.tags, turns[config.builder], position, config))
        turns[config.builder] += 1
    return [config for *_, config in sorted(order, key=lambda o: o[:3])]


def make_space(estimator: Any, configs: list[ModelConfig], overrides: Mapping[str, Any], data: tuple) -> Space:
    """The space of a search, by the architectures' names without their task.

    Args:
        estimator: Settings in its ``hyperparameters`` are not searched; its ``restrict`` has the last word.
        configs: The zoo entries.
        overrides: Ranges by key, in the YAML's form, instead of the configs' or beside them; None removes a key.
        data: What trials are fitted on.

    Raises:
        UnknownNameError: If no architecture has a setting of such a name.
        ConfigError: If a range is wrong, or without effect on this estimator or data.
    """
    fixed = estimator.get_params(deep=False)["hyperparameters"] or {}
    for key, value in fixed.items():
        if not any(key in c.settings for c in configs):
            configs[0].override({key: value})  # raises, and lists the valid names
    parsed = {key: parse_range(key, value, configs) for key, value in overrides.items()}
    space, dropped = {}, Counter[str]()
    for entry in configs:
        name = entry.name.split("/", 1)[1]
        own = {k: v for k, v in fixed.items() if k in entry.settings}
        config = entry.override(own)
        both = sorted(
            {**config.search_space, **parsed}.items()
        )  # the oracle draws in this order, however it was written
        ranges = {k: r for k, r in both if r is not None and k in config.settings}
        _check_types(config, ranges)
        rest = {k: v for k, v in own.items() if k not in ranges}
        kept = clone(estimator).set_params(model=name, hyperparameters=rest).restrict(dict(ranges), *data)
        dropped.update(k for k in ranges if k not in kept)
        space[name] = ModelSpace(config, own, kept)
    for key in parsed:
        if dropped[key] and dropped[key] == sum(key in c.settings for c in configs):
            raise ConfigError(
                f"{arg('search_space')}: {key!r} has no effect with these data and settings of the estimator"
            )
    return space


def declare(space: Space) -> keras_tuner.HyperParameters:
    """The space in keras-tuner's terms."""
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", list(space))
    for model, own in space.items():
        with hp.conditional_scope("model", [model]):
            for key, r in own.ranges.items():
                _declare(hp, f"{model}/{key}", r)
    return hp


def encode(space: Space, model: str, params: Mapping[str, Scalar]) -> dict[str, Any]:
    """An architecture and its settings in keras-tuner's terms."""
    ranges = space[model].ranges
    return {"model": model, **{f"{model}/{key}": to_oracle(r, params[key]) for key, r in ranges.items()}}


def decode(space: Space, values: Mapping[str, Any]) -> tuple[str, dict[str, Scalar]]:
    """The architecture and the settings that keras-tuner's values stand for."""
    model = values["model"]
    own = space[model]
    if values == encode(space, model, own.first):
        return model, own.first
    return model, {key: from_oracle(r, values[f"{model}/{key}"]) for key, r in own.ranges.items()}


_ADAPTER: TypeAdapter[Range] = TypeAdapter(SearchParameter)


def parse_range(key: str, value: Any, configs: list[ModelConfig]) -> Range | None:
    """A range of a search space, from the YAML's form; None stays None.

    Raises:
        UnknownNameError: If no config has such a setting.
        ConfigError: If it is no range.
    """
    valid = {k for c in configs for k in c.settings}
    if key not in valid:
        raise UnknownNameError(f"key in {arg('search_space')}:", key, valid)
    if value is None or isinstance(value, Range):
        return value
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in (key, *problem["loc"]))
        raise ConfigError(f"{arg('search_space')}: {where}: {problem['msg']}, got {problem['input']!r}") from None


def _check_types(config: ModelConfig, ranges: Mapping[str, Range]) -> None:
    for key, r in ranges.items():
        for value in r.values if isinstance(r, Categorical) else (r.min, r.max):
            try:
                config.override({key: value})
            except ConfigError as error:
                raise ConfigError(f"{arg('search_space')}: {error.message}") from None


def _nearest(r: Range, value: Any) -> Scalar:
    if r.contains(value):
        return value
    return r.values[0] if isinstance(r, Categorical) else min(max(value, r.min), r.max)


def _declare(hp: keras_tuner.HyperParameters, name: str, r: Range) -> None:
    if isinstance(r, Categorical):
        hp.Choice(name, [json.dumps(v) for v in r.values])  # keras-tuner has no None, and makes numbers of booleans
    elif isinstance(r, IntRange):
        hp.Int(name, r.min, r.max, step=r.step, sampling=r.sampling)
    elif r.step is not None:
        hp.Int(name, 0, steps(r, r.max))  # keras-tuner's own steps of 0.1 from 0 to 0.5 end at 0.4
    else:
        hp.Float(name, r.min, r.max, sampling=r.sampling)


def to_oracle(r: Range, value: Any) -> Any:
    """A value in keras-tuner's terms; one between two steps is moved to the nearest step."""
    if isinstance(r, Categorical):
        return json.dumps(value)
    if isinstance(r, IntRange):
        last = (r.max - r.min) // (r.step or 1)
        return r.min + min(round((value - r.min) / (r.step or 1)), last) * (r.step or 1)
    return steps(r, value) if r.step is not None else float(value)


def from_oracle(r: Range, raw: Any) -> Scalar:
    """The value that one of keras-tuner's stands for."""
    if isinstance(r, Categorical):
        return json.loads(raw)
    if isinstance(r, IntRange):
        return int(raw)
    if r.step is not None:
        return round(r.min + raw * r.step, 10)
    return min(max(float(f"{raw:.4g}"), r.min), r.max)


def steps(r: FloatRange, value: float) -> int:
    """The number of steps from ``min`` to what is nearest to a value, and at most ``max``."""
    assert r.step is not None
    last = int((r.max - r.min) / r.step + 1e-9)
    return min(round((value - r.min) / r.step), last)
