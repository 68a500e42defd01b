"""Interpretation of a forecaster: the weights of its variables, and its attention to time steps.

Sizes: N series, T ``lookback``, H ``horizon``, V variables of a part.
"""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from lstmzoo.config import list_models
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators.forecasting._base import ForecastParams
from lstmzoo.estimators.forecasting.network._base import Projection
from lstmzoo.outputs import check_picture
from lstmzoo.preprocessing import (
    Ahead,
    Columns,
    Form,
    Panel,
    WindowPreprocessor,
    assemble,
    series_frame,
    series_numbers,
    user_times,
)
from lstmzoo.training import compile_for_prediction, predict_padded

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

_NAMES = ("part", "variable", "weight", "attended")
_DRAWN = 6  # series


@dataclass(frozen=True)
class _Weights:
    """The arrays behind the frames.

    Attributes:
        variables: The V names and the weights ``(N, V)``, by part.
        attention: Weights ``(N, H, T + H)``.
        times: Times ``(N, T + H)``, as in a panel.
    """

    variables: dict[str, tuple[list[str], np.ndarray]]
    attention: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class Interpretation:
    """The weights behind forecasts; made by :meth:`lstmzoo.Forecaster.interpret`.

    Attributes:
        variables: A row per series, part and variable: id, ``part`` (``past``, ``future`` or ``static``), ``variable`` and
            ``weight``, the mean over the steps of the part. The weights of a part sum to 1.
        attention: A row per series, forecast step and attended step: id, time, ``attended`` (the time of the attended step) and
            ``weight``. The weights of a forecast step sum to 1; steps after it have no rows.
    """

    variables: Any
    attention: Any
    _panel: Panel
    _weights: _Weights

    def plot(self, path: str | Path | None = None, ids: list | None = None) -> "Figure":
        """Draw the weights of the variables of each series, and its attention to the past, averaged over the forecast steps.

        Args:
            path: File to save the figure to, in the format of its suffix; not saved if None.
            ids: Series to draw; the first six if None.

        Raises:
            UnknownNameError: If an id is not among the series.
            ConfigError: If ``ids`` is not a list of names, or the path has an unknown format or cannot be written.
        """
        if path is not None:
            check_picture(path)
        names = self._panel.ids
        numbers = series_numbers(names[:_DRAWN] if ids is None else ids, names)
        return _drawn(self._panel, self._weights, numbers).saved(path)


def interpretation(
    projection: Projection, name: str, params: ForecastParams, panel: Panel, form: Form, ahead: Ahead
) -> Interpretation:
    """Return the weights that a fitted network gives to its inputs.

    Args:
        projection: The fitted network.
        name: The zoo entry.
        params: How series are read.
        panel: The N series to forecast.
        form: What the user passed.
        ahead: The H steps ahead.

    Raises:
        ConfigError: If the entry is not interpretable, or the id or time column has the name of a column of the result.
    """
    model, pre, columns = projection.outlook.model, projection.preprocessor, params.columns
    layers = getattr(model, "looks", None)
    if layers is None:
        able = ", ".join(other.split("/")[1] for other in list_models("forecasting/*", tag="interpretable"))
        raise ConfigError(f"interpret: {name} is not interpretable; entries that are: {able}")
    for role, column in (("id_col", columns.id), ("time_col", columns.time)):
        if column in _NAMES:
            raise ConfigError(f"{arg(role)}: {column!r} is the name of a column of the result: rename yours")
    inputs, _ = pre.last_windows(panel, ahead.times, ahead.known)
    parts, attention = _looked_at(model, layers, inputs)
    named = _names_of_variables(pre, model, columns.target)
    variables = {part: _summed(named[part], weights) for part, weights in parts.items()}
    past = panel.tail(pre.lookback).times.reshape(len(panel), pre.lookback)
    times = np.concatenate([past, ahead.times], axis=1)
    weights = _Weights(variables, attention, times)
    form, columns = params.in_frame(form)
    return Interpretation(
        _variables_frame(panel, form, columns, variables),
        _attention_frame(panel, form, columns, weights),
        panel,
        weights,
    )


def _looked_at(
    model: keras.Model, layers: Any, inputs: dict[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Mean weights ``(N, channels)`` by part, and attention ``(N, H, T + H)``; computed as one output, in one prediction."""
    parts = {part: model.get_layer(name).output[1] for part, name in layers.variables.items()}
    means = {part: weights if part == "static" else ops.mean(weights, axis=1) for part, weights in parts.items()}
    attention = model.get_layer(layers.attention).output[1]
    flat = [*means.values(), ops.reshape(attention, (-1, attention.shape[1] * attention.shape[2]))]
    looking = keras.Model(model.input, ops.concatenate(flat, axis=-1))
    compile_for_prediction(looking)
    whole = predict_padded(looking, {name: inputs[name] for name in model.input})
    *pieces, last = np.split(whole, list(accumulate(array.shape[-1] for array in means.values())), axis=1)
    return dict(zip(means, pieces, strict=True)), last.reshape(-1, *attention.shape[1:])


def _names_of_variables(pre: WindowPreprocessor, model: keras.Model, target: str) -> dict[str, list[str]]:
    """The variable of each channel, by part."""
    channels = pre.channels
    known = channels.known_variables_
    numbers: list[str] = []
    categories: list[str] = []
    for name, learned in zip(channels.static_names, channels.static_, strict=True):
        (categories if "values" in learned else numbers).append(name)
    sizes = [model.get_layer(f"category_{i}").output.shape[-1] for i in range(len(categories))]
    return {
        "past": [target, *known, *channels.past_variables_],
        "future": [*(_reference(period) for period in pre.periods), *known],
        "static": numbers + [name for name, size in zip(categories, sizes, strict=True) for _ in range(size)],
    }


def _reference(period: int) -> str:
    """The name of a reference forecast."""
    if period > 0:
        return f"value {period} steps before"
    return "mean of the lookback" if period == 0 else f"mean of seasons of {-period} steps"


def _summed(names: list[str], weights: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Sum the weights of neighbouring channels of one variable."""
    first = [i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    return [names[i] for i in first], np.add.reduceat(weights, first, axis=1)


def _variables_frame(
    panel: Panel, form: Form, columns: Columns, variables: dict[str, tuple[list[str], np.ndarray]]
) -> Any:
    rows = [(part, name) for part, (names, _) in variables.items() for name in names]
    weights = np.concatenate([weights for _, weights in variables.values()], axis=1)
    data = {
        "part": [part for part, _ in rows] * len(panel),
        "variable": [name for _, name in rows] * len(panel),
        "weight": weights.ravel().astype(float),
    }
    return series_frame(np.repeat(panel.ids, len(rows)), data, form, columns)


def _attention_frame(panel: Panel, form: Form, columns: Columns, weights: _Weights) -> Any:
    _, horizon, steps = weights.attention.shape
    seen = np.arange(steps) <= (steps - horizon + np.arange(horizon))[:, None]  # (H, T + H)
    step, attended = np.nonzero(seen)
    times = weights.times[:, steps - horizon + step].ravel()
    data = {
        "attended": weights.times[:, attended].ravel(),
        "weight": weights.attention[:, step, attended].ravel().astype(float),
    }
    ids = np.repeat(panel.ids, len(step))
    return assemble(ids, times, data, panel, form, columns, time_columns=("attended",))


def _drawn(panel: Panel, weights: _Weights, numbers: np.ndarray) -> "Figure":
    from lstmzoo.figures import Figure

    parts = weights.variables
    bars = [f"{part}: {name}" for part, (names, _) in parts.items() for name in names]
    height = max(2.6, 0.22 * len(bars))
    figure = Figure(figsize=(12, height * len(numbers)), layout="constrained")
    axes = figure.subplots(len(numbers), 2, squeeze=False)
    colors = [f"C{i}" for i, (names, _) in enumerate(parts.values()) for _ in names]
    lookback = weights.attention.shape[2] - weights.attention.shape[1]
    for (left, right), i in zip(axes, numbers, strict=True):
        values = np.concatenate([array[i] for _, array in parts.values()])
        left.barh(np.arange(len(bars)), values, color=colors)
        left.set_yticks(np.arange(len(bars)), bars)
        left.invert_yaxis()
        left.set_title(f"{panel.ids[i]}: weights of the variables")
        times = pd.Series(user_times(weights.times[i], panel.freq, panel.tz, panel.own))
        right.plot(times[:lookback], weights.attention[i].mean(axis=0)[:lookback], color="C0")
        right.set_title(f"{panel.ids[i]}: attention to the past")
        right.set_ylim(bottom=0)
        right.tick_params(axis="x", rotation=20)
    return figure
