"""Likelihoods of tokens: of one stream with a carried state, or of separate texts."""

import numpy as np

from lstmzoo.models._language import TokenStepper
from lstmzoo.preprocessing import in_rows, most_calls, most_members, pad_streams, pad_window, side_by_side


def carried_nll(stepper: TokenStepper, stream: np.ndarray, *, rows: int, window: int, times: int = 1) -> np.ndarray:
    """Return the negative log-likelihood of each token of a stream but the first, in nats.

    Args:
        stepper: Stepper of a language model.
        stream: Token ids, with an end of text first.
        rows: Number of rows that the stream is cut into; with 1, the state is carried over the whole stream.
        window: Number of tokens read at a time.
        times: How often a stream of this length will be read; decides whether compiling pays.
    """
    tokens, targets = in_rows(stream, rows)
    calls = times * tokens.shape[1] / window
    capacities = most_members(targets, stepper.cutoffs, window)
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
        stepper: Stepper of a language model.
        streams: Token ids of each text, with an end of text first.
        window: Number of tokens read at a time.
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
