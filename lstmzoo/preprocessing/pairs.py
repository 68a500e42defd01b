"""Sentences and their translations, checked."""

from typing import Any

import narwhals as nw
import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.preprocessing.corpus import Corpus


def check_pairs(
    source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")
) -> tuple[list[str], list[str]]:
    """Sentences and their translations as two lists of one length; either may be empty, or white space only.

    Args:
        source: A list, tuple, array or series of strings.
        target: Likewise; its row i translates row i of the source.
        names: What messages call them.

    Raises:
        DataError: If one is something else or has no sentences, an element is no string, or the lengths differ.

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
    """Sentences as a list.

    Args:
        sentences: A list, tuple, array or series of strings, which may be empty.
        what: What messages call them.

    Raises:
        DataError: If it is something else, an element is no string (its position is named), or there is none.
    """
    is_row = isinstance(sentences, np.ndarray) and sentences.ndim == 1
    if not (is_row or isinstance(sentences, list | tuple) or nw.dependencies.is_into_series(sentences)):
        given = "one string: put it in a list" if isinstance(sentences, str) else type(sentences).__name__
        if isinstance(sentences, np.ndarray):
            given = f"an array of {sentences.ndim} dimensions"
        raise DataError(f"{what}: expected a list, tuple, array or series of strings, got {given}")
    if len(sentences) == 0:
        raise DataError(f"{what}: there are no sentences: pass one at least")
    return list(Corpus(sentences, what, empty=True))


def _counted(sentences: list[str]) -> str:
    return f"{len(sentences)} sentence{'s' * (len(sentences) != 1)}"
