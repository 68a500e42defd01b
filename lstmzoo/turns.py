"""Long work in blocks: between two blocks it can be stopped, or let other work go first.

The caller, such as a server, passes a :class:`Turn` to :func:`working_by`. The work itself calls :func:`pause` between its
blocks, and compiles within :func:`aside`; without a turn both do nothing. A :class:`RequestTurn` belongs to a request to a
server: requests take turns, and stop if their client disconnects.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

_QUANTUM = 0.02  # seconds of work after which waiting requests go first
_LOOK = 0.1  # seconds between two checks whether waiting work is still wanted


class Turn(Protocol):
    """The right to work: asked between two blocks of work."""

    def check(self) -> None:
        """Raise an exception if the work is no longer wanted."""

    def pause(self) -> None:
        """Raise an exception if the work is no longer wanted, and let other work go first."""

    def aside(self) -> AbstractContextManager[None]:
        """Let other work run within the context."""


_TURN: ContextVar[Turn | None] = ContextVar("lstmzoo_turn", default=None)


@contextmanager
def working_by(turn: Turn) -> Iterator[None]:
    """Use a turn for the work within the context, in this thread."""
    token = _TURN.set(turn)
    try:
        yield
    finally:
        _TURN.reset(token)


def pause() -> None:
    """Mark the end of a block of work; the turn raises an exception if the work is no longer wanted."""
    turn = _TURN.get()
    if turn is not None:
        turn.pause()


def aside() -> AbstractContextManager[None]:
    """Mark work that does not need the turn, such as compiling."""
    turn = _TURN.get()
    return nullcontext() if turn is None else turn.aside()


@contextmanager
def holding(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock; the turn can stop the work while it waits for the lock."""
    turn = _TURN.get()
    while not lock.acquire(timeout=-1 if turn is None else _LOOK):
        if turn is not None:
            turn.check()
    try:
        yield
    finally:
        lock.release()


class RequestEnded(Exception):
    """The client has disconnected, or the request has taken too long: its work stops."""


class TimedOut(RequestEnded):
    """The request has taken too long."""


class Request:
    """A request with its deadline and its client.

    Args:
        seconds: Seconds until the request times out.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._left = threading.Event()

    def leave(self) -> None:
        """Note that the client has disconnected."""
        self._left.set()

    def check(self) -> None:
        """Stop work that is no longer wanted.

        Raises:
            TimedOut: If the request has timed out.
            RequestEnded: If the client has disconnected.
        """
        if self._left.is_set():
            raise RequestEnded("the client has disconnected")
        if time.monotonic() > self._until:
            raise TimedOut(timeout_message(self._seconds))


REQUEST: ContextVar[Request | None] = ContextVar("lstmzoo_request", default=None)


def timeout_message(seconds: float) -> str:
    """Return the message for a client whose request has taken too long."""
    return f"the answer was not ready after {seconds:g} seconds (timeout): send fewer rows at a time, or ask for less"


class Queue:
    """A lock for which threads wait in order of arrival."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    @property
    def awaited(self) -> bool:
        """Whether a thread waits."""
        return bool(self._waiting)

    def enter(self, check: Callable[[], None]) -> None:
        """Wait for the lock, calling ``check`` regularly; an exception that it raises ends the wait."""
        ticket = threading.Lock()
        with self._mutex:
            if not self._held:
                self._held = True
                return
            ticket.acquire()
            self._waiting.append(ticket)
        while not ticket.acquire(timeout=_LOOK):
            try:
                check()
            except BaseException:
                self._give_up(ticket)
                raise

    def leave(self) -> None:
        """Pass the lock to the next thread."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def _give_up(self, ticket: threading.Lock) -> None:
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                return
        self.leave()  # it was passed to this thread meanwhile


class RequestTurn:
    """A :class:`Turn` of a request: after 20 ms of work, waiting requests go first.

    Args:
        queue: The queue of all requests.
        request: The request that works.
    """

    def __init__(self, queue: Queue, request: Request) -> None:
        self._queue = queue
        self._request = request
        self._holds = False
        self._since = 0.0

    def __enter__(self) -> "RequestTurn":
        self._enter()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def check(self) -> None:
        """Raise :class:`RequestEnded` if the request is no longer wanted."""
        self._request.check()

    def pause(self) -> None:
        """Call :meth:`check`, and let others go first, except within :meth:`aside`."""
        self.check()
        if self._holds and self._queue.awaited and time.monotonic() - self._since >= _QUANTUM:
            self._leave()
            self._enter()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others work within the context; a nested context does nothing."""
        if not self._holds:
            yield
            return
        self._leave()
        yield
        self._enter()

    def _enter(self) -> None:
        self.check()
        self._queue.enter(self.check)
        self._holds, self._since = True, time.monotonic()

    def _leave(self) -> None:
        if self._holds:
            self._holds = False
            self._queue.leave()
