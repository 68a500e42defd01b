"""Words and characters as tokens, from a learned list."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from lstmzoo.errors import SavedModelError
from lstmzoo.preprocessing.tokens._base import checked_ids

_EOS, _UNK = "<eos>", "<unk>"
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Words:
    """Words separated by white space: ``eos``, ``<unk>``, then the words of a list."""

    unk_id = 1
    unknown = _UNK
    between: ClassVar[str] = " "

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = [_EOS, _UNK, *tokens]
        self._ids = {token: number for number, token in enumerate(tokens, 2)}

    @classmethod
    def learned(cls, texts: Iterable[str], most: int | None) -> "Words":
        """Return the most frequent tokens, in one pass over the texts."""
        counts = Counter[str]()
        for text in texts:
            counts.update(cls._cut(text))
        known = [entry for entry in counts.items() if cls._may_be(entry[0])]
        known.sort(key=lambda entry: (-entry[1], entry[0]))
        return cls([token for token, _ in known[: None if most is None else most - 2]])

    @classmethod
    def loaded(cls, document: dict[str, Any]) -> "Words":
        """Return the tokens that :meth:`saved` described.

        Raises:
            SavedModelError: If the document does not hold a list of distinct tokens.
        """
        tokens = document.get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(token, str) and cls._may_be(token) for token in tokens):
            raise SavedModelError("a saved vocabulary is not a list of tokens of its kind")
        if len(set(tokens)) < len(tokens):
            raise SavedModelError("a saved vocabulary has a token twice")
        return cls(tokens)

    def saved(self) -> dict[str, Any]:
        """Return the tokens as JSON."""
        return {"tokens": self.tokens[2:]}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, ``(T,)`` int32, one for each word."""
        words = text.split()
        return np.fromiter(map(self._ids.get, words, repeat(self.unk_id)), np.int32, len(words))

    def token(self, number: int) -> str:
        """Return a token as text."""
        return self.tokens[number].encode("utf-8", "backslashreplace").decode()

    def decoder(self) -> "TokenDecoder":
        """Return a new decoder."""
        return TokenDecoder([_EOS, self.unknown, *self.tokens[2:]], self.between)

    @staticmethod
    def _cut(text: str) -> Iterable[str]:
        return text.split()

    @staticmethod
    def _may_be(token: str) -> bool:
        return token not in {_EOS, _UNK} and token.split() == [token] and not _SURROGATE.search(token)


class Characters(Words):
    """Code points: ``eos``, ``<unk>``, then the characters of a list."""

    unknown = "\ufffd"
    between = ""

    def __init__(self, tokens: list[str]) -> None:
        super().__init__(tokens)
        self._table = np.full(0x110000, self.unk_id, np.int32)
        self._table[[ord(token) for token in tokens]] = np.arange(2, len(tokens) + 2)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, ``(T,)`` int32, one for each character."""
        return self._table[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)]

    @staticmethod
    def _cut(text: str) -> Iterable[str]:
        return text

    @staticmethod
    def _may_be(token: str) -> bool:
        return len(token) == 1


class TokenDecoder:
    """Joins tokens by a separator, step by step."""

    def __init__(self, tokens: list[str], between: str) -> None:
        self._tokens, self._between, self._has_begun = tokens, between, False

    def feed(self, ids: ArrayLike) -> str:
        """Return the tokens of these ids, joined to the tokens before."""
        tokens = [self._tokens[i] for i in checked_ids(ids, len(self._tokens)) if i]
        before = self._between if self._has_begun and tokens else ""
        self._has_begun |= bool(tokens)
        return before + self._between.join(tokens)

    def flush(self) -> str:
        """Return the rest, which is empty, and reset the decoder."""
        self._has_begun = False
        return ""
