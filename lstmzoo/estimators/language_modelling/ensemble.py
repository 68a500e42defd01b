"""Ensembles of language models: the weighted mean of the members' probabilities."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base import Ensemble
from lstmzoo.estimators._base.ensemble import Weights
from lstmzoo.estimators.language_modelling._base import Reader, TextModel
from lstmzoo.models._language import TokenMixture


class LanguageEnsemble(Ensemble, TextModel):
    """The weighted mean of the probabilities of several language models, with the interface of :class:`lstmzoo.LanguageModel`.

    Members may be networks and n-gram models. They must have the same vocabulary. An ensemble has no adaptation or embeddings.

    Args:
        estimators: Language models and baselines.
        weights: Their weights, of any sum; equal ones if None.

    Attributes:
        members_: The fitted members.
        weights_: The weight of each member; their sum is 1.
        preprocessor_: The :class:`lstmzoo.preprocessing.TextPreprocessor` of the members.
        seconds_: Seconds of the fit of all members.
        data_digest_: SHA-256 of the training texts of the first member.

    References:
        Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.
        Mikolov et al., "Empirical Evaluation and Combination of Advanced Language Modeling Techniques", Interspeech 2011.

    Examples:
        >>> from lstmzoo import BaselineLanguageModel
        >>> pair, single = (BaselineLanguageModel(tokenizer="char", order=order) for order in (2, 1))
        >>> ensemble = LanguageEnsemble([pair, single], weights=[3, 1]).fit("to be or not to be")
        >>> ensemble.weights_
        [0.75, 0.25]
        >>> ensemble.predict_proba("to b").shape
        (1, 9)
    """

    _of = TextModel

    def __init__(self, estimators: list[Any], weights: Weights = None) -> None:
        self.estimators = estimators
        self.weights = weights

    def fit(self, texts: Any, y: None = None) -> "LanguageEnsemble":
        """Fit a copy of each member.

        Args:
            texts: As for :meth:`lstmzoo.LanguageModel.fit`. Vocabularies are learned from what a member is trained on: give all
                members the same ``validation_size``; a baseline is trained on all texts, as a network with 0.
            y: Ignored; scikit-learn's searches pass it.

        Raises:
            ConfigError: If a parameter is wrong, or members have different vocabularies.
            DataError: If the texts are refused.
        """
        return self._fit_members(*self.read_once(texts))

    def _check_members(self, members: list[Any]) -> None:
        known = members[0].prediction_key()
        for number, member in enumerate(members[1:], 2):
            if member.prediction_key() != known:
                raise ConfigError(
                    f"member {number} has another vocabulary than member 1: fit all on the same texts, with the same tokenizer, "
                    "vocab_size and validation texts"
                )

    def _learn_members(self) -> None:
        self.preprocessor_, self._example = self.members_[0].preprocessor_, self.members_[0]._example
        self._mixture: TokenMixture | None = None

    def _complete(self) -> None:
        self._mixture = None

    @property
    def _weighted(self) -> list[tuple[Any, float]]:
        """The members whose weight is not 0, with their weights."""
        return [(member, weight) for member, weight in zip(self.members_, self.weights_, strict=True) if weight]

    def _mixed(self, log_probs: Callable[[Any], np.ndarray]) -> np.ndarray:
        """Return the logarithm of the weighted mean of probabilities."""
        return np.logaddexp.reduce([log_probs(member) + np.log(weight) for member, weight in self._weighted])

    def _carried_nll(self, stream: np.ndarray, adapt: str | None) -> np.ndarray:
        if adapt is not None:
            raise ConfigError(f"{arg('adapt')}: a {type(self).__name__} does not adapt; pass None")
        return -self._mixed(lambda member: -member._carried_nll(stream, None))

    def _separate_nll(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        counts = [len(stream) - 1 for stream in streams]
        flat = self._mixed(lambda member: -np.concatenate(member._separate_nll(streams)))
        return np.split(-flat, np.cumsum(counts)[:-1])

    def _next_log_probs(self, prompts: list[np.ndarray]) -> np.ndarray:
        return self._mixed(lambda member: member._next_log_probs(prompts))

    def _continue(self, prompts: list[np.ndarray], options: dict[str, Any], first: int) -> Iterator[np.ndarray]:
        members, weights = zip(*self._weighted, strict=True)
        if not all(hasattr(member, "model_") for member in members):
            return super()._continue(prompts, options, first)
        if self._mixture is None:
            self._mixture = TokenMixture([member.model_.stepper for member in members], weights)
        return members[0]._continue_by(self._mixture, prompts, options, first)

    def _read_on(self, prompts: list[np.ndarray]) -> Reader:
        members, weights = zip(*self._weighted, strict=True)
        readers = [member._read_on(prompts) for member in members]
        log_probs = [next(reader) for reader in readers]
        while True:
            shifted = [one + np.log(weight) for one, weight in zip(log_probs, weights, strict=True)]
            tokens = yield np.logaddexp.reduce(shifted)
            log_probs = [reader.send(tokens) for reader in readers]
