"""``lstmzoo serve``: a saved model behind HTTP."""

import socket
from typing import Annotated

import typer

from lstmzoo.cli import _options as o
from lstmzoo.errors import ConfigError
from lstmzoo.limits import LIMITS, ServingLimits
from lstmzoo.mlflow.defaults import HOST, PORT
from lstmzoo.quiet import import_keras

Model = Annotated[str, typer.Argument(help="Saved model's folder, or its MLflow URI.", show_default=False)]
Host = Annotated[str, typer.Option(help="Address to listen on; there is no authentication.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
MaxRequestBytes = Annotated[int, typer.Option(min=1, help="Maximum bytes of a request's body.")]
MaxRows = Annotated[int, typer.Option(min=1, help="Maximum rows of a request.")]
MaxSteps = Annotated[int, typer.Option(min=1, help="Maximum steps of a request: series times horizon, characters, ...")]
MaxRequests = Annotated[
    int, typer.Option(min=1, help="Maximum number of requests that are answered or wait at the same time.")
]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds after which a request is aborted.")]


def serve(
    model: Model, *, host: Host = HOST, port: Port = PORT, max_request_bytes: MaxRequestBytes = LIMITS.max_request_bytes,
    max_rows: MaxRows = LIMITS.max_rows, max_steps: MaxSteps = LIMITS.max_steps,
    max_requests: MaxRequests = LIMITS.max_requests, timeout: Timeout = LIMITS.timeout,
    tracking_uri: o.TrackingUri = None,
) -> None:  # fmt: skip
    """Serve a saved model over HTTP as MLflow does (POST /invocations, GET /ping), until interrupted."""
    _check_free(host, port)
    import_keras()
    from lstmzoo.mlflow import serve as run

    limits = ServingLimits(max_request_bytes, max_rows, max_steps, max_requests, timeout)
    run(model, host=host, port=port, limits=limits, tracking_uri=tracking_uri)


def _check_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --port") from None
