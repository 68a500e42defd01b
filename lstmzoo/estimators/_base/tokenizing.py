"""Estimators that cut text into tokens."""

import json
from typing import Any

from tokenizers import Tokenizer

from lstmzoo import saving
from lstmzoo.config import ModelConfig, TokenizerName
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base._base import ZooEstimator
from lstmzoo.estimators._base.network import P, ZooNetworkEstimator
from lstmzoo.preprocessing import tokenizer_name


class Tokenizing(ZooEstimator):
    """Base of the estimators with a parameter ``tokenizer``. A saved model holds a tokenizer once, in the preprocessor."""

    tokenizer: Any
    preprocessor_: Any

    def _check_savable(self) -> None:
        super()._check_savable()
        fitted = self.preprocessor_.library
        if isinstance(self.tokenizer, Tokenizer) and (fitted is None or fitted.to_str() != self.tokenizer.to_str()):
            raise ConfigError(
                f"{arg('tokenizer')}: it was changed after fit, and only the fitted one is saved: set it back, or fit again"
            )

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        header, files = super()._to_bundle()
        if isinstance(self.tokenizer, Tokenizer):
            files["params.json"]["params"]["tokenizer"] = "pretrained"
        return header, files

    def _from_bundle(self, files: saving.Bundle) -> None:
        super()._from_bundle(files)
        if self.tokenizer == "pretrained":
            self.tokenizer = self.preprocessor_.library


class TokenizingEstimator(Tokenizing, ZooNetworkEstimator[P]):
    """Base of the estimators that train a network on tokens. ``tokenizer`` is None for the entry's default."""

    def restrict(self, search_space: dict[str, Any], *data: Any) -> dict[str, Any]:
        """Return a search space without the keys that this estimator's parameters set.

        Args:
            search_space: Ranges by key, as in a zoo config.
            *data: Training data, as for ``fit``.
        """
        own = {None: (), "pretrained": ("tokenizer", "vocab_size")}.get(tokenizer_name(self.tokenizer), ("tokenizer",))
        fixed = {*(self.hyperparameters or {}), *own}
        return {key: value for key, value in search_space.items() if key not in fixed}

    def _resolve_config(self) -> ModelConfig:
        if self.tokenizer is not None and "tokenizer" in (self.hyperparameters or {}):
            raise ConfigError(
                f"the parameter {arg('tokenizer')} and the hyperparameter tokenizer set the same: pass one of them"
            )
        config = super()._resolve_config()
        if isinstance(self.tokenizer, Tokenizer):
            if (self.hyperparameters or {}).get("vocab_size") is not None:
                raise ConfigError("vocab_size: a tokenizer of your own has its own vocabulary: leave vocab_size out")
            return config.override({"tokenizer": "pretrained", "vocab_size": None})
        return config if self.tokenizer is None else config.override({"tokenizer": self.tokenizer})

    def _fit_identity(self) -> str:
        own = f" {json.dumps(self.tokenizer.to_str())}" if isinstance(self.tokenizer, Tokenizer) else ""
        return super()._fit_identity() + own

    def _tokenizer(self, config: ModelConfig) -> TokenizerName | Tokenizer:
        """Return the tokenizer of the preprocessor: the one that was passed in, or else the config's."""
        return self.tokenizer if isinstance(self.tokenizer, Tokenizer) else config.data.tokenizer
