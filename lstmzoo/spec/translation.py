"""Sizes of a translation model."""

from dataclasses import dataclass
from typing import ClassVar

from lstmzoo.spec._base import DataSpec


@dataclass(frozen=True)
class TranslationSpec(DataSpec):
    """Sizes of a translation model. In both vocabularies, token 0 ends a sentence, pads it, and is the decoder's first input.

    Attributes:
        source_vocab_size: Number of token ids of the source language.
        target_vocab_size: V, number of token ids of the target language.
        joint: Whether both languages share one vocabulary.
    """

    task: ClassVar[str] = "translation"
    source_vocab_size: int
    target_vocab_size: int
    joint: bool = False
