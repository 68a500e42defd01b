"""Shared by forecasters: inputs, output layer, and the face that steps.

A forecaster is made of two functions, ``encode`` and ``decode``. The model itself reads a whole window at once. Where it can
step, ``model.stepper`` reads windows in parts.

Sizes: B batch, T ``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``,
K ``spec.num_known``, Q ``spec.num_outputs``, S numbers that describe a series.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from lstmzoo.backend import State, Tensor, Tensors
from lstmzoo.layers import DistributionHead, OrderedQuantiles
from lstmzoo.models._base import Stepper, SteppingModel
from lstmzoo.spec import ForecastingSpec


@dataclass(frozen=True)
class ForecasterInputs:
    """The inputs of a forecaster.

    Attributes:
        window: ``(B, T, F)``, with the description of the series at each step unless the builder asks for it separately.
        future: ``(B, H, R + K)``, with the description too.
        static: ``(B, S)`` the description of the series, categories as learned vectors; None if there is none.
        series: ``(B,)`` the series' number, from 1, or 0 for a series that is not in the training data; None unless the builder
            asks for it.
    """

    window: Tensor
    future: Tensor
    static: Tensor | None
    series: Tensor | None


@dataclass(frozen=True)
class Looks:
    """The layers of a forecaster whose second outputs explain it; the model's attribute ``looks``.

    Attributes:
        variables: Names of the layers that weigh variables, by part: ``past`` (B, T, F), ``future`` (B, H, R + K) and, where
            series are described, ``static`` (B, S).
        attention: Name of the layer that weighs steps, (B, H, T + H).
    """

    variables: dict[str, str]
    attention: str


class _Reader:
    """Makes a model's inputs, and reads :class:`ForecasterInputs` from such tensors.

    Args:
        spec: Sizes learned from the training data.
        join_static: Whether the description of the series is joined to the window and the future.
    """

    def __init__(self, spec: ForecastingSpec, join_static: bool) -> None:
        self._spec = spec
        self._join_static = join_static
        self._embeddings = [
            keras.layers.Embedding(size, min(16, 1 + (size + 1) // 2), name=f"category_{i}")
            for i, size in enumerate(spec.cardinalities)
        ]

    def inputs(self, *, previous: bool = False, series: bool = False) -> Tensors:
        """Symbolic inputs by name."""
        spec = self._spec
        shapes: dict[str, tuple[int, ...]] = {
            "window": (spec.lookback, spec.num_features),
            "future": (spec.horizon, spec.num_future_features),
        }
        shapes |= {"static": (spec.num_static,)} if spec.num_static else {}
        shapes |= {"categories": (len(self._embeddings),)} if self._embeddings else {}
        shapes |= {"previous": (spec.horizon, 1)} if previous else {}
        shapes |= {"series": ()} if series else {}
        return {
            name: keras.Input(shape, dtype="int32" if name in ("categories", "series") else None, name=name)
            for name, shape in shapes.items()
        }

    def __call__(self, tensors: Tensors) -> ForecasterInputs:
        """Read inputs, of any number of steps; the window or the future may be missing."""
        window, future, static = tensors.get("window"), tensors.get("future"), self._static(tensors)
        if static is not None and self._join_static:
            window, future = (None if x is None else _joined(x, static) for x in (window, future))
        return ForecasterInputs(window, future, static, tensors.get("series"))

    def _static(self, tensors: Tensors) -> Tensor | None:
        """The description ``(B, S)`` of the series."""
        parts = [tensors["static"]] if self._spec.num_static else []
        parts += [embed(tensors["categories"][:, i]) for i, embed in enumerate(self._embeddings)]
        return (ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]) if parts else None


def _joined(x: Tensor, static: Tensor) -> Tensor:
    """``(B, T, F)`` with ``(B, S)`` at each step."""
    return ops.concatenate([x, ops.repeat(ops.expand_dims(static, 1), x.shape[1], axis=1)], axis=-1)


def forecaster(
    spec: ForecastingSpec, encode: Callable, decode: Callable, *, name: str, streaming: bool, join_static: bool = True,
    with_series: bool = False,
) -> keras.Model:  # fmt: skip
    """Make a model that forecasts all steps at once.

    Args:
        spec: Sizes learned from the training data.
        encode: ``(inputs, states) -> (memory, states)``: reads ``inputs.window`` from states, or from the beginning if they
            are None. It is called several times, so it makes no layers.
        decode: ``(inputs, memory, states) -> (B, H, output_size(spec))``.
        name: Name of the model.
        streaming: Whether reading a window in parts, from state to state, equals reading it at once.
        join_static: Whether ``inputs.window`` and ``inputs.future`` contain the description of the series.
        with_series: Whether the model takes the number of the series, for parameters of each series' own.

    Returns:
        An uncompiled model from ``window`` (B, T, F), ``future`` (B, H, R + K) and, where the data has them, ``static``
        (B, S) and ``categories`` (B, C), to forecasts (B, H, Q). It is a :class:`SteppingModel` if ``streaming``.
    """
    read, head = _Reader(spec, join_static), _Head(spec)

    def forecast(tensors: Tensors, before: State | None, _: State = ()) -> tuple[Tensor, State]:
        inputs = read(tensors)
        memory, states = encode(inputs, before)
        return head(decode(inputs, memory, states), inputs.future), states

    tensors = read.inputs(series=with_series)
    output, states = forecast(tensors, None)
    if not streaming:
        return keras.Model(tensors, output, name=name)
    model = SteppingModel(tensors, output, name=name)
    model.stepper = Stepper(
        model, lambda inputs, before: ((), encode(read(inputs), before)[1]), forecast, state=states,
        sources=[key for key in tensors if key != "future"], inputs=list(tensors),
    )  # fmt: skip
    return model


def autoregressive_forecaster(spec: ForecastingSpec, encode: Callable, decode: Callable, *, name: str) -> SteppingModel:
    """Make a model that forecasts each step from the value before it: the true one in training, otherwise a sampled one.

    Args:
        spec: Sizes learned from the training data.
        encode: ``(inputs, states) -> states``, as for :func:`forecaster`.
        decode: ``(inputs, previous, states) -> (raw, states)``: for the steps of ``inputs.future`` (all H, or one), from the
            values ``previous`` (B, steps, 1) before each, to ``(B, steps, output_size(spec))``.
        name: Name of the model.

    Returns:
        An uncompiled model as of :func:`forecaster`, with one more input, ``previous`` (B, H, 1).
    """
    read, head = _Reader(spec, join_static=True), _Head(spec)

    def forecast(tensors: Tensors, before: State, _: State = ()) -> tuple[Tensor, State]:
        inputs = read(tensors)
        raw, states = decode(inputs, tensors["previous"], before)
        return head(raw, inputs.future), states

    tensors = read.inputs(previous=True)
    states = encode(read(tensors), None)
    output, _ = forecast(tensors, states)
    model = SteppingModel(tensors, output, name=name)
    model.stepper = Stepper(
        model, lambda inputs, before: ((), encode(read(inputs), before)), forecast, state=states,
        sources=[key for key in tensors if key not in ("future", "previous")],
        inputs=[key for key in tensors if key != "window"],
    )  # fmt: skip
    return model


def output_size(spec: ForecastingSpec) -> int:
    """Count the raw numbers per step: the outputs, and a weight of each reference if there are several."""
    return spec.num_outputs + (spec.num_references if spec.num_references > 1 else 0)


class _Head:
    """Forecasts ``(B, H, Q)`` as deviations from the references: ascending quantiles, or a distribution's parameters.

    Several references are averaged, weighted by a softmax over R of the raw numbers. From raw numbers
    ``(B, H, output_size(spec))`` of zeros, the forecast is the (mean) reference.
    """

    def __init__(self, spec: ForecastingSpec) -> None:
        self._spec = spec
        self._quantiles = spec.distribution == "quantiles"
        self._layer = (
            OrderedQuantiles(median_index=spec.median_index, name="forecast")
            if self._quantiles
            else DistributionHead(distribution=spec.distribution, name="forecast")
        )

    def __call__(self, raw: Tensor, future: Tensor) -> Tensor:
        spec = self._spec
        references = future[..., : spec.num_references]
        if spec.num_references > 1:
            weights = ops.softmax(raw[..., spec.num_outputs :], axis=-1)
            references = ops.sum(weights * references, axis=-1, keepdims=True)
        raw = raw[..., : spec.num_outputs]
        return self._layer(raw) + references if self._quantiles else self._layer(raw, references)
