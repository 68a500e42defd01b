"""Networks that translate: their training data, and what a fitted one can be asked."""

from lstmzoo.estimators.translation.network.decoding import check_lengths, decode_greedily, pair_batches, pair_nll
from lstmzoo.estimators.translation.network.fitted import Alignment, FittedTranslator
from lstmzoo.estimators.translation.network.preparing import TrainingPairs, training_batches, with_validation
from lstmzoo.estimators.translation.network.writer import Writer

__all__ = [
    "Alignment", "FittedTranslator", "TrainingPairs", "Writer", "check_lengths", "decode_greedily", "pair_batches", "pair_nll",
    "training_batches", "with_validation",
]  # fmt: skip
