"""Sentence pairs: contents, reading files, and refused altered files."""

import gzip
import hashlib
import io
import json
import os
import re
import zipfile
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from _downloads import cut_off, serve

from lstmzoo import datasets
from lstmzoo.datasets import pairs as module
from lstmzoo.errors import ConfigError, DataError, UnknownNameError

MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
IWSLT15 = "https://nlp.stanford.edu/projects/nmt/data/iwslt15.en-vi"
FETCHES = [
    pytest.param(datasets.fetch_multi30k, "multi30k_en_de/raw/train.en.gz", f"{MULTI30K}/train.en.gz", id="multi30k"),
    pytest.param(datasets.fetch_iwslt15, "iwslt15_en_vi/train.en", f"{IWSLT15}/train.en", id="iwslt15"),
    pytest.param(
        datasets.fetch_tatoeba, "tatoeba/deu-eng.zip", "https://www.manythings.org/anki/deu-eng.zip", id="tatoeba"
    ),
]


offline = pytest.fixture(cut_off)


@pytest.fixture
def local(offline, monkeypatch, tmp_path):
    """A function that writes files under ``LSTMZOO_DATA``."""

    def put(files: dict[str, bytes]) -> None:
        for place, content in files.items():
            path = tmp_path / "data" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        monkeypatch.setenv("LSTMZOO_DATA", str(tmp_path / "data"))

    return put


def zipped(member: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr(member, text)
    return packed.getvalue()


def small_multi30k(monkeypatch) -> dict[str, bytes]:
    """Gzipped files of two lines, whose SHA-256 replace the published ones."""
    files = {}
    for part in ("train", "val", "test_2016_flickr"):
        for language in ("en", "de"):
            text = f"{language} one of {part}.\nThe – 2nd.\n".encode()
            files[f"{part}.{language}.gz"] = packed = gzip.compress(text, mtime=0)
            monkeypatch.setitem(module._MULTI30K[part], language, hashlib.sha256(packed).hexdigest())
    return files


# --- dates


@pytest.fixture(scope="module")
def dates():
    return datasets.load_dates(num_pairs=2000)


def parts_of(data):
    return data.train, data.valid, data.test


def translations(data):
    return {s: t for part in parts_of(data) for s, t in zip(*part, strict=True)}


def test_dates_are_cut_into_distinct_sentences(dates):
    assert [(len(p.source), len(p.target)) for p in parts_of(dates)] == [(1800, 1800), (100, 100), (100, 100)]
    assert len(translations(dates)) == 2000
    assert repr(dates) == "PairData(name='dates', source_language='en', target_language='hu')"
    with pytest.raises(FrozenInstanceError):
        dates.name = "other"


def test_dates_are_sentences_of_some_words(dates):
    for sentence, translation in translations(dates).items():
        assert 3 <= len(sentence.split()) <= 10
        for text in (sentence, translation):
            assert text == " ".join(re.split(r"\s+", text.strip()))
            assert set(re.findall(r"\s", text)) <= {" "}


def test_the_same_seed_gives_the_same_dates():
    one, again, other = (datasets.load_dates(num_pairs=100, random_state=seed) for seed in (0, 0, 1))
    assert parts_of(one) == parts_of(again)
    assert one.train.source != other.train.source


MONTHS = {
    "January": "január", "February": "február", "March": "március", "April": "április", "May": "május", "June": "június",
    "July": "július", "August": "augusztus", "September": "szeptember", "October": "október", "November": "november",
    "December": "december",
}  # fmt: skip
DAYS = {
    "Monday": "hétfő", "Tuesday": "kedd", "Wednesday": "szerda", "Thursday": "csütörtök", "Friday": "péntek",
    "Saturday": "szombat", "Sunday": "vasárnap",
}  # fmt: skip


def test_dates_change_places_and_clocks_change_their_hours(dates):
    full = re.compile(r"(\w+day), (\w+) (\d+), (\d{4}), (\d+):(\d\d) ([AP])M")
    moments = [(m, t) for s, t in translations(dates).items() if (m := full.fullmatch(s))]
    assert len(moments) > 60
    for match, translation in moments:
        weekday, month, day, year, hour, minute, half = match.groups()
        clock = int(hour) % 12 + 12 * (half == "P")
        assert translation == f"{year}. {MONTHS[month]} {day}., {DAYS[weekday]} {clock}:{minute}"


def test_distances_are_endings(dates):
    units = {
        "minute": ("perc", "perccel"),
        "hour": ("óra", "órával"),
        "day": ("nap", "nappal"),
        "week": ("hét", "héttel"),
        "month": ("hónap", "hónappal"),
        "year": ("év", "évvel"),
    }
    said = translations(dates)
    found = 0
    for unit, (plain, ending) in units.items():
        for n in range(1, 60):
            name = unit if n == 1 else f"{unit}s"
            for sentence, translation in (
                (f"in {n} {name}", f"{n} {plain} múlva"),
                (f"{n} {name} ago", f"{n} {ending} ezelőtt"),
            ):
                if sentence in said:
                    found += 1
                    assert said[sentence] == translation
    assert found > 50


def test_a_target_is_a_function_of_its_source(dates):
    """May is the same word in full and abbreviated; its translation is not, so the first style holds."""
    said = translations(dates)
    may = [t for s, t in said.items() if re.fullmatch(r"May \d+, \d{4}", s)]
    assert may
    assert all("május" in t for t in may)
    other = translations(datasets.load_dates(num_pairs=2000, random_state=1))
    both = set(said) & set(other)
    assert len(both) > 20
    assert all(said[sentence] == other[sentence] for sentence in both)


def test_word_by_word_is_not_enough(dates):
    """Translating word by word, each by the most frequent word in its place, gets few sentences right."""
    counts: dict[str, dict[str, int]] = {}
    for sentence, translation in zip(*dates.train, strict=True):
        for word, other in zip(sentence.split(), translation.split(), strict=False):
            counts.setdefault(word, {}).setdefault(other, 0)
            counts[word][other] += 1
    best = {word: max(row, key=row.__getitem__) for word, row in counts.items()}
    said = [" ".join(best.get(word, word) for word in sentence.split()) for sentence in dates.test.source]
    assert sum(a == b for a, b in zip(said, dates.test.target, strict=True)) < 0.2 * len(said)


# SHA-256 of 500 pairs from each language to English, as Babel 2.19 wrote them
WRITTEN_BY_BABEL = {
    "cs": "c187b165", "da": "8db6a0b0", "de": "08104142", "es": "7a152fe4", "fi": "640d4c55", "fr": "4063d2fa",
    "hu": "7fe6958e", "it": "5733257c", "ja": "408db3bf", "nl": "1b00bafd", "pl": "157f8ac9", "pt": "cb923d70",
    "ru": "063c21c0", "sv": "b555dbbc", "tr": "3debd105", "zh": "9888478d",
}  # fmt: skip


def digest_of(data):
    return hashlib.sha256(json.dumps([data.train, data.valid, data.test]).encode()).hexdigest()


def test_dates_are_those_that_babel_wrote():
    assert digest_of(datasets.load_dates()) == "b9222912c4de34a2bc1206da3f89bb4e4c0e93948d118ae8147936797e102e10"
    for language, digest in WRITTEN_BY_BABEL.items():
        data = datasets.load_dates(language, "en", num_pairs=500)
        assert (data.source_language, data.target_language) == (language, "en")
        assert digest_of(data)[:8] == digest, language


def test_dates_of_what_there_is_not():
    for source in ("xx", "english", "", "en/de", None):
        with pytest.raises(UnknownNameError, match=f"unknown source language {source!r}.*; valid: cs, da, de, en, "):
            datasets.load_dates(source)
    with pytest.raises(UnknownNameError, match="unknown target language 'xx'"):
        datasets.load_dates("en", "xx")
    with pytest.raises(ConfigError, match="num_pairs=19: pass at least 20"):
        datasets.load_dates(num_pairs=19)


# --- files of pairs


def test_read_pairs_of_one_file(tmp_path):
    path = tmp_path / "pairs.tsv"
    content = b"\xef\xbb\xbfone \t eins\textra\tmore\n\ntwo\xe2\x80\xa8lines\t\r\n\tdrei"
    path.write_bytes(content)
    expected = datasets.Pairs(["one ", "", "two\u2028lines", ""], [" eins", "", "", "drei"])
    assert datasets.read_pairs(path) == expected
    (tmp_path / "pairs.tsv.gz").write_bytes(gzip.compress(content))
    assert datasets.read_pairs(str(tmp_path / "pairs.tsv.gz")) == expected
    path.write_bytes(b"")
    assert datasets.read_pairs(path) == ([], [])


def test_read_pairs_of_two_files(tmp_path):
    one, two = tmp_path / "train.en", tmp_path / "train.de.gz"
    one.write_bytes(b"one\r\n\r\na\ttab\n\n")
    two.write_bytes(gzip.compress("eins\n\nTür\n\n".encode()))
    assert datasets.read_pairs(one, two) == (["one", "", "a\ttab", ""], ["eins", "", "Tür", ""])


def test_files_that_are_not_aligned(tmp_path):
    one, two = tmp_path / "train.en", tmp_path / "train.de"
    one.write_text("a\nb\nc\n")
    two.write_text("a\nb\n")
    with pytest.raises(DataError, match=re.escape(f"{one} has 3 lines and {two} has 2: line i of one must")):
        datasets.read_pairs(one, two)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\tb\nno tab\n", "line 2, has no tab: write a sentence, a tab and its translation on each line"),
        (b"a\tb\n\nna\xefve\tb\n", "line 3: not UTF-8 (byte 3 of the line is 0xef): save the file as UTF-8"),
    ],
)
def test_lines_that_are_no_pairs(tmp_path, content, said):
    path = tmp_path / "pairs.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}, {said}")):
        datasets.read_pairs(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.tsv: No such file"):
        datasets.read_pairs(tmp_path / "none.tsv")
    path = tmp_path / "pairs.tsv.gz"
    for content in (b"a\tb\n", gzip.compress(b"a\tb\n" * 99)[:-9]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"pairs\.tsv\.gz cannot be read as gzip"):
            datasets.read_pairs(path)


# --- how published files are read


@pytest.mark.parametrize(("source", "target"), [("en", "de"), ("de", "en")])
@pytest.mark.parametrize("downloaded", [False, True])
def test_multi30k_is_read_in_both_directions(local, offline, monkeypatch, source, target, downloaded):
    files = small_multi30k(monkeypatch)
    if downloaded:
        asked = serve(monkeypatch, {f"{MULTI30K}/{name}": content for name, content in files.items()})
        datasets.fetch_multi30k(source, target)
    else:
        local({f"multi30k_en_de/raw/{name}": content for name, content in files.items()})
    data = datasets.fetch_multi30k(source, target)
    assert (data.name, data.source_language, data.target_language) == ("multi30k", source, target)
    names = ("train", "val", "test_2016_flickr")
    assert parts_of(data) == tuple(
        ([f"{source} one of {name}.", "The – 2nd."], [f"{target} one of {name}.", "The – 2nd."]) for name in names
    )
    if downloaded:
        assert sorted(asked) == sorted(f"{MULTI30K}/{name}" for name in files)


@pytest.mark.parametrize(
    "change", [lambda _: gzip.compress(b"altered", mtime=0), lambda content: content[:-9]], ids=["altered", "cut"]
)
def test_a_multi30k_that_is_not_the_pinned_one_is_refused(local, offline, monkeypatch, change):
    files = small_multi30k(monkeypatch)
    files["train.de.gz"] = change(files["train.de.gz"])
    serve(monkeypatch, {f"{MULTI30K}/{name}": content for name, content in files.items()})
    with pytest.raises(DataError, match="does not match the known hash") as caught:
        datasets.fetch_multi30k()
    assert f"cannot download {MULTI30K}/train.de.gz to {offline}" in str(caught.value)
    assert not list(offline.rglob("train.de.gz"))

    local({f"multi30k_en_de/raw/{name}": content for name, content in files.items()})
    digest = hashlib.sha256(files["train.de.gz"]).hexdigest()
    said = f"train.de.gz is not the file at {MULTI30K}/train.de.gz: its SHA-256 is {digest}, expected"
    with pytest.raises(DataError, match=re.escape(said)):
        datasets.fetch_multi30k()


@pytest.mark.parametrize(("source", "target"), [("en", "vi"), ("vi", "en")])
def test_iwslt15_is_read_in_both_directions(local, source, target):
    files = {
        f"iwslt15_en_vi/{part}.{language}": f"{language} &apos;s {part} .\n\nlast\n".encode()
        for part in ("train", "tst2012", "tst2013")
        for language in ("en", "vi")
    }
    local(files)
    data = datasets.fetch_iwslt15(source, target)
    assert parts_of(data) == tuple(
        ([f"{source} &apos;s {part} .", "", "last"], [f"{target} &apos;s {part} .", "", "last"])
        for part in ("train", "tst2012", "tst2013")
    )
    local({"iwslt15_en_vi/tst2013.vi": b"one\n"})
    with pytest.raises(DataError, match=r"tst2013\.(en|vi) has \d lines? and tst2013"):
        datasets.fetch_iwslt15(source, target)


def test_the_first_download_of_iwslt15_holds(offline, monkeypatch):
    urls = [f"{IWSLT15}/{part}.{end}" for part in ("train", "tst2012", "tst2013") for end in ("en", "vi")]
    asked = serve(monkeypatch, dict.fromkeys(urls, b"a\n"))
    first = datasets.fetch_iwslt15()
    assert asked == urls
    assert parts_of(datasets.fetch_iwslt15()) == parts_of(first) == ((["a"], ["a"]),) * 3
    assert asked == urls
    next(offline.rglob("train.en")).write_bytes(b"b\n")
    serve(monkeypatch, dict.fromkeys(urls, b"b\n"))
    with pytest.raises(DataError, match="does not match the known hash"):
        datasets.fetch_iwslt15()


def test_tatoeba_keeps_the_translations_of_a_sentence_together(local):
    rows = [(f"I have {n // 2} cats.", f"Ich habe {n // 2} Katzen{'!' * (n % 2)}") for n in range(2000)]
    text = "".join(f"{english}\t{german}\tCC-BY 2.0 (France) Attribution\n" for english, german in rows)
    local({"tatoeba/deu-eng.zip": zipped("deu.txt", text)})
    there, back = datasets.fetch_tatoeba("en", "de"), datasets.fetch_tatoeba("de", "en")
    assert (back.name, back.source_language, back.target_language) == ("tatoeba", "de", "en")
    assert parts_of(back) == tuple((part.target, part.source) for part in parts_of(there))
    pairs = [pair for part in parts_of(there) for pair in zip(*part, strict=True)]
    assert sorted(pairs) == sorted(rows)
    sides = [set(part.source) for part in parts_of(there)]
    assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])
    assert [round(len(side) / 10) for side in sides] == pytest.approx([96, 2, 2], abs=2)
    assert all(sides)
    # which part a sentence is in is settled for good
    assert [module._part(f"I have {n} cats.") for n in (0, 19, 50)] == ["train", "valid", "test"]
    local({"tatoeba/deu-eng.zip": zipped("deu.txt", text[: len(text) // 2].rsplit("\n", 1)[0])})
    fewer = datasets.fetch_tatoeba()
    assert fewer.test.source
    assert set(fewer.test.source) <= sides[2]


def test_archives_that_are_none(local, monkeypatch):
    broken = bytearray(zipped("deu.txt", "a\tb\n" * 99))
    place = broken.index(b"deu.txt") + 12
    broken[place] ^= 0xFF
    for content in (b"no zip", zipped("fra.txt", "a\tb\n"), bytes(broken)):
        local({"tatoeba/deu-eng.zip": content})
        with pytest.raises(
            DataError, match=r"deu\.txt of https://www\.manythings\.org/anki/deu-eng\.zip cannot be read"
        ):
            datasets.fetch_tatoeba()
    local({"tatoeba/deu-eng.zip": zipped("deu.txt", "a\tb\tc\nno tab\n")})
    with pytest.raises(DataError, match=r"deu\.txt of deu-eng\.zip, line 2, has no tab"):
        datasets.fetch_tatoeba()
    monkeypatch.setattr(module, "_LARGEST", 10)
    with pytest.raises(DataError, match="has 13 bytes; at most 10 are read"):
        datasets.fetch_tatoeba()


@pytest.mark.parametrize("fetch", [datasets.fetch_multi30k, datasets.fetch_iwslt15, datasets.fetch_tatoeba])
def test_languages_that_there_are_not(offline, fetch):
    with pytest.raises(UnknownNameError, match="unknown language of .* 'tlh'.*; valid: .*en"):
        fetch("en", "tlh")
    with pytest.raises(UnknownNameError, match="'eng'"):
        fetch("eng")
    with pytest.raises(ConfigError, match="source and target are both 'en': pass two languages"):
        fetch("en", "en")
    with pytest.raises(ConfigError, match="have English on one side"):
        datasets.fetch_tatoeba("fr", "de")


@pytest.mark.parametrize(("fetch", "place", "url"), FETCHES)
def test_without_a_network_one_error_names_the_url_and_the_way_out(offline, fetch, place, url):
    with pytest.raises(DataError) as caught:
        fetch()
    message = str(caught.value)
    assert f"cannot download {url} to {offline}" in message
    ending = "" if place.endswith(".gz") else ", gzipped or not"
    assert message.endswith(f"set LSTMZOO_DATA to a directory that holds {place}{ending}")


# --- the published files


def test_multi30k_is_the_published_one(monkeypatch):
    candidates = [os.environ.get("LSTMZOO_DATA"), Path(__file__).resolve().parents[2] / "shared" / "data"]
    directory = next((Path(c) for c in candidates if c and (Path(c) / "multi30k_en_de").is_dir()), None)
    if directory is None:
        pytest.skip("no data: set LSTMZOO_DATA to a directory with multi30k_en_de/")
    monkeypatch.setenv("LSTMZOO_DATA", str(directory))
    data = datasets.fetch_multi30k()
    assert [len(part.source) for part in parts_of(data)] == [29_000, 1_014, 1_000]
    assert [len(part.target) for part in parts_of(data)] == [29_000, 1_014, 1_000]
    assert data.train.source[0] == "Two young, White males are outside near many bushes."
    assert data.train.target[0] == "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche."
    assert not set(data.test.source) & set(data.train.source)
    packed = (directory / "multi30k_en_de" / "raw" / "train.en.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest() == "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"
