"""Pairs of sentences, prepared for training."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmzoo.config import ModelConfig
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import Prepared
from lstmzoo.estimators.translation._base import blanked_pairs, split_pairs
from lstmzoo.preprocessing import PairBatches, PairPreprocessor
from lstmzoo.preprocessing.buckets import MOST_BUCKETS

_logger = logging.getLogger(__name__)
Texts = tuple[list[str], list[str]]  # sources and targets


@dataclass(frozen=True, kw_only=True)
class TrainingPairs(Prepared):
    """Pairs of sentences, prepared for training.

    Attributes:
        batches: Batches of the pairs.
        padding: Share of padding among the positions of the first epoch.
        tokens: Number of tokens of both languages in the first epoch, without padding.
        counts: ``(V,)`` number of occurrences of each id of the target; None for an update.
        held_out: Pairs of the validation set, if there is one.
        ratio: Number of tokens of the targets for each token of the sources.
        example: A source.
    """

    batches: PairBatches
    counts: np.ndarray | None = None
    held_out: Texts | None = None
    ratio: float = 1.0
    example: str = ""
    padding: float = 0.0
    tokens: int = 0


def with_validation(whole: Texts, validation: Any, share: float, seed: int) -> tuple[Texts, Texts | None]:
    """Return the pairs to train on, and those to validate on.

    Args:
        whole: All pairs.
        validation: Validation pairs of the user's; None to hold some of the pairs out.
        share: Share of the pairs to hold out.
        seed: Seed of the choice.

    Raises:
        DataError: If ``validation`` is not two lists of sentences.
    """
    if validation is None:
        return split_pairs(*whole, share, seed=seed) if share else (whole, None)
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise DataError(f"{arg('validation')}: expected two lists, of sentences and of their translations")
    return whole, blanked_pairs(*validation, names=("validation source", "validation target"))


def training_batches(
    preprocessor: PairPreprocessor, texts: Texts, ids: tuple[list, list], config: ModelConfig, seed: int,
    time_limit: float | None,
) -> PairBatches:  # fmt: skip
    """Return the batches of pairs, and warn of pairs that are left out.

    With a short time limit, batches have fewer shapes: each may take 10 seconds to compile.

    Raises:
        ConfigError: If ``bpe_dropout`` is set and the tokenizer is not ``bpe``.
        DataError: If no pair can be trained on.
    """
    data, training = config.data, config.training
    rate = data.bpe_dropout
    if rate and preprocessor.tokenizer != "bpe":
        raise ConfigError(
            f"{arg(hyperparameters={'bpe_dropout': rate})} needs {arg(tokenizer='bpe')}, got "
            f"{preprocessor.tokenizer!r}: pass 0.0"
        )
    batches = PairBatches(
        *ids, batch_size=training.batch_size, steps_per_epoch=training.steps_per_epoch, seed=seed,
        max_length=data.max_length,
        most_buckets=MOST_BUCKETS if time_limit is None else int(min(max(2.0, time_limit / 30), MOST_BUCKETS)),
        resample=(lambda epoch: preprocessor.encode_dropped(*texts, rate, seed, epoch)) if rate else None,
    )  # fmt: skip
    left_out = batches.left_out
    if any(left_out.values()):
        _logger.warning(
            "%d of %d pairs are not trained on: %d have an empty side, %d more than max_length=%d tokens on a side",
            sum(left_out.values()), len(texts[0]), left_out["empty"], left_out["long"], data.max_length,
        )  # fmt: skip
    return batches
