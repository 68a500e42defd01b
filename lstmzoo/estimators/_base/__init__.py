"""Bases of the estimators: saving, the one fit of networks, and tokenizers."""

from lstmzoo.estimators._base._base import (
    CLASSES,
    Learned,
    LearnedArray,
    LearnedArrays,
    Untrained,
    ZooEstimator,
    as_json,
    preprocessor,
    spec,
)
from lstmzoo.estimators._base.network import Prepared, ZooNetworkEstimator
from lstmzoo.estimators._base.tokenizing import Tokenizing, TokenizingEstimator

__all__ = [
    "CLASSES", "Learned", "LearnedArray", "LearnedArrays", "Prepared", "Tokenizing", "TokenizingEstimator", "Untrained",
    "ZooEstimator", "ZooNetworkEstimator", "as_json", "preprocessor", "spec",
]  # fmt: skip
