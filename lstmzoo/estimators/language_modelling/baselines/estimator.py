"""Baselines of language models: n-gram counts."""

import time
from collections import deque
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import TokenizerName
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base import LearnedArrays, Tokenizing, Untrained
from lstmzoo.estimators.language_modelling._base import Reader, TextModel, opening, tokenized
from lstmzoo.estimators.language_modelling.baselines.ngrams import KneserNey
from lstmzoo.preprocessing import Corpus

Method = Literal["uniform", "unigram", "kneser_ney"]
METHODS: tuple[Method, ...] = get_args(Method)


class BaselineLanguageModel(Untrained, Tokenizing, TextModel):
    """A baseline that counts tokens, with the interface of :class:`lstmzoo.LanguageModel`.

    ==============  ==================================================================================================
    method          probability of a token
    ==============  ==================================================================================================
    ``uniform``     the same for all tokens
    ``unigram``     the frequency of the token in the training texts
    ``kneser_ney``  the frequency of the token after the tokens before it, by interpolated modified Kneser-Ney n-grams
    ==============  ==================================================================================================

    Args:
        method: One of the above.
        tokenizer: As for :class:`lstmzoo.LanguageModel`.
        vocab_size: Maximum size of the vocabulary; None for all words or characters of the training texts.
        order: Length of the longest n-grams of ``kneser_ney``.

    Attributes:
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.TextPreprocessor`.
        seconds_: Seconds that ``fit`` took.
        data_digest_: SHA-256 of the training texts.

    References:
        Chen & Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech & Language
        13(4), 1999.

    Examples:
        >>> model = BaselineLanguageModel("kneser_ney", tokenizer="char", order=3).fit(["to be or not to be"] * 3)
        >>> model.generate("to b", max_tokens=1, temperature=0)
        'e'
    """

    _saved = (LearnedArrays("_ngrams", dump=KneserNey.to_arrays, load=KneserNey.from_arrays),)

    def __init__(
        self,
        method: Method = "kneser_ney",
        *,
        tokenizer: TokenizerName | Tokenizer = "word",
        vocab_size: Annotated[int, Field(gt=0)] | None = None,
        order: Annotated[int, Field(ge=1, le=12)] = 5,
    ) -> None:
        self.method = method
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.order = order

    def fit(self, texts: Any, y: None = None) -> "BaselineLanguageModel":
        """Count the tokens of texts.

        Args:
            texts: A text, a list of texts, or an iterator of lines.
            y: Ignored; scikit-learn's searches pass it.

        Raises:
            ConfigError: If a parameter is wrong.
            DataError: If the texts are refused.
        """
        started = time.perf_counter()
        self._check_params()
        corpus = Corpus(texts)
        preprocessor, stream = tokenized(corpus, self.tokenizer, self.vocab_size)
        order = {"uniform": 0, "unigram": 1, "kneser_ney": self.order}[self.method]
        self._ngrams = KneserNey.fit(stream[1:], preprocessor.vocab_size_, order) if order else None
        self.preprocessor_ = preprocessor
        self._example = opening(corpus)
        self.data_digest_ = corpus.digest()
        self.seconds_ = time.perf_counter() - started
        return self

    def _carried_nll(self, stream: np.ndarray, adapt: str | None) -> np.ndarray:
        if adapt is not None:
            raise ConfigError(f"{arg('adapt')}: a {type(self).__name__} does not adapt; pass None")
        if self._ngrams is None:
            return np.full(len(stream) - 1, np.log(self.preprocessor_.vocab_size_))
        return -self._ngrams.log_probs(stream[1:])

    def _separate_nll(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        return [self._carried_nll(stream, None) for stream in streams]

    def _next_log_probs(self, prompts: list[np.ndarray]) -> np.ndarray:
        return np.log([self._next_probs(prompt) for prompt in prompts])

    def _read_on(self, prompts: list[np.ndarray]) -> Reader:
        order = 1 if self._ngrams is None else self._ngrams.order
        lasts = [deque(prompt, maxlen=order) for prompt in prompts]  # a token depends on no more
        while True:
            tokens = yield np.log([self._next_probs(np.array(last, np.int64)) for last in lasts])
            for last, token in zip(lasts, tokens, strict=True):
                last.append(token)

    def _next_probs(self, context: np.ndarray) -> np.ndarray:
        """Return the probability ``(V,)`` of each token id after a context."""
        size = self.preprocessor_.vocab_size_
        return np.full(size, 1 / size) if self._ngrams is None else self._ngrams.next_probs(context)
