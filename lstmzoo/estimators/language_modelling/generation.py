"""Generation with a carried state: prompts in, tokens out, many tokens per compiled step."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lstmzoo.decoding import Sampling
from lstmzoo.estimators.language_modelling._base import Reader
from lstmzoo.models._language import GeneratingStepper
from lstmzoo.seeding import row_seeds

_MOST_ROWS = 64  # batch size of prompts
_CHUNK = 16  # tokens that one compiled step generates
_READ = 64  # tokens of a prompt that one compiled step reads; the rest is read one by one


def continue_prompts(
    stepper: GeneratingStepper, prompts: list[np.ndarray], options: dict[str, Any], banned: np.ndarray, first: int = 0
) -> Iterator[np.ndarray]:
    """Yield tokens ``(B, 16)`` that continue the prompts, endlessly.

    The batch is padded to a power of four, so that few batch sizes are compiled.

    Args:
        prompts: B arrays of token ids; an end of text is put before each.
        options: Arguments of :meth:`lstmzoo.LanguageModel.generate`, checked.
        banned: ``(V,)`` whether a token is never sampled.
        first: Number of the first prompt. Sampling depends on the seed and on the prompt's number.
    """
    count, sampling, filled = len(prompts), _sampling(options, len(banned)), _filled_up(prompts)
    rows = len(filled)
    last, state = read_prompts(stepper, filled)
    seen = np.zeros((rows, len(banned)), bool)
    for row, prompt in enumerate(filled):
        seen[row, prompt] = True
    seeds = np.zeros((rows, 2), np.int32)
    for row, seed in enumerate(row_seeds(options["random_state"], range(first, first + count))):
        seeds[row] = seed.generate_state(2).view(np.int32)
    position = 0
    while True:
        tokens, state, seen = stepper.generate(
            last, state, seen, sampling, length=_CHUNK, position=position, seeds=seeds, banned=banned
        )
        yield tokens[:count]
        last, position = tokens[:, -1], position + _CHUNK


def read_on(stepper: GeneratingStepper, prompts: list[np.ndarray]) -> Reader:
    """Yield the log probabilities ``(B, V)`` of the next tokens after prompts; the tokens ``(B,)`` that follow are sent back."""
    count, filled = len(prompts), _filled_up(prompts)
    last, state = read_prompts(stepper, filled)
    while True:
        log_probs, state = stepper.step({"tokens": last}, state)
        tokens = yield log_probs[:count].astype(float)
        last = np.pad(tokens, (0, len(filled) - count), mode="edge")


def next_log_probs(stepper: GeneratingStepper, prompts: list[np.ndarray]) -> np.ndarray:
    """Return the log probabilities ``(n, V)`` of the next token after each prompt."""
    calls, found = math.ceil(len(prompts) / _MOST_ROWS), []
    for first in range(0, len(prompts), _MOST_ROWS):
        part = prompts[first : first + _MOST_ROWS]
        last, state = read_prompts(stepper, _filled_up(part))
        log_probs, _ = stepper.step({"tokens": last}, state, calls=calls)
        found.append(log_probs[: len(part)])
    return np.concatenate(found).astype(float)


def _sampling(options: dict[str, Any], vocab_size: int) -> Sampling:
    top_k = vocab_size if options["top_k"] is None else min(int(options["top_k"]), vocab_size)
    return Sampling(
        temperature=float(options["temperature"]),
        top_k=top_k,
        top_p=float(options["top_p"]),
        repetition_penalty=float(options["repetition_penalty"]),
        filtered=top_k < vocab_size or options["top_p"] < 1,
        penalized=options["repetition_penalty"] != 1,
    )


def _filled_up(prompts: list[np.ndarray]) -> list[np.ndarray]:
    """Return prompts, with the last one repeated until their number is a power of four."""
    return [*prompts, *[prompts[-1]] * (4 ** math.ceil(math.log(len(prompts), 4)) - len(prompts))]


def read_prompts(stepper: GeneratingStepper, prompts: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the last token ``(B,)`` of each prompt, and the state before it. Prompts may have different lengths."""
    streams = [np.concatenate([np.zeros(1, np.int32), prompt]) for prompt in prompts]
    left = np.array([len(stream) - 1 for stream in streams])
    place = np.zeros(len(streams), int)
    state = stepper.begin(len(streams))
    for size in (_READ, 1):
        while (left >= size).any():
            reading = left >= size
            tokens = np.zeros((len(streams), size), np.int32)
            for row in np.flatnonzero(reading):
                tokens[row] = streams[row][place[row] : place[row] + size]
            _, after = stepper.encode({"tokens": tokens}, state, calls=left.max() / size)
            state = [_chosen(reading, new, old) for new, old in zip(after, state, strict=True)]
            left, place = left - size * reading, place + size * reading
    return np.array([stream[-1] for stream in streams], np.int32), state


def _chosen(rows: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    return np.where(rows.reshape(-1, *(1,) * (new.ndim - 1)), new, old)
