"""The journal of a search: a header that identifies the search, and a line per trial. The whole file is replaced atomically."""

import json
import logging
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any, TextIO

from lstmzoo.errors import ConfigError, LstmzooError
from lstmzoo.folders import sync_folder
from lstmzoo.outputs import replacing
from lstmzoo.records import Record

_NAME = "search.jsonl"
_FORMAT = 4
_logger = logging.getLogger(__name__)


class Journal:
    """The journal in a directory, created if there is none. Until :meth:`close`, no other search can use the directory.

    Args:
        directory: The directory; a new temporary one if None.
        identity: The settings that identify the search, as JSON.
        seed: Seed of a new journal, which also gets a new ``search_id``.

    Raises:
        ConfigError: If the directory is in use by another search, or has the journal of another search; the message names the
            differences.
        LstmzooError: If the file in the directory is not a journal.
    """

    def __init__(self, directory: str | Path | None, identity: dict[str, Any], seed: int) -> None:
        self.is_temporary = not directory
        self.directory = Path(directory or tempfile.mkdtemp(prefix="lstmzoo-search-")).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = self.directory / _NAME
        self._lock = _locked(self.directory)
        self.records: list[Record] = []
        self.header: dict[str, Any] = {
            "format": _FORMAT,
            "search_id": uuid.uuid4().hex,
            "seed": seed,
            "identity": identity,
        }
        try:
            self._read_or_begin(identity)
        except BaseException:
            self.close()
            raise

    @property
    def elapsed(self) -> float:
        """Seconds of the search when a trial was last written."""
        return max((r["elapsed"] for r in self.records), default=0.0)

    def put(self, record: Record) -> None:
        """Add a trial, or replace the one of the same number, and write it to disk."""
        place = next((i for i, r in enumerate(self.records) if r["number"] == record["number"]), len(self.records))
        self.records[place : place + 1] = [record]
        self._write()

    def _read_or_begin(self, identity: dict[str, Any]) -> None:
        if self.path.exists():
            self.header, self.records = _read(self.path)
            _check_same(self.header["identity"], identity, self.path)
        else:
            self._write()

    def close(self, *, discard: bool = False) -> None:
        """Release the directory; remove it if ``discard`` is true."""
        self._lock.close()
        if discard:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self) -> None:
        lines = [json.dumps(line, allow_nan=False) + "\n" for line in (self.header, *self.records)]
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.directory)


def _locked(directory: Path) -> TextIO:
    """Return an open file that is locked until it is closed or the process ends."""
    file = (directory / ".lock").open("w")
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        raise ConfigError(f"{directory} is in use by another search: wait for it, or give another directory") from None
    except OSError as error:  # a file system without locks
        _logger.warning("%s cannot be locked (%s): make sure that no other search uses it", directory, error.strerror)
    return file


def _read(path: Path) -> tuple[dict[str, Any], list[Record]]:
    number = 1
    records: list[Record] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(lines[0])
        _check_format(header["format"], path)
        _ = header["search_id"], header["seed"], header["identity"].items()
        for number, line in enumerate(lines[1:], start=2):  # noqa: B007
            record = json.loads(line)
            if not isinstance(record, dict) or set(record) != set(Record.__annotations__):
                raise ValueError
            records.append(record)  # type: ignore[arg-type]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise LstmzooError(f"{path}, line {number}: not the journal of a search; give another directory") from None
    return header, records


def _check_format(number: Any, path: Path) -> None:
    if number != _FORMAT:
        raise LstmzooError(
            f"{path} is a journal of format {number}, and this version of lstmzoo reads format {_FORMAT}: give another directory"
        )


def _check_same(there: dict[str, Any], here: dict[str, Any], path: Path) -> None:
    differ = [
        f"{key} ({_short(there.get(key))} there, {_short(here.get(key))} here)"
        for key in dict.fromkeys([*here, *there])
        if there.get(key) != here.get(key)
    ]
    if differ:
        raise ConfigError(f"{path} is the journal of another search; they differ in {'; '.join(differ)}. "
                          "Give another directory, or delete that file")  # fmt: skip


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
