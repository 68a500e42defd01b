"""The recurrent layers that project all inputs at once equal those of Keras, except for their speed."""

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo.layers import GRU, LSTM, SimpleRNN
from lstmzoo.layers._base import loop

PAIRS = [(SimpleRNN, keras.layers.SimpleRNN), (LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)]
X = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")


def answers(ours, theirs, **inputs):
    """The outputs of two layers with the same weights."""
    theirs(X, **inputs)
    ours(X, **inputs)
    weights = [np.random.default_rng(1).normal(size=w.shape) for w in theirs.get_weights()]
    found = []
    for layer in (ours, theirs):
        layer.set_weights(weights)
        found.append([ops.convert_to_numpy(t) for t in keras.tree.flatten(layer(X, **inputs))])
    return found


OPTIONS = [
    {}, {"return_sequences": True, "return_state": True}, {"go_backwards": True}, {"use_bias": False}, {"unroll": True},
    {"activation": "relu"}, {"dropout": 0.5},
]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [(*pair, options) for pair in PAIRS for options in OPTIONS] + [(*PAIRS[2], {"reset_after": False})],
    ids=str,
)
def test_the_answer_is_keras_s(ours, theirs, options):
    for a, b in zip(*answers(ours(4, **options), theirs(4, **options)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_states_and_masks_are_heeded(ours, theirs):
    state = np.random.default_rng(2).normal(size=(3, 4)).astype("float32")
    states = [state, 0.5 * state] if ours is LSTM else [state]
    mask = np.arange(7) < np.array([[7], [4], [2]])
    for given in ({"initial_state": states}, {"mask": mask}):
        plain, other = answers(
            ours(4, return_sequences=True, return_state=True),
            theirs(4, return_sequences=True, return_state=True),
            **given,
        )
        for a, b in zip(plain, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_training_gives_keras_s_weights(ours, theirs):
    found = []
    for cls in (ours, theirs):
        inputs = keras.Input((None, 5))
        model = keras.Model(inputs, cls(4, name="rnn")(inputs))
        model.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in model.get_weights()])
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        for _ in range(3):
            model.train_on_batch(X, np.ones((3, 4), "float32"))
        found.append((model.get_weights(), [w.path for w in model.weights]))
    assert found[0][1] == found[1][1]
    for a, b in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", [SimpleRNN, LSTM, GRU])
def test_sequences_of_other_lengths_are_read_on(cls):
    """TensorFlow traces a second length as an unknown one, here with a known batch size."""
    layer = cls(4, return_sequences=True, return_state=True, name="rnn")

    class Carried(keras.Model):
        def call(self, inputs):
            return layer(inputs["x"], initial_state=[inputs["h"]] * (2 if cls is LSTM else 1))

    model = Carried()
    model.compile(jit_compile=False)
    h = np.ones((3, 4), "float32")
    for steps in (7, 3, 5):
        outputs = model.predict_on_batch({"x": X[:, :steps], "h": h})[0]
        np.testing.assert_allclose(
            outputs,
            ops.convert_to_numpy(layer(X[:, :steps], initial_state=[h] * (2 if cls is LSTM else 1))[0]),
            rtol=1e-5,
        )


@pytest.mark.parametrize("cls", [SimpleRNN, LSTM, GRU])
def test_options_survive_a_round_trip(cls):
    config = cls(4, return_sequences=True, name="rnn").get_config()
    assert cls.from_config(config).get_config() == config


def test_keras_s_loop_takes_a_function_as_its_cell():
    """If this fails, Keras changed ``keras.layers.RNN.inner_loop``; adapt ``loop`` in ``lstmzoo/layers/_base.py``."""

    def step(x, states):
        total = states[0] + x
        return (total, 2 * x), [total]

    mask = np.arange(7) < np.array([[7], [4], [2]])
    options = {"return_sequences": True, "zero_output_for_mask": True}
    (last, _), (sums, doubled), states = loop(step, X, [np.zeros((3, 5), "float32")], mask, **options)
    expected = np.where(mask[..., None], X.cumsum(axis=1), 0)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(doubled, np.where(mask[..., None], 2 * X, 0), rtol=1e-6)
    for found in (last, states[0]):
        np.testing.assert_allclose(found[0], expected[0, -1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(states[0], np.where(mask[..., None], X, 0).sum(axis=1), rtol=1e-5, atol=1e-5)
