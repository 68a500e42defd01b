"""The base of the translators, networks and baselines: sentences in, sentences out."""

import hashlib
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators._base import ZooEstimator, as_json
from lstmzoo.estimators.translation.serving import ServedTranslator
from lstmzoo.metrics import bleu, translation_scores
from lstmzoo.preprocessing import check_pairs

Share = Annotated[float, Field(ge=0, lt=1)]


class SentenceTranslator(ServedTranslator, ZooEstimator):
    """Base of the translators: BLEU, and the hooks of search and serving.

    A subclass sets ``data_digest_`` and ``_example``, and has ``predict`` and ``score_samples``.
    """

    task: ClassVar[str] = "translation"
    _saved = as_json("_example")
    _example: str

    def score(self, source: Any, target: Any) -> float:
        """Return the BLEU of the translations, from 0 to 100, by sacreBLEU: cased and detokenized.

        Args:
            source: Sentences.
            target: Reference translations.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        sources, targets = check_pairs(source, target)
        return bleu(targets, self.predict(sources))

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

        Args:
            source: Sentences.
            target: Their translations.

        Raises:
            DataError: If the sentences are refused, or too few to be split.
        """
        return split_pairs(*check_pairs(source, target), 0.1, seed=0)

    def read_once(self, source: Any, target: Any) -> tuple[list[str], list[str]]:
        """Read and check the sentences once, for a search that passes them on many times.

        Args:
            source: Sentences.
            target: Their translations.

        Raises:
            DataError: If the sentences are refused.
        """
        return check_pairs(source, target)

    def data_digest(self, source: Any, target: Any) -> str:
        """Return the SHA-256 of the pairs."""
        return pairs_digest(*check_pairs(source, target))

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
