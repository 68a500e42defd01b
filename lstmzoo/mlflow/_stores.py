"""Databases as MLflow's stores: whether they can be used, found out within seconds."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.store.db import utils

_PREFIX = "sqlite:///"
_LOCKED_SECONDS = 3  # that another process may hold a SQLite store locked


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of a SQLite store, if it is one; None for one that is named by a URI of SQLite's own (``file:``)."""
    path = uri.removeprefix(_PREFIX)
    return Path(path).absolute() if uri.startswith(_PREFIX) and not path.startswith("file:") else None


def check_writable(uri: str) -> None:
    """Refuse a SQLite store that cannot be written, which MLflow by itself would try ten times, for 101 seconds.

    Args:
        uri: Of any store; stores of other kinds are not looked at.

    Raises:
        MlflowException: Naming the file or folder, and what is wrong with it.
    """
    file = sqlite_file(uri)
    if file is None or "?" in uri:  # options that only SQLAlchemy can read
        return
    folder = next(parent for parent in file.parents if parent.exists())  # MLflow makes those below it
    try:
        tempfile.TemporaryFile(dir=folder).close()  # SQLite's own journal is written there
    except OSError as error:
        raise _unavailable(f"{folder} cannot be written: {error.strerror}") from None
    if not file.exists():
        return
    if not file.is_file():
        raise _unavailable(f"{file} is not a file")
    try:
        with closing(sqlite3.connect(file, timeout=_LOCKED_SECONDS, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise _unavailable(f"{file} cannot be written: {error}") from None


def _unavailable(message: str) -> MlflowException:
    return MlflowException(message, error_code=TEMPORARILY_UNAVAILABLE)


@contextmanager
def tried_once() -> Iterator[None]:
    """Let MLflow try a database once, while the context lasts, where it tries ten times by itself, for 101 seconds."""
    before = utils.MAX_RETRY_COUNT
    utils.MAX_RETRY_COUNT = 1
    try:
        yield
    finally:
        utils.MAX_RETRY_COUNT = before
