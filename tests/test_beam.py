"""Beam search against a slow search by the same rule."""

import itertools
from functools import lru_cache

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from lstmzoo.backend import jit_compile
from lstmzoo.decoding import (
    BeamSearch,
    SearchStep,
    beam_search,
    begin_search,
    continue_search,
    greedy_search,
    repeat_rows,
    sampled_search,
)
from lstmzoo.errors import ConfigError
from lstmzoo.layers import LOG_ZERO

SENTENCES, VOCAB, SOURCE, STATES, LENGTH = 3, 5, 4, 7, 7
ORDERED = keras.backend.backend() != "torch"


class Language:
    """Log-probabilities of the next token, and the attention, in each of some states; a state counts the steps."""

    def __init__(self, seed, vocab=VOCAB, *, banned=0.0, ties=False):
        rng = np.random.default_rng(seed)
        logits = 1.5 * rng.normal(size=(STATES, vocab, vocab))
        table = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        table = np.round(2 * table) / 2 if ties else table
        self.table = np.where(rng.random(table.shape) < banned, LOG_ZERO, table).astype("float32")
        self.attention = rng.dirichlet(np.full(SOURCE, 0.5), STATES).astype("float32")
        self.first = rng.integers(0, vocab, SENTENCES).astype("int32")
        self.begin = rng.integers(0, STATES, SENTENCES).astype("int32")
        self.mask = np.arange(SOURCE) < rng.integers(1, SOURCE + 1, (SENTENCES, 1))

    @staticmethod
    def advance(token, state):
        return (2 * state + token + 1) % STATES


class Hypothesis:
    def __init__(self, tokens, log_p, state, cover):
        self.tokens, self.log_p, self.state, self.cover = tokens, log_p, state, cover

    def has_repeats(self, n):
        grams = [tuple(self.tokens[i : i + n]) for i in range(len(self.tokens) - n + 1)]
        return len(set(grams)) < len(grams)


def slow_search(language, b, beam, limit):
    """Tokens, score and log P of one sentence's hypotheses, best first."""

    def score(hypothesis):
        penalized = hypothesis.log_p / ((5 + len(hypothesis.tokens)) / 6) ** beam.length_penalty
        if beam.coverage_penalty is None:
            return penalized
        covered = np.log(np.clip(hypothesis.cover, 1e-9, 1))
        return penalized + beam.coverage_penalty * covered[language.mask[b]].sum()

    live = [Hypothesis([], np.float32(0), int(language.begin[b]), np.zeros(SOURCE, "float32"))]
    finished = []
    for i in range(limit):
        found = []
        for one in live:
            last = one.tokens[-1] if one.tokens else language.first[b]
            state = language.advance(int(last), one.state)
            for token, gained in enumerate(language.table[state, last]):
                cover = one.cover + language.attention[state]
                more = Hypothesis([*one.tokens, token], one.log_p + gained, state, cover)
                if gained > LOG_ZERO and not (beam.no_repeat_ngram and more.has_repeats(beam.no_repeat_ngram)):
                    found.append(more)
        found = sorted(found, key=lambda more: -more.log_p)[: 2 * beam.size]  # stable
        finished += [more for more in found[: beam.size] if more.tokens[-1] == 0]
        live = [more for more in found if more.tokens[-1] != 0][: beam.size]
        if i == limit - 1:
            finished += live
        if len(finished) >= beam.size:
            break
    ranked = sorted(finished[: beam.size], key=lambda one: -score(one))
    return [(one.tokens, score(one), one.log_p) for one in ranked]


class Program(keras.Model):
    """A compiled search."""

    def __init__(self, run):
        super().__init__()
        self._run = run

    def call(self, inputs):
        return self._run(inputs)


def looked_up(table):
    """A step whose log-probabilities depend only on the last token."""
    return lambda tokens, state: (ops.take(table, tokens, axis=0), state, None)


def stepper(inputs) -> SearchStep:
    """A step of a language, whose tables are tensors."""

    def step(tokens, state):
        state = [(2 * state[0] + tokens + 1) % STATES]
        vocab = inputs["table"].shape[-1]
        rows = ops.take(ops.reshape(inputs["table"], (-1, vocab)), state[0] * vocab + tokens, axis=0)
        return rows, state, ops.take(inputs["attention"], state[0], axis=0)

    return step


@lru_cache
def program(size, ngram=0, covering=False):
    def run(inputs):
        beam = BeamSearch(size, inputs["alpha"], inputs["beta"] if covering else None, ngram)
        state = repeat_rows([inputs["begin"]], size)
        tokens, scores, log_probs = beam_search(
            stepper(inputs), inputs["first"], state, inputs["limits"], beam, length=LENGTH, source_mask=inputs["mask"]
        )
        return {"tokens": tokens, "scores": scores, "log_probs": log_probs}

    made = Program(run)
    made.compile(jit_compile=jit_compile())
    return made


@lru_cache
def wide_program():
    """A search for any number of hypotheses up to ``WIDTH`` and any n-grams, in two blocks."""

    def run(inputs):
        beam = BeamSearch(inputs["size"], inputs["alpha"], inputs["beta"], inputs["ngram"], width=WIDTH)
        state, mask = repeat_rows([inputs["begin"]], WIDTH), inputs["mask"]
        carry = begin_search(inputs["first"], state, beam, length=LENGTH, source_mask=mask)
        for until in (inputs["until"], LENGTH):
            carry, going = continue_search(
                stepper(inputs), carry, inputs["limits"], beam, until=until, source_mask=mask
            )
        _, _, (tokens, scores, log_probs), _ = carry
        return {"tokens": tokens, "scores": scores, "log_probs": log_probs, "going": going}

    made = Program(run)
    made.compile(jit_compile=jit_compile())
    return made


@lru_cache
def greedy_program():
    def run(inputs):
        step, begin = stepper(inputs), [inputs["begin"]]
        tokens, log_probs = greedy_search(step, inputs["first"], begin, inputs["limits"], length=LENGTH)
        return {"tokens": tokens, "log_probs": log_probs}

    made = Program(run)
    made.compile(jit_compile=jit_compile())
    return made


def inputs_of(language, limits, alpha=0.0, beta=0.0, rows=slice(None)):
    of_sentences = {name: getattr(language, name)[rows] for name in ("first", "begin", "mask")}
    numbers = {"alpha": np.float32(alpha), "beta": np.float32(beta), "limits": np.asarray(limits, "int32")[rows]}
    return {"table": language.table, "attention": language.attention, **of_sentences, **numbers}


def check(language, beam, limits):
    """Check that the compiled search equals the slow one."""
    covering = beam.coverage_penalty is not None
    compiled = program(beam.size, beam.no_repeat_ngram, covering)
    inputs = inputs_of(language, limits, beam.length_penalty, beam.coverage_penalty or 0)
    answer = compiled.predict_on_batch(inputs)
    assert_found(answer, language, beam, limits, beam.size)
    return answer


def assert_found(answer, language, beam, limits, places):
    """Check that an answer has the hypotheses of the slow search, and nothing in the other places."""
    for b, limit in enumerate(limits):
        expected = slow_search(language, b, beam, limit)
        missing = places - len(expected)
        tokens = [tokens + [0] * (LENGTH - len(tokens)) for tokens, _, _ in expected] + [[0] * LENGTH] * missing
        assert answer["tokens"][b].tolist() == tokens
        for name, place in (("scores", 1), ("log_probs", 2)):
            values = [one[place] for one in expected] + [LOG_ZERO] * missing
            np.testing.assert_allclose(answer[name][b], values, rtol=1e-4, atol=1e-4)


WIDTH = 5
LIMITS = st.lists(st.integers(1, LENGTH), min_size=SENTENCES, max_size=SENTENCES)
SEEDS = st.integers(0, 10_000)


@settings(deadline=None, max_examples=40)
@given(SEEDS, LIMITS, st.sampled_from([1, 3]), st.floats(0, 2), st.sampled_from([0.0, 0.6]))
def test_it_is_the_rule(seed, limits, size, alpha, banned):
    check(Language(seed, banned=banned), BeamSearch(size, alpha), limits)


@pytest.mark.skipif(not ORDERED, reason="its top k has no order of equals")
@settings(deadline=None, max_examples=25)
@given(SEEDS, LIMITS, st.sampled_from([1, 3]))
def test_of_equals_the_first_comes_first(seed, limits, size):
    check(Language(seed, ties=True), BeamSearch(size), limits)


@settings(deadline=None, max_examples=25)
@given(SEEDS, LIMITS, st.floats(0, 2), st.floats(0, 2))
def test_coverage_is_that_of_its_equation(seed, limits, alpha, beta):
    check(Language(seed), BeamSearch(3, alpha, beta), limits)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, WIDTH), st.integers(0, 4), st.sampled_from([0.0, 0.5]), st.integers(0, LENGTH),
    LIMITS,
)  # fmt: skip
def test_one_compiled_search_serves_all_sizes_and_n_grams(seed, size, ngram, beta, until, limits):
    """Masked positions and blocks change nothing, and neither does a coverage penalty of 0."""
    language, beam = Language(seed, banned=0.2), BeamSearch(size, 0.6, beta, ngram)
    numbers = {"size": np.int32(size), "ngram": np.int32(ngram), "until": np.int32(until)}
    answer = wide_program().predict_on_batch({**inputs_of(language, limits, 0.6, beta), **numbers})
    assert not answer["going"]
    order = np.argsort(-answer["scores"], axis=1, kind="stable")
    ranked = {name: np.take_along_axis(answer[name], order, axis=1) for name in ("scores", "log_probs")}
    ranked["tokens"] = np.take_along_axis(answer["tokens"], order[..., None], axis=1)
    assert_found(ranked, language, beam, limits, WIDTH)


@pytest.mark.parametrize("ngram", [1, 3])
def test_no_ngram_comes_twice(ngram):
    repeats = 0
    for seed in range(12):
        language = Language(seed)
        answer = check(language, BeamSearch(3, no_repeat_ngram=ngram), [LENGTH] * SENTENCES)
        free = program(3).predict_on_batch(inputs_of(language, [LENGTH] * SENTENCES))
        for tokens, kept in ((answer["tokens"], True), (free["tokens"], False)):
            for row in tokens.reshape(-1, LENGTH).tolist():
                words = [*itertools.takewhile(bool, row)]
                met = Hypothesis(words, 0, 0, 0).has_repeats(ngram)
                assert not (met and kept)
                repeats += met
    assert repeats  # without the rule


def test_ngrams_longer_than_a_sentence_change_nothing():
    table, first = np.log(np.array([[0.2, 0.8], [0.1, 0.9]], "float32")), np.zeros(1, "int32")
    beam = BeamSearch(1, no_repeat_ngram=4)
    tokens, _, _ = beam_search(looked_up(table), first, [], np.array([3], "int32"), beam, length=3)
    assert ops.convert_to_numpy(tokens).tolist() == [[[1, 1, 1]]]


@settings(deadline=None, max_examples=30)
@given(SEEDS, LIMITS, st.booleans())
def test_a_beam_of_one_is_greedy(seed, limits, ties):
    language = Language(seed, ties=ties and ORDERED)
    beam = program(1).predict_on_batch(inputs_of(language, limits))
    greedy = greedy_program().predict_on_batch(inputs_of(language, limits))
    np.testing.assert_array_equal(beam["tokens"][:, 0], greedy["tokens"])
    np.testing.assert_array_equal(beam["log_probs"][:, 0], greedy["log_probs"])
    np.testing.assert_array_equal(beam["scores"], beam["log_probs"])


def test_greedy_takes_the_most_probable_until_the_end():
    language, limits = Language(3), np.array([LENGTH, 3, 1])
    answer = greedy_program().predict_on_batch(inputs_of(language, limits))
    for b, limit in enumerate(limits):
        last, state, tokens, log_p = int(language.first[b]), int(language.begin[b]), [], 0.0
        while len(tokens) < limit and 0 not in tokens:
            state = language.advance(last, state)
            row = language.table[state, last]
            last, log_p = int(row.argmax()), log_p + row.max()
            tokens.append(last)
        assert answer["tokens"][b].tolist() == tokens + [0] * (LENGTH - len(tokens))
        np.testing.assert_allclose(answer["log_probs"][b], log_p, rtol=1e-5)


def test_sentences_do_not_know_each_other():
    language, limits = Language(5), [LENGTH, 2, 5]
    together = program(3).predict_on_batch(inputs_of(language, limits, alpha=0.7))
    for b in range(SENTENCES):
        alone = program(3).predict_on_batch(inputs_of(language, limits, alpha=0.7, rows=[b] * SENTENCES))
        for name, values in together.items():
            np.testing.assert_array_equal(values[b], alone[name][0])


def test_a_beam_as_wide_as_the_tree_finds_the_best():
    """One of three tokens ends a sequence, but never early: the beam holds all 2 ** 3 sequences."""
    language, length = Language(8, vocab=3), 3
    language.table[:, :, 0] = LOG_ZERO
    inputs = inputs_of(language, [length] * SENTENCES)
    state = repeat_rows([inputs["begin"]], 8)
    answer = beam_search(stepper(inputs), inputs["first"], state, inputs["limits"], BeamSearch(8), length=length)
    found_tokens, _, found_log_probs = (ops.convert_to_numpy(x) for x in answer)
    for b in range(SENTENCES):
        found = {}
        for tokens in itertools.product([1, 2], repeat=length):
            last, state, log_p = int(language.first[b]), int(language.begin[b]), 0.0
            for token in tokens:
                state = language.advance(last, state)
                log_p += language.table[state, last, token]
                last = token
            found[tokens] = log_p
        ranked = sorted(found, key=found.get, reverse=True)
        assert found_tokens[b].tolist() == [list(tokens) for tokens in ranked]
        np.testing.assert_allclose(found_log_probs[b], [found[tokens] for tokens in ranked], rtol=1e-5)


def test_what_cannot_be_filled_is_never():
    """After 0 all tokens are banned; after 1 there are two hypotheses in total."""
    table = np.log(np.maximum([[0, 0, 0], [0.6, 0, 0.4], [1, 0, 0]], 1e-30)).astype("float32")
    table[table < -60] = LOG_ZERO
    first, limits = np.array([0, 1], "int32"), np.array([5, 5], "int32")
    answer = beam_search(looked_up(table), first, [], limits, BeamSearch(4), length=5)
    tokens, scores, log_probs = (ops.convert_to_numpy(x) for x in answer)
    assert tokens[1, :, 0].tolist() == [0, 2, 0, 0]
    assert not tokens[0].any()
    assert not tokens[:, :, 1:].any()
    never = np.float32(LOG_ZERO)
    np.testing.assert_allclose(scores, [[never] * 4, [np.log(0.6), np.log(0.4), never, never]], rtol=1e-6)
    np.testing.assert_array_equal(scores, log_probs)


def test_it_stops_as_soon_as_all_are_done():
    calls = []

    def step(tokens, state):
        calls.append(1)
        return ops.convert_to_tensor(np.log(np.array([[0.9, 0.1]] * 2, "float32"))), state, None

    limits = np.array([50, 50], "int32")
    if keras.backend.backend() != "jax":  # which traces the step once
        greedy_search(step, np.zeros(2, "int32"), [], limits, length=50)
        assert len(calls) == 1
        beam_search(step, np.zeros(2, "int32"), [], limits, BeamSearch(1), length=50)
        assert len(calls) == 2
        most_probable = lambda log_probs, _: ops.argmax(log_probs, axis=-1)  # noqa: E731
        sampled_search(step, most_probable, np.zeros(2, "int32"), [], limits, length=50)
        assert len(calls) == 3


def test_drawing_the_most_probable_is_greedy():
    """Tokens and log P. Tokens that are drawn otherwise have the log P of the step; ``draw`` gets each token's number."""
    table = np.log(np.random.default_rng(5).dirichlet(np.ones(7), 7)).astype("float32")
    first, limits = np.arange(7, dtype="int32"), np.array([9, 8, 7, 1, 2, 9, 9], "int32")
    most_probable = lambda log_probs, _: ops.argmax(log_probs, axis=-1)  # noqa: E731
    drawn, greedy = (
        [ops.convert_to_numpy(part) for part in answer]
        for answer in (
            sampled_search(looked_up(table), most_probable, first, [], limits, length=9),
            greedy_search(looked_up(table), first, [], limits, length=9),
        )
    )
    np.testing.assert_array_equal(drawn[0], greedy[0])
    np.testing.assert_allclose(drawn[1], greedy[1], rtol=1e-5)
    counted = lambda _, i: ops.broadcast_to(i + 1, (1,))  # noqa: E731
    tokens, log_p = sampled_search(looked_up(table), counted, first[3:4], [], limits[4:5], length=9)
    assert ops.convert_to_numpy(tokens).tolist() == [[1, 2, 0, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(ops.convert_to_numpy(log_p), [table[3, 1] + table[1, 2]], rtol=1e-5)


@pytest.mark.parametrize("vocab", [31, 32, 33, 100])
def test_vocabularies_of_any_size(vocab):
    rng = np.random.default_rng(vocab)
    table = rng.normal(size=(vocab, vocab)).astype("float32")
    table[:, 0] -= 9
    first, limits = np.array([1, 2], "int32"), np.array([3, 3], "int32")
    tokens, scores, _ = beam_search(looked_up(table), first, [], limits, BeamSearch(vocab), length=3)
    for b in range(2):
        pairs = table[first[b]][:, None] + table
        pairs[0] = LOG_ZERO
        totals = (pairs[:, :, None] + table).reshape(-1)[None]
        totals = np.where(np.indices((vocab,) * 3)[1].reshape(-1) == 0, LOG_ZERO, totals)[0]
        best = totals.argmax()
        assert ops.convert_to_numpy(tokens)[b, 0].tolist() == [*np.unravel_index(best, (vocab,) * 3)]
        np.testing.assert_allclose(ops.convert_to_numpy(scores)[b, 0], totals[best], rtol=1e-5)


@pytest.mark.parametrize(("options", "said"), [
    ({"size": 6, "width": 5}, "size=6: give at most 5"), ({"size": 0}, "size=0: give 1 or more"), ({"size": 2, "no_repeat_ngram": -1}, "no_repeat_ngram=-1: give 0 or more"),
])  # fmt: skip
def test_options_that_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        BeamSearch(**options)


@pytest.mark.parametrize(("mask", "said"), [(None, "needs source_mask"), (np.ones((1, 2), bool), "needs attention")])
def test_coverage_needs_mask_and_attention(mask, said):
    one = np.ones(1, "int32")
    with pytest.raises(ConfigError, match=said):
        beam_search(looked_up(np.zeros((4, 4))), one, [], one, BeamSearch(2, 0.0, 0.1), length=1, source_mask=mask)
