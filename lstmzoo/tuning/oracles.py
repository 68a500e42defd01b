"""keras-tuner's oracles by ask and tell. Each starts with given values, writes no files and prints nothing.

Two of them are changed. Hyperband promoted nothing from a round in which many trials failed: here a failed trial has a score of
minus infinity. Bayesian optimization had dimensions for each architecture's settings, and was slow and no better than chance:
here architectures share a dimension for settings of the same name, and the acquisition is maximized over candidates.
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
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from lstmzoo.config import Scalar
from lstmzoo.errors import UnknownNameError, arg

ORACLES = ("random", "bayesian", "hyperband")
_MAX_REPEATS = 100  # repeated proposals in a row, after which the space counts as exhausted
_EXPLORATION = 2.6  # deviations below the mean: the lower confidence bound of the loss


@dataclass(frozen=True)
class Suggestion:
    """Values whose score an oracle asks for.

    Attributes:
        trial_id: The oracle's name for the trial.
        values: The values in keras-tuner's terms.
        budget: The share of the epochs to train, above 0 and at most 1; None if the oracle sets no budget.
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
    """Return an oracle that maximizes a score, without a limit of trials.

    Args:
        kind: One of :data:`ORACLES`.
        hyperparameters: The whole search space.
        first: dict[str, Any] to suggest before the oracle's own.
        seed: The seed, not 0, which keras-tuner ignores.
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
    if kind == "hyperband":
        return _Hyperband(first, max_epochs=max_epochs, hyperband_iterations=None, **common)
    return (_Bayesian if kind == "bayesian" else _Random)(first, max_trials=None, **common)


def ask(oracle: keras_tuner.Oracle) -> Suggestion | None:
    """Return the next suggestion; None if the space is exhausted."""
    with _quiet():
        trial = oracle.create_trial("search")
    if trial.status != "RUNNING":
        return None
    values = dict(trial.hyperparameters.values)
    epochs = values.get("tuner/epochs")
    budget = None if epochs is None else epochs / oracle.max_epochs
    return Suggestion(trial.trial_id, {k: v for k, v in values.items() if not k.startswith("tuner/")}, budget)


def tell(oracle: keras_tuner.Oracle, suggestion: Suggestion, score: float | None) -> None:
    """Report the score of a suggestion; None if its trial failed."""
    with _quiet():
        trial = oracle.update_trial(suggestion.trial_id, {"score": -math.inf if score is None else score})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def proposals(
    oracle: keras_tuner.Oracle,
    decode: Callable[[Mapping[str, Any]], tuple[str, dict[str, Scalar]]],
    epochs: dict[str, int],
) -> Generator[tuple[str, dict[str, Scalar]], float | None, None]:
    """Yield models with their hyperparameters, each once, and receive the score of each, None if its trial failed.

    Args:
        oracle: The oracle that proposes.
        decode: From keras-tuner's values to a model and its hyperparameters.
        epochs: Each model's full budget, used where ``epochs`` is not searched.
    """
    scores: dict[str, float | None] = {}
    hopeless: set[str] = set()
    repeats = 0
    while repeats < _MAX_REPEATS and (suggestion := ask(oracle)) is not None:
        model, drawn = decode(suggestion.values)
        params = dict(drawn)
        if suggestion.budget is not None:
            params["epochs"] = max(1, round(suggestion.budget * int(drawn.get("epochs") or epochs[model])))
        key, key_of_any_budget = proposal_key(model, params), proposal_key(model, drawn)
        repeats += 1
        if key not in scores and key_of_any_budget not in hopeless:
            scores[key] = yield model, params
            repeats = 0
        score = scores.get(key)
        if score is None:
            hopeless.add(key_of_any_budget)
        tell(oracle, suggestion, score)


def proposal_key(model: str, params: Mapping[str, Scalar]) -> str:
    """Return the key that equal proposals share."""
    return json.dumps([model, params], sort_keys=True)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threading.currentThread in keras-tuner; convergence of the Gaussian process
        yield


class _InMemory(keras_tuner.Oracle):
    """An oracle that first suggests given values, and writes no files."""

    def __init__(self, first: list[dict[str, Any]], **options: Any) -> None:
        self.first = list(first)
        super().__init__(**options)
        self.verbose = 0

    def save(self) -> None:
        """Write nothing: keras-tuner's files are not written atomically, and the search has its journal."""

    def _save_trial(self, trial: Any) -> None:
        """Write nothing, for the same reason."""


class _Random(_InMemory, keras_tuner.oracles.RandomSearchOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.first:
            return {"status": "RUNNING", "values": self.first.pop(0)}
        return super().populate_space(trial_id)


class _Hyperband(_InMemory, keras_tuner.oracles.HyperbandOracle):
    def _random_values(self) -> dict[str, Any] | None:  # of a bracket's first round, whose budget the caller adds
        return self.first.pop(0) if self.first else super()._random_values()


class _Bayesian(_Random):
    """A Gaussian process over the architecture and the settings that architectures share by name."""

    def __init__(self, first: list[dict[str, Any]], **options: Any) -> None:
        super().__init__(first, **options)
        self._initial = max(len(first) + 3, 2 * len(_shared_keys(self.hyperparameters)))
        self._rng = np.random.RandomState(self.seed)
        self._process = GaussianProcessRegressor(
            Matern(nu=2.5), n_restarts_optimizer=20, normalize_y=True, alpha=1e-2, random_state=self.seed
        )

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        done = [t for t in self.trials.values() if t.status == "COMPLETED"]
        scores = np.array([t.score for t in done])
        if self.first or len(done) < self._initial or not np.isfinite(scores).any():
            return super().populate_space(trial_id)
        tried = [t.hyperparameters.values for t in done]
        best = [tried[i] for i in np.argsort(-scores, kind="stable")[:4]]
        candidates = [self._draw() for _ in range(512)] + [self._vary(v) for v in best for _ in range(64)]
        candidates = [v for v in candidates if v not in tried]
        if not candidates:
            return super().populate_space(trial_id)
        self._process.fit(np.array([self._vector(v) for v in tried]), _without_outliers(-scores))
        mean, deviation = self._process.predict(np.array([self._vector(v) for v in candidates]), return_std=True)
        return {"status": "RUNNING", "values": candidates[int(np.argmin(mean - _EXPLORATION * deviation))]}

    def _draw(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for hp in self.hyperparameters.space:
            if _is_active(hp, values):
                values[hp.name] = hp.prob_to_value(self._rng.uniform())
        return values

    def _vary(self, values: dict[str, Any]) -> dict[str, Any]:
        varied = dict(values)
        for hp in self.hyperparameters.space:
            if hp.name == "model" or not _is_active(hp, values) or self._rng.uniform() < 0.5:
                continue
            near = hp.value_to_prob(values[hp.name]) + self._rng.normal(scale=0.15)
            unordered = isinstance(hp, keras_tuner.engine.hyperparameters.Choice)
            prob = self._rng.uniform() if unordered else min(max(near, 0.0), 1 - 1e-9)
            varied[hp.name] = hp.prob_to_value(prob)
        return varied

    def _vector(self, values: dict[str, Any]) -> np.ndarray:
        """A dimension per architecture, then one per name of a setting, 0.5 where the setting is inactive."""
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


def _without_outliers(losses: np.ndarray) -> np.ndarray:
    """Losses with outliers and infinities clipped, so that they do not hide the differences between good ones."""
    lower, upper = np.quantile(losses[np.isfinite(losses)], [0.25, 0.75])
    return np.minimum(losses, upper + 1.5 * (upper - lower))
