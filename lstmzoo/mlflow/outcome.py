"""The outcome of a search in its MLflow run: settings, results, figures, and the winner's answer to an example."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from lstmzoo.contracts import Servable
from lstmzoo.mlflow._base import connection, one_line
from lstmzoo.mlflow.provenance import FittedData, log_data
from lstmzoo.mlflow.writing import log, metric

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a search.

    Attributes:
        best: Model, hyperparameters and number of the best trial.
        metrics: Metrics of the whole search; None values are left out.
        tables: Frames by file name, such as ``leaderboard.csv``.
        figures: Figures by file name, such as ``search.png``.
        data: The data of the search.
        tags: Further tags of the run.
    """

    best: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, "Figure"]
    data: FittedData | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)


def log_outcome(
    run_id: str, outcome: Outcome, *, winner: Servable | None = None, tracking_uri: str | None = None
) -> bool:
    """Write the outcome of a search to its run. If MLflow is away, a warning is logged.

    A second call updates the run: files are replaced, metrics get another point, and tags are changed. Parameters, which
    MLflow cannot change, stay those of the first call.

    Args:
        run_id: The run of the search.
        outcome: The outcome.
        winner: A fitted estimator, whose answer to its own example is written.
        tracking_uri: As for :func:`lstmzoo.mlflow.log_model`.

    Returns:
        Whether everything was written.
    """
    try:
        with connection(tracking_uri, timeout=5) as uri:
            _write(MlflowClient(uri), run_id, outcome, winner)
    except (
        Exception
    ) as error:  # whatever MLflow, its store or the network raises: the result of the search is not affected
        _logger.warning("the outcome of the search was not logged to MLflow: %s", one_line(str(error)))
        return False
    return True


def _write(client: MlflowClient, run_id: str, outcome: Outcome, winner: Servable | None) -> None:
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


def example_tables(estimator: Servable) -> dict[str, pd.DataFrame]:
    """Return the example request of a fitted estimator, and its answer."""
    example = estimator.serving_example()
    return {"example/input.csv": example, "example/output.csv": estimator.serve(example, {})}


def example_figures(estimator: Any) -> dict[str, "Figure"]:
    """Return a figure of the forecasts; none for other tasks, or if forecasts need future covariates."""
    draws = hasattr(estimator, "plot") and not getattr(estimator, "future_covariates", None)
    return {"example/forecast.png": estimator.plot()} if draws else {}
