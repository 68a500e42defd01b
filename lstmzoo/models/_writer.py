"""How translations are written: greedily, by beam search or by sampling, by one model or several."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from lstmzoo.decoding import NEVER, BeamSearch, Sampling, beam_search, greedy_search, repeat_rows, sampled_search
from lstmzoo.layers import gumbel
from lstmzoo.models._base import State
from lstmzoo.models._translation import TranslationStepper, real
from lstmzoo.programs import Programs


class Writer:
    """Writes translations: by one model, or by several of the same vocabularies, whose probabilities are averaged.

    Args:
        steppers: Of the models.
        banned: ``(V,)`` whether a token may never be written.

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014, section 3.6 (ensembles).
    """

    def __init__(self, steppers: Sequence[TranslationStepper], banned: np.ndarray) -> None:
        self._steppers = steppers
        self._banned = banned
        self._programs = Programs(*(stepper.network for stepper in steppers))

    def greedy(self, source: np.ndarray, limits: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest token each time: tokens ``(B, length)``, 0 after the end, and their log-likelihoods ``(B,)``.

        Args:
            source: ``(B, S)``.
            limits: ``(B,)`` the most tokens of each.
            length: The most of all.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            step, states = self._begun(inputs["source"], 1)
            first = ops.zeros_like(inputs["limits"])
            tokens, log_probs = greedy_search(step, first, states, inputs["limits"], length=length)
            return {"tokens": tokens, "log_probs": log_probs}

        given = {"source": source, "limits": limits}
        answer = self._programs.run(("greedy", source.shape, length), run, given)
        return answer["tokens"], answer["log_probs"]

    def search(
        self, source: np.ndarray, limits: np.ndarray, length: int, beam: BeamSearch
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tokens ``(B, K, length)`` of the K best hypotheses, and their scores ``(B, K)``.

        Args:
            source: ``(B, S)``.
            limits: ``(B,)`` the most tokens of each.
            length: The most of all.
            beam: How they are searched for.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            step, states = self._begun(inputs["source"], beam.size)
            first = ops.zeros_like(inputs["limits"])
            how = replace(beam, **{name: inputs[name] for name in penalties})
            mask = real(inputs["source"])
            tokens, scores, _ = beam_search(step, first, states, inputs["limits"], how, length=length, source_mask=mask)
            return {"tokens": tokens, "scores": scores}

        both = {"length_penalty": beam.length_penalty, "coverage_penalty": beam.coverage_penalty}
        penalties = {name: np.asarray(value, "float32") for name, value in both.items() if value is not None}
        key = ("search", source.shape, length, beam.size, beam.no_repeat_ngram, *penalties)
        answer = self._programs.run(key, run, {"source": source, "limits": limits, **penalties})
        return answer["tokens"], answer["scores"]

    def sample(
        self, source: np.ndarray, limits: np.ndarray, length: int, sampling: Sampling, seeds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Drawn tokens ``(B, length)``, 0 after the end, and their log-likelihoods ``(B,)``.

        Args:
            source: ``(B, S)``.
            limits: ``(B,)`` the most tokens of each.
            length: The most of all.
            sampling: How they are drawn.
            seeds: ``(B, 2)`` int32.
        """

        def run(inputs: dict[str, Any]) -> dict[str, Any]:
            step, states = self._begun(inputs["source"], 1)
            given, size = sampling.given(inputs), len(self._banned)

            def draw(log_probs: Any, i: Any) -> Any:
                return given.draw(log_probs, gumbel(inputs["seeds"], i, size), None)

            first = ops.zeros_like(inputs["limits"])
            tokens, log_probs = sampled_search(step, draw, first, states, inputs["limits"], length=length)
            return {"tokens": tokens, "log_probs": log_probs}

        key = ("sample", source.shape, length, sampling.filtered)
        answer = self._programs.run(
            key, run, {"source": source, "limits": limits, "seeds": seeds, **sampling.numbers()}
        )
        return answer["tokens"], answer["log_probs"]

    def _begun(self, source: Any, times: int) -> tuple[Callable, list[State]]:
        """A step of the models together, and their states, each row so many times; the source is encoded once."""
        memories, states = zip(*(stepper.read(source) for stepper in self._steppers), strict=True)
        known = [memory.of(lambda part: repeat_rows(part, times)) for memory in memories]

        def step(tokens: Any, states: list[State]) -> tuple[Any, list[State], Any]:
            log_probs, weights, after = [], [], []
            for stepper, memory, before in zip(self._steppers, known, states, strict=True):
                hidden, its_weights, now = stepper.write(ops.expand_dims(tokens, 1), memory, before)
                log_probs.append(stepper.head.log_probs(hidden[:, 0]))
                weights += [] if its_weights is None else [its_weights[:, 0]]
                after.append(now)
            mixed = log_probs[0] if len(log_probs) == 1 else _averaged(log_probs)
            return ops.where(self._banned, NEVER, mixed), after, _mean(weights) if weights else None

        return step, repeat_rows(list(states), times)


def _averaged(log_probs: list[Any]) -> Any:
    """The logarithm of the mean of probabilities."""
    return ops.logsumexp(ops.stack(log_probs), axis=0) - math.log(len(log_probs))


def _mean(several: list[Any]) -> Any:
    return several[0] if len(several) == 1 else ops.mean(ops.stack(several), axis=0)
