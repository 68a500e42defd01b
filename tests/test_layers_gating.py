"""Gated residual networks, variable selection and interpretable attention against transcripts of the paper's equations."""

import keras
import numpy as np
import pytest

from lstmzoo.layers import GatedResidual, GatedSkip, InterpretableAttention, VariableSelection

B, T, V, U = 2, 3, 4, 6


def noise(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def shaken(layer):
    """The layer's weights by their paths in it, all redrawn, so that initial zeros and ones matter too."""
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return {w.path.split("/", 1)[1]: keras.ops.convert_to_numpy(w) for w in layer.weights}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gated_skip(x, skip, w, prefix=""):
    value, gate = np.split(x @ w[prefix + "kernel"] + w[prefix + "bias"], 2, axis=-1)
    x = skip + sigmoid(gate) * value
    if prefix + "scale" not in w:
        return x
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    return x * w[prefix + "scale"] + w[prefix + "shift"]


def gated_residual(x, context, w, prefix=""):
    w = {key.removeprefix(prefix): value for key, value in w.items() if key.startswith(prefix)}
    hidden = x @ w["hidden_kernel"] + w["hidden_bias"]
    if context is not None:
        hidden = hidden + context @ w["context_kernel"]
    hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0))) @ w["inner_kernel"] + w["inner_bias"]
    skip = x @ w["skip_kernel"] + w["skip_bias"] if "skip_kernel" in w else x
    return gated_skip(hidden, skip, w, "gate/")


@pytest.mark.parametrize("normalize", [True, False])
def test_gated_skip_equals_its_equations(normalize):
    layer = GatedSkip(dropout=0.5, normalize=normalize, name="skip")
    x, skip = noise(B, T, V), noise(B, T, U)
    layer(x, skip)
    w = shaken(layer)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x, skip)), gated_skip(x, skip, w), atol=1e-4)


@pytest.mark.parametrize("inputs", [V, U])
@pytest.mark.parametrize("with_context", [True, False])
def test_gated_residual_equals_its_equations(inputs, with_context):
    layer = GatedResidual(units=U, dropout=0.5, name="grn")
    x, context = noise(B, T, inputs), noise(B, 1, 5) if with_context else None
    layer(x, context)
    w = shaken(layer)
    assert ("skip_kernel" in w) == (inputs != U)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(x, context)), gated_residual(x, context, w), atol=1e-4)


@pytest.mark.parametrize("with_context", [True, False])
def test_variable_selection_equals_a_loop_over_variables(with_context):
    layer = VariableSelection(units=U, dropout=0.5, name="selection")
    x, context = noise(B, T, V), noise(B, 1, 5) if with_context else None
    layer(x, context)
    w = shaken(layer)
    selected, weights = (keras.ops.convert_to_numpy(y) for y in layer(x, context))
    expected = softmax(gated_residual(x, context, w, "weights/"))
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    mean = np.zeros((B, T, U))
    for v in range(V):
        own = {key: value[v] for key, value in w.items() if key.startswith("values/")}
        mean += expected[..., v : v + 1] * gated_residual(x[..., v : v + 1], None, own, "values/")
    np.testing.assert_allclose(selected, mean, atol=1e-4)


def test_variable_selection_without_time_equals_one_step():
    layer = VariableSelection(units=U, dropout=0.0, name="selection")
    whole, one = layer(noise(B, 1, V)), layer(noise(B, 1, V)[:, 0])
    for a, b in zip(whole, one, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(a)[:, 0], keras.ops.convert_to_numpy(b), atol=1e-6)


def test_a_lone_variable_is_selected_without_a_network():
    layer = VariableSelection(units=U, dropout=0.0, name="selection")
    _, weights = layer(noise(B, T, 1))
    assert (keras.ops.convert_to_numpy(weights) == 1).all()
    assert all("/values/" in w.path for w in layer.weights)


@pytest.mark.parametrize("num_heads", [1, 2, 4])
def test_interpretable_attention_equals_its_equations(num_heads):
    layer = InterpretableAttention(num_heads=num_heads, dropout=0.5, name="attention")
    query, memory = noise(B, T, U), noise(B, T + 2, U)
    layer(query, memory)
    w = shaken(layer)
    context, weights = (keras.ops.convert_to_numpy(y) for y in layer(query, memory))
    size = -(-U // num_heads)
    expected = np.zeros((B, T, T + 2))
    for b, t, head in np.ndindex(B, T, num_heads):
        part = slice(head * size, (head + 1) * size)
        seen = memory[b, : t + 3]
        scores = (query[b, t] @ w["query_kernel"][:, part]) @ (seen @ w["key_kernel"][:, part]).T / np.sqrt(size)
        expected[b, t, : t + 3] += softmax(scores) / num_heads
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    np.testing.assert_allclose(context, expected @ (memory @ w["value_kernel"]) @ w["output_kernel"], atol=1e-3)


def test_attention_sees_no_later_step():
    layer = InterpretableAttention(num_heads=2, dropout=0.0)
    query, memory = noise(B, T, U), noise(B, T + 2, U)
    before = keras.ops.convert_to_numpy(layer(query, memory)[0])
    memory[:, -1] += 100
    after = keras.ops.convert_to_numpy(layer(query, memory)[0])
    np.testing.assert_array_equal(before[:, :-1], after[:, :-1])
    assert np.abs(before[:, -1] - after[:, -1]).min() > 0


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (GatedSkip(dropout=0.5), (noise(B, T, U), noise(B, T, U))),
        (GatedResidual(units=U, dropout=0.5), (noise(B, T, V),)),
        (VariableSelection(units=U, dropout=0.5), (noise(B, T, V),)),
        (InterpretableAttention(num_heads=2, dropout=0.5), (noise(B, T, U), noise(B, T + 2, U))),
    ],
    ids=lambda x: type(x).__name__,
)
def test_dropout_is_of_training_alone(layer, inputs):
    def run(training):
        return keras.ops.convert_to_numpy(keras.tree.flatten(layer(*inputs, training=training))[0])

    np.testing.assert_array_equal(run(False), run(False))
    assert not np.array_equal(run(True), run(True))


@pytest.mark.parametrize(
    "layer",
    [
        GatedSkip(dropout=0.1, normalize=False, num_variables=3),
        GatedResidual(units=3, dropout=0.1, outputs=2, normalize=False, num_variables=3),
        VariableSelection(units=3, dropout=0.1),
        InterpretableAttention(num_heads=2, dropout=0.1),
    ],
    ids=lambda x: type(x).__name__,
)
def test_layers_come_back_from_their_config(layer):
    assert keras.layers.deserialize(keras.layers.serialize(layer)).get_config() == layer.get_config()


def test_symbolic_shapes_are_the_shapes():
    x, context = keras.Input((T, V)), keras.Input((1, 5))
    selected, weights = VariableSelection(units=U, dropout=0.1)(x, context)
    attended, alignment = InterpretableAttention(num_heads=2, dropout=0.1)(selected[:, 1:], selected)
    shapes = [y.shape for y in (selected, weights, attended, alignment)]
    assert shapes == [(None, T, U), (None, T, V), (None, T - 1, U), (None, T - 1, T)]
    model = keras.Model([x, context], [selected, weights, attended, alignment])
    found = [y.shape for y in model.predict_on_batch([noise(B, T, V), noise(B, 1, 5)])]
    assert found == [(B, *shape[1:]) for shape in shapes]
