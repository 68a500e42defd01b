"""``lstmzoo serve``: a saved model behind HTTP."""

import socket
from typing import Annotated

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import import_networks
from lstmzoo.errors import ConfigError
from lstmzoo.mlflow.defaults import HOST, PORT

Model = Annotated[str, typer.Argument(help="Saved model's folder, or its MLflow URI.", show_default=False)]
Host = Annotated[str, typer.Option(help="Address to listen at; there is no authentication.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")]


def serve(model: Model, *, host: Host = HOST, port: Port = PORT, tracking_uri: o.TrackingUri = None) -> None:
    """Serve a saved model over HTTP as MLflow does (POST /invocations, GET /ping), until interrupted."""
    _check_free(host, port)
    import_networks()
    from lstmzoo.mlflow import serve as run

    run(model, host=host, port=port, tracking_uri=tracking_uri)


def _check_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --port") from None
