"""Baselines of translation, without a network."""

import re
import time
from typing import Any, Literal, get_args

import numpy as np

from lstmzoo.errors import ConfigError
from lstmzoo.estimators._base import LearnedArrays, Untrained
from lstmzoo.estimators.translation._base import SentenceTranslator, opening, pairs_digest
from lstmzoo.estimators.translation.baselines.lexicon import Lexicon
from lstmzoo.preprocessing import check_pairs, check_sentences

Method = Literal["copy", "lexicon"]
METHODS: tuple[Method, ...] = get_args(Method)
_WORD = re.compile(r"\w+|[^\w\s]")


class BaselineTranslator(Untrained, SentenceTranslator):
    """A baseline without a network, with the interface of :class:`lstmzoo.Translator`.

    ===========  ==========================================================================================
    method       translation
    ===========  ==========================================================================================
    ``copy``     the source sentence, unchanged
    ``lexicon``  word by word, by IBM Model 1, in the order of the source; unknown words are copied
    ===========  ==========================================================================================

    Args:
        method: One of the above.

    Attributes:
        seconds_: Seconds that ``fit`` took.
        data_digest_: SHA-256 of the training pairs.

    References:
        Brown et al., "The Mathematics of Statistical Machine Translation: Parameter Estimation", Computational Linguistics
        19(2), 1993.

    Examples:
        >>> source, target = ["das Haus.", "das Buch.", "ein Buch."], ["the house.", "the book.", "a book."]
        >>> BaselineTranslator("lexicon").fit(source, target).predict(["das Haus."])
        ['the house.']
    """

    _saved = (LearnedArrays("_lexicon", dump=Lexicon.to_arrays, load=Lexicon.from_arrays),)

    def __init__(self, method: Method = "lexicon") -> None:
        self.method = method

    def fit(self, source: Any, target: Any) -> "BaselineTranslator":
        """Learn the lexicon from pairs of sentences.

        Args:
            source: Sentences.
            target: Their translations, in the same order.

        Raises:
            ConfigError: If the method is unknown.
            DataError: If the sentences are refused.
        """
        started = time.perf_counter()
        self._check_params()
        sources, targets = check_pairs(source, target)
        self._lexicon = Lexicon.fit(_words(sources), _words(targets)) if self.method == "lexicon" else None
        self._example, self.data_digest_ = opening(sources), pairs_digest(sources, targets)
        self.seconds_ = time.perf_counter() - started
        return self

    def predict(self, sentences: Any) -> list[str]:
        """Translate sentences.

        Args:
            sentences: A list, tuple, array or series of strings.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        texts, lexicon = check_sentences(sentences, "sentences"), self._lexicon
        if lexicon is None:
            return texts
        return [_WORD.sub(lambda word: lexicon.translate([word[0]])[0], text) for text in texts]

    def score_samples(self, source: Any, target: Any) -> np.ndarray:
        """Return the log-likelihood ``(n,)`` of each translation, given its source and its number of words, in nats.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If the method is ``copy``, which has no likelihoods.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        if self._lexicon is None:
            raise ConfigError("a translator that copies has no likelihoods: use method='lexicon'")
        sources, targets = check_pairs(source, target)
        return self._lexicon.log_likelihoods(_words(sources), _words(targets))

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """Translate the sentences; without a beam, the parameters have no effect."""
        return self.predict(sentences)


def _words(sentences: list[str]) -> list[list[str]]:
    """Return the words and punctuation marks of each sentence."""
    return [_WORD.findall(sentence) for sentence in sentences]
