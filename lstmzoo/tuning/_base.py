"""What the modules of a search share: the record of a trial, and JSON."""

import math
from typing import Any, TypedDict

import numpy as np

from lstmzoo.config import Scalar


class Record(TypedDict):
    """One trial, as plain JSON: a line of the journal, and what MLflow is told.

    Attributes:
        number: Counted from 1, baselines included.
        baseline: Whether it is one of the estimator's baselines.
        model: The zoo entry without its task, or the baseline's name.
        params: The hyperparameters that were searched, and ``epochs`` where the oracle sets a budget.
        seed: The ``random_state`` that the trial was given, if any.
        status: ``completed`` or ``failed``.
        score: What ``estimator.score`` gave; None if the trial failed.
        fit_seconds: Time that ``fit`` took.
        score_seconds: Time that ``score`` took.
        seconds: Time of the whole trial.
        elapsed: Time of the whole search at the trial's end, that before an interruption included.
        started: When the trial began, in UTC.
        num_parameters: Numbers in the network.
        epochs: Epochs that were trained.
        best_epoch: The epoch whose weights were kept.
        history: A row per epoch.
        refit: Parameters to train it anew on all data, where they differ from those of the search's estimator.
        error: Type and message of the exception that ended a failed trial.
        traceback: Where it was raised.
    """

    number: int
    baseline: bool
    model: str
    params: dict[str, Scalar]
    seed: int | None
    status: str
    score: float | None
    fit_seconds: float | None
    score_seconds: float | None
    seconds: float
    elapsed: float
    started: str
    num_parameters: int | None
    epochs: int | None
    best_epoch: int | None
    history: list[dict[str, Any]]
    refit: dict[str, Any]
    error: str | None
    traceback: str | None


def derived_seed(entropy: int, *place: int) -> int:
    """A seed of its own for each place in a search, from 1 up."""
    return 1 + int(np.random.SeedSequence(entropy, spawn_key=place).generate_state(1)[0]) % (2**31 - 2)


def best_record(records: list[Record]) -> Record | None:
    """The record with the highest score, the earliest of equals; None if every trial failed."""
    scored = [r for r in records if r["score"] is not None]
    return max(scored, key=lambda r: r["score"] or 0.0) if scored else None


def to_json(value: Any) -> Any:
    """The value in terms of JSON: numbers that are not finite become None, and what JSON lacks its ``repr``.

    Examples:
        >>> to_json({"quantiles": (0.1, np.float64("nan")), "epochs": np.int64(3)})
        {'quantiles': [0.1, None], 'epochs': 3}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else repr(value)
