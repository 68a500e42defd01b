"""What the run of a search says at its end: settings, results and pictures, and an example of what the winner answers."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from lstmzoo.mlflow._base import connection, one_line
from lstmzoo.mlflow.provenance import FittedData, log_data
from lstmzoo.mlflow.writing import log, metric

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a search, or of a part of one.

    Attributes:
        best: Model and hyperparameters of the best trial, and its trial number.
        metrics: Numbers of the search as a whole; those that are None are left out.
        tables: Frames by file name, such as ``leaderboard.csv``.
        figures: Figures by file name, such as ``search.png``.
        data: What was searched on.
    """

    best: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, Any]
    data: FittedData | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)


def log_outcome(run_id: str, outcome: Outcome, *, winner: Any = None, tracking_uri: str | None = None) -> bool:
    """Write the outcome of a search to its run. MLflow being away is only a warning.

    Doing it again brings the run up to date: files are replaced, metrics get a further point, and tags are changed. Parameters,
    which MLflow cannot change, are those of the first time.

    Args:
        run_id: The run of the search.
        outcome: What it says.
        winner: A fitted estimator, whose answer to its own example is written.
        tracking_uri: As for :func:`lstmzoo.mlflow.log_model`.

    Returns:
        Whether all was written.
    """
    try:
        with connection(tracking_uri, timeout=5) as uri:
            _write(MlflowClient(uri), run_id, outcome, winner)
    except Exception as error:  # whatever MLflow, its store or the network raises: the search's own result stands
        _logger.warning("the outcome of the search was not logged to MLflow: %s", one_line(str(error)))
        return False
    return True


def _write(client: MlflowClient, run_id: str, outcome: Outcome, winner: Any) -> None:
    run: Run = client.get_run(run_id)
    best = {f"best_{name}": value for name, value in outcome.best.items()}
    when, step = int(1000 * time.time()), int(outcome.metrics.get("trials") or 0)
    metrics = [metric(name, value, when, step) for name, value in outcome.metrics.items()]
    log(client, run, best, [found for found in metrics if found is not None], {**outcome.tags, **best})
    if outcome.data is not None:
        log_data(client, run_id, outcome.data)
    for name, table in {**outcome.tables, **(example_tables(winner) if winner is not None else {})}.items():
        client.log_text(run_id, table.to_csv(index=False), name)
    for name, figure in {**outcome.figures, **(example_figures(winner) if winner is not None else {})}.items():
        client.log_figure(run_id, figure, name)


def example_tables(estimator: Any) -> dict[str, pd.DataFrame]:
    """An example of what a fitted estimator can be asked, and its answer: a forecast, a text or a translation."""
    example = estimator.serving_example()
    return {"example/input.csv": example, "example/output.csv": estimator.serve(example, estimator.serving_params())}


def example_figures(estimator: Any) -> dict[str, Any]:
    """The forecasts of a fitted forecaster as a picture; none if it needs the future of covariates, or does not forecast."""
    draws = hasattr(estimator, "plot") and not getattr(estimator, "future_covariates", None)
    return {"example/forecast.png": estimator.plot()} if draws else {}
