"""Sentences and their translations: checks, ids, BPE-dropout, and batches of few shapes."""

import itertools
import json
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.preprocessing import (
    PairBatches,
    PairPreprocessor,
    batches_by_length,
    check_pairs,
    check_sentences,
    padded_sentences,
)
from lstmzoo.preprocessing.buckets import LengthBatches, bucket_shapes
from lstmzoo.preprocessing.tokens import Bpe

ANY = st.text(st.characters(exclude_categories=()))
ODD = [
    "", " ", "  ", "\0", "\n", " x", "<eos>", "naïve 🙂👩‍👩‍👧", "שלום عالم", "\ud800", "a\udc80\ud83d\ude00b", " \n\t  x\r\n", "日本語" * 30,
]  # fmt: skip
ENGLISH = ["the cat sat on the mat .", "the dog saw the cat , and the cat ran .", "a naïve dog ran to the mat !"] * 4
GERMAN = ["die Katze saß auf der Matte .", "der Hund sah die Katze , und sie lief .", "ein Hund lief weg !"] * 4
SIZES = {"byte": None, "bpe": 330, "unigram": 300, "word": 12, "char": None}
KINDS = list(itertools.product(SIZES, [False, True]))


@pytest.fixture(scope="module")
def fitted():
    return {(name, joint): PairPreprocessor(name, SIZES[name], joint).fit(ENGLISH, GERMAN) for name, joint in KINDS}


@pytest.fixture(scope="module")
def bpe():
    return Bpe.learned(ENGLISH + GERMAN, 400)


class TestChecks:
    @pytest.mark.parametrize("make", [
        list, tuple, np.array, pd.Series, pl.Series, lambda texts: np.array(texts, object),
        lambda texts: pd.Series(texts, index=[7, 8], dtype=object),
    ])  # fmt: skip
    def test_what_sentences_may_be(self, make):
        source, target = check_pairs(make(["one", "zwei 🙂"]), ["", " \n"])
        assert (source, target) == (["one", "zwei 🙂"], ["", " \n"])
        assert {type(text) for text in source} == {str}
        assert check_sentences(make(["one", ""])) == ["one", ""]

    @pytest.mark.parametrize(("sentences", "said"), [
        ("a dog", "^text: expected a list, tuple, array or series of strings, got one string: put it in a list$"),
        (iter(["a"]), "expected a list, .* got list_iterator"),
        ({"a": "b"}, "got dict"),
        (None, "got NoneType"),
        (pd.DataFrame({"a": ["b"]}), "got DataFrame"),
        (np.array([["a"]]), "got an array of 2 dimensions"),
        ([], "^text: there are no sentences: pass at least one"),
        (pl.Series([], dtype=pl.String), "there are no sentences"),
        (["a", 3], r"^text\[1\] is 3 \(int\)"),
        (["a", b"b", 3], r"^text\[1\] is bytes"),
        (pd.Series(["a", np.nan]), r"^text\[1\] is a missing value"),
        (pl.Series(["a", None]), r"^text\[1\] is a missing value"),
    ])  # fmt: skip
    def test_what_sentences_may_not_be(self, sentences, said):
        with pytest.raises(DataError, match=said):
            check_sentences(sentences, "text")

    def test_both_sides_are_checked_by_name(self):
        said = "^source has 3 sentences and target has 4: line i of one must translate line i of the other$"
        with pytest.raises(DataError, match=said):
            check_pairs(["a"] * 3, ["b"] * 4)
        with pytest.raises(DataError, match="^X has 1 sentence and y has 2"):
            check_pairs(["a"], ["b"] * 2, names=("X", "y"))
        with pytest.raises(DataError, match=r"^y\[0\] is a missing value"):
            check_pairs(["a"], [None], names=("X", "y"))


class TestPreprocessor:
    @pytest.mark.parametrize(("name", "joint"), [kind for kind in KINDS if kind[0] in {"bpe", "unigram", "byte"}])
    @given(text=ANY)
    @settings(deadline=None, max_examples=40)
    def test_any_string_round_trips(self, fitted, name, joint, text):
        pre = fitted[name, joint]
        (ids,) = pre.encode_target([text])
        assert ids.dtype == np.int32
        assert 0 not in ids
        assert (len(ids) == 0) == (text == "")
        assert pre.decode(ids) == text
        assert pre.decode([*ids, 0, 5, 0]) == text

    @pytest.mark.parametrize("name", ["bpe", "unigram", "byte"])
    def test_odd_strings_round_trip(self, fitted, name):
        pre = fitted[name, True]
        assert [pre.decode(ids) for ids in pre.encode_source(ODD)] == ODD

    @given(text=ANY)
    @settings(deadline=None, max_examples=40)
    def test_known_characters_round_trip(self, text):
        pre = PairPreprocessor("char", None, False).fit(["x"], [text])
        assert pre.decode(pre.encode_target([text])[0]) == text

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_a_first_word_is_as_one_within(self, fitted, name):
        one, two = fitted[name, False].encode_source(["cat", "the cat"])
        np.testing.assert_array_equal(two[-len(one) :], one)

    @pytest.mark.parametrize("name", SIZES)
    def test_joint_sides_are_one(self, fitted, name):
        joint, apart = fitted[name, True], fitted[name, False]
        assert joint.source is joint.target
        assert apart.source is not apart.target
        np.testing.assert_array_equal(joint.encode_source(["ein Hund"])[0], joint.encode_target(["ein Hund"])[0])
        if SIZES[name] is not None:
            assert max(side.vocab_size_ for side in (joint.source, apart.source, apart.target)) <= SIZES[name]

    def test_nothing_after_the_end_is_decoded(self, fitted):
        pre = fitted["byte", True]
        assert (pre.decode([98, 0, 99]), pre.decode([0, 99]), pre.decode([])) == ("a", "", "")
        with pytest.raises(DataError, match="there is no token 257"):
            pre.decode([257, 0])

    @pytest.mark.parametrize(("name", "joint"), KINDS)
    def test_json(self, fitted, name, joint):
        pre = fitted[name, joint]
        document = pre.to_json()
        assert set(document) == ({"joint", "source"} if joint else {"joint", "source", "target"})
        again = PairPreprocessor.from_json(json.loads(json.dumps(document, allow_nan=False)))
        assert again.to_json() == document
        assert (again.source is again.target) == joint
        for one, two in zip(pre.encode_target(GERMAN), again.encode_target(GERMAN), strict=True):
            np.testing.assert_array_equal(one, two)

    def test_what_is_no_json_of_it_is_refused(self, fitted):
        good, other = fitted["word", False].to_json(), fitted["byte", False].to_json()
        bad = [None, [], {}, {**good, "joint": 1}, {**good, "source": None}, {**good, "target": other["target"]}]
        bad += [{"joint": False, "source": good["source"]}]
        for document in bad:
            with pytest.raises(SavedModelError):
                PairPreprocessor.from_json(document)

    def test_errors_are_those_of_texts(self):
        with pytest.raises(UnknownNameError, match="did you mean 'word'"):
            PairPreprocessor("words", None, True).fit(["a"], ["b"])
        with pytest.raises(ConfigError, match="vocab_size: bpe pieces are learned up to"):
            PairPreprocessor("bpe", None, True).fit(["a"], ["b"])


class TestDropout:
    @given(text=ANY)
    @settings(deadline=None, max_examples=100)
    def test_without_any_it_is_the_encoding(self, bpe, text):
        (ids,) = bpe.encode_dropped([text], 0.0, np.random.default_rng(0))
        np.testing.assert_array_equal(ids, bpe.encode(text))

    def test_words_that_are_known_too(self, bpe):
        texts = [*ODD, *ENGLISH, *GERMAN, "Katzenhund", "aaaaaaaa", "the" * 100, " " * 200, "x.y,z's 12"]
        for text, ids in zip(texts, bpe.encode_dropped(texts, 0.0, np.random.default_rng(0)), strict=True):
            np.testing.assert_array_equal(ids, bpe.encode(text))

    @given(text=ANY, rate=st.floats(0, 1))
    @settings(deadline=None, max_examples=60)
    def test_any_rate_is_lossless(self, bpe, text, rate):
        (ids,) = bpe.encode_dropped([text], rate, np.random.default_rng(0))
        assert bpe.decoder().feed(ids) == text

    def test_all_dropped_are_bytes(self, bpe):
        (ids,) = bpe.encode_dropped([" the naïve"], 1.0, np.random.default_rng(0))
        assert [bpe.raw[i] for i in ids] == [bytes([b]) for b in " the naïve".encode()]

    def test_cuts_are_as_likely_as_the_algorithm_makes_them(self, bpe):
        """The merge after j others, by rank and place, has the probability ``rate ** j * (1 - rate)``; without one, merging ends."""
        model = json.loads(bpe.saved()["library"])["model"]
        ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
        rate, expected = 0.3, Counter()

        def follow(pieces, chance):
            pairs = sorted((ranks[pair], i) for i, pair in enumerate(itertools.pairwise(pieces)) if pair in ranks)
            expected[pieces] += chance * rate ** len(pairs)
            for j, (_, i) in enumerate(pairs):
                follow((*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]), chance * rate**j * (1 - rate))

        follow(tuple("ĠKatze"), 1.0)
        letters = {number + 1: piece for piece, number in model["vocab"].items()}
        rows = (bpe.encode_dropped([" Katze"], rate, np.random.default_rng(seed))[0] for seed in range(2000))
        share = Counter(tuple(letters[i] for i in row) for row in rows)
        assert sum(expected.values()) == pytest.approx(1)
        assert len(expected) > 5
        assert all(abs(share[cut] / 2000 - chance) < 0.04 for cut, chance in expected.items())
        assert set(share) <= set(expected)

    def test_a_word_has_a_few_cuts_at_a_time(self, bpe):
        rows = bpe.encode_dropped([" Katze"] * 200, 0.5, np.random.default_rng(0))
        assert 1 < len({tuple(row) for row in rows}) <= 4

    def test_pairs(self, fitted):
        pre = fitted["bpe", True]
        one, two, other, same = (
            pre.encode_dropped(ENGLISH, ENGLISH, rate, 7, epoch)
            for rate, epoch in [(0.2, 1), (0.2, 1), (0.2, 2), (0.0, 1)]
        )
        flat = [[row.tolist() for side in sides for row in side] for sides in (one, two, other, same)]
        assert flat[0] == flat[1]
        assert flat[0] != flat[2]
        assert flat[0][: len(ENGLISH)] != flat[0][len(ENGLISH) :]
        assert flat[3] == [row.tolist() for row in pre.encode_source(ENGLISH)] * 2
        assert [pre.decode(row) for row in one[1]] == ENGLISH

    def test_what_cannot_be_dropped(self, fitted):
        unigram = fitted["unigram", True]
        assert len(unigram.encode_dropped(["a"], ["b"], 0.0, 0, 0)) == 2
        with pytest.raises(ConfigError, match="0.1 needs tokenizer='bpe', got 'unigram'"):
            unigram.encode_dropped(["a"], ["b"], 0.1, 0, 0)
        for rate in (-0.1, 1.5, float("nan")):
            with pytest.raises(ConfigError, match="a probability from 0 to 1"):
                fitted["bpe", True].encode_dropped(["a"], ["b"], rate, 0, 0)


def drawn(num, longest=20, seed=0):
    """Ids of pairs of random lengths. All ids of a sentence are its number plus 1."""
    lengths = np.random.default_rng(seed).integers(1, longest + 1, (num, 2))
    return tuple([np.full(n, i + 1, np.int32) for i, n in enumerate(side)] for side in lengths.T)


def made(ids, **options):
    return PairBatches(*ids, **{"batch_size": 4, "steps_per_epoch": 10**6, "seed": 3, "max_length": 50, **options})


def padded_to(shapes, lengths):
    return sum(min(sum(shape) for shape in shapes if (np.array(shape) >= pair).all()) for pair in lengths)


class TestShapes:
    @given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=9), st.integers(1, 3))
    @settings(deadline=None, max_examples=60)
    def test_no_chain_of_shapes_pads_less(self, pairs, most):
        lengths = np.array(pairs)
        shapes = bucket_shapes(lengths, most)
        assert 1 <= len(shapes) <= most
        assert (np.diff(shapes, axis=0) >= 0).all()
        longest = lengths.max(axis=0)
        np.testing.assert_array_equal(shapes[-1], longest)
        edges = [sorted({min(n + n % 2, top) for n in side}) for side, top in zip(lengths.T, longest, strict=True)]
        grid = list(itertools.product(*edges))
        chains = (
            [*some, tuple(longest)] for size in range(most) for some in itertools.combinations(grid, size)
            if all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(some))
        )  # fmt: skip
        assert padded_to(shapes, lengths) == min(padded_to(some, lengths) for some in chains)

    @pytest.mark.parametrize("sides", [1, 3])
    def test_items_of_any_number_of_sides(self, sides):
        lengths = np.random.default_rng(0).integers(1, 9, (40, sides))
        batches = LengthBatches(lengths, batch_size=4, steps_per_epoch=99, seed=0, num_buckets=3)
        met = Counter()
        for step in range(len(batches)):
            members, padded = batches.members(step)
            assert (lengths[members] <= padded).all()
            assert (len(members), *padded) in batches.shapes
            met.update(members.tolist())
        assert set(met) == set(range(40))
        one = LengthBatches(lengths, batch_size=4, steps_per_epoch=99, seed=0, num_buckets=1)
        assert batches.padding < one.padding

    def test_many_lengths(self):
        lengths = np.random.default_rng(0).integers(1, 500, (300, 2))
        shapes = bucket_shapes(lengths, 5)
        np.testing.assert_array_equal(shapes[-1], lengths.max(axis=0))
        assert len(shapes) == 5

    def test_shapes_that_save_nothing_are_not_there(self):
        assert bucket_shapes(np.array([[4, 6], [4, 6]]), 6).tolist() == [[4, 6]]


class TestBatches:
    def test_each_pair_comes_once_and_fits(self):
        ids = drawn(200)
        batches = made(ids, num_buckets=4)
        met, shapes = Counter(), Counter()
        for step in range(len(batches)):
            inputs, zeros = batches[step]
            source, targets = inputs["source"], inputs["targets"]
            shape = (*source.shape, targets.shape[1])
            assert shape in batches.shapes
            assert {array.dtype for array in inputs.values()} == {np.dtype(np.int32)}
            assert (zeros.shape, zeros.dtype, zeros.any()) == (targets.shape, np.float32, False)
            np.testing.assert_array_equal(inputs["previous"][:, 1:], targets[:, :-1])
            assert not inputs["previous"][:, 0].any()
            for row, translation in zip(source, targets, strict=True):
                i = row[0] - 1
                np.testing.assert_array_equal(row, np.pad(ids[0][i], (0, shape[1] - len(ids[0][i]))))
                np.testing.assert_array_equal(translation, np.pad(ids[1][i], (0, shape[2] - len(ids[1][i]))))
                assert (row[-1], translation[-1]) == (0, 0)
                smaller = [s for _, *s in batches.shapes if s[0] > len(ids[0][i]) and s[1] > len(ids[1][i])]
                assert smaller[0] == [shape[1], shape[2]]
                met[i] += 1
            shapes[shape] += 1
        assert set(met) == set(range(200))
        filled = sum(met.values()) - 200
        assert 0 <= filled < sum(rows for rows, _, _ in batches.shapes)
        assert set(met.values()) <= {1, 2}
        assert set(shapes) == set(batches.shapes)

    def test_there_are_as_many_buckets_as_are_worth_it(self):
        ids = drawn(400)
        assert [len(made(ids, batch_size=n).shapes) for n in (2, 5, 9, 40)] == [6, 4, 2, 1]
        assert len(made(ids, batch_size=2, most_buckets=3).shapes) == 3

    def test_batches_have_about_as_many_tokens(self):
        ids = drawn(4000)
        batches = made(ids, batch_size=64)
        wanted = 64 * (2 + np.mean([len(a) + len(b) for a, b in zip(*ids, strict=True)]))
        assert [s for _, *s in batches.shapes] == sorted(s for _, *s in batches.shapes)
        for rows, source, target in batches.shapes:
            assert rows % 8 == 0
            assert abs(rows - wanted / (source + target)) <= 4

    def test_a_bucket_with_few_pairs_is_one_batch(self):
        batches = made(drawn(3), batch_size=64, num_buckets=1)
        assert (len(batches), batches.shapes[0][0]) == (1, 3)

    def test_padding_is_counted(self):
        batches = made(drawn(97), num_buckets=3)
        for epoch in (0, 1):
            batches.set_epoch(epoch)
            positions = tokens = 0
            for step in range(len(batches)):
                inputs, _ = batches[step]
                for side in ("source", "targets"):
                    positions += inputs[side].size
                    tokens += np.count_nonzero(inputs[side]) + len(inputs[side])
            assert batches.padding == pytest.approx(1 - tokens / positions, abs=1e-12)
        assert made(drawn(97), num_buckets=6).padding < made(drawn(97), num_buckets=1).padding

    def test_epochs_are_drawn_by_seed_and_number(self):
        def order(batches, epoch):
            batches.set_epoch(epoch)
            return [batches[step][0]["source"][:, 0].tolist() for step in range(len(batches))]

        ids = drawn(60)
        batches = made(ids)
        first, second = order(batches, 0), order(batches, 1)
        assert first != second
        assert order(batches, 0) == first
        assert order(made(ids), 1) == second
        assert order(made(ids, seed=4), 0) != first
        some = made(ids, steps_per_epoch=5)
        assert len(some) == 5
        assert order(some, 1) == second[:5]

    def test_what_is_left_out(self):
        source, target = ([np.ones(n, np.int32) for n in side] for side in [(0, 3, 4, 2, 9, 0), (2, 2, 3, 0, 1, 9)])
        batches = made((source, target), max_length=3)
        assert batches.left_out == {"empty": 3, "long": 2}
        assert batches.shapes == [(1, 4, 3)]
        with pytest.raises(DataError, match="none of 1 pairs is left: 0 have an empty side, 1 have more than 3 tokens"):
            made((source[2:3], target[2:3]), max_length=3)
        with pytest.raises(DataError, match="none of 0 pairs is left"):
            made(([], []))


class TestResampling:
    def test_pairs_are_encoded_anew(self):
        first, called = drawn(80), []

        def resample(epoch):
            called.append(epoch)
            extra = np.random.default_rng(epoch).integers(0, 8, (2, 80))
            return tuple(
                [np.pad(ids, (0, n), mode="edge") for ids, n in zip(side, more, strict=True)]
                for side, more in zip(first, extra, strict=True)
            )

        batches = made(first, resample=resample, max_length=22)
        steps = len(batches)
        seen = {}
        for epoch in (0, 1, 2, 0):
            batches.set_epoch(epoch)
            assert len(batches) == steps
            pairs = {}
            for step in range(steps):
                inputs, _ = batches[step]
                assert (*inputs["source"].shape, inputs["targets"].shape[1]) in batches.shapes
                for row, translation in zip(inputs["source"], inputs["targets"], strict=True):
                    assert row[0] == translation[0]
                    pairs[int(row[0]) - 1] = np.count_nonzero(row), np.count_nonzero(translation)
            assert seen.setdefault(epoch, pairs) == pairs
            source, target = resample(epoch)
            _, *longest = batches.shapes[-1]
            for i, lengths in pairs.items():
                new = len(source[i]), len(target[i])
                fits = new[0] < longest[0] and new[1] < longest[1]
                assert lengths == (new if fits else (len(first[0][i]), len(first[1][i])))
        assert called == [0, 0, 1, 1, 2, 2, 0, 0]
        assert max(batches.shapes[-1][1:]) <= 23
        assert set(seen[0]) == set(range(80))

    def test_an_epoch_of_fewer_batches_begins_again(self):
        """In epoch 1 all pairs are in the first bucket, whose batches are larger."""
        long, short = (tuple([np.ones(n, np.int32)] * 8 for _ in range(2)) for n in (9, 1))
        mixed = tuple([*long[i][:4], *short[i][:4]] for i in range(2))
        batches = made(mixed, batch_size=2, num_buckets=6, resample=lambda epoch: short if epoch else mixed)
        assert batches.shapes == [(4, 2, 2), (1, 10, 10)]
        assert len(batches) == 5
        batches.set_epoch(1)
        assert [batches[step][0]["source"].shape for step in range(5)] == [(4, 2)] * 5


class TestPadding:
    def test_sentences(self):
        ids = [np.array([5, 6], np.int32), np.array([], np.int32)]
        np.testing.assert_array_equal(padded_sentences(ids), [[5, 6, 0], [0, 0, 0]])
        np.testing.assert_array_equal(padded_sentences(ids, 4, 3), [[5, 6, 0, 0], [0] * 4, [0] * 4])
        assert padded_sentences(ids).dtype == np.int32
        assert padded_sentences([], rows=2).tolist() == [[0], [0]]
        with pytest.raises(DataError, match="a sentence of 2 tokens and its end do not fit into a length of 2"):
            padded_sentences(ids, 2)

    @given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 7))
    @settings(deadline=None)
    def test_batches_by_length_hold_each_sentence_once(self, lengths, rows):
        lengths = np.array(lengths, int)
        ladder = {8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384}
        order = []
        for members, size in batches_by_length(lengths, lambda width: max(1, 8 * rows // width)):
            assert 1 <= len(members) <= max(1, 8 * rows // size)
            assert size in ladder
            assert size == min(s for s in ladder if s > lengths[members].max())
            order += members.tolist()
        assert sorted(order) == np.flatnonzero(lengths).tolist()
        assert (np.diff(lengths[order]) >= 0).all()
