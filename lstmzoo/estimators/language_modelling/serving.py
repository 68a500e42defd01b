"""Serving language models: requests that continue texts or score them."""

import itertools
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lstmzoo.contracts import Servable
from lstmzoo.options import ServingParam, checked_params, served

_SCHEMA = (
    ServingParam(
        name="mode", type=str, default="generate", choices=("generate", "score"),
        doc="`generate` continues each text, `score` returns its log-likelihood and reads no other parameter",
    ),
    served("max_tokens", 100, "Tokens to add to each text, at most", high=4096),
    served("temperature", 1.0, "Below 1, likely tokens become likelier; 0 takes the likeliest"),
    served("top_k", 0, "Sample among this many of the likeliest tokens; 0 for all", above=False),
    served("top_p", 1.0, "Sample among the likeliest tokens that together have this probability"),
    served("repetition_penalty", 1.0, "Above 1, tokens that the text already has become less likely"),
    ServingParam(name="stop", type=str, default="", doc="Text that ends a continuation, left out of the answer; empty for none"),
    served("random_state", 0, "Seed of the samples"),
)  # fmt: skip


class _TextModel(Servable, Protocol):
    _example: str

    def generate(self, prompts: Any, **options: Any) -> Any: ...

    def score_samples(self, texts: Any) -> np.ndarray: ...


class ServedTextModel:
    """Base of the language models: requests are texts, one a row."""

    def serving_schema(self) -> tuple[ServingParam, ...]:
        """Declare the parameters that :meth:`serve` takes."""
        return _SCHEMA

    def serving_example(self: _TextModel) -> pd.DataFrame:
        """Return rows that :meth:`serve` takes: the beginning of the training texts."""
        return pd.DataFrame({"text": [self._example]})

    def serving_steps(self, model_input: pd.DataFrame, params: dict[str, Any]) -> tuple[int, str]:
        """Return the characters and tokens of a request, and how they are counted."""
        characters = int(model_input["text"].str.len().sum())
        if params["mode"] == "score":
            return characters, "characters"
        rows = len(model_input)
        return characters + rows * params["max_tokens"], f"{rows:,} rows: their characters, and max_tokens for each"

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return the parameters of requests that compile what usual requests need."""
        kinds = itertools.product((0, 1), (1.0, 1.1))
        generate = [{"max_tokens": 1, "top_k": top_k, "repetition_penalty": penalty} for top_k, penalty in kinds]
        return [*generate, {"mode": "score"}]

    def serve(self: _TextModel, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Continue texts, or score them.

        Args:
            model_input: A column ``text``.
            params: Values by name, for parameters of :meth:`serving_schema`.

        Returns:
            A column ``text`` with the continuation of each, or ``log_likelihood`` of each, in nats.

        Raises:
            ConfigError: If a parameter is out of bounds.
            UnknownNameError: If a parameter or the mode is unknown.
            DataError: If a text is empty.
        """
        options, texts = checked_params(_SCHEMA, params), list(model_input["text"])
        if options.pop("mode") == "score":
            return pd.DataFrame({"log_likelihood": self.score_samples(texts)})
        options |= {"top_k": options["top_k"] or None, "stop": options["stop"] or None}
        return pd.DataFrame({"text": self.generate(texts, **options)})
