"""keras-tuner's oracles, by ask and tell: each begins with given values, writes no file, prints nothing.

Two of them are mended. Hyperband promoted nothing from a round in which many trials failed: here a failure is a score
of minus infinity. Bayesian optimization took the settings of each architecture for dimensions of their own, and was
slow and no better than chance: here architectures share the dimensions of settings of the same name, and the
acquisition is maximized over candidates.
"""

import json
import math
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras_tuner
import numpy as np

from lstmzoo.config import Scalar
from lstmzoo.errors import UnknownNameError, arg

ORACLES = ("random", "bayesian", "hyperband")
_MAX_REPEATS = 100  # proposals in a row that were tried before: the space is as good as exhausted


@dataclass(frozen=True)
class Suggestion:
    """What an oracle wants to know the score of.

    Attributes:
        trial_id: The oracle's name for it.
        values: In keras-tuner's terms.
        budget: The share of the epochs to train, above 0 and up to 1; None if the oracle sets no budget.
    """

    trial_id: str
    values: dict[str, Any]
    budget: float | None


def make_oracle(
    kind: str,
    hyperparameters: keras_tuner.HyperParameters,
    *,
    first: list[dict[str, Any]],
    seed: int,
    max_epochs: int,
) -> keras_tuner.Oracle:
    """An oracle that maximizes a score, for as long as it is asked.

    Args:
        kind: One of :data:`ORACLES`.
        hyperparameters: The whole space.
        first: Values to suggest before any of its own.
        seed: Not 0, which keras-tuner ignores.
        max_epochs: Hyperband's full budget; its brackets start over without end.

    Raises:
        UnknownNameError: If there is no such oracle.
    """
    if kind not in ORACLES:
        raise UnknownNameError(arg("oracle"), kind, ORACLES)
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective("score", "max"), "hyperparameters": hyperparameters, "seed": seed,
        "max_consecutive_failed_trials": math.inf,
    }  # fmt: skip
    oracle: _Seeded
    if kind == "hyperband":
        oracle = _Hyperband(max_epochs=max_epochs, hyperband_iterations=None, **common)
    elif kind == "bayesian":
        initial = max(len(first) + 3, 2 * len(_shared_keys(hyperparameters)))
        oracle = _Bayesian(max_trials=None, num_initial_points=initial, alpha=1e-2, **common)
    else:
        oracle = _Random(max_trials=None, **common)
    oracle.verbose = 0
    oracle.first = list(first)
    return oracle


def ask(oracle: keras_tuner.Oracle) -> Suggestion | None:
    """The next suggestion; None if the space is exhausted."""
    with _quiet():
        trial = oracle.create_trial("search")
    if trial.status != "RUNNING":
        return None
    values = dict(trial.hyperparameters.values)
    epochs = values.get("tuner/epochs")
    budget = None if epochs is None else epochs / oracle.max_epochs
    return Suggestion(trial.trial_id, {k: v for k, v in values.items() if not k.startswith("tuner/")}, budget)


def tell(oracle: keras_tuner.Oracle, suggestion: Suggestion, score: float | None) -> None:
    """Tell the score of a suggestion; None if it failed."""
    with _quiet():
        trial = oracle.update_trial(suggestion.trial_id, {"score": -math.inf if score is None else score})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def proposals(
    oracle: keras_tuner.Oracle,
    decode: Callable[[Mapping[str, Any]], tuple[str, dict[str, Scalar]]],
    epochs: dict[str, int],
) -> Generator[tuple[str, dict[str, Scalar]], float | None, None]:
    """Models with their hyperparameters, none of them twice; is sent the score of each, None if it failed.

    Args:
        oracle: What proposes.
        decode: From keras-tuner's values to a model and its hyperparameters.
        epochs: Each model's full budget, where ``epochs`` is not searched.
    """
    scores: dict[str, float | None] = {}
    hopeless: set[str] = set()
    repeats = 0
    while repeats < _MAX_REPEATS and (suggestion := ask(oracle)) is not None:
        model, drawn = decode(suggestion.values)
        params = dict(drawn)
        if suggestion.budget is not None:
            params["epochs"] = max(1, round(suggestion.budget * int(drawn.get("epochs") or epochs[model])))
        key, whatever_budget = proposal_key(model, params), proposal_key(model, drawn)
        repeats += 1
        if key not in scores and whatever_budget not in hopeless:
            scores[key] = yield model, params
            repeats = 0
        score = scores.get(key)
        if score is None:
            hopeless.add(whatever_budget)
        tell(oracle, suggestion, score)


def proposal_key(model: str, params: Mapping[str, Scalar]) -> str:
    """What two equal proposals have in common."""
    return json.dumps([model, params], sort_keys=True)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threading.currentThread in keras-tuner; convergence of the Gaussian process
        yield


class _Seeded(keras_tuner.Oracle):
    """Suggests the values in ``first`` before it samples, and keeps its state to itself."""

    first: list[dict[str, Any]]

    def _random_values(self) -> dict[str, Any] | None:
        return self.first.pop(0) if self.first else super()._random_values()

    def save(self) -> None:
        """Nothing: keras-tuner's files are not written atomically; the search has its journal."""

    def _save_trial(self, trial: Any) -> None:
        """Nothing, likewise."""


class _Random(_Seeded, keras_tuner.oracles.RandomSearchOracle):
    pass


class _Hyperband(_Seeded, keras_tuner.oracles.HyperbandOracle):
    pass


class _Bayesian(_Seeded, keras_tuner.oracles.BayesianOptimizationOracle):
    """A Gaussian process over the architecture and the settings that architectures share by name."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        done = [t for t in self.trials.values() if t.status == "COMPLETED"]
        scores = np.array([t.score for t in done])
        if self.first or len(done) < self.num_initial_points or not np.isfinite(scores).any():
            return self._random_populate_space()
        tried = [t.hyperparameters.values for t in done]
        best = [tried[i] for i in np.argsort(-scores, kind="stable")[:4]]
        candidates = [self._draw() for _ in range(512)] + [self._vary(v) for v in best for _ in range(64)]
        candidates = [v for v in candidates if not self._duplicate(v)]
        if not candidates:
            return self._random_populate_space()
        self.gpr.fit(np.array([self._vector(v) for v in tried]), _tame(-scores))
        mean, deviation = self.gpr.predict(np.array([self._vector(v) for v in candidates]), return_std=True)
        return {"status": "RUNNING", "values": candidates[int(np.argmin(mean - self.beta * deviation))]}

    def _draw(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for hp in self.hyperparameters.space:
            if _is_active(hp, values):
                values[hp.name] = hp.prob_to_value(self._random_state.uniform())
        return values

    def _vary(self, values: dict[str, Any]) -> dict[str, Any]:
        varied = dict(values)
        for hp in self.hyperparameters.space:
            if hp.name == "model" or not _is_active(hp, values) or self._random_state.uniform() < 0.5:
                continue
            near = hp.value_to_prob(values[hp.name]) + self._random_state.normal(scale=0.15)
            anywhere = isinstance(hp, keras_tuner.engine.hyperparameters.Choice)
            prob = self._random_state.uniform() if anywhere else min(max(near, 0.0), 1 - 1e-9)
            varied[hp.name] = hp.prob_to_value(prob)
        return varied

    def _vector(self, values: dict[str, Any]) -> np.ndarray:
        """A dimension per architecture, then one per name of a setting, at its middle where it is inactive."""
        model, *settings = self.hyperparameters.space
        keys = _shared_keys(self.hyperparameters)
        vector = np.full(len(keys), 0.5)
        for hp in settings:
            if _is_active(hp, values):
                vector[keys.index(_key(hp))] = hp.value_to_prob(values[hp.name])
        return np.concatenate([0.5 * (np.array(model.values) == values["model"]), vector])


def _is_active(hp: Any, values: dict[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in hp.conditions)


def _key(hp: Any) -> str:
    return hp.name.split("/", 1)[1]


def _shared_keys(hyperparameters: keras_tuner.HyperParameters) -> list[str]:
    return sorted({_key(hp) for hp in hyperparameters.space[1:]})


def _tame(losses: np.ndarray) -> np.ndarray:
    """Losses whose outliers and infinities do not drown the differences between the good ones."""
    lower, upper = np.quantile(losses[np.isfinite(losses)], [0.25, 0.75])
    return np.minimum(losses, upper + 1.5 * (upper - lower))
