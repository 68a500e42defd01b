"""Tracking of a search by MLflow, which is imported only if it is used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from lstmzoo.contracts import Data, Trackable
from lstmzoo.mlflow.defaults import EXPERIMENT
from lstmzoo.records import Record, best_record, params_of

if TYPE_CHECKING:
    from lstmzoo.figures import Figure
    from lstmzoo.mlflow.tracking import SearchTracker

_SETTINGS = ("models", "oracle", "cv", "scoring", "random_state")


def check_names(*, experiment: str | None, registered_model_name: str | None) -> None:
    """Refuse names that MLflow does not accept.

    Raises:
        ConfigError: Naming the argument.
    """
    from lstmzoo.mlflow.names import check_experiment, check_registered_name

    check_experiment(experiment)
    check_registered_name(registered_model_name)


def make_tracker(
    header: dict[str, Any], *, task: str, experiment: str | None, tracking_uri: str | None
) -> "SearchTracker":
    """Return the tracker that keeps MLflow up to date with a search.

    Args:
        header: Header of the journal.
        task: The estimator's task.
        experiment: MLflow experiment, by default ``lstmzoo``.
        tracking_uri: MLflow store, by default MLflow's current one.
    """
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
    """Keep ``lstmzoo.mlflow.autolog`` from logging each fit of a search or benchmark as a run of its own."""
    autologging = sys.modules.get("lstmzoo.mlflow.autologging")
    if autologging is None:
        yield
        return
    with autologging.paused():
        yield


def track_outcome(
    run_id: str,
    records: list[Record],
    *,
    header: dict[str, Any],
    task: str,
    data: Data,
    best: Record | None,
    leaderboard: pd.DataFrame,
    figure: "Figure",
    winner: Trackable | None,
    refit_seconds: float | None,
    limits: dict[str, Any],
    tracking_uri: str | None,
) -> None:
    """Log the results of a search to its run.

    Args:
        run_id: The run.
        records: All trials.
        header: Header of the journal.
        task: The estimator's task.
        data: The data of the search; its rows are counted.
        best: The winning trial; None if every trial failed.
        leaderboard: A row per trial.
        figure: The figure of the search.
        winner: The fitted winner, or None without one.
        refit_seconds: Seconds of the winner's refit.
        limits: Limits of the search.
        tracking_uri: MLflow store, by default MLflow's current one.
    """
    from lstmzoo.mlflow.outcome import Outcome, log_outcome
    from lstmzoo.mlflow.provenance import FittedData

    outcome = Outcome(
        best={} if best is None else {"trial": best["number"], **params_of(best)},
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
        "best_score": best["score"] if best else None,
        "failed_trials": sum(r["score"] is None for r in records),
        "search_seconds": max((r["elapsed"] for r in records), default=None),
        "best_baseline_score": baseline["score"] if baseline else None,
        "best_num_parameters": best["num_parameters"] if best else None,
        "best_epochs": best["best_epoch"] if best else None,
        "refit_seconds": refit_seconds,
    }


def track_winner(
    winner: Trackable,
    record: Record,
    *,
    header: dict[str, Any],
    parent_run_id: str | None,
    registered_model_name: str | None,
    tracking_uri: str | None,
) -> str | None:
    """Log the winner to the search's run; return the URI of the model, or None if MLflow is away.

    Args:
        winner: The fitted winner.
        record: The winner's trial.
        header: Header of the journal.
        parent_run_id: The run of the search.
        registered_model_name: Register the winner under this name.
        tracking_uri: MLflow store, by default MLflow's current one.
    """
    from lstmzoo import mlflow

    score, search = record["score"], header["search_id"]
    settings = ", ".join(f"{key}={value}" for key, value in params_of(record).items() if key != "model")
    return mlflow.log_champion(
        winner,
        parent_run_id=parent_run_id,
        registered_model_name=registered_model_name,
        description=f"{record['model']}{f' ({settings})' if settings else ''}: the winner of search {search}, trial "
        f"{record['number']}, score {score:.6g} on held-out data; trained on the data {header['identity']['data'][:12]}",
        tags={"score": score, "search_id": search, "trial": record["number"]},
        tracking_uri=tracking_uri,
    )
