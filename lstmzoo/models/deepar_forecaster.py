"""Autoregressive forecaster with a likelihood."""

from functools import partial

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Cell, Count, Rate, RecurrentStack, StepHead
from lstmzoo.errors import ConfigError
from lstmzoo.models._forecasting import ForecasterInputs, autoregressive_forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def deepar_forecaster(
    spec: ForecastingSpec, *, cell: Cell, units: Count, num_layers: Count, dropout: Rate
) -> keras.Model:
    """DeepAR: a distribution of each step, given the value before it.

    The decoder reads the value before each step, and what is known of the step. The value is the true one in training (teacher
    forcing) and a sampled one in forecasting, so a forecast is a set of sampled paths. Besides the paper's lagged values, the
    decoder reads the reference forecasts.

    Inputs, outputs, sizes and other arguments are those of :mod:`lstmzoo.models`.

    Args:
        spec: Sizes learned from the training data; the distribution may not be ``quantiles``.

    Returns:
        An uncompiled model from ``window`` (B, T, F), ``future`` (B, H, R + K) and ``previous`` (B, H, 1), the scaled value
        before each step, to the distribution's parameters (B, H, Q).

    Raises:
        ConfigError: If the spec asks for quantiles.

    References:
        Salinas, Flunkert & Gasthaus, "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks",
        Int. J. Forecasting 36(3), 2020; arXiv:1704.04110, 2017.
    """
    if spec.distribution == "quantiles":
        raise ConfigError(
            "deepar_forecaster samples from a distribution, not from quantiles: choose normal, student_t or negative_binomial"
        )
    stack = partial(RecurrentStack, cell=cell, units=units, num_layers=num_layers, dropout=dropout)
    encoder, decoder = stack(name="encoder"), stack(name="decoder")
    head = StepHead(output_size(spec), dropout)

    def encode(inputs: ForecasterInputs, states: State) -> State:
        return encoder(inputs.window, states)[1]

    def decode(inputs: ForecasterInputs, previous: Tensor, states: State | None) -> tuple[Tensor, State]:
        x, states = decoder(ops.concatenate([previous, inputs.future], axis=-1), states)
        return head(x), states

    return autoregressive_forecaster(spec, encode, decode, name="deepar_forecaster")
