"""Published files: local copies, the cache and downloads; and the long frame."""

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
    """A published file.

    Attributes:
        url: Address that the file is downloaded from.
        sha256: SHA-256 of the file, in hex. If it is None, the SHA-256 of the first download is recorded beside the cached
            file, and holds from then on.
        folders: Folders under ``LSTMZOO_DATA`` that may hold the file; the first one is its folder in the cache too.
        revision: Commit or tag that the URL names; empty if it names none.
    """

    url: str
    sha256: str | None
    folders: tuple[str, ...]
    revision: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings that the name of a local copy may have: ``.gz``, unless the name ends in it already."""
        return ("",) if self.name.endswith(".gz") else ("", ".gz")


def on_github(repository: str, revision: str, path: str, sha256: str | None, *folders: str) -> Origin:
    """Return a file of a public GitHub repository, at a commit or tag."""
    return Origin(f"https://raw.githubusercontent.com/{repository}/{revision}/{path}", sha256, folders, revision)


def read_origin(origin: Origin) -> bytes:
    """Return the content of a file, from ``LSTMZOO_DATA`` (gzipped or not), the cache or the network.

    Raises:
        DataError: If the file differs from the published one, or the download fails.
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
    if path.name != origin.name:  # a file that is published as .gz stays compressed
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
    """Return series that are indexed by time as one frame of ``unique_id``, ``ds`` and ``y``, in their order."""
    return pd.concat(dict(series), names=["unique_id", "ds"]).rename("y").reset_index()
