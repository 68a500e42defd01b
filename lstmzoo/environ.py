"""Temporary changes of environment variables."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_users: dict[str, int] = {}
_found: dict[str, str | None] = {}


@contextmanager
def environment(*kept: str, **changed: str) -> Iterator[None]:
    """Change environment variables, and restore their values afterwards.

    Several threads may change the same variable: the first one notes its value, and the last one restores it.

    Args:
        *kept: Variables to restore, which this call does not change.
        **changed: New values, by name.

    Example:
        >>> import os
        >>> with environment(LSTMZOO_EXAMPLE="1"):
        ...     os.environ["LSTMZOO_EXAMPLE"]
        '1'
        >>> "LSTMZOO_EXAMPLE" in os.environ
        False
    """
    names = {*kept, *changed}
    with _lock:
        for name in names:
            _users[name] = _users.get(name, 0) + 1
            if _users[name] == 1:
                _found[name] = os.environ.get(name)
        os.environ.update(changed)
    try:
        yield
    finally:
        with _lock:
            for name in names:
                _users[name] -= 1
                if _users[name] == 0:
                    _restore(name, _found.pop(name))


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
