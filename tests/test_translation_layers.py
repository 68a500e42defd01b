"""Layers of translation models against transcripts of their papers' equations."""

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.layers import (
    GRU,
    LSTM,
    Attention,
    AttentiveRNN,
    ConditionalRNN,
    InputFeedingRNN,
    LayerNormLSTM,
    LocalAttention,
)

B, S, T, E, M, U = 3, 6, 4, 5, 8, 4
LENGTHS = np.array([6, 3, 1])
MASK = np.arange(S) < LENGTHS[:, None]
COMPILED = keras.backend.backend() != "torch"

ATTENTIONS = {
    "additive": lambda: Attention(score="additive", units=6),
    "dot": lambda: Attention(score="dot", units=6),
    "general": lambda: Attention(score="general", units=6),
    "concat": lambda: Attention(score="concat", units=6),
    "two_heads": lambda: Attention(score="additive", units=6, heads=2),
    "local": lambda: LocalAttention(window=2, units=6),
    "local_additive": lambda: LocalAttention(window=1, units=6, score="additive"),
}
DECODERS = {
    "attentive": AttentiveRNN,
    "conditional": ConditionalRNN,
    "input_feeding": InputFeedingRNN,
    "input_feeding_stack": lambda units, **options: InputFeedingRNN(units, num_layers=2, **options),
}
every_attention = pytest.mark.parametrize("attention", ATTENTIONS)
every_decoder = pytest.mark.parametrize(
    ("decoder", "cell"), [(decoder, cell) for decoder in DECODERS for cell in ("gru", "lstm")]
)


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def memory_of(width=M):
    return normal(B, S, width, seed=1)


def assert_close(mine, theirs, tolerance=1e-5):
    for a, b in zip(arrays(mine), arrays(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def drawn(layer, *shapes):
    """Draw all weights of a layer, including biases."""
    layer.build(*shapes)
    rng = np.random.default_rng(2)
    layer.set_weights([rng.normal(size=w.shape, scale=0.7) for w in layer.weights])
    return layer


def weights_of(layer):
    """Weights by their paths in the layer."""
    found = zip(layer.weights, layer.get_weights(), strict=True)
    return {w.path.removeprefix(f"{layer.name}/"): array.astype("float64") for w, array in found}


def attention_of(name, query=U):
    """An attention with drawn weights, and the width of a memory that it can read."""
    width = query if name == "dot" else M
    return drawn(ATTENTIONS[name](), (None, None, query), (None, None, width)), width


def decoder_of(decoder, cell, attention="additive", width=M):
    layer = DECODERS[decoder](U, cell=cell, attention=ATTENTIONS[attention](), name="decoder")
    return drawn(layer, (None, None, E), (None, None, width))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def scored(attention, w, q, k):
    """The attention's score of one query and one position of the memory."""
    if attention.score == "dot":
        return q @ k
    if attention.score == "general":
        return q @ (k @ w["key_kernel"])
    return np.tanh(q @ w["query_kernel"] + k @ w["key_kernel"] + w.get("bias", 0)) @ w["energy"][:, 0]


def attended(attention, q, memory):
    """Context and weights of one query (Q,) for the memory (L, M) of one row, without padding."""
    w = {path.rsplit("/", 1)[-1]: array for path, array in weights_of(attention).items()}
    if attention.heads > 1:
        hidden = np.tanh(q @ w["query_kernel"] + memory @ w["key_kernel"])
        slices = [
            np.split(x, attention.heads, axis=-1) for x in (hidden, w["energy"][:, 0], memory @ w["value_kernel"])
        ]
        heads = [(softmax(h @ v), values) for h, v, values in zip(*slices, strict=True)]
        return np.concatenate([a @ values for a, values in heads]), np.mean([a for a, _ in heads], axis=0)
    scores = np.array([scored(attention, w, q, k) for k in memory])
    if not isinstance(attention, LocalAttention):
        return softmax(scores) @ memory, softmax(scores)
    length, window = len(memory), attention.window
    place = length * sigmoid(np.tanh(q @ w["place_kernel"]) @ w["place_energy"][:, 0])
    near = [s for s in range(length) if place - window <= s <= place + window]
    weights = np.zeros(length)
    weights[near] = softmax(scores[near])
    weights *= np.exp(-((np.arange(length) - place) ** 2) / (2 * (window / 2) ** 2))
    return weights @ memory, weights


def stepped(cell, w, x, states):
    """A cell's step from inputs that are multiplied by its kernel; ``w`` has its recurrent kernel."""
    kernel = w["recurrent_kernel"]
    if cell == "lstm":
        h, c = states
        i, f, g, o = np.split(x + h @ kernel, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    (h,) = states
    (xz, xr, xg), (rz, rr, rg) = np.split(x, 3), np.split(kernel, 3, axis=1)
    z, r = sigmoid(xz + h @ rz), sigmoid(xr + h @ rr)
    return [z * h + (1 - z) * np.tanh(xg + (r * h) @ rg)]


def decoded(layer, x, memory):
    """A decoder's outputs for one row, x (T, E) and the memory (L, M) without padding."""
    w = weights_of(layer)

    def cell(name, inputs, states):
        own = {path.split("/")[1]: array for path, array in w.items() if path.startswith(f"{name}/")}
        extra = 0 if len(inputs) == 1 else inputs[1] @ w[inputs[2]]
        return stepped(layer.cell, own, inputs[0] @ own["kernel"] + own["bias"] + extra, states)

    each = 2 if layer.cell == "lstm" else 1
    states, answers = [np.zeros(U)] * layer.state_count(), []
    for y in x:
        if isinstance(layer, AttentiveRNN):
            context, weights = attended(layer.attention, states[0], memory)
            states = cell("first", (y, context, "context_kernel"), states)
            output = states[0]
        elif isinstance(layer, ConditionalRNN):
            states = cell("first", (y,), states)
            context, weights = attended(layer.attention, states[0], memory)
            states = cell("second", (context,), states)
            output = states[0]
        else:
            after = cell("first", (y, states[-1], "feed_kernel"), states[:each])
            for i in range(1, layer.num_layers):
                after += cell(f"higher_{i}", (after[-each],), states[i * each : (i + 1) * each])
            context, weights = attended(layer.attention, after[-each], memory)
            output = np.tanh(np.concatenate([context, after[-each]]) @ w["output_kernel"])
            states = [*after, output]
        answers.append((output, context, weights))
    return [np.array(part) for part in zip(*answers, strict=True)], states


@every_attention
def test_attention_is_that_of_the_paper_over_what_is_real(attention):
    layer, width = attention_of(attention)
    query, memory = normal(B, T, U), memory_of(width)
    for mask, lengths in ((MASK, LENGTHS), (None, [S] * B)):
        contexts, weights = arrays(layer(query, memory, mask=mask))
        for b, t in np.ndindex(B, T):
            context, weight = attended(layer, query[b, t].astype("float64"), memory[b, : lengths[b]].astype("float64"))
            np.testing.assert_allclose(weights[b, t, : lengths[b]], weight, atol=1e-5)
            np.testing.assert_allclose(contexts[b, t], context, rtol=1e-5, atol=1e-5)
            assert (weights[b, t, lengths[b] :] == 0).all()


@every_attention
def test_keys_may_be_computed_once(attention):
    layer, width = attention_of(attention)
    query, memory = normal(B, T, U), memory_of(width)
    keys = layer.project(memory)
    assert_close(layer(query, memory, mask=MASK, keys=keys), layer(query, memory, mask=MASK), 1e-6)
    zeros = [np.zeros_like(x) for x in arrays([keys])]
    if attention != "dot":  # whose keys are the memory
        assert np.abs(arrays(layer(query, memory, keys=zeros[0]))[1] - arrays(layer(query, memory))[1]).max() > 0.01


@every_attention
def test_attention_comes_back_from_its_config(attention):
    layer, width = attention_of(attention)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    again.set_weights(layer.get_weights())
    assert_close(again(normal(B, T, U), memory_of(width)), layer(normal(B, T, U), memory_of(width)), 0)


@pytest.mark.parametrize("end", [0, 1])
def test_a_window_at_the_end_of_a_row_has_a_place(end):
    """The sigmoid is 0 or 1 to the last bit, and most positions are padding."""
    layer = drawn(LocalAttention(window=1, units=2), (None, None, U), (None, None, M))
    for weight, value in ((layer.place_kernel, 9.0), (layer.place_energy, 900.0 * (2 * end - 1))):
        weight.assign(np.full(weight.shape, value))
    _, weights = arrays(layer(np.ones((B, T, U), "float32"), memory_of(), mask=MASK))
    places = np.minimum(end * LENGTHS, LENGTHS - 1)
    assert (weights.argmax(-1) == places[:, None]).all()
    assert (weights.max(-1) > 0.1).all()
    holes = np.zeros((B, S), bool)
    holes[:, 3] = True  # of a length of 1, and more than a window away from 0 and 1
    contexts, weights = arrays(layer(np.ones((B, T, U), "float32"), memory_of(), mask=holes))
    assert (weights[..., 3] > 0).all()
    assert np.isfinite(contexts).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Attention(score="additive", units=6, heads=4), "units=6 is not a multiple of heads=4"),
        (lambda: Attention(score="additive", units=6, heads=0), "not a multiple of heads=0"),
        (lambda: Attention(score="dot", units=6, heads=2), "score='dot' has one head, got heads=2"),
        (lambda: Attention(score="additive", units=6, heads=3)(normal(B, T, U), memory_of()), "a memory of 8 units"),
        (lambda: LocalAttention(window=0, units=6), "window=0 is less than 1"),
        (lambda: InputFeedingRNN(U, attention=ATTENTIONS["dot"](), num_layers=0), "num_layers=0 is less than 1"),
        (
            lambda: decoder_of("attentive", "lstm")(normal(B, T, E), memory_of(), initial_state=[normal(B, U)]),
            "'decoder' has 2 states, got 1 in initial_state",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "make",
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("cls", [AttentiveRNN, ConditionalRNN, InputFeedingRNN])
def test_unknown_cells_are_refused(cls):
    with pytest.raises(UnknownNameError, match="unknown cell 'rnn'; valid: gru, lstm"):
        cls(U, attention=ATTENTIONS["dot"](), cell="rnn")


@pytest.mark.parametrize(
    ("decoder", "cell", "attention"),
    [(decoder, cell, "additive") for decoder in DECODERS for cell in ("gru", "lstm")]
    + [("conditional", "gru", "two_heads"), ("input_feeding", "lstm", "local"), ("attentive", "gru", "dot")],
)
def test_decoders_are_those_of_the_papers(decoder, cell, attention):
    width = U if attention == "dot" else M
    layer = decoder_of(decoder, cell, attention, width)
    x, memory = normal(B, T, E), memory_of(width)
    answers = arrays(layer(x, memory, mask=MASK))
    shapes = layer.compute_output_shape((B, T, E), (B, S, width))
    assert [answer.shape for answer in answers] == list(shapes)
    for b, length in enumerate(LENGTHS):
        (outputs, contexts, weights), states = decoded(
            layer, x[b].astype("float64"), memory[b, :length].astype("float64")
        )
        weights = np.pad(weights, ((0, 0), (0, S - length)))
        assert_close([answer[b] for answer in answers], [outputs, contexts, weights, *states])


@every_decoder
def test_what_is_padding_changes_nothing(decoder, cell):
    layer = decoder_of(decoder, cell, "local")
    x, memory = normal(B, T, E), memory_of()
    other = np.where(MASK[..., None], memory, 50.0).astype("float32")
    assert_close(layer(x, other, mask=MASK), layer(x, memory, mask=MASK), 0)
    row = slice(1, 2)
    shorter = layer(x[row], memory[row, : LENGTHS[1]])
    padded = arrays(layer(x[row], memory[row], mask=MASK[row]))
    padded[2] = padded[2][..., : LENGTHS[1]]
    assert_close(padded, shorter)


@every_decoder
def test_steps_equal_the_whole(decoder, cell):
    layer = decoder_of(decoder, cell, "two_heads")
    x, memory = normal(B, T, E), memory_of()
    whole = layer(x, memory, mask=MASK)
    keys, states, parts = layer.attention.project(memory), None, []
    for t in range(T):
        answer = layer(x[:, t : t + 1], memory, mask=MASK, initial_state=states, keys=keys)
        parts.append(arrays(answer[:3]))
        states = list(answer[3:])
    assert_close([*(np.concatenate(part, 1) for part in zip(*parts, strict=True)), *states], whole)


def assert_trains(decoder, **compiled):
    """Train on sequences of two lengths, after an encoder with layer normalization; all weights change."""
    keras.utils.set_random_seed(0)
    x, source = keras.Input((None, E)), keras.Input((None, M))
    mask, state = keras.Input((None,), dtype="bool"), keras.Input((U,))
    memory = LayerNormLSTM(U, return_sequences=True)(source, mask=mask)
    outputs, contexts, *_ = decoder(x, memory, mask=mask, initial_state=[state] * decoder.state_count())
    model = keras.Model([x, source, mask, state], ops.concatenate([outputs, contexts], axis=-1))
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse", **compiled)
    before, losses = model.get_weights(), []
    for steps, places in ((T, S), (T + 2, S - 2), (T, S)):
        real = np.arange(places) < np.array([[places], [2], [1]])
        given = [normal(B, steps, E), normal(B, places, M, seed=1), real, normal(B, U, seed=3)]
        losses.append(float(model.train_on_batch(given, np.zeros((B, steps, 2 * U), "float32"))))
    assert losses[2] < losses[0]
    for a, b in zip(before, model.get_weights(), strict=True):
        assert np.isfinite(b).all()
        assert np.abs(a - b).max() > 0


@every_decoder
def test_decoders_train(decoder, cell):
    assert_trains(DECODERS[decoder](U, cell=cell, attention=ATTENTIONS["two_heads"]()), run_eagerly=True)


def test_decoders_train_compiled():
    """All decoders are one loop; this test uses the attention with most parts."""
    decoder = InputFeedingRNN(U, cell="gru", attention=ATTENTIONS["local_additive"]())
    assert_trains(decoder, jit_compile=COMPILED)


@every_decoder
def test_decoders_come_back_from_their_configs(decoder, cell):
    layer = decoder_of(decoder, cell, "two_heads")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert [w.path for w in again.weights] == [w.path for w in layer.weights]
    again.set_weights(layer.get_weights())
    assert_close(again(normal(B, T, E), memory_of()), layer(normal(B, T, E), memory_of()), 0)


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def layer_norm_lstm(w, x):
    """Outputs (T, B, U) and c, from sequences (B, T, E)."""
    h, c, outputs = np.zeros((B, U)), np.zeros((B, U)), []
    for t in range(x.shape[1]):
        sums = x[:, t] @ w["cell/kernel"] + h @ w["cell/recurrent_kernel"]
        normal = [normalized(s) * gain for s, gain in zip(np.split(sums, 4, axis=1), w["cell/gain"], strict=True)]
        i, f, g, o = (s + b for s, b in zip(normal, np.split(w["cell/bias"], 4), strict=True))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(normalized(c) * w["cell/state_gain"] + w["cell/state_bias"])
        outputs.append(h)
    return np.array(outputs), c


def test_layer_norm_lstm_is_its_equations():
    layer = drawn(LayerNormLSTM(U, return_sequences=True, return_state=True), (None, None, E))
    x = normal(B, T, E)
    expected, c = layer_norm_lstm(weights_of(layer), x.astype("float64"))
    assert_close(layer(x), [expected.swapaxes(0, 1), expected[-1], c])
    h, c = layer.cell(x[:, 0], [np.zeros((B, U), "float32")] * 2)[1]  # as it is stepped where there is a GPU
    first, first_c = layer_norm_lstm(weights_of(layer), x[:, :1].astype("float64"))
    assert_close([h, c], [first[0], first_c])


def test_layer_norm_lstm_begins_by_remembering():
    layer = LayerNormLSTM(U)
    layer.build((None, None, E))
    np.testing.assert_array_equal(weights_of(layer)["cell/bias"], np.repeat([0, 1, 0, 0], U))


def test_layer_norm_lstm_stands_where_an_lstm_stands():
    whole = drawn(LayerNormLSTM(U, return_sequences=True, return_state=True, name="layer"), (None, None, E))
    last = drawn(LayerNormLSTM(U, go_backwards=True), (None, None, E))
    x = normal(B, S, E)
    assert_close([last(x[:, ::-1])], [whole(x)[1]])
    _, *states = whole(x[:, :2])
    assert_close(whole(x[:, 2:], initial_state=states)[1:], whole(x)[1:])
    masked = arrays(whole(x, mask=MASK))
    for b, length in enumerate(LENGTHS):
        outputs, h, c = arrays(whole(x[b : b + 1, :length]))
        assert_close([masked[0][b, :length], masked[1][b], masked[2][b]], [outputs[0], h[0], c[0]])
    assert type(whole).from_config(whole.get_config()).get_config() == whole.get_config()


@pytest.mark.parametrize(("ours", "theirs"), [(LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)])
@pytest.mark.parametrize("backwards", [False, True])
def test_masked_rows_are_read_as_keras_reads_them(ours, theirs, backwards):
    x, layers = (
        normal(B, S, E),
        [cls(U, go_backwards=backwards, return_sequences=True, return_state=True) for cls in (ours, theirs)],
    )
    mine, stock = (drawn(layer, (None, None, E)) for layer in layers)
    assert_close(mine(x, mask=MASK), stock(x, mask=MASK), 1e-6)
