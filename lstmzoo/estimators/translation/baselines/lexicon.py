"""IBM model 1: which word of one language translates which of another, learned from pairs of sentences.

Sizes: n pairs of sentences; of a pair, S source and T target words; V known target words.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstmzoo.errors import ConfigError, DataError

_SMOOTHING = 0.1  # the share of words that do not come from the source

Sentence = Sequence[str]


class Lexicon:
    """Translation probabilities of words, ``t(target | source)``, by expectation maximization.

    Each target word comes from one source word, or from none, the NULL word, all equally likely::

        p(w | s_1 ... s_S) = 1 / (S + 1) sum_i t(w | s_i),    s_0 = NULL

    An iteration counts each target word in shares, one for each word that it may come from, in proportion to ``t``; the sums of
    the shares, divided by those of a source word, are the next ``t``. At first it is uniform over the target words that occur
    with a source word. The likelihood never falls, and has no maxima but the highest.

    Args:
        source_words: Those that occur with a target word; the NULL word is not among them.
        target_words: Known ones.
        counts: ``(V,)`` how often each target word occurs.
        keys: ``(G,)`` ascending: of each pair of words that occur together, the source word's place, counted from 1 (NULL is
            0), times V, plus the target word's.
        probs: ``(G,)`` their ``t``.

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

        Each pair of words of a pair of sentences takes some 50 bytes for that time: 300 MB for 29,000 pairs of 13 words.

        Args:
            source: n sentences, of words; some may be empty.
            target: Their translations.
            iterations: Of expectation maximization.

        Raises:
            ConfigError: If ``iterations`` is less than 1.
            DataError: If there are not as many sources as targets, no target words, or what is not a sentence of words.
        """
        if iterations < 1:
            raise ConfigError(f"iterations must be 1 or more, not {iterations}")
        _check_pairs(source, target)
        used = [words for words, others in zip(source, target, strict=True) if len(others)]
        source_words, target_words = (sorted({w for words in side for w in words}) for side in (used, target))
        if not target_words:
            raise DataError("target has no words: there is nothing to learn from")
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
        """``t`` of each target word that occurs with a source word, the likeliest first; empty for an unknown word.

        Args:
            word: A source word, or None for the NULL word.
        """
        low, high = self._range(word)
        order = low + np.argsort(-self.probs[low:high], kind="stable")
        targets = self.keys[order] % len(self.target_words)
        return {self.target_words[t]: float(p) for t, p in zip(targets, self.probs[order], strict=True)}

    def translate(self, words: Sentence) -> list[str]:
        """Each word's likeliest translation, in the order of the words; words that are unknown are copied as they are."""
        _check_words("words", words)
        return [self._best(word) for word in words]

    def log_likelihoods(self, source: Sequence[Sentence], target: Sequence[Sentence]) -> np.ndarray:
        """``(n,)`` the logarithm (natural) of each target's probability given its source, and its number of words.

        Words are mixed with their frequencies, so that none is impossible::

            0.9 / (S + 1) sum_i t(w | s_i) + 0.1 c(w) / (N + n1)

        S counts the known source words; ``c`` are counts of the N target words learned from, of which ``n1`` (1 at least)
        occurred once. All unknown target words together are one word, with a count of ``n1``, as Good and Turing estimate it:
        so the known words' probabilities and that one's sum to one.

        Raises:
            DataError: If there are not as many sources as targets, or what is not a sentence of words.
        """
        _check_pairs(source, target)
        links = self._links(source, target)
        together = np.add.reduceat(self._t(links.keys), links.starts) if len(links.starts) else np.empty(0)
        once = max(1, int((self.counts == 1).sum()))
        frequencies = np.append(self.counts, once) / (self.counts.sum() + once)  # the last is found by the place -1
        probs = (1 - _SMOOTHING) * together / links.sizes + _SMOOTHING * frequencies[links.words]
        return np.bincount(links.pairs, np.log(probs), len(target))

    def align(self, source: Sentence, target: Sentence) -> np.ndarray:
        """``(T, S)`` the probability that a target word comes from each source word.

        What a row lacks of 1 is the NULL word's. Unknown source words have no part in it, and rows of target words that are
        unknown are zero.

        Raises:
            DataError: If one is not a sentence of words.
        """
        _check_pairs([source], [target])
        columns = np.array([0, *(self._source_ids.get(word, -1) for word in source)], np.int64)
        rows = np.array([self._target_ids.get(word, -1) for word in target], np.int64)
        known = (columns >= 0) & (rows[:, None] >= 0)
        shares = np.where(known, self._t(np.where(known, columns * len(self.target_words) + rows[:, None], -1)), 0)
        total = shares.sum(axis=1, keepdims=True)
        return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)[:, 1:]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that was learned, as arrays, by name; words as the bytes of JSON."""
        words = {"source_words": self.source_words, "target_words": self.target_words}
        texts = {name: np.frombuffer(json.dumps(side).encode(), np.uint8) for name, side in words.items()}
        return {**texts, "counts": self.counts, "keys": self.keys, "probs": self.probs}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Lexicon":
        """The lexicon of :meth:`to_arrays`, equal in every bit of what it says."""
        source_words, target_words = (json.loads(arrays[name].tobytes()) for name in ("source_words", "target_words"))
        return cls(source_words, target_words, arrays["counts"], arrays["keys"], arrays["probs"])

    def _links(self, source: Sequence[Sentence], target: Sequence[Sentence]) -> "_Links":
        """What each target word may come from: NULL, and the known words of its source."""
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
        """``t`` of pairs of words; 0 of those that never occurred together."""
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.probs[places], 0.0)

    def _range(self, word: str | None) -> tuple[int, int]:
        """Where a source word's pairs begin and end."""
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
    """Pairs of a target word and what it may come from, L; they follow each other by target words, W.

    Attributes:
        keys: ``(L,)`` as a lexicon's; -1 where the target word is unknown.
        starts: ``(W,)`` where a target word's links begin.
        sizes: ``(W,)`` how many it has.
        words: ``(W,)`` target words; -1 for an unknown one.
        pairs: ``(W,)`` the number of their sentences.
    """

    keys: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    words: np.ndarray
    pairs: np.ndarray


def _check_pairs(source: Sequence[Sentence], target: Sequence[Sentence]) -> None:
    if len(source) != len(target):
        raise DataError(f"there are {len(source)} sources, but {len(target)} targets: give pairs")
    for name, side in (("source", source), ("target", target)):
        for i, words in enumerate(side):
            _check_words(f"{name}[{i}]", words)


def _check_words(name: str, words: Sentence) -> None:
    if isinstance(words, str):
        raise DataError(f"{name} is a string: split it into words, a list of strings")
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise DataError(f"{name}[{i}] is {word!r}: each word must be a string")
