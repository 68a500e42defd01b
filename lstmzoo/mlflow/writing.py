"""Parameters, metrics and tags of a fit, written to an MLflow run."""

import re
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from lstmzoo.mlflow._base import as_text


def fit_metrics(record: Mapping[str, Any], began: int) -> list[Metric]:
    """Return the metrics of a fit, per epoch and at its end, with times from the record: sending them twice adds nothing.

    Args:
        record: ``history``, a dict per epoch, and optionally ``score``, ``seconds``, ``num_parameters`` and ``epochs``.
        began: Time of the start of the fit, in milliseconds.
    """
    metrics = []
    seconds = 0.0
    for epoch in record.get("history") or ():
        step = int(epoch["epoch"])
        seconds += epoch.get("seconds") or 0
        names = {"epoch_seconds" if key == "seconds" else key: value for key, value in epoch.items() if key != "epoch"}
        metrics += [metric(name, value, began + int(1000 * seconds), step) for name, value in names.items()]
    for name in ("score", "seconds", "num_parameters", "epochs"):
        metrics.append(metric(name, record.get(name), began, int(record.get("epochs") or 0)))
    return [found for found in metrics if found is not None]


def metric(name: str, value: Any, when: int, step: int) -> Metric | None:
    """Return a metric; None if the value is not a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Metric(name, float(value), when, step) if number else None


def log(
    client: MlflowClient, run: Run, params: Mapping[str, Any], metrics: list[Metric], tags: Mapping[str, Any]
) -> None:
    """Log parameters, metrics and tags that the run does not have; MLflow takes 1000 metrics or 100 parameters a call."""
    run_id = run.info.run_id
    fresh = [Param(_key(key), as_text(value)) for key, value in params.items() if _key(key) not in run.data.params]
    for start in range(0, len(fresh), 100):
        client.log_batch(run_id, params=fresh[start : start + 100])
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])
    texts = {key: as_text(value) for key, value in tags.items() if value is not None}
    changed = [RunTag(key, text) for key, text in texts.items() if run.data.tags.get(key) != text]
    if changed:
        client.log_batch(run_id, tags=changed)


def _key(name: object) -> str:
    return re.sub(r"[^\w./ -]", "_", str(name))
