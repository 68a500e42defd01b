"""Batches of sentences: translating them, and scoring given translations."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstmzoo.decoding import BeamSearch, Sampling
from lstmzoo.decoding.shapes import ANY, MAX_TOKENS, Shapes
from lstmzoo.errors import DataError
from lstmzoo.layers import LOG_ZERO
from lstmzoo.models._translation import TranslationStepper
from lstmzoo.preprocessing import batches_by_length, padded_sentences
from lstmzoo.seeding import row_seeds

_HYPOTHESES = 64 * 64 * 5  # maximum source positions times hypotheses in a batch
_PAIRS = 64**3  # maximum source positions times target positions in a batch
_SPARE = 10  # tokens that a translation may have beyond twice the usual number


@dataclass(frozen=True)
class Translations:
    """Translations of one sentence, the best first.

    Attributes:
        tokens: Token ids of each translation, without the end.
        scores: Score of each translation.
    """

    tokens: list[np.ndarray]
    scores: list[float]


def translate_greedily(writer: Any, sources: list[np.ndarray], ratio: float) -> list[Translations]:
    """Translate greedily: take the most probable token at each step."""

    def run(source: np.ndarray, limits: np.ndarray, length: int, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens, log_probs = writer.greedy(source, limits, length)
        return tokens[:, None], log_probs[:, None]

    return _translated(run, sources, ratio, 1)


def translate_by_beam(
    writer: Any, sources: list[np.ndarray], ratio: float, beam: BeamSearch, n_best: int, shapes: Shapes = ANY
) -> list[Translations]:
    """Translate by beam search, and return the ``n_best`` hypotheses of each sentence."""
    beam = replace(beam, width=shapes.places(beam.size))

    def run(source: np.ndarray, limits: np.ndarray, length: int, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tokens, scores = writer.search(source, limits, length, beam)
        return tokens[:, :n_best], scores[:, :n_best]

    return _translated(run, sources, ratio, beam.places, shapes)


def translate_by_sampling(
    writer: Any, sources: list[np.ndarray], ratio: float, sampling: Sampling, n: int, random_state: int | None
) -> list[Translations]:
    """Sample ``n`` translations of each sentence. They depend only on the seed and on the sentence's position in the list."""
    rows = row_seeds(random_state, range(len(sources)))
    seeds = np.array([seed.generate_state(2 * n).astype(np.int32).reshape(n, 2) for seed in rows])

    def run(source: np.ndarray, limits: np.ndarray, length: int, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.resize(members, len(source))
        drawn = [writer.sample(source, limits, length, sampling, seeds[places, i]) for i in range(n)]
        tokens, log_probs = zip(*drawn, strict=True)
        return np.stack(tokens, axis=1), np.stack(log_probs, axis=1)

    return _translated(run, sources, ratio, 1)


def _translated(
    run: Callable, sources: list[np.ndarray], ratio: float, beam_size: int, shapes: Shapes = ANY
) -> list[Translations]:
    """Translate the sources in batches. The translation of a source without tokens is empty.

    Args:
        run: Function from ``source`` (B, S), ``limits`` (B,), the maximum number of tokens, and the sentences' numbers to tokens
            (B, n, L) and scores (B, n).
        sources: Token ids of each sentence.
        ratio: Usual number of tokens in a translation for each token of its source.
        beam_size: Number of hypotheses of each sentence.
        shapes: Shapes that are compiled.
    """
    found = [Translations([np.zeros(0, np.int32)], [0.0])] * len(sources)
    lengths = np.array([len(ids) for ids in sources])

    def most(width: int) -> int:
        return _most_rows(width * beam_size, _HYPOTHESES, shapes)

    for members, width in batches_by_length(lengths, most, shapes.lengths):
        source = padded_sentences([sources[i] for i in members], width, _rows(len(members), shapes))
        limits = _limits(np.pad(lengths[members], (0, len(source) - len(members))), ratio)
        length = int(_limits(np.array([width]), ratio)[0])
        tokens, scores = run(source, limits, length, members)
        for row, i in enumerate(members):
            there = [k for k in range(len(scores[row])) if scores[row, k] > LOG_ZERO]
            found[i] = Translations([_cut(tokens[row, k]) for k in there], [float(scores[row, k]) for k in there])
    return found


def _limits(lengths: np.ndarray, ratio: float) -> np.ndarray:
    return (2 * ratio * lengths).astype(np.int32) + _SPARE


def _cut(tokens: np.ndarray) -> np.ndarray:
    """Return the tokens before the end of the sentence."""
    return tokens[: int((np.append(tokens, 0) == 0).argmax())]


def _rows(count: int, shapes: Shapes = ANY) -> int:
    """Return the smallest compiled batch size that holds this many sentences."""
    return min(rows for rows in shapes.rows if rows >= count)


def _most_rows(positions: int, most: int, shapes: Shapes = ANY) -> int:
    """Return the largest batch size with at most ``most`` positions in all, or 1 if there is none."""
    return next(rows for rows in shapes.rows if rows * positions <= most or rows == 1)


def check_lengths(sentences: Sequence[np.ndarray], what: str) -> None:
    """Refuse sentences that are too long.

    Args:
        sentences: Token ids of each sentence.
        what: Name of the sentences in messages.

    Raises:
        DataError: If one has more tokens than can be translated.
    """
    for number, ids in enumerate(sentences):
        if len(ids) > MAX_TOKENS:
            raise DataError(
                f"{what} {number} has {len(ids):,} tokens; at most {MAX_TOKENS:,} can be translated: split it into sentences"
            )


def pair_batches(
    sources: list[np.ndarray], targets: list[np.ndarray]
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield batches of pairs in few shapes, as the pairs' numbers and the inputs of a model. No pair is left out."""
    lengths = np.array([(len(a), len(b)) for a, b in zip(sources, targets, strict=True)]).reshape(-1, 2)
    for members, width in batches_by_length(np.maximum(lengths, 1), lambda width: _most_rows(width**2, _PAIRS)):
        rows = _rows(len(members))
        source, target = (padded_sentences([side[i] for i in members], width, rows) for side in (sources, targets))
        yield members, {"source": source, "previous": np.pad(target[:, :-1], ((0, 0), (1, 0))), "targets": target}


def pair_nll(
    stepper: TranslationStepper, batches: list[tuple[np.ndarray, dict[str, np.ndarray]]], calls: float
) -> np.ndarray:
    """Return the negative log-likelihood ``(N,)`` of each target, its end included, in nats.

    Args:
        stepper: Stepper of a translation model.
        batches: Batches of :func:`pair_batches`.
        calls: How often they will be scored; decides whether compiling pays.
    """
    sums = np.zeros(sum(len(members) for members, _ in batches))
    for members, nll in _scored(stepper, batches, calls):
        sums[members] = nll.sum(axis=1)
    return sums


def pair_token_log_probs(
    stepper: TranslationStepper, sources: list[np.ndarray], targets: list[np.ndarray]
) -> np.ndarray:
    """Return the log-probability of each token of each target, its end included, target by target."""
    found: dict[int, np.ndarray] = {}
    for members, nll in _scored(stepper, list(pair_batches(sources, targets)), calls=1):
        found |= {i: -row[: len(targets[i]) + 1] for i, row in zip(members.tolist(), nll, strict=True)}
    return np.concatenate([found[i] for i in range(len(targets))])


def _scored(
    stepper: TranslationStepper, batches: list[tuple[np.ndarray, dict[str, np.ndarray]]], calls: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers of each batch's pairs, and the negative log-likelihood ``(B, T)`` of each token."""
    alike = Counter(inputs["source"].shape for _, inputs in batches)
    for members, inputs in batches:
        nll = stepper.score(**inputs, calls=calls * alike[inputs["source"].shape])
        yield members, nll.astype(float)[: len(members)]
