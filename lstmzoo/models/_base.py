"""What several topologies are made of. Every layer is named, so that saved weights find their place.

A forecaster is made of two functions, ``encode`` and ``decode``, and has two faces over the same weights: the model
itself, which reads a whole window at once, and, where it can step, ``model.stepper``; see :class:`Stepper`.

Sizes: B batch, T ``spec.lookback``, H ``spec.horizon``, F ``spec.num_features``, R ``spec.num_references``,
K ``spec.num_known``, Q ``spec.num_outputs``, U units.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import keras
import numpy as np
from keras import ops
from pydantic import Field

from lstmzoo.backend import jit_compile, predict_batch
from lstmzoo.layers import (
    GRU,
    LSTM,
    MLSTM,
    SLSTM,
    DilatedLSTM,
    DistributionHead,
    Dropout,
    MinGRU,
    MinLSTM,
    OrderedQuantiles,
    SimpleRNN,
)
from lstmzoo.spec import ForecastingSpec

Cell = Literal["simple_rnn", "lstm", "gru", "min_lstm", "min_gru", "slstm", "mlstm"]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]

CELLS: dict[str, type[keras.layers.Layer]] = {
    "simple_rnn": SimpleRNN,
    "lstm": LSTM,
    "gru": GRU,
    "min_lstm": MinLSTM,
    "min_gru": MinGRU,
    "slstm": SLSTM,
    "mlstm": MLSTM,
}

State = Any  # tensors (B, ...), in lists that may nest


def recurrent(cell: Cell, units: int, *, name: str, **kwargs: Any) -> keras.layers.Layer:
    """A recurrent layer by the name of its cell."""
    return CELLS[cell](units, name=name, **kwargs)


class RecurrentStack:
    """Stacked recurrent layers with dropout between them; each call has the same weights.

    Args:
        cell: Name of the cell.
        units: U, size of each hidden state.
        num_layers: Recurrent layers.
        dropout: Rate between them.
        name: Prefix of the layers' names.
        return_sequences: Whether to return outputs ``(B, T, U)``, or the last ``(B, U)``.
    """

    def __init__(
        self, *, cell: Cell, units: int, num_layers: int, dropout: float, name: str, return_sequences: bool = True
    ) -> None:
        whole = [True] * (num_layers - 1) + [return_sequences]
        self._layers = [
            recurrent(cell, units, name=f"{name}_{i}", return_sequences=whole[i], return_state=True)
            for i in range(num_layers)
        ]
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Any, states: list[State] | None = None) -> tuple[Any, list[State]]:
        """From ``(B, T, F)``, and each layer's initial states, to outputs and each layer's final states."""
        return read_through(self._layers, self._dropouts, x, states)


def read_through(layers: list, between: list, x: Any, states: list[State] | None) -> tuple[Any, list[State]]:
    """Recurrent layers one after the other, with what is between them: to outputs and each layer's final states."""
    final = []
    for i, layer in enumerate(layers):
        if i:
            x = between[i - 1](x)
        x, *state = layer(x, initial_state=states[i] if states is not None else None)
        final.append(state)
    return x, final


class ResidualBlock:
    """``x + rnn(norm(x))``, then ``x + feed_forward(norm(x))``; called several times, the weights are the same."""

    def __init__(self, cell: Cell, units: int, dropout: float, expansion: int, name: str) -> None:
        self._norms = [keras.layers.LayerNormalization(name=f"{name}_norm_{i}") for i in range(2)]
        self._rnn = recurrent(cell, units, name=f"{name}_rnn", return_sequences=True, return_state=True)
        self._wide = keras.layers.Dense(expansion * units, name=f"{name}_wide")
        self._narrow = keras.layers.Dense(units, name=f"{name}_narrow")
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(2)]

    def __call__(self, x: Any, state: State) -> tuple[Any, State]:
        y, *state = self._rnn(self._norms[0](x), initial_state=state)
        x = x + self._dropouts[0](y)
        wide = ops.gelu(self._wide(self._norms[1](x)), approximate=True)  # the exact one cannot be said in ONNX
        return x + self._dropouts[1](self._narrow(wide)), state


class DilatedStack:
    """Stacked LSTMs whose recurrence skips 1, 2, 4, ... steps, each from the second on added to what it reads.

    Args:
        units: U, size of each hidden state.
        num_layers: Recurrent layers.
        dropout: Rate between them.
        name: Prefix of the layers' names.
    """

    def __init__(self, *, units: int, num_layers: int, dropout: float, name: str) -> None:
        options = {"return_sequences": True, "return_state": True}
        self._layers = [DilatedLSTM(units, dilation=2**i, name=f"{name}_{i}", **options) for i in range(num_layers)]
        self._dropouts = [Dropout(dropout, name=f"{name}_dropout_{i}") for i in range(1, num_layers)]

    def __call__(self, x: Any, states: list[State] | None = None) -> tuple[Any, list[State]]:
        """From ``(B, T, F)``, and each layer's initial states, to ``(B, T, U)`` and each layer's final states."""
        final = []
        for i, layer in enumerate(self._layers):
            read = self._dropouts[i - 1](x) if i else x
            y, *state = layer(read, initial_state=None if states is None else states[i])
            x = x + y if i else y
            final.append(state)
        return x, final


@dataclass(frozen=True)
class ForecasterInputs:
    """What every forecaster is shown.

    Attributes:
        tensors: The inputs by name, as the model takes them.
        window: ``(B, T, F)``, with what describes the series at each step, if that was asked for.
        future: ``(B, H, R + K)``, likewise.
        static: ``(B, S)`` what describes the series, categories as learned vectors; None if nothing does.
        series: ``(B,)`` the series' number, from 1, or 0 for one that was not trained on; None unless asked for.
    """

    tensors: dict[str, Any]
    window: Any
    future: Any
    static: Any
    series: Any


@dataclass(frozen=True)
class Looks:
    """Which layers of a forecaster tell what it looks at, by their second outputs; the model's attribute ``looks``.

    Attributes:
        variables: Layers of the weights of variables, by part: ``past`` (B, T, F), ``future`` (B, H, R + K) and, where there are
            any, ``static`` (B, S).
        attention: The layer of the weights of steps, (B, H, T + H).
    """

    variables: dict[str, str]
    attention: str


class _Describe:
    """The layers that turn numbers and categories of a series into one vector."""

    def __init__(self, spec: ForecastingSpec) -> None:
        self._spec = spec
        self._embeddings = [
            keras.layers.Embedding(size, min(16, 1 + (size + 1) // 2), name=f"category_{i}")
            for i, size in enumerate(spec.cardinalities)
        ]

    def __call__(self) -> tuple[dict[str, Any], Any]:
        tensors, parts = {}, []
        if self._spec.num_static:
            tensors["static"] = keras.Input((self._spec.num_static,), name="static")
            parts.append(tensors["static"])
        if self._embeddings:
            tensors["categories"] = keras.Input((len(self._embeddings),), dtype="int32", name="categories")
            parts += [embed(tensors["categories"][:, i]) for i, embed in enumerate(self._embeddings)]
        static = (ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]) if parts else None
        return tensors, static


def _inputs(
    spec: ForecastingSpec,
    describe: _Describe,
    *,
    steps: int,
    ahead: int,
    join_static: bool = True,
    with_series: bool = False,
) -> ForecasterInputs:
    window = keras.Input((steps, spec.num_features), name="window")
    future = keras.Input((ahead, spec.num_future_features), name="future")
    described, static = describe()
    tensors = {"window": window, "future": future, **described}
    if static is not None and join_static:
        window, future = (_joined(x, static) for x in (window, future))
    series = keras.Input((), dtype="int32", name="series") if with_series else None
    return ForecasterInputs(tensors | ({"series": series} if with_series else {}), window, future, static, series)


def _joined(x: Any, static: Any) -> Any:
    """``(B, T, F)`` with ``(B, S)`` at each step."""
    return ops.concatenate([x, ops.repeat(ops.expand_dims(static, 1), x.shape[1], axis=1)], axis=-1)


def forecaster(
    spec: ForecastingSpec,
    encode: Callable,
    decode: Callable,
    *,
    name: str,
    streaming: bool,
    join_static: bool = True,
    with_series: bool = False,
) -> keras.Model:
    """A model that forecasts all steps at once, from two functions.

    Args:
        spec: Sizes learned from the training data.
        encode: ``(inputs, states) -> (memory, states)``: reads ``inputs.window`` from states, or from the beginning if they
            are None. It is called once for each face, so it makes no layers.
        decode: ``(inputs, memory, states) -> (B, H, output_size(spec))``.
        name: Of the model.
        streaming: Whether reading a window in parts, from state to state, equals reading it whole.
        join_static: Whether what describes the series is part of ``inputs.window`` and ``inputs.future``.
        with_series: Whether the model takes the series' number, for parameters of each series' own.

    Returns:
        An uncompiled model from ``window`` (B, T, F), ``future`` (B, H, R + K) and, where the data has them, ``static``
        (B, S) and ``categories`` (B, C), to forecasts (B, H, Q).
    """
    describe = _Describe(spec)

    def face(steps: int, states: State) -> tuple[dict[str, Any], Any, State]:
        given = {"join_static": join_static, "with_series": with_series}
        inputs = _inputs(spec, describe, steps=steps, ahead=spec.horizon, **given)
        memory, states = encode(inputs, states)
        return inputs.tensors, head(decode(inputs, memory, states), inputs.future), states

    head = _Head(spec)
    tensors, forecast, states = face(spec.lookback, None)
    model = keras.Model(tensors, forecast, name=name)
    if streaming:
        model.stepper = Stepper(states, face)
    return model


def autoregressive_forecaster(spec: ForecastingSpec, encode: Callable, decode: Callable, *, name: str) -> keras.Model:
    """A model that forecasts each step from the value before it: in training from the true one, else from a sampled one.

    Args:
        spec: Sizes learned from the training data.
        encode: ``(inputs, states) -> states``, as for :func:`forecaster`.
        decode: ``(inputs, previous, states) -> (raw, states)``: for the steps of ``inputs.future`` (all H, or one), from the
            values ``previous`` (B, steps, 1) before each, to ``(B, steps, output_size(spec))``.
        name: Of the model.

    Returns:
        An uncompiled model as of :func:`forecaster`, with one more input, ``previous`` (B, H, 1).
    """
    describe = _Describe(spec)
    head = _Head(spec)

    def reading(steps: int, states: State) -> tuple[dict[str, Any], Any, State]:
        inputs = _inputs(spec, describe, steps=steps, ahead=spec.horizon)
        tensors = {key: value for key, value in inputs.tensors.items() if key != "future"}
        return tensors, None, encode(inputs, states)

    def stepping(steps: int, states: State) -> tuple[dict[str, Any], Any, State]:
        inputs = _inputs(spec, describe, steps=spec.lookback, ahead=steps)
        tensors = {key: value for key, value in inputs.tensors.items() if key != "window"}
        tensors["previous"] = keras.Input((steps, 1), name="previous")
        raw, states = decode(inputs, tensors["previous"], states)
        return tensors, head(raw, inputs.future), states

    inputs = _inputs(spec, describe, steps=spec.lookback, ahead=spec.horizon)
    previous = keras.Input((spec.horizon, 1), name="previous")
    states = encode(inputs, None)
    raw, _ = decode(inputs, previous, states)
    model = keras.Model({**inputs.tensors, "previous": previous}, head(raw, inputs.future), name=name)
    model.stepper = Stepper(states, reading, stepping)
    return model


class Stepper:
    """The face of a model that carries its state: the same weights, one piece of the sequence at a time.

    Args:
        states: The model's own states, for their shapes.
        read: ``(steps, states) -> (inputs, output, states)``: tensors of reading so many steps of the window.
        step: Likewise of forecasting so many steps; None if ``read`` gives a forecast of all steps as its output.
    """

    def __init__(self, states: State, read: Callable, step: Callable | None = None) -> None:
        self._states = states
        self._read = read
        self._step = step
        self._models: dict[tuple, keras.Model] = {}

    @property
    def autoregressive(self) -> bool:
        """Whether :meth:`step` forecasts one step from the value before it, rather than all steps at once."""
        return self._step is not None

    def encode(self, inputs: dict[str, np.ndarray], state: list[np.ndarray] | None = None) -> list[np.ndarray]:
        """The state after reading ``window`` (B, steps, F), from a state, or from the beginning."""
        return self._run("read", inputs, state, inputs["window"].shape[1])[1]

    def step(self, inputs: dict[str, np.ndarray], state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """One step on: a cost that does not depend on what came before.

        Args:
            inputs: ``window`` (B, 1, F) and ``future`` (B, H, R + K); or, if autoregressive, ``previous`` (B, 1, 1) and
                ``future`` (B, 1, R + K). Also ``static`` and ``categories``, where the model has them.
            state: From :meth:`encode` or the last step.

        Returns:
            The forecasts (B, H, Q), or (B, 1, Q) if autoregressive, and the state.
        """
        return self._run("step" if self.autoregressive else "read", inputs, state, 1)

    def _run(
        self, face: str, inputs: dict[str, np.ndarray], state: list[np.ndarray] | None, steps: int
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        key = (face, steps, state is None)
        if key not in self._models:
            self._models[key] = self._build(*key)
        model = self._models[key]
        given = {name: inputs[name] for name in model.input if not name.startswith("state_")}
        given |= {f"state_{i}": array for i, array in enumerate(state or [])}
        answer = predict_batch(model, given)
        return answer.get("output"), [answer[f"state_{i}"] for i in range(len(answer) - ("output" in answer))]

    def _build(self, face: str, steps: int, from_beginning: bool) -> keras.Model:
        flat = keras.tree.flatten(self._states)
        given = [keras.Input(t.shape[1:], dtype=t.dtype, name=f"state_{i}") for i, t in enumerate(flat)]
        states = None if from_beginning else keras.tree.pack_sequence_as(self._states, given)
        inputs, output, states = (self._step if face == "step" else self._read)(steps, states)  # type: ignore[misc]
        named = {} if from_beginning else {tensor.name: tensor for tensor in given}
        answer = {f"state_{i}": tensor for i, tensor in enumerate(keras.tree.flatten(states))}
        model = keras.Model({**inputs, **named}, answer if output is None else {"output": output, **answer})
        model.compile(jit_compile=jit_compile())
        return model


def output_size(spec: ForecastingSpec) -> int:
    """Numbers a step that a forecast is made of: outputs, and the weights of the references if there are several."""
    return spec.num_outputs + (spec.num_references if spec.num_references > 1 else 0)


class _Head:
    """Forecasts ``(B, H, Q)`` as deviations from the references: ascending quantiles, or a distribution's parameters.

    Where there are several references, a mean of them is corrected, weighted by a softmax over R of the raw numbers.
    From raw numbers ``(B, H, output_size(spec))`` of zeros, the forecast is the (mean) reference.
    """

    def __init__(self, spec: ForecastingSpec) -> None:
        self._spec = spec
        self._quantiles = spec.distribution == "quantiles"
        self._layer = (
            OrderedQuantiles(median_index=spec.median_index, name="forecast")
            if self._quantiles
            else DistributionHead(distribution=spec.distribution, name="forecast")
        )

    def __call__(self, raw: Any, future: Any) -> Any:
        spec = self._spec
        references = future[..., : spec.num_references]
        if spec.num_references > 1:
            weights = ops.softmax(raw[..., spec.num_outputs :], axis=-1)
            references = ops.sum(weights * references, axis=-1, keepdims=True)
        raw = raw[..., : spec.num_outputs]
        return self._layer(raw) + references if self._quantiles else self._layer(raw, references)


class DirectHead:
    """All steps at once from one vector, and what is known of each step, linearly and the same for every step.

    Args:
        horizon: H.
        size: Numbers a step.
        dropout: Rate of the vector's dropout.
    """

    def __init__(self, horizon: int, size: int, dropout: float) -> None:
        self._dropout = Dropout(dropout, name="head_dropout")
        self._head = keras.layers.Dense(horizon * size, kernel_initializer=small_weights(), name="head")
        self._steps = keras.layers.Reshape((horizon, size), name="head_steps")
        self._future = keras.layers.Dense(size, use_bias=False, kernel_initializer="zeros", name="head_future")

    def __call__(self, last: Any, known: Any) -> Any:
        """``(B, H, size)`` from ``(B, U)`` and ``(B, H, any)``."""
        return self._steps(self._head(self._dropout(last))) + self._future(known)


def small_weights() -> keras.initializers.Initializer:
    """Initial weights of an output layer whose forecasts shall begin near the reference."""
    return keras.initializers.RandomNormal(stddev=0.01)
