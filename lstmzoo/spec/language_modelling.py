"""Sizes of a language model."""

from dataclasses import dataclass
from typing import ClassVar

from lstmzoo.spec._base import DataSpec


@dataclass(frozen=True)
class LanguageModellingSpec(DataSpec):
    """Sizes of a language model.

    Attributes:
        vocab_size: V, number of token ids; 0 is the end of a text.
        bptt: T, tokens in a training window.
        cutoffs: Token ids at which an adaptive softmax starts a new cluster; ids are sorted by falling frequency, roughly.
            Empty if the vocabulary is too small for clusters.
    """

    task: ClassVar[str] = "language_modelling"
    vocab_size: int
    bptt: int
    cutoffs: tuple[int, ...] = ()
