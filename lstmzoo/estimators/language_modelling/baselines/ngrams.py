"""Kneser-Ney n-gram models of a stream of token ids.

Sizes: N tokens, V vocabulary, n order, G_k distinct k-grams.
"""

from collections.abc import Iterator

import numpy as np

from lstmzoo.errors import ConfigError, DataError

_EOS = 0
_LONE_DISCOUNT = 0.5  # used if no count is 1, or none is 2, so that no discount can be estimated


class KneserNey:
    """Interpolated modified Kneser-Ney: each order is discounted, and the freed mass goes to the order below.

    With ``c`` the counts of an order, ``h`` a context of that order, and ``h'`` that context without its first token::

        p(w | h) = (c(h w) - D(c(h w))) / sum_v c(h v) + gamma(h) p(w | h')
        gamma(h) = (D1 N1(h) + D2 N2(h) + D3 N3(h)) / sum_v c(h v)

    ``N1``, ``N2`` and ``N3`` are the numbers of words that follow ``h`` once, twice, and at least three times. The order below
    the first is uniform, ``1 / V``, so that every id has a probability. After a context that was never seen, the order below
    is used alone.

    *Counts.* The highest order counts the occurrences of an n-gram. The lower orders count the distinct tokens that precede it;
    the beginning of the stream counts as one. Order 1 alone gives discounted frequencies.

    *Discounts* of each order come from its counts of counts, ``n1`` to ``n4``::

        Y = n1 / (n1 + 2 n2)    D1 = 1 - 2 Y n2 / n1    D2 = 2 - 3 Y n3 / n2    D3 = 3 - 4 Y n4 / n3

    If one of ``n1`` to ``n4`` is zero, or a discount is not above zero, all three are ``Y``, as in plain Kneser-Ney. If ``n1``
    or ``n2`` is zero, they are 0.5. This happens at low orders of characters and bytes, none of which is rare.

    *Contexts* reach across the ends of texts, with eos as a token, like the carried state of a network. The context of the
    first token is eos.

    Args:
        keys: Array ``(G_k,)`` for each order k from 1 to n, ascending. A key is the index of the k-gram's first k - 1 tokens
            among the keys of the order below, times V, plus its last token. The keys of order 1 are all V ids.
        counts: Array ``(G_k,)`` for each order.

    References:
        Kneser & Ney, "Improved backing-off for M-gram language modeling", ICASSP 1995.
        Chen & Goodman, "An empirical study of smoothing techniques for language modeling", Harvard TR-10-98, 1998, and
        Computer Speech & Language 13(4), 1999.

    Examples:
        >>> model = KneserNey.fit(np.array([1, 2, 1, 2, 1]), vocab_size=3, order=2)
        >>> model.next_probs(np.array([2, 1])).round(4)
        array([0.0074, 0.063 , 0.9296])
        >>> np.exp(model.log_probs(np.array([1, 2, 0]))).round(4)
        array([0.9259, 0.9296, 0.0074])
    """

    def __init__(self, keys: list[np.ndarray], counts: list[np.ndarray]) -> None:
        self.keys = keys
        self.counts = counts
        self._shares, self._gammas = [], []
        contexts = 1
        for key, count in zip(keys, counts, strict=True):
            shares, gammas = _discounted(key // self.vocab_size, count, contexts)
            self._shares.append(shares)
            self._gammas.append(gammas)
            contexts = len(key)

    @property
    def vocab_size(self) -> int:
        """The size of the vocabulary, V."""
        return len(self.keys[0])

    @property
    def order(self) -> int:
        """The order n; a context has n - 1 tokens."""
        return len(self.keys)

    @classmethod
    def fit(cls, stream: np.ndarray, vocab_size: int, order: int) -> "KneserNey":
        """Count the n-grams of a stream.

        Args:
            stream: ``(N,)`` token ids, without the eos before the first.
            vocab_size: V, the size of the vocabulary.
            order: n, the length of the longest n-grams.

        Raises:
            ConfigError: If the order or the size of the vocabulary is less than 1.
            DataError: If the stream is empty, or has an invalid id.
        """
        for name, value in (("order", order), ("vocab_size", vocab_size)):
            if value < 1:
                raise ConfigError(f"{name}: expected at least 1, got {value}")
        tokens = _after_eos(stream, vocab_size)
        if len(tokens) == 1:
            raise DataError("the stream is empty: there is nothing to count")
        keys, counts = [np.arange(vocab_size)], [np.bincount(tokens[1:], minlength=vocab_size)]
        grams = tokens  # index of the (k - 1)-gram that begins at each place
        for k in range(2, order + 1):
            longer = grams[:-1] * vocab_size + tokens[k - 1 :]
            key, first, places, count = np.unique(longer, return_index=True, return_inverse=True, return_counts=True)
            counts[-1] = np.bincount(grams[1:][first], minlength=len(keys[-1]))
            if k > 2:  # the eos before the stream is only a context
                counts[-1][grams[:1]] += 1
            keys.append(key)
            counts.append(count)
            grams = places
        return cls(keys, counts)

    def log_probs(self, stream: np.ndarray) -> np.ndarray:
        """Return the natural logarithm ``(N,)`` of each token's probability, given the tokens before it.

        Args:
            stream: ``(N,)`` token ids, without the eos before the first.

        Raises:
            DataError: If the stream has an invalid id.
        """
        tokens = _after_eos(stream, self.vocab_size)
        probs = np.full(len(tokens), 1 / self.vocab_size)
        for (contexts, grams), shares, gammas in zip(self._walk(tokens), self._shares, self._gammas, strict=True):
            known = contexts >= 0
            probs[known] *= gammas[contexts[known]]
            known = grams >= 0
            probs[known] += shares[grams[known]]
        return np.log(probs[1:])

    def next_probs(self, context: np.ndarray) -> np.ndarray:
        """Return the probability ``(V,)`` of each id after a context.

        Args:
            context: ``(T,)`` the stream so far, without the eos before the first token. Only the last n - 1 tokens are used.

        Raises:
            DataError: If the context has an invalid id.
        """
        size = self.vocab_size
        tokens = _after_eos(context, size)[-max(self.order - 1, 1) :]
        contexts = [0, *(int(grams[-1]) for _, grams in self._walk(tokens))][: self.order]
        probs = np.full(size, 1 / size)
        for place, key, shares, gammas in zip(contexts, self.keys, self._shares, self._gammas, strict=True):
            if place < 0:
                break
            low, high = np.searchsorted(key, [place * size, (place + 1) * size])
            probs *= gammas[place]
            probs[key[low:high] - place * size] += shares[low:high]
        return probs

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all keys and counts as arrays of integers, by name."""
        levels = enumerate(zip(self.keys, self.counts, strict=True), start=1)
        return {
            f"{name}_{k}": array for k, pair in levels for name, array in zip(("keys", "counts"), pair, strict=True)
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "KneserNey":
        """Return the model of :meth:`to_arrays`; its probabilities are bit-identical."""
        levels = range(1, len(arrays) // 2 + 1)
        return cls([arrays[f"keys_{k}"] for k in levels], [arrays[f"counts_{k}"] for k in levels])

    def _walk(self, tokens: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield for each order k the index of each token's context and of its k-gram; -1 if it was not seen."""
        contexts = np.zeros(len(tokens), dtype=np.int64)
        for key in self.keys:
            sought = np.where(contexts >= 0, contexts * self.vocab_size + tokens, -1)
            grams = np.searchsorted(key, sought)
            seen = grams < len(key)
            seen[seen] = key[grams[seen]] == sought[seen]
            grams[~seen] = -1
            yield contexts, grams
            contexts = np.concatenate([[-1], grams[:-1]])


def _after_eos(stream: np.ndarray, vocab_size: int) -> np.ndarray:
    """Check a stream, and return it with an eos before the first token, ``(1 + N,)``."""
    stream = np.asarray(stream)
    if stream.ndim != 1 or (stream.size and not np.issubdtype(stream.dtype, np.integer)):
        raise DataError(f"stream: expected integers of shape (N,), got shape {stream.shape} and dtype {stream.dtype}")
    if stream.size and not 0 <= stream.min() <= stream.max() < vocab_size:
        i = int(((stream < 0) | (stream >= vocab_size)).argmax())
        raise DataError(f"stream: token {i} is {stream[i]}, but ids go from 0 to {vocab_size - 1}")
    return np.concatenate([[_EOS], stream]).astype(np.int64)


def _discounted(contexts: np.ndarray, counts: np.ndarray, num_contexts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the discounted probability ``(G,)`` of each n-gram after its context, and the freed mass of each context.

    Args:
        contexts: ``(G,)`` index of each n-gram's context.
        counts: ``(G,)`` count of each n-gram.
        num_contexts: Number of contexts. The freed mass of a context without n-grams is 1.
    """
    taken = _discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(contexts, counts, num_contexts)
    left = np.bincount(contexts, taken, num_contexts)
    gammas = np.divide(left, totals, out=np.ones(num_contexts), where=totals > 0)
    return (counts - taken) / totals[contexts], gammas


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return the discounts ``(4,)`` of counts of 0, 1, 2 and at least 3.

    Examples:
        >>> _discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4]))
        array([0.  , 0.5 , 1.25, 1.  ])
        >>> _discounts(np.array([1, 1, 2, 7]))
        array([0. , 0.5, 0.5, 0.5])
    """
    n1, n2, n3, n4 = (int((counts == c).sum()) for c in (1, 2, 3, 4))
    if not (n1 and n2):
        return np.array([0.0, *[_LONE_DISCOUNT] * 3])
    y = n1 / (n1 + 2 * n2)
    if n3 and n4:
        discounts = np.array([0.0, y, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        if (discounts[1:] > 0).all():
            return discounts
    return np.array([0.0, y, y, y])
