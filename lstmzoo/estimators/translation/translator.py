"""The translator: one network, trained on pairs of sentences."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import keras
import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import ModelConfig, TokenizerName
from lstmzoo.decoding import BeamSearch, Sampling
from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import Prepared, TokenizingEstimator, as_json, preprocessor, spec
from lstmzoo.estimators.translation._base import (
    SentenceTranslator,
    Share,
    blanked,
    blanked_pairs,
    opening,
    pairs_digest,
    split_pairs,
)
from lstmzoo.estimators.translation.baselines import METHODS, BaselineTranslator
from lstmzoo.estimators.translation.decoding import (
    Decoded,
    check_lengths,
    decode_by_beam,
    decode_by_sampling,
    decode_greedily,
    pair_batches,
    pair_nll,
)
from lstmzoo.estimators.translation.writer import Writer
from lstmzoo.metrics import bleu
from lstmzoo.options import checked_options
from lstmzoo.outputs import check_picture
from lstmzoo.overrides import Overrides
from lstmzoo.preprocessing import PairBatches, PairPreprocessor, check_sentences, token_counts
from lstmzoo.preprocessing.buckets import MOST_BUCKETS
from lstmzoo.saving import check_same
from lstmzoo.spec import TranslationSpec
from lstmzoo.training import Trained, Validate, Weights

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Alignment:
    """What of the source was looked at for each token of a translation.

    Attributes:
        source: S tokens, the end the last.
        target: T tokens, the end the last.
        weights: ``(T, S)``, rows that sum to 1, or to less with a ``local_window``.
    """

    source: list[str]
    target: list[str]
    weights: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Pairs(Prepared):
    """Pairs of sentences to train on.

    Attributes:
        batches: Batches of the pairs.
        padding: Share of the positions of the first epoch that are padding.
        tokens: Tokens of the first epoch, of both languages, without padding.
        counts: ``(V,)`` how often each id of the target occurs; None for an update.
        held_out: Validation pairs, if there are any.
        ratio: Tokens of the translations for each of the sources.
        example: A source.
    """

    batches: PairBatches
    counts: np.ndarray | None = None
    held_out: tuple[list[str], list[str]] | None = None
    ratio: float = 1.0
    example: str = ""
    padding: float = 0.0
    tokens: int = 0


class Translator(TokenizingEstimator[Pairs], SentenceTranslator):
    """One network that reads sentences and writes their translations.

    Vocabularies are learned from the training part. Pairs of like length are trained on together.

    Args:
        model: Zoo entry, such as ``bahdanau_gru`` or ``translation/bahdanau_gru``; see :func:`lstmzoo.list_models`.
        tokenizer: ``bpe`` or ``unigram`` (pieces of words; any sentence comes back exactly), ``word`` (between white space),
            ``char`` or ``byte``; the entry's choice if None. Or a :class:`tokenizers.Tokenizer`, used as it was made
            for both languages.
        hyperparameters: Overrides of the entry's settings: of the network, of the data (``vocab_size``, ``joint``, ...) and of
            the training (``learning_rate``, ``epochs``, ...) alike.
        validation_size: Share of the pairs, drawn by chance, that training does not see, and that chooses the best epoch, unless
            ``fit`` is given validation pairs; with 0, all pairs are trained on for all epochs.
        time_limit: Seconds of training, at the most; below 180, batches have fewer shapes, for each is compiled.
        random_state: Seed of everything; the same seed gives the same bits on one machine.
        verbose: 0 for silence, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model; ``model_.stepper`` encodes a source once and writes from a state.
        config_: The resolved zoo entry.
        spec_: Sizes learned from the pairs.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.PairPreprocessor`.
        seed_: That the fit drew from.
        history_: A row per epoch: ``epoch``, ``loss``, smoothed as the entry says, ``val_loss`` (nats per token; or, if the entry
            validates by BLEU, 100 less that), ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept, and from which updates start.
        padding_: Share of the positions of the first epoch that were padding.
        tokens_: In that epoch, of both languages, without padding.
        left_out_: How many pairs were not trained on, being ``long`` or ``empty``, in the fit and updates.
        seconds_: Of fitting and updates.
        data_digest_: SHA-256 of the training pairs; after an update, of the digest before and that of the new pairs.

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

    _saved = (
        *as_json("padding_", "tokens_", "left_out_", "_ratio"),
        spec(TranslationSpec),
        preprocessor(PairPreprocessor, "pairs"),
    )
    spec_: TranslationSpec
    preprocessor_: PairPreprocessor
    _averaged: list[Weights]
    _writers: dict[tuple[int, ...], Writer]

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
            validation: Sentences and translations that choose the best epoch; if None, some of the pairs, as ``validation_size``
                says.
            checkpoint_dir: Where the state of training is kept. A fit that was killed, called again with the same data and
                parameters, goes on from there, and ends with the same bits; it needs a ``random_state``.
            callbacks: Keras callbacks. Their hooks of training, epochs and batches are called; a learning rate that one sets
                multiplies the entry's schedule; ``model.stop_training`` ends the training.
            optimizer: A Keras optimizer, or its config, in place of the entry's. Its learning rate is where the entry's schedule
                begins, unless it has a schedule of its own.

        Raises:
            ConfigError: If a parameter or hyperparameter is wrong, or the checkpoint is of another fit.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss stops being finite.
            DataError: If the sentences are refused, or none can be trained on.
        """
        return self._fit_network(
            source, target, validation, checkpoint_dir=checkpoint_dir, callbacks=callbacks, optimizer=optimizer
        )

    def update(self, source: Any, target: Any, *, epochs: Annotated[int, Field(gt=0)] = 1) -> "Translator":
        """Continue training on further pairs, with a tenth of the learning rate and the vocabularies of the fit.

        An update that fails or is interrupted leaves the translator as it was.

        Args:
            source: Sentences, as for :meth:`fit`.
            target: Their translations, in the same order.
            epochs: Passes over the pairs.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            TrainingError: If the loss stops being finite.
            DataError: If the sentences are refused, or none can be trained on.
        """
        return self._update_network(epochs, source, target)

    def predict(
        self, sentences: Any, *, beam_size: int = 5, length_penalty: float = 1.0, coverage_penalty: float = 0.0,
        no_repeat_ngram: int = 0, n_best: int = 1, ensemble: Sequence["Translator"] = (), return_score: bool = False,
        return_alignment: bool = False,
    ) -> Any:  # fmt: skip
        """Translate sentences, by beam search.

        A translation ends at twice as many tokens as are usual for its source, and ten, if it has not ended before; its score
        is without an end then.

        Args:
            sentences: A list, tuple, array or series of strings. An empty one, or one of white space, has an empty translation.
            beam_size: Translations that are followed side by side; 1 takes the likeliest token each time.
            length_penalty: Above 0, longer translations are preferred: log-likelihoods are divided by
                ``((5 + tokens) / 6) ** length_penalty``.
            coverage_penalty: Above 0, translations are preferred that have looked at all of the source; needs an attention.
            no_repeat_ngram: So many tokens in a row do not come twice in a translation; 0 for no such rule.
            n_best: Translations of each sentence, the best first; at most ``beam_size`` of them.
            ensemble: Other translators, whose probabilities are averaged with this one's; of the same vocabularies, so fitted on
                the same pairs and ``validation`` pairs. Those of single epochs come from :meth:`averaged_epochs`.
            return_score: Whether to return the scores too: log-likelihoods, in nats, with the penalties.
            return_alignment: Whether to return, for each translation, an :class:`Alignment` of this model too.

        Returns:
            A list of translations, or, if ``n_best`` is above 1, of lists of them. With scores or alignments, a tuple of such
            lists, in this order.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an argument is out of range, or needs an attention that the entry lacks.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        checked_options(
            beam_size=beam_size, length_penalty=length_penalty, coverage_penalty=coverage_penalty,
            no_repeat_ngram=no_repeat_ngram, n_best=n_best,
        )  # fmt: skip
        if n_best > beam_size:
            raise ConfigError(f"{arg('n_best')}: at most {arg('beam_size')}, which is {beam_size}, got {n_best}")
        texts = check_sentences(sentences, "sentences")
        for name, asked in (("coverage_penalty", coverage_penalty), ("return_alignment", return_alignment)):
            if asked:
                self._check_attends(name)
        sources, writer = self._encoded(texts), self._writer(ensemble)
        if beam_size == 1 and not (coverage_penalty or no_repeat_ngram or return_score):
            found = decode_greedily(writer, sources, self._ratio)
        else:
            beam = BeamSearch(beam_size, length_penalty, coverage_penalty or None, no_repeat_ngram)
            found = decode_by_beam(writer, sources, self._ratio, beam, n_best)
        parts: list[list[Any]] = [[[self.preprocessor_.decode(ids) for ids in one.tokens] for one in found]]
        parts += [[one.scores for one in found]] if return_score else []
        parts += [self._alignments(sources, found)] if return_alignment else []
        nested = parts if n_best > 1 else [[best[0] for best in part] for part in parts]
        return nested[0] if len(nested) == 1 else tuple(nested)

    def sample(
        self, sentences: Any, *, n: int = 1, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Draw translations, token by token.

        Args:
            sentences: As for :meth:`predict`.
            n: Translations of each sentence.
            temperature: Below 1, likely tokens become likelier; at 0, the likeliest is taken.
            top_k: Draw among so many of the likeliest tokens; None for all.
            top_p: Draw among the likeliest tokens that together have this probability.
            random_state: The same one gives the same translations; None others each time.

        Returns:
            A list of translations, or, if ``n`` is above 1, of lists of them.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an argument is out of range.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        checked_options(temperature=temperature, top_k=top_k, top_p=top_p, n=n, random_state=random_state)
        sources, size = self._encoded(check_sentences(sentences, "sentences")), self.spec_.target_vocab_size
        sampling = Sampling(
            temperature, min(top_k or size, size), top_p, 1.0, filtered=top_k is not None or top_p < 1, penalized=False
        )
        found = decode_by_sampling(self._writer(()), sources, self._ratio, sampling, n, random_state)
        texts = [[self.preprocessor_.decode(ids) for ids in one.tokens] for one in found]
        return texts if n > 1 else [drawn[0] for drawn in texts]

    def score_samples(self, source: Any, target: Any) -> np.ndarray:
        """``(n,)`` the log-likelihood of each translation, its end included, given its source, in nats.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        sources, targets = blanked_pairs(source, target)
        ids = self._encoded(sources), self.preprocessor_.encode_target(targets)
        check_lengths(ids[1], "target")
        return -pair_nll(self.model_.stepper, list(pair_batches(*ids)), calls=1)

    def plot_alignment(self, sentence: str, translation: str | None = None, path: str | Path | None = None) -> "Figure":
        """Draw what of a sentence is looked at for each token of its translation, as a heat map.

        Args:
            sentence: The source.
            translation: Of it; the model's own if None.
            path: Where to save the figure, in a format that its suffix names; nowhere if None.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If the entry has no attention, or the path is of no known format, or cannot be written.
            DataError: If the sentence or the translation is not text, or too long.
        """
        self._check_fitted()
        self._check_attends("plot_alignment")
        if path is not None:
            check_picture(path)
        sources = self._encoded(check_sentences([sentence], "sentence"))
        texts = self.predict([sentence]) if translation is None else check_sentences([translation], "translation")
        targets = self.preprocessor_.encode_target(texts)
        check_lengths(targets, "translation")
        (alignment,) = self._aligned(sources, targets)
        from lstmzoo.estimators.translation.drawing import draw_alignment

        figure = draw_alignment(alignment.source, alignment.target, alignment.weights)
        if path is not None:
            figure.savefig(path)
        return figure

    def averaged_epochs(self) -> list["Translator"]:
        """Translators with the weights of the single epochs whose mean this one has: an ensemble of checkpoints.

        They are those of the last ``average_epochs`` epochs up to the best, the oldest first. Each call makes them anew, and a
        saved translator is without them: keep what is used again, and save each that is to stay as any other translator.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If no weights were averaged, or the translator was loaded, copied or updated.
        """
        self._check_fitted()
        if not self._averaged:
            why = (
                "average_epochs is 1"
                if self.config_.training.average_epochs == 1
                else "this one was loaded, copied or updated"
            )
            raise ConfigError(
                f"{why}: a translator has epochs that were averaged after fit, with average_epochs above 1"
            )
        first = self.best_epoch_ + 1 - len(self._averaged)
        return [self._of_epoch(number, weights) for number, weights in enumerate(self._averaged, first)]

    def check_ensemble(self, ensemble: Any) -> None:
        """Refuse what this translator cannot be ensembled with.

        Args:
            ensemble: As for :meth:`predict`.

        Raises:
            ConfigError: If it is no list of fitted translators, or one has other vocabularies; its number is named.
        """
        if not isinstance(ensemble, list | tuple):
            raise ConfigError(f"{arg('ensemble')}: expected a list of translators, got a {type(ensemble).__name__}")
        for number, other in enumerate(ensemble):
            if not isinstance(other, Translator):
                raise ConfigError(f"{arg('ensemble')}: number {number} is a {type(other).__name__}, not a Translator")
            other._check_fitted()
            if other.preprocessor_.to_json() != self.preprocessor_.to_json():
                raise ConfigError(
                    f"{arg('ensemble')}: number {number} has other vocabularies: fit all on the same pairs, with the same "
                    "validation pairs"
                )

    def baselines(self) -> dict[str, BaselineTranslator]:
        """What a network has to beat, unfitted, by name."""
        return {method: BaselineTranslator(method) for method in METHODS}

    def network_sizes(self, source: Any, target: Any) -> tuple[ModelConfig, TranslationSpec]:
        """The config and the sizes of the network that :meth:`fit` would train on the pairs; see :func:`lstmzoo.build_model`.

        Args:
            source: As for :meth:`fit`.
            target: As for :meth:`fit`.

        Raises:
            ConfigError: As of :meth:`fit`.
            DataError: As of :meth:`fit`.
        """
        return self._network_sizes(source, target)

    def _prepare(
        self, config: ModelConfig, seed: int, source: Any, target: Any, validation: tuple[Any, Any] | None = None
    ) -> Pairs:
        whole = blanked_pairs(source, target)
        texts, held_out = self._parts(whole, validation, seed)
        preprocessor = PairPreprocessor(self._tokenizer(config), config.data.vocab_size, config.data.joint).fit(*texts)
        ids = preprocessor.encode_source(texts[0]), preprocessor.encode_target(texts[1])
        counts = token_counts(
            np.concatenate([np.zeros(len(ids[1]), np.int32), *ids[1]]), preprocessor.target.vocab_size_
        )
        digest, batches = pairs_digest(*whole), self._pair_batches(preprocessor, texts, ids, config, seed)
        return Pairs(
            preprocessor=preprocessor, digest=digest, identity=f"{digest} {held_out and pairs_digest(*held_out)}",
            spec=TranslationSpec(preprocessor.source.vocab_size_, len(counts), config.data.joint),
            batches=batches, padding=batches.padding, tokens=batches.tokens, counts=counts, held_out=held_out,
            ratio=(1 + sum(map(len, ids[1]))) / (1 + sum(map(len, ids[0]))), example=opening(texts[0]),
        )  # fmt: skip

    def _prepare_update(self, config: ModelConfig, seed: int, source: Any, target: Any) -> Pairs:
        texts, preprocessor = blanked_pairs(source, target), self.preprocessor_
        ids = preprocessor.encode_source(texts[0]), preprocessor.encode_target(texts[1])
        batches = self._pair_batches(preprocessor, texts, ids, config, seed)
        return Pairs(preprocessor=preprocessor, spec=self.spec_, digest=pairs_digest(*texts), batches=batches)

    def _start(self, model: Any, prepared: Pairs, config: ModelConfig) -> None:
        model.stepper.start_from(prepared.counts)

    def _batches(self, model: Any, prepared: Pairs, config: ModelConfig, seed: int) -> PairBatches:
        return prepared.batches

    def _trainer(self, model: Any, batches: Any) -> keras.Model:
        return model.stepper.trainer()

    def _learn(self, prepared: Pairs, trained: Trained) -> None:
        self.padding_, self.tokens_ = prepared.padding, prepared.tokens
        self.left_out_ = prepared.batches.left_out
        self._ratio, self._example = prepared.ratio, prepared.example
        self._averaged, self._writers = trained.averaged, {}

    def _learn_update(self, prepared: Pairs) -> None:
        self._averaged = []
        self.left_out_ = {why: count + prepared.batches.left_out[why] for why, count in self.left_out_.items()}

    def _parts(
        self, whole: tuple[list[str], list[str]], validation: tuple[Any, Any] | None, seed: int
    ) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]] | None]:
        """Pairs to train on, and to validate on."""
        if validation is not None:
            if not isinstance(validation, tuple | list) or len(validation) != 2:
                raise DataError(f"{arg('validation')}: expected two lists, of sentences and of their translations")
            return whole, blanked_pairs(*validation, names=("validation source", "validation target"))
        return split_pairs(*whole, self.validation_size, seed=seed) if self.validation_size else (whole, None)

    def _pair_batches(
        self, preprocessor: PairPreprocessor, pairs: tuple[list[str], list[str]], ids: tuple[list, list],
        config: ModelConfig, seed: int,
    ) -> PairBatches:  # fmt: skip
        rate = config.data.bpe_dropout
        if rate and preprocessor.tokenizer != "bpe":
            raise ConfigError(
                f"{arg(hyperparameters={'bpe_dropout': rate})} needs {arg(tokenizer='bpe')}, got "
                f"{preprocessor.tokenizer!r}: pass 0.0"
            )
        batches = PairBatches(
            *ids, batch_size=config.training.batch_size, steps_per_epoch=config.training.steps_per_epoch, seed=seed,
            max_length=config.data.max_length, most_buckets=self._most_buckets(),
            resample=(lambda epoch: preprocessor.encode_dropped(*pairs, rate, seed, epoch)) if rate else None,
        )  # fmt: skip
        if any(batches.left_out.values()):
            _logger.warning(
                "%d of %d pairs are not trained on: %d have an empty side, %d more than max_length=%d tokens on a side",
                sum(batches.left_out.values()), len(pairs[0]), batches.left_out["empty"], batches.left_out["long"],
                config.data.max_length,
            )  # fmt: skip
        return batches

    def _most_buckets(self) -> int:
        """Fewer where time is short: a batch's shape may take 10 seconds to compile."""
        return MOST_BUCKETS if self.time_limit is None else int(min(max(2.0, self.time_limit / 30), MOST_BUCKETS))

    def _validator(self, model: Any, prepared: Pairs, config: ModelConfig, overrides: Overrides) -> Validate | None:
        """What an epoch is judged by: nats per token, or 100 less the BLEU of greedy translations."""
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
            found = decode_greedily(writer, sources, prepared.ratio)
            return 100 - bleu(held_out[1], [preprocessor.decode(one.tokens[0]) for one in found])

        return validate

    def _encoded(self, texts: list[str]) -> list[np.ndarray]:
        """The ids of sources; none of one that is white space."""
        sources = self.preprocessor_.encode_source(blanked(texts))
        check_lengths(sources, "sentence")
        return sources

    def _writer(self, ensemble: Sequence["Translator"]) -> Writer:
        """What writes, with others or alone; this one and the last ensemble are kept, as they are compiled."""
        self.check_ensemble(ensemble)
        models = [self.model_, *(other.model_ for other in ensemble)]
        key = tuple(map(id, models))
        writers = self._writers  # which another thread may replace
        if key not in writers:
            alone: dict[tuple[int, ...], Writer] = {kept: writer for kept, writer in writers.items() if len(kept) == 1}
            writer = Writer([model.stepper for model in models], self.preprocessor_.target.banned)
            self._writers = writers = {**alone, key: writer}
        return writers[key]

    def _of_epoch(self, epoch: int, weights: Weights) -> "Translator":
        """One as this was after an epoch, with a network of its own: a copy goes through what would be saved."""
        other = copy.copy(self)
        other.model_.set_weights(weights)
        other.best_epoch_, other.history_ = epoch, self.history_[:epoch]
        return other

    def _check_attends(self, what: str) -> None:
        if not self.model_.stepper.attends:
            raise ConfigError(
                f"{arg(what)}: {self.config_.name} has no attention: choose an entry that is tagged attention"
            )

    def _alignments(self, sources: list[np.ndarray], found: list[Decoded]) -> list[list[Alignment]]:
        flat = [(source, ids) for source, one in zip(sources, found, strict=True) for ids in one.tokens]
        aligned = iter(self._aligned([source for source, _ in flat], [ids for _, ids in flat]))
        return [[next(aligned) for _ in one.tokens] for one in found]

    def _aligned(self, sources: list[np.ndarray], targets: list[np.ndarray]) -> list[Alignment]:
        """Of each pair."""
        found: dict[int, Alignment] = {}
        names = [side.token for side in (self.preprocessor_.source, self.preprocessor_.target)]
        for members, inputs in pair_batches(sources, targets):
            weights = self.model_.stepper.align(inputs["source"], inputs["previous"])
            for row, i in enumerate(members):
                ids = [*sources[i], 0], [*targets[i], 0]
                source, target = ([name(int(one)) for one in side] for name, side in zip(names, ids, strict=True))
                found[i] = Alignment(source, target, weights[row, : len(ids[1]), : len(ids[0])])
        return [found[i] for i in range(len(sources))]

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """As of :meth:`predict`, in few compiled shapes, whatever the parameters."""
        if params["coverage_penalty"]:
            self._check_attends("coverage_penalty")
        coverage = params["coverage_penalty"] if self.model_.stepper.attends else None
        beam = BeamSearch(params["beam_size"], params["length_penalty"], coverage, params["no_repeat_ngram"])
        found = decode_by_beam(self._writer(()), self._encoded(sentences), self._ratio, beam, 1, SERVED)
        return [self.preprocessor_.decode(one.tokens[0]) for one in found]

    def _complete(self) -> None:
        self._writers, self._averaged = {}, []
        pairs, spec = self.preprocessor_, self.spec_
        check_same("source ids", pairs.source.vocab_size_, spec.source_vocab_size)
        check_same("target ids", pairs.target.vocab_size_, spec.target_vocab_size)
        check_same("joint", (pairs.joint, spec.joint), (self.config_.data.joint,) * 2)
        check_same("tokenizer", pairs.tokenizer, self.config_.data.tokenizer)
        check_same("vocab_size", pairs.vocab_size, self.config_.data.vocab_size)
