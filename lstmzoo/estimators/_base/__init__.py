"""Bases of the estimators: saving, the one fit of networks, and tokenizers."""

from lstmzoo.estimators._base.ensemble import Ensemble
from lstmzoo.estimators._base.estimator import (
    CLASSES,
    PREPROCESSOR,
    STATE,
    Learned,
    LearnedArray,
    LearnedArrays,
    Parts,
    Tokenizing,
    Untrained,
    ZooEstimator,
    as_json,
    class_named,
    preprocessor,
    spec,
)  # fmt: skip
from lstmzoo.estimators._base.network import Prepared, TokenizingEstimator, ZooNetworkEstimator, mean_nll
from lstmzoo.estimators._base.sharing import Networks, hand_over, unshare

__all__ = [
    "CLASSES", "PREPROCESSOR", "STATE", "Ensemble", "Learned", "LearnedArray", "LearnedArrays", "Networks", "Parts", "Prepared",
    "Tokenizing", "TokenizingEstimator", "Untrained", "ZooEstimator", "ZooNetworkEstimator", "as_json", "class_named",
    "hand_over", "mean_nll", "preprocessor", "spec", "unshare",
]  # fmt: skip
