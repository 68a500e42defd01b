"""The base of the translators, networks and baselines: sentences in, sentences out."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators._base import ZooEstimator, as_json
from lstmzoo.metrics import bleu, chrf, ter, translation_scores
from lstmzoo.options import ServingParam, checked_params, served
from lstmzoo.preprocessing import check_pairs, check_sentences

Share = Annotated[float, Field(ge=0, lt=1)]
_MAX_CHARACTERS = 10_000
_LEAST = 1e-300  # instead of a probability that is rounded to 0
_HELD_OUT = 0.1  # share of the pairs
_JUDGED = 500  # pairs that suffice to compare the trials of a search
_COMPILED, _TRANSLATED = 5.0, 0.12  # seconds to compile, and for each sentence: a new network does not know when to end
_METRICS = {"bleu": bleu, "chrf": chrf, "ter": ter}
_SCHEMA = (
    served("beam_size", 5, "Hypotheses that the beam search keeps", high=SERVED.beams[-1]),
    served("length_penalty", 1.0, "Exponent by which long translations are favored"),
    served("coverage_penalty", 0.0, "Weight of the penalty for source tokens without attention; 0 for none"),
    served("no_repeat_ngram", 0, "Length of the n-grams that may occur only once; 0 for no such rule", high=10),
)


class SentenceTranslator(ZooEstimator):
    """Base of the translators: BLEU, and the hooks of search and serving.

    A subclass sets ``data_digest_`` and ``_example``, and has ``predict`` and ``score_samples``.
    """

    task: ClassVar[str] = "translation"
    _saved = as_json("_example")
    scores_predictions: ClassVar[bool] = False
    _metrics = tuple(_METRICS)
    _example: str

    def score(self, source: Any, target: Any, *, metric: str = "bleu") -> float:
        """Return the BLEU of the translations, from 0 to 100, or another metric, by sacreBLEU: cased and detokenized.

        Args:
            source: Sentences.
            target: Reference translations.
            metric: ``bleu``, ``chrf``, or ``ter``, which is negated, so that greater is better.

        Raises:
            NotFittedError: If the translator is not fitted.
            UnknownNameError: If the metric is unknown.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        self.check_metric(metric)
        sources, targets = check_pairs(source, target)
        value = _METRICS[metric](targets, self.predict(sources))
        return -value if metric == "ter" else value

    def prediction_scorer(self, *data: Any, metric: str | None = None) -> Callable[[np.ndarray], float]:
        """Return a function from the probabilities of tokens to the mean of their logarithms, which ranks ensembles.

        Args:
            *data: Sentences and their translations.
            metric: Ignored: translations cannot be scored by probabilities.
        """
        return lambda probabilities: float(np.log(np.maximum(probabilities, _LEAST)).mean())

    def evaluate(self, source: Any, target: Any, **options: Any) -> dict[str, Any]:
        """Return BLEU, chrF and TER of the translations, by sacreBLEU, and the signature of BLEU.

        Args:
            source: Sentences.
            target: Reference translations.
            **options: Arguments of ``predict``, except ``n_best`` and those that start with ``return_``.

        Returns:
            ``bleu`` and ``chrf``, from 0 to 100, ``ter``, from 0 up (lower is better), and ``signature``, which tells how BLEU
            was computed.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an option asks for more than one translation of each sentence.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        more = {"n_best", "return_score", "return_alignment"} & set(options)
        if more:
            raise ConfigError(f"{sorted(more)[0]}: evaluate needs one translation of each sentence: leave it out")
        sources, targets = check_pairs(source, target)
        return translation_scores(targets, self.predict(sources, **options))

    def holdout_split(self, source: Any, target: Any) -> tuple[tuple[list, list], tuple[list, list]]:
        """Split pairs into a training set and a held-out tenth. Pairs with the same source stay together.

        Raises:
            DataError: If the sentences are refused, or too few to be split.
        """
        return split_pairs(*check_pairs(source, target), _HELD_OUT, seed=0)

    def _holdout_of_search(self, source: Any, target: Any) -> tuple[tuple[list, list], tuple[list, list]]:
        """Split as :meth:`holdout_split` does, but hold out at most about 500 pairs, because each trial translates them."""
        sources, targets = check_pairs(source, target)
        return split_pairs(sources, targets, min(_HELD_OUT, _JUDGED / len(sources)), seed=0)

    def first_seconds(self, source: Any, target: Any) -> float:
        """Return the seconds that a first network takes at least on one core, to be compiled and to translate held-out pairs."""
        return _COMPILED + _TRANSLATED * len(source)

    def read_once(self, source: Any, target: Any) -> tuple[list[str], list[str]]:
        """Read and check the sentences and their translations once, for a search that passes them on many times.

        Raises:
            DataError: If the sentences are refused.
        """
        return check_pairs(source, target)

    def data_digest(self, source: Any, target: Any) -> str:
        """Return the SHA-256 of the pairs."""
        return pairs_digest(*check_pairs(source, target))

    def serving_schema(self) -> tuple[ServingParam, ...]:
        """Declare the parameters that :meth:`serve` takes."""
        return _SCHEMA

    def serving_example(self) -> pd.DataFrame:
        """Return rows that :meth:`serve` takes: a source sentence of the training set."""
        return pd.DataFrame({"text": [self._example]})

    def serving_steps(self, model_input: pd.DataFrame, params: dict[str, Any]) -> tuple[int, str]:
        """Return the characters of a request times its beams, and how they are counted."""
        characters = int(model_input["text"].str.len().sum())
        return characters * params["beam_size"], f"beam_size times {characters:,} characters"

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return the parameters of requests that compile what usual requests need."""
        return [{"beam_size": size} for size in SERVED.beams]

    def serve(self, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Translate sentences.

        Args:
            model_input: A column ``text``.
            params: Values by name, for parameters of :meth:`serving_schema`.

        Returns:
            A column ``text`` of translations.

        Raises:
            ConfigError: If a parameter is out of bounds.
            UnknownNameError: If a parameter is unknown.
            DataError: If a sentence is not text, or has more than 10,000 characters.
        """
        options, sentences = checked_params(_SCHEMA, params), check_sentences(list(model_input["text"]), "text")
        for number, sentence in enumerate(sentences):
            if len(sentence) > _MAX_CHARACTERS:
                raise DataError(
                    f"text, row {number}: {len(sentence):,} characters, and at most {_MAX_CHARACTERS:,} are served: "
                    "send one sentence per row"
                )
        return pd.DataFrame({"text": self._answered(sentences, options)})

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """Translate the checked sentences of a request with the parameters of its beam search."""
        raise NotImplementedError

    def predict(self, sentences: Any) -> Any:
        """Translate sentences."""
        raise NotImplementedError


def split_pairs(
    source: list[str], target: list[str], share: float, *, seed: int
) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Split pairs at random into two parts; pairs with the same source stay together.

    Args:
        source: Sentences.
        target: Their translations.
        share: Share of the distinct sources in the second part, which has at least one.
        seed: Seed of the choice.

    Raises:
        DataError: If there are fewer than two distinct sources.

    Examples:
        >>> split_pairs(["a", "b", "a"], ["x", "y", "z"], 0.5, seed=0)
        ((['b'], ['y']), (['a', 'a'], ['x', 'z']))
    """
    names = sorted(set(source))
    if len(names) < 2:
        raise DataError(f"source: cannot split {len(names)} distinct sentences into two parts: pass at least 2")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]}
    parts = [[i for i, one in enumerate(source) if (one in chosen) == second] for second in (False, True)]
    train, valid = (([source[i] for i in part], [target[i] for i in part]) for part in parts)
    return train, valid


def blanked(sentences: list[str]) -> list[str]:
    """Return sentences, with an empty one for each that is only white space: there is nothing to translate."""
    return [sentence if sentence.strip() else "" for sentence in sentences]


def blanked_pairs(source: Any, target: Any, **names: Any) -> tuple[list[str], list[str]]:
    """Check pairs, and return them :func:`blanked`."""
    sources, targets = check_pairs(source, target, **names)
    return blanked(sources), blanked(targets)


def pairs_digest(*sides: list[str]) -> str:
    """Return the SHA-256 of lists of sentences as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    for side in sides:
        for sentence in side:
            raw = sentence.encode("utf-8", "surrogatepass")
            hasher.update(len(raw).to_bytes(8, "little") + raw)
        hasher.update(b"|")
    return hasher.hexdigest()


def opening(sentences: list[str]) -> str:
    """Return the first sentence that is not only white space, cut to 200 characters, as an example of a request."""
    return next((sentence for sentence in sentences if sentence.strip()), "-")[:200]
