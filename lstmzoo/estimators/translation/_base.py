"""What networks and baselines have in common as translators: sentences in, sentences out."""

import hashlib
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import ConfigError, DataError, UnknownNameError, arg
from lstmzoo.estimators._base import ZooEstimator, as_json
from lstmzoo.metrics import bleu, translation_scores
from lstmzoo.options import checked_options
from lstmzoo.preprocessing import check_pairs, check_sentences

Share = Annotated[float, Field(ge=0, lt=1)]
MAX_SERVED_CHARACTERS = 10_000
MAX_SERVED = {"beam_size": SERVED.beams[-1], "no_repeat_ngram": 10}


class SentenceTranslator(ZooEstimator):
    """Base of the translators: BLEU, and the hooks of search and serving.

    A subclass sets ``data_digest_`` and ``_example``, and has ``predict`` and ``score_samples``.
    """

    task: ClassVar[str] = "translation"
    _saved = as_json("_example")
    _example: str

    def score(self, source: Any, target: Any) -> float:
        """BLEU of the translations, from 0 to 100, by sacreBLEU: cased, of text that is not tokenized.

        Args:
            source: Sentences.
            target: Their translations by people.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        sources, targets = check_pairs(source, target)
        return bleu(targets, self.predict(sources))

    def evaluate(self, source: Any, target: Any, **options: Any) -> dict[str, Any]:
        """BLEU, chrF and TER of the translations, by sacreBLEU, and what says how BLEU was computed.

        Args:
            source: Sentences.
            target: Their translations by people.
            **options: Of ``predict``, but for those that say what it returns.

        Returns:
            ``bleu``, ``chrf`` and ``ter``, from 0 to 100 (TER from 0 up, and small is good), and ``signature``.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an option asks for more than a translation of each sentence.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        more = {"n_best", "return_score", "return_alignment"} & set(options)
        if more:
            raise ConfigError(f"{sorted(more)[0]}: evaluate wants one translation of each sentence: leave it out")
        sources, targets = check_pairs(source, target)
        return translation_scores(targets, self.predict(sources, **options))

    def holdout_split(self, source: Any, target: Any) -> tuple[tuple[list, list], tuple[list, list]]:
        """Pairs to train on, and a tenth to be scored on, none of whose sources is among the others.

        Args:
            source: Sentences.
            target: Their translations.

        Raises:
            DataError: If the sentences are refused, or too few to be split.
        """
        return split_pairs(*check_pairs(source, target), 0.1, seed=0)

    def read_once(self, source: Any, target: Any) -> tuple[list[str], list[str]]:
        """What the hooks of a search take in place of the sentences, read and checked once.

        Args:
            source: Sentences.
            target: Their translations.

        Raises:
            DataError: If the sentences are refused.
        """
        return check_pairs(source, target)

    def data_digest(self, source: Any, target: Any) -> str:
        """SHA-256 of what is to be fitted."""
        return pairs_digest(*check_pairs(source, target))

    def serving_example(self) -> pd.DataFrame:
        """Raw input that :meth:`serve` takes: sentences, one a row."""
        return pd.DataFrame({"text": [self._example]})

    def serving_params(self) -> dict[str, Any]:
        """The parameters that :meth:`serve` takes, with their defaults."""
        return {"beam_size": 5, "length_penalty": 1.0, "coverage_penalty": 0.0, "no_repeat_ngram": 0}

    def serving_steps(self, model_input: pd.DataFrame, params: dict[str, Any]) -> tuple[int, str]:
        """The steps that a request asks for, and what they are."""
        characters = int(model_input["text"].str.len().sum())
        return characters * max(params["beam_size"], 1), f"beam_size times {characters:,} characters"

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Parameters of requests that compile what usual requests need."""
        return [{"beam_size": size} for size in SERVED.beams]

    def serving_nullable(self) -> list[str]:
        """Columns in which rows that :meth:`serve` takes may lack a value: none."""
        return []

    def serve(self, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Translate sentences: a row of ``text`` each.

        Args:
            model_input: A column ``text``.
            params: As for ``predict``.

        Returns:
            A column ``text`` of translations.

        Raises:
            ConfigError: If a parameter is out of range; ``beam_size`` is at most 50 here, and ``no_repeat_ngram`` 10.
            UnknownNameError: If a parameter is unknown.
            DataError: If a sentence is no text, or has more than 10,000 characters.
        """
        unknown = set(params) - set(self.serving_params())
        if unknown:
            raise UnknownNameError("parameter", sorted(unknown)[0], self.serving_params())
        given, sentences = {**self.serving_params(), **params}, check_sentences(list(model_input["text"]), "text")
        checked_options(**given)
        for name, most in MAX_SERVED.items():
            if given[name] > most:
                raise ConfigError(f"{arg(name)}: at most {most} in a served request, got {given[name]}")
        for number, sentence in enumerate(sentences):
            if len(sentence) > MAX_SERVED_CHARACTERS:
                raise DataError(
                    f"text, row {number}: {len(sentence):,} characters, and at most {MAX_SERVED_CHARACTERS:,} are served: "
                    "send a sentence a row"
                )
        return pd.DataFrame({"text": self._answered(sentences, given)})

    def predict(self, sentences: Any) -> Any:
        """Translations of sentences."""
        raise NotImplementedError

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """Translations for a request, whose parameters are those of the beam."""
        raise NotImplementedError


def split_pairs(
    source: list[str], target: list[str], share: float, *, seed: int
) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Pairs in two parts, at random; those of one source are in one part.

    Args:
        source: Sentences.
        target: Their translations.
        share: Of the different sources, for the second part; one at least.
        seed: Of the choice.

    Raises:
        DataError: If there are not two different sources.

    Examples:
        >>> split_pairs(["a", "b", "a"], ["x", "y", "z"], 0.5, seed=0)
        ((['b'], ['y']), (['a', 'a'], ['x', 'z']))
    """
    names = sorted(set(source))
    if len(names) < 2:
        raise DataError(f"source: {len(names)} different sentences cannot be split into two parts: give more")
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]}
    parts = [[i for i, one in enumerate(source) if (one in chosen) == second] for second in (False, True)]
    train, valid = (([source[i] for i in part], [target[i] for i in part]) for part in parts)
    return train, valid


def blanked(sentences: list[str]) -> list[str]:
    """Sentences, those of white space alone being empty: there is nothing to translate."""
    return [sentence if sentence.strip() else "" for sentence in sentences]


def blanked_pairs(source: Any, target: Any, **names: Any) -> tuple[list[str], list[str]]:
    """Pairs that are checked, and :func:`blanked`."""
    sources, targets = check_pairs(source, target, **names)
    return blanked(sources), blanked(targets)


def pairs_digest(*sides: list[str]) -> str:
    """SHA-256 of lists of sentences, as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    for side in sides:
        for sentence in side:
            raw = sentence.encode("utf-8", "surrogatepass")
            hasher.update(len(raw).to_bytes(8, "little") + raw)
        hasher.update(b"|")
    return hasher.hexdigest()


def opening(sentences: list[str]) -> str:
    """The first sentence that is not white space alone, cut to 200 characters, as an example of what can be asked."""
    return next((sentence for sentence in sentences if sentence.strip()), "-")[:200]
