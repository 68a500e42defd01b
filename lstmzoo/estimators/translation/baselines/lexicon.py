"""IBM Model 1: word translations learned from pairs of sentences.

Sizes: n pairs of sentences, S source words and T target words of a pair, V known target words.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstmzoo.errors import ConfigError, DataError, arg

_SMOOTHING = 0.1  # share of words that do not come from the source

Sentence = Sequence[str]


class Lexicon:
    """Translation probabilities of words, ``t(target | source)``, by expectation maximization.

    Each target word comes from one source word or from the NULL word, with equal probabilities::

        p(w | s_1 ... s_S) = 1 / (S + 1) sum_i t(w | s_i),    s_0 = NULL

    An iteration splits each target word over the words that it may come from, in proportion to ``t``. The new ``t`` is the sum of
    these shares, normalized for each source word. The first ``t`` is uniform over the target words that occur with a source
    word. The likelihood never decreases, and its only maximum is the global one.

    Args:
        source_words: Source words that occur with a target word, without the NULL word.
        target_words: Known target words.
        counts: ``(V,)`` number of occurrences of each target word.
        keys: ``(G,)`` ascending, one for each pair of words that occur together: the index of the source word, from 1 (NULL is
            0), times V, plus the index of the target word.
        probs: ``(G,)`` ``t`` of each pair.

    References:
        Brown et al., "The Mathematics of Statistical Machine Translation: Parameter Estimation", Computational Linguistics
        19(2), 1993, section 4.

    Examples:
        >>> source = [["das", "Haus"], ["das", "Buch"], ["ein", "Buch"]]
        >>> target = [["the", "house"], ["the", "book"], ["a", "book"]]
        >>> lexicon = Lexicon.fit(source, target, iterations=10)
        >>> lexicon.translate(["ein", "Haus", "in", "Rom"])
        ['a', 'house', 'in', 'Rom']
        >>> {word: round(p, 2) for word, p in lexicon.translations("das").items()}
        {'the': 0.98, 'house': 0.02, 'book': 0.0}
    """

    def __init__(
        self, source_words: list[str], target_words: list[str], counts: np.ndarray, keys: np.ndarray, probs: np.ndarray
    ) -> None:
        self.source_words = source_words
        self.target_words = target_words
        self.counts = counts
        self.keys = keys
        self.probs = probs
        self._source_ids = {word: i for i, word in enumerate(source_words, start=1)}
        self._target_ids = {word: i for i, word in enumerate(target_words)}

    @classmethod
    def fit(cls, source: Sequence[Sentence], target: Sequence[Sentence], iterations: int = 5) -> "Lexicon":
        """Learn from pairs of sentences.

        Learning takes about 50 bytes for each pair of words in a pair of sentences: 300 MB for 29,000 pairs of 13 words.

        Args:
            source: n sentences as lists of words; some may be empty.
            target: Their translations.
            iterations: Number of iterations of expectation maximization.

        Raises:
            ConfigError: If ``iterations`` is less than 1.
            DataError: If the numbers of sources and targets differ, there are no target words, or a sentence is no list of words.
        """
        if iterations < 1:
            raise ConfigError(f"iterations: expected at least 1, got {iterations}")
        _check_pairs(source, target)
        used = [words for words, others in zip(source, target, strict=True) if len(others)]
        source_words, target_words = (sorted({w for words in side for w in words}) for side in (used, target))
        if not target_words:
            raise DataError(f"{arg('target')}: there are no words to learn from: pass sentences with words")
        lexicon = cls(source_words, target_words, np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        links = lexicon._links(source, target)
        lexicon.counts = np.bincount(links.words, minlength=len(target_words))
        lexicon.keys, places = np.unique(links.keys, return_inverse=True)
        sources = lexicon.keys // len(target_words)
        probs = (1 / np.bincount(sources)[sources]).astype(np.float64)
        for _ in range(iterations):
            shares = probs[places]
            shares /= np.repeat(np.add.reduceat(shares, links.starts), links.sizes)
            expected = np.bincount(places, shares, len(lexicon.keys))
            probs = expected / np.bincount(sources, expected)[sources]
        lexicon.probs = probs
        return lexicon

    def translations(self, word: str | None) -> dict[str, float]:
        """Return ``t`` of each target word that occurs with a source word, in descending order; none for an unknown word.

        Args:
            word: A source word, or None for the NULL word.
        """
        low, high = self._range(word)
        order = low + np.argsort(-self.probs[low:high], kind="stable")
        targets = self.keys[order] % len(self.target_words)
        return {self.target_words[t]: float(p) for t, p in zip(targets, self.probs[order], strict=True)}

    def translate(self, words: Sentence) -> list[str]:
        """Return the most probable translation of each word, in the same order; unknown words are copied."""
        _check_words("words", words)
        return [self._best(word) for word in words]

    def log_likelihoods(self, source: Sequence[Sentence], target: Sequence[Sentence]) -> np.ndarray:
        """Return the natural logarithm ``(n,)`` of each target's probability, given its source and its number of words.

        Words are mixed with their frequencies, so that none is impossible::

            0.9 / (S + 1) sum_i t(w | s_i) + 0.1 c(w) / (N + n1)

        S counts the known source words; ``c`` are counts of the N target words learned from, of which ``n1`` (1 at least)
        occurred once. All unknown target words together are one word, with a count of ``n1``, as Good and Turing estimate it:
        so the known words' probabilities and that one's sum to one.

        Raises:
            DataError: If the numbers of sources and targets differ, or a sentence is no list of words.
        """
        _check_pairs(source, target)
        links = self._links(source, target)
        together = np.add.reduceat(self._t(links.keys), links.starts) if len(links.starts) else np.empty(0)
        once = max(1, int((self.counts == 1).sum()))
        frequencies = np.append(self.counts, once) / (self.counts.sum() + once)  # index -1 finds the last one
        probs = (1 - _SMOOTHING) * together / links.sizes + _SMOOTHING * frequencies[links.words]
        return np.bincount(links.pairs, np.log(probs), len(target))

    def align(self, source: Sentence, target: Sentence) -> np.ndarray:
        """Return the probability ``(T, S)`` that a target word comes from each source word.

        What a row lacks of 1 is the NULL word's. Unknown source words have no part in it, and rows of target words that are
        unknown are zero.

        Raises:
            DataError: If a sentence is no list of words.
        """
        _check_pairs([source], [target])
        columns = np.array([0, *(self._source_ids.get(word, -1) for word in source)], np.int64)
        rows = np.array([self._target_ids.get(word, -1) for word in target], np.int64)
        known = (columns >= 0) & (rows[:, None] >= 0)
        shares = np.where(known, self._t(np.where(known, columns * len(self.target_words) + rows[:, None], -1)), 0)
        total = shares.sum(axis=1, keepdims=True)
        return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)[:, 1:]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all attributes as arrays, by name; words as the bytes of JSON."""
        words = {"source_words": self.source_words, "target_words": self.target_words}
        texts = {name: np.frombuffer(json.dumps(side).encode(), np.uint8) for name, side in words.items()}
        return {**texts, "counts": self.counts, "keys": self.keys, "probs": self.probs}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Lexicon":
        """Return the lexicon of :meth:`to_arrays`; its probabilities are bit-identical."""
        source_words, target_words = (json.loads(arrays[name].tobytes()) for name in ("source_words", "target_words"))
        return cls(source_words, target_words, arrays["counts"], arrays["keys"], arrays["probs"])

    def _links(self, source: Sequence[Sentence], target: Sequence[Sentence]) -> "_Links":
        """Return the words that each target word may come from: NULL, and the known words of its source."""
        rows = [[0, *(self._source_ids[w] for w in words if w in self._source_ids)] for words in source]
        sources = np.array([i for row in rows for i in row], np.int64)
        lengths = np.array([len(row) for row in rows], np.int64)
        words = np.array([self._target_ids.get(w, -1) for sentence in target for w in sentence], np.int64)
        pairs = np.repeat(np.arange(len(target)), [len(sentence) for sentence in target])
        sizes = lengths[pairs]
        starts = np.cumsum(sizes) - sizes
        first = (np.cumsum(lengths) - lengths)[pairs]
        places = np.arange(sizes.sum()) + np.repeat(first - starts, sizes)
        keys = sources[places] * len(self.target_words) + np.repeat(words, sizes)
        keys[np.repeat(words < 0, sizes)] = -1
        return _Links(keys, starts, sizes, words, pairs)

    def _t(self, keys: np.ndarray) -> np.ndarray:
        """Return ``t`` of pairs of words; 0 for words that never occurred together."""
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.probs[places], 0.0)

    def _range(self, word: str | None) -> tuple[int, int]:
        """Return where the pairs of a source word begin and end."""
        place = 0 if word is None else self._source_ids.get(word, -1)
        low, high = np.searchsorted(self.keys, np.array([place, place + 1]) * len(self.target_words))
        return int(low), int(high)

    def _best(self, word: str) -> str:
        low, high = self._range(word)
        if low == high:
            return word
        return self.target_words[int(self.keys[low + self.probs[low:high].argmax()]) % len(self.target_words)]


@dataclass(frozen=True)
class _Links:
    """L links of W target words to the words that they may come from, in the order of the target words.

    Attributes:
        keys: ``(L,)`` keys as in :class:`Lexicon`; -1 if the target word is unknown.
        starts: ``(W,)`` index of the first link of each target word.
        sizes: ``(W,)`` number of links of each target word.
        words: ``(W,)`` ids of the target words; -1 for an unknown one.
        pairs: ``(W,)`` index of the pair of sentences that each target word is in.
    """

    keys: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    words: np.ndarray
    pairs: np.ndarray


def _check_pairs(source: Sequence[Sentence], target: Sequence[Sentence]) -> None:
    if len(source) != len(target):
        raise DataError(f"there are {len(source)} sources, but {len(target)} targets: pass pairs")
    for name, side in (("source", source), ("target", target)):
        for i, words in enumerate(side):
            _check_words(f"{name}[{i}]", words)


def _check_words(name: str, words: Sentence) -> None:
    if isinstance(words, str):
        raise DataError(f"{name} is a string: split it into words, a list of strings")
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise DataError(f"{name}[{i}] is {word!r}: each word must be a string")
