"""The saved model: a folder of JSON and safetensors, in which no code is stored and none is run when it is read.

    manifest.json        format, min_reader, class, zoo entry, versions; SHA-256 and bytes of each other file
    params.json          parameters, resolved zoo config, spec
    preprocessor.json    what the preprocessor learned
    state.safetensors    arrays that predictions need
    weights.safetensors  the network's variables by path; absent where there is no network

A folder appears whole or not at all, and is read whole or refused. If the machine dies in the instant in which one model
replaces another, the old one is found beside it, in a folder ``.<name>-old-...``.
"""

import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from lstmzoo._version import __version__
from lstmzoo.errors import SavedModelError
from lstmzoo.migrations import FORMAT

MAX_FILE_BYTES = 4 << 30
_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 1 << 20
_ALLOWED = {"params.json", "preprocessor.json", "state.safetensors", "weights.safetensors"}

Bundle = dict[str, Any]


def write_bundle(path: str | Path, header: dict[str, Any], files: Bundle) -> None:
    """Write a folder: dicts go to ``.json`` files, dicts of arrays to ``.safetensors`` files.

    Args:
        path: The folder; it must not exist, or be a saved model, which is then replaced as a whole.
        header: What the manifest says besides the files.
        files: Contents by file name.

    Raises:
        SavedModelError: If the folder exists and is not a saved model.
    """
    path = Path(path)
    if path.exists() and not is_bundle(path):
        raise SavedModelError(f"{path} exists and is not a saved model: choose another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        contents = {name: _encode(name, value) for name, value in files.items()}
        listing = {
            name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in contents.items()
        }
        manifest = {
            "format": FORMAT,
            "min_reader": FORMAT,
            "lstmzoo": __version__,
            **header,
            "files": listing,
        }
        for name, raw in [*contents.items(), (_MANIFEST, json.dumps(manifest, indent=1).encode())]:
            _write_synced(staging / name, raw)
        staging.chmod(0o755)
        _replace_folder(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def is_bundle(path: str | Path) -> bool:
    """Whether a folder holds a saved model, of any format, and nothing besides."""
    path = Path(path)
    try:
        manifest = _decode_json(_MANIFEST, _read_regular(path / _MANIFEST, _MAX_MANIFEST_BYTES))
        return {entry.name for entry in path.iterdir()} == {_MANIFEST, *manifest["files"]} and "min_reader" in manifest
    except (SavedModelError, LookupError, TypeError):
        return False


def read_bundle(path: str | Path) -> tuple[dict[str, Any], Bundle]:
    """The manifest and contents of a folder that :func:`write_bundle` wrote; each byte is checked before it is parsed.

    Raises:
        SavedModelError: If a file is missing, added, a link, too large, changed or truncated, or the format is newer.
    """
    path = Path(path)
    if not (path / _MANIFEST).is_file():
        raise SavedModelError(f"{path} is not a saved model: it has no {_MANIFEST}")
    manifest = _decode_json(_MANIFEST, _read_regular(path / _MANIFEST, _MAX_MANIFEST_BYTES))
    listing = _checked_listing(path, manifest)
    found = {entry.name for entry in path.iterdir()}
    if found != {*listing, _MANIFEST}:
        odd = sorted(found ^ {*listing, _MANIFEST})
        raise SavedModelError(f"{path}: files do not match the manifest: {', '.join(odd)}")
    contents = {}
    for name, entry in listing.items():
        raw = _read_regular(path / name, MAX_FILE_BYTES)
        if len(raw) != entry.get("bytes") or hashlib.sha256(raw).hexdigest() != entry.get("sha256"):
            raise SavedModelError(f"{path / name} is damaged or was changed: its hash is not the manifest's")
        contents[name] = _decode(name, raw)
    return manifest, contents


def _checked_listing(path: Path, manifest: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(manifest, dict) or not all(type(manifest.get(key)) is int for key in ("format", "min_reader")):
        raise SavedModelError(f"{path / _MANIFEST} is not a manifest")
    if manifest["min_reader"] > FORMAT:
        raise SavedModelError(f"{path} was saved by lstmzoo {manifest.get('lstmzoo')} in format {manifest.get('format')}; "
                              f"this is lstmzoo {__version__}, which reads up to {FORMAT}: upgrade lstmzoo")  # fmt: skip
    if not 1 <= manifest["format"] <= FORMAT:
        raise SavedModelError(f"{path / _MANIFEST} is not a manifest: there is no format {manifest['format']}")
    listing = manifest.get("files")
    if (
        not isinstance(listing, dict)
        or not set(listing) <= _ALLOWED
        or not all(isinstance(e, dict) for e in listing.values())
    ):
        raise SavedModelError(f"{path / _MANIFEST} is not a manifest: its file list is wrong")
    return listing


def check_arrays(found: dict[str, np.ndarray], expected: dict[str, tuple[tuple[int, ...], str]], what: str) -> None:
    """Compare names, shapes and dtypes exactly.

    Raises:
        SavedModelError: Naming the first that differs.
    """
    odd = sorted(set(found) ^ set(expected))
    if odd:
        raise SavedModelError(f"{what}: variables do not match the architecture: {odd[0]}")
    for name, (shape, dtype) in expected.items():
        if found[name].shape != shape or found[name].dtype != dtype:
            raise SavedModelError(f"{what}: {name} is {found[name].dtype}{found[name].shape}, expected {dtype}{shape}")


def _encode(name: str, value: Any) -> bytes:
    if name.endswith(".json"):
        return json.dumps(value, indent=1, allow_nan=False).encode()
    return dump_tensors({key: np.ascontiguousarray(array) for key, array in value.items()})


def _decode(name: str, raw: bytes) -> Any:
    if name.endswith(".json"):
        return _decode_json(name, raw)
    try:
        return load_tensors(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise SavedModelError(f"{name} cannot be read: {error}") from None


def _decode_json(name: str, raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=lambda text: math.nan)
    except (ValueError, RecursionError):
        raise SavedModelError(f"{name} is not valid JSON") from None


def _read_regular(path: Path, limit: int) -> bytes:
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # those that the system has: no links, no waiting for a pipe
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise SavedModelError(f"{path} cannot be read: {error.strerror}") from None
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise SavedModelError(f"{path} is not a plain file of at most {limit} bytes")
        return file.read()


def _write_synced(path: Path, raw: bytes) -> None:
    with open(path, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _replace_folder(staging: Path, path: Path) -> None:
    """Move the new folder into place; an old one is moved aside first, and put back if that fails."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    old = aside / path.name
    try:
        if path.exists():
            path.rename(old)
        staging.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Let the names in a folder survive a power failure, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
