"""Sentences and their translations."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lstmzoo.datasets._base import Origin, on_github, read_origin
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.text_files import decoded_lines, file_lines, gunzip


class Pairs(NamedTuple):
    """Sentences and their translations: ``target[i]`` is the translation of ``source[i]``.

    Attributes:
        source: Sentences of the source language.
        target: Their translations, in the same order.
    """

    source: list[str]
    target: list[str]


@dataclass(frozen=True, eq=False)
class PairData:
    """Sentence pairs, split into the parts on which results are published.

    Attributes:
        name: ``"multi30k"``, ...
        source_language: ``"en"``, ...
        target_language: ``"de"``, ...
        train: Training set.
        valid: Validation set.
        test: Test set.
    """

    name: str
    source_language: str
    target_language: str
    train: Pairs = field(repr=False)
    valid: Pairs = field(repr=False)
    test: Pairs = field(repr=False)


# SHA-256 of the gzipped files.
_MULTI30K = {
    "train": {
        "en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        "de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    },
    "val": {
        "en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        "de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    },
    "test_2016_flickr": {
        "en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        "de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    },
}
_IWSLT15 = ("train", "tst2012", "tst2013")
_TATOEBA = {
    "ar": "ara",
    "cs": "ces",
    "da": "dan",
    "de": "deu",
    "es": "spa",
    "fi": "fin",
    "fr": "fra",
    "he": "heb",
    "hu": "hun",
    "it": "ita",
    "ja": "jpn",
    "nl": "nld",
    "pl": "pol",
    "pt": "por",
    "ru": "rus",
    "sv": "swe",
    "tr": "tur",
    "uk": "ukr",
    "zh": "cmn",
}
_LARGEST = 1 << 29  # bytes of an unzipped file; ten times the largest file of Tatoeba


def fetch_multi30k(source: str = "en", target: str = "de") -> PairData:
    """Load Multi30k: captions of photographs, one sentence each, and their professional translations; English and German.

    Sentences are as written: not lower-cased, and not split into tokens.

    | | pairs | English words | German words |
    | --- | ---: | ---: | ---: |
    | train | 29,000 | 377,534 | 360,706 |
    | valid | 1,014 | 13,308 | 12,828 |
    | test | 1,000 | 12,968 | 12,103 |

    The test set is that of 2016 (Flickr). Words are counted by the origin, in its tokenized form. The metric is BLEU. Papers
    often score lower-cased and tokenized sentences: compare only scores with the same signature.

    Looked for in ``multi30k_en_de/raw/`` of ``LSTMZOO_DATA``, as ``train.en.gz``, ``val.en.gz``,
    ``test_2016_flickr.en.gz`` and so on; then in the cache; then at the origin, ``multi30k/dataset`` on GitHub (1.3 MB),
    pinned by commit and SHA-256.

    Licence: none is stated; the origin offers the data for research and education, not for commercial use.

    Args:
        source: ``"en"`` or ``"de"``.
        target: The other one.

    Raises:
        UnknownNameError: If a language is neither of these.
        ConfigError: If both are the same.
        DataError: If a download fails, or a file is not the pinned one.

    References:
        Elliott et al., "Multi30K: Multilingual English-German Image Descriptions", Workshop on Vision and Language 2016.
    """
    _check_languages("Multi30k", (source, target), ("en", "de"))
    train, valid, test = (Pairs(_caption(part, source), _caption(part, target)) for part in _MULTI30K)
    return PairData("multi30k", source, target, train, valid, test)


def _caption(part: str, language: str) -> list[str]:
    revision = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
    path = f"data/task1/raw/{part}.{language}.gz"
    origin = on_github("multi30k/dataset", revision, path, _MULTI30K[part][language], "multi30k_en_de/raw")
    return _lines(gunzip(read_origin(origin), origin.url), origin.name)


def fetch_iwslt15(source: str = "en", target: str = "vi") -> PairData:
    """Load IWSLT 2015, English and Vietnamese: subtitles of TED talks, as Stanford prepared them.

    Tokens are separated by spaces, marks are escaped as in ``&apos;``, and upper case is kept.

    | | file | pairs |
    | --- | --- | ---: |
    | train | train | 133,317 |
    | valid | tst2012 | 1,553 |
    | test | tst2013 | 1,268 |

    The metric is BLEU of these tokens (``tokenize="none"`` of sacreBLEU).

    Looked for in ``iwslt15_en_vi/`` of ``LSTMZOO_DATA``, as ``train.en``, ``train.vi`` and so on, gzipped or not; then in
    the cache; then at https://nlp.stanford.edu/projects/nmt/ (32 MB). Nothing pins these files: the SHA-256 of the first
    download is recorded in the cache and holds from then on. Files from ``LSTMZOO_DATA`` are not checked.

    Licence: Creative Commons Attribution-NonCommercial-NoDerivatives, as TED talks.

    Args:
        source: ``"en"`` or ``"vi"``.
        target: The other one.

    Raises:
        UnknownNameError: If a language is neither of these.
        ConfigError: If both are the same.
        DataError: If a download fails or differs from the first one, or the numbers of lines differ.

    References:
        Cettolo et al., "The IWSLT 2015 Evaluation Campaign", IWSLT 2015.
        Luong & Manning, "Stanford Neural Machine Translation Systems for Spoken Language Domains", IWSLT 2015.
    """
    _check_languages("IWSLT15", (source, target), ("en", "vi"))
    train, valid, test = (_subtitles(part, source, target) for part in _IWSLT15)
    return PairData("iwslt15", source, target, train, valid, test)


def _subtitles(part: str, source: str, target: str) -> Pairs:
    url = "https://nlp.stanford.edu/projects/nmt/data/iwslt15.en-vi"
    origins = [Origin(f"{url}/{part}.{language}", None, ("iwslt15_en_vi",)) for language in (source, target)]
    sides = [_lines(read_origin(origin), origin.name) for origin in origins]
    return _aligned(sides, [origin.name for origin in origins])


def fetch_tatoeba(source: str = "en", target: str = "de") -> PairData:
    """Load Tatoeba: short everyday sentences and their translations by volunteers, English and another language.

    The selection is that of https://www.manythings.org/anki/: up to several 100,000 pairs for a language, short ones first. If
    an English sentence has several translations, each is a pair.

    The split is this package's own: 96, 2 and 2 percent, by the SHA-256 of the English sentence. All pairs of an English
    sentence are in the same part, which does not change when the selection grows. A sentence of the other language may be in
    two parts, if it translates two English ones. Compare results on the same file only.

    Looked for in ``tatoeba/`` of ``LSTMZOO_DATA``, as ``deu-eng.zip`` and so on; then in the cache; then at the site (up to
    20 MB). The site renews its files: the SHA-256 of the first download is recorded in the cache and holds from then on. A
    file from ``LSTMZOO_DATA`` is not checked. If the site refuses the download, save the file there with a browser.

    Licence: Creative Commons Attribution 2.0 France; the files name the authors of each pair.

    Args:
        source: ``"en"``, or one of ``"ar"``, ``"cs"``, ``"da"``, ``"de"``, ``"es"``, ``"fi"``, ``"fr"``, ``"he"``, ``"hu"``,
            ``"it"``, ``"ja"``, ``"nl"``, ``"pl"``, ``"pt"``, ``"ru"``, ``"sv"``, ``"tr"``, ``"uk"`` and ``"zh"`` (Mandarin).
        target: As ``source``; exactly one of both is ``"en"``.

    Raises:
        UnknownNameError: If there is no such language.
        ConfigError: If not exactly one of both is English.
        DataError: If the download fails, or the file is not an archive of Tatoeba pairs.

    Examples:
        >>> fetch_tatoeba("en", "dk")
        Traceback (most recent call last):
        lstmzoo.errors.UnknownNameError: unknown language of Tatoeba 'dk'; valid: ar, cs, da, ...
    """
    _check_languages("Tatoeba", (source, target), ("en", *_TATOEBA))
    if "en" not in (source, target):
        raise ConfigError(
            f"source={source!r}, target={target!r}: Tatoeba's pairs have English on one side: pass 'en' as one of them"
        )
    code = _TATOEBA[target if source == "en" else source]
    origin = Origin(f"https://www.manythings.org/anki/{code}-eng.zip", None, ("tatoeba",))
    name = f"{code}.txt of {origin.name}"
    english, other = _columns(_lines(_unzipped(origin, f"{code}.txt"), name), name)
    sides = (english, other) if source == "en" else (other, english)
    parts = {part: Pairs([], []) for part in ("train", "valid", "test")}
    for sentence, *pair in zip(english, *sides, strict=True):
        part = parts[_part(sentence)]
        part.source.append(pair[0])
        part.target.append(pair[1])
    return PairData("tatoeba", source, target, **parts)


def _part(sentence: str) -> str:
    share = int.from_bytes(hashlib.sha256(sentence.encode("utf-8")).digest()[:8], "big") % 100
    return "test" if share < 2 else "valid" if share < 4 else "train"


def _unzipped(origin: Origin, member: str) -> bytes:
    """Return one file of an archive; no more than the size in its header is read."""
    content = read_origin(origin)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = archive.getinfo(member).file_size
            if size > _LARGEST:
                raise DataError(f"{member} of {origin.url} has {size:,} bytes; at most {_LARGEST:,} are read")
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{member} of {origin.url} cannot be read ({error}); {_advice(origin)}") from None


def _advice(origin: Origin) -> str:
    import pooch

    cache = Path(pooch.os_cache("lstmzoo")) / origin.folders[0]
    return f"replace {origin.name} in LSTMZOO_DATA, or, if it was downloaded, delete the files in {cache}"


def read_pairs(path: str | Path, target_path: str | Path | None = None) -> Pairs:
    """Read sentence pairs from one file with tabs, or from two aligned files.

    Files are UTF-8, with or without a byte-order mark, and gzipped if their names end in ``.gz``. Lines end in a newline, or in
    a carriage return and a newline. Empty lines are kept: in a file of pairs, they are pairs of empty sentences.

    Args:
        path: File with a pair on each line, ``source<tab>target``; anything after another tab is ignored. With
            ``target_path``, a file with a source sentence on each line.
        target_path: File with a target sentence on each line.

    Raises:
        DataError: If a file cannot be read or is not UTF-8, a line has no tab, or the numbers of lines differ.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pairs.tsv")
        ...     _ = path.write_text("Good morning!\\tGuten Morgen!\\nThanks.\\tDanke.\\n", encoding="utf-8")
        ...     read_pairs(path)
        Pairs(source=['Good morning!', 'Thanks.'], target=['Guten Morgen!', 'Danke.'])
    """
    if target_path is None:
        return _columns(_file_lines(str(path)), str(path))
    paths = [str(path), str(target_path)]
    return _aligned([_file_lines(name) for name in paths], paths)


def _file_lines(path: str) -> list[str]:
    try:
        return [line.removesuffix("\n") for line in file_lines(Path(path))]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _lines(content: bytes, name: str) -> list[str]:
    return [line.removesuffix("\n") for line in decoded_lines(io.BytesIO(content), name)]


def _columns(lines: Sequence[str], name: str) -> Pairs:
    pairs = Pairs([], [])
    for number, line in enumerate(lines, 1):
        if line and "\t" not in line:
            raise DataError(
                f"{name}, line {number}, has no tab: write a sentence, a tab and its translation on each line"
            )
        source, target, *_ = [*line.split("\t"), ""]
        pairs.source.append(source)
        pairs.target.append(target)
    return pairs


def _aligned(sides: Sequence[list[str]], names: Sequence[str]) -> Pairs:
    counts = [len(side) for side in sides]
    if counts[0] != counts[1]:
        raise DataError(
            f"{names[0]} has {counts[0]} lines and {names[1]} has {counts[1]}: line i of one must translate line i "
            "of the other"
        )
    return Pairs(*sides)


def _check_languages(name: str, languages: Sequence[str], valid: Sequence[str]) -> None:
    for language in languages:
        if language not in valid:
            raise UnknownNameError(f"language of {name}", language, valid)
    if languages[0] == languages[1]:
        raise ConfigError(f"source and target are both {languages[0]!r}: pass two languages")
