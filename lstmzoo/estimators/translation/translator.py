"""The translator: one network, trained on pairs of sentences."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import ModelConfig, TokenizerName
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import Prepared, class_named
from lstmzoo.estimators.translation._base import Share, blanked_pairs, opening, pairs_digest, split_pairs
from lstmzoo.estimators.translation.baselines import METHODS, BaselineTranslator
from lstmzoo.estimators.translation.network import (
    FittedTranslator,
    Writer,
    check_lengths,
    pair_batches,
    pair_nll,
    translate_greedily,
)
from lstmzoo.metrics import bleu
from lstmzoo.overrides import Overrides
from lstmzoo.preprocessing import PairBatches, PairPreprocessor, token_counts
from lstmzoo.preprocessing.buckets import MOST_BUCKETS
from lstmzoo.spec import TranslationSpec
from lstmzoo.training import Trained, Validate

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


class Translator(FittedTranslator):
    """A network that reads sentences and writes their translations.

    Vocabularies are learned from the training set. Batches hold pairs of similar length.

    Args:
        model: Zoo entry, such as ``bahdanau_gru`` or ``translation/bahdanau_gru``; see :func:`lstmzoo.list_models`.
        tokenizer: ``bpe`` or ``unigram`` (pieces of words; any sentence is restored exactly), ``word`` (split at white space),
            ``char`` or ``byte``; the entry's default if None. Or a :class:`tokenizers.Tokenizer`, which is used unchanged for
            both languages.
        hyperparameters: Overrides of the entry's settings, whether of the network, of the data (``vocab_size``, ``joint``, ...)
            or of the training (``learning_rate``, ``epochs``, ...).
        validation_size: Share of the pairs, chosen at random, that is held out to choose the best epoch. It is ignored if
            ``fit`` is given validation pairs. With 0, all pairs are trained on for all epochs.
        time_limit: Maximum seconds of training. Below 180, batches have fewer shapes, since each shape is compiled.
        random_state: Seed of all random choices; the same seed gives the same bits on one machine.
        verbose: 0 for silent, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model; ``model_.stepper`` encodes a source once and writes from a state.
        config_: The resolved zoo entry.
        spec_: Sizes of the network, learned from the pairs.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.PairPreprocessor`.
        seed_: Seed that ``fit`` used.
        history_: A row per epoch: ``epoch``, ``loss`` (with the entry's label smoothing), ``val_loss`` (nats per token, or 100
            minus BLEU if the entry validates by BLEU), ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept, and from which updates start.
        padding_: Share of padding among the positions of the first epoch.
        tokens_: Number of tokens of both languages in the first epoch, without padding.
        left_out_: Number of pairs that ``fit`` and updates left out because they were ``long`` or ``empty``.
        seconds_: Seconds that ``fit`` and updates took.
        data_digest_: SHA-256 of the training pairs; after an update, of the old digest and that of the new pairs.

    Examples:
        >>> source = ["one dog", "two dogs", "one cat", "two cats"] * 8
        >>> target = ["ein Hund", "zwei Hunde", "eine Katze", "zwei Katzen"] * 8
        >>> settings = {"epochs": 30, "units": 16, "embedding_dim": 16, "vocab_size": None, "output_dropout": 0.0}
        >>> translator = Translator(
        ...     "conditional_gru_mini", tokenizer="word", hyperparameters=settings, random_state=0, verbose=0
        ... ).fit(source, target)
        >>> len(translator.predict(["two cats", ""]))
        2
    """

    def __init__(
        self,
        model: str = "conditional_gru",
        *,
        tokenizer: TokenizerName | Tokenizer | None = None,
        hyperparameters: dict[str, Any] | None = None,
        validation_size: Share = 0.1,
        time_limit: Annotated[float, Field(gt=0)] | None = None,
        random_state: Annotated[int, Field(ge=0)] | None = None,
        verbose: int = 1,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.hyperparameters = hyperparameters
        self.validation_size = validation_size
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, source: Any, target: Any, *, validation: tuple[Any, Any] | None = None,
        checkpoint_dir: str | Path | None = None, callbacks: Sequence[keras.callbacks.Callback] | None = None,
        optimizer: keras.optimizers.Optimizer | dict[str, Any] | None = None,
    ) -> "Translator":  # fmt: skip
        """Train on pairs of sentences.

        Args:
            source: Sentences: a list, tuple, array or series of strings.
            target: Their translations, in the same order.
            validation: Sentences and their translations that choose the best epoch; if None, some of the pairs, see
                ``validation_size``.
            checkpoint_dir, callbacks, optimizer: As for :meth:`lstmzoo.LanguageModel.fit`.

        Raises:
            ConfigError: If a parameter or hyperparameter is wrong, or the checkpoint is of another fit.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss is no longer finite.
            DataError: If the sentences are refused, or none can be trained on.
        """
        return self._fit_network(
            source, target, validation, checkpoint_dir=checkpoint_dir, callbacks=callbacks, optimizer=optimizer
        )

    def update(self, source: Any, target: Any, *, epochs: Annotated[int, Field(gt=0)] = 1) -> "Translator":
        """Continue training on new pairs, with a tenth of the learning rate and the same vocabularies.

        An update that fails or is interrupted leaves the translator unchanged.

        Args:
            source: Sentences, as for :meth:`fit`.
            target: Their translations, in the same order.
            epochs: Passes over the pairs.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            TrainingError: If the loss is no longer finite.
            DataError: If the sentences are refused, or none can be trained on.
        """
        return self._update_network(epochs, source, target)

    def baselines(self) -> dict[str, BaselineTranslator]:
        """Return the unfitted baselines by name."""
        return {method: BaselineTranslator(method) for method in METHODS}

    def ensemble(self, members: Sequence[Any], weights: Sequence[float]) -> Any:
        """Return the fitted ensemble of fitted members; see :class:`lstmzoo.TranslationEnsemble`."""
        of_ensembles: Any = class_named("TranslationEnsemble")
        return of_ensembles.of(members, weights)

    def network_sizes(self, source: Any, target: Any) -> tuple[ModelConfig, TranslationSpec]:
        """Return the config and the sizes of the network that :meth:`fit` would train; see :func:`lstmzoo.build_model`.

        The pairs, and the errors that are raised, are those of :meth:`fit`.
        """
        return self._network_sizes(source, target)

    def _prepare(
        self, config: ModelConfig, seed: int, source: Any, target: Any, validation: tuple[Any, Any] | None = None
    ) -> TrainingPairs:
        whole = blanked_pairs(source, target)
        texts, held_out = _with_validation(whole, validation, self.validation_size, seed)
        preprocessor = PairPreprocessor(self._tokenizer(config), config.data.vocab_size, config.data.joint).fit(*texts)
        ids = preprocessor.encode_source(texts[0]), preprocessor.encode_target(texts[1])
        counts = token_counts(
            np.concatenate([np.zeros(len(ids[1]), np.int32), *ids[1]]), preprocessor.target.vocab_size_
        )
        digest, batches = (
            pairs_digest(*whole),
            _training_batches(preprocessor, texts, ids, config, seed, self.time_limit),
        )
        return TrainingPairs(
            preprocessor=preprocessor, digest=digest, identity=f"{digest} {held_out and pairs_digest(*held_out)}",
            spec=TranslationSpec(preprocessor.source.vocab_size_, len(counts), config.data.joint),
            batches=batches, padding=batches.padding, tokens=batches.tokens, counts=counts, held_out=held_out,
            ratio=(1 + sum(map(len, ids[1]))) / (1 + sum(map(len, ids[0]))), example=opening(texts[0]),
        )  # fmt: skip

    def _prepare_update(self, config: ModelConfig, seed: int, source: Any, target: Any) -> TrainingPairs:
        texts, preprocessor = blanked_pairs(source, target), self.preprocessor_
        ids = preprocessor.encode_source(texts[0]), preprocessor.encode_target(texts[1])
        batches = _training_batches(preprocessor, texts, ids, config, seed, self.time_limit)
        return TrainingPairs(preprocessor=preprocessor, spec=self.spec_, digest=pairs_digest(*texts), batches=batches)

    def _start(self, model: keras.Model, prepared: TrainingPairs, config: ModelConfig) -> None:
        model.stepper.head.start_from(prepared.counts)

    def _batches(self, model: keras.Model, prepared: TrainingPairs, config: ModelConfig, seed: int) -> PairBatches:
        return prepared.batches

    def _trainer(self, model: keras.Model, batches: Any) -> keras.Model:
        return model.stepper.trainer()

    def _learn(self, prepared: TrainingPairs, trained: Trained) -> None:
        self.padding_, self.tokens_ = prepared.padding, prepared.tokens
        self.left_out_ = prepared.batches.left_out
        self._ratio, self._example = prepared.ratio, prepared.example
        self._averaged, self._writers = trained.averaged, {}

    def _learn_update(self, prepared: TrainingPairs) -> None:
        self._averaged = []
        self.left_out_ = {why: count + prepared.batches.left_out[why] for why, count in self.left_out_.items()}

    def _validator(
        self, model: keras.Model, prepared: TrainingPairs, config: ModelConfig, overrides: Overrides
    ) -> Validate | None:
        """Return the function that computes the validation loss: nats per token, or 100 minus the BLEU of greedy translations."""
        held_out, preprocessor, stepper = prepared.held_out, prepared.preprocessor, model.stepper
        if held_out is None:
            return None
        sources, targets = preprocessor.encode_source(held_out[0]), preprocessor.encode_target(held_out[1])
        for ids in (sources, targets):
            check_lengths(ids, "validation")
        if config.data.validate_by == "loss":
            batches, tokens = list(pair_batches(sources, targets)), sum(1 + len(ids) for ids in targets)
            return lambda: float(pair_nll(stepper, batches, calls=config.training.epochs).sum() / tokens)
        writer = Writer([stepper], preprocessor.target.banned)

        def validate() -> float:
            found = translate_greedily(writer, sources, prepared.ratio)
            return 100 - bleu(held_out[1], [preprocessor.decode(one.tokens[0]) for one in found])

        return validate


def _with_validation(whole: Texts, validation: Any, share: float, seed: int) -> tuple[Texts, Texts | None]:
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


def _training_batches(
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
