"""Pairs of sentences as batches of few shapes, with little padding."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lstmzoo.errors import DataError

MOST_BUCKETS = 6
_WORTH = 20  # batches in an epoch that a bucket is worth its compilation for
_EVEN = 2  # what the lengths of buckets are multiples of
_CANDIDATES = 32  # lengths of each side that are tried
_ROWS = 8  # what the sizes of batches are multiples of, from there on
_SHORTEST = 8  # of the lengths to decode at

_Ids = Sequence[np.ndarray]


class PairBatches:
    """Batches of pairs, of few shapes, so that few are compiled; drawn anew for each epoch by ``default_rng([seed, epoch])``.

    Buckets have ascending lengths (S, T), with ``eos``, which are chosen such that padding is the least; a pair is in the
    first one that holds it. A batch has pairs of one bucket, in a new order each epoch, so many that it has about as many
    tokens as ``batch_size`` pairs of mean length; the last one of a bucket is filled up from its beginning. An epoch is one
    pass over all pairs, its batches shuffled, or, if that is more than ``steps_per_epoch`` batches, the first of these.

    Where pairs are encoded anew for each epoch, they can change their bucket. Those that no bucket holds any more keep their
    first encoding; if there are more batches than in epoch 0, the last are left out, and if there are fewer, the first come
    again. The epoch is 0 until another one is set.

    A batch is ``source`` (B, S), ``targets`` (B, T) with ``eos`` and padding, both of which are 0, ``previous`` (B, T), which is
    0 and the targets without their last; and zeros (B, T).

    Args:
        source_ids: Of each sentence, int32, without ``eos``.
        target_ids: Of each translation.
        batch_size: Pairs of mean length in a batch.
        steps_per_epoch: Batches in an epoch, at the most.
        seed: Of the order.
        max_length: Pairs with more tokens on a side, not counting ``eos``, are left out, and so are those with none.
        resample: From an epoch to other ids of the same sentences and translations.
        num_buckets: How many, at the most; None for one for each 20 batches, for each has to be compiled.
        most_buckets: The most, where ``num_buckets`` is None.

    Attributes:
        shapes: ``(B, S, T)`` of each bucket.
        left_out: How many pairs, that are ``"empty"`` on a side, or ``"long"``.

    Raises:
        DataError: If no pairs are left.

    Examples:
        >>> ids = [np.arange(1, n + 1, dtype="int32") for n in (1, 3, 1, 0)]
        >>> batches = PairBatches(ids, ids, batch_size=2, steps_per_epoch=9, seed=0, max_length=9, num_buckets=2)
        >>> batches.shapes, batches.left_out, batches.padding
        ([(2, 2, 2), (1, 4, 4)], {'empty': 1, 'long': 0}, 0.0)
        >>> inputs, zeros = batches[1]
        >>> inputs["targets"], inputs["previous"]
        (array([[1, 2, 3, 0]], dtype=int32), array([[0, 1, 2, 3]], dtype=int32))
    """

    def __init__(
        self, source_ids: _Ids, target_ids: _Ids, *, batch_size: int, steps_per_epoch: int, seed: int, max_length: int,
        resample: Callable[[int], tuple[_Ids, _Ids]] | None = None, num_buckets: int | None = None,
        most_buckets: int = MOST_BUCKETS,
    ) -> None:  # fmt: skip
        pairs = list(zip(source_ids, target_ids, strict=True))
        lengths = _lengths(pairs)
        empty, long = (lengths == 1).any(axis=1), (lengths > max_length + 1).any(axis=1)
        self._kept = np.flatnonzero(~(empty | long))
        self.left_out = {"empty": int(empty.sum()), "long": int((long & ~empty).sum())}
        if not len(self._kept):
            raise DataError(
                f"of {len(pairs)} pairs none is left: {self.left_out['empty']} have an empty side, {self.left_out['long']} "
                f"more than {max_length} tokens on a side: pass others, shorter ones, or a larger max_length"
            )
        self._first = [pairs[i] for i in self._kept]
        self._resample = resample
        self._seed = seed
        if num_buckets is None:
            num_buckets = min(max(1, len(self._kept) // (_WORTH * batch_size)), most_buckets)
        self._encode(0, (max_length + 1, max_length + 1))
        source, target = np.maximum(self._lengths, _lengths(self._first)).T
        shapes = bucket_shapes(source, target, num_buckets)
        rows = self._lengths.sum(axis=1).mean() * batch_size / shapes.sum(axis=1)
        counts = np.bincount(self._bucket(shapes), minlength=len(shapes))
        self.shapes = [
            (max(1, min(_whole(row), int(count))), int(source), int(target))
            for row, count, (source, target) in zip(rows, counts, shapes, strict=True)
        ]
        in_all = sum(-(-int(count) // shape[0]) for count, shape in zip(counts, self.shapes, strict=True))
        self._steps = min(steps_per_epoch, in_all)
        self._shuffle(0)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        bucket, members = self._batches[step]
        _, *lengths = self.shapes[bucket]
        sides = zip(*(self._pairs[i] for i in members), strict=True)
        source, targets = (padded_sentences(ids, length) for ids, length in zip(sides, lengths, strict=True))
        previous = np.pad(targets[:, :-1], ((0, 0), (1, 0)))
        inputs = {"source": source, "previous": previous, "targets": targets}
        return inputs, np.zeros(targets.shape, np.float32)

    @property
    def padding(self) -> float:
        """The share of the epoch's positions, of sentences and translations, that comes after their ``eos``."""
        positions = sum(len(members) * sum(self.shapes[bucket][1:]) for bucket, members in self._batches)
        return 1 - self.tokens / positions

    @property
    def tokens(self) -> int:
        """Of the epoch, in sentences and translations, each ``eos`` included."""
        return int(sum(self._lengths[members].sum() for _, members in self._batches))

    def set_epoch(self, epoch: int) -> None:
        """Draw the batches of an epoch, which are counted from 0."""
        if epoch != self._epoch:
            self._encode(epoch, self.shapes[-1][1:])
            self._shuffle(epoch)

    def _encode(self, epoch: int, longest: tuple[int, int]) -> None:
        """The pairs as they are in an epoch, with their lengths; at most so long."""
        self._epoch, self._pairs = epoch, self._first
        if self._resample is not None:
            new = list(zip(*self._resample(epoch), strict=True))
            self._pairs = [
                new[i] if len(new[i][0]) < longest[0] and len(new[i][1]) < longest[1] else pair
                for i, pair in zip(self._kept, self._first, strict=True)
            ]
        self._lengths = _lengths(self._pairs)

    def _bucket(self, shapes: np.ndarray) -> np.ndarray:
        """``(N,)`` the first that holds each pair."""
        return (self._lengths[:, None] <= shapes).all(axis=-1).argmax(axis=1)

    def _shuffle(self, epoch: int) -> None:
        rng = np.random.default_rng([self._seed, epoch])
        bucket = self._bucket(np.array(self.shapes)[:, 1:])
        batches: list[tuple[int, np.ndarray]] = []
        for number, (rows, _, _) in enumerate(self.shapes):
            order = rng.permutation(np.flatnonzero(bucket == number))
            batches += [(number, members) for members in np.resize(order, (-(-len(order) // rows), rows))]
        self._batches = [batches[i] for i in np.resize(rng.permutation(len(batches)), self._steps)]


def bucket_shapes(source: np.ndarray, target: np.ndarray, most: int) -> np.ndarray:
    """``(K, 2)`` ascending lengths (S, T), the last of which hold all pairs, such that padding is the least.

    Each pair is padded to the first that holds it. Lengths are even, but for the longest; of the even ones, the 32 that cut the
    pairs into the most equal parts are tried, all chains of them, by dynamic programming.

    Args:
        source: ``(N,)`` lengths.
        target: ``(N,)`` likewise.
        most: K, at the most.

    Examples:
        >>> bucket_shapes(np.array([2, 2, 2, 8, 9]), np.array([4, 3, 4, 6, 6]), 2)
        array([[2, 4], [9, 6]])
    """
    sides = [(lengths, _candidates(lengths)) for lengths in (source, target)]
    places = [np.searchsorted(tried, lengths) for lengths, tried in sides]
    (_, first), (_, second) = sides
    counts = np.zeros((len(first), len(second)), np.int64)
    np.add.at(counts, tuple(places), 1)
    held = counts.cumsum(axis=0).cumsum(axis=1).ravel()
    shapes = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    size, within = shapes.sum(axis=1), (shapes[:, None] <= shapes).all(axis=-1)
    step = np.where(within, (held - held[:, None]) * size, np.inf)  # a bucket after another
    cost, paths = held * size.astype(float), [[i] for i in range(len(shapes))]
    for _ in range(most - 1):
        total = cost[:, None] + step
        best = total.argmin(axis=0)
        cost, paths = total.min(axis=0), [[*paths[k], i] for i, k in enumerate(best)]
    chain = np.array(paths[-1])
    return shapes[chain[np.diff(held[chain], prepend=0) > 0]]


def padded_sentences(ids: _Ids, length: int | None = None, rows: int | None = None) -> np.ndarray:
    """``(B, S)`` int32: ``eos`` after each sentence, and zeros after that, which are the same.

    Args:
        ids: Of each sentence, without ``eos``.
        length: S; as many as the longest has with its ``eos``, if None.
        rows: B, of which the last are empty sentences; as many as there are, if None.

    Raises:
        DataError: If a sentence is longer than that.

    Examples:
        >>> padded_sentences([np.array([5, 6]), np.array([7])], rows=3)
        array([[5, 6, 0], [7, 0, 0], [0, 0, 0]], dtype=int32)
    """
    longest = max(map(len, ids), default=0)
    width = longest + 1 if length is None else length
    if width <= longest:
        raise DataError(f"a sentence of {longest} tokens and its end do not fit into a length of {length}")
    table = np.zeros((len(ids) if rows is None else rows, width), np.int32)
    for i, some in enumerate(ids):
        table[i, : len(some)] = some
    return table


def decoding_batches(
    lengths: np.ndarray, rows: Callable[[int], int], widths: Sequence[int] = ()
) -> Iterator[tuple[np.ndarray, int]]:
    """Sentences to be decoded together, by ascending length, and the length S that they are padded to.

    Whatever the sentences, S is one of few: 8, 12, 16, 24, 32, 48, 64, ...

    Args:
        lengths: ``(N,)`` tokens, without ``eos``; where there are none, the sentence is left out.
        rows: From S to how many sentences a batch has at the most: the longer they are, the fewer.
        widths: The S that there are, ascending; the last holds all sentences. If there are none, those above.

    Yields:
        The numbers of the sentences of a batch, and S.

    Examples:
        >>> list(decoding_batches(np.array([3, 9, 0, 7]), rows=lambda width: 2))
        [(array([0, 3]), 8), (array([1]), 12)]
    """
    order = np.argsort(lengths, kind="stable")
    order = order[np.count_nonzero(np.asarray(lengths) == 0) :]
    place = 0
    while place < len(order):
        members = order[place : place + rows(_decoding_width(lengths[order[place]], widths))]
        members = members[: rows(_decoding_width(lengths[members[-1]], widths))]
        yield members, _decoding_width(lengths[members[-1]], widths)
        place += len(members)


def _decoding_width(length: int, widths: Sequence[int]) -> int:
    """The next of 8, 12, 16, 24, 32, ..., or of those given, that holds so many tokens and an ``eos``."""
    if widths:
        return next(size for size in widths if size > length)
    power = _SHORTEST
    while 2 * power <= length:
        power *= 2
    return next(size for size in (power, power * 3 // 2, power * 2) if size > length)


def _lengths(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """``(N, 2)`` with ``eos``."""
    return 1 + np.array([(len(source), len(target)) for source, target in pairs], int).reshape(-1, 2)


def _candidates(lengths: np.ndarray) -> np.ndarray:
    even = np.minimum(-(-lengths // _EVEN) * _EVEN, lengths.max())
    tried = np.unique(even)
    if len(tried) > _CANDIDATES:
        tried = np.unique(np.quantile(even, np.linspace(0, 1, _CANDIDATES), method="higher"))
    return tried


def _whole(rows: float) -> int:
    return max(1, round(rows)) if rows < _ROWS else _ROWS * round(rows / _ROWS)
