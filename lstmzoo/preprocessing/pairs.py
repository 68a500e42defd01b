"""Checks of sentences and their translations."""

from typing import Any

import narwhals as nw
import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.preprocessing.corpus import Corpus


def check_pairs(
    source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")
) -> tuple[list[str], list[str]]:
    """Return sentences and their translations as two lists of one length. A sentence may be empty.

    Args:
        source: List, tuple, array or series of strings.
        target: List, tuple, array or series of strings; row i translates row i of the source.
        names: Names of both, for messages.

    Raises:
        DataError: If one of them is something else or has no sentences, an element is not a string, or the lengths differ.

    Examples:
        >>> check_pairs(["a dog", "a cat"], ("ein Hund", "eine Katze"))
        (['a dog', 'a cat'], ['ein Hund', 'eine Katze'])
    """
    first, second = check_sentences(source, names[0]), check_sentences(target, names[1])
    if len(first) != len(second):
        raise DataError(
            f"{names[0]} has {_counted(first)} and {names[1]} has {len(second)}: line i of one must translate line i of "
            "the other"
        )
    return first, second


def check_sentences(sentences: Any, what: str = "sentence") -> list[str]:
    """Return sentences as a list.

    Args:
        sentences: List, tuple, array or series of strings; a string may be empty.
        what: Name of the sentences, for messages.

    Raises:
        DataError: If ``sentences`` is something else or has no element, or an element is not a string. The message names its
            position.
    """
    is_row = isinstance(sentences, np.ndarray) and sentences.ndim == 1
    if not (is_row or isinstance(sentences, list | tuple) or nw.dependencies.is_into_series(sentences)):
        given = "one string: put it in a list" if isinstance(sentences, str) else type(sentences).__name__
        if isinstance(sentences, np.ndarray):
            given = f"an array of {sentences.ndim} dimensions"
        raise DataError(f"{what}: expected a list, tuple, array or series of strings, got {given}")
    if len(sentences) == 0:
        raise DataError(f"{what}: there are no sentences: pass at least one")
    return list(Corpus(sentences, what, empty=True))


def _counted(sentences: list[str]) -> str:
    return f"{len(sentences)} sentence{'s' * (len(sentences) != 1)}"
