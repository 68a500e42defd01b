"""Beam search in a loop that is compiled as a whole.

Sizes: B sentences, K hypotheses of each, N = B K rows (row ``b K + k``), V vocabulary, S source positions, L tokens at most.
"""

from dataclasses import dataclass
from typing import NamedTuple

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.decoding.candidates import EOS, SearchStep, continuations, picked, without_repeats
from lstmzoo.errors import ConfigError, arg
from lstmzoo.layers import LOG_ZERO

_LEAST_ATTENTION = 1e-9  # of a source position, so that its logarithm is finite

Carry = tuple[Tensor, State, State, Tensor]


@dataclass(frozen=True)
class BeamSearch:
    """How hypotheses are searched and ranked::

        score = log P / ((5 + length) / 6) ** length_penalty + coverage_penalty * sum_s log(min(sum_t attention_ts, 1))

    The length counts the eos. The sum over s is over the source without its padding.

    ``size`` and ``no_repeat_ngram`` may be scalar tensors, so that one compiled search serves all sizes up to ``width``. The
    result is the same as that of a search that is compiled for the size.

    Attributes:
        size: Number of hypotheses to follow.
        length_penalty: 0 for none; 1 ranks nearly by the mean over tokens. A number or a scalar tensor.
        coverage_penalty: Weight of source positions that got little attention, likewise; None ignores attention.
        no_repeat_ngram: Length of n-grams that may not occur twice in a hypothesis; 0 for no such rule.
        width: K, room for hypotheses, at least ``size``; ``size`` if None.

    Raises:
        ConfigError: If ``size`` is less than 1 or more than ``width``, or ``no_repeat_ngram`` less than 0.

    References:
        Wu et al., "Google's Neural Machine Translation System", 2016, section 7 (penalties).
        Paulus et al., "A Deep Reinforced Model for Abstractive Summarization", ICLR 2018, section 2.5 (n-grams).
    """

    size: Tensor
    length_penalty: Tensor = 0.0
    coverage_penalty: Tensor | None = None
    no_repeat_ngram: Tensor = 0
    width: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("no_repeat_ngram", 0)):
            value = getattr(self, name)
            if isinstance(value, int) and value < least:
                raise ConfigError(f"{name}={value}: give {least} or more")
        if self.width is not None and isinstance(self.size, int) and self.size > self.width:
            raise ConfigError(f"size={self.size}: give at most {self.width}, the width")

    @property
    def places(self) -> int:
        """K."""
        return self.size if self.width is None else self.width


class _Candidates(NamedTuple):
    """Continuations ``(B, 2 K)`` of each sentence's hypotheses, the most probable first."""

    log_p: Tensor
    scores: Tensor
    rows: Tensor  # of the hypotheses that are continued
    tokens: Tensor


def repeat_rows(nest: State, times: int) -> State:
    """Repeat each row of nested tensors ``(B, ...)``, to ``(B * times, ...)``.

    Examples:
        >>> import numpy as np
        >>> ops.convert_to_numpy(repeat_rows([np.array([[1, 2], [3, 4]])], 2)[0]).tolist()
        [[1, 2], [1, 2], [3, 4], [3, 4]]
    """
    return nest if times == 1 else keras.tree.map_structure(lambda x: ops.repeat(x, times, axis=0), nest)


def beam_search(
    step: SearchStep, first: Tensor, state: State, limits: Tensor, beam: BeamSearch, *, length: int,
    source_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Find the most probable sequences of tokens with a beam.

    Each step considers the 2 K most probable continuations of a sentence, by log P. Of the first K, those that end with eos
    are finished hypotheses. The K most probable that do not end are continued. A sentence is done when K hypotheses are
    finished, or at its limit, where the continued ones are finished too, the most probable first, while there is room. The
    finished hypotheses are ranked by their scores.

    Among equal continuations, that of the likelier hypothesis comes first, and of one hypothesis the lower token (on torch, in
    the order of its ``topk``). With K = 1 the result is that of :func:`greedy_search`.

    Args:
        step: ``(tokens (N,), state) -> (log_probs (N, V), state, attention (N, S) or None)``; -1e30 for a token that may not
            come. What all hypotheses of a sentence share, such as the encoder's states, is not in the state: the step holds it,
            and it is not reordered.
        first: ``(B,)`` the last tokens before the search.
        state: Nested tensors ``(N, ...)``, each sentence's K times; see :func:`repeat_rows`.
        limits: ``(B,)`` the maximal number of tokens of each sentence, eos included; from 1 to L.
        beam: How to search.
        length: L.
        source_mask: ``(B, S)``, False at the padding of the source; for a coverage penalty.

    Returns:
        For each sentence, the best hypothesis first: tokens ``(B, K, L)``, 0 from the eos on, scores ``(B, K)`` and log P
        ``(B, K)``. Where there are fewer than K hypotheses, both are ``LOG_ZERO``, -1e30, and the tokens 0.

    Raises:
        ConfigError: If there is a coverage penalty, but no ``source_mask`` or no attention.

    References:
        Ott et al., "fairseq: A Fast, Extensible Toolkit for Sequence Modeling", NAACL 2019 (when hypotheses are finished).

    Examples:
        >>> import numpy as np
        >>> table = np.log(np.array([[0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.9, 0.05, 0.05]], "float32"))
        >>> step = lambda tokens, state: (ops.take(table, tokens, axis=0), state, None)
        >>> first, limits = np.array([0], "int32"), np.array([3], "int32")
        >>> tokens, scores, log_probs = beam_search(step, first, [], limits, BeamSearch(2), length=3)
        >>> ops.convert_to_numpy(tokens), np.exp(ops.convert_to_numpy(log_probs)).round(2)
        (array([[[2, 0, 0], [1, 2, 0]]], dtype=int32), array([[0.36, 0.14]], dtype=float32))
    """
    carry = begin_search(first, state, beam, length=length, source_mask=source_mask)
    carry, _ = continue_search(step, carry, limits, beam, until=length, source_mask=source_mask)
    _, _, (tokens, scores, log_p), _ = carry
    scores, order = ops.top_k(scores, beam.places)
    tokens = ops.take_along_axis(tokens, ops.expand_dims(order, -1), axis=1)
    return tokens, scores, picked(log_p, order)


def begin_search(
    first: Tensor, state: State, beam: BeamSearch, *, length: int, source_mask: Tensor | None = None
) -> Carry:
    """Make the carry that :func:`continue_search` begins with; the arguments are those of :func:`beam_search`."""
    batch, width = first.shape[0], beam.places
    covering = beam.coverage_penalty is not None
    if covering and source_mask is None:
        raise ConfigError(f"a coverage penalty needs source_mask: pass it, or {arg(coverage_penalty=None)}")
    impossible = ops.full((batch, width), LOG_ZERO, dtype="float32")
    live = ops.where(ops.arange(width) == 0, ops.zeros_like(impossible), impossible)  # all hypotheses are the same
    last = ops.cast(repeat_rows(first, width), "int32")
    histories = ops.zeros((batch * width, length), dtype="int32")
    covered = source_mask if covering else None
    coverage = () if covered is None else ops.zeros((batch * width, covered.shape[-1]), dtype="float32")
    finished = ops.reshape(histories, (batch, width, length)), impossible, impossible
    count = ops.zeros((batch,), dtype="int32")
    return ops.zeros((), dtype="int32"), (live, last, state, histories, coverage), finished, count


def continue_search(
    step: SearchStep, carry: Carry, limits: Tensor, beam: BeamSearch, *, until: Tensor,
    source_mask: Tensor | None = None,
) -> tuple[Carry, Tensor]:  # fmt: skip
    """Search until hypotheses have ``until`` tokens, or all sentences are done.

    Args:
        step: As for :func:`beam_search`.
        carry: From :func:`begin_search` or the last call: ``(tokens so far, hypotheses, finished, how many are finished)``.
            The finished hypotheses are tokens ``(B, K, L)``, scores and log P ``(B, K)``, in any order.
        limits: As for :func:`beam_search`.
        beam: As for :func:`begin_search`.
        until: At most L; a number or a scalar tensor.
        source_mask: As for :func:`beam_search`.

    Returns:
        The carry, and whether any sentence is not done, a scalar.
    """
    limits = ops.cast(limits, "int32")

    def searching(i: Tensor, live: Tensor, count: Tensor) -> Tensor:
        """Which sentences are not done, ``(B,)``."""
        return ops.logical_and(ops.logical_and(count < beam.size, i < limits), ops.any(live > LOG_ZERO, axis=-1))

    def goes_on(i: Tensor, hypotheses: State, finished: State, count: Tensor) -> Tensor:
        return ops.logical_and(i < until, ops.any(searching(i, hypotheses[0], count)))

    def body(i: Tensor, hypotheses: State, finished: State, count: Tensor) -> Carry:
        live, last, state, histories, coverage = hypotheses
        log_probs, state, attention = step(last, state)
        log_probs = without_repeats(ops.cast(log_probs, "float32"), histories, i, beam.no_repeat_ngram)
        if beam.coverage_penalty is not None:
            coverage = coverage + ops.cast(_checked(attention), "float32")
        found = _candidates(live, log_probs, coverage, i, beam, source_mask)
        ending, going = _numbers(found.log_p, found.tokens, ops.expand_dims(limits == i + 1, -1), beam.size)
        full = ops.where(searching(i, live, count), count, beam.size)
        finished, filled = _finish(found, finished, histories, i, ops.expand_dims(full, -1) + ending, beam)
        count = count + ops.sum(ops.cast(filled, "int32"), axis=-1)
        return i + 1, _follow(found, (state, histories, coverage), i, going, beam), finished, count

    carry = ops.while_loop(goes_on, body, carry)
    i, hypotheses, _, count = carry
    return carry, ops.any(searching(i, hypotheses[0], count))


def _candidates(
    live: Tensor, log_probs: Tensor, coverage: Tensor, i: Tensor, beam: BeamSearch, source_mask: Tensor | None
) -> _Candidates:
    """The 2 K most probable continuations of each sentence, with their scores."""
    batch, width = live.shape[0], beam.places
    log_p, parents, tokens = continuations(live, log_probs, 2 * width)
    log_p = ops.where(ops.arange(2 * width) < 2 * beam.size, log_p, LOG_ZERO)
    rows = ops.expand_dims(ops.arange(batch, dtype="int32") * width, -1) + parents
    scores = log_p / ((6.0 + ops.cast(i, "float32")) / 6.0) ** beam.length_penalty
    if beam.coverage_penalty is not None:
        scores = scores + ops.take(beam.coverage_penalty * _log_coverage(coverage, source_mask), rows)
    return _Candidates(log_p, scores, rows, tokens)


def _finish(
    found: _Candidates, finished: State, histories: Tensor, i: Tensor, numbers: Tensor, beam: BeamSearch
) -> tuple[State, Tensor]:
    """The finished hypotheses with those that end now at the places ``numbers``, and which places were filled, ``(B, K)``."""
    chosen, filled = _places(numbers, beam.places, beam.size)
    new = _extended(histories, i, found, chosen), picked(found.scores, chosen), picked(found.log_p, chosen)
    masks = ops.expand_dims(filled, -1), filled, filled
    return tuple(ops.where(mask, x, y) for mask, x, y in zip(masks, new, finished, strict=True)), filled


def _follow(found: _Candidates, before: State, i: Tensor, numbers: Tensor, beam: BeamSearch) -> State:
    """The hypotheses that are continued, at the places ``numbers``."""
    state, histories, coverage = before
    chosen, filled = _places(numbers, beam.places, beam.size)
    live = ops.where(filled, picked(found.log_p, chosen), LOG_ZERO)
    last = ops.reshape(ops.where(filled, picked(found.tokens, chosen), EOS), (-1,))
    rows = ops.reshape(picked(found.rows, chosen), (-1,))
    state, coverage = keras.tree.map_structure(lambda x: ops.take(x, rows, axis=0), (state, coverage))
    histories = ops.reshape(_extended(histories, i, found, chosen), histories.shape)
    return live, last, state, histories, coverage


def _log_coverage(coverage: Tensor, source_mask: Tensor) -> Tensor:
    """Sum the logarithm of the coverage ``(N, S)``, at most 1, over the source without its padding: ``(N,)``."""
    covered = ops.reshape(
        ops.log(ops.clip(coverage, _LEAST_ATTENTION, 1.0)), (source_mask.shape[0], -1, coverage.shape[-1])
    )
    return ops.reshape(ops.sum(ops.where(ops.expand_dims(source_mask, 1), covered, 0.0), axis=-1), (-1,))


def _checked(attention: Tensor | None) -> Tensor:
    """Return the attention if there is one."""
    if attention is None:
        raise ConfigError(
            f"a coverage penalty needs attention, and step returns none: pass {arg(coverage_penalty=None)}"
        )
    return attention


def _numbers(log_p: Tensor, tokens: Tensor, at_limit: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Number the continuations ``(B, 2 K)`` that finish, and those that are continued; all others are ``-2 K``.

    Numbers from ``size`` on are too many. At the limit, the continued ones finish too, after those that end.
    """
    none = -log_p.shape[-1]
    possible, ends = log_p > LOG_ZERO, tokens == EOS
    goes = ops.logical_and(possible, ops.logical_not(ends))
    ends = ops.logical_and(ops.logical_and(possible, ends), ops.arange(-none) < size)
    ended, gone = (ops.cumsum(ops.cast(mask, "int32"), axis=-1) for mask in (ends, goes))
    going = ops.where(goes, gone - 1, none)
    at_last = ops.where(ops.logical_and(goes, at_limit), ended[:, -1:] + going, none)
    return ops.where(ends, ended - 1, at_last), going


def _places(numbers: Tensor, width: int, size: Tensor) -> tuple[Tensor, Tensor]:
    """Find the numbers 0 to K - 1 in ``(B, M)``: their places, and whether they exist and are less than ``size``, ``(B, K)``."""
    wanted = ops.arange(width, dtype="int32")
    here = ops.expand_dims(numbers, 1) == ops.expand_dims(wanted, -1)
    there = ops.logical_and(ops.any(here, axis=-1), wanted < size)
    return ops.cast(ops.argmax(ops.cast(here, "int32"), axis=-1), "int32"), there


def _extended(histories: Tensor, i: Tensor, found: _Candidates, chosen: Tensor) -> Tensor:
    """The histories ``(B, K, L)`` of the chosen continuations, with their tokens at place ``i``."""
    before = ops.take(histories, picked(found.rows, chosen), axis=0)
    return ops.where(ops.arange(histories.shape[-1]) == i, ops.expand_dims(picked(found.tokens, chosen), -1), before)
