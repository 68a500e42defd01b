"""Serving over HTTP: MLflow's scoring app behind a guard."""

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pandas as pd
import uvicorn
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from lstmzoo.contracts import Servable
from lstmzoo.environ import environment
from lstmzoo.limits import LIMITS, ServingLimits
from lstmzoo.mlflow._base import fetch_model
from lstmzoo.mlflow.defaults import HOST, PORT
from lstmzoo.mlflow.guard import FAILED, App, Guard
from lstmzoo.mlflow.loader import IN_SERVING, ServedModel

_logger = logging.getLogger(__name__)
_MLFLOW_TIMEOUT = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"


def serve(
    model: str | os.PathLike[str],
    *,
    host: str = HOST,
    port: int = PORT,
    limits: ServingLimits = LIMITS,
    tracking_uri: str | None = None,
) -> None:
    """Serve a model until interrupted: ``POST /invocations`` in MLflow's format, and ``GET /ping``.

    Args:
        model: A saved model's folder, an MLflow model folder, or a URI (``models:/name@champion``).
        host: Address to listen at. There is no authentication: put a proxy before a public server.
        port: Port to listen at.
        limits: Limits of requests.
        tracking_uri: MLflow store in which URIs are resolved.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
    """
    app = build_app(model, limits=limits, tracking_uri=tracking_uri)
    uvicorn.run(app, host=host, port=port, ws="none")


def build_app(model: str | os.PathLike[str], *, limits: ServingLimits = LIMITS, tracking_uri: str | None = None) -> App:
    """Return the ASGI application of :func:`serve`, for your own server.

    The model is loaded, and compiled for usual requests.

    Args:
        model: As for :func:`serve`.
        limits: Limits of requests.
        tracking_uri: MLflow store in which URIs are resolved.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
    """
    from mlflow.pyfunc import scoring_server

    estimator = cast(Servable, fetch_model(model, tracking_uri))
    served = ServedModel(estimator, limits)
    for params in estimator.serving_warmup():
        estimator.serve(estimator.serving_example(), params)
    with environment(**{_MLFLOW_TIMEOUT: str(math.ceil(limits.timeout) + 60)}):  # the guard answers before MLflow does
        app = scoring_server.init(cast(Any, _PyFuncModel(served)))
    return Guard(app, limits)


@contextmanager
def serve_in_background(
    model: str | os.PathLike[str],
    *,
    host: str = HOST,
    port: int = 0,
    limits: ServingLimits = LIMITS,
    tracking_uri: str | None = None,
) -> Iterator[str]:
    """Serve in a thread of this process until the context ends, for demonstrations and tests; yields the URL.

    Args:
        model: As for :func:`serve`.
        host: Address to listen at.
        port: Port to listen at; with 0, a free one.
        limits: Limits of requests.
        tracking_uri: MLflow store in which URIs are resolved.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
        OSError: If the port is taken.
    """
    with environment(IN_SERVING):  # MLflow sets it, and does not restore it
        app = build_app(model, limits=limits, tracking_uri=tracking_uri)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
        with _listener(host, port) as listener:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            try:
                while not server.started and thread.is_alive():
                    time.sleep(0.01)
                yield f"http://{host}:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()


def _listener(host: str, port: int) -> socket.socket:
    """Return a bound socket with the protocol TCP: otherwise asyncio keeps Nagle's delay of 40 ms."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


class _PyFuncModel:
    """A model for MLflow's app. It has no signature, so that requests reach the model unchanged."""

    metadata = Model()

    def __init__(self, served: ServedModel) -> None:
        self._served = served

    def predict(self, data: Any, params: Any = None) -> pd.DataFrame:
        try:
            return self._served.predict(data, params)
        except MlflowException:
            raise
        except Exception:
            _logger.exception("the model failed at a request")
            raise MlflowException("the model failed", detail=FAILED) from None
