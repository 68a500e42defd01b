"""Serving over HTTP: MLflow's scoring app behind a guard.

MLflow's app by itself drops unknown columns and parameters in silence, has no limit of size, fails at deep nesting, and
sends stack traces. The guard looks at each request before the app does, and at each answer after it.
"""

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from lstmzoo.errors import LstmzooError
from lstmzoo.estimators import load
from lstmzoo.mlflow._base import ServedModel, fetch_bundle, one_line, short
from lstmzoo.saving import read_bundle

_logger = logging.getLogger(__name__)
_PATHS = ("/ping", "/health", "/version", "/invocations")
_FORMATS = ("dataframe_split", "dataframe_records")
_MAX_DEPTH = 8
_IN_SERVING = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


def serve(
    model: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 5000,
    max_request_bytes: int = 10_000_000,
    tracking_uri: str | None = None,
) -> None:
    """Serve a model until interrupted: ``POST /invocations`` as MLflow has it, and ``GET /ping``.

    Args:
        model: A folder that an estimator saved, an MLflow model folder, or a URI such as ``models:/<name>@champion``.
        host: Address to listen at. There is no authentication: put a proxy in front before you open it to others.
        port: Port to listen at.
        max_request_bytes: Larger requests are refused.
        tracking_uri: Where URIs are looked up.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
    """
    app = build_app(model, max_request_bytes=max_request_bytes, tracking_uri=tracking_uri)
    uvicorn.run(app, host=host, port=port, ws="none")


def verify_model(
    model: str | os.PathLike[str], destination: str | Path | None = None, *, tracking_uri: str | None = None
) -> Path:
    """Copy a saved model, and check each byte of the copy against its manifest.

    Args:
        model: As for :func:`serve`.
        destination: A folder for the copy; if None, a private temporary one, which the caller removes.
        tracking_uri: Where URIs are looked up.

    Returns:
        The copy, which :func:`lstmzoo.load` takes.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
    """
    if destination is None:
        destination = tempfile.mkdtemp(prefix="lstmzoo-")
    folder = Path(destination)
    folder.mkdir(parents=True, exist_ok=True)
    copy = fetch_bundle(model, folder, tracking_uri)
    read_bundle(copy)
    return copy


def build_app(
    model: str | os.PathLike[str], *, max_request_bytes: int = 10_000_000, tracking_uri: str | None = None
) -> App:
    """The ASGI application that :func:`serve` runs, for a server of your own; the model has answered once already.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
    """
    from mlflow.pyfunc import scoring_server

    with tempfile.TemporaryDirectory(prefix="lstmzoo-") as private:
        estimator = load(fetch_bundle(model, Path(private), tracking_uri))
    served = ServedModel(estimator)
    served.predict(estimator.serving_example())
    return _Guard(scoring_server.init(_AsMlflowHasIt(served)), max_request_bytes)


@contextmanager
def serve_in_background(
    model: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    max_request_bytes: int = 10_000_000,
    tracking_uri: str | None = None,
) -> Iterator[str]:
    """Serve in a thread of this process, for demonstrations and tests; yields the URL, and stops at the end.

    Args:
        model: As for :func:`serve`.
        host: Address to listen at.
        port: Port to listen at; with 0, a free one.
        max_request_bytes: Larger requests are refused.
        tracking_uri: Where URIs are looked up.

    Raises:
        SavedModelError: If there is no such model, or it is damaged.
        OSError: If the port is taken.
    """
    before = os.environ.get(_IN_SERVING)
    app = build_app(model, max_request_bytes=max_request_bytes, tracking_uri=tracking_uri)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise OSError(f"cannot listen at {host}, port {port}: the server's log says why")
            time.sleep(0.01)
        yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        os.environ.pop(_IN_SERVING, None)
        if before is not None:
            os.environ[_IN_SERVING] = before


class _AsMlflowHasIt:
    """What MLflow's app asks of a model. Without a signature here, requests reach the model as they came."""

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
            raise MlflowException("the model failed", detail=_FAILED) from None


_FAILED = "the server failed at this request; its log says why"


class _Refused(LstmzooError):
    """A request that the app does not get to see."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Guard:
    """ASGI middleware: refuses what is too large, nested or odd, and sends errors as JSON of one sentence."""

    def __init__(self, app: App, max_request_bytes: int) -> None:
        self._app = app
        self._max_request_bytes = max_request_bytes

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._checked_body(Request(scope, receive))
            status, headers, answer = await _answer(self._app, scope, body)
        except ClientDisconnect:
            return
        except _Refused as refused:
            status, answer = refused.status, json.dumps({"message": str(refused)}).encode()
        except Exception:
            _logger.exception("the server failed at a request")
            status, answer = 500, json.dumps({"message": _FAILED}).encode()
        if status >= 400:
            await _error(status, answer)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _checked_body(self, request: Request) -> bytes:
        if request.url.path not in _PATHS:
            raise _Refused(404, f"there is nothing here; there are {', '.join(_PATHS)}")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_request_bytes:
                raise _Refused(413, f"the request is larger than {self._max_request_bytes} bytes")
        if request.url.path == "/invocations" and request.method == "POST":
            if (
                request.headers.get("content-type", "").partition(";")[0].strip().lower()
                != "application/json"
            ):
                raise _Refused(415, "send JSON, with the header 'Content-Type: application/json'")
            _check_json(body)
        return body


async def _answer(app: App, scope: Message, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[Message] = []
    parts = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], sent[0]["headers"], answer


def _check_json(body: bytes) -> None:
    """Refuse what MLflow's parser, or pandas', would stumble over."""
    if not body.strip():
        raise _Refused(
            400, "the request is empty; send {'dataframe_split': {'columns': [...], 'data': [...]}}"
        )
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise _Refused(400, f"the request is nested more than {_MAX_DEPTH} levels deep") from None
    except ValueError as error:  # not JSON, not UTF-8, or a number of thousands of digits
        raise _Refused(400, f"the request is not valid JSON: {one_line(str(error))}") from None
    if not isinstance(document, dict):
        raise _Refused(400, f"the request must be a JSON object with one of {', '.join(_FORMATS)}")
    _check_depth(document)
    unknown = [key for key in document if key not in (*_FORMATS, "params")]
    if unknown:
        raise _Refused(400, f"unknown key {short(unknown[0])!r}; valid: {', '.join((*_FORMATS, 'params'))}")
    if sum(key in document for key in _FORMATS) != 1:
        raise _Refused(400, f"the request must have one of {', '.join(_FORMATS)}")
    if not isinstance(document.get("params", {}), dict):
        raise _Refused(400, "params must be an object of names and values")


def _refuse_constant(text: str) -> None:
    raise _Refused(400, f"the request holds {text}, which is not a value that can be used")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(_MAX_DEPTH):
        containers = [value for value in level if isinstance(value, dict | list)]
        level = [
            child for value in containers for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise _Refused(400, f"the request is nested more than {_MAX_DEPTH} levels deep")


def _error(status: int, answer: bytes) -> JSONResponse:
    """One sentence, wherever the error is from."""
    try:
        document = json.loads(answer)
        message = document.get("detail") or document["message"]
    except (ValueError, LookupError, AttributeError):
        message = answer.decode("utf-8", "replace")
    code = {400: "INVALID_PARAMETER_VALUE", 404: "NOT_FOUND"}.get(
        status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST"
    )
    return JSONResponse(
        {"error_code": code, "message": one_line(str(message).partition("\n")[0])}, status_code=status
    )
