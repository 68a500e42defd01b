"""Zoo entries for language modelling."""

from typing import ClassVar

from pydantic import PositiveInt

from lstmzoo.config._base import ModelConfig, TokenizerName
from lstmzoo.config.ranges import Strict
from lstmzoo.spec import DataSpec, LanguageModellingSpec


class LanguageModellingData(Strict):
    """How text becomes batches.

    Attributes:
        tokenizer: Words between white space, subwords (``bpe`` or ``unigram``), characters or bytes; ``pretrained`` if the
            estimator was given a tokenizer.
        vocab_size: Maximum number of tokens in the vocabulary; null for all words, or characters.
        bptt: T, tokens in a training window, which gradients do not leave.
        variable_bptt: Whether one window in twenty has half the length, so that the boundaries of windows vary more.
    """

    tokenizer: TokenizerName
    vocab_size: PositiveInt | None
    bptt: PositiveInt
    variable_bptt: bool


class LanguageModellingConfig(ModelConfig):
    """A zoo entry for language modelling."""

    task: ClassVar[str] = "language_modelling"
    estimators: ClassVar[tuple[str, ...]] = ("LanguageModel", "BaselineLanguageModel", "LanguageEnsemble")
    spec: ClassVar[type[DataSpec]] = LanguageModellingSpec
    data: LanguageModellingData
