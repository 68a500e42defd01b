"""Small translation models, with random sentences."""

from typing import Any

import keras
import numpy as np

from lstmzoo.checks._base import TOYS, Inputs, Toy, Toys
from lstmzoo.config import ModelConfig
from lstmzoo.spec import TranslationSpec


def _spec(config: ModelConfig) -> TranslationSpec:
    """Return small sizes, with one vocabulary for both languages."""
    return TranslationSpec(source_vocab_size=30, target_vocab_size=30, joint=True)


def _make(model: keras.Model, spec: TranslationSpec, rng: np.random.Generator) -> Toy:
    """Return a toy with sentences of several lengths; neither the first nor the last one is the longest."""
    source, targets = np.zeros((4, 6), "int32"), np.zeros((4, 5), "int32")
    for row, (length, its_length) in enumerate([(3, 2), (5, 4), (1, 3), (4, 1)]):
        source[row, :length] = rng.integers(1, spec.source_vocab_size, length)
        targets[row, :its_length] = rng.integers(1, spec.target_vocab_size, its_length)
    inputs = {"source": source, "previous": np.pad(targets[:, :-1], ((0, 0), (1, 0))), "targets": targets}
    return Toy(model, inputs, np.zeros(targets.shape, "float32"), lambda _, nll: nll, 0.0,
                _translate_step_by_step, lambda toy: (toy.model.stepper.trainer(), toy.inputs))  # fmt: skip


def _translate_step_by_step(model: Any, inputs: Inputs) -> np.ndarray:
    """Read the source at once, then the targets token by token; tokens after the end have loss 0."""
    memory, state = model.stepper.encode({"source": inputs["source"]}, calls=1)
    parts = []
    for previous, targets in zip(inputs["previous"].T, inputs["targets"].T, strict=True):
        log_probs, state = model.stepper.step({"tokens": previous}, state, memory, calls=1)
        parts.append(-log_probs[np.arange(len(targets)), targets])
    ends = np.cumsum(inputs["targets"] == 0, axis=1)
    return np.where((ends == 0) | ((ends == 1) & (inputs["targets"] == 0)), np.stack(parts, axis=1), 0)


TOYS["translation"] = Toys(_spec, _make, {"units": 16, "embedding_dim": 16})
