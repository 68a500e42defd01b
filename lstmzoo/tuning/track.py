"""The one place of a search that knows MLflow."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from lstmzoo.tuning._base import Record, best_record

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
_SETTINGS = ("models", "oracle", "random_state")


def check_names(*, experiment: str | None, registered_model_name: str | None) -> None:
    """Refuse names that MLflow does not take.

    Raises:
        ConfigError: Naming the argument.
    """
    from lstmzoo.mlflow.names import check_experiment, check_registered_name

    check_experiment(experiment)
    check_registered_name(registered_model_name)


def make_tracker(header: dict[str, Any], *, task: str, experiment: str | None, tracking_uri: str | None) -> Any:
    """What brings MLflow up to date with a search: a :class:`lstmzoo.mlflow.tracking.SearchTracker`.

    Args:
        header: The journal's.
        task: The estimator's.
        experiment: ``lstmzoo`` if None.
        tracking_uri: As MLflow is set if None.
    """
    from lstmzoo.mlflow.defaults import EXPERIMENT
    from lstmzoo.mlflow.tracking import SearchTracker

    identity = header["identity"]
    return SearchTracker(
        header["search_id"],
        experiment=experiment or EXPERIMENT,
        run_name=f"{task} search {datetime.now():%Y-%m-%d %H:%M}",
        params={k: v for k, v in identity.items() if k in _SETTINGS or k.startswith("estimator")},
        tags={"task": task, "data_digest": identity["data"]},
        tracking_uri=tracking_uri,
    )


@contextmanager
def trials_apart() -> Iterator[None]:
    """Keep the fits of a search or a benchmark from becoming runs of their own, where ``lstmzoo.mlflow.autolog`` is on."""
    autologging = sys.modules.get("lstmzoo.mlflow.autologging")
    if autologging is None:
        yield
        return
    with autologging.paused():
        yield


def track_outcome(
    run_id: str | None,
    records: list[Record],
    *,
    header: dict[str, Any],
    task: str,
    data: tuple,
    leaderboard: pd.DataFrame,
    figure: "Figure",
    winner: Any,
    refit_seconds: float | None,
    limits: dict[str, Any],
    tracking_uri: str | None,
) -> None:
    """Log what a search found to its run.

    Args:
        run_id: The run; None if MLflow is away.
        records: All trials.
        header: The journal's.
        task: The estimator's.
        data: What was searched on, whose rows are counted.
        leaderboard: A row per trial.
        figure: Of the search.
        winner: The fitted winner, if there is one.
        refit_seconds: Of its final training.
        limits: Of the search.
        tracking_uri: As MLflow is set if None.
    """
    if run_id is None:
        return
    from lstmzoo.mlflow.outcome import Outcome, log_outcome
    from lstmzoo.mlflow.provenance import FittedData

    best = best_record(records)
    outcome = Outcome(
        best={} if best is None else {"model": best["model"], "trial": best["number"], **best["params"]},
        metrics=_numbers(records, best, refit_seconds),
        tables={"leaderboard.csv": leaderboard},
        figures={"search.png": figure},
        data=FittedData(task, header["identity"]["data"], data),
        tags=limits,
    )
    log_outcome(run_id, outcome, winner=winner, tracking_uri=tracking_uri)


def _numbers(records: list[Record], best: Record | None, refit_seconds: float | None) -> dict[str, float | None]:
    baseline = best_record([r for r in records if r["baseline"]])
    return {
        "trials": len(records),
        "failed_trials": sum(r["score"] is None for r in records),
        "search_seconds": records[-1]["elapsed"] if records else None,
        "best_baseline_score": baseline["score"] if baseline else None,
        "best_num_parameters": best["num_parameters"] if best else None,
        "best_epochs": best["best_epoch"] if best else None,
        "refit_seconds": refit_seconds,
    }


def track_winner(
    estimator: Any,
    record: Record,
    *,
    header: dict[str, Any],
    parent_run_id: str | None,
    registered_model_name: str | None,
    tracking_uri: str | None,
) -> str | None:
    """Log the winner to the search's run; the URI of the model, or None if MLflow is away.

    Args:
        estimator: The winner.
        record: Its trial.
        header: The journal's.
        parent_run_id: The run of the search.
        registered_model_name: Registers it under this name.
        tracking_uri: As MLflow is set if None.
    """
    from lstmzoo import mlflow

    score, search = record["score"], header["search_id"]
    settings = ", ".join(f"{key}={value}" for key, value in record["params"].items())
    return mlflow.log_champion(
        estimator,
        parent_run_id=parent_run_id,
        registered_model_name=registered_model_name,
        description=f"{record['model']}{f' ({settings})' if settings else ''}: the winner of search {search}, trial "
        f"{record['number']}, score {score:.6g} on held-out data; trained on the data {header['identity']['data'][:12]}",
        tags={"score": score, "search_id": search, "trial": record["number"]},
        tracking_uri=tracking_uri,
    )
