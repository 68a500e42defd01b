"""A user's texts, and sentences with their translations: checked, counted, and readable any number of times."""

import hashlib
import re
import struct
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from lstmzoo.errors import ConfigError, DataError, arg

_BLOCK = 1 << 20  # bytes to read at once
_REACH = 1 << 12  # characters before a cut in which to look for a space
_LENGTH = struct.Struct("<Q")
_EXPECTED = "a string, a list, array or series of strings, or an iterator of them such as an open text file"


@dataclass(frozen=True)
class TextSizes:
    """The size of a corpus.

    Attributes:
        texts: Number of texts.
        words: Number of words, separated by white space.
        chars: Number of code points.
        bytes: Number of bytes in UTF-8.
    """

    texts: int
    words: int
    chars: int
    bytes: int


class Corpus:
    """Texts, in order, that can be iterated over any number of times.

    Texts from an iterator are written to a temporary file, so that they need not fit into memory; the newline at the end of a
    text is dropped. The file is removed with the last corpus that reads it. Empty texts are allowed: WikiText has blank lines.

    Args:
        texts: String (one text); list, tuple, array or Series of strings; or iterator of strings, such as an open file.
        name: Name of the texts, for messages.
        empty: Whether all texts may be empty.

    Attributes:
        remembered: What was learned from these texts, by key; all corpora made from this one share it.

    Raises:
        DataError: If ``texts`` is something else, an element is not a string, or there is no character. The message names the
            position of the element.

    Examples:
        >>> corpus = Corpus(line for line in ["to be\\n", "\\n", "or not\\n"])
        >>> list(corpus), list(corpus.split(0.5)[1])
        (['to be', '', 'or not'], ['', 'or not'])
        >>> corpus.sizes()
        TextSizes(texts=3, words=4, chars=11, bytes=11)
    """

    def __init__(self, texts: Any, name: str = "texts", *, empty: bool = False) -> None:
        self.name = name
        self._texts: tuple[str, ...] | _Spool
        self._count: int
        self._chars: int
        self.remembered: dict[Any, Any] = texts.remembered if isinstance(texts, Corpus) else {}
        if isinstance(texts, Corpus):
            self._texts, self._count, self._chars = texts._texts, texts._count, texts._chars
            return
        self._count = self._chars = 0
        checked = self._counted(_elements(texts, name))
        self._texts = _Spool.written(checked) if isinstance(texts, Iterator) else tuple(checked)
        if not (self._chars or (empty and self._count)):
            raise DataError(f"the corpus is empty: {name} has no character: pass {_EXPECTED}")

    @property
    def spooled(self) -> bool:
        """Whether the texts are in a file."""
        return isinstance(self._texts, _Spool)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return self._count

    def split(self, validation_size: float) -> tuple["Corpus", "Corpus"]:
        """Split the corpus in two: the first characters, and the last ones, which are held out.

        The cut is between the two texts where it is nearest to the requested share, with characters on both sides. A single
        text is cut at the last white space before that position, or, if there is none near it, at that position.

        Args:
            validation_size: Share of the characters to hold out, between 0 and 1.

        Raises:
            ConfigError: If the share is not between 0 and 1.
            DataError: If only one of several texts has characters, or if there is only one character.
        """
        if not isinstance(validation_size, float | np.floating) or not 0 < validation_size < 1:
            raise ConfigError(f"{arg('validation_size')}: expected a share between 0 and 1, got {validation_size!r}")
        cut = self._chars * (1 - float(validation_size))
        if self._count == 1:
            return self._split_within(round(cut))
        number, chars = self._boundary(cut)
        parts = self._texts[:number], self._texts[number:]
        counts = (number, chars), (self._count - number, self._chars - chars)
        first, second = (self._part(part, *count) for part, count in zip(parts, counts, strict=True))
        return first, second

    def digest(self) -> str:
        """Return the SHA-256 of the texts and their ends, in 64 hexadecimal digits."""
        hasher = hashlib.sha256()
        for text in self:
            raw = text.encode("utf-8", "surrogatepass")
            hasher.update(_LENGTH.pack(len(raw)))
            hasher.update(raw)
        return hasher.hexdigest()

    def sizes(self) -> TextSizes:
        """Count texts, words, characters and bytes in one pass."""
        words = size = 0
        for text in self:
            words += len(text.split())
            size += len(text.encode("utf-8", "surrogatepass"))
        return TextSizes(self._count, words, self._chars, size)

    def _counted(self, elements: Iterable[object]) -> Iterator[str]:
        for i, element in enumerate(elements):
            if not isinstance(element, str):
                raise DataError(f"{self.name}[{i}] is {_kind(element)}; each text must be a string")
            self._count += 1
            self._chars += len(element)
            yield str(element)

    def _part(self, texts: "tuple[str, ...] | _Spool", count: int, chars: int) -> "Corpus":
        part = object.__new__(Corpus)
        part.name, part._texts, part._count, part._chars, part.remembered = self.name, texts, count, chars, {}
        return part

    def _boundary(self, cut: float) -> tuple[int, int]:
        """Return the number of texts, and of characters, before the boundary that is nearest to a character."""
        best, before = None, 0
        for number, text in enumerate(self):
            if 0 < before < self._chars and (best is None or abs(before - cut) < abs(best[1] - cut)):
                best = number, before
            if best is not None and before > cut:
                break
            before += len(text)
        if best is None:
            raise DataError(f"{self.name} cannot be split: only one of its {self._count} texts has characters: pass that text "
                            "alone, or texts to validate on")  # fmt: skip
        return best

    def _split_within(self, cut: int) -> tuple["Corpus", "Corpus"]:
        (text,) = self
        if len(text) < 2:
            raise DataError(
                f"{self.name} cannot be split: it has one character: pass more text, or texts to validate on"
            )
        cut = min(max(cut, 1), len(text) - 1)
        spaces = [found.start() for found in re.finditer(r"\s", text[max(cut - _REACH, 1) : cut + 1])]
        if spaces:
            cut = max(cut - _REACH, 1) + spaces[-1]
        return Corpus(text[:cut], self.name), Corpus(text[cut:], self.name)


def check_pairs(
    source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")
) -> tuple[list[str], list[str]]:
    """Return sentences and their translations as two lists of one length. A sentence may be empty.

    Args:
        source: List, tuple, array or series of strings.
        target: List, tuple, array or series of strings; row i translates row i of the source.
        names: Names of both, for messages.

    Raises:
        DataError: If one of them is something else or has no sentences, an element is not a string, or the lengths differ.

    Examples:
        >>> check_pairs(["a dog", "a cat"], ("ein Hund", "eine Katze"))
        (['a dog', 'a cat'], ['ein Hund', 'eine Katze'])
    """
    first, second = check_sentences(source, names[0]), check_sentences(target, names[1])
    if len(first) != len(second):
        count = f"{len(first)} sentence{'s' * (len(first) != 1)}"
        raise DataError(
            f"{names[0]} has {count} and {names[1]} has {len(second)}: line i of one must translate line i of the other"
        )
    return first, second


def check_sentences(sentences: Any, what: str = "sentence") -> list[str]:
    """Return sentences as a list.

    Args:
        sentences: List, tuple, array or series of strings; a string may be empty.
        what: Name of the sentences, for messages.

    Raises:
        DataError: If ``sentences`` is something else or has no element, or an element is not a string. The message names its
            position.
    """
    is_row = isinstance(sentences, np.ndarray) and sentences.ndim == 1
    if not (is_row or isinstance(sentences, list | tuple) or nw.dependencies.is_into_series(sentences)):
        given = "one string: put it in a list" if isinstance(sentences, str) else type(sentences).__name__
        if isinstance(sentences, np.ndarray):
            given = f"an array of {sentences.ndim} dimensions"
        raise DataError(f"{what}: expected a list, tuple, array or series of strings, got {given}")
    if len(sentences) == 0:
        raise DataError(f"{what}: there are no sentences: pass at least one")
    return list(Corpus(sentences, what, empty=True))


class _Spool:
    """Strings in a temporary file, each preceded by its length in bytes; slices share the file."""

    def __init__(self, file: "_TemporaryFile", start: int, stop: int) -> None:
        self._file, self._start, self._stop = file, start, stop

    @classmethod
    def written(cls, texts: Iterable[str]) -> "_Spool":
        """Write texts to a temporary file."""
        file = _TemporaryFile()
        for text in texts:
            file.append(text)
        return cls(file, 0, file.size)

    def __iter__(self) -> Iterator[str]:
        place = self._start
        while place < self._stop:
            block = self._file.read(place, min(_BLOCK, self._stop - place))
            at, end = 0, _LENGTH.size + _LENGTH.unpack_from(block)[0]
            if end > len(block):  # one text is more than a block
                block = self._file.read(place, end)
            while end <= len(block):
                yield block[at + _LENGTH.size : end].decode("utf-8", "surrogatepass")
                at = end
                if at + _LENGTH.size > len(block):
                    break
                end = at + _LENGTH.size + _LENGTH.unpack_from(block, at)[0]
            place += at

    def __getitem__(self, part: slice) -> "_Spool":
        """Return the texts before a number, or from it on."""
        place = self._start
        for number, text in enumerate(self):
            if number == (part.stop if part.start is None else part.start):
                break
            place += _LENGTH.size + len(text.encode("utf-8", "surrogatepass"))
        return _Spool(self._file, *((self._start, place) if part.start is None else (place, self._stop)))


class _TemporaryFile:
    """An unnamed file, which is closed and thereby deleted when no object refers to it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self.size = 0
        weakref.finalize(self, self._file.close)

    def append(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        self.size += self._file.write(_LENGTH.pack(len(raw))) + self._file.write(raw)

    def read(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return self._file.read(size)


def _elements(texts: Any, name: str) -> Iterable[object]:
    """Return an iterable of the texts.

    Raises:
        DataError: If ``texts`` is not a string, a sequence or an iterator.
    """
    if isinstance(texts, str):
        return [texts]
    if nw.dependencies.is_into_series(texts):
        return nw.from_native(texts, series_only=True).to_list()
    if isinstance(texts, np.ndarray) and texts.ndim != 1:
        raise DataError(f"{name} is an array of {texts.ndim} dimensions; expected one: pass {_EXPECTED}")
    if isinstance(texts, Iterator):
        return (_without_newline(line) for line in texts)
    unordered = isinstance(texts, Mapping | Set | bytes | bytearray | memoryview)
    if unordered or nw.dependencies.is_into_dataframe(texts) or not isinstance(texts, Iterable):
        raise DataError(f"{name} is {_kind(texts)}; expected {_EXPECTED}")
    return texts


def _without_newline(line: object) -> object:
    return line.removesuffix("\n").removesuffix("\r") if isinstance(line, str) and line.endswith("\n") else line


def _kind(value: object) -> str:
    """Describe an object that is not a text, for messages."""
    if (
        value is None
        or (isinstance(value, float | np.floating) and np.isnan(value))
        or type(value).__name__ == "NAType"
    ):
        return f"a missing value ({value})"
    if isinstance(value, bytes | bytearray):
        return "bytes: decode them first, or open the file as text"
    return (
        f"{value!r} ({type(value).__name__})" if isinstance(value, int | float) else f"of type {type(value).__name__}"
    )
