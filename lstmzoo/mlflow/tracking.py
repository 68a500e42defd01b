"""A search in MLflow: a parent run, and a nested run per trial.

The journal of the search is complete, and MLflow has a copy of it, which can be late, partial, and sent again.
"""

import hashlib
import json
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from lstmzoo.errors import ConfigError
from lstmzoo.mlflow._base import EXPERIMENT, as_text, connection, one_line, resolve_tracking_uri, sqlite_file
from lstmzoo.mlflow.defaults import Status
from lstmzoo.mlflow.writing import fit_metrics, log

_logger = logging.getLogger(__name__)
_SEARCH, _TRIAL, _RECORD = "lstmzoo.search_id", "lstmzoo.trial", "lstmzoo.record"
_PARENT = "search"
_FIRST_WAIT, _LONGEST_WAIT = 30, 600  # seconds
_SLOW, _MOST = 1, 10  # seconds
_SHARE = 9  # a slow store takes at most a tenth of the time
_warned: set[tuple[str, str]] = set()


def log_search(
    records: Sequence[Mapping[str, Any]],
    *,
    search_id: str,
    experiment: str = EXPERIMENT,
    run_name: str | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    status: Status = "RUNNING",
    tracking_uri: str | None = None,
) -> str | None:
    """Update a search in MLflow; call it after every trial, and at the end.

    Only new trials are sent: a repeated call adds nothing, and a failed call is completed by the next one. If MLflow is
    away, a warning is logged once per search.

    Args:
        records: *All* trials so far, each with ``number``, ``model``, ``params``, ``score``, ``seconds``,
            ``num_parameters``, ``epochs``, ``history`` (a dict per epoch), ``status``, ``error``, and optionally the
            time when it ``started`` (ISO 8601).
        search_id: Identifies the search in MLflow: letters, digits, points, dashes and underscores.
        experiment: Name of the MLflow experiment, created if there is none.
        run_name: Name of the parent run; by default the search's id.
        params: Settings of the search, for the parent run.
        tags: Tags of the parent run and the trials, such as the data's digest.
        status: Status of the search in MLflow.
        tracking_uri: MLflow store; by default MLflow's current one, otherwise ``mlflow.db`` in the working directory, with
            ``mlartifacts`` beside it.

    Returns:
        The parent run's id, or None if MLflow was away.

    Raises:
        ConfigError: If ``search_id`` has other characters.
    """
    tracker = SearchTracker(
        search_id, experiment=experiment, run_name=run_name, params=params, tags=tags, tracking_uri=tracking_uri
    )
    return tracker.update(records, status)


class SearchTracker:
    """Updates a search of this process in MLflow; trials that MLflow has are not sent again.

    Args:
        search_id: As for :func:`log_search`.
        experiment: As for :func:`log_search`.
        run_name: As for :func:`log_search`.
        params: As for :func:`log_search`.
        tags: As for :func:`log_search`.
        tracking_uri: As for :func:`log_search`.

    Raises:
        ConfigError: If ``search_id`` has other characters.
    """

    def __init__(
        self,
        search_id: str,
        *,
        experiment: str = EXPERIMENT,
        run_name: str | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        if not re.fullmatch(r"[\w.-]+", search_id):
            raise ConfigError(f"search_id={search_id!r}: use letters, digits, points, dashes and underscores")
        self._search_id = search_id
        self._experiment = experiment
        self._run_name = run_name or search_id
        self._params = params or {}
        self._tags = {str(key): as_text(value) for key, value in (tags or {}).items()}
        self._tracking_uri = tracking_uri
        self._runs: dict[str, Run] = {}
        self._sent: set[str] = set()
        self._failures = 0
        self._not_before = -math.inf

    def update(self, records: Sequence[Mapping[str, Any]], status: Status = "RUNNING") -> str | None:
        """Send new trials.

        After a failure, calls during the search do nothing for half a minute, then for a minute, and so on. After a slow call,
        they do nothing for nine times its duration.

        Args:
            records: All trials so far; sent ones do not change.
            status: Status of the search in MLflow.

        Returns:
            The parent run's id, or None if MLflow was away.
        """
        if status == "RUNNING" and time.monotonic() < self._not_before:
            return None
        began = time.monotonic()
        try:
            with connection(self._tracking_uri, timeout=5) as uri:
                run_id = self._send(MlflowClient(uri), uri, records, status)
        except Exception as error:  # whatever MLflow, its store or the network raises: the search continues
            _warn_once(self._search_id, resolve_tracking_uri(self._tracking_uri), error)
            self._runs, self._sent = {}, set()
            self._not_before = time.monotonic() + min(_FIRST_WAIT * 2**self._failures, _LONGEST_WAIT)
            self._failures += 1
            return None
        self._failures = 0
        ended = time.monotonic()
        if ended - began > _SLOW:
            self._not_before = ended + _SHARE * (ended - began)
        return run_id

    def _send(self, client: MlflowClient, uri: str, records: Sequence[Mapping[str, Any]], status: Status) -> str:
        if not self._runs:
            self._runs = self._find(client, uri)
        parent = client.get_run(self._runs[_PARENT].info.run_id)
        shared = {**self._tags, _SEARCH: self._search_id, "mlflow.parentRunId": parent.info.run_id}
        began = time.monotonic()
        for record in records:
            number = str(record["number"])
            if status == "RUNNING" and time.monotonic() - began > _MOST:
                break  # the rest is sent by later calls
            if number not in self._sent:
                _log_trial(client, parent.info.experiment_id, self._runs.get(number), record, shared)
                self._sent.add(number)
        _log_parent(client, parent, records, self._params, status)
        return str(parent.info.run_id)

    def _find(self, client: MlflowClient, uri: str) -> dict[str, Run]:
        """Return the search's runs by trial number, and the parent run, created if there is none, as ``search``."""
        experiment_id = _experiment(client, self._experiment, uri)
        runs = _runs(client, experiment_id, self._search_id)
        if _PARENT not in runs:
            tags = {**self._tags, _SEARCH: self._search_id, _TRIAL: _PARENT}
            runs[_PARENT] = client.create_run(experiment_id, tags=tags, run_name=self._run_name)
        return runs


def _warn_once(search_id: str, uri: str, error: Exception) -> None:
    if (search_id, uri) not in _warned:
        _warned.add((search_id, uri))
        _logger.warning(
            "MLflow at %s failed; the search continues, and is sent there later: %s", uri, one_line(str(error))
        )


def _experiment(client: MlflowClient, name: str, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    file = sqlite_file(uri)
    return str(client.create_experiment(name, None if file is None else (file.parent / "mlartifacts").as_uri()))


def _runs(client: MlflowClient, experiment_id: str, search_id: str) -> dict[str, Run]:
    runs: dict[str, Run] = {}
    token = None
    while True:
        page = client.search_runs([experiment_id], f"tags.`{_SEARCH}` = '{search_id}'", page_token=token)
        runs |= {run.data.tags[_TRIAL]: run for run in page}
        token = page.token
        if not token:
            return runs


def _log_trial(
    client: MlflowClient, experiment_id: str, run: Run | None, record: Mapping[str, Any], tags: dict[str, str]
) -> None:
    """Log one trial, unless its run has the same record; an incomplete run is completed."""
    mark = hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()
    if run is not None and run.data.tags.get(_RECORD) == mark:
        return
    milliseconds = int(1000 * (record.get("seconds") or 0))
    if run is None:
        began = _start(record, milliseconds)
        tags = {**tags, _TRIAL: str(record["number"])}
        run = client.create_run(experiment_id, began, tags, run_name=f"{record['number']}-{record['model']}")
    began = run.info.start_time
    texts = {
        "lstmzoo.model": record["model"],
        "lstmzoo.status": record["status"],
        "lstmzoo.error": record.get("error"),
    }
    log(
        client,
        run,
        {"model": record["model"], **(record.get("params") or {}), **_members(record)},
        fit_metrics(record, began),
        texts,
    )
    client.set_terminated(
        run.info.run_id, "FAILED" if record["status"] == "failed" else "FINISHED", began + milliseconds
    )
    client.set_tag(run.info.run_id, _RECORD, mark)


def _members(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights of an ensemble's members; nothing for a single model."""
    return {"members": record["members"]} if record.get("members") else {}


def _start(record: Mapping[str, Any], milliseconds: int) -> int:
    """Return the time of a trial's start in milliseconds: the recorded one, or now minus its duration."""
    if record.get("started"):
        return int(1000 * datetime.fromisoformat(record["started"]).timestamp())
    return int(1000 * time.time()) - milliseconds


def _log_parent(
    client: MlflowClient, parent: Run, records: Sequence[Mapping[str, Any]], params: Mapping[str, Any], status: Status
) -> None:
    """Log the best score so far by trial number, and the status of the search."""
    best = -math.inf
    metrics = []
    for record in sorted(records, key=lambda r: r["number"]):
        score = record.get("score")
        if score is not None and score > best:
            best = score
            metrics.append(Metric("best_score", float(best), parent.info.start_time, int(record["number"])))
    fresh = [m for m in metrics if m.value > parent.data.metrics.get("best_score", -math.inf)]
    log(client, parent, params, fresh, {"lstmzoo.trials": len(records)})
    if status != "RUNNING":
        client.set_terminated(parent.info.run_id, status)
    elif parent.info.status != "RUNNING":
        client.update_run(parent.info.run_id, "RUNNING")
