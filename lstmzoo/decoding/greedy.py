"""Search that follows one hypothesis of each sentence: greedily, or by sampling.

Sizes: B sentences, V vocabulary, L tokens at most.
"""

from collections.abc import Callable

from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.decoding.candidates import EOS, SearchStep, continuations

# From log-probabilities (B, V), log P so far and the token's number to a token, and log P with it.
_Choice = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def greedy_search(
    step: SearchStep, first: Tensor, state: State, limits: Tensor, *, length: int
) -> tuple[Tensor, Tensor]:
    """Take the most probable token each time, until eos or the limit. Sentences that have ended wait for the others.

    Args:
        step: As for :func:`beam_search`, with B for N.
        first: ``(B,)`` the last tokens before the search.
        state: Nested tensors ``(B, ...)``, before ``first``.
        limits: ``(B,)`` the maximal number of tokens of each sentence, eos included; from 1 to L.
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

    def most_probable(log_probs: Tensor, log_p: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
        longer, _, following = continuations(ops.expand_dims(log_p, -1), log_probs, 1)
        return following[:, 0], longer[:, 0]

    return _written(step, most_probable, first, state, limits, length)


def sampled_search(
    step: SearchStep, draw: Callable[[Tensor, Tensor], Tensor], first: Tensor, state: State, limits: Tensor, *,
    length: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Draw a token each time, until eos or the limit.

    Args:
        draw: ``(log_probs (B, V), i) -> tokens (B,)``, where i is the number of the token, from 0. The other arguments are
            those of :func:`greedy_search`.

    Returns:
        Tokens ``(B, L)``, 0 from the eos on, and their log P ``(B,)`` by ``step``, whatever ``draw`` did.
    """

    def drawn(log_probs: Tensor, log_p: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
        tokens = ops.cast(draw(log_probs, i), "int32")
        return tokens, log_p + ops.take_along_axis(log_probs, ops.expand_dims(tokens, -1), axis=-1)[:, 0]

    return _written(step, drawn, first, state, limits, length)


def _written(
    step: SearchStep, choose: _Choice, first: Tensor, state: State, limits: Tensor, length: int
) -> tuple[Tensor, Tensor]:
    """Choose tokens ``(B, L)`` until eos or the limit; returns them and their log P ``(B,)``."""
    limits = ops.cast(limits, "int32")
    places = ops.arange(length, dtype="int32")

    def goes_on(i: Tensor, last: Tensor, state: State, tokens: Tensor, log_p: Tensor, ended: Tensor) -> Tensor:
        return ops.any(ops.logical_and(ops.logical_not(ended), i < limits))

    def body(i: Tensor, last: Tensor, state: State, tokens: Tensor, log_p: Tensor, ended: Tensor) -> tuple:
        log_probs, state, _ = step(last, state)
        following, longer = choose(ops.cast(log_probs, "float32"), log_p, i)
        goes = ops.logical_and(ops.logical_not(ended), i < limits)
        last = ops.where(goes, following, EOS)
        tokens = ops.where(places == i, ops.expand_dims(last, -1), tokens)
        log_p = ops.where(goes, longer, log_p)
        return i + 1, last, state, tokens, log_p, ops.logical_or(ended, last == EOS)

    batch = first.shape[0]
    log_p, ended = ops.zeros((batch,), dtype="float32"), ops.zeros((batch,), dtype="bool")
    tokens = ops.zeros((batch, length), dtype="int32")
    begin = ops.zeros((), dtype="int32"), ops.cast(first, "int32"), state, tokens, log_p, ended
    _, _, _, tokens, log_p, _ = ops.while_loop(goes_on, body, begin)
    return tokens, log_p
