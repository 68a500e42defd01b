"""Texts read by a network: the likelihoods of their tokens, and embeddings.

In all functions, ``stepper`` is that of a language model, and ``window`` is the number of tokens read at a time.
"""

from typing import Literal

import numpy as np

from lstmzoo.models._language import TokenStepper
from lstmzoo.preprocessing import in_rows, most_calls, most_members, pad_streams, pad_window, side_by_side

Pooling = Literal["mean", "max", "last"]


def carried_nll(stepper: TokenStepper, stream: np.ndarray, *, rows: int, window: int, times: int = 1) -> np.ndarray:
    """Return the negative log-likelihood of each token of a stream but the first, in nats.

    Args:
        stream: Token ids, with an end of text first.
        rows: Number of rows that the stream is cut into; with 1, the state is carried over the whole stream.
        times: How often a stream of this length will be read; decides whether compiling pays.
    """
    tokens, targets = in_rows(stream, rows)
    calls = times * tokens.shape[1] / window
    capacities = most_members(targets, stepper.head.cutoffs, window)
    state, parts = stepper.begin(rows), []
    for place in range(0, tokens.shape[1], window):
        part = slice(place, place + window)
        nll, _, state = stepper.score(
            *pad_window(tokens[:, part], targets[:, part], window), state, calls=calls, capacities=capacities
        )
        parts.append(nll)
    flat = np.concatenate(parts, axis=1)[:, : tokens.shape[1]].astype(float)
    return flat[targets >= 0]


def separate_nll(stepper: TokenStepper, streams: list[np.ndarray], *, window: int) -> list[np.ndarray]:
    """Return the negative log-likelihood of each token of each stream but its first. The state is not carried between streams.

    Args:
        streams: Token ids of each text, with an end of text first.
    """
    found: list[np.ndarray] = [np.zeros(0)] * len(streams)
    calls = most_calls(streams, window)
    for members in side_by_side(streams, window):
        tokens, targets = pad_streams([streams[i] for i in members])
        state, parts = stepper.begin(len(tokens)), []
        for place in range(0, tokens.shape[1], window):
            part = slice(place, place + window)
            nll, _, state = stepper.score(*pad_window(tokens[:, part], targets[:, part], window), state, calls=calls)
            parts.append(nll)
        whole = np.concatenate(parts, axis=1).astype(float)
        for row, i in enumerate(members):
            found[i] = whole[row, : len(streams[i]) - 1]
    return found


def pooled_states(stepper: TokenStepper, streams: list[np.ndarray], pooling: Pooling, *, window: int) -> np.ndarray:
    """Return a vector ``(n, D)`` for each text: the pooled hidden states after its tokens.

    Args:
        streams: Token ids of each text, with an end of text first. A text without tokens gets the state after that end.
        pooling: ``mean``, ``max`` or ``last``.
    """
    calls = most_calls(streams, window)
    found: list[np.ndarray] = [np.zeros(0)] * len(streams)
    for members in side_by_side(streams, window):
        lengths = np.array([len(streams[i]) for i in members])
        tokens, _ = pad_streams([np.append(streams[i], 0) for i in members])
        first = np.minimum(lengths - 1, 1)  # leaves out the end of text before the first token
        state, pooled = stepper.begin(len(tokens)), None
        for place in range(0, tokens.shape[1], window):
            part = tokens[:, place : place + window]
            hidden, state = stepper.hidden(pad_window(part, part, window)[0], state, calls=calls)
            places = place + np.arange(window)
            counted = (places >= first[:, None]) & (places < lengths[:, None])
            pooled = _pooled(
                hidden[: len(members)].astype(float), counted, places == lengths[:, None] - 1, pooled, pooling
            )
        assert pooled is not None
        for row, i in enumerate(members):
            found[i] = pooled[row] / (lengths[row] - first[row] if pooling == "mean" else 1)
    return np.stack(found)


def _pooled(
    hidden: np.ndarray, counted: np.ndarray, last: np.ndarray, before: np.ndarray | None, pooling: Pooling
) -> np.ndarray:
    """Pool a window ``(B, T, D)`` and the result of the windows before it into ``(B, D)``."""
    if pooling == "max":
        largest = np.where(counted[..., None], hidden, -np.inf).max(axis=1)
        return largest if before is None else np.maximum(before, largest)
    chosen = counted if pooling == "mean" else last
    total = np.where(chosen[..., None], hidden, 0).sum(axis=1)
    return total if before is None else before + total
