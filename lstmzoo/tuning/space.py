"""The search space: the zoo entries to try, and the ranges of each.

The architecture is drawn first, then its settings. For keras-tuner the space is a choice ``model`` and, conditional on each of
its values, the parameters ``<model>/<key>``.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras_tuner
import numpy as np
from pydantic import TypeAdapter, ValidationError
from sklearn.base import clone

from lstmzoo.config import (
    Candidate,
    Categorical,
    FloatRange,
    IntRange,
    ModelConfig,
    Scalar,
    SearchParameter,
    list_models,
    load_config,
)
from lstmzoo.contracts import Data, Searchable
from lstmzoo.errors import ConfigError, UnknownNameError, arg
from lstmzoo.records import to_json
from lstmzoo.values import plain, shortened

Range = IntRange | FloatRange | Categorical
_logger = logging.getLogger(__name__)
_NEAR = 0.25  # standard deviation of a step, as a share of the range


@dataclass(frozen=True)
class ModelSpace:
    """The part of the space that belongs to one architecture.

    Attributes:
        config: The zoo entry with the estimator's ``hyperparameters``.
        fixed: The estimator's ``hyperparameters`` that this architecture has.
        ranges: The searched ranges by setting.
        asked: Settings whose ranges the caller gave, or removed.
    """

    config: ModelConfig
    fixed: dict[str, Any]
    ranges: dict[str, Range]
    asked: frozenset[str] = frozenset()

    @property
    def first(self) -> dict[str, Scalar]:
        """The first values to try: those of the config, moved into their ranges."""
        return {key: r.nearest(self.config.settings[key]) for key, r in self.ranges.items()}


Space = dict[str, ModelSpace]


def select_models(task: str, models: str | Iterable[str]) -> list[ModelConfig]:
    """Return the zoo entries that match names or patterns: those tagged ``quick`` first, and builders in turn.

    Raises:
        UnknownNameError: If a name or pattern matches nothing.
        ConfigError: If an entry belongs to another task.

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


def make_space(estimator: Searchable, configs: list[ModelConfig], overrides: Mapping[str, Any], data: Data) -> Space:
    """Return the search space, by names of architectures without their task.

    Args:
        estimator: Settings in its ``hyperparameters`` are not searched, and its ``restrict`` can remove further ones.
        configs: The zoo entries.
        overrides: Ranges by key, in the form of the YAML, that replace or extend those of the configs; None removes a key.
        data: The training set of the trials.

    Raises:
        UnknownNameError: If no architecture has such a setting.
        ConfigError: If a range is invalid, or has no effect with this estimator and data.
    """
    fixed = estimator.get_params(deep=False)["hyperparameters"] or {}
    for key, value in fixed.items():
        if not any(key in c.settings for c in configs):
            configs[0].override({key: value})  # raises, and lists the valid names
    parsed = {key: parse_range(key, value, configs) for key, value in overrides.items()}
    space, dropped, left_out = {}, Counter[str](), dict[str, None]()
    for entry in configs:
        name = entry.name.split("/", 1)[1]
        own = {k: v for k, v in fixed.items() if k in entry.settings}
        config = entry.override(own)
        merged = sorted({**config.search_space, **parsed}.items())  # the oracle draws in this order
        ranges = {k: r for k, r in merged if r is not None and k in config.settings}
        _check_types(config, ranges)
        rest = {k: v for k, v in own.items() if k not in ranges}
        kept = clone(estimator).set_params(model=name, hyperparameters=rest).restrict(dict(ranges), *data)
        dropped.update(k for k in ranges if k not in kept)
        left_out |= dict.fromkeys(_left_out(ranges, kept))
        space[name] = ModelSpace(config, own, kept, frozenset(parsed))
    for key in parsed:
        if dropped[key] and dropped[key] == sum(key in c.settings for c in configs):
            raise ConfigError(
                f"{arg('search_space')}: {key!r} has no effect with these data and settings of the estimator"
            )
    if left_out:
        _logger.info("not searched, because of the data or the estimator's parameters: %s", ", ".join(left_out))
    return space


def _left_out(ranges: Mapping[str, Range], kept: Mapping[str, Range]) -> Iterator[str]:
    """Yield the settings that are not among those kept, and the values of the others that are not."""
    for key, r in ranges.items():
        if key not in kept:
            yield key
        elif isinstance(r, Categorical):
            yield from (f"{key}={value}" for value in r.values if not kept[key].contains(value))


def declare(space: Space) -> keras_tuner.HyperParameters:
    """Return the space in keras-tuner's terms."""
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", list(space))
    for model, part in space.items():
        with hp.conditional_scope("model", [model]):
            for key, r in part.ranges.items():
                _declare(hp, f"{model}/{key}", r)
    return hp


def encode(space: Space, model: str, params: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return an architecture and its settings in keras-tuner's terms."""
    ranges = space[model].ranges
    return {"model": model, **{f"{model}/{key}": to_oracle(r, params[key]) for key, r in ranges.items()}}


def decode(space: Space, values: Mapping[str, Any]) -> tuple[str, dict[str, Scalar]]:
    """Return the architecture and the settings from keras-tuner's values."""
    model = values["model"]
    part = space[model]
    if values == encode(space, model, part.first):
        return model, part.first
    return model, {key: from_oracle(r, values[f"{model}/{key}"]) for key, r in part.ranges.items()}


def search_identity(estimator: Searchable, space: Space, data: Data, **settings: Any) -> dict[str, Any]:
    """Return the settings that identify a search, as JSON; messages use the names.

    Args:
        estimator: The search's estimator; its ``model`` and ``verbose`` do not count.
        space: The search space.
        data: The data of the search.
        settings: Further settings.
    """
    params = estimator.get_params(deep=False).items()
    identity = {
        "estimator": type(estimator).__name__,
        **{f"estimator.{k}": plain(v) for k, v in params if k not in ("model", "verbose")},
        "models": list(space),
        **settings,
        "data": estimator.data_digest(*data),
        **{model: part.config.settings for model, part in space.items()},
        **{f"{model}.{k}": r.model_dump() for model, part in space.items() for k, r in part.ranges.items()},
        "lstmzoo": version("lstmzoo"),
        "keras_tuner": version("keras-tuner"),
    }
    return to_json(identity)


_TYPES = ("int", "float", "categorical")
_ADAPTER: TypeAdapter[Range] = TypeAdapter(SearchParameter)


def parse_range(key: str, value: Any, configs: list[ModelConfig]) -> Range | None:
    """Return the range that has the form of the YAML; None stays None.

    Raises:
        UnknownNameError: If no config has such a setting.
        ConfigError: If the range is invalid.
    """
    valid = {k for c in configs for k in c.settings}
    if key not in valid:
        raise UnknownNameError(f"key in {arg('search_space')}:", key, valid)
    if value is None or isinstance(value, Range):
        return value
    if not isinstance(value, Mapping) or value.get("type") not in _TYPES:
        raise ConfigError(
            f"{arg('search_space')}: {key}: expected a range with the type {', '.join(_TYPES)}, such as "
            f"{{'type': 'int', 'min': 8, 'max': 64}}, or None; got {shortened(value)}"
        )
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in (key, *problem["loc"][1:]))
        raise ConfigError(f"{arg('search_space')}: {where}: {problem['msg']}, got {problem['input']!r}") from None


def _check_types(config: ModelConfig, ranges: Mapping[str, Range]) -> None:
    for key, r in ranges.items():
        for value in r.extremes:
            try:
                config.override({key: value})
            except ConfigError as error:
                raise ConfigError(f"{arg('search_space')}: {error.message}") from None


def moved(r: Range, value: Any, rng: np.random.Generator) -> Scalar:
    """Return another value of a range, at random: any for a categorical one, otherwise one near the given value."""
    if isinstance(r, Categorical):
        others = [v for v in r.values if v != value]
        return others[rng.integers(len(others))] if others else value
    low, high = (math.log(r.min), math.log(r.max)) if r.sampling == "log" else (r.min, r.max)
    start = r.nearest(value)
    place = (math.log(start) if r.sampling == "log" else start) + rng.normal(scale=_NEAR * (high - low))
    place = min(max(place, low), high)
    drawn = math.exp(place) if r.sampling == "log" else place
    return from_oracle(r, to_oracle(r, drawn))


def _declare(hp: keras_tuner.HyperParameters, name: str, r: Range) -> None:
    if isinstance(r, Categorical):
        hp.Choice(name, [json.dumps(v) for v in r.values])  # keras-tuner lacks None, and turns booleans into numbers
    elif isinstance(r, IntRange):
        hp.Int(name, r.min, r.max, step=r.step, sampling=r.sampling)
    elif r.step is not None:
        hp.Int(name, 0, steps(r, r.max))  # keras-tuner's steps of 0.1 from 0 to 0.5 would end at 0.4
    else:
        hp.Float(name, r.min, r.max, sampling=r.sampling)


def to_oracle(r: Range, value: Any) -> Any:
    """Return a value in keras-tuner's terms, moved to the nearest step of its range."""
    if isinstance(r, Categorical):
        return json.dumps(value)
    if isinstance(r, IntRange):
        last = (r.max - r.min) // (r.step or 1)
        return r.min + min(round((value - r.min) / (r.step or 1)), last) * (r.step or 1)
    return steps(r, value) if r.step is not None else float(value)


def from_oracle(r: Range, raw: Any) -> Scalar:
    """Return the value from keras-tuner's."""
    if isinstance(r, Categorical):
        return json.loads(raw)
    if isinstance(r, IntRange):
        return int(raw)
    if r.step is not None:
        return round(r.min + raw * r.step, 10)
    return min(max(float(f"{raw:.4g}"), r.min), r.max)


def steps(r: FloatRange, value: float) -> int:
    """Return the number of steps from ``min`` to the value nearest to a given one, at most ``max``."""
    assert r.step is not None
    last = int((r.max - r.min) / r.step + 1e-9)
    return min(round((value - r.min) / r.step), last)


def varied(part: ModelSpace, params: dict[str, Scalar], rng: np.random.Generator, *, most: int) -> dict[str, Scalar]:
    """Return hyperparameters of which some, at most ``most``, have another value of their range."""
    count = int(rng.integers(1, most + 1)) if most < len(part.ranges) else len(part.ranges)
    keys = rng.choice(sorted(part.ranges), min(count, len(part.ranges)), replace=False)
    now = {key: params.get(key, part.config.settings[key]) for key in part.ranges}
    return {**params, **now, **{key: moved(part.ranges[key], now[key], rng) for key in map(str, keys)}}


def fitting(part: ModelSpace, candidate: Candidate) -> dict[str, Scalar]:
    """Return a candidate's settings, moved into the ranges of the search; what the caller or the data rule out is left out."""
    params = {}
    for key, value in candidate.hyperparameters.items():
        if key in part.ranges:
            params[key] = part.ranges[key].nearest(value)
        elif key not in part.fixed and key not in part.asked and key not in part.config.search_space:
            params[key] = value
    return params
