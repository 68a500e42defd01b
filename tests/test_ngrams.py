"""Kneser-Ney n-grams against a slow implementation of the paper's equations."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators.language_modelling.baselines.ngrams import KneserNey


class SlowKneserNey:
    """Chen & Goodman's equations, with dictionaries of tuples."""

    def __init__(self, stream, vocab_size, order):
        tokens = (0, *stream)
        self.vocab_size, self.order = vocab_size, order
        self.counts = {order: Counter(tokens[i - order : i] for i in range(max(order, 2), len(tokens) + 1))}
        for k in range(1, order):
            preceded = {(tokens[i - 1] if i else None, tokens[i : i + k]) for i in range(len(tokens) - k + 1)}
            preceded.discard((None, (0,)))  # the eos before the stream is given
            self.counts[k] = Counter(gram for _, gram in preceded)
        self.discounts = {k: self.discounts_of(list(c.values())) for k, c in self.counts.items()}

    @staticmethod
    def discounts_of(values):
        n1, n2, n3, n4 = (values.count(c) for c in (1, 2, 3, 4))
        if n1 == 0 or n2 == 0:
            return [0.5] * 3
        y = n1 / (n1 + 2 * n2)
        modified = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3] if n3 and n4 else [0.0]
        return modified if min(modified) > 0 else [y] * 3

    def prob(self, word, context):
        context = (0, *context)
        return self.at_level(word, context[max(0, len(context) - self.order + 1) :] if self.order > 1 else ())

    def at_level(self, word, context):
        k = len(context) + 1
        below = self.at_level(word, context[1:]) if context else 1 / self.vocab_size
        after = {gram[-1]: c for gram, c in self.counts[k].items() if gram[:-1] == context}
        if not after:
            return below
        taken = {v: self.discounts[k][min(c, 3) - 1] for v, c in after.items()}
        total = sum(after.values())
        return (after.get(word, 0) - taken.get(word, 0)) / total + sum(taken.values()) / total * below


STREAMS = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def markov(seed, size, vocab_size=7):
    """A stream in which a token is most often the sum of the two before it."""
    rng = np.random.default_rng(seed)
    noise, kept = rng.integers(0, vocab_size, size), rng.random(size) < 0.8
    tokens = np.zeros(size, np.int32)
    for i in range(size):
        tokens[i] = (tokens[i - 1] + tokens[i - 2] + 1) % vocab_size if kept[i] and i > 1 else noise[i]
    return tokens


def perplexity(model, stream):
    return np.exp(-model.log_probs(stream).mean())


@settings(deadline=None, max_examples=60)
@given(STREAMS, STREAMS, st.integers(1, 5), st.integers(5, 7))
def test_it_is_the_papers(stream, other, order, vocab_size):
    fast, slow = KneserNey.fit(np.array(stream, np.int32), vocab_size, order), SlowKneserNey(stream, vocab_size, order)
    for held_out in (stream, other):
        expected = [slow.prob(word, held_out[:i]) for i, word in enumerate(held_out)]
        np.testing.assert_allclose(np.exp(fast.log_probs(np.array(held_out))), expected, rtol=1e-10)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_is_the_papers_with_three_discounts(order):
    stream = np.random.default_rng(0).zipf(1.6, 2500).clip(1, 60).astype(np.int32) - 1
    fast, slow = KneserNey.fit(stream[:2000], 60, order), SlowKneserNey(stream[:2000].tolist(), 60, order)
    assert len(set(slow.discounts[order])) == 3
    held_out = stream[2000:2100]
    expected = [slow.prob(word, held_out[:i].tolist()) for i, word in enumerate(held_out.tolist())]
    np.testing.assert_allclose(np.exp(fast.log_probs(held_out)), expected, rtol=1e-10)


def test_discounts_by_hand():
    repeats = [1, 1, 1, 1, 2, 2, 3, 4]  # n1 to n4: 4, 2, 1, 1, so Y = 1/2, D1 = 1/2, D2 = 5/4, D3 = 1
    model = KneserNey.fit(np.repeat(np.arange(8), repeats), vocab_size=9, order=1)
    freed = (4 * 0.5 + 2 * 1.25 + 2 * 1) / 15 / 9
    expected = np.array([0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 2, 3, 0]) / 15 + freed
    np.testing.assert_allclose(model.next_probs(np.array([3])), expected)


def test_discounts_below_zero_fall_back_to_one():
    repeats = [1, 1, 2, 3, 3, 3, 3, 3, 4]  # n1 to n4: 2, 1, 5, 1, so Y = 1/2, and D2 would be 2 - 15/2
    model = KneserNey.fit(np.repeat(np.arange(9), repeats), vocab_size=10, order=1)
    expected = (np.array([*repeats, 0.5]) - 0.5) / 23 + 9 * 0.5 / 23 / 10
    np.testing.assert_allclose(model.next_probs(np.array([3])), expected)


def test_bigrams_by_hand():
    model = KneserNey.fit(np.array([1, 2, 1, 2, 1]), vocab_size=3, order=2)
    # preceded by: 1 by eos and 2, 2 by 1, so n1 = n2 = 1, Y = 1/3. bigrams: eos 1 once, 1 2 and 2 1 twice: Y = 1/5
    unigram = np.array([0, 5 / 3, 2 / 3]) / 3 + 2 / 3 / 3 / 3
    np.testing.assert_allclose(model.next_probs(np.array([], np.int32)), [0, 0.8, 0] + 0.2 * unigram)
    np.testing.assert_allclose(model.next_probs(np.array([1])), [0, 0, 1.8 / 2] + 0.1 * unigram)
    assert model.log_probs(np.array([1, 2]))[1] == pytest.approx(np.log(0.9 + 0.1 * 8 / 27))


def test_a_word_of_one_context_is_not_expected_elsewhere():
    """Francisco is frequent, but only after San; five other words each follow five different words."""
    san, francisco, others = 1, 2, [(a, b) for a in range(3, 8) for b in range(8, 13)]
    stream = np.array([san, francisco] * 30 + [token for pair in others for token in pair])
    probs = KneserNey.fit(stream, vocab_size=14, order=2).next_probs(np.array([13]))
    assert (stream == francisco).sum() > 5 * (stream == 8).sum()
    assert probs[francisco] < probs[8:13].min()


@settings(deadline=None, max_examples=40)
@given(STREAMS, st.lists(st.integers(0, 6), max_size=6), st.integers(1, 5))
def test_probabilities_are_positive_and_sum_to_one(stream, context, order):
    probs = KneserNey.fit(np.array(stream), 7, order).next_probs(np.array(context, np.int32))
    assert probs.shape == (7,)
    assert (probs > 0).all()
    np.testing.assert_allclose(probs.sum(), 1, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(STREAMS, st.lists(st.integers(0, 6), min_size=1, max_size=12), st.integers(1, 5))
def test_the_next_and_the_whole_stream_agree(stream, held_out, order):
    model, held_out = KneserNey.fit(np.array(stream), 7, order), np.array(held_out)
    following = [model.next_probs(held_out[:i])[token] for i, token in enumerate(held_out)]
    np.testing.assert_array_equal(model.log_probs(held_out), np.log(following))


def test_only_the_last_tokens_of_a_context_count():
    model = KneserNey.fit(markov(0, 300), 7, 3)
    np.testing.assert_array_equal(model.next_probs(np.array([5, 5, 3, 1])), model.next_probs(np.array([2, 3, 1])))


def test_contexts_reach_across_the_ends_of_texts():
    model = KneserNey.fit(np.array([1, 0, 2, 0] * 20), 4, 3)
    assert model.next_probs(np.array([1, 0]))[2] > 0.9
    assert model.next_probs(np.array([2, 0]))[1] > 0.9


@pytest.mark.parametrize("order", [1, 2, 4])
def test_words_never_seen(order):
    model = KneserNey.fit(markov(1, 400), 20, order)
    probs = model.next_probs(np.array([3, 4, 3]))
    assert len(np.unique(probs[7:])) == 1
    assert 0 < probs[7] < probs[:7].min()
    np.testing.assert_allclose(
        model.next_probs(np.array([3, 4, 15])), KneserNey.fit(markov(1, 400), 20, order).next_probs(np.array([15]))
    )
    assert np.isfinite(model.log_probs(np.array([19, 18, 3, 17]))).all()


def test_longer_contexts_help_where_there_is_structure():
    train, held_out = markov(2, 4000), markov(3, 1000)
    first, second, third = (perplexity(KneserNey.fit(train, 7, order), held_out) for order in (1, 2, 3))
    assert third < 0.5 * first
    assert third < 0.5 * second
    assert perplexity(KneserNey.fit(train, 7, 6), held_out) < 1.3 * third


@pytest.mark.parametrize("order", [1, 2, 5])
def test_arrays_hold_all(order):
    model, held_out = KneserNey.fit(markov(4, 500), 9, order), markov(5, 200)
    arrays = model.to_arrays()
    assert len(arrays) == 2 * order
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}
    again = KneserNey.from_arrays(load(save(arrays)))
    assert (again.order, again.vocab_size) == (model.order, model.vocab_size) == (order, 9)
    np.testing.assert_array_equal(again.log_probs(held_out), model.log_probs(held_out))
    for i in range(10):
        np.testing.assert_array_equal(again.next_probs(held_out[:i]), model.next_probs(held_out[:i]))


def test_streams_shorter_than_the_order():
    model = KneserNey.fit(np.array([1]), 3, 6)
    assert model.next_probs(np.array([], np.int32)).argmax() == 1
    assert model.log_probs(np.array([], np.int32)).shape == (0,)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ([], "the stream is empty"),
        ([1, 2, 5, 9], "stream: token 2 is 5, but ids go from 0 to 4"),
        ([1, -1], "stream: token 1 is -1"),
        ([1.0, 2.0], "dtype float64"),
        ([[1, 2]], r"shape \(1, 2\)"),
    ],
)
def test_streams_that_are_refused(stream, message):
    with pytest.raises(DataError, match=message):
        KneserNey.fit(np.array(stream), vocab_size=5, order=2)


@pytest.mark.parametrize("method", ["log_probs", "next_probs"])
def test_ids_that_are_refused_later(method):
    with pytest.raises(DataError, match="stream: token 1 is 5"):
        getattr(KneserNey.fit(np.array([1, 2]), 5, 2), method)(np.array([1, 5]))


@pytest.mark.parametrize(("order", "vocab_size", "name"), [(0, 5, "order"), (-1, 5, "order"), (2, 0, "vocab_size")])
def test_sizes_that_are_refused(order, vocab_size, name):
    with pytest.raises(ConfigError, match=f"{name}: expected at least 1, got"):
        KneserNey.fit(np.array([1, 2]), vocab_size, order)
