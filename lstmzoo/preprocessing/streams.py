"""Batches of a token stream: rows side by side, each read from beginning to end in windows."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

_COUNTED = 1 << 22  # tokens to count at a time
_ROWS = 64  # texts to read side by side
_CLUSTERS = 3  # of an adaptive softmax, beside its head
_SHORTER = 0.05  # share of windows with half the length, if lengths vary


class StreamBatches:
    """Windows of a stream in ``batch_size`` rows, in order, so that a state can be carried from each window to the next.

    A pass over the rows begins at a random token of the first window. Its windows have T tokens; if ``variable``, one in twenty
    has T // 2. An epoch has ``steps_per_epoch`` windows, or about a pass if that is less; passes continue across epochs. The
    rest at the end of a row, shorter than a window, is read by other passes, which begin elsewhere.

    Sizes: B rows, T window, V vocabulary.

    Args:
        stream: Token ids, with an end of text before the first text.
        batch_size: B; less if rows would be shorter than a window.
        window: T.
        steps_per_epoch: Maximum number of windows in an epoch.
        variable: Whether the lengths of windows vary.
        seed: Seed of the beginnings of passes and of the lengths.

    Examples:
        >>> batches = StreamBatches(np.arange(13), batch_size=2, window=2, steps_per_epoch=9, variable=False, seed=1)
        >>> len(batches)
        3
        >>> inputs, _ = batches[0]
        >>> inputs["tokens"], inputs["targets"], inputs["begin"]
        (array([[0, 1], [6, 7]], dtype=int32), array([[1, 2], [7, 8]], dtype=int32), array([[1.], [1.]], dtype=float32))
    """

    def __init__(
        self, stream: np.ndarray, *, batch_size: int, window: int, steps_per_epoch: int, variable: bool, seed: int
    ) -> None:
        self.batch_size = max(1, min(batch_size, (len(stream) - 1) // window))
        self._length = (len(stream) - 1) // self.batch_size  # of a row, not counting the token before its first target
        starts = np.arange(self.batch_size) * self._length
        self._rows = stream, starts
        self._window = window
        self._variable = variable
        self._seed = seed
        self._steps = max(1, min(steps_per_epoch, self._length // window))
        self.set_epoch(0)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        place, length, begins = self._windows[step]
        stream, starts = self._rows
        tokens = stream[starts[:, None] + np.arange(place, place + length + 1)].astype(np.int32)
        begin = np.full((self.batch_size, 1), float(begins), np.float32)
        inputs = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:], "begin": begin}
        return inputs, np.zeros((self.batch_size, length), np.float32)

    def set_epoch(self, epoch: int) -> None:
        """Go to the windows of an epoch; epochs are counted from 0."""
        wanted, done, number = epoch * self._steps, 0, 0
        windows: list[tuple[int, int, bool]] = []
        while len(windows) < self._steps:
            one = self._pass(number)
            windows += one[max(0, wanted - done) :]
            done, number = done + len(one), number + 1
        self._windows = windows[: self._steps]

    def _pass(self, number: int) -> list[tuple[int, int, bool]]:
        """Return the position and length of each window of a pass, and whether it is the first."""
        rng = np.random.default_rng([self._seed, number])
        place = int(rng.integers(0, min(self._window, self._length - self._window + 1)))
        windows: list[tuple[int, int, bool]] = []
        while place + self._window <= self._length:
            short = self._variable and rng.random() < _SHORTER
            length = max(1, self._window // 2) if short else self._window
            windows.append((place, length, not windows))
            place += length
        return windows

    def capacities(self, cutoffs: Sequence[int]) -> list[int | None]:
        """Return, for each cluster of an adaptive softmax, the maximum number of its targets in any window.

        None if short windows have less tokens than that.
        """
        stream, starts = self._rows
        edges = [*cutoffs, np.iinfo(np.int32).max]
        fewest = self.batch_size * (max(1, self._window // 2) if self._variable else self._window)
        most: list[int | None] = []
        for first, last in itertools.pairwise(edges):
            count = np.zeros(self._length + 1, np.int64)
            for start in starts:
                row = stream[start + 1 : start + 1 + self._length]
                count[1:] += np.cumsum((row >= first) & (row < last))
            capacity = int((count[self._window :] - count[: -self._window]).max())
            most.append(capacity if capacity <= fewest else None)
        return most


def in_rows(stream: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and targets ``(rows, L)``; at the end of the last row, missing targets are -1.

    Args:
        stream: Token ids, with an end of text before the first text.
        rows: Number of rows.

    Examples:
        >>> in_rows(np.array([0, 5, 6, 7, 8, 9]), 2)
        (array([[0, 5, 6], [7, 8, 0]], dtype=int32), array([[ 5,  6,  7], [ 8,  9, -1]], dtype=int32))
    """
    targets = np.asarray(stream[1:], np.int32)
    length = -(-len(targets) // rows)
    missing = rows * length - len(targets)
    tokens = np.concatenate([np.asarray(stream[:-1], np.int32), np.zeros(missing, np.int32)])
    padded = np.concatenate([targets, np.full(missing, -1, np.int32)])
    return tokens.reshape(rows, length), padded.reshape(rows, length)


def token_counts(stream: np.ndarray, vocab_size: int) -> np.ndarray:
    """Return ``(V,)``, the count of each id. A stream in a file is read in parts, so it need not fit into memory.

    Examples:
        >>> token_counts(np.array([0, 2, 2]), 4)
        array([1, 0, 2, 0])
    """
    counts = np.zeros(vocab_size, np.int64)
    for place in range(0, len(stream), _COUNTED):
        counts += np.bincount(stream[place : place + _COUNTED], minlength=vocab_size)
    return counts


def softmax_cutoffs(counts: np.ndarray) -> tuple[int, ...]:
    """Return the cutoffs between frequent ids and three clusters that minimize the cost of an adaptive softmax.

    The cost of a target is the number of matrix rows that it is compared with. Vocabularies of less than 5,000 ids are not cut,
    nor are those whose cost would not fall to a third.

    Args:
        counts: Count of each id in the training set.

    References:
        Grave et al., "Efficient softmax approximation for GPUs", ICML 2017, section 4.

    Examples:
        >>> softmax_cutoffs(1e6 / (1 + np.arange(33_000)))
        (536, 5214, 15912)
        >>> softmax_cutoffs(np.ones(33_000))
        ()
    """
    size = len(counts)
    if size < 5000:
        return ()
    places = np.append(np.unique(np.geomspace(200, size, 120).astype(int))[:-1], size)
    rarer = 1 - np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    one, other = places[:, None], places
    within = np.where(other > one, (rarer[one] - rarer[other]) * (other - one), np.inf)  # a cluster from one to other
    cost, paths = within[:, -1], [(int(place),) for place in places]  # all from a place on, as a single cluster
    for _ in range(_CLUSTERS - 1):
        total = within + cost
        best = total.argmin(axis=1)
        cost, paths = total.min(axis=1), [(int(places[i]), *paths[k]) for i, k in enumerate(best)]
    total = places + _CLUSTERS + cost
    return paths[int(total.argmin())] if 3 * total.min() < size else ()


def most_members(targets: np.ndarray, cutoffs: Sequence[int], window: int) -> tuple[int, ...]:
    """Return a capacity for each cluster of an adaptive softmax: at least its number of targets in any window of ``(B, L)``.

    Programs are compiled for these capacities, so they take few values. The first is an eighth of a window's targets, each next
    one half of the previous one; all are doubled, up to all targets of a window, until they suffice.

    Examples:
        >>> most_members(np.array([[1, 5, 5, 9], [5, 1, 9, 1]]), (5, 9), window=2)
        (4, 2)
    """
    whole = len(targets) * window
    most = []
    for first, last in itertools.pairwise([*cutoffs, np.iinfo(np.int32).max]):
        inside = ((targets >= first) & (targets < last)).sum(axis=0)
        most.append(int(np.add.reduceat(inside, np.arange(0, len(inside), window)).max()))
    head = whole / 8
    while any(count > min(whole, head / 2**i) for i, count in enumerate(most)):
        head *= 2
    return tuple(math.ceil(min(whole, head / 2**i)) for i in range(len(most)))


def pad_window(tokens: np.ndarray, targets: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Pad the last window of a row to the length of the others, so that one compiled step suffices; -1 becomes a token."""
    missing = window - tokens.shape[1]
    if missing:
        tokens, targets = (np.pad(array, ((0, 0), (0, missing))) for array in (tokens, targets))
    return tokens, np.maximum(targets, 0)


def most_calls(streams: list[np.ndarray], window: int) -> float:
    """Return about how many windows are read if streams are read side by side."""
    return sum(map(len, streams)) / min(len(streams), _ROWS) / window


def side_by_side(streams: list[np.ndarray], window: int) -> Iterator[list[int]]:
    """Yield the numbers of streams to read side by side: at most 64 of similar lengths at a time."""
    order = np.argsort([len(stream) for stream in streams], kind="stable")
    first = 0
    while first < len(order):
        shortest = max(len(streams[order[first]]), window)
        alike = [int(i) for i in order[first : first + _ROWS] if len(streams[i]) <= 4 * shortest]
        yield alike
        first += len(alike)


def pad_streams(streams: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and targets ``(B, T)`` int32: streams padded to the longest one, and their number to a power of four.

    A target is the next token; -1 if there is none.
    """
    rows, longest = next(4**k for k in range(4) if 4**k >= len(streams)), max(map(len, streams)) - 1
    tokens, targets = np.zeros((rows, longest), np.int32), np.full((rows, longest), -1, np.int32)
    for row, stream in enumerate(streams):
        tokens[row, : len(stream) - 1], targets[row, : len(stream) - 1] = stream[:-1], stream[1:]
    return tokens, targets
