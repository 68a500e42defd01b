"""Recurrent layers against transcripts of their papers' equations, and against the interface of Keras' layers."""

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo.errors import ConfigError
from lstmzoo.layers import MLSTM, SLSTM, DilatedLSTM, MinGRU, MinLSTM

MAKE = {
    "MinGRU": MinGRU,
    "MinLSTM": MinLSTM,
    "SLSTM": lambda units, **kwargs: SLSTM(units, num_heads=2, **kwargs),
    "MLSTM": lambda units, **kwargs: MLSTM(units, num_heads=2, **kwargs),
    "DilatedLSTM": lambda units, **kwargs: DilatedLSTM(units, dilation=3, **kwargs),
}
STATES = {
    "MinGRU": [(8,)],
    "MinLSTM": [(8,)],
    "SLSTM": [(8,)] * 4,
    "MLSTM": [(2, 4, 4), (2, 4), (2,)],
    "DilatedLSTM": [(3, 8)] * 2,
}
B, T, F, U = 3, 7, 5, 8

every_layer = pytest.mark.parametrize("name", sorted(MAKE))


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def inputs(steps=T, scale=1.0, seed=0):
    return np.random.default_rng(seed).normal(size=(B, steps, F), scale=scale).astype("float32")


def drawn(name, **kwargs):
    """A layer that returns sequences and states, with all weights drawn, including biases."""
    layer = MAKE[name](U, return_sequences=True, return_state=True, name="layer", **kwargs)
    layer.build((None, None, F))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape, scale=0.6) for w in layer.weights])
    return layer


def weights_of(layer):
    return {w.name: array.astype("float64") for w, array in zip(layer.weights, layer.get_weights(), strict=True)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def min_gru(w, x):
    h, outputs = np.zeros((len(x), U)), []
    for t in range(x.shape[1]):
        z, candidate = np.split(x[:, t] @ w["kernel"] + w["bias"], 2, axis=-1)
        h = (1 - sigmoid(z)) * h + sigmoid(z) * candidate
        outputs.append(h)
    return np.stack(outputs, 1), [h]


def min_lstm(w, x):
    h, outputs = np.zeros((len(x), U)), []
    for t in range(x.shape[1]):
        f, i, candidate = np.split(x[:, t] @ w["kernel"] + w["bias"], 3, axis=-1)
        f, i = sigmoid(f), sigmoid(i)
        h = f / (f + i) * h + i / (f + i) * candidate
        outputs.append(h)
    return np.stack(outputs, 1), [h]


def slstm(w, x):
    """The sLSTM without the stabilizer: c and n in their true size."""
    heads, size = w["recurrent_kernel"].shape[:2]
    h = c = n = np.zeros((len(x), U))
    outputs = []
    for t in range(x.shape[1]):
        before = (x[:, t] @ w["kernel"] + w["bias"]).reshape(-1, heads, 4, size)
        for head in range(heads):
            own = h[:, head * size : (head + 1) * size]
            before[:, head] += (own @ w["recurrent_kernel"][head]).reshape(-1, 4, size)
        i, f, z, o = (before[:, :, gate].reshape(-1, U) for gate in range(4))
        c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
        n = sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        outputs.append(h)
    return np.stack(outputs, 1), [h, c, n]


def mlstm(w, x):
    """The mLSTM without the stabilizer, step by step, one head of one sequence at a time."""
    heads = 2
    size = U // heads
    outputs = np.zeros((len(x), x.shape[1], U))
    memories, norms = np.zeros((len(x), heads, size, size)), np.zeros((len(x), heads, size))
    for b, head in np.ndindex(len(x), heads):
        part = slice(head * size, (head + 1) * size)
        for t in range(x.shape[1]):
            q, k, v, o = (
                (x[b, t] @ w[f"{name}_kernel"] + w[f"{name}_bias"])[part]
                for name in ("query", "key", "value", "output")
            )
            gates = x[b, t] @ w["gate_kernel"] + w["gate_bias"]
            i, f = np.exp(gates[head]), sigmoid(gates[heads + head])
            k = k / np.sqrt(size)
            memories[b, head] = f * memories[b, head] + i * np.outer(k, v)
            norms[b, head] = f * norms[b, head] + i * k
            read = q @ memories[b, head] / max(abs(norms[b, head] @ q), 1)
            read = (read - read.mean()) / np.sqrt(read.var() + 1e-5)
            outputs[b, t, part] = sigmoid(o) * w["norm_scale"][part] * read
    return outputs, [memories, norms]


def dilated_lstm(w, x, dilation=3):
    """Take each step from the state ``dilation`` steps before."""
    hs, cs = ([np.zeros((len(x), U))] * dilation for _ in range(2))
    for t in range(x.shape[1]):
        gates = x[:, t] @ w["kernel"] + hs[-dilation] @ w["recurrent_kernel"] + w["bias"]
        i, f, z, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * cs[-dilation] + sigmoid(i) * np.tanh(z)
        hs, cs = [*hs, sigmoid(o) * np.tanh(c)], [*cs, c]
    return np.stack(hs[dilation:], 1), [np.stack(hs[-dilation:], 1), np.stack(cs[-dilation:], 1)]


EQUATIONS = {"MinGRU": min_gru, "MinLSTM": min_lstm, "SLSTM": slstm, "MLSTM": mlstm, "DilatedLSTM": dilated_lstm}


@every_layer
@pytest.mark.parametrize("steps", [1, 2, 7, 9])
def test_equals_its_equations(name, steps):
    layer, x = drawn(name), inputs(steps)
    outputs, states = EQUATIONS[name](weights_of(layer), x.astype("float64"))
    got, *final = arrays(layer(x))
    np.testing.assert_allclose(got, outputs, rtol=1e-5, atol=1e-5)
    if name in ("SLSTM", "MLSTM"):
        *final, m = final
        final[-2:] = [state * np.exp(m.reshape(m.shape + (1,) * (state.ndim - m.ndim))) for state in final[-2:]]
    for mine, theirs in zip(final, states, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@every_layer
@pytest.mark.parametrize("pieces", [(3, 1, 3), (1,) * 7, (5, 2), (2, 5), (7,)])
def test_pieces_equal_the_whole(name, pieces):
    layer, x = drawn(name), inputs()
    whole, *final = arrays(layer(x))
    states, parts = [np.zeros((B, *shape), "float32") for shape in STATES[name]], []
    for part in np.split(x, np.cumsum(pieces)[:-1], axis=1):
        outputs, *states = layer(part, initial_state=states)
        parts.append(outputs)
    np.testing.assert_allclose(np.concatenate(arrays(parts), 1), whole, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(arrays(states), final, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_a_long_sequence_in_chunks_equals_its_steps():
    layer, x = drawn("MLSTM"), inputs(150)
    outputs, *states = arrays(layer(x))
    expected, _ = mlstm(weights_of(layer), x.astype("float64"))
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    head, *between = layer(x[:, :130])
    tail, *final = layer(x[:, 130:], initial_state=between)
    np.testing.assert_allclose(np.concatenate(arrays([head, tail]), 1), outputs, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(arrays(final), states, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@every_layer
def test_shapes_are_those_of_a_stock_layer(name):
    x = inputs(4)
    for sequences, state in np.ndindex(2, 2):
        layer = MAKE[name](U, return_sequences=bool(sequences), return_state=bool(state))
        answer, symbolic = layer(x), layer(keras.Input((4, F)))
        output, *states = answer if state else [answer]
        shapes = [tuple(tensor.shape) for tensor in (symbolic if state else [symbolic])]
        assert tuple(output.shape) == ((B, 4, U) if sequences else (B, U))
        assert [tuple(tensor.shape) for tensor in states] == ([(B, *shape) for shape in STATES[name]] if state else [])
        assert shapes == [(None, *tensor.shape[1:]) for tensor in (output, *states)]


@every_layer
def test_last_output_is_the_sequences_last(name):
    layer, x = drawn(name), inputs()
    last = MAKE[name](U)
    last.build((None, None, F))
    last.set_weights(layer.get_weights())
    np.testing.assert_allclose(*arrays([last(x), layer(x)[0][:, -1]]), rtol=1e-6, atol=1e-6)


@every_layer
def test_comes_back_from_its_config(name):
    layer = drawn(name)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    again(inputs())
    assert [w.path for w in again.weights] == [w.path for w in layer.weights]
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(*arrays([again(inputs())[0], layer(inputs())[0]]))


@every_layer
def test_learns_in_a_compiled_model_and_survives_large_inputs(name):
    window, more = keras.Input((T, F), name="window"), keras.Input((4, F), name="more")
    sequence, *states = MAKE[name](U, return_sequences=True, return_state=True, name="encoder")(window)
    last = MAKE[name](U, name="decoder")(more, initial_state=states)
    output = keras.layers.Dense(1, name="output")(last + sequence[:, -1])
    model = keras.Model({"window": window, "more": more}, output)
    model.compile("sgd", "mse", jit_compile=keras.backend.backend() != "torch")
    before = [w.copy() for w in model.get_weights()]
    x, y = {"window": inputs(T), "more": inputs(4)}, np.ones((B, 1), "float32")
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    assert losses[1] < losses[0]
    assert all((new != old).any() for new, old in zip(model.get_weights(), before, strict=True))
    for scale in (1e2, 1e4):
        assert np.isfinite(model.train_on_batch({key: scale * array for key, array in x.items()}, y))
        assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_mlstm_has_no_outliers_where_its_divisor_is_small(scale):
    x = np.random.default_rng(0).normal(size=(64, 32, 64), scale=scale).astype("float32")
    layer = MLSTM(64, return_sequences=True)
    size = np.abs(ops.convert_to_numpy(layer(x)))
    assert size.max() < 0.1 * np.sqrt(15)  # what 16 numbers of variance 1 can be at the most


def test_a_head_of_mlstm_needs_more_than_one_unit():
    with pytest.raises(ConfigError, match="units=4 leaves each of num_heads=4 one number"):
        MLSTM(4)


@pytest.mark.parametrize("layer", [SLSTM, MLSTM])
def test_heads_share_the_units(layer):
    with pytest.raises(ConfigError, match="units=10 is not a multiple of num_heads=4"):
        layer(10)


@pytest.mark.parametrize("name", ["MLSTM", "DilatedLSTM"])
def test_a_number_of_steps_is_needed(name):
    with pytest.raises(ConfigError, match="fixed number of steps"):
        MAKE[name](U).call(keras.KerasTensor((None, None, F)))
