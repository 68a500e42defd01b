"""Folders that are replaced as a whole, so that a reader sees the old folder or the new one.

A new folder is written beside the old one, in ``.<name>.lstmzoo-saving-<random>``, and the two are exchanged atomically. On
systems without atomic exchange the old folder is first moved aside, to ``.<name>.lstmzoo-old-<random>``. A reader waits until
the new folder is there; after a crash in between, the old one is still aside.
"""

import contextlib
import ctypes
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from lstmzoo.errors import SavedModelError

T = TypeVar("T")
_MOST_READS = 100
_SECONDS_TO_LOOK, _SECONDS_ASIDE = 0.02, 2.0  # how long readers look for a folder moved aside, and wait for the new one
_SAVING, _OLD = ".lstmzoo-saving-", ".lstmzoo-old-"
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
_OCCUPIED = {errno.EEXIST, errno.ENOTEMPTY}


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield an empty folder near ``path`` to write the new folder into; it is removed when the context ends.

    Remains of processes that died are removed first: folders that no process has locked, and folders moved aside whose place
    is taken.
    """
    for left in left_over(path, _SAVING):
        _remove_unless_locked(left)
    for left in left_over(path, _OLD):
        saver = left.with_name(left.name.replace(_OLD, _SAVING))
        if path.exists() and not saver.exists():
            shutil.rmtree(left, ignore_errors=True)
    outer, handle = _locked_folder(path)
    try:
        staging = outer / path.name
        staging.mkdir()
        yield staging
    finally:
        shutil.rmtree(outer, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def replace_folder(staging: Path, path: Path, is_ours: Callable[[Path], bool]) -> None:
    """Move a folder that :func:`staged` yielded to ``path``, and replace a folder that is there.

    Args:
        staging: New folder. A replaced folder ends up here, for ``staged`` to remove.
        path: Destination.
        is_ours: Function that tells whether the folder at a path may be replaced.

    Raises:
        SavedModelError: If the folder at ``path`` may not be replaced, and stays; or if the new folder is in place, but cannot
            be synced to disk.
        OSError: If the system refuses; the folder at ``path`` stays.
    """
    sync_folder(staging)
    while True:
        try:
            if not os.path.lexists(path):
                os.rename(staging, path)
            elif _exchange(staging, path):
                if not is_ours(staging):  # it came there after the check
                    _exchange(staging, path)
                    raise _alien(path)
            else:
                _rename_twice(staging, path, is_ours)
            break
        except FileNotFoundError:
            if not staging.exists():
                raise
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            if not is_ours(path):
                raise _alien(path) from None
    try:
        sync_folder(path.parent)
    except OSError as error:
        raise SavedModelError(
            f"{path} was saved, but may not outlast a power failure: {path.parent} cannot be synced: "
            f"{error.strerror or error}; save again"
        ) from error


def consistently(path: Path, read: Callable[[], T]) -> T:
    """Return ``read()`` for the folder at a path; it is called again if it fails because the folder was replaced meanwhile.

    Raises:
        SavedModelError: If ``read`` raises it and the folder was not replaced, or if the folder is replaced too often.
    """
    for _ in range(_MOST_READS):
        before = identity(path)
        try:
            return read()
        except SavedModelError:
            if identity(path) == before and (before is not None or not _comes_back(path)):
                raise
    raise SavedModelError(f"{path} was replaced {_MOST_READS} times while it was being read: try again")


def is_folder(path: Path) -> bool:
    """Return whether there is a folder at a path; wait for one that is being replaced.

    Raises:
        SavedModelError: If a save moved it aside and did not end; the message names the folder that was moved.
    """
    return path.is_dir() or (_comes_back(path) and path.is_dir())


def _comes_back(path: Path) -> bool:
    """Return whether a missing folder was moved aside and then replaced.

    Raises:
        SavedModelError: If it was not replaced; the message names the folder that was moved aside.
    """
    began = time.monotonic()
    while not path.exists():
        aside, waited = left_over(path, _OLD), time.monotonic() - began
        if not aside and waited > _SECONDS_TO_LOOK:
            return False
        if waited > _SECONDS_ASIDE:
            raise SavedModelError(
                f"{path} is missing because a save of it did not end: rename {aside[-1]}, which is the previous model"
            )
        time.sleep(0.005)
    return True


def _alien(path: Path) -> SavedModelError:
    return SavedModelError(f"{path} exists and is not a saved model: choose another folder")


def identity(path: Path) -> tuple[int, int, int] | None:
    """Return the identity of the folder at a path, which changes if it is replaced; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def left_over(path: Path, kind: str) -> list[Path]:
    """Return the folders of a kind that saving to ``path`` left beside it."""
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    return sorted(path.parent / name for name in names if name.startswith(f".{path.name}{kind}"))


def sync_folder(path: Path) -> None:
    """Sync the entries of a folder to disk, if the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _locked_folder(path: Path) -> tuple[Path, int | None]:
    """Return a new folder and a handle that locks it, so that no other process removes it."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}{_SAVING}", dir=path.parent))
        try:
            handle = _lock(staging, wait=True)
        except FileNotFoundError:  # removed by another saver before it was locked
            continue
        except OSError:  # a file system without locks, where nothing is removed
            return staging, None
        if handle is None or staging.exists():
            return staging, handle
        os.close(handle)


def _remove_unless_locked(folder: Path) -> None:
    try:
        handle = _lock(folder, wait=False)
    except OSError:  # its saver is alive, or there are no locks
        return
    if handle is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _lock(folder: Path, *, wait: bool) -> int | None:
    """Return a handle that holds a folder's lock; None on systems without locks."""
    if os.name == "nt":
        return None
    import fcntl

    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return False if the system or the file system cannot."""
    call = _exchange_call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _exchange_call() -> Callable[[bytes, bytes], int] | None:
    library = None if os.name == "nt" else ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda one, other: library.renamex_np(one, other, 2)  # type: ignore[union-attr]  # RENAME_SWAP
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        here = -100  # AT_FDCWD; 2 is RENAME_EXCHANGE
        return lambda one, other: library.renameat2(here, one, here, other, ctypes.c_uint(2))  # type: ignore[union-attr]
    return None


def _rename_twice(staging: Path, path: Path, is_ours: Callable[[Path], bool]) -> None:
    """Move the old folder aside and the new one into place; on failure, move the old one back."""
    aside = path.with_name(staging.parent.name.replace(_SAVING, _OLD))
    shutil.rmtree(aside, ignore_errors=True)  # from an earlier try, after which another process saved
    os.rename(path, aside)
    try:
        if not is_ours(aside):
            raise _alien(path)
        os.rename(staging, path)
    except BaseException:
        if not path.exists():
            os.rename(aside, path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
