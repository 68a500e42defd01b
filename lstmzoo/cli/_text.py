"""Texts from files."""

import contextlib
import gzip
import itertools
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lstmzoo.errors import DataError

SUFFIXES = (".txt", ".txt.gz", ".text", ".md")


def read_texts(path: Path, *, lines: bool = False) -> Any:
    """The texts of a file, as a :class:`lstmzoo.preprocessing.Corpus`; its lines are not held in memory.

    Args:
        path: By its suffix, compressed or not; ``-`` is standard input.
        lines: Whether each line is a text of its own; else the whole file is one, whose lines all end in ``\\n``.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is no text, of another encoding, or empty.
    """
    from lstmzoo.preprocessing import Corpus

    if str(path) != "-" and not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    name, decoded = file_name(path), file_lines(path)
    first = next(decoded, "")
    if not first:
        raise DataError(f"{name} is empty: expected text")
    texts = itertools.chain([first], decoded)
    return Corpus(texts if lines else "".join(texts), name)


def file_name(path: Path) -> str:
    """What messages call a file."""
    return "standard input" if str(path) == "-" else str(path)


def file_lines(path: Path) -> Iterator[str]:
    """The lines of a file, each with its end, as they are asked for; compressed if its name ends in ``.gz``.

    Args:
        path: Of any suffix; ``-`` is standard input.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is of another encoding, or not compressed.
    """
    name = file_name(path)
    try:
        with _opened(path) as file:
            yield from decoded_lines(file, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name} cannot be read as gzip: {error}") from None


@contextlib.contextmanager
def writing(path: Path | None) -> Iterator[Callable[[str], Any]]:
    """What writes text to a file, which appears whole or not at all, in folders that are made; or to standard output, at once.

    Args:
        path: Of the file, compressed if its name ends in ``.gz``; None for standard output.
    """
    if path is None:
        yield _print
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with gzip.open(part, "wb") if path.suffix.lower() == ".gz" else part.open("wb") as file:
            yield lambda text: file.write(text.encode())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def read_stdin() -> str:
    """Standard input, without the newline at its end.

    Raises:
        DataError: If it is not UTF-8.
    """
    return "".join(decoded_lines(sys.stdin.buffer, "standard input")).removesuffix("\n")


def decoded_lines(raw: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines of UTF-8, with or without a byte-order mark, each with its end.

    Raises:
        DataError: Naming the byte and the line, which are counted from 1.

    Examples:
        >>> list(decoded_lines([b"na\\xc3\\xafve\\r\\n", b"text"], "book.txt"))
        ['naïve\\n', 'text']
    """
    before = 0
    for number, line in enumerate(raw, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            place = f"byte {before + error.start + 1}, in line {number}, is {error.object[error.start]:#04x}"
            raise DataError(f"{name} is not UTF-8 text: {place}: save it in that encoding") from None
        before += len(line)
        yield text.removesuffix("\r\n") + "\n" if text.endswith("\r\n") else text


def _opened(path: Path) -> contextlib.AbstractContextManager[Iterable[bytes]]:
    if str(path) == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")
