"""Reading and writing of text files and standard input and output."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lstmzoo import text_files
from lstmzoo.errors import DataError
from lstmzoo.outputs import replacing
from lstmzoo.text_files import decoded_lines, open_bytes

SUFFIXES = (".txt", ".txt.gz", ".text", ".md")


def read_texts(path: Path, *, lines: bool = False) -> Any:
    """Read the texts of a file as a :class:`lstmzoo.preprocessing.Corpus`, without holding its lines in memory.

    Args:
        path: Text file, gzipped if its suffix says so; ``-`` is standard input.
        lines: Whether each line is a text; otherwise the whole file is one text, whose lines all end in ``\\n``.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If the file is not text, not UTF-8, or empty.
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
    """Return the name of a file in messages."""
    return "standard input" if str(path) == "-" else str(path)


def file_lines(path: Path) -> Iterator[str]:
    """Read the lines of a file lazily, each with its end; the file is gzipped if its name ends in ``.gz``.

    Args:
        path: File with any suffix; ``-`` is standard input.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If the file is not UTF-8, or not gzipped.
    """
    if str(path) == "-":
        return decoded_lines(sys.stdin.buffer, "standard input")
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    return text_files.file_lines(path)


@contextlib.contextmanager
def writing(path: Path | None) -> Iterator[Callable[[str], Any]]:
    """Yield a function that writes text to a file, which appears whole or not at all, or to standard output, without delay.

    Args:
        path: File, gzipped if its name ends in ``.gz``; missing folders are created. None for standard output.
    """
    if path is None:
        yield _print
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, open_bytes(part, "wb") as file:
        yield lambda text: file.write(text.encode())


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def read_stdin() -> str:
    """Return standard input without the newline at its end.

    Raises:
        DataError: If it is not UTF-8.
    """
    return "".join(decoded_lines(sys.stdin.buffer, "standard input")).removesuffix("\n")
