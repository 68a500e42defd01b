"""Small language models, with random tokens."""

from typing import Any

import keras
import numpy as np

from lstmzoo.checks._base import TOYS, Inputs, Toy, Toys
from lstmzoo.config import ModelConfig
from lstmzoo.spec import LanguageModellingSpec


def _spec(config: ModelConfig) -> LanguageModellingSpec:
    """Return small sizes, with clusters for an adaptive softmax."""
    return LanguageModellingSpec(vocab_size=30, bptt=6, cutoffs=(8, 20))


def _make(model: keras.Model, spec: LanguageModellingSpec, rng: np.random.Generator) -> Toy:
    tokens = rng.integers(0, spec.vocab_size, (4, spec.bptt + 1)).astype("int32")
    inputs = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:]}
    return Toy(model, inputs, np.zeros((4, spec.bptt), "float32"), lambda _, nll: nll, 0.0, _score_step_by_step,
                _stream_trainer)  # fmt: skip


def _stream_trainer(toy: Toy) -> tuple[keras.Model, Inputs]:
    """Return the model that is trained, and its inputs; each batch starts from a state of zeros."""
    rows = len(toy.target)
    return toy.model.stepper.trainer(rows), {**toy.inputs, "begin": np.ones((rows, 1), "float32")}


def _score_step_by_step(model: Any, inputs: Inputs) -> np.ndarray:
    """Score three tokens at once, then one by one, by scoring and by steps, which must agree."""
    tokens, targets = inputs["tokens"], inputs["targets"]
    begin, rows = model.stepper.begin(len(tokens)), np.arange(len(tokens))
    nll, _, state = model.stepper.score(tokens[:, :3], targets[:, :3], begin)
    _, stepped = model.stepper.encode({"tokens": tokens[:, :3]}, begin)
    parts = [nll]
    for t in range(3, tokens.shape[1]):
        nll, _, state = model.stepper.score(tokens[:, t : t + 1], targets[:, t : t + 1], state)
        log_probs, stepped = model.stepper.step({"tokens": tokens[:, t]}, stepped)
        np.testing.assert_allclose(-log_probs[rows, targets[:, t]], nll[:, 0], rtol=1e-4, atol=1e-5, err_msg="stepping")
        parts.append(nll)
    return np.concatenate(parts, axis=1)


TOYS["language_modelling"] = Toys(_spec, _make, {"units": 16, "embedding_dim": 16, "num_layers": 2})
