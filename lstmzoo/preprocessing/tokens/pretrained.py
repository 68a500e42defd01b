"""The tokens of a user's tokenizer."""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tokenizers import Tokenizer

from lstmzoo.errors import DataError, SavedModelError, arg
from lstmzoo.preprocessing.tokens._base import checked_ids

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Pretrained:
    """The tokens of a :class:`tokenizers.Tokenizer`: its ids, plus one; 0 is ``eos``.

    Texts are encoded without special tokens, truncation or padding. A lone surrogate is read as U+FFFD.

    Args:
        library: Tokenizer, which is copied.

    Raises:
        DataError: If it has no tokens.
    """

    def __init__(self, library: Tokenizer) -> None:
        self.library = Tokenizer.from_str(library.to_str())
        self.library.no_truncation()
        self.library.no_padding()
        vocabulary = self.library.get_vocab()
        if not vocabulary:
            raise DataError(
                f"{arg('tokenizer')}: it has no tokens: train it, or load a trained one, before you pass it"
            )
        self._size = 2 + max(vocabulary.values())
        self.unk_id = self._unknown()
        special = {i + 1 for i, token in self.library.get_added_tokens_decoder().items() if token.special}
        self.special_ids = sorted(special | ({self.unk_id} if self.unk_id is not None else set()))

    @classmethod
    def loaded(cls, document: dict[str, Any]) -> "Pretrained":
        """The tokens that :meth:`saved` wrote.

        Raises:
            SavedModelError: If the document does not hold a tokenizer.
        """
        if not isinstance(document.get("library"), str):
            raise SavedModelError("the tokenizer has no library")
        try:
            return cls(Tokenizer.from_str(document["library"]))
        except Exception as error:  # the library's own
            raise SavedModelError(f"the tokenizer's library cannot be read: {error}") from None

    def saved(self) -> dict[str, Any]:
        """Return the tokenizer as JSON."""
        return {"library": self.library.to_str()}

    def __len__(self) -> int:
        return self._size

    def encode(self, text: str) -> np.ndarray:
        """Return the ids ``(T,)`` int32 of a text."""
        ids = self.library.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False).ids
        return np.array(ids, np.int32) + 1

    def token(self, number: int) -> str:
        """Return a token as the tokenizer writes it."""
        return self.library.id_to_token(number - 1) or f"<{number - 1}>"

    def decoder(self) -> "PretrainedDecoder":
        """Return a new decoder."""
        return PretrainedDecoder(self.library, self._size)

    def _unknown(self) -> int | None:
        model = json.loads(self.library.to_str())["model"]
        found = self.library.token_to_id(model["unk_token"]) if model.get("unk_token") else model.get("unk_id")
        return None if found is None else found + 1


class PretrainedDecoder:
    """Decodes ids step by step.

    The text of a token may depend on its neighbors. So the text of each step is that of the last two steps together without
    that of the first of them. A step that ends within a character is held back.

    Args:
        library: The tokenizer.
        size: Number of ids.
    """

    def __init__(self, library: Tokenizer, size: int) -> None:
        self._library, self._size = library, size
        self._before: list[int] = []
        self._held: list[int] = []

    def feed(self, ids: ArrayLike) -> str:
        """Return the characters that are complete with these ids."""
        self._held += [i - 1 for i in checked_ids(ids, self._size) if i]
        text = self._new()
        return "" if not text or text.endswith("\ufffd") else self._passed(text)

    def flush(self) -> str:
        """Return the rest of an incomplete character, and reset the decoder."""
        text = self._new()
        self._before, self._held = [], []
        return text

    def _new(self) -> str:
        before = self._library.decode(self._before)
        return self._library.decode(self._before + self._held)[len(before) :]

    def _passed(self, text: str) -> str:
        self._before, self._held = self._held, []
        return text
