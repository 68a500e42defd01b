"""From texts to numbers and back: words, characters, pieces of words, bytes."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer

from lstmzoo.config import TokenizerName
from lstmzoo.errors import ConfigError, DataError, LstmzooError, SavedModelError, UnknownNameError, arg
from lstmzoo.preprocessing.tokens import Bpe, Bytes, Characters, Pretrained, Unigram, Words, checked_ids

_LEARNED: dict[str, Any] = {"word": Words, "bpe": Bpe, "unigram": Unigram, "char": Characters, "byte": Bytes}
_TOKENS: dict[str, Any] = {**_LEARNED, "pretrained": Pretrained}
_FEWEST = {"word": 3, "char": 3, "bpe": 257, "unigram": 257, "byte": 257}
_MOST_PIECES = 1 << 20
_SPACED = {"bpe", "unigram"}  # of which a word has other pieces with a space before it than without
_BUFFERED = 1 << 20  # ids that are kept before they are written


def tokenizer_name(tokenizer: Any) -> Any:
    """Return the name of a tokenizer: itself, or ``pretrained`` for a :class:`tokenizers.Tokenizer`."""
    return "pretrained" if isinstance(tokenizer, Tokenizer) else tokenizer


class Decoder(Protocol):
    """From ids to text, bit by bit: what it gives, joined, is what all ids decode to."""

    def feed(self, ids: Any) -> str:
        """The text that is certain with these ids, beyond what has been given."""

    def flush(self) -> str:
        """What is left; the decoder begins anew."""


class TextPreprocessor:
    """Turns texts into a stream of token ids, and ids into text.

    The id 0 is ``eos``, the end of a text: no text encodes to it, also not one that reads ``<eos>``.

    ``word`` are the words between white space, the most frequent of training, and ``char`` characters likewise; any others are
    the id 1, ``<unk>``. So is the word ``<unk>`` itself, the word ``<eos>``, and a word with a lone surrogate. ``bpe`` and
    ``unigram`` are pieces of words over bytes, and ``byte`` is bytes: these encode any string so that it decodes to itself.
    Words are decoded with a space between them, an unknown character as U+FFFD, bytes that are no UTF-8 likewise.

    A :class:`tokenizers.Tokenizer` is used as it was made: nothing is learned, and its ids, plus one, are the ids.

    Args:
        tokenizer: What a token is: a name, or a :class:`tokenizers.Tokenizer`, whose name is ``pretrained``.
        vocab_size: The most ids there may be, special ones among them; None for all there are. Pieces need a number;
            bytes have 257 ids, whatever is allowed beyond; a :class:`tokenizers.Tokenizer` takes none.

    Attributes:
        vocab_size_: How many ids there are.
        eos_id: 0.
        unk_id: The id of unknown tokens, 1 unless the tokenizer is ``pretrained``; None where every string can be encoded.

    Examples:
        >>> pre = TextPreprocessor("word", 4).fit(["to be or not to be"])
        >>> pre.stream(["to be", "to see"])
        array([3, 2, 0, 3, 1, 0], dtype=int32)
        >>> pre.decode([3, 2, 0, 3, 1, 0])
        'to be to <unk>'
    """

    eos_id = 0
    _tokens: Any

    def __init__(self, tokenizer: TokenizerName | Tokenizer, vocab_size: int | None = None) -> None:
        self.library = tokenizer if isinstance(tokenizer, Tokenizer) else None
        self.tokenizer = tokenizer_name(tokenizer)
        self.vocab_size = vocab_size

    def fit(self, corpus: Iterable[str]) -> "TextPreprocessor":
        """Learn the vocabulary, in one pass over the texts; ties are broken by the order of code points.

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
                f"{arg(tokenizer=self.tokenizer)} stands for one of your own: pass a tokenizers.Tokenizer"
            )
        else:
            self._tokens = _LEARNED[self.tokenizer].learned(corpus, self.vocab_size)
        return self

    @property
    def vocab_size_(self) -> int:
        """V, ids with the special ones."""
        return len(self._tokens)

    @property
    def unk_id(self) -> int | None:
        """The id of what is not in the vocabulary, if anything can be."""
        return self._tokens.unk_id

    @property
    def banned(self) -> np.ndarray:
        """``(V,)`` whether an id is never generated: that of unknown tokens, and those of a tokenizer's special tokens."""
        special = getattr(self._tokens, "special_ids", [] if self.unk_id is None else [self.unk_id])
        return np.isin(np.arange(self.vocab_size_), special)

    def encode(self, text: str) -> np.ndarray:
        """``(T,)`` int32, without ``eos``.

        Raises:
            DataError: If it is not a string.
        """
        if not isinstance(text, str):
            raise DataError(f"expected a string, got {type(text).__name__}")
        return self._tokens.encode(text)

    def encode_batch(self, texts: Iterable[str]) -> list[np.ndarray]:
        """The same of each text."""
        return [self.encode(text) for text in texts]

    def stream(self, texts: Iterable[str], *, opened: bool = False, spooled: bool = False) -> np.ndarray:
        """``(T,)`` int32: the ids of each text, and ``eos`` after each.

        Args:
            texts: Read once.
            opened: Whether ``eos`` stands before the first, too: a network reads a text as if another had ended before it.
            spooled: Whether the array is to be a file, a temporary one that goes with the array.
        """
        first = np.full(int(opened), self.eos_id, np.int32)
        if not spooled:
            return np.concatenate([first, *self._blocks(texts)])
        with tempfile.TemporaryFile() as file:
            size = sum(file.write(block.data) for block in (first, *self._blocks(texts))) // 4
            file.flush()
            return np.memmap(file, np.int32, "r", shape=(size,)) if size else np.empty(0, np.int32)

    def decode(self, ids: Any) -> str:
        """The text of ids; ``eos`` is no text.

        Raises:
            DataError: If there is no such id.
        """
        decoder = self.decoder()
        return decoder.feed(ids) + decoder.flush()

    def decoder(self) -> Decoder:
        """What decodes a stream as it comes.

        Examples:
            >>> decoder = TextPreprocessor("byte").fit([]).decoder()
            >>> [decoder.feed(byte + 1) for byte in "né".encode()], decoder.flush()
            (['n', '', 'é'], '')
        """
        return self._tokens.decoder()

    def token(self, id: int) -> str:
        """What people read of a token.

        Raises:
            DataError: If there is no such id.
        """
        (number,) = checked_ids(id, self.vocab_size_)
        return "<eos>" if number == self.eos_id else self._tokens.token(number)

    def to_json(self) -> dict[str, Any]:
        """Everything that has been learned, for :meth:`from_json`."""
        size = None if self.vocab_size is None else int(self.vocab_size)
        return {"tokenizer": self.tokenizer, "vocab_size": size, **self._tokens.saved()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "TextPreprocessor":
        """The preprocessor that :meth:`to_json` wrote.

        Raises:
            SavedModelError: If it did not write that.
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
            way_out = "" if pieces else ", or None for all"
            raise ConfigError(
                f"vocab_size: a {name} vocabulary needs a whole number from {fewest} on{way_out}, got {size!r}"
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
    """Turns sentences of two languages into token ids, and ids into sentences of the second.

    The id 0 is ``eos``, and no sentence encodes to it; see :class:`TextPreprocessor` for the tokenizers. With pieces (``bpe``
    and ``unigram``) a sentence is read with a space before it, so that its first word is the same as within a sentence, and
    the space is taken away again: what can be encoded is decoded to itself. An empty sentence has no ids.

    Args:
        tokenizer: What a token is.
        vocab_size: The most ids of each language, or of both where they are joint; None for all there are.
        joint: Whether both have one vocabulary.

    Attributes:
        source: The preprocessor of sentences.
        target: That of their translations; the same one where they are joint.

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
        """``(S,)`` int32 of each sentence, without ``eos``."""
        return self.source.encode_batch(map(self._spaced, sentences))

    def encode_target(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """``(T,)`` int32 of each translation, without ``eos``."""
        return self.target.encode_batch(map(self._spaced, sentences))

    def encode_dropped(
        self, source: Sequence[str], target: Sequence[str], rate: float, seed: int, epoch: int
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The ids of sentences and of translations in an epoch, by BPE-dropout.

        Args:
            source: Sentences.
            target: Translations.
            rate: The probability that a merge of pieces is left out; with 0 they are encoded as ever.
            seed: Of what is left out.
            epoch: Likewise.

        Raises:
            ConfigError: If the rate is not from 0 to 1, or not 0 with another tokenizer than ``bpe``.

        References:
            Provilkov et al., "BPE-Dropout: Simple and Effective Subword Regularization", ACL 2020.
        """
        if not 0 <= rate <= 1:
            raise ConfigError(f"a dropout of merges is a probability from 0 to 1, got {rate}")
        if rate == 0:
            return self.encode_source(source), self.encode_target(target)
        if self.tokenizer != "bpe":
            raise ConfigError(
                f"a dropout of merges of {rate} needs {arg(tokenizer='bpe')}, got {self.tokenizer!r}: pass 0"
            )
        first, second = (
            side._tokens.encode_dropped(map(self._spaced, texts), rate, np.random.default_rng([seed, epoch, number]))
            for number, (side, texts) in enumerate([(self.source, source), (self.target, target)], start=1)
        )
        return first, second

    def decode(self, ids: Any) -> str:
        """The translation whose ids these are, up to the first ``eos``.

        Raises:
            DataError: If there is no such id.
        """
        row = np.atleast_1d(np.asarray(ids))
        text = self.target.decode(row[: int((np.append(row, 0) == 0).argmax())])
        return text.removeprefix(" ") if self.tokenizer in _SPACED else text

    def to_json(self) -> dict[str, Any]:
        """Everything that has been learned, for :meth:`from_json`."""
        document = {"joint": bool(self.joint), "source": self.source.to_json()}
        return document if self.joint else {**document, "target": self.target.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "PairPreprocessor":
        """The preprocessor that :meth:`to_json` wrote.

        Raises:
            SavedModelError: If it did not write that.
        """
        try:
            joint, source = document["joint"], TextPreprocessor.from_json(document["source"])
            target = source if joint else TextPreprocessor.from_json(document["target"])
        except (LookupError, TypeError) as error:
            raise SavedModelError(f"not a saved preprocessor of pairs: {error}") from None
        kinds = [(side.tokenizer, side.vocab_size) for side in (source, target)]
        if not isinstance(joint, bool) or kinds[0] != kinds[1]:
            raise SavedModelError(
                "a saved preprocessor of pairs has sides of two kinds, or does not say if they are joint"
            )
        self = cls(source.library or source.tokenizer, source.vocab_size, joint)
        self.source, self.target = source, target
        return self

    def _spaced(self, sentence: str) -> str:
        return " " + sentence if sentence and self.tokenizer in _SPACED else sentence
