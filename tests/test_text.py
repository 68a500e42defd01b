"""Corpora, and encoding and decoding texts."""

import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.preprocessing import Corpus, TextPreprocessor, TextSizes

ANY = st.text(st.characters(exclude_categories=()))
ODD = [
    "",
    " ",
    "\0",
    "<eos>",
    "<unk>",
    "naïve 🙂👩‍👩‍👧",
    "שלום عالم",
    "\ud800",
    "a\udc80\ud83d\ude00b",
    " \n\t  x\r\n",
    "日本語" * 30,
]
LINES = [
    "the cat sat on the mat .", "the dog saw the cat and the cat ran .", "", "a naïve dog ran to the mat : 12 , 345 !",
    "it's what they'll say , they said .",
] * 4  # fmt: skip
LOSSLESS = {"byte": None, "bpe": 400, "unigram": 300}
SIZES = {**LOSSLESS, "word": 9, "char": 12}


@pytest.fixture(scope="module")
def fitted():
    return {name: TextPreprocessor(name, size).fit(LINES) for name, size in SIZES.items()}


class TestCorpus:
    @pytest.mark.parametrize(
        "make",
        [
            list, tuple, np.array, pd.Series, pl.Series, iter, Corpus,
            lambda texts: np.array(texts, object),
            lambda texts: pd.Series(texts, index=[5, 6, 7], dtype=object),
            lambda texts: (text for text in texts),
            lambda texts: io.StringIO("\n".join(texts)),
        ],
    )  # fmt: skip
    def test_what_texts_may_be(self, make):
        texts = ["one two", "", "drei 🙂"]
        corpus = Corpus(make(texts))
        assert len(corpus) == 3
        for _ in range(2):
            assert list(corpus) == texts
            assert {type(text) for text in corpus} == {str}
        assert corpus.digest() == Corpus(texts).digest()
        assert corpus.sizes() == TextSizes(texts=3, words=4, chars=13, bytes=16)

    def test_a_string_is_one_text_with_its_newlines(self):
        assert list(Corpus("a\nb\n")) == ["a\nb\n"]

    def test_lines_of_a_file_lose_one_newline(self, tmp_path):
        path = tmp_path / "lines.txt"
        path.write_bytes(b"a\r\n\nb \n\n c")
        with open(path, encoding="utf-8", newline="") as file:
            corpus = Corpus(file)
        assert list(corpus) == ["a", "", "b ", "", " c"]
        assert list(Corpus(iter(["a\n\n", "b\r", "c"]))) == ["a\n", "b\r", "c"]
        assert list(Corpus(["a\n"])) == ["a\n"]

    @pytest.mark.parametrize(
        ("texts", "said"),
        [
            (b"abc", "texts is bytes: decode them first"),
            ({"a": "b"}, "texts is of type dict; expected a string"),
            ({"a"}, "texts is of type set; expected"),
            (3, r"texts is 3 \(int\); expected"),
            (None, "texts is a missing value"),
            (pd.DataFrame({"a": ["b"]}), "texts is of type DataFrame"),
            (pl.DataFrame({"a": ["b"]}), "texts is of type DataFrame"),
            (np.array([["a"], ["b"]]), "an array of 2 dimensions; expected one"),
            (["a", None], r"texts\[1\] is a missing value"),
            (pd.Series(["a", np.nan]), r"texts\[1\] is a missing value"),
            (pd.Series(["a", None], dtype="string"), r"texts\[1\] is a missing value"),
            (pl.Series(["a", None]), r"texts\[1\] is a missing value"),
            (iter(["a", "b", 3]), r"texts\[2\] is 3 \(int\); each text must be a string"),
            (np.arange(2), r"texts\[0\] is .*int64"),
            (io.BytesIO(b"ab\n"), r"texts\[0\] is bytes: decode them first, or open the file as text"),
            ([["a"]], r"texts\[0\] is of type list"),
            ("", "the corpus is empty: texts"),
            ([], "the corpus is empty"),
            (["", ""], "the corpus is empty"),
            (iter([]), "the corpus is empty"),
            (pl.Series([], dtype=pl.String), "the corpus is empty"),
        ],
    )
    def test_what_texts_may_not_be(self, texts, said):
        with pytest.raises(DataError, match=said):
            Corpus(texts)

    def test_messages_use_the_name_given(self):
        with pytest.raises(DataError, match=r"^validation\[1\] is"):
            Corpus(["a", 1], name="validation")

    def test_a_later_change_of_the_list_changes_nothing(self):
        texts = ["a", "b"]
        corpus = Corpus(texts)
        texts.append("c")
        assert list(corpus) == ["a", "b"]

    @given(st.lists(ANY, min_size=1).filter(any))
    @settings(deadline=None)
    def test_a_spooled_corpus_is_the_same(self, texts):
        kept = Corpus(texts)
        spooled = Corpus(text + "\r\n" for text in texts)
        assert list(spooled) == list(kept) == texts
        assert (spooled.digest(), spooled.sizes()) == (kept.digest(), kept.sizes())

    def test_spooled_texts_longer_than_a_block_and_two_readers(self):
        texts = ["a", "b" * 3_000_000, "", "c" * 1_048_560, "d", "é" * 700_000]
        corpus = Corpus(iter(texts))
        assert list(corpus) == texts
        assert list(zip(corpus, corpus, strict=True)) == list(zip(texts, texts, strict=True))

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files")
    def test_the_temporary_file_goes_with_the_last_corpus(self):
        before = len(os.listdir("/proc/self/fd"))
        corpus = Corpus(iter(["a b", "c d"]))
        assert len(os.listdir("/proc/self/fd")) == before + 1
        first, last = corpus.split(0.5)
        del corpus, first
        assert list(last) == ["c d"]
        assert len(os.listdir("/proc/self/fd")) == before + 1
        del last
        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_failing_iterator_fails(self):
        def lines():
            yield "a"
            raise OSError("disk")

        with pytest.raises(OSError, match="disk"):
            Corpus(lines())

    def test_digest_knows_content_order_and_boundaries(self):
        corpora = [["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], ["ab", "c", ""], ["ab", "\ud800"]]
        assert len({Corpus(texts).digest() for texts in corpora}) == len(corpora)


class TestSplit:
    @pytest.mark.parametrize("make", [list, iter])
    def test_the_last_texts_are_held_out(self, make):
        first, last = Corpus(make(["aaaa"] * 10)).split(0.2)
        assert (list(first), list(last)) == (["aaaa"] * 8, ["aaaa"] * 2)
        assert (len(first), len(last), first.sizes().chars, last.sizes().chars) == (8, 2, 32, 8)
        again, end = first.split(0.25)
        assert (len(again), len(end), list(end)) == (6, 2, ["aaaa"] * 2)

    @given(st.lists(ANY, min_size=2).filter(lambda texts: sum(map(bool, texts)) > 1), st.floats(0.01, 0.99))
    @settings(deadline=None)
    def test_nothing_is_lost_and_the_cut_is_the_nearest(self, texts, size):
        first, last = (list(part) for part in Corpus(texts).split(size))
        assert first + last == texts
        assert any(first)
        assert any(last)
        assert [list(part) for part in Corpus(iter([t + "\r\n" for t in texts])).split(size)] == [first, last]
        total = sum(map(len, texts))
        places = np.cumsum([0, *map(len, texts)])
        places = places[(places > 0) & (places < total)]
        cut = total * (1 - size)
        assert abs(sum(map(len, first)) - cut) == pytest.approx(np.abs(places - cut).min())

    def test_one_text_is_cut_before_white_space(self):
        text = "to be or not\nto be"
        assert [list(p) for p in Corpus(text).split(0.3)] == [["to be or not"], ["\nto be"]]
        assert [list(p) for p in Corpus([text]).split(0.5)] == [["to be or"], [" not\nto be"]]
        assert [list(p) for p in Corpus(iter([text])).split(0.5)] == [["to be or"], [" not\nto be"]]

    def test_one_text_without_white_space_in_reach_is_cut_right_there(self):
        assert [list(p) for p in Corpus("a" * 10).split(0.3)] == [["a" * 7], ["a" * 3]]
        text = "a " + "b" * 100_000
        first, last = (next(iter(part)) for part in Corpus(text).split(0.1))
        assert (len(first), first + last) == (round(0.9 * len(text)), text)
        assert [list(p) for p in Corpus(" a").split(0.99)] == [[" "], ["a"]]

    @pytest.mark.parametrize("texts", ["a", ["abc", ""], ["", "abc def", ""]])
    def test_what_cannot_be_split(self, texts):
        with pytest.raises(DataError, match=r"cannot be split: .* pass .*texts to validate on"):
            Corpus(texts).split(0.5)

    @pytest.mark.parametrize("size", [0, 1, 0.0, 1.0, -0.1, float("nan"), "0.1", None])
    def test_shares(self, size):
        with pytest.raises(ConfigError, match="validation_size: expected a share between 0 and 1"):
            Corpus(["a", "b"]).split(size)


class TestWordsAndCharacters:
    def test_words_are_by_frequency_then_code_points(self):
        pre = TextPreprocessor("word", None).fit(["b a c b", "é a z"])
        assert [pre.token(i) for i in range(pre.vocab_size_)] == ["<eos>", "<unk>", "a", "b", "c", "z", "é"]
        assert (pre.eos_id, pre.unk_id) == (0, 1)
        assert pre.encode("b\u00a0a  q\n").tolist() == [3, 2, 1]

    def test_characters_likewise(self):
        pre = TextPreprocessor("char", 4).fit(["abcb", "ba"])
        assert [pre.token(i) for i in range(pre.vocab_size_)] == ["<eos>", "<unk>", "b", "a"]
        assert pre.encode("abz🙂").tolist() == [3, 2, 1, 1]
        assert pre.decode([3, 2, 1, 0, 2]) == "ab\ufffdb"

    def test_the_vocabulary_is_limited(self):
        assert TextPreprocessor("word", 3).fit(["a b b"]).vocab_size_ == 3
        assert TextPreprocessor("word", np.int64(100)).fit(["a b b"]).vocab_size_ == 4

    def test_special_words_in_a_text_are_unknown(self):
        pre = TextPreprocessor("word", None).fit(["<eos> <unk> a \ud800 <eos>"])
        assert pre.vocab_size_ == 3
        assert pre.encode("<eos> <unk> a \ud800").tolist() == [1, 1, 2, 1]
        assert pre.decode([1, 0, 2]) == "<unk> a"

    def test_only_what_was_fitted_is_known(self):
        train, valid = Corpus(["one two", "three"]).split(0.4)
        for name in ("word", "char"):
            pre = TextPreprocessor(name, None).fit(train)
            assert 1 not in pre.encode_stream(train)
            assert 1 in pre.encode_stream(valid)

    @given(ANY)
    @settings(deadline=None)
    def test_known_characters_round_trip(self, text):
        pre = TextPreprocessor("char", None).fit([text])
        assert pre.decode(pre.encode(text)) == text
        again = TextPreprocessor.from_json(json.loads(json.dumps(pre.to_json())))
        assert again.encode(text).tolist() == pre.encode(text).tolist()


class TestLossless:
    @pytest.mark.parametrize("name", LOSSLESS)
    @given(text=ANY)
    @settings(deadline=None, max_examples=60)
    def test_any_string_round_trips(self, fitted, name, text):
        pre = fitted[name]
        ids = pre.encode(text)
        assert ids.dtype == np.int32
        assert 0 not in ids
        assert pre.decode(ids) == text

    @pytest.mark.parametrize("name", LOSSLESS)
    def test_odd_strings_round_trip(self, fitted, name):
        pre = fitted[name]
        assert pre.unk_id is None
        assert [pre.decode(pre.encode(text)) for text in ODD] == ODD
        stream = pre.encode_stream(ODD)
        assert (stream == 0).sum() == len(ODD)
        assert pre.decode(stream) == pre.decode(np.concatenate(pre.encode_batch(ODD)))

    def test_bytes_are_bytes(self, fitted):
        assert fitted["byte"].vocab_size_ == 257
        assert fitted["byte"].encode("é\0").tolist() == [0xC4, 0xAA, 1]

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_pieces_are_words_where_these_are_frequent(self, fitted, name):
        pre = fitted[name]
        assert 257 < pre.vocab_size_ <= SIZES[name]
        assert [pre.token(i) for i in pre.encode("the cat")] == ["the", " cat"]
        assert len(pre.encode_stream(LINES)) < 0.5 * sum(map(len, LINES))

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_a_small_corpus_gives_fewer_pieces(self, name):
        for texts in (["ab ab"], ["\ud800"], [""], []):
            pre = TextPreprocessor(name, 5000).fit(texts)
            assert 257 <= pre.vocab_size_ < 300
            assert [pre.decode(pre.encode(text)) for text in ODD] == ODD

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_the_least_vocabulary_is_bytes(self, name):
        pre = TextPreprocessor(name, 257).fit(LINES)
        assert pre.vocab_size_ == 257
        assert len(pre.encode("the cat")) == 7

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_one_pass_over_an_iterator_is_enough(self, fitted, name):
        once = TextPreprocessor(name, SIZES[name]).fit(iter(LINES))
        assert once.to_json() == fitted[name].to_json()

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    @pytest.mark.parametrize("kind", ["one letter", "few letters", "white space", "ideographs", "few ideographs"])
    def test_a_long_line_without_words_is_no_obstacle(self, name, kind):
        rng = np.random.default_rng(0)
        text = {
            "one letter": "a" * 1_000_000,
            "few letters": "".join(map(chr, rng.integers(97, 105, 60_000))),
            "white space": " " * 1_000_000 + "\n\t" * 1000,
            "ideographs": "".join(map(chr, rng.integers(0x4E00, 0x9FA0, 20_000))),
            "few ideographs": "".join(map(chr, 0x4E00 + (2000 * rng.random(20_000) ** 4).astype(int))),
        }[kind]
        start = time.process_time()
        pre = TextPreprocessor(name, 300).fit([text])
        assert pre.decode(pre.encode(text)) == text
        assert time.process_time() - start < 60  # a slow implementation takes minutes

    @pytest.mark.parametrize("name", ["bpe", "unigram"])
    def test_how_much_is_cut_at_a_time_changes_nothing(self, fitted, name, monkeypatch):
        text = "".join([*LINES, "  ", *ODD, " " * 300, "x" * 300, *LINES])
        expected = fitted[name].encode(text)
        for block in range(130, 180, 7):
            monkeypatch.setattr("lstmzoo.preprocessing.tokens.pieces._BLOCK", block)
            assert np.array_equal(fitted[name].encode(text), expected)


class TestStream:
    @pytest.mark.parametrize("name", SIZES)
    @pytest.mark.parametrize("spooled", [False, True])
    def test_eos_follows_each_text(self, fitted, name, spooled):
        pre = fitted[name]
        stream = pre.encode_stream(iter(LINES), spooled=spooled)
        assert isinstance(stream, np.memmap) == spooled
        assert stream.dtype == np.int32
        expected = [i for ids in pre.encode_batch(LINES) for i in [*ids, 0]]
        assert stream.tolist() == expected
        assert pre.encode_stream(iter(LINES), opened=True, spooled=spooled).tolist() == [0, *expected]

    @pytest.mark.parametrize("spooled", [False, True])
    def test_many_batches_and_none(self, fitted, spooled):
        stream = fitted["byte"].encode_stream(("a" * 999 for _ in range(2500)), spooled=spooled)
        assert stream.shape == (2_500_000,)
        assert (stream.reshape(-1, 1000)[:, -1] == 0).all()
        assert fitted["byte"].encode_stream([], spooled=spooled).shape == (0,)

    @pytest.mark.parametrize("text", [None, 3, b"a", ["a"]])
    def test_what_is_no_string(self, fitted, text):
        with pytest.raises(DataError, match="expected a string, got"):
            fitted["word"].encode(text)


class TestDecoding:
    @pytest.mark.parametrize("name", SIZES)
    @given(data=st.data())
    @settings(deadline=None, max_examples=60)
    def test_bit_by_bit_is_all_at_once(self, fitted, name, data):
        pre = fitted[name]
        ids = data.draw(st.lists(st.integers(0, pre.vocab_size_ - 1)))
        if data.draw(st.booleans()):
            ids = pre.encode(data.draw(ANY)).tolist()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(ids)))))
        decoder = pre.decoder()
        for _ in range(2):  # after flush, it begins anew
            parts = [ids[a:b] for a, b in zip([0, *cuts], [*cuts, len(ids)], strict=True)]
            assert "".join([*map(decoder.feed, parts), decoder.flush()]) == pre.decode(ids)

    @given(st.lists(st.sampled_from([0x41, 0x80, 0xA0, 0xBF, 0xC3, 0xED, 0xF0, 0x9F]), max_size=12))
    @settings(deadline=None)
    def test_what_is_no_utf_8_is_replaced_but_surrogates_stay(self, raw):
        pre = TextPreprocessor("byte").fit([])
        ids = np.array(raw, int) + 1
        decoder = pre.decoder()
        assert "".join([*map(decoder.feed, ids), decoder.flush()]) == pre.decode(ids)
        try:
            assert pre.decode(ids) == bytes(raw).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            assert "\ufffd" in pre.decode(ids)

    def test_half_a_character_is_one_replacement(self, fitted):
        ids = fitted["byte"].encode("a🙂b")
        assert fitted["byte"].decode(ids[[0, 1, 2, -1]]) == "a\ufffdb"
        assert fitted["byte"].decode([]) == ""

    @pytest.mark.parametrize("name", SIZES)
    @pytest.mark.parametrize("ids", [[-1], [10_000], [0.5], ["a"], [[1, 2]], [None]])
    def test_ids_that_are_none(self, fitted, name, ids):
        with pytest.raises(DataError, match=r"there is no token|expected a row of whole numbers"):
            fitted[name].decode(ids)

    def test_tokens_are_readable(self, fitted):
        assert fitted["byte"].token(0xC4) == "\\xc3"
        assert [fitted[name].token(0) for name in SIZES] == ["<eos>"] * 5
        assert TextPreprocessor("char", None).fit(["\ud800"]).token(2) == "\\ud800"
        for pre in fitted.values():
            assert all(pre.token(i).encode() for i in range(pre.vocab_size_))
            with pytest.raises(DataError, match=f"ids go from 0 to {pre.vocab_size_ - 1}"):
                pre.token(pre.vocab_size_)


class TestSizes:
    @pytest.mark.parametrize(
        ("name", "size", "said"),
        [
            (
                "byte",
                256,
                "vocab_size: a byte vocabulary needs a whole number of at least 257, or None for no limit, got 256",
            ),
            ("bpe", None, "vocab_size: bpe pieces are learned up to a number of ids: pass one, such as"),
            ("unigram", 256, "vocab_size: a unigram vocabulary needs a whole number of at least 257, got 256"),
            ("bpe", 10**9, "vocab_size: expected at most 1048576 pieces"),
            ("word", 2, "at least 3, or None for no limit, got 2"),
            ("word", 0, "at least 3"),
            ("char", 10.0, "needs a whole number"),
            ("char", True, "needs a whole number"),
            ("word", "10", "needs a whole number"),
        ],
    )
    def test_sizes_that_do_not_suit(self, name, size, said):
        with pytest.raises(ConfigError, match=said):
            TextPreprocessor(name, size).fit(LINES)

    def test_an_unknown_tokenizer(self):
        with pytest.raises(
            UnknownNameError, match=r"unknown tokenizer 'words' \(did you mean 'word'\?\); valid: bpe, byte"
        ):
            TextPreprocessor("words", None).fit(LINES)


class TestJson:
    @pytest.mark.parametrize("name", SIZES)
    def test_round_trip(self, fitted, name):
        document = fitted[name].to_json()
        again = TextPreprocessor.from_json(json.loads(json.dumps(document, allow_nan=False)))
        assert again.to_json() == document
        assert again.vocab_size_ == fitted[name].vocab_size_
        assert np.array_equal(again.encode_stream([*LINES, *ODD]), fitted[name].encode_stream([*LINES, *ODD]))
        assert again.decode(range(again.vocab_size_)) == fitted[name].decode(range(again.vocab_size_))

    @pytest.mark.parametrize("name", SIZES)
    def test_what_does_not_fit_is_refused(self, fitted, name):
        good = fitted[name].to_json()
        bad = [{}, {**good, "tokenizer": "words"}, {**good, "tokenizer": []}, {**good, "vocab_size": -5}, None, [], "a"]
        if "tokens" in good:
            bad += [{**good, "tokens": t} for t in (None, "ab", ["a", "a"], ["a", 3], ["a b"], [""], ["<eos>"])]
            bad += [{**good, "vocab_size": 5}]
        if "library" in good:
            other = fitted["unigram" if name == "bpe" else "bpe"].to_json()["library"]
            bad += [{**good, "library": text} for text in (None, "", "{}", other, good["library"].replace("Ġ", "日"))]
            bad += [{**good, "vocab_size": 257}, {**good, "library": good["library"].replace('"!"', '"!!!!"')}]
        for document in bad:
            with pytest.raises(SavedModelError):
                TextPreprocessor.from_json(document)

    def test_added_tokens_of_the_library_are_refused(self, fitted):
        document = fitted["bpe"].to_json()
        library = json.loads(document["library"])
        library["added_tokens"] = [
            {"id": 5, "content": "%", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        ]  # fmt: skip
        with pytest.raises(SavedModelError, match="not of BPE pieces over all bytes"):
            TextPreprocessor.from_json({**document, "library": json.dumps(library)})


SCRIPT = """
import hashlib, json, os, sys
from lstmzoo.preprocessing import TextPreprocessor
rng = __import__("random").Random(0)
words = ["".join(rng.choices("abcdeé", k=rng.randrange(1, 7))) for _ in range(300)]
texts = [" ".join(rng.choices(words, k=10)) for _ in range(200)]
documents = [TextPreprocessor(name, size).fit(texts).to_json() for name, size in
             [("word", 100), ("char", None), ("bpe", 500), ("unigram", 500)]]
if os.fork() == 0:
    os._exit(0)
os.wait()
print(hashlib.sha256(json.dumps(documents).encode()).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_fresh_processes_learn_the_same_and_fork_in_silence():
    runs = []
    for seed, extra in (("1", {}), ("2", {"RAYON_NUM_THREADS": "3", "TOKENIZERS_PARALLELISM": "true"})):
        clean = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
        env = {**clean, "PYTHONHASHSEED": seed, **extra}
        runs.append(subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True))
    assert runs[0].stdout == runs[1].stdout != ""
    assert [run.stderr for run in runs] == ["", ""]


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    TextPreprocessor("bpe", 300).fit(LINES)
    assert "TOKENIZERS_PARALLELISM" not in os.environ
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    TextPreprocessor("bpe", 300).fit(LINES)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
