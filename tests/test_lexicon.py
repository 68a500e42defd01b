"""IBM model 1 against a slow implementation of its equations."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators.translation.baselines.lexicon import Lexicon

SOURCE = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"]]
TARGET = [["the", "house"], ["the", "book"], ["a", "book"]]

SENTENCES = st.lists(
    st.tuples(st.lists(st.sampled_from("abcde"), max_size=5), st.lists(st.sampled_from("uvwxyz"), max_size=5)),
    min_size=1,
    max_size=8,
).filter(lambda pairs: any(target for _, target in pairs))


def slow_fit(source, target, iterations):
    """Brown et al., section 4, with dictionaries; NULL is None."""
    pairs = [([None, *s], t) for s, t in zip(source, target, strict=True)]
    together = {(s, t) for sources, targets in pairs for s in sources for t in targets}
    fans = defaultdict(int)
    for s, _ in together:
        fans[s] += 1
    probs = {(s, t): 1 / fans[s] for s, t in together}
    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for sources, targets in pairs:
            for t in targets:
                total = sum(probs[s, t] for s in sources)
                for s in sources:
                    counts[s, t] += probs[s, t] / total
                    totals[s] += probs[s, t] / total
        probs = {(s, t): counts[s, t] / totals[s] for s, t in together}
    return probs


def likelihood(lexicon, source, target):
    """Return the likelihood of all targets, without smoothing."""
    total = 0.0
    for words, sentence in zip(source, target, strict=True):
        tables = [lexicon.translations(word) for word in (None, *words)]
        for word in sentence:
            total += np.log(sum(table.get(word, 0) for table in tables) / len(tables))
    return total


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.integers(1, 6))
def test_it_is_the_papers(pairs, iterations):
    source, target = zip(*pairs, strict=True)
    lexicon, slow = Lexicon.fit(source, target, iterations), slow_fit(source, target, iterations)
    fast = {(s, t): p for s in [None, *"abcde"] for t, p in lexicon.translations(s).items()}
    assert fast.keys() == slow.keys()
    np.testing.assert_allclose([fast[key] for key in slow], list(slow.values()), rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(SENTENCES)
def test_probabilities_sum_to_one_and_the_likelihood_never_falls(pairs):
    source, target = zip(*pairs, strict=True)
    values = []
    for iterations in (1, 2, 3, 5, 10):
        lexicon = Lexicon.fit(source, target, iterations)
        for word in [None, *lexicon.source_words]:
            found = list(lexicon.translations(word).values())
            assert not found or sum(found) == pytest.approx(1)
            assert found == sorted(found, reverse=True)
        values.append(likelihood(lexicon, source, target))
    assert (np.diff(values) >= -1e-9).all()


def test_the_textbook():
    lexicon = Lexicon.fit(SOURCE, TARGET, iterations=20)
    assert lexicon.translate(["das", "Haus", "ein", "Buch"]) == ["the", "house", "a", "book"]
    assert lexicon.translate(["Buch", "Rom", "das", "Rom"]) == ["book", "Rom", "the", "Rom"]
    assert lexicon.translate([]) == []
    assert lexicon.translations("Rom") == {}
    assert next(iter(lexicon.translations("Haus").values())) > 0.8


def test_alignments_are_posteriors():
    lexicon = Lexicon.fit(SOURCE, TARGET)
    source, target = ["das", "Rom", "Buch"], ["the", "rome", "book", "the"]
    shares = lexicon.align(source, target)
    assert shares.shape == (4, 3)
    for row, word in zip(shares, target, strict=True):
        t = np.array([lexicon.translations(s).get(word, 0) for s in (None, *source)])
        np.testing.assert_allclose(row, t[1:] / t.sum() if t.any() else 0, rtol=1e-12)
    assert not shares[1].any()
    assert not shares[:, 1].any()
    assert shares.argmax(axis=1)[[0, 2, 3]].tolist() == [0, 2, 0]
    assert (shares.sum(axis=1) < 1).all()
    assert lexicon.align([], target).shape == (4, 0)
    assert lexicon.align(source, []).shape == (0, 3)


@settings(deadline=None, max_examples=40)
@given(SENTENCES, st.lists(st.sampled_from("abcdeé"), max_size=4))
def test_a_word_s_probabilities_sum_to_one(pairs, words):
    lexicon = Lexicon.fit(*zip(*pairs, strict=True))
    vocabulary = [*lexicon.target_words, "never seen"]
    probs = np.exp(lexicon.log_likelihoods([words] * len(vocabulary), [[word] for word in vocabulary]))
    assert (probs > 0).all()
    np.testing.assert_allclose(probs.sum(), 1, rtol=1e-12)


def test_likelihoods_by_hand():
    lexicon = Lexicon.fit(SOURCE, TARGET)
    t = {word: [lexicon.translations(s).get(word, 0) for s in (None, "das", "Haus")] for word in lexicon.target_words}
    once = 2  # house, a
    expected = [
        np.log(0.9 * np.mean(t["the"]) + 0.1 * 2 / (6 + once)) + np.log(0.9 * np.mean(t["house"]) + 0.1 / (6 + once)),
        0,
        2 * np.log(0.1 * once / (6 + once)) + np.log(0.9 * t["a"][0] + 0.1 / (6 + once)),
        np.log(0.9 * np.mean(t["book"]) + 0.1 * 2 / (6 + once)),
    ]
    source = [["das", "Haus"], ["das"], [], ["das", "Rom", "Haus"]]
    target = [["the", "house"], [], ["rome", "rome", "a"], ["book"]]
    np.testing.assert_allclose(lexicon.log_likelihoods(source, target), expected, rtol=1e-12)
    assert lexicon.log_likelihoods([], []).shape == (0,)
    assert lexicon.log_likelihoods([["das"]], [[]]).tolist() == [0]


def test_a_dictionary_is_found_again():
    """Each word has one translation, sentences are shuffled, and one word without a translation is in all of them."""
    rng = np.random.default_rng(0)
    source, target = [], []
    for _ in range(400):
        words = rng.choice(60, rng.integers(2, 9), replace=False)
        source.append([f"s{i}" for i in words])
        target.append(["the", *(f"t{i}" for i in rng.permutation(words))])
    lexicon = Lexicon.fit(source, target)
    words = [f"s{i}" for i in range(60)]
    assert lexicon.translate(words) == [f"t{i}" for i in range(60)]
    assert next(iter(lexicon.translations(None))) == "the"
    other = target[1:] + target[:1]
    right, wrong = lexicon.log_likelihoods(source, target), lexicon.log_likelihoods(source, other)
    assert (right / [len(words) for words in target] > wrong / [len(words) for words in other]).mean() > 0.99


def test_arrays_hold_all():
    source, target = [[*words, "Ä\n\ud800"] for words in SOURCE], [[*words, "", "\U0001f642"] for words in TARGET]
    lexicon = Lexicon.fit(source, target)
    again = Lexicon.from_arrays(load(save(lexicon.to_arrays())))
    assert (again.source_words, again.target_words) == (lexicon.source_words, lexicon.target_words)
    for word in (None, *lexicon.source_words):
        assert again.translations(word) == lexicon.translations(word)
    np.testing.assert_array_equal(again.log_likelihoods(source, target), lexicon.log_likelihoods(source, target))


def test_the_order_of_pairs_does_not_matter():
    lexicon, other = Lexicon.fit(SOURCE, TARGET), Lexicon.fit(SOURCE[::-1], TARGET[::-1])
    np.testing.assert_array_equal(lexicon.keys, other.keys)
    np.testing.assert_allclose(lexicon.probs, other.probs, rtol=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ([["a"]], [], "there are 1 sources, but 0 targets"),
        ([["a"]], [[]], "target: there are no words"),
        ([], [], "target: there are no words"),
        (["a b"], [["c"]], r"source\[0\] is a string: split it"),
        ([["a"], ["b"]], [["c"], "d"], r"target\[1\] is a string: split it"),
        ([["a"]], [["c", 3]], r"target\[0\]\[1\] is 3: each word must be a string"),
    ],
)
def test_pairs_that_are_refused(source, target, said):
    with pytest.raises(DataError, match=said):
        Lexicon.fit(source, target)


def test_what_is_refused_later():
    lexicon = Lexicon.fit(SOURCE, TARGET)
    with pytest.raises(DataError, match="words is a string"):
        lexicon.translate("das Haus")
    with pytest.raises(DataError, match="there are 1 sources, but 2 targets"):
        lexicon.log_likelihoods([["das"]], [["the"], ["a"]])
    with pytest.raises(DataError, match=r"target\[0\] is a string"):
        lexicon.align(["das"], "the")


def test_iterations_that_are_refused():
    with pytest.raises(ConfigError, match="iterations: expected at least 1, got 0"):
        Lexicon.fit(SOURCE, TARGET, iterations=0)
