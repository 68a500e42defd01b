"""Sequences of different lengths as batches of few shapes, with little padding.

An item has one or more sides, each a sequence: a pair of sentences has two. Sizes: N items, S sides, B rows of a batch.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lstmzoo.errors import DataError

MOST_BUCKETS = 6
_WORTH = 20  # batches per epoch that make a bucket worth its compilation
_EVEN = 2  # the lengths of buckets are multiples of it
_CANDIDATES = 32  # lengths that are tried of each of two sides
_ROWS = 8  # from here on, the sizes of batches are multiples of it
_SHORTEST = 8  # shortest length to decode at

_Ids = Sequence[np.ndarray]


class LengthBatches:
    """Batches of items by their lengths, of few shapes, so that few are compiled. ``default_rng([seed, epoch])`` draws them.

    Buckets have ascending lengths, chosen to minimize the padding; an item is in the first bucket that holds it. A batch has
    items of one bucket, in a new order in each epoch, and about as many positions as ``batch_size`` items of mean length; the
    last batch of a bucket is filled up from its beginning. An epoch is one pass over all items in shuffled batches, or the first
    ``steps_per_epoch`` of these. The epoch is 0 until another one is drawn.

    Items can change their lengths from epoch to epoch, and so their bucket. If there are more batches than in epoch 0, the last
    are left out; if there are fewer, the first come again.

    Args:
        lengths: ``(N, S)``, each at least 1.
        batch_size: Items of mean length in a batch.
        steps_per_epoch: Batches in an epoch, at most.
        seed: Seed of the order.
        longest: ``(N, S)`` lengths that the buckets must hold too; None for no others.
        num_buckets: Maximal number of buckets; None for one for every 20 batches, because each is compiled.
        most_buckets: Maximal number where ``num_buckets`` is None.

    Attributes:
        shapes: ``(B, *lengths)`` of each bucket.

    Examples:
        >>> batches = LengthBatches(np.array([[1], [5], [6]]), batch_size=1, steps_per_epoch=9, seed=0, num_buckets=2)
        >>> batches.shapes, len(batches), batches.members(2)
        ([(1, 2), (1, 6)], 3, (array([1]), [6]))
    """

    def __init__(
        self, lengths: np.ndarray, *, batch_size: int, steps_per_epoch: int, seed: int, longest: np.ndarray | None = None,
        num_buckets: int | None = None, most_buckets: int = MOST_BUCKETS,
    ) -> None:  # fmt: skip
        self._seed = seed
        if num_buckets is None:
            num_buckets = min(max(1, len(lengths) // (_WORTH * batch_size)), most_buckets)
        held = lengths if longest is None else np.maximum(lengths, longest)
        shapes = bucket_shapes(held, num_buckets)
        rows = lengths.sum(axis=1).mean() * batch_size / shapes.sum(axis=1)
        counts = np.bincount(_first_that_holds(lengths, shapes), minlength=len(shapes))
        self.shapes = [
            (max(1, min(_whole(row), int(count))), *map(int, shape))
            for row, count, shape in zip(rows, counts, shapes, strict=True)
        ]
        in_all = sum(-(-int(count) // shape[0]) for count, shape in zip(counts, self.shapes, strict=True))
        self._steps = min(steps_per_epoch, in_all)
        self.draw(0, lengths)

    def __len__(self) -> int:
        return self._steps

    def members(self, step: int) -> tuple[np.ndarray, list[int]]:
        """The numbers of a batch's items, and the length that each side is padded to."""
        bucket, members = self._batches[step]
        return members, list(self.shapes[bucket][1:])

    def draw(self, epoch: int, lengths: np.ndarray) -> None:
        """Draw the batches of an epoch, in which the items have those lengths."""
        self._lengths = lengths
        rng = np.random.default_rng([self._seed, epoch])
        bucket = _first_that_holds(lengths, np.array(self.shapes)[:, 1:])
        batches: list[tuple[int, np.ndarray]] = []
        for number, (rows, *_) in enumerate(self.shapes):
            order = rng.permutation(np.flatnonzero(bucket == number))
            batches += [(number, members) for members in np.resize(order, (-(-len(order) // rows), rows))]
        self._batches = [batches[i] for i in np.resize(rng.permutation(len(batches)), self._steps)]

    @property
    def padding(self) -> float:
        """The share of padding in the positions of the epoch."""
        positions = sum(len(members) * sum(self.shapes[bucket][1:]) for bucket, members in self._batches)
        return 1 - self.tokens / positions

    @property
    def tokens(self) -> int:
        """The positions of the epoch that are not padding; of pairs, each ``eos`` included."""
        return int(sum(self._lengths[members].sum() for _, members in self._batches))


class PairBatches(LengthBatches):
    """Batches of pairs of sentences for training; see :class:`LengthBatches` for how they are made.

    Where pairs are encoded anew for each epoch, those that no bucket holds keep their first encoding. The epoch is 0 until
    another one is set.

    A batch is ``source`` (B, S), ``targets`` (B, T) with ``eos`` and padding, which are both 0, and ``previous`` (B, T), which is
    0 and the targets without their last; and zeros (B, T).

    Args:
        source_ids: Ids of each sentence, int32, without ``eos``.
        target_ids: Ids of each translation.
        max_length: Pairs with more tokens on a side, not counting ``eos``, are left out, and so are pairs with an empty side.
        resample: From an epoch to other ids of the same sentences and translations.
        batch_size, steps_per_epoch, seed, num_buckets, most_buckets: As for :class:`LengthBatches`.

    Attributes:
        left_out: How many pairs were left out because a side is ``"empty"``, or ``"long"``.

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
                f"none of {len(pairs)} pairs is left: {self.left_out['empty']} have an empty side, {self.left_out['long']} have "
                f"more than {max_length} tokens on a side. Pass other or shorter pairs, or a larger max_length"
            )
        self._first = [pairs[i] for i in self._kept]
        self._resample = resample
        self._epoch, self._pairs = 0, self._encoded(0, (max_length + 1, max_length + 1))
        super().__init__(
            _lengths(self._pairs), batch_size=batch_size, steps_per_epoch=steps_per_epoch, seed=seed,
            longest=_lengths(self._first), num_buckets=num_buckets, most_buckets=most_buckets,
        )  # fmt: skip

    def __getitem__(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        members, lengths = self.members(step)
        sides = zip(*(self._pairs[i] for i in members), strict=True)
        source, targets = (padded_sentences(ids, length) for ids, length in zip(sides, lengths, strict=True))
        previous = np.pad(targets[:, :-1], ((0, 0), (1, 0)))
        inputs = {"source": source, "previous": previous, "targets": targets}
        return inputs, np.zeros(targets.shape, np.float32)

    def set_epoch(self, epoch: int) -> None:
        """Draw the batches of an epoch, counted from 0."""
        if epoch != self._epoch:
            self._epoch, self._pairs = epoch, self._encoded(epoch, self.shapes[-1][1:])
            self.draw(epoch, _lengths(self._pairs))

    def _encoded(self, epoch: int, longest: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The pairs in an epoch, with ``eos`` at most as long as ``longest``."""
        if self._resample is None:
            return self._first
        new = list(zip(*self._resample(epoch), strict=True))
        return [
            new[i] if len(new[i][0]) < longest[0] and len(new[i][1]) < longest[1] else pair
            for i, pair in zip(self._kept, self._first, strict=True)
        ]


def bucket_shapes(lengths: np.ndarray, most: int) -> np.ndarray:
    """Choose the lengths of buckets, such that the padding is minimal.

    Each item is padded to the first bucket that holds it. Lengths are even, except for the longest. Of the even lengths of one
    or two sides, the 32 that cut the items into the most equal parts are tried, in all ascending chains (dynamic programming).

    Args:
        lengths: ``(N, S)``.
        most: Maximal number K of buckets.

    Returns:
        ``(K, S)`` ascending lengths, the last of which hold all items.

    Examples:
        >>> bucket_shapes(np.array([[2, 4], [2, 3], [2, 4], [8, 6], [9, 6]]), 2)
        array([[2, 4], [9, 6]])
        >>> bucket_shapes(np.array([[2], [2], [8], [9]]), 2)
        array([[2], [9]])
    """
    sides = lengths.shape[1]
    tried = [_candidates(side, round(_CANDIDATES ** (2 / max(sides, 2)))) for side in lengths.T]
    held = np.zeros([len(side) for side in tried], np.int64)
    np.add.at(held, tuple(np.searchsorted(*both) for both in zip(tried, lengths.T, strict=True)), 1)
    for axis in range(sides):
        held = held.cumsum(axis=axis)
    held = held.ravel()
    shapes = np.stack(np.meshgrid(*tried, indexing="ij"), axis=-1).reshape(-1, sides)
    size, within = shapes.sum(axis=1), (shapes[:, None] <= shapes).all(axis=-1)
    step = np.where(within, (held - held[:, None]) * size, np.inf)  # from one bucket to the next
    cost, paths = held * size.astype(float), [[i] for i in range(len(shapes))]
    for _ in range(most - 1):
        total = cost[:, None] + step
        best = total.argmin(axis=0)
        cost, paths = total.min(axis=0), [[*paths[k], i] for i, k in enumerate(best)]
    chain = np.array(paths[-1])
    return shapes[chain[np.diff(held[chain], prepend=0) > 0]]


def padded_sentences(ids: _Ids, length: int | None = None, rows: int | None = None) -> np.ndarray:
    """Pad sentences with zeros, of which the first is ``eos``.

    Args:
        ids: Ids of each sentence, without ``eos``.
        length: S; None for the length of the longest with its ``eos``.
        rows: B; empty sentences are added to the end. None for as many as there are.

    Returns:
        ``(B, S)`` int32.

    Raises:
        DataError: If a sentence does not fit into ``length``.

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


def batches_by_length(
    lengths: np.ndarray, rows: Callable[[int], int], widths: Sequence[int] = ()
) -> Iterator[tuple[np.ndarray, int]]:
    """Batch items to be translated or scored together, by ascending length.

    All sides of a batch are padded to one width, and the widths are few, whatever the items: 8, 12, 16, 24, 32, 48, 64, ...

    Args:
        lengths: ``(N,)``, or ``(N, S)``, without ``eos``. An item that is empty on all sides is left out.
        rows: From a width to how many items a batch has at most: the wider, the fewer.
        widths: Allowed widths, ascending; the last holds all items. If there are none, those above.

    Yields:
        The numbers of a batch's items, and the width.

    Examples:
        >>> list(batches_by_length(np.array([3, 9, 0, 7]), rows=lambda width: 2))
        [(array([0, 3]), 8), (array([1]), 12)]
        >>> list(batches_by_length(np.array([[3, 9], [1, 1]]), rows=lambda width: 2))
        [(array([1, 0]), 12)]
    """
    longest = np.asarray(lengths) if np.ndim(lengths) == 1 else np.max(lengths, axis=1)
    order = np.argsort(longest, kind="stable")
    order = order[np.count_nonzero(longest == 0) :]
    place = 0
    while place < len(order):
        members = order[place : place + rows(_width(longest[order[place]], widths))]
        members = members[: rows(_width(longest[members[-1]], widths))]
        yield members, _width(longest[members[-1]], widths)
        place += len(members)


def _width(length: int, widths: Sequence[int]) -> int:
    """The first of 8, 12, 16, 24, 32, ..., or of the allowed widths, that holds so many tokens and an ``eos``."""
    if widths:
        return next(size for size in widths if size > length)
    power = _SHORTEST
    while 2 * power <= length:
        power *= 2
    return next(size for size in (power, power * 3 // 2, power * 2) if size > length)


def _first_that_holds(lengths: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """The number ``(N,)`` of the first of ``(K, S)`` shapes that holds each item."""
    return (lengths[:, None] <= shapes).all(axis=-1).argmax(axis=1)


def _lengths(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The lengths ``(N, 2)`` of pairs, with ``eos``."""
    return 1 + np.array([(len(source), len(target)) for source, target in pairs], int).reshape(-1, 2)


def _candidates(lengths: np.ndarray, most: int) -> np.ndarray:
    """The lengths of one side to try, at most ``most``."""
    even = np.minimum(-(-lengths // _EVEN) * _EVEN, lengths.max())
    tried = np.unique(even)
    if len(tried) > most:
        tried = np.unique(np.quantile(even, np.linspace(0, 1, most), method="higher"))
    return tried


def _whole(rows: float) -> int:
    """A number of rows near to ``rows``."""
    return max(1, round(rows)) if rows < _ROWS else _ROWS * round(rows / _ROWS)
