"""How likely a network finds tokens: in one stream, the state carried, or in texts of their own."""

from typing import Any

import numpy as np

from lstmzoo.preprocessing import in_rows, most_members, padded

_ROWS = 64  # texts that are scored side by side


def carried_nll(stepper: Any, stream: np.ndarray, *, rows: int, window: int, times: int = 1) -> np.ndarray:
    """Negative log-likelihood of each token of a stream but the first, in nats.

    Args:
        stepper: Of a language model.
        stream: Token ids, an end of text before the first.
        rows: Read side by side; with 1, the state is carried over the whole stream.
        window: Tokens read at a time.
        times: How often such a stream will be read.
    """
    tokens, targets = in_rows(stream, rows)
    calls = times * tokens.shape[1] / window
    capacities = most_members(targets, stepper.cutoffs, window)
    state, parts = stepper.begin(rows), []
    for place in range(0, tokens.shape[1], window):
        part = slice(place, place + window)
        nll, _, state = stepper.score(
            *padded(tokens[:, part], targets[:, part], window), state, calls=calls, capacities=capacities
        )
        parts.append(nll)
    flat = np.concatenate(parts, axis=1)[:, : tokens.shape[1]].astype(float)
    return flat[targets >= 0]


def separate_nll(stepper: Any, streams: list[np.ndarray], *, window: int) -> np.ndarray:
    """Negative log-likelihoods ``(n,)`` of streams, each from a state of its own; those of like length side by side.

    Args:
        stepper: Of a language model.
        streams: Token ids, an end of text before the first.
        window: Tokens read at a time.
    """
    sums = np.zeros(len(streams))
    calls = sum(map(len, streams)) / min(len(streams), _ROWS) / window
    order = np.argsort([len(stream) for stream in streams], kind="stable")
    first = 0
    while first < len(order):
        shortest = max(len(streams[order[first]]), window)
        alike = [i for i in order[first : first + _ROWS] if len(streams[i]) <= 4 * shortest]
        sums[alike] = _sums(stepper, [streams[i] for i in alike], window, calls)
        first += len(alike)
    return sums


def _sums(stepper: Any, streams: list[np.ndarray], window: int, calls: float) -> np.ndarray:
    """Of each stream, side by side; each is filled up to the longest, and their number to a power of four."""
    rows = next(4**k for k in range(4) if 4**k >= len(streams))
    longest = max(len(stream) for stream in streams) - 1
    tokens, targets = np.zeros((rows, longest), np.int32), np.full((rows, longest), -1, np.int32)
    for row, stream in enumerate(streams):
        tokens[row, : len(stream) - 1], targets[row, : len(stream) - 1] = stream[:-1], stream[1:]
    state, sums = stepper.begin(rows), np.zeros(rows)
    for place in range(0, longest, window):
        part = slice(place, place + window)
        nll, _, state = stepper.score(*padded(tokens[:, part], targets[:, part], window), state, calls=calls)
        wanted = targets[:, part] >= 0
        sums += np.where(wanted, nll[:, : wanted.shape[1]].astype(float), 0).sum(axis=1)
    return sums[: len(streams)]
