"""Files at their origin, and the long frame."""

import hashlib
import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.outputs import replacing
from lstmzoo.text_files import gunzip


@dataclass(frozen=True)
class Origin:
    """One file of a public GitHub repository, or, with an ``address``, of another site.

    Attributes:
        repository: ``<owner>/<name>``; empty for another site.
        revision: The commit or tag that is downloaded from; empty for another site.
        path: The file's place in the repository.
        sha256: Of its bytes, in hex; None where it could not be known: then that of the first download is
            recorded beside the cached file, and holds from then on.
        folders: Where it is looked for under ``LSTMZOO_DATA``, the first being its folder in the cache too.
        address: The URL of a file that is not on GitHub.
    """

    repository: str
    revision: str
    path: str
    sha256: str | None
    folders: tuple[str, ...]
    address: str | None = None

    @property
    def url(self) -> str:
        """Where the file is downloaded from."""
        return self.address or f"https://raw.githubusercontent.com/{self.repository}/{self.revision}/{self.path}"

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def endings(self) -> tuple[str, ...]:
        """What may follow the name of a local file: ``.gz``, unless it ends so already."""
        return ("",) if self.name.endswith(".gz") else ("", ".gz")


def read_origin(origin: Origin) -> bytes:
    """The file's bytes: from under ``LSTMZOO_DATA`` (gzipped or not), the cache, or the network.

    Raises:
        DataError: If the file found is not the pinned one, or the download fails.
    """
    local = _find_local(origin)
    return _download(origin) if local is None else _read_local(local, origin)


def _find_local(origin: Origin) -> Path | None:
    setting = os.environ.get("LSTMZOO_DATA")
    if not setting:
        return None
    root = Path(setting)
    if not root.is_dir():
        raise DataError(f"LSTMZOO_DATA names {setting!r}, which is not a directory")
    places = [root / folder / f"{origin.name}{end}" for folder in origin.folders for end in origin.endings]
    return next((place for place in places if place.is_file()), None)


def _read_local(path: Path, origin: Origin) -> bytes:
    content = path.read_bytes()
    if path.name != origin.name:  # what is a .gz at its origin stays one
        content = gunzip(content, str(path), "; replace it or unset LSTMZOO_DATA")
    digest = hashlib.sha256(content).hexdigest()
    if origin.sha256 not in (None, digest):
        raise DataError(
            f"{path} is not the file at {origin.url}: its SHA-256 is {digest}, expected {origin.sha256}; "
            "replace it or unset LSTMZOO_DATA"
        )
    return content


def _download(origin: Origin) -> bytes:
    import pooch  # only here: it imports tqdm, which warns in notebooks without widgets

    folder = Path(pooch.os_cache("lstmzoo")) / origin.folders[0] / origin.revision
    record = folder / f"{origin.name}.sha256"
    try:
        known = origin.sha256 or (record.read_text("ascii").strip() if record.is_file() else None)
        content = Path(pooch.retrieve(origin.url, known, fname=origin.name, path=folder)).read_bytes()
        if known is None:
            with replacing(record) as temporary:
                temporary.write_text(hashlib.sha256(content).hexdigest(), encoding="ascii")
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot download {origin.url} to {folder} ({textwrap.shorten(str(error), 240)}); "
            f"retry, or set LSTMZOO_DATA to a directory that holds {origin.folders[0]}/{origin.name}"
            f"{', gzipped or not' if len(origin.endings) > 1 else ''}"
        ) from None
    return content


def long_frame(series: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Series, each indexed by time, as one frame of ``unique_id``, ``ds``, ``y``, in their order."""
    return pd.concat(dict(series), names=["unique_id", "ds"]).rename("y").reset_index()
