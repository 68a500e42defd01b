"""Texts from files."""

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
    if str(path) == "-":
        return decoded_lines(sys.stdin.buffer, "standard input")
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    return text_files.file_lines(path)


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
    with replacing(path) as part, open_bytes(part, "wb") as file:
        yield lambda text: file.write(text.encode())


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def read_stdin() -> str:
    """Standard input, without the newline at its end.

    Raises:
        DataError: If it is not UTF-8.
    """
    return "".join(decoded_lines(sys.stdin.buffer, "standard input")).removesuffix("\n")
