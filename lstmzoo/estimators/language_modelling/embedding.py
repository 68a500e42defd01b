"""Embeddings of texts: pooled hidden states of a language model."""

from typing import Literal

import numpy as np

from lstmzoo.models._language import TokenStepper
from lstmzoo.preprocessing import most_calls, pad_streams, pad_window, side_by_side

Pooling = Literal["mean", "max", "last"]


def pooled_states(stepper: TokenStepper, streams: list[np.ndarray], pooling: Pooling, *, window: int) -> np.ndarray:
    """Return a vector ``(n, D)`` for each text: the pooled hidden states after its tokens.

    Args:
        stepper: Stepper of a language model.
        streams: Token ids of each text, with an end of text first. A text without tokens gets the state after that end.
        pooling: ``mean``, ``max`` or ``last``.
        window: Number of tokens read at a time.
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
