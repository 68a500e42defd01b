"""Preprocessing of texts and sentence pairs: from text to token ids and back."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from tokenizers import Tokenizer

from lstmzoo.config import TokenizerName
from lstmzoo.errors import ConfigError, DataError, LstmzooError, SavedModelError, UnknownNameError, arg
from lstmzoo.preprocessing.tokens import Bpe, Bytes, Characters, Pretrained, Unigram, Words, checked_ids

_LEARNED: dict[str, type[Words] | type[Bytes]] = {
    "word": Words,
    "bpe": Bpe,
    "unigram": Unigram,
    "char": Characters,
    "byte": Bytes,
}
_TOKENS: dict[str, type[Words] | type[Bytes] | type[Pretrained]] = {**_LEARNED, "pretrained": Pretrained}
_FEWEST = {"word": 3, "char": 3, "bpe": 257, "unigram": 257, "byte": 257}
_MOST_PIECES = 1 << 20
_SPACED = {"bpe", "unigram"}  # in which the pieces of a word depend on the space before it
_BUFFERED = 1 << 20  # ids to collect before they are written


def tokenizer_name(tokenizer: Any) -> Any:
    """Return the name of a tokenizer: itself, or ``pretrained`` for a :class:`tokenizers.Tokenizer`."""
    return "pretrained" if isinstance(tokenizer, Tokenizer) else tokenizer


class Decoder(Protocol):
    """Decodes ids step by step; the returned texts, joined, are the text of all ids."""

    def feed(self, ids: ArrayLike) -> str:
        """Return the text that these ids complete."""

    def flush(self) -> str:
        """Return the rest, and reset the decoder."""


class TextPreprocessor:
    """Turns texts into a stream of token ids, and ids into text.

    The id 0 is ``eos``, the end of a text; no text encodes to it, not even the text ``<eos>``.

    ``word`` has the most frequent words of the training set, separated by white space, and ``char`` the most frequent
    characters. All others are unknown and have the id 1, ``<unk>``; so have the words ``<unk>`` and ``<eos>``, and words with a
    lone surrogate. ``bpe`` and ``unigram`` have pieces of words over bytes, and ``byte`` has bytes; with these, any string
    decodes to itself. Words are joined by spaces. Unknown characters and invalid UTF-8 decode to U+FFFD.

    A :class:`tokenizers.Tokenizer` is used unchanged: nothing is learned, and ids are its ids plus one.

    Args:
        tokenizer: Name of a tokenizer, or a :class:`tokenizers.Tokenizer`, whose name is ``pretrained``.
        vocab_size: Maximum number of ids, special ones included; None for no limit. ``bpe`` and ``unigram`` need a number;
            ``byte`` always has 257 ids; a :class:`tokenizers.Tokenizer` takes None only.

    Attributes:
        vocab_size_: Number of ids.
        eos_id: 0.
        unk_id: Id of unknown tokens, 1 unless the tokenizer is ``pretrained``; None if every string can be encoded.

    Examples:
        >>> pre = TextPreprocessor("word", 4).fit(["to be or not to be"])
        >>> pre.encode_stream(["to be", "to see"])
        array([3, 2, 0, 3, 1, 0], dtype=int32)
        >>> pre.decode([3, 2, 0, 3, 1, 0])
        'to be to <unk>'
    """

    eos_id = 0
    _tokens: Words | Bytes | Pretrained

    def __init__(self, tokenizer: TokenizerName | Tokenizer, vocab_size: int | None = None) -> None:
        self.library = tokenizer if isinstance(tokenizer, Tokenizer) else None
        self.tokenizer = tokenizer_name(tokenizer)
        self.vocab_size = vocab_size

    def fit(self, corpus: Iterable[str]) -> "TextPreprocessor":
        """Learn the vocabulary in one pass over the texts; ties are broken by code points.

        Raises:
            UnknownNameError: If there is no such tokenizer.
            ConfigError: If the size of the vocabulary does not suit it.
            DataError: If a :class:`tokenizers.Tokenizer` has no tokens.
        """
        self._check()
        if self.library is not None:
            self._tokens = Pretrained(self.library)
        elif self.tokenizer not in _LEARNED:
            raise ConfigError(
                f"{arg(tokenizer=self.tokenizer)} stands for a tokenizer of your own: pass a tokenizers.Tokenizer"
            )
        else:
            self._tokens = _LEARNED[self.tokenizer].learned(corpus, self.vocab_size)
        return self

    @property
    def vocab_size_(self) -> int:
        """V, the number of ids, special ones included."""
        return len(self._tokens)

    @property
    def unk_id(self) -> int | None:
        """Id of unknown tokens; None if every string can be encoded."""
        return self._tokens.unk_id

    @property
    def banned(self) -> np.ndarray:
        """``(V,)`` whether an id is never generated: the ids of unknown and of special tokens."""
        special = getattr(self._tokens, "special_ids", [] if self.unk_id is None else [self.unk_id])
        return np.isin(np.arange(self.vocab_size_), special)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, ``(T,)`` int32, without ``eos``.

        Raises:
            DataError: If ``text`` is not a string.
        """
        if not isinstance(text, str):
            raise DataError(f"expected a string, got {type(text).__name__}")
        return self._tokens.encode(text)

    def encode_batch(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Return the ids of each text."""
        return [self.encode(text) for text in texts]

    def encode_dropped(self, texts: Iterable[str], rate: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the ids of each text with BPE-dropout; see :meth:`Bpe.encode_dropped`.

        Raises:
            ConfigError: If the tokenizer is not ``bpe``.
        """
        if not isinstance(self._tokens, Bpe):
            raise ConfigError(
                f"a dropout of merges of {rate} needs {arg(tokenizer='bpe')}, got {self.tokenizer!r}: pass 0"
            )
        return self._tokens.encode_dropped(texts, rate, rng)

    def encode_stream(self, texts: Iterable[str], *, opened: bool = False, spooled: bool = False) -> np.ndarray:
        """Return the ids of all texts as one stream, ``(T,)`` int32, with ``eos`` after each text.

        Args:
            texts: Texts, which are read once.
            opened: Whether ``eos`` also precedes the first text: a network reads a text as if another one had ended before it.
            spooled: Whether to keep the array in a temporary file, which is removed with the array.
        """
        first = np.full(int(opened), self.eos_id, np.int32)
        if not spooled:
            return np.concatenate([first, *self._blocks(texts)])
        with tempfile.TemporaryFile() as file:
            size = sum(file.write(block.data) for block in (first, *self._blocks(texts))) // 4
            file.flush()
            return np.memmap(file, np.int32, "r", shape=(size,)) if size else np.empty(0, np.int32)

    def decode(self, ids: ArrayLike) -> str:
        """Return the text of ids; ``eos`` is left out.

        Raises:
            DataError: If there is no such id.
        """
        decoder = self.decoder()
        return decoder.feed(ids) + decoder.flush()

    def decoder(self) -> Decoder:
        """Return a decoder that decodes ids step by step.

        Examples:
            >>> decoder = TextPreprocessor("byte").fit([]).decoder()
            >>> [decoder.feed(byte + 1) for byte in "né".encode()], decoder.flush()
            (['n', '', 'é'], '')
        """
        return self._tokens.decoder()

    def token(self, id: int) -> str:
        """Return a token as text.

        Raises:
            DataError: If there is no such id.
        """
        (number,) = checked_ids(id, self.vocab_size_)
        return "<eos>" if number == self.eos_id else self._tokens.token(number)

    def vocabulary_digest(self) -> str:
        """Return a SHA-256 that is the same for preprocessors that give all texts the same ids."""
        document = json.dumps([self.tokenizer, self._tokens.saved()], sort_keys=True)
        return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return everything that was learned, for :meth:`from_json`."""
        size = None if self.vocab_size is None else int(self.vocab_size)
        return {"tokenizer": self.tokenizer, "vocab_size": size, **self._tokens.saved()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "TextPreprocessor":
        """Return the preprocessor that :meth:`to_json` described.

        Raises:
            SavedModelError: If the document does not describe one.
        """
        try:
            self = cls(document["tokenizer"], document["vocab_size"])
            self._check()
        except (LookupError, TypeError, LstmzooError) as error:
            raise SavedModelError(f"not a saved text preprocessor: {error}") from None
        self._tokens = _TOKENS[self.tokenizer].loaded(document)
        self.library = getattr(self._tokens, "library", None)
        if self.vocab_size is not None and self.vocab_size_ > self.vocab_size:
            raise SavedModelError(
                f"a saved vocabulary of {self.vocab_size_} ids is larger than its limit, {self.vocab_size}"
            )
        return self

    def _check(self) -> None:
        if self.tokenizer not in _TOKENS:
            raise UnknownNameError("tokenizer", self.tokenizer, _TOKENS)
        name, size = self.tokenizer, self.vocab_size
        if name == "pretrained":
            if size is not None:
                raise ConfigError(
                    f"vocab_size: a tokenizer of your own has its own vocabulary: pass None, got {size!r}"
                )
            return
        pieces, fewest = name in {"bpe", "unigram"}, _FEWEST[name]
        if size is None and pieces:
            raise ConfigError(f"vocab_size: {name} pieces are learned up to a number of ids: pass one, such as 8000")
        if size is None:
            return
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < fewest:
            advice = "" if pieces else ", or None for no limit"
            raise ConfigError(
                f"vocab_size: a {name} vocabulary needs a whole number of at least {fewest}{advice}, got {size!r}"
            )
        if pieces and size > _MOST_PIECES:
            raise ConfigError(f"vocab_size: expected at most {_MOST_PIECES} pieces, got {size}")

    def _blocks(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        end, ids, size = np.full(1, self.eos_id, np.int32), [], 0
        for text in texts:
            ids += [self.encode(text), end]
            size += len(ids[-2]) + 1
            if size > _BUFFERED:
                yield np.concatenate(ids)
                ids, size = [], 0
        if ids:
            yield np.concatenate(ids)


class PairPreprocessor:
    """Turns sentences of two languages into token ids, and ids into sentences of the target language.

    The id 0 is ``eos``, and no sentence encodes to it; see :class:`TextPreprocessor` for the tokenizers. ``bpe`` and ``unigram``
    read a sentence with a space before it, so that its first word has the same pieces as within a sentence; decoding removes
    the space. An empty sentence has no ids.

    Args:
        tokenizer: Name of a tokenizer, or a :class:`tokenizers.Tokenizer`.
        vocab_size: Maximum number of ids of each language, or of the joint vocabulary; None for no limit.
        joint: Whether both languages share one vocabulary.

    Attributes:
        source: Preprocessor of source sentences.
        target: Preprocessor of translations; the same object if ``joint``.

    Examples:
        >>> pre = PairPreprocessor("word", None, joint=False).fit(["a dog", "a cat"], ["ein Hund", "eine Katze"])
        >>> pre.encode_source(["a cat", ""])
        [array([2, 3], dtype=int32), array([], dtype=int32)]
        >>> pre.decode([5, 3, 0, 2, 0])
        'eine Katze'
    """

    source: TextPreprocessor
    target: TextPreprocessor

    def __init__(self, tokenizer: TokenizerName | Tokenizer, vocab_size: int | None, joint: bool) -> None:
        self.library = tokenizer if isinstance(tokenizer, Tokenizer) else None
        self.tokenizer = tokenizer_name(tokenizer)
        self.vocab_size = vocab_size
        self.joint = joint

    def fit(self, source: Sequence[str], target: Sequence[str]) -> "PairPreprocessor":
        """Learn the vocabularies.

        Raises:
            UnknownNameError: If there is no such tokenizer.
            ConfigError: If the size of the vocabulary does not suit it.
        """
        sides = [chain(source, target)] if self.joint else [source, target]
        tokenizer = self.library or self.tokenizer
        fitted = [TextPreprocessor(tokenizer, self.vocab_size).fit(map(self._spaced, side)) for side in sides]
        self.source, self.target = fitted[0], fitted[-1]
        return self

    def encode_source(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each source sentence, ``(S,)`` int32, without ``eos``."""
        return self.source.encode_batch(map(self._spaced, sentences))

    def encode_target(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each translation, ``(T,)`` int32, without ``eos``."""
        return self.target.encode_batch(map(self._spaced, sentences))

    def encode_dropped(
        self, source: Sequence[str], target: Sequence[str], rate: float, seed: int, epoch: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the ids of sentences and translations in an epoch, with BPE-dropout.

        Args:
            source: Sentences.
            target: Translations.
            rate: Probability of leaving out a merge of pieces; 0 encodes without dropout.
            seed: Seed of the dropout.
            epoch: Epoch, which changes the dropout too.

        Raises:
            ConfigError: If the rate is not from 0 to 1, or not 0 with another tokenizer than ``bpe``.

        References:
            Provilkov et al., "BPE-Dropout: Simple and Effective Subword Regularization", ACL 2020.
        """
        if not 0 <= rate <= 1:
            raise ConfigError(f"a dropout of merges is a probability from 0 to 1, got {rate}")
        if rate == 0:
            return self.encode_source(source), self.encode_target(target)
        first, second = (
            side.encode_dropped(map(self._spaced, texts), rate, np.random.default_rng([seed, epoch, number]))
            for number, (side, texts) in enumerate([(self.source, source), (self.target, target)], start=1)
        )
        return first, second

    def decode(self, ids: ArrayLike) -> str:
        """Return the translation of ids, up to the first ``eos``.

        Raises:
            DataError: If there is no such id.
        """
        row = np.atleast_1d(np.asarray(ids))
        text = self.target.decode(row[: int((np.append(row, 0) == 0).argmax())])
        return text.removeprefix(" ") if self.tokenizer in _SPACED else text

    def to_json(self) -> dict[str, Any]:
        """Return everything that was learned, for :meth:`from_json`."""
        document = {"joint": bool(self.joint), "source": self.source.to_json()}
        return document if self.joint else {**document, "target": self.target.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "PairPreprocessor":
        """Return the preprocessor that :meth:`to_json` described.

        Raises:
            SavedModelError: If the document does not describe one.
        """
        try:
            joint, source = document["joint"], TextPreprocessor.from_json(document["source"])
            target = source if joint else TextPreprocessor.from_json(document["target"])
        except (LookupError, TypeError) as error:
            raise SavedModelError(f"not a saved preprocessor of pairs: {error}") from None
        kinds = [(side.tokenizer, side.vocab_size) for side in (source, target)]
        if not isinstance(joint, bool) or kinds[0] != kinds[1]:
            raise SavedModelError("a saved preprocessor of pairs has sides of different kinds, or lacks the key joint")
        self = cls(source.library or source.tokenizer, source.vocab_size, joint)
        self.source, self.target = source, target
        return self

    def _spaced(self, sentence: str) -> str:
        return " " + sentence if sentence and self.tokenizer in _SPACED else sentence
