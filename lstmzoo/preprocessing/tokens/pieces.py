"""Learned pieces of words over bytes; they encode any string without loss."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, ClassVar

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from lstmzoo.environ import environment
from lstmzoo.errors import SavedModelError
from lstmzoo.preprocessing.tokens._base import Bytes
from lstmzoo.preprocessing.tokens.lattice import fit_unigram

_CHUNK = re.compile(r"\s{0,63}\S{1,64}|\s{1,64}")  # white space and the word after it; encoded separately, and cached
_OVERLONG = re.compile(r"(\S{64}|\s{64})|[\ud800-\udfff]+")  # where training splits texts; lone surrogates are left out
_SURROGATE = re.compile(r"([\ud800-\udfff])")
_BATCH = 1000  # texts
_CACHED = 1 << 17  # chunks
_BLOCK = 1 << 20  # characters to cut into chunks at a time
_LONGEST = 16  # bytes in a piece of a unigram model
_UNIGRAM_BYTES = 1 << 19  # in the distinct words that a unigram model is fitted to, the most frequent ones
_SEEDS = 4  # initial pieces of a unigram model for each piece that it keeps
_VARIANTS = 4  # of a chunk, with dropout
_DRAWN = 1 << 14  # random numbers at a time
_NO_PIECE = 1 << 30  # the rank of a pair that is not a piece

_WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_OTHERS = sorted(set(range(256)) - set(_PRINTABLE))
_BYTES = {chr(b): b for b in _PRINTABLE} | {chr(256 + i): b for i, b in enumerate(_OTHERS)}  # the library's letters


class Pieces(Bytes):
    """Pieces of words, of one byte and of several, by the ``tokenizers`` library: its ids, plus one.

    A text is encoded in chunks: a word and the white space before it, at most 64 characters of each. So the time for a text is
    proportional to its length even if it has no spaces.

    Args:
        library: JSON of the library.

    Raises:
        SavedModelError: If that is not a tokenizer of this kind with a piece for each byte.
    """

    kind: ClassVar[type]

    def __init__(self, library: str) -> None:
        try:
            read = Tokenizer.from_str(library)
        except Exception as error:  # the library's own
            raise SavedModelError(f"the tokenizer's library cannot be read: {error}") from None
        vocabulary = read.get_vocab()
        pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        good = isinstance(read.model, self.kind) and not read.get_added_tokens_decoder()
        good &= [vocabulary[p] for p in pieces] == list(range(len(pieces)))
        if not good or not vocabulary.keys() >= _BYTES.keys() or not all(set(p) <= _BYTES.keys() for p in pieces):
            raise SavedModelError(f"the tokenizer's library is not of {self.kind.__name__} pieces over all bytes")
        self._json, self._library = library, _library(read.model)
        self.raw = [b"", *(bytes(_BYTES[letter] for letter in piece) for piece in pieces)]
        self._bytes = [vocabulary[letter] + 1 for letter in sorted(_BYTES, key=_BYTES.__getitem__)]
        self._chunks: dict[str, list[int]] = {}

    @classmethod
    def loaded(cls, document: dict[str, Any]) -> "Pieces":
        """Return the pieces that :meth:`saved` described.

        Raises:
            SavedModelError: If the document does not hold such a tokenizer.
        """
        if not isinstance(document.get("library"), str):
            raise SavedModelError("the tokenizer has no library")
        return cls(document["library"])

    def saved(self) -> dict[str, Any]:
        """Return the pieces as JSON."""
        return {"library": self._json}

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, ``(T,)`` int32, one for each piece."""
        if len(self._chunks) > _CACHED:
            self._chunks.clear()
        known, blocks = self._chunks, []
        for chunks in _chunked(text):
            ids: list[int] = []
            for chunk in chunks:
                found = known.get(chunk)
                if found is None:
                    found = known[chunk] = self._encoded(chunk)
                ids += found
            blocks.append(np.array(ids, np.int32))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _encoded(self, chunk: str) -> list[int]:
        """Encode a chunk. The library refuses lone surrogates, so they are spelled in bytes."""
        ids: list[int] = []
        for part in _SURROGATE.split(chunk):
            if _SURROGATE.match(part):
                ids += [self._bytes[b] for b in part.encode("utf-8", "surrogatepass")]
            elif part:
                ids += [i + 1 for i in self._library.encode(part).ids]
        return ids


class Bpe(Pieces):
    """Byte-pair encoding: the most frequent pair of adjacent pieces becomes a piece, again and again.

    References:
        Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.
        Provilkov et al., "BPE-Dropout: Simple and Effective Subword Regularization", ACL 2020.
    """

    kind = models.BPE

    @classmethod
    def learned(cls, texts: Iterable[str], most: int | None) -> "Bpe":
        """Learn at most so many ids in one pass over the texts."""
        return cls(_merged(texts, (most or 0) - 1).to_str())

    def encode_dropped(self, texts: Iterable[str], rate: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the ids of each text, ``(T,)`` int32, with BPE-dropout.

        Each possible merge of a word's pieces is left out with a probability, the first remaining one is made, and so on until
        none remains. At most four ways to cut a chunk are drawn, when they are first needed; each occurrence has one of them.
        So one call for many texts is much faster than one call for each.

        Args:
            texts: All texts to encode, such as those of an epoch.
            rate: Probability of leaving out a merge; 0 is the same as :meth:`encode`.
            rng: Generator of random numbers.
        """
        numbers = _uniform(rng)
        drawn: dict[str, list[list[int] | None]] = {}
        rows = []
        for text in texts:
            ids: list[int] = []
            for chunk in chain.from_iterable(_chunked(text)):
                variants = drawn.setdefault(chunk, [None] * _VARIANTS)
                number = int(_VARIANTS * next(numbers))
                found = variants[number]
                if found is None:
                    found = variants[number] = self._dropped(chunk, rate, numbers)
                ids += found
            rows.append(np.array(ids, np.int32))
        return rows

    @cached_property
    def _merges(self) -> tuple[dict[tuple[int, int], int], list[int]]:
        """The rank of each pair of pieces that forms a piece, and the piece of each rank."""
        model = json.loads(self._library.to_str())["model"]
        ids = {piece: number + 1 for piece, number in model["vocab"].items()}
        pairs = {(ids[first], ids[last]): rank for rank, (first, last) in enumerate(model["merges"])}
        return pairs, [ids[first + last] for first, last in model["merges"]]

    def _dropped(self, chunk: str, rate: float, numbers: Iterator[float]) -> list[int]:
        ids: list[int] = []
        for part in _SURROGATE.split(chunk):
            if _SURROGATE.match(part):
                ids += self._encoded(part)
            else:
                for word, _ in _WORDS.pre_tokenize_str(part):
                    ids += self._joined([self._bytes[_BYTES[letter]] for letter in word], rate, numbers)
        return ids

    def _joined(self, ids: list[int], rate: float, numbers: Iterator[float]) -> list[int]:
        """Merge a word's bytes into pieces. No number is drawn for a merge that could not be the first one."""
        pairs, pieces = self._merges
        ranks = [pairs.get(pair, _NO_PIECE) for pair in pairwise(ids)]
        while True:
            best, place = _NO_PIECE, -1
            for i, rank in enumerate(ranks):
                if rank < best and next(numbers) >= rate:
                    best, place = rank, i
            if place < 0:
                return ids
            ids[place : place + 2] = [pieces[best]]
            del ranks[place]
            for i in range(max(place - 1, 0), min(place + 1, len(ranks))):
                ranks[i] = pairs.get((ids[i], ids[i + 1]), _NO_PIECE)


class Unigram(Pieces):
    """A unigram language model of pieces: a word is cut in the most probable way.

    Training starts with four times as many pieces, from byte-pair encoding. It fits their probabilities by expectation
    maximization and drops the pieces whose absence costs the least likelihood, until the size is reached.

    References:
        Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword Candidates", ACL 2018.
    """

    kind = models.Unigram

    @classmethod
    def learned(cls, texts: Iterable[str], most: int | None) -> "Unigram":
        """Learn at most so many ids in one pass over the texts."""
        size, chunks = (most or 0) - 1, Counter[str]()
        seeds = _merged(_counting(texts, chunks), _SEEDS * size).get_vocab()
        pieces = [*sorted(_BYTES), *sorted(piece for piece in seeds if 1 < len(piece) <= _LONGEST)]
        scores = fit_unigram(*_frequent(chunks), pieces, size)
        kept = [
            (piece, round(score, 6)) for piece, score in zip(pieces, scores.tolist(), strict=True) if score > -np.inf
        ]
        kept.sort(key=lambda entry: (-entry[1], entry[0]))
        return cls(_library(models.Unigram(kept)).to_str())


def _chunked(text: str) -> Iterator[list[str]]:
    """Yield the chunks of a text, block by block; at least one list."""
    place = 0
    while place + _BLOCK < len(text):
        chunks = _CHUNK.findall(text, place, place + _BLOCK)[:-1]  # the last one may continue in the next block
        place += sum(map(len, chunks))
        yield chunks
    yield _CHUNK.findall(text, place)


def _uniform(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(_DRAWN).tolist()


def _library(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = _WORDS
    return tokenizer


def _merged(texts: Iterable[str], size: int) -> Tokenizer:
    """Train byte-pair encoding with at most so many pieces."""
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=sorted(_BYTES))
    tokenizer = _library(models.BPE())
    with environment(
        TOKENIZERS_PARALLELISM="false"
    ):  # otherwise the library warns of each later fork, and may hang in it
        tokenizer.train_from_iterator(_batches(texts), trainer)
    return tokenizer


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for number, text in enumerate(texts, 1):
        batch += filter(None, _OVERLONG.split(text))
        if number % _BATCH == 0:
            yield batch
            batch = []
    yield batch


def _counting(texts: Iterable[str], chunks: Counter[str]) -> Iterator[str]:
    for text in texts:
        for some in _chunked(_SURROGATE.sub("", text)):
            chunks.update(some)
        yield text


def _frequent(chunks: Counter[str]) -> tuple[list[str], np.ndarray]:
    """Return the most frequent words in the library's letters and their counts, by descending count."""
    words = Counter[str]()
    for chunk, count in chunks.items():
        for word, _ in _WORDS.pre_tokenize_str(chunk):
            words[word] += count
    ordered = sorted(words.items(), key=lambda entry: (-entry[1], entry[0]))
    room = np.cumsum([len(word) for word, _ in ordered]) <= _UNIGRAM_BYTES
    kept = ordered[: int(room.sum())]
    return [word for word, _ in kept], np.array([count for _, count in kept], float)
