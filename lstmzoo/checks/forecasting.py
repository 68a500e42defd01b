"""Small forecasting networks, with random data."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lstmzoo.checks._base import TOYS, Inputs, Toy, Toys
from lstmzoo.config import ModelConfig
from lstmzoo.layers import DISTRIBUTIONS, distribution_loss, pinball_loss
from lstmzoo.spec import ForecastingSpec


def _spec(config: ModelConfig) -> ForecastingSpec:
    """Return small sizes, with every kind of channel."""
    distribution = config.data.distribution
    return ForecastingSpec(
        lookback=10,
        horizon=4,
        num_references=2,
        num_outputs=3 if distribution == "quantiles" else DISTRIBUTIONS[distribution].num_parameters,
        median_index=1,
        distribution=distribution,
        num_known=1,
        num_past=1,
        num_static=1,
        cardinalities=(3,),
        num_series=4,
        season_length=2,
    )


def _make(model: keras.Model, spec: ForecastingSpec, rng: np.random.Generator) -> Toy:
    """Return a toy with noise, or with counts if the distribution is one of counts."""
    inputs = {
        "window": rng.normal(size=(6, spec.lookback, spec.num_features)).astype("float32"),
        "future": rng.normal(size=(6, spec.horizon, spec.num_future_features)).astype("float32"),
        "previous": rng.normal(size=(6, spec.horizon, 1)).astype("float32"),
        "static": rng.normal(size=(6, spec.num_static)).astype("float32"),
        "categories": rng.integers(0, 3, (6, len(spec.cardinalities))).astype("int32"),
        "series": rng.integers(0, spec.num_series + 1, 6).astype("int32"),
    }
    quantiles = spec.distribution == "quantiles"
    loss = pinball_loss([0.1, 0.5, 0.9]) if quantiles else distribution_loss(spec.distribution)
    counts = not quantiles and DISTRIBUTIONS[spec.distribution].target_channels == 2
    target = (_counts(rng, spec.horizon) if counts else rng.normal(size=(6, spec.horizon, 1))).astype("float32")
    floor = _floor(loss, target) if counts else 0.0
    return Toy(model, {key: inputs[key] for key in model.input}, target, loss, floor, _forecast_step_by_step)  # fmt: skip


def _counts(rng: np.random.Generator, horizon: int) -> np.ndarray:
    """Return counts divided by the scales of their windows, and the scales, ``(6, horizon, 2)``."""
    counts = rng.poisson(3, (6, horizon, 1))
    scale = np.full_like(counts, 4)
    return np.concatenate([counts / scale, scale], axis=-1)


def _floor(loss: Callable, target: np.ndarray) -> float:
    """Return the lowest loss of counts, which is above 0: even a certain count has a probability below 1."""
    certain = np.maximum(target * [1, 0], 1e-4)
    return float(np.mean(keras.ops.convert_to_numpy(loss(target, certain))))


def _forecast_step_by_step(model: Any, inputs: Inputs) -> np.ndarray:
    stepper, window = model.stepper, inputs["window"]
    rest = {key: value for key, value in inputs.items() if key != "window"}
    _, state = stepper.encode({**rest, "window": window[:, :3]})
    if "previous" not in stepper.inputs:
        for t in range(3, window.shape[1]):
            output, state = stepper.step({**rest, "window": window[:, t : t + 1]}, state)
        return np.asarray(output)
    (_, state), parts = stepper.encode({**rest, "window": window[:, 3:]}, state), []
    for h in range(rest["future"].shape[1]):
        one = {key: value[:, h : h + 1] for key, value in rest.items() if key in ("previous", "future")}
        output, state = stepper.step({**rest, **one}, state)
        parts.append(np.asarray(output))
    return np.concatenate(parts, axis=1)


TOYS["forecasting"] = Toys(_spec, _make)
