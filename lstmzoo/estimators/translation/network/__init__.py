"""Networks that translate, once they are fitted."""

from lstmzoo.estimators.translation.network.decoding import check_lengths, decode_greedily, pair_batches, pair_nll
from lstmzoo.estimators.translation.network.fitted import Alignment, FittedTranslator
from lstmzoo.estimators.translation.network.writer import Writer

__all__ = ["Alignment", "FittedTranslator", "Writer", "check_lengths", "decode_greedily", "pair_batches", "pair_nll"]
