"""Automatic logging of fits to MLflow: ``lstmzoo.mlflow.autolog()``."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.tracking import fluent

from lstmzoo.contracts import Data, NetworkEstimator
from lstmzoo.estimators._base import CLASSES, ZooNetworkEstimator
from lstmzoo.mlflow._base import check_registered_name, connection, one_line, resolve_tracking_uri
from lstmzoo.mlflow.defaults import Status
from lstmzoo.mlflow.flavor import log_model
from lstmzoo.mlflow.provenance import FittedData, log_data
from lstmzoo.mlflow.writing import fit_metrics, log

_logger = logging.getLogger(__name__)
_FIT = "lstmzoo.fit"
_patched: list[tuple[type, str, Callable]] = []
_local = threading.local()


@dataclass(frozen=True)
class _Settings:
    log_models: bool
    registered_model_name: str | None
    tracking_uri: str | None


def autolog(
    *,
    log_models: bool = True,
    registered_model_name: str | None = None,
    tracking_uri: str | None = None,
    disable: bool = False,
) -> None:
    """Log each ``fit`` of a :class:`lstmzoo.Forecaster`, :class:`lstmzoo.LanguageModel` or :class:`lstmzoo.Translator`.

    The run of a fit has the estimator's parameters, the entry's resolved settings, metrics per epoch, the data as an input,
    and the model with its signature. The active run is used if it has no fit; a further fit becomes a nested run. A fit that
    raises leaves a ``FAILED`` run. The fits of searches, benchmarks and backtests are not logged: a search has its own tracking.

    If MLflow is away, a warning is logged, and the fit is not affected.

    Args:
        log_models: Whether models are logged too.
        registered_model_name: Register each model under this name, with the alias ``champion``.
        tracking_uri: MLflow store; by default MLflow's current one, otherwise ``mlflow.db`` in the working directory.
        disable: Stop logging.

    Raises:
        ConfigError: If MLflow does not accept the registered name.
    """
    check_registered_name(registered_model_name)
    while _patched:
        owner, name, original = _patched.pop()
        setattr(owner, name, original)
    if disable:
        return
    settings = _Settings(log_models, registered_model_name, tracking_uri)
    for cls in CLASSES.values():
        if issubclass(cls, ZooNetworkEstimator):
            for base in cls.__mro__:
                _patch(base, "fit", functools.partial(_logged, settings=settings))
                _patch(base, "cross_validation", _unlogged)


def _patch(owner: type, name: str, make: Callable[[Callable], Callable]) -> None:
    original = vars(owner).get(name)
    known = any((owner, name) == place[:2] for place in _patched)
    if original is not None and owner.__module__.startswith("lstmzoo.") and not known:
        _patched.append((owner, name, original))
        setattr(owner, name, make(original))


@contextmanager
def paused() -> Iterator[None]:
    """Log no fit of this thread within the context."""
    before = getattr(_local, "paused", False)
    _local.paused = True
    try:
        yield
    finally:
        _local.paused = before


def _unlogged(original: Callable) -> Callable:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with paused():
            return original(self, *args, **kwargs)

    return method


def _logged(original: Callable, settings: _Settings) -> Callable:
    @functools.wraps(original)
    def fit(self: NetworkEstimator, *args: Any, **kwargs: Any) -> Any:
        if getattr(_local, "paused", False):
            return original(self, *args, **kwargs)
        began = int(1000 * time.time())
        try:
            with paused():
                fitted = original(self, *args, **kwargs)
        except BaseException as error:
            _log_fit(self, settings, began, (), error)
            raise
        _log_fit(self, settings, began, args or tuple(kwargs.values()), None)
        return fitted

    return fit


def _log_fit(
    estimator: NetworkEstimator, settings: _Settings, began: int, data: Data, error: BaseException | None
) -> None:
    try:
        with connection(settings.tracking_uri, timeout=5) as uri:
            client = MlflowClient(uri)
            with _run(client, estimator, began, _status(error)) as run_id:
                _write(client, run_id, estimator, began, data, error)
                if error is None and settings.log_models:
                    name = settings.registered_model_name
                    log_model(estimator, run_id=run_id, registered_model_name=name, tracking_uri=uri)
    except Exception as problem:  # whatever MLflow, its store or the network raises: the fit is not affected
        uri = resolve_tracking_uri(settings.tracking_uri)
        _logger.warning("MLflow at %s failed; the fit was not logged: %s", uri, one_line(str(problem)))


@contextmanager
def _run(client: MlflowClient, estimator: NetworkEstimator, began: int, status: Status) -> Iterator[str]:
    """Yield the run to log to. A run of the fit's own ends with the context, as ``FAILED`` if logging fails."""
    active = mlflow.active_run()
    if active is not None and _FIT not in client.get_run(active.info.run_id).data.tags:
        yield active.info.run_id
        return
    tags = {} if active is None else {"mlflow.parentRunId": active.info.run_id}
    experiment = fluent._get_experiment_id() if active is None else active.info.experiment_id
    run = client.create_run(str(experiment), began, tags, run_name=f"{type(estimator).__name__} {estimator.model}")
    try:
        yield run.info.run_id
    except Exception:
        with suppress(Exception):  # the store may be away by now; the first error is reported
            client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, status)


def _write(
    client: MlflowClient,
    run_id: str,
    estimator: NetworkEstimator,
    began: int,
    data: Data,
    error: BaseException | None,
) -> None:
    params = {key: value for key, value in estimator.get_params(deep=False).items() if key != "hyperparameters"}
    tags = {_FIT: type(estimator).__name__, "task": estimator.task}
    if error is not None:
        given = estimator.get_params(deep=False).get("hyperparameters") or {}
        tags["lstmzoo.error"] = f"{type(error).__name__}: {error}"
        log(client, client.get_run(run_id), {**params, **given}, [], tags)
        return
    tags["data_digest"] = estimator.data_digest_
    record = {
        "history": estimator.history_,
        "seconds": estimator.seconds_,
        "num_parameters": estimator.num_parameters_,
        "epochs": len(estimator.history_),
    }
    best = {"best_epoch": estimator.best_epoch_}
    settings = {**params, **estimator.config_.settings, "model": estimator.config_.name}
    log(client, client.get_run(run_id), {**settings, **best}, fit_metrics(record, began), tags)
    log_data(client, run_id, FittedData(estimator.task, estimator.data_digest_, data))


def _status(error: BaseException | None) -> Status:
    if error is None:
        return "FINISHED"
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
