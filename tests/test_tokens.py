"""Output layer, noise and sampling of language models."""

import keras
import numpy as np
import pytest
from keras import ops

from lstmzoo.decoding import Sampling, generate_tokens, sample_sequences
from lstmzoo.errors import ConfigError
from lstmzoo.layers import ActivationPenalty, TokenSoftmax, gumbel

VOCAB, HIDDEN = 30, 8


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def made(cutoffs=(), **kwargs):
    """A softmax with weights that are all different, and hidden states."""
    layer = TokenSoftmax(VOCAB, cutoffs=cutoffs, **kwargs)
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(3, 7, HIDDEN)).astype("float32")
    targets = rng.integers(0, VOCAB, (3, 7)).astype("int32")
    layer(hidden, targets)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer, hidden, targets


def test_a_full_softmax_is_that_of_its_equation():
    layer, hidden, targets = made()
    kernel, bias = layer.get_weights()
    expected = log_softmax(hidden @ kernel.T + bias)
    nll = ops.convert_to_numpy(layer(hidden, targets))
    np.testing.assert_allclose(nll, -np.take_along_axis(expected, targets[..., None], -1)[..., 0], rtol=1e-5, atol=1e-5)
    flat = ops.convert_to_numpy(layer.log_probs(hidden.reshape(-1, HIDDEN)))
    np.testing.assert_allclose(flat, expected.reshape(-1, VOCAB), rtol=1e-5, atol=1e-5)


def test_an_adaptive_softmax_is_that_of_its_equation():
    layer, hidden, targets = made((6, 15))
    kernel, bias, cluster_kernel, cluster_bias = layer.get_weights()
    head = log_softmax(np.concatenate([hidden @ kernel[:6].T + bias[:6], hidden @ cluster_kernel.T + cluster_bias], -1))
    tails = [
        log_softmax(hidden @ kernel[a:b].T + bias[a:b]) + head[..., [6 + i]]
        for i, (a, b) in enumerate([(6, 15), (15, 30)])
    ]
    expected = np.concatenate([head[..., :6], *tails], axis=-1)
    np.testing.assert_allclose(np.exp(expected).sum(-1), 1, rtol=1e-5)
    nll = ops.convert_to_numpy(layer(hidden, targets))
    np.testing.assert_allclose(nll, -np.take_along_axis(expected, targets[..., None], -1)[..., 0], rtol=1e-5, atol=1e-5)
    flat = ops.convert_to_numpy(layer.log_probs(hidden.reshape(-1, HIDDEN)))
    np.testing.assert_allclose(flat, expected.reshape(-1, VOCAB), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spare", [0, 3, 100])
def test_capacities_that_hold_change_nothing(spare):
    layer, hidden, targets = made((6, 15))
    members = [int(((targets >= a) & (targets < b)).sum()) for a, b in [(6, 15), (15, 30)]]
    whole = ops.convert_to_numpy(layer(hidden, targets))
    some = ops.convert_to_numpy(layer(hidden, targets, capacities=[m + spare for m in members]))
    np.testing.assert_allclose(some, whole, rtol=1e-5, atol=1e-6)
    none = np.zeros_like(targets)
    empty = ops.convert_to_numpy(layer(hidden, none, capacities=[0, 0]))
    np.testing.assert_allclose(empty, ops.convert_to_numpy(layer(hidden, none)), rtol=1e-5)


def test_capacities_that_do_not_hold_would_show():
    layer, hidden, targets = made((6, 15))
    whole = ops.convert_to_numpy(layer(hidden, targets))
    assert np.abs(ops.convert_to_numpy(layer(hidden, targets, capacities=[1, 1])) - whole).max() > 0.1


@pytest.mark.parametrize("cutoffs", [(), (6, 15)])
def test_a_softmax_can_begin_with_frequencies(cutoffs):
    layer, _, _ = made(cutoffs)
    counts = np.arange(VOCAB) * 10
    layer.start_from(counts)
    probs = np.exp(ops.convert_to_numpy(layer.log_probs(np.zeros((1, HIDDEN), "float32"))))[0]
    np.testing.assert_allclose(probs, (counts + 1) / (counts + 1).sum(), rtol=1e-4)


def test_a_tied_softmax_has_the_embedding_s_matrix():
    embedding = keras.layers.Embedding(VOCAB, HIDDEN)
    embedding(np.zeros((1, 1), "int32"))
    layer, hidden, _ = made(embedding=embedding)
    assert [w.name for w in layer.weights if w is not embedding.embeddings] == ["bias"]
    embedding.set_weights([np.random.default_rng(1).normal(size=(VOCAB, HIDDEN))])
    expected = log_softmax(hidden.reshape(-1, HIDDEN) @ embedding.get_weights()[0].T + ops.convert_to_numpy(layer.bias))
    flat = ops.convert_to_numpy(layer.log_probs(hidden.reshape(-1, HIDDEN)))
    np.testing.assert_allclose(flat, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(NotImplementedError, match="no config of its own"):
        layer.get_config()


@pytest.mark.parametrize("cutoffs", [(0,), (5, 5), (30,), (9, 4)])
def test_cutoffs_must_ascend(cutoffs):
    with pytest.raises(ConfigError, match="must ascend"):
        TokenSoftmax(VOCAB, cutoffs=cutoffs)


def test_options_survive_a_round_trip():
    config = TokenSoftmax(VOCAB, cutoffs=(6, 15)).get_config()
    assert TokenSoftmax.from_config(config).get_config() == config
    config = ActivationPenalty(2.0, 1.0).get_config()
    assert ActivationPenalty.from_config(config).get_config() == config


def test_penalties_are_those_of_their_equations():
    layer = ActivationPenalty(2.0, 0.5)
    raw, dropped = np.random.default_rng(0).normal(size=(2, 2, 5, 3)).astype("float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(raw, dropped, training=True)), dropped)
    expected = 2 * (dropped**2).mean(), 0.5 * (np.diff(raw, axis=1) ** 2).mean()
    np.testing.assert_allclose([float(loss) for loss in layer.losses], expected, rtol=1e-5)
    layer(raw, dropped, training=False)
    assert not layer.losses


def test_noise_depends_on_seed_and_place_alone():
    seeds = np.array([[1, 2], [3, 4], [1, 2]], "int32")
    noise = ops.convert_to_numpy(gumbel(seeds, 5, 100))
    np.testing.assert_allclose(noise[0], noise[2], rtol=1e-6)
    np.testing.assert_allclose(noise[:1], ops.convert_to_numpy(gumbel(seeds[:1], 5, 100)), rtol=1e-6)
    assert not np.isclose(noise[0], noise[1]).any()
    assert not np.isclose(noise, ops.convert_to_numpy(gumbel(seeds, 6, 100))).any()


def test_noise_is_finite_at_its_extremes():
    """A hash of all ones occurs once in millions; its number could be rounded to 1, and its noise be infinite."""
    noise = ops.convert_to_numpy(gumbel(np.array([[869, 99]], "int32"), 124, 144_160))
    assert np.isfinite(noise).all()
    assert noise.max() < 17


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"temperature": 0.0}, {"repetition_penalty": 2.0}])
def test_not_even_the_largest_noise_draws_what_is_banned(options):
    logits = ops.convert_to_tensor(np.array([[0.0, 1.0, 2.0, -1e30]], "float32"))
    full = {"temperature": 1.0, "top_k": 4, "top_p": 1.0, "repetition_penalty": 1.0, **options}
    sampling = Sampling(**full, filtered=True, penalized=True)
    noise = ops.convert_to_tensor(np.array([[0.0, 0.0, 0.0, 1e35]], "float32"))
    assert ops.convert_to_numpy(sampling.draw(logits, noise, ops.zeros((1, 4), "bool"))).tolist() != [3]


def test_the_largest_of_logits_with_noise_is_a_sample():
    probs = np.array([0.5, 0.3, 0.15, 0.05])
    seeds = np.stack([np.arange(20_000), np.zeros(20_000)], 1).astype("int32")
    noise = ops.convert_to_numpy(gumbel(seeds, 0, 4))
    share = np.bincount((np.log(probs) + noise).argmax(1), minlength=4) / len(seeds)
    np.testing.assert_allclose(share, probs, atol=0.015)


def drawn(logits, *, n=4000, seen=None, **options):
    """Tokens drawn from one row of logits."""
    full = {"temperature": 1.0, "top_k": len(logits), "top_p": 1.0, "repetition_penalty": 1.0}
    given = {**full, **options}
    sampling = Sampling(
        **given, filtered="top_k" in options or "top_p" in options, penalized="repetition_penalty" in options
    )
    rows = np.tile(np.asarray(logits, "float32"), (n, 1))
    seeds = np.stack([np.arange(n), np.ones(n)], 1).astype("int32")
    met = np.zeros(rows.shape, bool) if seen is None else np.tile(np.asarray(seen), (n, 1))
    rows, met = ops.convert_to_tensor(rows), ops.convert_to_tensor(met)
    return ops.convert_to_numpy(sampling.draw(rows, gumbel(seeds, 0, len(logits)), met))


LOGITS = np.log([0.4, 0.25, 0.2, 0.1, 0.05])


@pytest.mark.parametrize(("options", "expected"), [
    ({"top_k": 1}, {0}), ({"top_k": 3}, {0, 1, 2}), ({"top_k": 5}, {0, 1, 2, 3, 4}),
    ({"top_p": 0.3}, {0}), ({"top_p": 0.5}, {0, 1}), ({"top_p": 0.8}, {0, 1, 2}), ({"top_p": 0.9}, {0, 1, 2, 3}),
    ({"top_p": 1.0}, {0, 1, 2, 3, 4}), ({"top_p": 0.9, "top_k": 2}, {0, 1}), ({"top_p": 1e-9}, {0}),
    ({"temperature": 0.0}, {0}), ({"temperature": 0.0, "top_p": 0.9}, {0}),
])  # fmt: skip
def test_only_what_is_allowed_is_drawn(options, expected):
    assert set(drawn(LOGITS, **options)) == expected


def test_what_is_left_keeps_its_proportions():
    share = np.bincount(drawn(LOGITS, top_k=2, n=20_000), minlength=5) / 20_000
    np.testing.assert_allclose(share, [0.4 / 0.65, 0.25 / 0.65, 0, 0, 0], atol=0.015)


def test_a_low_temperature_makes_likely_tokens_likelier():
    warm = np.exp(LOGITS / 0.5) / np.exp(LOGITS / 0.5).sum()
    share = np.bincount(drawn(LOGITS, temperature=0.5, n=20_000), minlength=5) / 20_000
    np.testing.assert_allclose(share, warm, atol=0.015)


def test_top_p_is_of_the_probabilities_at_that_temperature():
    assert set(drawn(LOGITS, temperature=0.2, top_p=0.8)) == {0}
    assert set(drawn(LOGITS, temperature=3.0, top_p=0.8)) == {0, 1, 2, 3}


def test_tokens_that_were_seen_are_penalized():
    seen = [True, False, False, False, False]
    assert set(drawn(LOGITS, temperature=0.0, seen=seen, repetition_penalty=2.0)) == {1}
    assert set(drawn([3.0, 2.0, -1.0], temperature=0.0, seen=[True, False, True], repetition_penalty=2.0)) == {1}


def test_a_loop_feeds_each_token_back_and_remembers_it():
    def step(tokens, state):
        return ops.one_hot((tokens + 1) % 4, 4) * 2.0, [state[0] + 1]

    state, first = [np.zeros((2, 1), "float32")], np.array([0, 2], "int32")
    plain = Sampling(0.0, 4, 1.0, 1.0, filtered=False, penalized=False)
    tokens, after, _ = generate_tokens(
        step, lambda i: ops.zeros((2, 4)), first, state, ops.zeros((2, 4), "bool"), plain, 5
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(tokens), [[1, 2, 3, 0, 1], [3, 0, 1, 2, 3]])
    np.testing.assert_array_equal(ops.convert_to_numpy(after[0]), 5)
    shy = Sampling(0.0, 4, 1.0, 1e9, filtered=False, penalized=True)
    noise = ops.zeros((2, 4))
    _, _, seen = generate_tokens(step, lambda i: noise, first, state, ops.zeros((2, 4), "bool"), shy, 2)
    assert ops.convert_to_numpy(seen).sum(1).tolist() == [2, 2]


def test_a_sequence_of_values_carries_its_state():
    """Each step gets its number and the last value; rows are independent."""
    numbers = []

    def step(previous, i, state):
        numbers.append(i)
        return previous + state[0], [state[0] * 2]

    first, state = np.array([1.0, 5.0]), [np.array([[1.0], [10.0]])]
    values = sample_sequences(step, lambda outputs, i: outputs[:, 0] + 100 * (i == 2), first, state, 3)
    assert values.tolist() == [[2.0, 4.0, 108.0], [15.0, 35.0, 175.0]]
    assert numbers == [0, 1, 2]
