"""Layers of language models against transcripts of their papers' equations."""

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo.errors import ConfigError
from lstmzoo.layers import (
    SLSTM,
    DilatedLSTM,
    EmbeddingDropout,
    LockedDropout,
    MinGRU,
    MinLSTM,
    MogrifierLSTM,
    WeightDrop,
    WindowAttention,
)
from lstmzoo.registry import build_model
from lstmzoo.spec import LanguageModellingSpec

B, T, F, U, W = 3, 7, 5, 4, 3
STOCK = {"SimpleRNN": keras.layers.SimpleRNN, "LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}
COMPILED = keras.backend.backend() != "torch"

every_stock_layer = pytest.mark.parametrize("name", sorted(STOCK))
every_minimal_layer = pytest.mark.parametrize("cls", [MinGRU, MinLSTM])
every_mogrifier = pytest.mark.parametrize(("rounds", "rank"), [(0, 0), (1, 0), (5, 0), (4, 2)])


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def inputs(steps=T, features=F, seed=0):
    return np.random.default_rng(seed).normal(size=(B, steps, features)).astype("float32")


def filled(layer, features=F):
    """Draw all weights of a layer, including biases."""
    layer.build((None, None, features))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape, scale=0.6) for w in layer.weights])
    return layer


def whole(cls, *args, **kwargs):
    """A layer with drawn weights that returns sequences and states."""
    return filled(cls(*args, return_sequences=True, return_state=True, name="layer", **kwargs))


def weights_of(layer):
    return {w.name: array.astype("float64") for w, array in zip(layer.weights, layer.get_weights(), strict=True)}


def assert_close(mine, theirs, tolerance=1e-5):
    for a, b in zip(arrays(mine), arrays(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def assert_pieces_equal_the_whole(layer, x, states):
    expected = layer(x)
    for pieces in [(3, 1, 3), (1,) * T, (5, 2), (2, 5), (T,)]:
        carried, parts = states, []
        for part in np.split(x, np.cumsum(pieces)[:-1], axis=1):
            outputs, *carried = layer(part, initial_state=carried)
            parts.append(outputs)
        assert_close([np.concatenate(arrays(parts), 1), *carried], expected)


def assert_comes_back_from_its_config(layer, *given):
    expected = keras.tree.flatten(layer(*given))
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    again(*given)
    assert [w.path for w in again.weights] == [w.path for w in layer.weights]
    again.set_weights(layer.get_weights())
    assert_close(keras.tree.flatten(again(*given)), expected, 0)


def gradients(f, layer, x):
    """Gradients of the sum of ``f(layer(x))`` by the layer's weights and by x, in NumPy, on each backend."""
    variables = layer.trainable_variables
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = f(x)
        return arrays(tape.gradient(loss, [*(v.value for v in variables), x]))
    if keras.backend.backend() == "jax":
        import jax

        def loss(values, x):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return f(x)

        values, last = jax.grad(loss, argnums=(0, 1))([v.value for v in variables], x)
        return arrays([*values, last])
    import torch

    x = torch.tensor(x, requires_grad=True)
    return arrays(torch.autograd.grad(f(x), [*(v.value for v in variables), x]))


# Locked and embedding dropout


@pytest.mark.parametrize("rate", [0.1, 0.65])
def test_a_locked_mask_is_the_same_at_all_steps(rate):
    layer = LockedDropout(rate, seed=1)
    first, second = arrays([layer(np.ones((40, 3, 500), "float32"), training=True) for _ in range(2)])
    np.testing.assert_array_equal(first, np.repeat(first[:, :1], 3, axis=1))
    np.testing.assert_allclose(np.unique(first), [0, 1 / (1 - rate)], rtol=1e-6)
    assert (first == 0).mean() == pytest.approx(rate, abs=0.01)
    assert (first[0] == first[1]).mean() == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.07)
    assert (first == second).mean() == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.02)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_dropped_word_is_dropped_everywhere(rate):
    layer = EmbeddingDropout(rate, seed=1)
    tokens = np.random.default_rng(0).permutation(np.tile(np.arange(5000), 2)).reshape(100, 100)
    vectors = np.ones((100, 100, 3), "float32")
    first, second = arrays([layer(vectors, tokens, training=True) for _ in range(2)])
    of_id = np.zeros((5000, 3), "float32")
    of_id[tokens] = first
    np.testing.assert_array_equal(of_id[tokens], first)
    np.testing.assert_array_equal(first, np.repeat(first[..., :1], 3, axis=-1))
    np.testing.assert_allclose(np.unique(first), [0, 1 / (1 - rate)], rtol=1e-6)
    assert (of_id == 0).mean() == pytest.approx(rate, abs=0.02)
    assert (first == second).mean() == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.02)


@pytest.mark.parametrize("cls", [LockedDropout, EmbeddingDropout])
def test_dropouts_are_seeded_and_only_of_training(cls):
    x = inputs(9, 50)
    given = (x,) if cls is LockedDropout else (x, np.arange(B * 9).reshape(B, 9))
    one, same, other = arrays([cls(0.5, seed=seed)(*given, training=True) for seed in (1, 1, 2)])
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert_close([cls(0.5)(*given), cls(0.0)(*given, training=True)], [x, x], 0)
    assert_comes_back_from_its_config(cls(0.3, seed=4, name="dropout"), *given)


def test_embedding_dropout_learns_in_a_compiled_model():
    tokens = keras.Input((T,), dtype="int32", name="tokens")
    vectors = keras.layers.Embedding(20, F, name="embedding")(tokens)
    kept = EmbeddingDropout(0.5, seed=1, name="words")(vectors, tokens)
    assert kept.shape == (None, T, F)
    kept = LockedDropout(0.5, seed=1, name="locked")(kept)
    model = keras.Model(tokens, keras.layers.Dense(1, name="output")(kept))
    model.compile("sgd", "mse", jit_compile=COMPILED)
    before = model.get_layer("embedding").get_weights()[0].copy()
    model.train_on_batch(np.full((B, T), 3), np.ones((B, T, 1)))
    moved = (model.get_layer("embedding").get_weights()[0] != before).any(axis=1)
    assert not np.delete(moved, 3).any()


# Weight drop


@every_stock_layer
def test_outside_of_training_weight_drop_is_the_layer(name):
    layer = whole(STOCK[name], U)
    dropped = WeightDrop(layer, 0.5)
    assert_close(dropped(inputs()), layer(inputs()), 0)
    assert_close(WeightDrop(layer, 0.0)(inputs(), training=True), layer(inputs()), 0)


def test_weight_drop_keeps_its_rate():
    """With zero inputs, a linear layer maps a unit vector to a row of its recurrent kernel, so the states show the weights."""
    units, rate = 200, 0.4
    layer = WeightDrop(keras.layers.SimpleRNN(units, activation="linear", use_bias=False), rate, seed=1)
    x, h = np.zeros((units, 1, F), "float32"), np.eye(units, dtype="float32")
    exact, *draws = arrays([layer(x, initial_state=h, training=bool(i)) for i in range(20)])
    ratio = np.stack(draws) / exact
    np.testing.assert_allclose(np.unique(ratio.round(4)), [0, round(1 / (1 - rate), 4)], atol=1e-4)
    assert (ratio[0] == 0).mean() == pytest.approx(rate, abs=0.01)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert (ratio[0] == ratio[1]).mean() == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.01)


@every_stock_layer
def test_only_kept_weights_get_a_gradient_and_the_mask_is_of_all_steps(name):
    bare = whole(STOCK[name], U)
    layer = WeightDrop(bare, 0.5, seed=3)
    layer.build((None, None, F))
    start = arrays([layer.seed_generator.state])[0]

    def loss(x, training=True):
        return ops.sum(layer(x, training=training)[0] ** 2)

    *_, at_input = whole_gradient = gradients(loss, layer, inputs())
    kernel = next(i for i, v in enumerate(layer.trainable_variables) if v.name == "recurrent_kernel")
    at_kernel = whole_gradient[kernel]
    kept = at_kernel != 0
    assert 0.2 < kept.mean() < 0.8
    layer.seed_generator.state.assign(start)
    expected, *states = arrays(layer(inputs(), training=True))
    weights = bare.get_weights()
    bare.set_weights([np.where(kept, 2 * w, 0) if i == kernel else w for i, w in enumerate(weights)])
    assert_close(bare(inputs()), [expected, *states])
    by_hand = gradients(lambda x: loss(x, training=False), layer, inputs())
    assert_close([at_kernel, at_input], [np.where(kept, 2 * by_hand[kernel], 0), by_hand[-1]], 1e-4)


@every_stock_layer
def test_weight_drop_trains_in_a_compiled_model_from_given_states(name):
    keras.utils.set_random_seed(0)  # from lucky initial weights, five steps with noise may lead away
    window, start = keras.Input((T, F), name="window"), keras.Input((U,), name="start")
    layer = WeightDrop(STOCK[name](U, return_sequences=True, return_state=True, name="encoder"), 0.5, seed=1)
    sequence, *states = layer(window, initial_state=[start] * (1 + (name == "LSTM")))
    assert [tensor.shape for tensor in (sequence, *states)] == [(None, T, U)] + [(None, U)] * len(states)
    output = keras.layers.Dense(1, name="output")(sequence[:, 0] + states[-1])
    model = keras.Model({"window": window, "start": start}, output)
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=COMPILED)
    x, y = {"window": inputs(), "start": inputs(1, U)[:, 0]}, np.ones((B, 1), "float32")
    assert len({float(model.train_on_batch(x, y)) for _ in range(6)}) > 1  # a new mask each time
    before, first = [w.copy() for w in model.get_weights()], arrays([model(x)])[0]
    model.optimizer.learning_rate.assign(0.1)
    for _ in range(5):
        model.train_on_batch(x, y)
    assert ((arrays([model(x)])[0] - y) ** 2).mean() < ((first - y) ** 2).mean()
    assert all((new != old).any() for new, old in zip(model.get_weights(), before, strict=True))
    paths = [w.path for w in model.weights]
    assert len(set(paths)) == len(paths)
    assert sum(path.startswith("encoder_weight_drop/encoder/") for path in paths) == 3


@every_stock_layer
def test_weight_drop_leaves_the_layer_as_it_was(name, monkeypatch):
    bare = whole(STOCK[name], U)
    layer, kernel = WeightDrop(bare, 0.5), bare.cell.recurrent_kernel
    layer(inputs(), training=True)
    assert bare.cell.recurrent_kernel is kernel
    monkeypatch.setattr(bare, "inner_loop", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        layer(inputs(), training=True)
    assert bare.cell.recurrent_kernel is kernel
    assert_comes_back_from_its_config(WeightDrop(STOCK[name](U, name="rnn"), 0.3, seed=4), inputs())


def test_weight_drop_passes_masks_on():
    bare = keras.layers.LSTM(U, return_sequences=True, name="rnn")
    x = inputs()
    x[:, 4:] = 0
    masked = keras.layers.Masking()(x)
    assert_close([WeightDrop(bare, 0.5)(masked)], [bare(masked)], 0)
    model = keras.Sequential([keras.Input((T, F)), keras.layers.Masking(), WeightDrop(bare, 0.5)])
    assert_close([model(x)], [bare(masked)], 0)


def test_weight_drop_is_for_any_cell_with_a_recurrent_kernel():
    layer = WeightDrop(SLSTM(U, num_heads=2, name="slstm"), 0.5, seed=1)
    assert (arrays([layer(inputs(), training=True)])[0] != arrays([layer(inputs())])[0]).any()
    for wrong in (MinGRU(U), DilatedLSTM(U, dilation=2), keras.layers.Dense(U)):
        with pytest.raises(ConfigError, match=f"{type(wrong).__name__} has no cell with a recurrent_kernel"):
            WeightDrop(wrong, 0.5)(inputs())
    with pytest.raises(ConfigError, match="rate=1 is not in"):
        WeightDrop(keras.layers.GRU(U), 1)


# Mogrifier


def mogrifier(w, x, rounds, rank):
    def gate(i, by):
        by = by @ w[f"mogrifier_left_{i}"] @ w[f"mogrifier_right_{i}"] if rank else by @ w[f"mogrifier_kernel_{i}"]
        return 2 * sigmoid(by)

    h = c = np.zeros((len(x), U))
    outputs = []
    for t in range(x.shape[1]):
        v = x[:, t]
        for i in range(1, rounds + 1):
            if i % 2:
                v = gate(i, h) * v
            else:
                h = gate(i, v) * h
        i, f, z, o = np.split(v @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


@every_mogrifier
def test_mogrifier_equals_its_equations(rounds, rank):
    layer = whole(MogrifierLSTM, U, rounds, rank)
    assert_close(layer(inputs()), mogrifier(weights_of(layer), inputs().astype("float64"), rounds, rank))
    assert_comes_back_from_its_config(layer, inputs())


def test_mogrifier_carries_its_state():
    assert_pieces_equal_the_whole(whole(MogrifierLSTM, U, 5), inputs(), [np.zeros((B, U), "float32")] * 2)


def test_mogrifier_with_no_rounds_is_a_stock_layer():
    mogrified, stock = whole(MogrifierLSTM, U, 0), whole(keras.layers.LSTM, U)
    assert [tuple(w.shape) for w in mogrified.weights] == [tuple(w.shape) for w in stock.weights]
    assert_close(mogrified(inputs()), stock(inputs()))


def test_mogrifier_begins_with_a_forget_bias_of_one():
    layer = MogrifierLSTM(U, 2)
    layer.build((None, None, F))
    np.testing.assert_array_equal(arrays([layer.cell.bias])[0], np.repeat([0, 1, 0, 0], U))
    assert_close([WeightDrop(layer, 0.5)(inputs())], [layer(inputs())], 0)
    with pytest.raises(ConfigError, match="rank=-1 is negative"):
        MogrifierLSTM(U, 2, -1)


# Window attention


def window_attention(w, x):
    contexts = np.zeros((len(x), x.shape[1], U))
    for b, t in np.ndindex(*x.shape[:2]):
        before = x[b, max(t - W, 0) : t]
        if len(before):
            scores = (before @ w["key_kernel"]) @ (x[b, t] @ w["query_kernel"]) / np.sqrt(U)
            weights = np.exp(scores) / np.exp(scores).sum()
            contexts[b, t] = weights @ (before @ w["value_kernel"])
    written = np.concatenate([x @ w["key_kernel"], x @ w["value_kernel"]], axis=-1)[:, -W:]
    memory = np.concatenate([np.zeros((len(x), W - written.shape[1], 2 * U)), written], axis=1)
    return contexts, memory, np.full((len(x), 1), written.shape[1])


@pytest.mark.parametrize("steps", [1, 2, W, 7])
def test_window_attention_equals_its_equations(steps):
    layer = whole(WindowAttention, U, W)
    assert_close(layer(inputs(steps)), window_attention(weights_of(layer), inputs(steps).astype("float64")))
    assert_comes_back_from_its_config(layer, inputs(steps))


def test_window_attention_carries_its_memory():
    states = [np.zeros((B, W, 2 * U), "float32"), np.zeros((B, 1), "float32")]
    assert_pieces_equal_the_whole(whole(WindowAttention, U, W), inputs(), states)


def test_window_attention_is_blind_to_what_its_memory_never_held():
    layer = whole(WindowAttention, U, W)
    zeros = [np.zeros((B, W, 2 * U), "float32"), np.zeros((B, 1), "float32")]
    assert_close(layer(inputs(), initial_state=[zeros[0] + 9, zeros[1]])[:1], layer(inputs(), initial_state=zeros)[:1])


def test_window_attention_learns_in_a_compiled_model_from_given_states():
    window, more = keras.Input((T, F), name="window"), keras.Input((2, F), name="more")
    contexts, *states = WindowAttention(U, W, return_sequences=True, return_state=True, name="first")(window)
    last = WindowAttention(U, W, name="second")(more, initial_state=states)
    assert [tuple(tensor.shape) for tensor in (contexts, *states, last)] == [
        (None, T, U),
        (None, W, 2 * U),
        (None, 1),
        (None, U),
    ]
    model = keras.Model({"window": window, "more": more}, keras.layers.Dense(1, name="output")(last + contexts[:, -1]))
    model.compile("sgd", "mse", jit_compile=COMPILED)
    before = [w.copy() for w in model.get_weights()]
    x, y = {"window": inputs(), "more": inputs(2)}, np.ones((B, 1), "float32")
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    assert losses[1] < losses[0]
    assert all((new != old).any() for new, old in zip(model.get_weights(), before, strict=True))


# Parallel minimal layers


@every_minimal_layer
@pytest.mark.parametrize("steps", [1, 2, 7, 16])
def test_parallel_equals_the_loop(cls, steps):
    loop, scan = whole(cls, U), whole(cls, U, parallel=True)
    h = np.random.default_rng(2).normal(size=(B, U)).astype("float32")
    assert_close(scan(inputs(steps)), loop(inputs(steps)))
    assert_close(scan(inputs(steps), initial_state=h), loop(inputs(steps), initial_state=h))

    def loss(layer):
        return lambda x: ops.sum(layer(x, initial_state=h)[0] ** 2) + ops.sum(layer(x)[1])

    assert_close(gradients(loss(scan), scan, inputs(steps)), gradients(loss(loop), loop, inputs(steps)), 2e-5)


@every_minimal_layer
def test_parallel_is_carried_reversed_and_masked_as_the_loop_is(cls):
    scan = whole(cls, U, parallel=True)
    assert_pieces_equal_the_whole(scan, inputs(), [np.zeros((B, U), "float32")])
    back = [whole(cls, U, parallel=parallel, go_backwards=True) for parallel in (True, False)]
    assert_close(back[0](inputs()), back[1](inputs()))
    mask = np.arange(T) < np.array([[T], [3], [5]])
    assert_close(scan(inputs(), mask=mask), whole(cls, U)(inputs(), mask=mask))


@every_minimal_layer
def test_parallel_learns_in_a_compiled_model(cls):
    layer = cls(U, parallel=True, name="layer")
    assert layer.get_config()["parallel"] is True
    assert_comes_back_from_its_config(layer, inputs())
    model = keras.Sequential([keras.Input((T, F)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=COMPILED)
    x, y = inputs(), np.ones((B, 1), "float32")
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    assert losses[1] < losses[0]
    with pytest.raises(ConfigError, match="fixed number of steps"):
        layer.call(keras.KerasTensor((B, None, F)), initial_state=[np.zeros((B, U), "float32")])


def test_residual_blocks_read_embeddings_times_the_root_of_their_size():
    settings = {"cell": "mlstm", "units": 16, "num_layers": 1, "expansion": 2, "dropout": 0.2}
    spec = LanguageModellingSpec(vocab_size=10, bptt=6)
    model = build_model("residual_language_model", spec, {**settings, "tied": True, "softmax": "full"})
    tokens = np.arange(12, dtype="int32").reshape(2, 6) % 10
    read = keras.Model(model.inputs, model.get_layer("block_0_norm_0").input)
    vectors = ops.convert_to_numpy(model.get_layer("embedding").embeddings)[tokens]
    np.testing.assert_allclose(read.predict_on_batch([tokens, tokens]), 4 * vectors, rtol=1e-6)
