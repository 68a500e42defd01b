"""Several fitted networks as one, whose output is the weighted mean of their forecasts in the units of the data.

Sizes: B windows, H steps, L levels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor, Tensors
from lstmzoo.errors import ConfigError, arg
from lstmzoo.preprocessing import Panel
from lstmzoo.training import compile_for_prediction


@dataclass(frozen=True)
class Joined:
    """Fitted forecasters, joined.

    The network has the inputs of each member, as ``member<number>_<input>``, and the fields of its :class:`Scale` that its
    forecast depends on, ``(B, 1)`` each, as ``member<number>_shift`` and so on. Numbers start from 1.

    Attributes:
        members: The forecasters by number; those of weight 0 are left out.
        weights: Their weights by number, of sum 1.
    """

    members: dict[int, Any]
    weights: dict[int, float]

    @classmethod
    def of(cls, members: Sequence[Any], weights: Sequence[float]) -> "Joined":
        """Return fitted forecasters, joined.

        Args:
            members: The forecasters.
            weights: Their weights, of sum 1.

        Raises:
            ConfigError: If a network alone does not compute what a member forecasts.
        """
        weighted = {number: weight for number, weight in enumerate(weights, 1) if weight}
        refused = {number: reason for number in weighted if (reason := _refusal(members[number - 1]))}
        if refused:
            number = next(iter(refused))
            others = [f"members_[{k - 1}]" for k in weighted if k not in refused]
            rest = f"export an ensemble of the others ({', '.join(others)}), or " if others else ""
            raise ConfigError(
                f"export: member {number} {refused[number]}: {rest}search with {arg(ensemble_size=1)} for a single model"
            )
        return cls({number: members[number - 1] for number in weighted}, weighted)

    def network(self) -> keras.Model:
        """Return the network, from the named inputs to the mean quantiles ``(B, H, L)`` in the units of the data."""
        tensors: Tensors = {}
        terms = []
        for number, member in self.members.items():
            inputs = {name: _input(number, name, x.shape[1:], x.dtype) for name, x in member.model_.input.items()}
            scale = {name: _input(number, name, (1,)) for name in _scale_fields(member)}
            tensors |= {tensor.name: tensor for tensor in (*inputs.values(), *scale.values())}
            apart = keras.Model(member.model_.input, member.model_.output, name=f"member{number}")
            terms.append(self.weights[number] * _in_units(member, ops.cast(apart(inputs), "float32"), scale))
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        model = keras.Model(tensors, total, name="ensemble")
        compile_for_prediction(model)
        return model

    def inputs(self, panel: Panel) -> dict[str, np.ndarray]:
        """Return the inputs for the steps after each series of a panel, with zeros as future covariates."""
        named: dict[str, np.ndarray] = {}
        for number, member in self.members.items():
            model = member._panel_model
            windows, scale = model.past_windows(model.prepared(panel))
            arrays = {name: windows[name] for name in member.model_.input}
            arrays |= {name: getattr(scale, name) for name in _scale_fields(member)}
            named |= {_name(number, name): array for name, array in arrays.items()}
        return named

    def described(self) -> Iterator[dict[str, Any]]:
        """Yield what each member learned, as JSON."""
        for number, member in self.members.items():
            weight, preprocessor = self.weights[number], member.preprocessor_.to_json()
            yield {"number": number, "model": member.config_.name, "weight": weight, "preprocessor": preprocessor}


def _refusal(member: Any) -> str:
    """Return why a network alone does not compute what a forecaster forecasts; an empty text if it does."""
    if not hasattr(member, "model_"):
        return f"is a {type(member).__name__}, which has no network"
    if member.spec_.distribution != "quantiles":
        forecast = arg(distribution=member.spec_.distribution)
        return f"({member.config_.name}) forecasts with {forecast}, whose quantiles its network does not compute"
    return ""


def _name(number: int, name: str) -> str:
    return f"member{number}_{name}"


def _input(number: int, name: str, shape: Any, dtype: Any = "float32") -> Tensor:
    return keras.Input(shape, dtype=dtype, name=_name(number, name))


def _scale_fields(member: Any) -> list[str]:
    """Return the fields of the :class:`Scale` that the forecasts depend on."""
    scaler = member.preprocessor_.scaler
    present = {"unit": scaler.units_ is not None, "least": not scaler.allow_negative}
    return ["shift", "scale", *(name for name, needed in present.items() if needed)]


def _in_units(member: Any, quantiles: Tensor, scale: Tensors) -> Tensor:
    """Return scaled quantiles ``(B, H, L)`` in the units of the data, as the forecaster does."""
    by_window = {name: ops.expand_dims(tensor, -1) for name, tensor in scale.items()}
    if member.offsets_ is not None:
        quantiles = _corrected(quantiles, member.offsets_, member.levels_)
    # Not `... + shift`: Keras on TensorFlow mistakes an addend (B, 1, 1) for a bias if B is the number of channels.
    values = by_window["scale"] * quantiles - (-by_window["shift"])
    if member.preprocessor_.scaler.transform == "log":
        values = ops.exp(values)
        values = by_window["unit"] * (values - 1.0) if "unit" in by_window else values
    return ops.maximum(values, by_window["least"]) if "least" in by_window else values


def _corrected(quantiles: Tensor, offsets: np.ndarray, levels: list[float]) -> Tensor:
    """Return corrected quantiles, as a conformal forecaster does."""
    middle = levels.index(0.5)
    median = quantiles[..., middle : middle + 1]
    moved = quantiles + offsets.astype(np.float32)
    below = ops.minimum(moved[..., :middle], median)
    above = ops.maximum(moved[..., middle + 1 :], median)
    return ops.sort(ops.concatenate([below, median, above], axis=-1), axis=-1)
