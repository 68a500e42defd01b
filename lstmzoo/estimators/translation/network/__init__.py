"""Networks that translate, once they are fitted."""

from lstmzoo.estimators.translation.network.batches import check_lengths, pair_batches, pair_nll, translate_greedily
from lstmzoo.estimators.translation.network.fitted import Alignment, FittedTranslator
from lstmzoo.estimators.translation.network.writer import Writer

__all__ = ["Alignment", "FittedTranslator", "Writer", "check_lengths", "pair_batches", "pair_nll", "translate_greedily"]
