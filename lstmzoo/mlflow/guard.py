"""What stands before MLflow's scoring app.

The app by itself has no limit of size, fails at deep nesting, and sends stack traces. The guard looks at each
request before the app does, and at each answer after it.
"""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from lstmzoo.errors import LstmzooError
from lstmzoo.mlflow._base import one_line

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FAILED = "the server failed at this request; its log says why"
_PATHS = ("/ping", "/health", "/version", "/invocations")
_FORMATS = ("dataframe_split", "dataframe_records")
_MAX_DEPTH = 8
_logger = logging.getLogger(__name__)


class Guard:
    """ASGI middleware: refuses what is too large, nested or odd; errors become JSON with one sentence.

    Args:
        app: MLflow's scoring app.
        max_request_bytes: Larger requests are refused.
    """

    def __init__(self, app: App, max_request_bytes: int) -> None:
        self._app = app
        self._max_request_bytes = max_request_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
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
            status, answer = 500, json.dumps({"message": FAILED}).encode()
        if status >= 400:
            await _error(status, answer)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _checked_body(self, request: Request) -> bytes:
        path = request.scope["path"]
        if path not in _PATHS:
            raise _Refused(f"there is nothing here; there are {', '.join(_PATHS)}", 404)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_request_bytes:
                raise _Refused(f"the request is larger than {self._max_request_bytes} bytes", 413)
        if path == "/invocations" and request.method == "POST":
            kind = request.headers.get("content-type", "").partition(";")[0]
            if kind.strip().lower() != "application/json":
                raise _Refused("send JSON, with the header 'Content-Type: application/json'", 415)
            _check_json(bytes(body))
        return bytes(body)


class _Refused(LstmzooError):
    """A request that the app does not get to see."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


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
        raise _Refused("the request is empty; send {'dataframe_split': {'columns': [...], 'data': [...]}}")
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise _Refused(f"the request is nested more than {_MAX_DEPTH} levels deep") from None
    except json.JSONDecodeError as error:
        raise _Refused(f"the request is not valid JSON: {one_line(str(error))}") from None
    except ValueError:  # other encodings, and numbers of thousands of digits
        raise _Refused("the request is not valid JSON in UTF-8, or holds a number that is too long") from None
    if not isinstance(document, dict):
        raise _Refused(f"the request must be a JSON object with one of {', '.join(_FORMATS)}")
    _check_depth(document)
    unknown = [key for key in document if key not in (*_FORMATS, "params")]
    if unknown:
        raise _Refused(f"unknown key {unknown[0][:40]!r}; valid: {', '.join((*_FORMATS, 'params'))}")
    if sum(key in document for key in _FORMATS) != 1:
        raise _Refused(f"the request must have one of {', '.join(_FORMATS)}")
    if not isinstance(document.get("params", {}), dict):
        raise _Refused("params must be an object of names and values")
    _check_table(document)


def _refuse_constant(text: str) -> None:
    raise _Refused(f"the request holds {text}, which is not a value that can be used")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise _Refused(f"the request is nested more than {_MAX_DEPTH} levels deep")


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_table(document: dict[str, Any]) -> None:
    if "dataframe_records" in document:
        rows = document["dataframe_records"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _Refused("dataframe_records must be a list of objects, one per row")
        return
    table = document["dataframe_split"]
    if not isinstance(table, dict) or not {"columns", "data"} <= set(table) <= {"columns", "data", "index"}:
        raise _Refused("dataframe_split must be an object with the keys columns and data")
    columns, rows = table["columns"], table["data"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise _Refused("dataframe_split: columns must be a list of names")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise _Refused("dataframe_split: data must be a list of lists, one per row")
    odd = next((i for i, row in enumerate(rows) if len(row) != len(columns)), None)
    if odd is not None:
        raise _Refused(f"dataframe_split: row {odd} has {len(rows[odd])} values for {len(columns)} columns")


def _error(status: int, answer: bytes) -> JSONResponse:
    """One sentence, wherever the error is from."""
    try:
        document = json.loads(answer)
        message = document.get("detail") or document["message"]
    except (ValueError, LookupError, AttributeError):
        message = answer.decode("utf-8", "replace")
    codes = {400: "INVALID_PARAMETER_VALUE", 404: "NOT_FOUND"}
    code = codes.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    sentence = one_line(str(message).partition("\n")[0])
    return JSONResponse({"error_code": code, "message": sentence}, status_code=status)
