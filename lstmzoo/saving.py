"""Saved models: folders of JSON and safetensors. They hold no code, and reading them runs none.

    manifest.json        format, min_reader, class, zoo entry, versions; SHA-256 and size of each other file
    params.json          parameters, resolved zoo config, spec
    preprocessor.json    learned state of the preprocessor
    state.safetensors    arrays that predictions need
    weights.safetensors  variables of the network by path; absent without a network
    member<N>.<file>     the files of an ensemble's member N, from 1
    signature            HMAC-SHA-256 of manifest.json, in hex; absent if the model was saved without a key

A folder is written completely or not at all, and read completely or refused. A reader gets the old model or the new one if it
is replaced meanwhile. :mod:`lstmzoo.folders` tells what remains after a crash on systems without atomic exchange.

The hashes detect damage: a flipped bit, an exchanged file. They do not authenticate the folder, because whoever changes a file
can change its hash in the manifest. The signature does, for those who have the key.
"""

import hashlib
import hmac
import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as dump_tensors

from lstmzoo import folders
from lstmzoo._version import __version__
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.migrations import FORMAT

MAX_TENSORS_BYTES = 4 << 30  # in a .safetensors file
MAX_JSON_BYTES = 256 << 20
KEY_FILE = "LSTMZOO_KEY_FILE"
_MANIFEST, _SIGNATURE = "manifest.json", "signature"
_MAX_MANIFEST_BYTES = 1 << 20
_ALLOWED = {"params.json", "preprocessor.json", "state.safetensors", "weights.safetensors"}
_MEMBER = re.compile(r"member[1-9][0-9]{0,2}\.(.+)")

Bundle = dict[str, Any]


def write_bundle(path: str | Path, header: dict[str, Any], files: Bundle, key: bytes | None = None) -> None:
    """Write a saved model: dicts to ``.json`` files, dicts of arrays to ``.safetensors`` files.

    Args:
        path: Folder, which must not exist or be a saved model. A saved model is replaced as a whole.
        header: Entries of the manifest besides the files.
        files: Contents by file name.
        key: Key that signs the folder; None leaves it unsigned.

    Raises:
        SavedModelError: If the folder exists and is not a saved model, or cannot be written, as on a full disk. The message
            tells what is there now.
    """
    path = Path(os.path.realpath(path))  # replaces the folder that a link points to, not the link
    if path.exists() and not is_bundle(path):
        raise SavedModelError(f"{path} exists and is not a saved model: choose another folder")
    contents = {name: _encode(name, value) for name, value in files.items()}
    contents[_MANIFEST] = _manifest(header, contents)
    if key is not None:
        contents[_SIGNATURE] = _signature(key, contents[_MANIFEST])
    before = folders.identity(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with folders.staged(path) as staging:
            for name, raw in contents.items():
                _write_synced(staging / name, raw)
            folders.replace_folder(staging, path, is_bundle)
    except OSError as error:
        unchanged = "nothing was written" if before is None else "the existing model is unchanged"
        state = unchanged if folders.identity(path) == before else "another model is there now"
        raise SavedModelError(f"{path} was not saved: {error.strerror or error}; {state}") from error


def is_bundle(path: str | Path) -> bool:
    """Return whether a folder holds a saved model of any format, and nothing else."""
    path = Path(path)

    def check() -> None:
        manifest = _decode_json(_MANIFEST, _read_regular(path / _MANIFEST, _MAX_MANIFEST_BYTES))
        try:
            whole = _names(path) - {_SIGNATURE} == {_MANIFEST, *manifest["files"]} and "min_reader" in manifest
        except (LookupError, TypeError):
            whole = False
        if not whole:
            raise SavedModelError(f"{path} is not a saved model")

    try:
        folders.consistently(path, check)
    except SavedModelError:
        return False
    return True


def read_bundle(path: str | Path, key: bytes | None = None) -> tuple[dict[str, Any], Bundle]:
    """Return the manifest and contents of a saved model; each file is verified before it is parsed.

    Args:
        path: Folder. If another one replaces it meanwhile, that one is read.
        key: Key that must have signed the folder; None ignores signatures.

    Raises:
        SavedModelError: If a file is missing, unexpected, a link, too large, changed or truncated, if the format is newer, or
            if the signature is missing or of another key.
    """
    path = Path(path)
    return folders.consistently(path, lambda: _read_once(path, key))


def signing_key(key: str | bytes | None) -> bytes | None:
    """Return the key that signs and verifies saved models; None if there is none.

    Args:
        key: Key, as for ``save`` and ``load``. If it is None, the content of the file that the environment variable
            ``LSTMZOO_KEY_FILE`` names, without surrounding white space.

    Raises:
        ConfigError: If the key or ``LSTMZOO_KEY_FILE`` is empty, the key has another type, or the file cannot be read.
    """
    where = "key"
    if key is None and KEY_FILE in os.environ:
        if not os.environ[KEY_FILE]:
            raise ConfigError(f"{KEY_FILE} is empty: name a file, or unset it")
        where = f"{KEY_FILE}={os.environ[KEY_FILE]}"
        try:
            key = Path(os.environ[KEY_FILE]).read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"{where} cannot be read: {error.strerror}") from None
    if key is None:
        return None
    if not isinstance(key, str | bytes):
        raise ConfigError(f"key: expected text or bytes, got a {type(key).__name__}")
    if not key:
        raise ConfigError(f"{where} is empty: make a key of 32 random bytes, such as by secrets.token_hex(32)")
    return key.encode() if isinstance(key, str) else key


def _read_once(path: Path, key: bytes | None) -> tuple[dict[str, Any], Bundle]:
    if not os.path.lexists(path / _MANIFEST):
        raise SavedModelError(f"{path} is not a saved model: it has no {_MANIFEST}")
    raw_manifest = _read_regular(path / _MANIFEST, _MAX_MANIFEST_BYTES)
    found = _names(path)
    if key is not None:
        if _SIGNATURE not in found:
            raise SavedModelError(f"{path} is not signed: load it without a key if you trust its source")
        expected, signature = _signature(key, raw_manifest), _read_regular(path / _SIGNATURE, 64)
        if not hmac.compare_digest(signature, expected):
            raise SavedModelError(f"{path} was not signed with this key, or was changed since")
    manifest = _decode_json(_MANIFEST, raw_manifest)
    listing = _checked_listing(path, manifest)
    if found - {_SIGNATURE} != {*listing, _MANIFEST}:
        odd = sorted((found - {_SIGNATURE}) ^ {*listing, _MANIFEST})
        raise SavedModelError(f"{path}: files do not match the manifest: {', '.join(odd)}")
    contents = {}
    for name, entry in listing.items():
        raw = _read_regular(path / name, entry["bytes"])
        if len(raw) != entry["bytes"] or hashlib.sha256(raw).hexdigest() != entry.get("sha256"):
            raise SavedModelError(f"{path / name} is damaged or was changed: its hash is not the manifest's")
        contents[name] = _decode(name, raw)
    return manifest, contents


def with_members(files: Bundle, members: list[Bundle]) -> Bundle:
    """Return the files of an ensemble and of its members, in one folder.

    Examples:
        >>> with_members({"params.json": 1}, [{"params.json": 2}])
        {'params.json': 1, 'member1.params.json': 2}
    """
    own = {_member_file(i, name): value for i, part in enumerate(members, 1) for name, value in part.items()}
    return {**files, **own}


def member_files(files: Bundle, number: int) -> Bundle:
    """Return the files of an ensemble's member by number, from 1; see :func:`with_members`."""
    start = _member_file(number, "")
    return {name.removeprefix(start): value for name, value in files.items() if name.startswith(start)}


def _member_file(number: int, name: str) -> str:
    return f"member{number}.{name}"


def _is_allowed(name: str) -> bool:
    of_member = _MEMBER.fullmatch(name)
    return (of_member.group(1) if of_member else name) in _ALLOWED


def _manifest(header: dict[str, Any], contents: dict[str, bytes]) -> bytes:
    listing = {name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)} for name, raw in contents.items()}
    manifest = {"format": FORMAT, "min_reader": FORMAT, "lstmzoo": __version__, **header, "files": listing}
    return json.dumps(manifest, indent=1).encode()


def _signature(key: bytes, manifest: bytes) -> bytes:
    return hmac.new(key, manifest, hashlib.sha256).hexdigest().encode()


def _names(path: Path) -> set[str]:
    try:
        return set(os.listdir(path))
    except OSError as error:
        raise SavedModelError(f"{path} cannot be read: {error.strerror}") from None


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
        or not all(map(_is_allowed, listing))
        or not all(isinstance(e, dict) and type(e.get("bytes")) is int for e in listing.values())
    ):
        raise SavedModelError(f"{path / _MANIFEST} is not a manifest: its file list is wrong")
    for name, entry in listing.items():
        limit = MAX_JSON_BYTES if name.endswith(".json") else MAX_TENSORS_BYTES
        if not 0 <= entry["bytes"] <= limit:
            raise SavedModelError(f"{path / name} has {entry['bytes']} bytes, more than the limit, {limit}")
    return listing


def check_arrays(found: dict[str, np.ndarray], expected: dict[str, tuple[tuple[int, ...], str]], what: str) -> None:
    """Check that names, shapes and dtypes are equal.

    Raises:
        SavedModelError: If they differ; the message names the first difference.
    """
    odd = sorted(set(found) ^ set(expected))
    if odd:
        raise SavedModelError(f"{what}: variables do not match the architecture: {odd[0]}")
    for name, (shape, dtype) in expected.items():
        if found[name].shape != shape or found[name].dtype != dtype:
            raise SavedModelError(f"{what}: {name} is {found[name].dtype}{found[name].shape}, expected {dtype}{shape}")


def check_same(what: str, found: object, expected: object) -> None:
    """Refuse a saved model whose parts belong to different models.

    Raises:
        SavedModelError: If ``found`` and ``expected`` differ.
    """
    if found != expected:
        raise SavedModelError(f"preprocessor.json is of another model: its {what}: {found!r}, expected {expected!r}")


def check_arrays_finite(arrays: dict[str, np.ndarray], what: str) -> None:
    """Refuse arrays with NaN or infinity.

    Raises:
        SavedModelError: If there is one; the message names the first.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise SavedModelError(f"{what}: {name} has values that are not finite")


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
    """Return the content of a regular file of at most ``limit`` bytes."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # refuse links, and do not wait for a pipe, if the system can
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise SavedModelError(f"{path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise SavedModelError(f"{path} is not a regular file")
        if status.st_size > limit:
            raise SavedModelError(f"{path} is damaged or was changed: it has {status.st_size} bytes, more than {limit}")
        with open(handle, "rb", closefd=False) as file:
            return file.read(status.st_size)
    except OSError as error:
        raise SavedModelError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)


def _write_synced(path: Path, raw: bytes) -> None:
    with open(path, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
