"""The journal of a search: what it searches, and a line per trial. It is written whole, and atomically."""

import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from lstmzoo.errors import ConfigError, LstmzooError
from lstmzoo.folders import sync_folder
from lstmzoo.outputs import replacing
from lstmzoo.tuning._base import Record, to_json
from lstmzoo.values import plain

_NAME = "search.jsonl"
_FORMAT = 1
_logger = logging.getLogger(__name__)


class Journal:
    """The journal in a directory, made if there is none; until :meth:`close`, no other search can have the directory.

    Args:
        directory: Where it lives; a fresh temporary directory if None.
        identity: What makes a search the same one, as JSON.
        seed: Remembered by a new journal, with a new ``search_id``.

    Raises:
        ConfigError: If the directory has the journal of another search, the message names what differs, or if another
            search is at work in it.
        LstmzooError: If the file there is no journal.
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
        """Seconds that the search had taken at the end of its last trial."""
        return self.records[-1]["elapsed"] if self.records else 0.0

    def append(self, record: Record) -> None:
        """Add a trial; when this returns, it is on the disk."""
        self.records.append(record)
        self._write()

    def _read_or_begin(self, identity: dict[str, Any]) -> None:
        if self.path.exists():
            self.header, self.records = _read(self.path)
            _check_same(self.header["identity"], identity, self.path)
        else:
            self._write()

    def close(self, *, discard: bool = False) -> None:
        """Let another search have the directory; with ``discard``, remove it."""
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
    """An open file that is locked until it is closed, or the process ends."""
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
        _logger.warning("%s cannot be locked (%s): see that no other search uses it", directory, error.strerror)
    return file


def _read(path: Path) -> tuple[dict[str, Any], list[Record]]:
    number = 1
    records: list[Record] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(lines[0])
        known = header["format"], header["search_id"], header["seed"], header["identity"].items()
        for number, line in enumerate(lines[1:], start=2):  # noqa: B007
            record = json.loads(line)
            if not isinstance(record, dict) or set(record) != set(Record.__annotations__):
                raise ValueError
            records.append(record)  # type: ignore[arg-type]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise LstmzooError(f"{path}, line {number}: not the journal of a search; give another directory") from None
    if known[0] != _FORMAT:
        raise LstmzooError(
            f"{path} is a journal of format {known[0]}, and this version of lstmzoo reads format {_FORMAT}"
        )
    return header, records


def _check_same(there: dict[str, Any], here: dict[str, Any], path: Path) -> None:
    differ = [
        f"{key} ({_short(there.get(key))} there, {_short(here.get(key))} here)"
        for key in dict.fromkeys([*here, *there])
        if there.get(key) != here.get(key)
    ]
    if differ:
        raise ConfigError(f"{path} is the journal of another search; there differ: {'; '.join(differ)}. "
                          "Give another directory, or delete that file")  # fmt: skip


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def search_identity(estimator: Any, space: Mapping[str, Any], data: tuple, **settings: Any) -> dict[str, Any]:
    """What makes a search the same one, by names that a message can tell, as JSON.

    Args:
        estimator: The search's; its ``model`` and ``verbose`` do not matter.
        space: Configs and ranges, by model.
        data: What the estimator is to be fitted on.
        settings: What else matters.
    """
    params = estimator.get_params(deep=False).items()
    identity = {
        "estimator": type(estimator).__name__,
        **{f"estimator.{k}": plain(v) for k, v in params if k not in ("model", "verbose")},
        "models": list(space),
        **settings,
        "data": estimator.data_digest(*data),
        **{f"{model}": own.config.settings for model, own in space.items()},
        **{f"{model}.{k}": r.model_dump() for model, own in space.items() for k, r in own.ranges.items()},
        "keras_tuner": version("keras-tuner"),
    }
    return to_json(identity)
