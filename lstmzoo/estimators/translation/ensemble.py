"""Ensembles of translators: the weighted mean of the members' probabilities."""

from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError
from lstmzoo.estimators._base import Ensemble
from lstmzoo.estimators._base.ensemble import Weights
from lstmzoo.estimators.translation._base import SentenceTranslator
from lstmzoo.estimators.translation.network import FittedTranslator, Writer


class TranslationEnsemble(Ensemble, SentenceTranslator):
    """Several translators that write together: at each token, their probabilities are averaged.

    It has the methods of :class:`lstmzoo.Translator` that predict, score and serve.

    Args:
        estimators: Translators.
        weights: Their weights, of any sum; equal ones if None.

    Attributes:
        members_: The fitted members.
        weights_: The weight of each member; their sum is 1.
        preprocessor_: The :class:`lstmzoo.preprocessing.PairPreprocessor` of the members.
        seconds_: Seconds of the fit of all members.
        data_digest_: SHA-256 of the training pairs of the first member.

    References:
        Sutskever, Vinyals & Le, "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014, section 3.6.
    """

    _of = FittedTranslator

    def __init__(self, estimators: list[Any], weights: Weights = None) -> None:
        self.estimators = estimators
        self.weights = weights

    def fit(self, source: Any, target: Any) -> "TranslationEnsemble":
        """Fit a copy of each translator.

        Args:
            source: Sentences, as for :meth:`lstmzoo.Translator.fit`.
            target: Their translations. Vocabularies are learned from the pairs that a member is trained on: give all members
                ``validation_size=0``, or the same ``validation_size`` and ``random_state``.

        Raises:
            ConfigError: If a parameter is wrong, or members have different vocabularies.
            DataError: If the sentences are refused.
        """
        return self._fit_members(*self.read_once(source, target))

    def predict(
        self, sentences: Any, *, beam_size: int = 5, length_penalty: float = 1.0, coverage_penalty: float = 0.0,
        no_repeat_ngram: int = 0, n_best: int = 1, return_score: bool = False, return_alignment: bool = False,
    ) -> Any:  # fmt: skip
        """Translate sentences by beam search.

        Args:
            sentences, beam_size, length_penalty, no_repeat_ngram, n_best, return_score: As for
                :meth:`lstmzoo.Translator.predict`.
            coverage_penalty: As for :meth:`lstmzoo.Translator.predict`, with the mean attention of the members.
            return_alignment: Whether to return an :class:`Alignment` of the first member for each translation.

        Returns:
            As :meth:`lstmzoo.Translator.predict`.

        Raises:
            NotFittedError: If the ensemble is not fitted.
            ConfigError: If an argument is out of range, or requires attention and the first member has none.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        return self.members_[0]._predict_by(
            self._writer, sentences, beam_size=beam_size, length_penalty=length_penalty, coverage_penalty=coverage_penalty,
            no_repeat_ngram=no_repeat_ngram, n_best=n_best, return_score=return_score, return_alignment=return_alignment,
        )  # fmt: skip

    def sample(
        self, sentences: Any, *, n: int = 1, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Sample translations, token by token, from the mean of the probabilities.

        The arguments, the result and the errors are those of :meth:`lstmzoo.Translator.sample`.
        """
        self._check_fitted()
        return self.members_[0]._sample_by(
            self._writer, sentences, n=n, temperature=temperature, top_k=top_k, top_p=top_p, random_state=random_state
        )

    def score_samples(self, source: Any, target: Any) -> np.ndarray:
        """Return the log-likelihood ``(n,)`` of each translation given its source, in nats. The end is included.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the ensemble is not fitted.
            DataError: If the sentences are refused.
        """
        log_probs = np.log(self.held_out_predictions(source, target))
        _, targets = self.members_[0]._encoded_pairs(source, target)
        return np.add.reduceat(log_probs, np.cumsum([0, *(len(ids) + 1 for ids in targets[:-1])]))

    def held_out_predictions(self, source: Any, target: Any) -> np.ndarray:
        """Return the probability ``(T,)`` of each token of the targets, ends included: the weighted mean of the members'.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the ensemble is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        return np.tensordot(
            self.weights_, [member.held_out_predictions(source, target) for member in self.members_], axes=1
        )

    def _check_members(self, members: list[Any]) -> None:
        known = members[0].prediction_key()
        for number, member in enumerate(members[1:], 2):
            if member.prediction_key() != known:
                raise ConfigError(
                    f"member {number} has other vocabularies than member 1: fit all on the same pairs, with the same tokenizer, "
                    "vocab_size and validation pairs"
                )

    def _learn_members(self) -> None:
        self._example = self.members_[0]._example
        self._complete()

    def _complete(self) -> None:
        self.preprocessor_ = self.members_[0].preprocessor_
        pairs = [(member, weight) for member, weight in zip(self.members_, self.weights_, strict=True) if weight]
        steppers = [member.model_.stepper for member, _ in pairs]
        self._writer = Writer(steppers, self.preprocessor_.target.banned, [weight for _, weight in pairs])

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        return list(self.members_[0]._answer_by(self._writer, sentences, params))
