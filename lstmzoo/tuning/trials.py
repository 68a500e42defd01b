"""A trial: fit, score, and a record of them, whether the trial fails or not."""

import math
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TypeVar

import keras
from sklearn.base import clone

from lstmzoo.contracts import Data, Searchable, Trainable
from lstmzoo.errors import LstmzooError, arg
from lstmzoo.tuning._base import Record, to_json

T = TypeVar("T", bound=Trainable)


def with_params(estimator: T, **params: Any) -> T:
    """Return an unfitted copy of an estimator with new parameters; those that it does not have are ignored."""
    known = estimator.get_params(deep=False)
    return clone(estimator).set_params(**{k: v for k, v in params.items() if k in known})


def run_trial(record: Record, estimator: Trainable, train: Data, valid: Data, *, searched: Searchable) -> None:
    """Fit and score an estimator, and fill in the record; an exception or a score that is not finite becomes its error.

    Args:
        record: A :func:`blank_record`.
        estimator: The unfitted estimator of the trial.
        train: The training set.
        valid: The held-out data to score.
        searched: The search's own estimator; the record's ``refit`` holds differences from it.
    """
    if not record["baseline"]:
        _clear_session()
    began = time.perf_counter()
    try:
        estimator.fit(*train)
        fitted = time.perf_counter()
        record["fit_seconds"] = fitted - began
        record["history"] = to_json(estimator.history_)
        record["epochs"] = len(record["history"])
        record["best_epoch"] = to_json(getattr(estimator, "best_epoch_", None))  # of networks
        record["num_parameters"] = to_json(estimator.num_parameters_)
        score = float(estimator.score(*valid))
        record["score_seconds"] = time.perf_counter() - fitted
        if not math.isfinite(score):
            raise FloatingPointError(f"the score is {score}")
        if isinstance(estimator, type(searched)):
            record["refit"] = _refit_params(estimator, searched)
        record["score"], record["status"] = score, "completed"
    except Exception as error:  # a failed trial is a row of the leaderboard; the search continues
        record["error"] = f"{type(error).__name__}: {error}"
        record["traceback"] = traceback.format_exc()
    record["seconds"] = time.perf_counter() - began


def blank_record(number: int, model: str, params: dict[str, Any], *, baseline: bool, seed: int | None) -> Record:
    """Return the record of a trial before it starts."""
    return {
        "number": number,
        "baseline": baseline,
        "model": model,
        "params": params,
        "seed": seed,
        "status": "failed",
        "score": None,
        "fit_seconds": None,
        "score_seconds": None,
        "seconds": 0.0,
        "elapsed": 0.0,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "num_parameters": None,
        "epochs": None,
        "best_epoch": None,
        "history": [],
        "refit": {},
        "error": None,
        "traceback": None,
    }


def check_any_succeeded(records: list[Record]) -> None:
    """Refuse a search without a fitted network.

    Raises:
        LstmzooError: If no network was trained, or every one failed; the message has the first error.
    """
    networks = [r for r in records if not r["baseline"]]
    if not networks:
        raise LstmzooError(f"{arg('time_limit')} is too short for a single trial: give more time")
    if all(r["score"] is None for r in networks):
        first = networks[0]
        raise LstmzooError(
            f"every trial failed ({len(networks)} of them); the first, {first['model']}: {first['error']}. "
            "Tracebacks are in records_"
        )


def _clear_session() -> None:
    """Free the networks of earlier trials, but keep the user's settings, which Keras resets with them."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)


def _refit_params(estimator: Searchable, searched: Searchable) -> dict[str, Any]:
    before = to_json(searched.get_params(deep=False))
    after = to_json(estimator.refit_clone().get_params(deep=False))
    return {k: v for k, v in after.items() if k not in before or before[k] != v}
