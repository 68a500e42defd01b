"""Beam search in a loop that is compiled as a whole.

Sizes: B sentences, K hypotheses of each, N = B K rows (row ``b K + k``), V vocabulary, S source places, L tokens at the most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from lstmzoo.decoding.tokens import NEVER
from lstmzoo.errors import ConfigError, arg

_EOS = 0
_LEAST_ATTENTION = 1e-9  # what a source place has at least, so that its logarithm is finite
_BLOCK = 32  # tokens; on a CPU, of 16 to 128 the fastest at V = 8,000, and several times faster than a top k of all

Step = Callable[[Any, Any], tuple[Any, Any, Any]]  # tokens and state to log-probabilities, state and attention
Carry = tuple[Any, Any, Any, Any]


@dataclass(frozen=True)
class BeamSearch:
    """How hypotheses are searched and ranked::

        score = log P / ((5 + length) / 6) ** length_penalty + coverage_penalty * sum_s log(min(sum_t attention_ts, 1))

    The length counts the eos. The sum over s is over the places of the source that are real.

    ``size`` and ``no_repeat_ngram`` may be scalar tensors, so that one compiled search serves all sizes up to ``width``. The
    result is that of a search which is compiled for the size.

    Attributes:
        size: Hypotheses that are followed.
        length_penalty: 0 for none, and 1 for something near the mean over tokens; a number or a scalar tensor.
        coverage_penalty: Of source places that were little attended to, likewise; None, and no attention is looked at.
        no_repeat_ngram: So many tokens in a row do not come twice in a hypothesis; 0 for no such rule.
        width: K, the places for hypotheses, at least ``size``; ``size`` if None.

    Raises:
        ConfigError: If ``size`` is less than 1 or more than ``width``, or ``no_repeat_ngram`` less than 0.

    References:
        Wu et al., "Google's Neural Machine Translation System", 2016, section 7 (penalties).
        Paulus et al., "A Deep Reinforced Model for Abstractive Summarization", ICLR 2018, section 2.5 (n-grams).
    """

    size: Any
    length_penalty: Any = 0.0
    coverage_penalty: Any = None
    no_repeat_ngram: Any = 0
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


def repeat_rows(nest: Any, times: int) -> Any:
    """Tensors ``(B, ...)``, each row so many times, ``(B * times, ...)``.

    Examples:
        >>> import numpy as np
        >>> ops.convert_to_numpy(repeat_rows([np.array([[1, 2], [3, 4]])], 2)[0]).tolist()
        [[1, 2], [1, 2], [3, 4], [3, 4]]
    """
    return nest if times == 1 else keras.tree.map_structure(lambda x: ops.repeat(x, times, axis=0), nest)


def beam_search(
    step: Step, first: Any, state: Any, limits: Any, beam: BeamSearch, *, length: int, source_mask: Any = None
) -> tuple[Any, Any, Any]:
    """The likeliest sequences of tokens that a beam finds.

    At each step the 2 K likeliest continuations of a sentence are looked at, by log P. Those of the first K that end with eos
    are finished hypotheses; the K likeliest that do not end go on. A sentence is done when K hypotheses are finished, and at
    its limit, where those that go on are finished as they are, the likeliest first, as long as there are places. The finished
    ones are ranked by their scores. Of equal continuations that of the likelier hypothesis comes first, and of a hypothesis the
    lower token (on torch, as its ``topk`` has it). With K = 1 it is :func:`greedy_search`.

    Args:
        step: ``(tokens (N,), state) -> (log_probs (N, V), state, attention (N, S) or None)``; -1e30 for a token that may not
            come. What all hypotheses of a sentence share, such as an encoder's states, it knows itself: it is not reordered.
        first: ``(B,)`` the tokens before the first to come.
        state: A nest of tensors ``(N, ...)``, each sentence's K times; see :func:`repeat_rows`.
        limits: ``(B,)`` the most tokens of each sentence, an eos included; from 1 to L.
        beam: How to search.
        length: L.
        source_mask: ``(B, S)`` whether a place of the source is real; for a coverage penalty.

    Returns:
        Of each sentence, the best hypothesis first: tokens ``(B, K, L)``, 0 from the eos on, scores ``(B, K)`` and their log P
        ``(B, K)``. Where there are less than K hypotheses, both are -1e30 (``NEVER``), and the tokens 0.

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
    return tokens, scores, _picked(log_p, order)


def begin_search(first: Any, state: Any, beam: BeamSearch, *, length: int, source_mask: Any = None) -> Carry:
    """What :func:`continue_search` begins with; the arguments are those of :func:`beam_search`."""
    batch, width = first.shape[0], beam.places
    if beam.coverage_penalty is not None and source_mask is None:
        raise ConfigError(f"a coverage penalty needs source_mask: pass it, or {arg(coverage_penalty=None)}")
    never = ops.full((batch, width), NEVER, dtype="float32")
    live = ops.where(ops.arange(width) == 0, ops.zeros_like(never), never)  # all hypotheses are the same
    last = ops.cast(repeat_rows(first, width), "int32")
    histories = ops.zeros((batch * width, length), dtype="int32")
    covering = beam.coverage_penalty is not None
    coverage = ops.zeros((batch * width, source_mask.shape[-1]), dtype="float32") if covering else ()
    nothing = ops.reshape(histories, (batch, width, length)), never, never
    count = ops.zeros((batch,), dtype="int32")
    return ops.zeros((), dtype="int32"), (live, last, state, histories, coverage), nothing, count


def continue_search(
    step: Step, carry: Carry, limits: Any, beam: BeamSearch, *, until: Any, source_mask: Any = None
) -> tuple[Carry, Any]:
    """Search until hypotheses have so many tokens, or all sentences are done.

    Args:
        step: As for :func:`beam_search`.
        carry: From :func:`begin_search` or the last call: ``(tokens so far, hypotheses, finished, how many are finished)``,
            the finished being tokens ``(B, K, L)``, scores and log P ``(B, K)``, not in order.
        limits: As for :func:`beam_search`.
        beam: As for :func:`begin_search`.
        until: Number of tokens, at most L; a number or a scalar tensor.
        source_mask: As for :func:`beam_search`.

    Returns:
        The carry, and whether a sentence is not done, a scalar.
    """
    limits = ops.cast(limits, "int32")
    batch, width, size = limits.shape[0], beam.places, beam.size
    first_rows = ops.expand_dims(ops.arange(batch, dtype="int32") * width, -1)
    covering = beam.coverage_penalty is not None

    def searching(i: Any, live: Any, count: Any) -> Any:
        """``(B,)`` whether a sentence is not done."""
        return ops.logical_and(ops.logical_and(count < size, i < limits), ops.any(live > NEVER, axis=-1))

    def goes_on(i: Any, hypotheses: Any, finished: Any, count: Any) -> Any:
        return ops.logical_and(i < until, ops.any(searching(i, hypotheses[0], count)))

    def body(i: Any, hypotheses: Any, finished: Any, count: Any) -> Any:
        live, last, state, histories, coverage = hypotheses
        log_probs, state, attention = step(last, state)
        log_probs = _without_repeats(ops.cast(log_probs, "float32"), histories, i, beam.no_repeat_ngram)
        log_p, parents, tokens = _continuations(live, log_probs, 2 * width)
        log_p = ops.where(ops.arange(2 * width) < 2 * size, log_p, NEVER)
        rows = first_rows + parents
        scores = log_p / ((6.0 + ops.cast(i, "float32")) / 6.0) ** beam.length_penalty
        if covering:
            coverage = coverage + ops.cast(_checked(attention), "float32")
            scores = scores + ops.take(beam.coverage_penalty * _log_coverage(coverage, source_mask), rows)

        ending, going = _numbers(log_p, tokens, ops.expand_dims(limits == i + 1, -1), size)
        full = ops.where(searching(i, live, count), count, size)
        chosen, filled = _places(ops.expand_dims(full, -1) + ending, width, size)
        new = _extended(histories, i, rows, tokens, chosen), _picked(scores, chosen), _picked(log_p, chosen)
        masks = ops.expand_dims(filled, -1), filled, filled
        finished = tuple(ops.where(mask, x, y) for mask, x, y in zip(masks, new, finished, strict=True))
        count = count + ops.sum(ops.cast(filled, "int32"), axis=-1)

        chosen, filled = _places(going, width, size)
        live = ops.where(filled, _picked(log_p, chosen), NEVER)
        histories = ops.reshape(_extended(histories, i, rows, tokens, chosen), histories.shape)
        last = ops.reshape(ops.where(filled, _picked(tokens, chosen), _EOS), (-1,))
        rows = ops.reshape(_picked(rows, chosen), (-1,))
        state, coverage = keras.tree.map_structure(lambda x: ops.take(x, rows, axis=0), (state, coverage))
        return i + 1, (live, last, state, histories, coverage), finished, count

    carry = ops.while_loop(goes_on, body, carry)
    i, hypotheses, _, count = carry
    return carry, ops.any(searching(i, hypotheses[0], count))


def greedy_search(step: Step, first: Any, state: Any, limits: Any, *, length: int) -> tuple[Any, Any]:
    """The likeliest token after the other, until eos or the limit; sentences that have ended wait for the others.

    Args:
        step: As for :func:`beam_search`, with B for N.
        first: ``(B,)`` the tokens before the first to come.
        state: A nest of tensors ``(B, ...)``.
        limits: ``(B,)`` the most tokens of each sentence, an eos included; from 1 to L.
        length: L.

    Returns:
        Tokens ``(B, L)``, 0 from the eos on, and their log P ``(B,)``.

    Examples:
        >>> import numpy as np
        >>> table = np.log(np.array([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.8, 0.1, 0.1]], "float32"))
        >>> step = lambda tokens, state: (ops.take(table, tokens, axis=0), state, None)
        >>> tokens, log_probs = greedy_search(step, np.array([0, 1]), [], np.array([4, 1]), length=4)
        >>> ops.convert_to_numpy(tokens), np.exp(ops.convert_to_numpy(log_probs)).round(2)
        (array([[1, 2, 0, 0], [2, 0, 0, 0]], dtype=int32), array([0.16, 0.4 ], dtype=float32))
    """

    def likeliest(log_probs: Any, log_p: Any, i: Any) -> tuple[Any, Any]:
        longer, _, following = _continuations(ops.expand_dims(log_p, -1), log_probs, 1)
        return following[:, 0], longer[:, 0]

    return _written(step, likeliest, first, state, limits, length)


def sampled_search(
    step: Step, draw: Callable[[Any, Any], Any], first: Any, state: Any, limits: Any, *, length: int
) -> tuple[Any, Any]:
    """One drawn token after the other, until eos or the limit; else as :func:`greedy_search`.

    Args:
        step: As for :func:`beam_search`, with B for N.
        draw: ``(log_probs (B, V), i) -> tokens (B,)``, the number of the token to come being i, from 0 on.
        first: ``(B,)`` the tokens before the first to come.
        state: A nest of tensors ``(B, ...)``.
        limits: ``(B,)`` the most tokens of each sentence, an eos included; from 1 to L.
        length: L.

    Returns:
        Tokens ``(B, L)``, 0 from the eos on, and their log P ``(B,)``: that of ``step``, however ``draw`` chose among them.

    Examples:
        >>> import numpy as np
        >>> table = np.log(np.array([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.8, 0.1, 0.1]], "float32"))
        >>> step = lambda tokens, state: (ops.take(table, tokens, axis=0), state, None)
        >>> draw = lambda log_probs, i: ops.argmin(log_probs[:, 1:], axis=-1) + 1
        >>> tokens, log_probs = sampled_search(step, draw, np.array([0]), [], np.array([2]), length=4)
        >>> ops.convert_to_numpy(tokens), np.exp(ops.convert_to_numpy(log_probs)).round(2)
        (array([[2, 1, 0, 0]], dtype=int32), array([0.04], dtype=float32))
    """

    def drawn(log_probs: Any, log_p: Any, i: Any) -> tuple[Any, Any]:
        tokens = ops.cast(draw(log_probs, i), "int32")
        return tokens, log_p + ops.take_along_axis(log_probs, ops.expand_dims(tokens, -1), axis=-1)[:, 0]

    return _written(step, drawn, first, state, limits, length)


def _written(
    step: Step, choose: Callable[[Any, Any, Any], tuple[Any, Any]], first: Any, state: Any, limits: Any, length: int
) -> tuple[Any, Any]:
    """Tokens ``(B, L)`` one after the other, until eos or the limit, and their log P ``(B,)``.

    Args:
        choose: From log-probabilities ``(B, V)``, log P so far and the token's number to a token, and log P with it.
    """
    limits = ops.cast(limits, "int32")
    places = ops.arange(length, dtype="int32")

    def goes_on(i: Any, last: Any, state: Any, tokens: Any, log_p: Any, ended: Any) -> Any:
        return ops.any(ops.logical_and(ops.logical_not(ended), i < limits))

    def body(i: Any, last: Any, state: Any, tokens: Any, log_p: Any, ended: Any) -> Any:
        log_probs, state, _ = step(last, state)
        following, longer = choose(ops.cast(log_probs, "float32"), log_p, i)
        goes = ops.logical_and(ops.logical_not(ended), i < limits)
        last = ops.where(goes, following, _EOS)
        tokens = ops.where(places == i, ops.expand_dims(last, -1), tokens)
        log_p = ops.where(goes, longer, log_p)
        return i + 1, last, state, tokens, log_p, ops.logical_or(ended, last == _EOS)

    batch = first.shape[0]
    log_p, ended = ops.zeros((batch,), dtype="float32"), ops.zeros((batch,), dtype="bool")
    tokens = ops.zeros((batch, length), dtype="int32")
    begin = ops.zeros((), dtype="int32"), ops.cast(first, "int32"), state, tokens, log_p, ended
    _, _, _, tokens, log_p, _ = ops.while_loop(goes_on, body, begin)
    return tokens, log_p


def _continuations(live: Any, log_probs: Any, wanted: int) -> tuple[Any, Any, Any]:
    """The likeliest continuations of each sentence, best first: their log P, hypothesis and token, ``(B, wanted)``.

    They are in those ``wanted`` blocks of tokens that have the largest maxima. Where there are less continuations, log P is
    -1e30.

    Args:
        live: ``(B, K)`` log P of the hypotheses.
        log_probs: ``(N, V)``.
        wanted: How many.
    """
    batch, size = live.shape
    blocks = -(-log_probs.shape[-1] // _BLOCK)
    missing = blocks * _BLOCK - log_probs.shape[-1]
    if missing:
        log_probs = ops.pad(log_probs, ((0, 0), (0, missing)), constant_values=NEVER)
    log_probs = ops.reshape(log_probs, (batch, size, blocks, _BLOCK))
    best = ops.maximum(ops.expand_dims(live, -1) + ops.max(log_probs, axis=-1), NEVER)
    _, places = ops.top_k(ops.reshape(best, (batch, size * blocks)), min(wanted, size * blocks))
    places = ops.sort(ops.cast(places, "int32"), axis=-1)  # so that of equal continuations the first is found first
    flat = places + ops.expand_dims(ops.arange(batch, dtype="int32") * (size * blocks), -1)
    within = ops.take(ops.reshape(log_probs, (-1, _BLOCK)), flat, axis=0)
    log_p = ops.maximum(ops.expand_dims(_picked(live, places // blocks), -1) + within, NEVER)
    log_p, inside = ops.top_k(ops.reshape(log_p, (batch, -1)), wanted)
    inside = ops.cast(inside, "int32")
    places = _picked(places, inside // _BLOCK)
    return log_p, places // blocks, places % blocks * _BLOCK + inside % _BLOCK


def _without_repeats(log_probs: Any, histories: Any, i: Any, n: Any) -> Any:
    """``(N, V)`` log-probabilities, -1e30 for what would end an n-gram that the ``i`` tokens so far have already."""
    rows, length = histories.shape
    places = ops.arange(length, dtype="int32")

    def matching(back: Any, met: Any) -> Any:
        """``(N, L)`` whether the tokens so many places back are the same, before each place and before the next token."""
        latest = ops.take(histories, ops.maximum(i - back, 0), axis=1)
        return ops.logical_and(
            met, ops.take(histories, ops.maximum(places - back, 0), axis=1) == ops.expand_dims(latest, -1)
        )

    def banned() -> Any:
        met = ops.broadcast_to(ops.logical_and(places >= n - 1, places < i), (rows, length))
        met = ops.fori_loop(1, n, matching, met)
        numbers = ops.broadcast_to(ops.expand_dims(ops.arange(rows, dtype="int32"), -1), (rows, length))
        where = ops.reshape(ops.stack([numbers, histories], axis=-1), (-1, 2))
        taken = ops.reshape(ops.where(met, NEVER, 0.0), (-1,))
        return ops.maximum(ops.scatter_update(log_probs, where, taken, reduction="add"), NEVER)

    if isinstance(n, int):
        return banned() if n else log_probs
    return ops.cond(n > 0, banned, lambda: log_probs)


def _log_coverage(coverage: Any, source_mask: Any) -> Any:
    """``(N,)`` the sum over real source places of the logarithm of their coverage ``(N, S)``, 1 at the most."""
    covered = ops.reshape(
        ops.log(ops.clip(coverage, _LEAST_ATTENTION, 1.0)), (source_mask.shape[0], -1, coverage.shape[-1])
    )
    return ops.reshape(ops.sum(ops.where(ops.expand_dims(source_mask, 1), covered, 0.0), axis=-1), (-1,))


def _checked(attention: Any) -> Any:
    """Attention, which is there."""
    if attention is None:
        raise ConfigError(
            f"a coverage penalty needs attention, and step returns none: pass {arg(coverage_penalty=None)}"
        )
    return attention


def _numbers(log_p: Any, tokens: Any, at_limit: Any, size: Any) -> tuple[Any, Any]:
    """Of continuations ``(B, 2 K)``, best first, the numbers of those that finish, and of those that go on; else ``-2 K``.

    Numbers of ``size`` and more are too many. At the limit those that go on finish, too, after those that end.
    """
    none = -log_p.shape[-1]
    possible, ends = log_p > NEVER, tokens == _EOS
    goes = ops.logical_and(possible, ops.logical_not(ends))
    ends = ops.logical_and(ops.logical_and(possible, ends), ops.arange(-none) < size)
    ended, gone = (ops.cumsum(ops.cast(mask, "int32"), axis=-1) for mask in (ends, goes))
    going = ops.where(goes, gone - 1, none)
    at_last = ops.where(ops.logical_and(goes, at_limit), ended[:, -1:] + going, none)
    return ops.where(ends, ended - 1, at_last), going


def _places(numbers: Any, width: int, size: Any) -> tuple[Any, Any]:
    """Where in ``(B, M)`` the numbers 0 to K - 1 are, and whether they are there and less than ``size``, ``(B, K)``."""
    wanted = ops.arange(width, dtype="int32")
    here = ops.expand_dims(numbers, 1) == ops.expand_dims(wanted, -1)
    there = ops.logical_and(ops.any(here, axis=-1), wanted < size)
    return ops.cast(ops.argmax(ops.cast(here, "int32"), axis=-1), "int32"), there


def _picked(x: Any, chosen: Any) -> Any:
    """Of ``(B, M)`` those at ``(B, K)``."""
    return ops.take_along_axis(x, chosen, axis=-1)


def _extended(histories: Any, i: Any, rows: Any, tokens: Any, chosen: Any) -> Any:
    """``(B, K, L)`` the histories of those chosen, with their tokens at place ``i``."""
    before = ops.take(histories, _picked(rows, chosen), axis=0)
    return ops.where(ops.arange(histories.shape[-1]) == i, ops.expand_dims(_picked(tokens, chosen), -1), before)
