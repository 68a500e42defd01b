"""Layers against transcripts of their papers' equations."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from lstmzoo.layers import SCORES, Attention, OrderedQuantiles, pinball_loss


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("score", SCORES)
def test_attention_equals_its_equations(score):
    rng = np.random.default_rng(0)
    query, memory = rng.normal(size=(2, 3, 6)).astype("float32"), rng.normal(size=(2, 5, 6)).astype("float32")
    layer = Attention(score=score, units=4)
    context, weights = (convert_to_numpy(x) for x in layer(query, memory))
    if score == "concat":
        layer.bias.assign(rng.normal(size=4))
        context, weights = (convert_to_numpy(x) for x in layer(query, memory))
    w = {v.name: convert_to_numpy(v) for v in layer.weights}
    expected = np.zeros((2, 3, 5))
    for b, t, s in np.ndindex(2, 3, 5):
        q, k = query[b, t], memory[b, s]
        expected[b, t, s] = {
            "dot": lambda q, k: q @ k,
            "general": lambda q, k: q @ (k @ w["key_kernel"]),
            "additive": lambda q, k: (np.tanh(q @ w["query_kernel"] + k @ w["key_kernel"]) @ w["energy"])[0],
            "concat": lambda q, k: (
                np.tanh(np.concatenate([q, k]) @ np.vstack([w["query_kernel"], w["key_kernel"]]) + w["bias"])
                @ w["energy"]
            )[0],
        }[score](q, k)
    np.testing.assert_allclose(weights, softmax(expected), atol=1e-5)
    np.testing.assert_allclose(context, softmax(expected) @ memory, atol=1e-5)


def test_attention_refuses_unknown_scores():
    with pytest.raises(ValueError, match="valid: additive, dot, general, concat"):
        Attention(score="cosine", units=4)


@pytest.mark.parametrize("median_index", [0, 1, 4])
def test_quantiles_ascend_whatever_the_network_says(median_index):
    raw = np.random.default_rng(0).normal(size=(50, 7, 5)).astype("float32") * 20
    out = convert_to_numpy(OrderedQuantiles(median_index=median_index)(raw))
    assert (np.diff(out, axis=-1) >= 0).all()
    np.testing.assert_array_equal(out[..., median_index], raw[..., median_index])


def test_pinball_loss_is_least_at_the_quantile():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(20_000, 1, 1)).astype("float32")
    grid = np.linspace(-2, 2, 81).astype("float32")
    for level, quantile in [(0.1, -1.2816), (0.5, 0.0), (0.9, 1.2816)]:
        losses = [convert_to_numpy(pinball_loss([level])(y, np.full_like(y, g))).mean() for g in grid]
        assert grid[int(np.argmin(losses))] == pytest.approx(quantile, abs=0.06)


@pytest.mark.parametrize(
    "layer",
    [Attention(score="additive", units=3), OrderedQuantiles(median_index=1)],
    ids=lambda x: type(x).__name__,
)
def test_layers_come_back_from_their_config(layer):
    assert keras.layers.deserialize(keras.layers.serialize(layer)).get_config() == layer.get_config()
