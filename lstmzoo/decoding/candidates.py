"""The most probable continuations of hypotheses, and bans of those that repeat themselves.

Sizes: B sentences, K hypotheses of each, N = B K rows, V vocabulary, L tokens.
"""

from collections.abc import Callable

from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.layers import LOG_ZERO

# From tokens (N,) and state to log-probabilities (N, V), state, and attention (N, S) or None.
SearchStep = Callable[[Tensor, State], tuple[Tensor, State, Tensor | None]]

EOS = 0

_BLOCK = 32  # tokens; the fastest of 16 to 128 on a CPU at V = 8,000, and several times faster than a top k of all


def continuations(live: Tensor, log_probs: Tensor, wanted: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the most probable continuations of each sentence.

    They lie in the ``wanted`` blocks of tokens with the largest maxima.

    Args:
        live: ``(B, K)`` log P of the hypotheses.
        log_probs: ``(N, V)``.
        wanted: How many to find.

    Returns:
        Log P, hypotheses and tokens ``(B, wanted)``, best first. Log P is ``LOG_ZERO`` where there are fewer continuations.
    """
    batch, size = live.shape
    blocks = -(-log_probs.shape[-1] // _BLOCK)
    missing = blocks * _BLOCK - log_probs.shape[-1]
    if missing:
        log_probs = ops.pad(log_probs, ((0, 0), (0, missing)), constant_values=LOG_ZERO)
    log_probs = ops.reshape(log_probs, (batch, size, blocks, _BLOCK))
    best = ops.maximum(ops.expand_dims(live, -1) + ops.max(log_probs, axis=-1), LOG_ZERO)
    _, places = ops.top_k(ops.reshape(best, (batch, size * blocks)), min(wanted, size * blocks))
    places = ops.sort(ops.cast(places, "int32"), axis=-1)  # so that the first of equal continuations is found first
    flat = places + ops.expand_dims(ops.arange(batch, dtype="int32") * (size * blocks), -1)
    within = ops.take(ops.reshape(log_probs, (-1, _BLOCK)), flat, axis=0)
    log_p = ops.maximum(ops.expand_dims(picked(live, places // blocks), -1) + within, LOG_ZERO)
    log_p, inside = ops.top_k(ops.reshape(log_p, (batch, -1)), wanted)
    inside = ops.cast(inside, "int32")
    places = picked(places, inside // _BLOCK)
    return log_p, places // blocks, places % blocks * _BLOCK + inside % _BLOCK


def without_repeats(log_probs: Tensor, histories: Tensor, i: Tensor, n: Tensor) -> Tensor:
    """Ban tokens that would complete an n-gram for the second time.

    Args:
        log_probs: ``(N, V)``.
        histories: ``(N, L)``, of which the first ``i`` tokens count.
        i: Number of tokens so far.
        n: Length of the n-grams, a number or a scalar tensor; 0 bans nothing.

    Returns:
        ``(N, V)`` log-probabilities, ``LOG_ZERO`` for banned tokens.
    """
    rows, length = histories.shape
    places = ops.arange(length, dtype="int32")

    def matching(back: Tensor, met: Tensor) -> Tensor:
        """Whether the tokens ``back`` places before each place and before the next token are equal, ``(N, L)``."""
        latest = ops.take(histories, ops.maximum(i - back, 0), axis=1)
        return ops.logical_and(
            met, ops.take(histories, ops.maximum(places - back, 0), axis=1) == ops.expand_dims(latest, -1)
        )

    def banned() -> Tensor:
        met = ops.broadcast_to(ops.logical_and(places >= n - 1, places < i), (rows, length))
        met = ops.fori_loop(1, n, matching, met)
        numbers = ops.broadcast_to(ops.expand_dims(ops.arange(rows, dtype="int32"), -1), (rows, length))
        where = ops.reshape(ops.stack([numbers, histories], axis=-1), (-1, 2))
        taken = ops.reshape(ops.where(met, LOG_ZERO, 0.0), (-1,))
        return ops.maximum(ops.scatter_update(log_probs, where, taken, reduction="add"), LOG_ZERO)

    if isinstance(n, int):
        return banned() if n else log_probs
    return ops.cond(n > 0, banned, lambda: log_probs)


def picked(x: Tensor, chosen: Tensor) -> Tensor:
    """The elements of ``(B, M)`` at the places ``(B, K)``."""
    return ops.take_along_axis(x, chosen, axis=-1)
