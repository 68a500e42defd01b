"""Zoo entries for translation."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from lstmzoo.config._base import ModelConfig, TokenizerName
from lstmzoo.config.ranges import Strict
from lstmzoo.spec import DataSpec, TranslationSpec


class TranslationData(Strict):
    """How pairs of sentences become batches.

    Attributes:
        tokenizer: Words between white space, subwords (``bpe`` or ``unigram``), characters or bytes; ``pretrained`` if the
            estimator was given a tokenizer.
        vocab_size: Maximum number of tokens in the vocabulary of each language, or of both if they share one; null for all
            words, or characters.
        joint: Whether both languages share one vocabulary.
        bpe_dropout: Probability of leaving out a merge in training, so that words are split differently in each epoch.
        max_length: Maximum number of tokens of a training sentence; pairs with a longer sentence are left out.
        validate_by: Criterion of the best epoch: ``loss``, nats per token, or ``bleu`` of greedy translations, which is slower.
    """

    tokenizer: TokenizerName
    vocab_size: PositiveInt | None
    joint: bool
    bpe_dropout: Annotated[float, Field(ge=0, lt=1)]
    max_length: PositiveInt
    validate_by: Literal["loss", "bleu"]


class TranslationConfig(ModelConfig):
    """A zoo entry for translation."""

    task: ClassVar[str] = "translation"
    estimators: ClassVar[tuple[str, ...]] = ("Translator", "BaselineTranslator", "TranslationEnsemble")
    spec: ClassVar[type[DataSpec]] = TranslationSpec
    data: TranslationData
