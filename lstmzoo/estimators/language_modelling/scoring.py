"""The scores of language models: likelihoods and perplexities of texts, and the hooks of a search."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from lstmzoo.errors import UnknownNameError, arg
from lstmzoo.estimators._base import Learned, ZooEstimator, preprocessor
from lstmzoo.preprocessing import Corpus, TextPreprocessor, TextSizes
from lstmzoo.turns import pause

Per = Literal["word", "token", "char", "byte"]
_LEAST = 1e-300  # instead of a probability that is rounded to 0
_HELD_OUT = 0.1  # share of the characters
_JUDGED = 200_000  # characters that suffice to compare the trials of a search


class ScoredTexts(ZooEstimator):
    """Base of the language models: likelihoods and perplexities.

    A subclass sets ``preprocessor_``, and gives likelihoods by :meth:`_carried_nll` and :meth:`_separate_nll`.
    """

    task: ClassVar[str] = "language_modelling"
    scores_predictions: ClassVar[bool] = True
    _saved: ClassVar[tuple[Learned, ...]] = (preprocessor(TextPreprocessor, "text"),)
    _metrics = ("log_likelihood", *(f"perplexity_{per}" for per in get_args(Per)))
    preprocessor_: TextPreprocessor

    def score(self, texts: Any, y: None = None, *, metric: str = "log_likelihood") -> float:
        """Return the mean log-likelihood per character, in nats, or a negative perplexity. An end of text counts as a character.

        The state is carried from text to text. The mean is per character, so that models with different tokens can be compared.
        But a word or character that the vocabulary lacks is scored as ``<unk>``, which is likelier than the word itself. Compare
        models with such a vocabulary only with models that have the same one.

        Args:
            texts: As for :meth:`fit`.
            y: Ignored; scikit-learn's searches pass it.
            metric: A key of :meth:`evaluate`. Perplexities are negative, so that greater is better.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If the metric is unknown.
            DataError: If the texts are refused.
        """
        self.check_metric(metric)
        return _upward(self.evaluate(texts), metric)

    def score_samples(self, texts: Any) -> np.ndarray:
        """Return the log-likelihood ``(n,)`` of each text by itself, its end included, in nats.

        Args:
            texts: As for :meth:`fit`.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If the texts are refused.
        """
        return np.array([-nll.sum() for nll in self._separate_nll(self._encoded_streams(texts))])

    def score_tokens(self, texts: Any) -> pd.DataFrame:
        """Return the log-likelihood of each token of texts, each text by itself, in nats.

        Args:
            texts: As for :meth:`fit`.

        Returns:
            A row per token; the last token of each text is ``<eos>``. The columns are ``text`` (the index of the text),
            ``position`` (the index in the text), ``id``, ``token`` and ``log_likelihood``. The sums of ``log_likelihood`` over
            each text are :meth:`score_samples`.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If the texts are refused.
        """
        streams = self._encoded_streams(texts)
        counts = [len(stream) - 1 for stream in streams]
        ids = np.concatenate([stream[1:] for stream in streams])
        return pd.DataFrame(
            {
                "text": np.repeat(np.arange(len(streams)), counts),
                "position": np.concatenate([np.arange(count) for count in counts]),
                "id": ids,
                "token": [self.preprocessor_.token(int(i)) for i in ids],
                "log_likelihood": -np.concatenate(self._separate_nll(streams)),
            }
        )

    def perplexity(self, texts: Any, per: Per = "word", adapt: str | None = None) -> float:
        """Return the exponential of the mean negative log-likelihood. The state is carried from text to text.

        Args:
            texts: As for :meth:`fit`.
            per: Unit of the mean: ``word`` (between white space), ``char``, ``byte`` or ``token``. The first three count the
                original texts and compare models with different tokens. The end of each text counts as one more unit, as
                ``<eos>`` does in WikiText.
            adapt: ``cache`` or ``dynamic`` to let the model adapt to the text that it has read; see
                :meth:`lstmzoo.LanguageModel.tune_adaptation`.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``per`` or ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        if per not in get_args(Per):
            raise UnknownNameError(arg("per"), per, get_args(Per))
        with np.errstate(over="ignore"):
            return float(np.exp(self._mean_nll(texts, adapt)[per]))

    def evaluate(self, texts: Any, adapt: str | None = None) -> dict[str, float]:
        """Return all perplexities and the score; the texts are read once.

        Args:
            texts: As for :meth:`fit`.
            adapt: As for :meth:`perplexity`.

        Returns:
            ``perplexity_word``, ``perplexity_token``, ``perplexity_char``, ``perplexity_byte``, and ``log_likelihood``, the mean
            per character.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        return _scores(self._mean_nll(texts, adapt))

    def held_out_predictions(self, texts: Any) -> np.ndarray:
        """Return the probability ``(T,)`` of each token of held-out texts, for a search that chooses an ensemble.

        The probabilities of estimators with the same vocabulary can be averaged.

        Args:
            texts: As for :meth:`fit`.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If the texts are refused.
        """
        self._check_fitted()
        return np.exp(-self._carried_nll(self._encoded_stream(Corpus(texts)), None))

    def prediction_key(self) -> str:
        """Return a text that is the same for models whose predictions can be averaged: the SHA-256 of the vocabulary."""
        return self.preprocessor_.vocabulary_digest()

    def prediction_scorer(self, texts: Any, *, metric: str | None = None) -> Callable[[np.ndarray], float]:
        """Return a function from probabilities of :meth:`held_out_predictions` to the number of :meth:`score`.

        Args:
            texts: The held-out texts.
            metric: As for :meth:`score`.

        Raises:
            UnknownNameError: If the metric is unknown.
            DataError: If the texts are refused.
        """
        metric = metric or "log_likelihood"
        self.check_metric(metric)
        sizes = Corpus(texts).sizes()
        return lambda probabilities: _upward(_scores(_means(-np.log(np.maximum(probabilities, _LEAST)), sizes)), metric)

    def holdout_split(self, texts: Any) -> tuple[tuple[Any], tuple[Any]]:
        """Split texts, as for :meth:`fit`, into a training set and a held-out end, which has a tenth of the characters.

        Raises:
            DataError: If the texts are refused, or too short to be split.
        """
        train, valid = Corpus(texts).split(_HELD_OUT)
        return (train,), (valid,)

    def _holdout_of_search(self, texts: Any) -> tuple[tuple[Any], tuple[Any]]:
        """Split as :meth:`holdout_split` does, but hold out at most 200,000 characters, because each trial scores them."""
        corpus = Corpus(texts)
        train, valid = corpus.split(min(_HELD_OUT, _JUDGED / corpus.sizes().chars))
        return (train,), (valid,)

    def read_once(self, texts: Any) -> tuple[Corpus]:
        """Read and check texts, as for :meth:`fit`, once, for a search that passes them on many times.

        Raises:
            DataError: If the texts are refused.
        """
        return (Corpus(texts),)

    def data_digest(self, texts: Any) -> str:
        """Return the SHA-256 of the texts."""
        return Corpus(texts).digest()

    def _mean_nll(self, texts: Any, adapt: str | None) -> dict[str, float]:
        """Return the mean negative log-likelihood by unit."""
        self._check_fitted()
        corpus = Corpus(texts)
        return _means(self._carried_nll(self._encoded_stream(corpus), adapt), corpus.sizes())

    def _encoded_stream(self, texts: Any) -> np.ndarray:
        """Return the token ids of texts, with an end of text before the first and after each."""
        pause()
        return self.preprocessor_.encode_stream(texts, opened=True)

    def _encoded_streams(self, texts: Any) -> list[np.ndarray]:
        """Return the token ids of each text by itself, with an end of text before and after."""
        self._check_fitted()
        return [self._encoded_stream([text]) for text in Corpus(texts, empty=True)]

    def _carried_nll(self, stream: np.ndarray, adapt: str | None) -> np.ndarray:
        """Return the negative log-likelihood of each token of a stream but the first; the state is carried."""
        raise NotImplementedError

    def _separate_nll(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        """Return the negative log-likelihood of each token of each stream but its first; each stream is read by itself."""
        raise NotImplementedError


def _means(nll: np.ndarray, sizes: TextSizes) -> dict[str, float]:
    """Return the mean negative log-likelihood by unit, from that of each token."""
    total = float(nll.sum())
    units = {"word": sizes.words, "token": len(nll) - sizes.texts, "char": sizes.chars, "byte": sizes.bytes}
    return {per: total / (count + sizes.texts) for per, count in units.items()}


def _scores(means: dict[str, float]) -> dict[str, float]:
    """Return the perplexities and the score, from the mean negative log-likelihood by unit."""
    with np.errstate(over="ignore"):
        perplexities = {f"perplexity_{per}": float(np.exp(mean)) for per, mean in means.items()}
    return {**perplexities, "log_likelihood": -means["char"]}


def _upward(scores: dict[str, float], metric: str) -> float:
    """Return a score, with its sign changed if less is better."""
    return scores[metric] if metric == "log_likelihood" else -scores[metric]
