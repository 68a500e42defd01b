"""Serving translators: requests that translate sentences by beam search."""

from typing import Any

import pandas as pd

from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import DataError
from lstmzoo.options import ServingParam, checked_params, served
from lstmzoo.preprocessing import check_sentences

MAX_CHARACTERS = 10_000
_SCHEMA = (
    served("beam_size", 5, "Hypotheses that the beam search keeps", high=SERVED.beams[-1]),
    served("length_penalty", 1.0, "Exponent by which long translations are favored"),
    served("coverage_penalty", 0.0, "Weight of the penalty for source tokens without attention; 0 for none"),
    served("no_repeat_ngram", 0, "Length of the n-grams that may occur only once; 0 for no such rule", high=10),
)


class ServedTranslator:
    """Base of the translators: requests are sentences, one a row."""

    _example: str

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
            if len(sentence) > MAX_CHARACTERS:
                raise DataError(
                    f"text, row {number}: {len(sentence):,} characters, and at most {MAX_CHARACTERS:,} are served: "
                    "send one sentence per row"
                )
        return pd.DataFrame({"text": self._answered(sentences, options)})

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """Translate the checked sentences of a request with the parameters of its beam search."""
        raise NotImplementedError
