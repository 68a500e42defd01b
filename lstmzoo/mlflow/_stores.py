"""Databases of MLflow stores: problems are found within seconds."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.store.db import utils

_PREFIX = "sqlite:///"
_LOCKED_SECONDS = 3  # that another process may lock a SQLite store


def sqlite_file(uri: str) -> Path | None:
    """Return the absolute path of a SQLite store; None for other stores, and for a SQLite URI (``file:``)."""
    path = uri.removeprefix(_PREFIX)
    return Path(path).absolute() if uri.startswith(_PREFIX) and not path.startswith("file:") else None


def check_writable(uri: str) -> None:
    """Refuse a SQLite store that cannot be written; MLflow itself would try ten times, for 101 seconds.

    Args:
        uri: URI of the store; only SQLite stores are checked.

    Raises:
        MlflowException: If it cannot be written; the message names the file or folder.
    """
    file = sqlite_file(uri)
    if file is None or "?" in uri:  # with options for SQLAlchemy
        return
    folder = next(parent for parent in file.parents if parent.exists())  # MLflow creates the folders below it
    try:
        tempfile.TemporaryFile(dir=folder).close()  # SQLite writes its journal there
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
    """Let MLflow try a database only once within the context, instead of ten times in 101 seconds."""
    before = utils.MAX_RETRY_COUNT
    utils.MAX_RETRY_COUNT = 1
    try:
        yield
    finally:
        utils.MAX_RETRY_COUNT = before
