"""From sentences to translations: what is decoded together, and what comes back in which place."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstmzoo.decoding import BeamSearch, Sampling
from lstmzoo.decoding.shapes import ANY, MAX_TOKENS, Shapes
from lstmzoo.errors import DataError
from lstmzoo.layers import LOG_ZERO
from lstmzoo.preprocessing import decoding_batches, padded_sentences

_HYPOTHESES = 64 * 64 * 5  # positions of the source, for each translation that is followed, at a time
_PAIRS = 64**3  # positions of the source, for each of the target, at a time
_SPARE = 10  # tokens that a translation may have beyond twice what is usual


@dataclass(frozen=True)
class Decoded:
    """Translations of one sentence, the best first.

    Attributes:
        tokens: Ids of each, without the end.
        scores: Of each.
    """

    tokens: list[np.ndarray]
    scores: list[float]


def decode_greedily(writer: Any, sources: list[np.ndarray], ratio: float) -> list[Decoded]:
    """The likeliest token each time."""

    def run(source: np.ndarray, limits: np.ndarray, length: int, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens, log_probs = writer.greedy(source, limits, length)
        return tokens[:, None], log_probs[:, None]

    return _decoded(run, sources, ratio, 1)


def decode_by_beam(
    writer: Any, sources: list[np.ndarray], ratio: float, beam: BeamSearch, n_best: int, shapes: Shapes = ANY
) -> list[Decoded]:
    """The best of a beam search."""
    beam = replace(beam, width=shapes.places(beam.size))

    def run(source: np.ndarray, limits: np.ndarray, length: int, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens, scores = writer.search(source, limits, length, beam)
        return tokens[:, :n_best], scores[:, :n_best]

    return _decoded(run, sources, ratio, beam.places, shapes)


def decode_by_sampling(
    writer: Any, sources: list[np.ndarray], ratio: float, sampling: Sampling, n: int, random_state: int | None
) -> list[Decoded]:
    """Drawn translations, ``n`` of each sentence; what is drawn depends on the seed and the sentence's place alone."""
    entropy = np.random.SeedSequence(random_state).entropy
    places = [np.random.SeedSequence(entropy, spawn_key=(place,)) for place in range(len(sources))]
    seeds = np.array([place.generate_state(2 * n).astype(np.int32).reshape(n, 2) for place in places])

    def run(source: np.ndarray, limits: np.ndarray, length: int, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = np.resize(members, len(source))
        drawn = [writer.sample(source, limits, length, sampling, seeds[rows, i]) for i in range(n)]
        tokens, log_probs = zip(*drawn, strict=True)
        return np.stack(tokens, axis=1), np.stack(log_probs, axis=1)

    return _decoded(run, sources, ratio, 1)


def _decoded(
    run: Callable, sources: list[np.ndarray], ratio: float, beam_size: int, shapes: Shapes = ANY
) -> list[Decoded]:
    """What is written for each source; nothing for one without tokens.

    Args:
        run: From ``source`` (B, S), ``limits`` (B,), the most tokens of all, and the sentences' numbers, to tokens (B, n, L) and
            scores (B, n).
        sources: Ids of each.
        ratio: How many tokens a translation has for each of its source.
        beam_size: How many are followed side by side.
        shapes: That are compiled.
    """
    found = [Decoded([np.zeros(0, np.int32)], [0.0])] * len(sources)
    lengths = np.array([len(ids) for ids in sources])

    def most(width: int) -> int:
        return _most_rows(width * beam_size, _HYPOTHESES, shapes)

    for members, width in decoding_batches(lengths, most, shapes.lengths):
        source = padded_sentences([sources[i] for i in members], width, _rows(len(members), shapes))
        limits = _limits(np.pad(lengths[members], (0, len(source) - len(members))), ratio)
        length = int(_limits(np.array([width]), ratio)[0])
        tokens, scores = run(source, limits, length, members)
        for row, i in enumerate(members):
            there = [k for k in range(len(scores[row])) if scores[row, k] > LOG_ZERO]
            found[i] = Decoded([_cut(tokens[row, k]) for k in there], [float(scores[row, k]) for k in there])
    return found


def _limits(lengths: np.ndarray, ratio: float) -> np.ndarray:
    return (2 * ratio * lengths).astype(np.int32) + _SPARE


def _cut(tokens: np.ndarray) -> np.ndarray:
    """Up to the end."""
    return tokens[: int((np.append(tokens, 0) == 0).argmax())]


def _rows(count: int, shapes: Shapes = ANY) -> int:
    """A number of rows that is compiled for, such as holds so many sentences."""
    return min(rows for rows in shapes.rows if rows >= count)


def _most_rows(positions: int, most: int, shapes: Shapes = ANY) -> int:
    """How many sentences of so many positions have no more than ``most`` together; one at least."""
    return next(rows for rows in shapes.rows if rows * positions <= most or rows == 1)


def check_lengths(sentences: Sequence[np.ndarray], what: str) -> None:
    """Refuse what is no sentence.

    Args:
        sentences: Ids of each.
        what: What messages call them.

    Raises:
        DataError: If one has more tokens than can be translated.
    """
    for number, ids in enumerate(sentences):
        if len(ids) > MAX_TOKENS:
            raise DataError(
                f"{what} {number} has {len(ids):,} tokens, and at most {MAX_TOKENS:,} are translated: split it into sentences"
            )


def pair_batches(
    sources: list[np.ndarray], targets: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Pairs to be scored: their numbers, and the inputs of a model, in few shapes; none is left out."""
    lengths = np.array([(len(a), len(b)) for a, b in zip(sources, targets, strict=True)]).reshape(-1, 2)
    for members, width in decoding_batches(np.maximum(lengths, 1), lambda width: _most_rows(width**2, _PAIRS)):
        rows = _rows(len(members))
        source, target = (padded_sentences([side[i] for i in members], width, rows) for side in (sources, targets))
        yield members, {"source": source, "previous": np.pad(target[:, :-1], ((0, 0), (1, 0))), "targets": target}


def pair_nll(stepper: Any, batches: list[tuple[np.ndarray, dict[str, np.ndarray]]], calls: float) -> np.ndarray:
    """``(N,)`` negative log-likelihood of each target, its end included, in nats.

    Args:
        stepper: Of a translation model.
        batches: Of :func:`pair_batches`.
        calls: How often they will be scored.
    """
    sums = np.zeros(sum(len(members) for members, _ in batches))
    alike = Counter(inputs["source"].shape for _, inputs in batches)
    for members, inputs in batches:
        nll = stepper.score(**inputs, calls=calls * alike[inputs["source"].shape])
        sums[members] = nll.astype(float).sum(axis=1)[: len(members)]
    return sums
