"""Probabilities of the pieces of a unigram model, in which a word's probability is the product of its pieces'."""

import numpy as np

_Group = tuple[np.ndarray, np.ndarray, np.ndarray]
_SHRINKING = 0.75  # share of the pieces to keep at a time


def fit_unigram(words: list[str], counts: np.ndarray, pieces: list[str], size: int) -> np.ndarray:
    """Fit probabilities by expectation maximization, and drop the pieces whose absence costs the least likelihood.

    Sizes: W words, P pieces.

    Args:
        words: Distinct words.
        counts: ``(W,)`` the count of each word.
        pieces: Initial pieces; they include each letter of the words, and letters are never dropped.
        size: Number of pieces to keep, at least the number of letters.

    Returns:
        ``(P,)`` log probabilities; minus infinity for dropped pieces.

    Examples:
        >>> fit_unigram(["ab", "a"], np.array([9.0, 1.0]), ["a", "b", "ab"], 3).round(1)
        array([-1.8, -2.7, -0.3])
    """
    letters, alive = np.array([len(piece) == 1 for piece in pieces]), np.ones(len(pieces), bool)
    scores = np.full(len(pieces), -np.log(len(pieces)))
    lattice, others = _Lattice(words, pieces, whole=True), _Lattice(pieces, pieces, whole=False)
    while True:
        for _ in range(2):
            expected = np.maximum(lattice.expected(scores, counts), 0.5)
            scores = np.where(alive, np.log(expected / expected[alive].sum()), -np.inf)
        if alive.sum() <= size:
            return scores
        cost = expected * (np.where(alive, scores, 0.0) - others.best(scores))
        cost = np.where(letters, np.inf, np.where(alive, cost, -np.inf))
        kept = np.argsort(-cost, kind="stable")[: max(size, int(_SHRINKING * alive.sum()))]
        alive = np.isin(np.arange(len(pieces)), kept)
        scores = np.where(alive, scores, -np.inf)


class _Lattice:
    """All ways to cut words into pieces. A node is a position in a word; an edge is a piece between two nodes.

    Args:
        words: Words to cut.
        pieces: All pieces.
        whole: Whether a whole word may be a piece.
    """

    def __init__(self, words: list[str], pieces: list[str], *, whole: bool) -> None:
        index, longest = {piece: number for number, piece in enumerate(pieces)}, max(map(len, pieces))
        edges: list[np.ndarray] = [np.empty((0, 4), np.int32)]
        for number, word in enumerate(words):
            size = len(word)
            spans = [
                (i, j) for i in range(size) for j in range(i + 1, min(i + longest, size) + 1) if whole or j - i < size
            ]
            found = [(number, i, j, index[word[i:j]]) for i, j in spans if word[i:j] in index]
            edges.append(np.array(found, np.int32).reshape(-1, 4))
        self._word, start, end, self._piece = np.concatenate(edges).T
        lengths = np.array([len(word) for word in words], int)
        self._last = np.cumsum(lengths + 1) - 1
        self._first = self._last - lengths
        self._source, self._target = self._first[self._word] + start, self._first[self._word] + end
        self._ahead, self._back = _grouped(end, self._target), _grouped(-start, self._source)

    def expected(self, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the expected count of each piece in words with counts ``(W,)``."""
        before = self._swept(scores, np.logaddexp, self._first, self._source, self._ahead)
        after = self._swept(scores, np.logaddexp, self._last, self._target, self._back)
        chance = before[self._source] + scores[self._piece] + after[self._target] - before[self._last][self._word]
        return np.bincount(self._piece, np.exp(chance) * counts[self._word], minlength=len(scores))

    def best(self, scores: np.ndarray) -> np.ndarray:
        """Return ``(W,)``, the log probability of the most probable cut of each word."""
        return self._swept(scores, np.maximum, self._first, self._source, self._ahead)[self._last]

    def _swept(
        self, scores: np.ndarray, add: np.ufunc, begin: np.ndarray, origin: np.ndarray, groups: list[_Group]
    ) -> np.ndarray:
        """Return the sum, by ``add``, over all paths from ``begin`` to each node."""
        total = np.full(int(self._last[-1:].sum()) + 1, -np.inf)
        total[begin] = 0.0
        for rows, starts, nodes in groups:
            total[nodes] = add.reduceat(total[origin[rows]] + scores[self._piece[rows]], starts)
        return total


def _grouped(place: np.ndarray, node: np.ndarray) -> list[_Group]:
    """Return for each place, ascending, its edges, the first edge of each node among them, and the nodes."""
    order = np.lexsort((node, place))
    groups = []
    for rows in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
        starts = np.flatnonzero(np.diff(node[rows], prepend=-1))
        groups.append((rows, starts, node[rows][starts]))
    return groups
