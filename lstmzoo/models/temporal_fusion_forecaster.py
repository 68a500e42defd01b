"""The Temporal Fusion Transformer."""

from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.blocks import Count, Rate, RecurrentStack, small_dense
from lstmzoo.layers import GatedResidual, GatedSkip, InterpretableAttention, VariableSelection
from lstmzoo.models._forecasting import ForecasterInputs, Looks, forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def temporal_fusion_forecaster(
    spec: ForecastingSpec, *, units: Count, num_layers: Count, num_heads: Count, dropout: Rate
) -> keras.Model:
    """The Temporal Fusion Transformer: an LSTM encoder-decoder over selected variables, and attention to all its outputs.

    Each channel of the window, of the future, and of the series' description is one variable. The description, if there is one,
    influences the selection of the other variables, the LSTMs' initial states and the enrichment of their outputs.

    Sizes and other arguments as in :mod:`lstmzoo.models`; S numbers that describe a series, categories as learned vectors.

    Args:
        units: Size of all hidden layers.
        num_layers: Number of recurrent layers of the encoder, and of the decoder; one in the paper.
        num_heads: Number of heads of the attention.
        dropout: Rate before each gate, between recurrent layers, and of the attention weights.

    Returns:
        An uncompiled model from ``window`` (B, T, F) and ``future`` (B, H, R + K) to forecasts (B, H, Q). The second
        outputs of some layers explain it: ``window_selection`` (B, T, F), ``future_selection`` (B, H, R + K) and
        ``static_selection`` (B, S) weigh variables, ``attention`` (B, H, T + H) weighs steps.

    References:
        Lim et al., "Temporal Fusion Transformers for Interpretable Multi-horizon Time Series Forecasting",
        Int. J. Forecasting 37(4), 2021; arXiv:1912.09363, 2019.
    """
    options: Any = {"units": units, "dropout": dropout}
    static_selection = VariableSelection(**options, name="static_selection")
    contexts = GatedResidual(**options, num_variables=4, name="contexts")
    window_selection = VariableSelection(**options, name="window_selection")
    future_selection = VariableSelection(**options, name="future_selection")
    encoder, decoder = (
        RecurrentStack(cell="lstm", **options, num_layers=num_layers, name=name) for name in ("encoder", "decoder")
    )
    recurrent_skip = GatedSkip(dropout=dropout, name="recurrent_skip")
    enrichment = GatedResidual(**options, name="enrichment")
    attention = InterpretableAttention(num_heads=num_heads, dropout=dropout, name="attention")
    attention_skip = GatedSkip(dropout=dropout, name="attention_skip")
    feed_forward = GatedResidual(**options, name="feed_forward")
    feed_forward_skip = GatedSkip(dropout=dropout, name="feed_forward_skip")
    head = small_dense(output_size(spec))

    def encode(inputs: ForecasterInputs, states: State | None) -> tuple[Tensor, State]:
        selecting, enriching, states = _described(inputs.static, static_selection, contexts, num_layers)
        past, _ = window_selection(inputs.window, selecting)
        read, states = encoder(past, states)
        return (past, read, selecting, enriching), states

    def decode(inputs: ForecasterInputs, memory: Tensor, states: State) -> Tensor:
        past, read, selecting, enriching = memory
        ahead, _ = future_selection(inputs.future, selecting)
        selected = ops.concatenate([past, ahead], axis=1)  # (B, T + H, U)
        outputs = ops.concatenate([read, decoder(ahead, states)[0]], axis=1)
        outputs = recurrent_skip(outputs, selected)
        enriched = enrichment(outputs, enriching)
        attended, _ = attention(enriched[:, -spec.horizon :], enriched)
        attended = attention_skip(attended, enriched[:, -spec.horizon :])
        return head(feed_forward_skip(feed_forward(attended), outputs[:, -spec.horizon :]))

    model = forecaster(spec, encode, decode, name="temporal_fusion_forecaster", streaming=False, join_static=False)
    selections = {"past": "window_selection", "future": "future_selection"}
    described = {"static": "static_selection"} if spec.num_static or spec.cardinalities else {}
    model.looks = Looks(selections | described, "attention")
    return model


def _described(
    static: Tensor | None, selection: VariableSelection, contexts: GatedResidual, num_layers: int
) -> tuple[Tensor | None, Tensor | None, State | None]:
    """Contexts ``(B, 1, U)`` of selection and enrichment, and initial states; all None without a description."""
    if static is None:
        return None, None, None
    selected, _ = selection(static)
    selecting, enriching, hidden, cell = ops.unstack(contexts(ops.stack([selected] * 4)), axis=0)
    return ops.expand_dims(selecting, 1), ops.expand_dims(enriching, 1), [[hidden, cell]] * num_layers
