"""A guard around MLflow's scoring app.

The app itself has no limit of size, fails on deep nesting, sends stack traces, answers only as many requests at a time as
asyncio has threads, and computes for clients that have disconnected. The guard checks each request before the app gets it,
watches its client and the time during the work, and rewrites errors.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse

from lstmzoo.errors import DataError, LstmzooError
from lstmzoo.limits import ServingLimits
from lstmzoo.mlflow._base import one_line
from lstmzoo.turns import REQUEST, Request, timeout_message

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FAILED = "the server failed at this request; its log says why"
_PATHS = ("/ping", "/health", "/version", "/invocations")
_FORMATS = ("dataframe_split", "dataframe_records")
_MAX_DEPTH = 8
_logger = logging.getLogger(__name__)


_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Guard:
    """ASGI middleware that refuses requests that are too large, too nested or malformed; errors become JSON with one sentence.

    A request stops after its current block of work if its client disconnects or it takes too long.

    Args:
        app: MLflow's scoring app.
        limits: Limits of requests.
    """

    def __init__(self, app: App, limits: ServingLimits) -> None:
        self._app = app
        self._limits = limits
        self._loop: asyncio.AbstractEventLoop | None = None
        self._working: set[asyncio.Task] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._give_threads()
        try:
            status, headers, answer = await self._answer(scope, receive)
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

    async def _answer(self, scope: Message, receive: Receive) -> _Answer:
        """Return the app's answer, if it is ready in time.

        Raises:
            ClientDisconnect: If the client disconnects.
            _Refused: If the request is refused, or takes too long.
        """
        if scope["path"] not in _PATHS:
            raise _Refused(f"there is nothing here; there are {', '.join(_PATHS)}", 404)
        if scope["path"] != "/invocations" or scope["method"] != "POST":
            return await _asked(self._app, scope, await self._body(scope, receive))
        if len(self._working) >= self._limits.max_requests:
            raise _Refused(f"{len(self._working)} requests are being answered (max_requests): try again later", 503)
        request = Request(self._limits.timeout)
        work = asyncio.ensure_future(self._invocation(scope, receive, request))
        self._working.add(work)
        work.add_done_callback(self._ended)
        await asyncio.wait({work}, timeout=self._limits.timeout)
        if work.done():
            return work.result()
        request.leave()
        raise _Refused(timeout_message(self._limits.timeout), 504)

    async def _invocation(self, scope: Message, receive: Receive, request: Request) -> _Answer:
        body = await self._body(scope, receive)
        gone = asyncio.ensure_future(_left(receive, request))
        try:
            await asyncio.to_thread(_check_request, scope, body, self._limits)
            REQUEST.set(request)
            return await _asked(self._app, scope, body)
        finally:
            gone.cancel()

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        body = bytearray()
        async for chunk in HttpRequest(scope, receive).stream():
            body += chunk
            if len(body) > self._limits.max_request_bytes:
                raise _Refused(f"the request is larger than {self._limits.max_request_bytes} bytes", 413)
        return bytes(body)

    def _ended(self, work: asyncio.Task) -> None:
        self._working.discard(work)
        if not work.cancelled():
            work.exception()  # retrieved here, as nothing else waits for a stopped request

    def _give_threads(self) -> None:
        """Give the loop a thread for each of the accepted requests, in which MLflow's app answers it."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            loop.set_default_executor(ThreadPoolExecutor(self._limits.max_requests, thread_name_prefix="request"))


async def _left(receive: Receive, request: Request) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    request.leave()


class _Refused(LstmzooError):
    """A request is refused before the app gets it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def _asked(app: App, scope: Message, body: bytes) -> _Answer:
    """Return the app's answer: status, headers and body."""
    sent: list[Message] = []
    parts = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], sent[0]["headers"], answer


def _check_request(scope: Message, body: bytes, limits: ServingLimits) -> None:
    """Refuse requests on which the parsers of MLflow or pandas would fail, and those with too many rows."""
    kind = HttpRequest(scope).headers.get("content-type", "").partition(";")[0]
    if kind.strip().lower() != "application/json":
        raise _Refused("send JSON, with the header 'Content-Type: application/json'", 415)
    document = _checked_json(body)
    try:
        limits.check_rows(len(_checked_rows(document)))
    except DataError as error:
        raise _Refused(str(error), 413) from None


def _checked_json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise _Refused("the request is empty; send {'dataframe_split': {'columns': [...], 'data': [...]}}")
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise _Refused(f"the request is nested more than {_MAX_DEPTH} levels deep") from None
    except json.JSONDecodeError as error:
        raise _Refused(f"the request is not valid JSON: {one_line(str(error))}") from None
    except ValueError:  # other encodings, and numbers with thousands of digits
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
    return document


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


def _checked_rows(document: dict[str, Any]) -> list[Any]:
    if "dataframe_records" in document:
        rows = document["dataframe_records"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _Refused("dataframe_records must be a list of objects, one per row")
        return rows
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
    return rows


def _error(status: int, answer: bytes) -> JSONResponse:
    """Return an error as JSON with one sentence."""
    try:
        document = json.loads(answer)
        message = document.get("detail") or document["message"]
    except (ValueError, LookupError, AttributeError):
        message = answer.decode("utf-8", "replace")
    codes = {400: "INVALID_PARAMETER_VALUE", 404: "NOT_FOUND", 503: "TEMPORARILY_UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
    code = codes.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    sentence = one_line(str(message).partition("\n")[0])
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error_code": code, "message": sentence}, status_code=status, headers=headers)
