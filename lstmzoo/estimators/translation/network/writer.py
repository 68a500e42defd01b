"""Writing translations greedily, by beam search or by sampling, with one model or an ensemble."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Batch, State, Tensor, Tensors
from lstmzoo.decoding import (
    BeamSearch,
    Sampling,
    SearchStep,
    begin_search,
    continue_search,
    greedy_search,
    repeat_rows,
    sampled_search,
)
from lstmzoo.layers import LOG_ZERO, gumbel
from lstmzoo.models._base import mixed_log_probs
from lstmzoo.models._translation import TranslationStepper, sentence_mask
from lstmzoo.programs import Program, Programs, named, unnamed

_BLOCK = 32  # tokens that one compiled call searches for


class Writer:
    """Compiled decoding with one model, or with several of the same vocabularies, whose probabilities are averaged.

    Writers of one model share what was compiled: it stays with the model when its weights change.

    Args:
        steppers: Steppers of the models.
        banned: ``(V,)`` whether a token is never written.
        weights: Their weights, above 0 and of sum 1; equal ones if None.

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014, section 3.6 (ensembles).
    """

    def __init__(
        self, steppers: Sequence[TranslationStepper], banned: np.ndarray, weights: Sequence[float] | None = None
    ) -> None:
        self._steppers = steppers
        self._weights = weights or [1 / len(steppers)] * len(steppers)
        self._banned = banned
        self._programs = (
            steppers[0].programs if len(steppers) == 1 else Programs(*(stepper.network for stepper in steppers))
        )

    def greedy(self, source: np.ndarray, limits: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return greedy tokens ``(B, length)``, 0 after the end, and their log-likelihoods ``(B,)``.

        Args:
            source: ``(B, S)`` token ids.
            limits: ``(B,)`` maximum number of tokens of each translation.
            length: Maximum of all limits.
        """

        def run(inputs: Tensors) -> Tensors:
            step, states = self._begun(inputs["source"])
            first = ops.zeros_like(inputs["limits"])
            tokens, log_probs = greedy_search(step, first, states, inputs["limits"], length=length)
            return {"tokens": tokens, "log_probs": log_probs}

        given = {"source": source, "limits": limits}
        answer = self._run(("greedy", length), run, given)
        return answer["tokens"], answer["log_probs"]

    def search(
        self, source: np.ndarray, limits: np.ndarray, length: int, beam: BeamSearch
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the tokens ``(B, K, length)`` of the K best hypotheses and their scores ``(B, K)``, -1e30 if there are fewer.

        The search is compiled for ``beam.width`` hypotheses, or, if that is None, for ``beam.size``; penalties and n-grams are
        inputs. It runs in blocks of 32 tokens, so that whoever serves it can stop it or let others go first.

        Args:
            source, limits, length: As for :meth:`greedy`.
            beam: Settings of the beam search.
        """
        covering, banning = beam.coverage_penalty is not None, beam.width is not None or beam.no_repeat_ngram > 0
        how = replace(beam, coverage_penalty=0.0 if covering else None, no_repeat_ngram=0, width=beam.places)
        template, known = self._carry_template(covering), [stepper.memory for stepper in self._steppers]

        def begin(inputs: Tensors) -> Tensors:
            memories, states = self._read(inputs["source"])
            first, mask = ops.zeros_like(inputs["source"][:, 0]), sentence_mask(inputs["source"])
            carry = begin_search(first, repeat_rows(states, how.places), how, length=length, source_mask=mask)
            return {**named(carry, "carry"), **named(memories, "memory")}

        def advance(inputs: Tensors) -> Tensors:
            given = replace(how, **{name: inputs[name] for name in numbers})
            carry = keras.tree.pack_sequence_as(template, unnamed(inputs, "carry"))
            step = self._step(repeat_rows(keras.tree.pack_sequence_as(known, unnamed(inputs, "memory")), how.places))
            carry, going = continue_search(
                step, carry, inputs["limits"], given, until=inputs["until"], source_mask=sentence_mask(inputs["source"])
            )
            return {**named(carry, "carry"), "going": going}

        numbers: dict[str, Any] = {"length_penalty": np.float32(beam.length_penalty)}
        numbers |= {"coverage_penalty": np.float32(beam.coverage_penalty)} if covering else {}
        numbers |= {"no_repeat_ngram": np.int32(beam.no_repeat_ngram)} if banning else {}
        numbers |= {"size": np.int32(beam.size)} if beam.width is not None else {}
        key = (length, how.places, covering, banning, beam.width is not None)
        carry = self._run(("begin", *key), begin, {"source": source})
        memory = {name: array for name, array in carry.items() if name.startswith("memory_")}
        given = {"source": source, "limits": limits, **memory, **{k: np.asarray(v) for k, v in numbers.items()}}
        going, place = True, 0
        while going:
            place += _BLOCK
            carried = {name: array for name, array in carry.items() if name.startswith("carry_")}
            until = np.asarray(min(place, length), "int32")
            carry = self._run(("search", *key), advance, {**given, **carried, "until": until})
            going = bool(carry["going"])
        _, _, (tokens, scores, _), _ = keras.tree.pack_sequence_as(template, unnamed(carry, "carry"))
        order = np.argsort(-scores, axis=-1, kind="stable")
        return np.take_along_axis(tokens, order[..., None], axis=1), np.take_along_axis(scores, order, axis=1)

    def sample(
        self, source: np.ndarray, limits: np.ndarray, length: int, sampling: Sampling, seeds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return sampled tokens ``(B, length)``, 0 after the end, and their log-likelihoods ``(B,)``.

        Args:
            source, limits, length: As for :meth:`greedy`.
            sampling: Settings of the sampling.
            seeds: ``(B, 2)`` int32, a seed for each row.
        """

        def run(inputs: Tensors) -> Tensors:
            step, states = self._begun(inputs["source"])
            given, size = sampling.given(inputs), len(self._banned)

            def draw(log_probs: Tensor, i: Tensor) -> Tensor:
                return given.draw(log_probs, gumbel(inputs["seeds"], i, size), None)

            first = ops.zeros_like(inputs["limits"])
            tokens, log_probs = sampled_search(step, draw, first, states, inputs["limits"], length=length)
            return {"tokens": tokens, "log_probs": log_probs}

        key = ("sample", length, sampling.filtered)
        answer = self._run(key, run, {"source": source, "limits": limits, "seeds": seeds, **sampling.numbers()})
        return answer["tokens"], answer["log_probs"]

    def _run(self, key: tuple, function: Program, inputs: Batch) -> Batch:
        return self._programs.run((*key, self._banned.tobytes()), function, inputs)

    def _begun(self, source: Tensor) -> tuple[SearchStep, list[State]]:
        """Return a step of all models, and their states."""
        memories, states = self._read(source)
        return self._step(memories), states

    def _read(self, source: Tensor) -> tuple[list[State], list[State]]:
        """Return the memory of the source and the first state of each model."""
        memories, states = zip(*(stepper.read(source) for stepper in self._steppers), strict=True)
        return list(memories), list(states)

    def _carry_template(self, covering: bool) -> State:
        """Return the structure of the carry of a search; see :func:`lstmzoo.decoding.continue_search`."""
        states = [stepper.state for stepper in self._steppers]
        return 0, (0, 0, states, 0, 0 if covering else ()), (0, 0, 0), 0

    def _step(self, memories: list[State]) -> SearchStep:
        """Return a step of all models."""

        def step(tokens: Tensor, states: list[State]) -> tuple[Tensor, list[State], Tensor | None]:
            given = zip(self._steppers, states, memories, strict=True)
            answers = [stepper.write_token(tokens, before, memory) for stepper, before, memory in given]
            log_probs, after, weights = zip(*answers, strict=True)
            mixed = log_probs[0] if len(log_probs) == 1 else mixed_log_probs(log_probs, self._weights)
            attention = [some for some in weights if some is not None]
            return ops.where(self._banned, LOG_ZERO, mixed), list(after), _mean(attention) if attention else None

        return step


def _mean(several: list[Tensor]) -> Tensor:
    return several[0] if len(several) == 1 else ops.mean(ops.stack(several), axis=0)
