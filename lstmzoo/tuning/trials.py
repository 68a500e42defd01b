"""One trial: fit, score, and a record of it whatever happens."""

import math
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import keras
from sklearn.base import clone

from lstmzoo.errors import LstmzooError, arg
from lstmzoo.tuning._base import Record, to_json


def with_params(estimator: Any, **params: Any) -> Any:
    """An unfitted copy of an estimator, with those of the parameters that it has."""
    known = estimator.get_params(deep=False)
    return clone(estimator).set_params(**{k: v for k, v in params.items() if k in known})


def run_trial(record: Record, estimator: Any, train: tuple, valid: tuple, *, start: Any) -> None:
    """Fit and score an unfitted estimator; an exception, or a score that is not finite, becomes the record's error.

    Args:
        record: A :func:`blank_record`, which is filled in.
        estimator: What the trial trains.
        train: What ``fit`` is given.
        valid: What ``score`` is given.
        start: The search's own estimator, which ``refit`` is told relative to.
    """
    if not record["baseline"]:
        _clear_session()
    began = time.perf_counter()
    try:
        estimator.fit(*train)
        fitted = time.perf_counter()
        record["fit_seconds"] = fitted - began
        record["history"] = to_json(getattr(estimator, "history_", []))
        record["epochs"] = len(record["history"])
        record["best_epoch"] = to_json(getattr(estimator, "best_epoch_", None))
        record["num_parameters"] = to_json(getattr(estimator, "num_parameters_", None))
        score = float(estimator.score(*valid))
        record["score_seconds"] = time.perf_counter() - fitted
        if not math.isfinite(score):
            raise FloatingPointError(f"the score is {score}")
        record["refit"] = _refit_params(estimator, start)
        record["score"], record["status"] = score, "completed"
    except Exception as error:  # whatever a trial raises: it is a row of the leaderboard, not the end of the search
        record["error"] = f"{type(error).__name__}: {error}"
        record["traceback"] = traceback.format_exc()
    record["seconds"] = time.perf_counter() - began


def blank_record(number: int, model: str, params: dict[str, Any], *, baseline: bool, seed: int | None) -> Record:
    """The record of a trial that has not begun."""
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
    """Refuse a search without a result.

    Raises:
        LstmzooError: If no network was trained, or each failed; the message has the first one's error.
    """
    networks = [r for r in records if not r["baseline"]]
    if not networks:
        raise LstmzooError(f"{arg('time_limit')} is too short for a single trial")
    if all(r["score"] is None for r in networks):
        first = networks[0]
        raise LstmzooError(
            f"every trial failed ({len(networks)} of them); the first, {first['model']}: {first['error']}. "
            "Tracebacks are in records_"
        )


def _clear_session() -> None:
    """Forget the networks of earlier trials, but not the user's settings, which Keras forgets with them."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)


def _refit_params(estimator: Any, start: Any) -> dict[str, Any]:
    if not hasattr(estimator, "refit_clone"):
        return {}
    before = to_json(start.get_params(deep=False))
    after = to_json(estimator.refit_clone().get_params(deep=False))
    return {k: v for k, v in after.items() if k not in before or before[k] != v}
