"""Long work in blocks: between two of them it may be stopped, or let other work go first.

Whoever starts the work, such as a server, passes a :class:`Turn` to :func:`working_by`. The work itself calls :func:`pause`
between its blocks, and compiles within :func:`aside`. Without a turn both do nothing. A :class:`RequestTurn` is that of a
server's request: requests take turns, and end when nobody waits for them any more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

_QUANTUM = 0.02  # seconds that a request computes before others that wait go first
_LOOK = 0.1  # seconds between two looks at whether work that waits is still wanted


class Turn(Protocol):
    """Decides between two blocks of work how it continues."""

    def check(self) -> None:
        """Raise an exception if the work is not wanted any more."""

    def pause(self) -> None:
        """Do the same, and let other work go first."""

    def aside(self) -> AbstractContextManager[None]:
        """Let other work run during a block that does not need the turn."""


_TURN: ContextVar[Turn | None] = ContextVar("lstmzoo_turn", default=None)


@contextmanager
def working_by(turn: Turn) -> Iterator[None]:
    """Let a turn decide over the work of a block of code, in this thread."""
    token = _TURN.set(turn)
    try:
        yield
    finally:
        _TURN.reset(token)


def pause() -> None:
    """Mark the end of a block of work; raises what the turn raises if the work is not wanted any more."""
    turn = _TURN.get()
    if turn is not None:
        turn.pause()


def aside() -> AbstractContextManager[None]:
    """Mark work that others need not wait for, such as compiling."""
    turn = _TURN.get()
    return nullcontext() if turn is None else turn.aside()


@contextmanager
def holding(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock; while it is awaited, the turn may stop the work."""
    turn = _TURN.get()
    while not lock.acquire(timeout=-1 if turn is None else _LOOK):
        if turn is not None:
            turn.check()
    try:
        yield
    finally:
        lock.release()


class RequestEnded(Exception):
    """The client has left, or the request has taken too long; its work stops."""


class TimedOut(RequestEnded):
    """The request has taken too long."""


class Request:
    """One request: until when it may take, and whether its client is still there.

    Args:
        seconds: Until it times out.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._left = threading.Event()

    def leave(self) -> None:
        """Note that nobody waits for the answer any more."""
        self._left.set()

    def check(self) -> None:
        """Stop work that is not wanted any more.

        Raises:
            TimedOut: If the time is over.
            RequestEnded: If the client has left.
        """
        if self._left.is_set():
            raise RequestEnded("the client has left")
        if time.monotonic() > self._until:
            raise TimedOut(timeout_message(self._seconds))


REQUEST: ContextVar[Request | None] = ContextVar("lstmzoo_request", default=None)


def timeout_message(seconds: float) -> str:
    """What a client is told whose request has taken too long."""
    return f"the answer was not ready after {seconds:g} seconds (timeout): send fewer rows at a time, or ask for less"


class Queue:
    """A lock that is given to those who wait for it in the order in which they came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def enter(self, check: Callable[[], None]) -> None:
        """Wait for the lock; ``check`` is called meanwhile, and what it raises ends the wait."""
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
        """Hand the lock to the next."""
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
        self.leave()  # it was handed over just now


class RequestTurn:
    """Lets a request compute; a :class:`Turn`.

    Between two of its blocks of work, those that wait go first if it has computed for 20 ms.

    Args:
        queue: Of all requests.
        request: The one that computes.
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
        """Raise :class:`RequestEnded` if the request is not wanted any more."""
        self._request.check()

    def pause(self) -> None:
        """Do the same, and let others go first, unless they do already, as within :meth:`aside`."""
        self.check()
        if self._holds and self._queue.awaited and time.monotonic() - self._since >= _QUANTUM:
            self._leave()
            self._enter()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others compute during a block; within another such block it does nothing."""
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
