"""One trial: fit, score, and a record of it whatever happens."""

import math
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import keras
from sklearn.base import clone

from lstmzoo.tuning._base import Record, to_json


def with_params(estimator: Any, **params: Any) -> Any:
    """An unfitted copy of an estimator, with those of the parameters that it has."""
    known = estimator.get_params(deep=False)
    return clone(estimator).set_params(**{k: v for k, v in params.items() if k in known})


def run_trial(estimator: Any, train: tuple, valid: tuple, *, start: Any, about: dict[str, Any]) -> Record:
    """Fit and score an unfitted estimator; an exception, or a score that is not finite, becomes the record's error.

    Args:
        estimator: What the trial trains.
        train: What ``fit`` is given.
        valid: What ``score`` is given.
        start: The search's own estimator, which ``refit`` is told relative to.
        about: The record's fields that the search knows: ``number``, ``baseline``, ``model``, ``params``, ``seed``.
    """
    keras.utils.clear_session()
    began = time.perf_counter()
    record: Record = {
        **about, "status": "failed", "score": None, "fit_seconds": None, "score_seconds": None, "seconds": 0.0,
        "elapsed": 0.0, "started": datetime.now(UTC).isoformat(timespec="seconds"), "num_parameters": None,
        "epochs": None, "best_epoch": None, "history": [], "refit": {}, "error": None, "traceback": None,
    }  # type: ignore[typeddict-item]  # fmt: skip
    try:
        estimator.fit(*train)
        record["fit_seconds"] = time.perf_counter() - began
        record.update(_learned(estimator))  # type: ignore[typeddict-item]
        score = float(estimator.score(*valid))
        record["score_seconds"] = time.perf_counter() - began - record["fit_seconds"]
        if not math.isfinite(score):
            raise FloatingPointError(f"the score is {score}")
        record.update(refit=_refit_params(estimator, start), score=score, status="completed")
    except Exception as error:  # whatever a trial raises: it is a row of the leaderboard, not the end of the search
        record["error"] = f"{type(error).__name__}: {error}"
        record["traceback"] = traceback.format_exc()
    record["seconds"] = time.perf_counter() - began
    return record


def _learned(estimator: Any) -> dict[str, Any]:
    history = to_json(getattr(estimator, "history_", []))
    return {
        "history": history,
        "epochs": len(history),
        "best_epoch": to_json(getattr(estimator, "best_epoch_", None)),
        "num_parameters": to_json(getattr(estimator, "num_parameters_", None)),
    }


def _refit_params(estimator: Any, start: Any) -> dict[str, Any]:
    if not hasattr(estimator, "refit_clone"):
        return {}
    before = to_json(start.get_params(deep=False))
    after = to_json(estimator.refit_clone().get_params(deep=False))
    return {k: v for k, v in after.items() if k not in before or before[k] != v}
