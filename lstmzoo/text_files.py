"""Text files: UTF-8 with or without a byte-order mark, gzipped if their names end in ``.gz``."""

import contextlib
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from lstmzoo.errors import DataError


def open_bytes(path: Path, mode: str = "rb") -> BinaryIO:
    """Open a file in binary mode, compressed if its name ends in ``.gz``."""
    return cast(BinaryIO, gzip.open(path, mode) if path.suffix.lower() == ".gz" else path.open(mode))


def file_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file one by one; see :func:`decoded_lines`.

    Raises:
        OSError: If the file cannot be opened.
        DataError: If it is not UTF-8, or its name ends in ``.gz`` and it is not a gzip file.
    """
    with gzip_errors(str(path)), open_bytes(path) as file:
        yield from decoded_lines(file, str(path))


def decoded_lines(raw: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield lines of UTF-8 with their ends, which become ``\\n``. A byte-order mark is left out.

    Args:
        raw: The lines as bytes.
        name: Name of the file, for messages.

    Raises:
        DataError: If a line is not UTF-8.

    Examples:
        >>> list(decoded_lines([b"na\\xc3\\xafve\\r\\n", b"text"], "book.txt"))
        ['naïve\\n', 'text']
    """
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = f"byte {error.start + 1} of the line is {error.object[error.start]:#04x}"
            raise DataError(f"{name}, line {number}: not UTF-8 ({byte}): save the file as UTF-8") from None
        if text:  # there is none after a byte-order mark alone
            yield text.removesuffix("\r\n") + "\n" if text.endswith("\r\n") else text


def gunzip(content: bytes, name: str, advice: str = "") -> bytes:
    """Return the uncompressed content of a gzip file.

    Raises:
        DataError: If it is not a complete gzip file.
    """
    with gzip_errors(name, advice):
        return gzip.decompress(content)


@contextlib.contextmanager
def gzip_errors(name: str, advice: str = "") -> Iterator[None]:
    """Turn errors of a damaged gzip file into a :class:`DataError` that names the file and ends with ``advice``."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name} cannot be read as gzip: {error}{advice}") from None
