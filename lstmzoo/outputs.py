"""Output files and folders: checks before any work is done, and files that are replaced as a whole."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lstmzoo.errors import ConfigError


def check_folder(path: str | Path, argument: str) -> None:
    """Refuse a folder that cannot be written to or made. It is not made.

    Args:
        path: Folder, which need not exist.
        argument: Name of the argument, for messages.

    Raises:
        ConfigError: If it is such a folder; the message names the argument, the path in the way, and the reason.

    Examples:
        >>> check_folder("/dev/null/models", "directory")
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: directory: /dev/null is not a folder: choose another place
    """
    path = Path(path).absolute()
    nearest = next(place for place in (path, *path.parents) if _exists(place, argument))
    if not nearest.is_dir():
        raise ConfigError(f"{argument}: {nearest} is not a folder: choose another place")
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise ConfigError(f"{argument}: {nearest} cannot be written ({error.strerror}): choose another place") from None


def check_place(path: str | Path, argument: str) -> None:
    """Refuse a file or folder that cannot be moved to its path. An existing one is not checked.

    Args:
        path: File or folder.
        argument: Name of the argument, for messages.

    Raises:
        ConfigError: If it cannot; the message names the argument, the path in the way, and the reason.
    """
    path = Path(path).absolute()
    _exists(path, argument)
    check_folder(path.parent, argument)


def check_file(path: str | Path, argument: str) -> None:
    """Refuse a file that cannot be written or replaced. It is not made.

    Args:
        path: File, which need not exist.
        argument: Name of the argument, for messages.

    Raises:
        ConfigError: If it cannot; the message names the argument, the path in the way, and the reason.
    """
    path = Path(path).absolute()
    if _exists(path, argument) and not path.is_file():
        raise ConfigError(f"{argument}: {path} is not a file: choose another name")
    check_place(path, argument)
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(f"{argument}: {path} cannot be written: choose another name")


def check_picture(path: str | Path) -> None:
    """Refuse a file that a figure cannot be saved to.

    Raises:
        ConfigError: If its suffix is not that of a picture format, or it cannot be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    path, formats = Path(path), FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in formats:
        raise ConfigError(f"{path}: expected a name that ends in {', '.join(f'.{name}' for name in sorted(formats))}")
    check_file(path, "path")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside a file; what is written there takes its place, unless the block raises."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _exists(path: Path, argument: str) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # such as a name that is too long, or a folder without permission
        raise ConfigError(f"{argument}: {path} cannot be written ({error.strerror}): choose another place") from None
    return True
