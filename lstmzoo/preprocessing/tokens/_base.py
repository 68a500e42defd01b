"""Bytes as tokens, and their decoder."""

import codecs
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lstmzoo.errors import DataError


class Bytes:
    """The 256 bytes of UTF-8, after ``eos``: byte ``b`` is the id ``b + 1``."""

    unk_id = None

    def __init__(self) -> None:
        self.raw = [b"", *(bytes([b]) for b in range(256))]

    @classmethod
    def learned(cls, texts: Iterable[str], most: int | None) -> "Bytes":
        """Return the tokens; there is nothing to learn."""
        return cls()

    @classmethod
    def loaded(cls, document: dict[str, Any]) -> "Bytes":
        """Return the tokens that :meth:`saved` described."""
        return cls()

    def saved(self) -> dict[str, Any]:
        """Return the tokens as JSON."""
        return {}

    def __len__(self) -> int:
        return len(self.raw)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, ``(T,)`` int32, one for each byte."""
        return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int32) + 1

    def token(self, number: int) -> str:
        """Return the characters of a token, or ``\\\\x`` and digits for a part of a character."""
        return self.raw[number].decode("utf-8", "backslashreplace")

    def decoder(self) -> "ByteDecoder":
        """Return a new decoder."""
        return ByteDecoder(self.raw)


class ByteDecoder:
    """Decodes ids step by step. Invalid UTF-8 becomes U+FFFD; encoded surrogates are kept.

    Args:
        raw: Bytes of each id; ``eos`` has none.
    """

    def __init__(self, raw: list[bytes]) -> None:
        self._raw = raw
        self._text = codecs.getincrementaldecoder("utf-8")("lstmzoo.surrogates")

    def feed(self, ids: ArrayLike) -> str:
        """Return the characters that these ids complete."""
        return self._text.decode(b"".join([self._raw[i] for i in checked_ids(ids, len(self._raw))]))

    def flush(self) -> str:
        """Return the rest of an incomplete character, and reset the decoder."""
        left = self._text.decode(b"", final=True)
        self._text.reset()
        return left


def checked_ids(ids: ArrayLike, size: int) -> list[int]:
    """Return one id, or a row of ids, as a list.

    Raises:
        DataError: If they are not whole numbers from 0 to ``size - 1``.
    """
    array = np.atleast_1d(np.asarray(ids))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DataError(f"ids: expected a row of whole numbers, got {array.dtype} of shape {array.shape}")
    if array.size and not 0 <= array.min() <= array.max() < size:
        worst = array.min() if array.min() < 0 else array.max()
        raise DataError(f"there is no token {worst}: ids go from 0 to {size - 1}")
    return array.tolist()


def _decoded_surrogate(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    raw = error.object[error.start : error.start + 3]
    if re.fullmatch(b"\xed[\xa0-\xbf][\x80-\xbf]", raw):
        return raw.decode("utf-8", "surrogatepass"), error.start + 3
    return "\ufffd", error.end


codecs.register_error("lstmzoo.surrogates", _decoded_surrogate)
