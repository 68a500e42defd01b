"""The language model: one network, trained on a stream of text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import keras
import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import ModelConfig, TokenizerName
from lstmzoo.errors import ConfigError, DataError, UnknownNameError, arg
from lstmzoo.estimators._base import Learned, Prepared, TokenizingEstimator, spec
from lstmzoo.estimators.language_modelling._base import Reader, Share, TextModel, opening, tokenized
from lstmzoo.estimators.language_modelling.adaptation import (
    ADAPTATIONS,
    DynamicEvaluation,
    NeuralCache,
    cached_nll,
    dynamic_nll,
)
from lstmzoo.estimators.language_modelling.baselines import METHODS, BaselineLanguageModel
from lstmzoo.estimators.language_modelling.ensemble import LanguageEnsemble
from lstmzoo.estimators.language_modelling.generation import continue_prompts, next_log_probs, read_on
from lstmzoo.estimators.language_modelling.reading import Pooling, carried_nll, pooled_states, separate_nll
from lstmzoo.models._language import GeneratingStepper
from lstmzoo.overrides import Overrides
from lstmzoo.preprocessing import Corpus, StreamBatches, softmax_cutoffs, token_counts
from lstmzoo.saving import check_same
from lstmzoo.spec import LanguageModellingSpec
from lstmzoo.training import Trained

_READ = 128  # tokens that one compiled step scores
_VALIDATION_ROWS = 16  # of validation text, side by side
_CACHES = [(theta, weight) for theta in (0.03, 0.1, 0.3, 0.6, 1.0, 2.0) for weight in (0.03, 0.06, 0.1, 0.2, 0.3, 0.4)]
_RATES = (0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, kw_only=True)
class Streams(Prepared):
    """Texts as streams of token ids, prepared for training.

    Attributes:
        stream: ``(N,)`` token ids to train on.
        held_out: ``(N,)`` token ids of the validation set, if there is one.
        counts: ``(V,)`` number of occurrences of each id; None for an update.
        example: The first words of the texts.
    """

    stream: np.ndarray
    held_out: np.ndarray | None = None
    counts: np.ndarray | None = None
    example: str = ""


class LanguageModel(TokenizingEstimator[Streams], TextModel):
    """A network that reads text and predicts each next token.

    All texts form one stream, with a token at the end of each text. Training cuts the stream into rows, reads them side by side
    in windows, and carries the state from window to window. The tokenizer and its vocabulary are learned from the training set.

    Args:
        model: Zoo entry, such as ``lstm`` or ``language_modelling/lstm``; see :func:`lstmzoo.list_models`.
        tokenizer: ``word`` (split at white space, which is not kept), ``bpe`` or ``unigram`` (pieces of words; any text is
            restored exactly), ``char`` or ``byte``; the entry's default if None. A word or character that is not in the training
            set becomes ``<unk>``. Or a :class:`tokenizers.Tokenizer`, which is used unchanged.
        hyperparameters: Overrides of the entry's settings, whether of the network, of the data (``vocab_size``, ``bptt``, ...)
            or of the training (``learning_rate``, ``epochs``, ...).
        validation_size: Share of the characters, at the end of the texts, that is held out to choose the best epoch. It is
            ignored if ``fit`` is given validation texts. With 0, all texts are trained on for all epochs.
        time_limit: Maximum seconds of training.
        random_state: Seed of all random choices; the same seed gives the same bits on one machine.
        verbose: 0 for silent, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model of a window; ``model_.stepper`` reads and generates from a state.
        config_: The resolved zoo entry.
        spec_: Sizes of the network, learned from the texts.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.TextPreprocessor`.
        adaptation_: Settings of ``cache`` and ``dynamic``; see :meth:`tune_adaptation`.
        seed_: Seed that ``fit`` used.
        history_: A row per epoch: ``epoch``, ``loss``, ``val_loss`` (nats per token), ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept, and from which updates start.
        seconds_: Seconds that ``fit`` and updates took.
        data_digest_: SHA-256 of the training texts; after an update, of the old digest and that of the new texts.

    Examples:
        >>> text = "the quick brown fox jumps over the lazy dog. " * 50
        >>> settings = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16}
        >>> model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit(text)
        >>> model.perplexity("the lazy fox", per="char") < 30
        True
        >>> len(model.generate("the ", max_tokens=5, random_state=0)) <= 5
        True
    """

    _saved = (
        Learned(
            "adaptation_",
            dump=lambda adaptations: {name: asdict(adaptation) for name, adaptation in adaptations.items()},
            load=lambda document: {name: kind(**document[name]) for name, kind in ADAPTATIONS.items()},
        ),
        spec(LanguageModellingSpec),
    )
    spec_: LanguageModellingSpec
    adaptation_: dict[str, NeuralCache | DynamicEvaluation]

    def __init__(
        self,
        model: str = "lstm",
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
        self, texts: Any, y: None = None, *, validation: Any = None, checkpoint_dir: str | Path | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        optimizer: keras.optimizers.Optimizer | dict[str, Any] | None = None,
    ) -> "LanguageModel":  # fmt: skip
        """Train on text.

        Args:
            texts: A text, a list of texts, or an iterator of lines. An iterator is read once into a temporary file, so that a
                corpus need not fit into memory.
            y: Ignored; scikit-learn's searches pass it.
            validation: Texts that choose the best epoch; if None, the end of the texts, see ``validation_size``.
            checkpoint_dir: Folder of the checkpoints. An interrupted fit that is called again with the same data and parameters
                resumes from the last one, and ends with the same bits. Requires a ``random_state``.
            callbacks: Keras callbacks. Their methods for the begin and end of training, epochs and batches are called. If one
                sets the learning rate, the entry's schedule is scaled by the same factor. ``model.stop_training`` ends training.
            optimizer: A Keras optimizer or its config, instead of the entry's. The entry's schedule starts at its learning rate,
                unless the optimizer has a schedule itself.

        Raises:
            ConfigError: If a parameter or hyperparameter is wrong, or the checkpoint is of another fit.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss is no longer finite.
            DataError: If the texts are refused, or shorter than a window.
        """
        return self._fit_network(
            texts, validation, checkpoint_dir=checkpoint_dir, callbacks=callbacks, optimizer=optimizer
        )

    def update(self, texts: Any, *, epochs: Annotated[int, Field(gt=0)] = 1) -> "LanguageModel":
        """Continue training on new texts, with a tenth of the learning rate and the same vocabulary.

        An update that fails or is interrupted leaves the model unchanged. The tuned settings of adaptations are kept.

        Args:
            texts: As for :meth:`fit`. A word or character that is not in the vocabulary becomes ``<unk>``.
            epochs: Passes over the texts.

        Raises:
            NotFittedError: If the model is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            TrainingError: If the loss is no longer finite.
            DataError: If the texts are refused, or shorter than a window.

        Examples:
            >>> settings = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16}
            >>> model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit("to be or not " * 50)
            >>> before = model.perplexity("not not not", per="char")
            >>> model.update("not " * 200, epochs=3).perplexity("not not not", per="char") < before
            True
        """
        return self._update_network(epochs, texts)

    def tune_adaptation(self, texts: Any, adapt: str) -> dict[str, float]:
        """Choose the settings of an adaptation on held-out texts, such as the validation set. Do not use the test set.

        Args:
            texts: As for :meth:`fit`.
            adapt: ``cache``, the neural cache, which remembers recent hidden states; or ``dynamic``, dynamic evaluation, which
                trains on recent text.

        Returns:
            The settings. :meth:`perplexity` uses them from now on, and they are saved with the model.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        self._check_fitted()
        now = self._adaptation(adapt)
        stream = self._encoded_stream(Corpus(texts))
        candidates: list[Any]
        if isinstance(now, NeuralCache):
            candidates = [replace(now, theta=theta, weight=weight) for theta, weight in _CACHES]
            losses = cached_nll(self.model_.stepper, stream, candidates).mean(axis=1)
        else:
            candidates = [replace(now, learning_rate=rate) for rate in _RATES]
            losses = np.array([dynamic_nll(self.model_.stepper, stream, one).mean() for one in candidates])
        best = candidates[int(np.nanargmin(losses))]
        self.adaptation_ = {**self.adaptation_, adapt: best}
        return asdict(best)

    def embed(self, texts: Any, pooling: Pooling = "mean") -> np.ndarray:
        """Return a vector ``(n, D)`` for each text: the pooled hidden states after its tokens. D depends on the entry.

        Args:
            texts: As for :meth:`fit`.
            pooling: ``mean`` of the states, ``max`` of each component, or the ``last`` state.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``pooling`` is unknown.
            DataError: If the texts are refused.
        """
        self._check_fitted()
        if pooling not in get_args(Pooling):
            raise UnknownNameError("pooling", pooling, get_args(Pooling))
        streams = [stream[:-1] for stream in self._encoded_streams(texts)]
        return pooled_states(self.model_.stepper, streams, pooling, window=_READ)

    def baselines(self) -> dict[str, BaselineLanguageModel]:
        """Return the unfitted baselines by name; they use the same tokens."""
        config = self._resolve_config()
        return {
            method: BaselineLanguageModel(method, tokenizer=self._tokenizer(config), vocab_size=config.data.vocab_size)
            for method in METHODS
        }

    def ensemble(self, members: Sequence[Any], weights: Sequence[float]) -> LanguageEnsemble:
        """Return the fitted ensemble of fitted members; see :class:`lstmzoo.LanguageEnsemble`."""
        return LanguageEnsemble.of(members, weights)

    def network_sizes(self, texts: Any) -> tuple[ModelConfig, LanguageModellingSpec]:
        """Return the config and the sizes of the network that :meth:`fit` would train; see :func:`lstmzoo.build_model`.

        The texts, and the errors that are raised, are those of :meth:`fit`.
        """
        return self._network_sizes(texts)

    def _prepare(self, config: ModelConfig, seed: int, texts: Any, validation: Any = None) -> Streams:
        whole = corpus = Corpus(texts)
        held_out = None if validation is None else Corpus(validation, name="validation")
        if validation is None and self.validation_size:
            corpus, held_out = whole.split(self.validation_size)
        preprocessor, stream = tokenized(corpus, self._tokenizer(config), config.data.vocab_size)
        _check_length(stream, config, f"pass more text, or lower the hyperparameter bptt or {arg('validation_size')}")
        counts, digest = token_counts(stream, preprocessor.vocab_size_), whole.digest()
        return Streams(
            preprocessor=preprocessor, spec=LanguageModellingSpec(len(counts), config.data.bptt, softmax_cutoffs(counts)),
            digest=digest, identity=f"{digest} {held_out and held_out.digest()}", stream=stream, counts=counts,
            held_out=None if held_out is None else preprocessor.encode_stream(held_out, opened=True), example=opening(corpus),
        )  # fmt: skip

    def _prepare_update(self, config: ModelConfig, seed: int, texts: Any) -> Streams:
        corpus, preprocessor = Corpus(texts), self.preprocessor_
        stream = preprocessor.encode_stream(corpus, opened=True, spooled=corpus.spooled)
        _check_length(stream, config, "pass more text")
        return Streams(preprocessor=preprocessor, spec=self.spec_, digest=corpus.digest(), stream=stream)

    def _start(self, model: keras.Model, prepared: Streams, config: ModelConfig) -> None:
        if config.data.variable_bptt and model.stepper.needs_fixed_windows:
            raise ConfigError(f"{config.name} needs windows of a fixed length: pass variable_bptt=False")
        model.stepper.head.start_from(prepared.counts)

    def _batches(self, model: keras.Model, prepared: Streams, config: ModelConfig, seed: int) -> StreamBatches:
        return StreamBatches(
            prepared.stream, batch_size=config.training.batch_size, window=config.data.bptt,
            steps_per_epoch=config.training.steps_per_epoch, variable=config.data.variable_bptt, seed=seed,
        )  # fmt: skip

    def _trainer(self, model: keras.Model, batches: Any) -> keras.Model:
        stepper = model.stepper
        return stepper.trainer(batches.batch_size, batches.capacities(stepper.head.cutoffs))

    def _validator(
        self, model: keras.Model, prepared: Streams, config: ModelConfig, overrides: Overrides
    ) -> Callable[[], float] | None:
        """Return the function that computes the mean negative log-likelihood of the validation set, in rows side by side."""
        held_out, epochs = prepared.held_out, config.training.epochs
        if held_out is None:
            return None
        rows = max(1, min(_VALIDATION_ROWS, len(held_out) // _READ))
        return lambda: float(carried_nll(model.stepper, held_out, rows=rows, window=_READ, times=epochs).mean())

    def _learn(self, prepared: Streams, trained: Trained) -> None:
        self._example = prepared.example
        self.adaptation_ = {name: kind() for name, kind in ADAPTATIONS.items()}

    def _carried_nll(self, stream: np.ndarray, adapt: str | None) -> np.ndarray:
        if adapt is None:
            return carried_nll(self.model_.stepper, stream, rows=1, window=_READ)
        how = self._adaptation(adapt)
        if isinstance(how, NeuralCache):
            return cached_nll(self.model_.stepper, stream, [how])[0]
        return dynamic_nll(self.model_.stepper, stream, how)

    def _adaptation(self, adapt: str) -> NeuralCache | DynamicEvaluation:
        if adapt not in self.adaptation_:
            raise UnknownNameError(arg("adapt"), adapt, self.adaptation_)
        return self.adaptation_[adapt]

    def _separate_nll(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        return separate_nll(self.model_.stepper, streams, window=_READ)

    def _next_log_probs(self, prompts: list[np.ndarray]) -> np.ndarray:
        return next_log_probs(self.model_.stepper, prompts)

    def _continue(self, prompts: list[np.ndarray], options: dict[str, Any], first: int) -> Iterator[np.ndarray]:
        return self._continue_by(self.model_.stepper, prompts, options, first)

    def _continue_by(
        self, stepper: GeneratingStepper, prompts: list[np.ndarray], options: dict[str, Any], first: int
    ) -> Iterator[np.ndarray]:
        return continue_prompts(stepper, prompts, options, self.preprocessor_.banned, first)

    def _read_on(self, prompts: list[np.ndarray]) -> Reader:
        return read_on(self.model_.stepper, prompts)

    def _complete(self) -> None:
        data, found = self.config_.data, self.preprocessor_
        check_same("ids of the vocabulary", found.vocab_size_, self.spec_.vocab_size)
        check_same("bptt", self.spec_.bptt, data.bptt)
        check_same("tokenizer", found.tokenizer, data.tokenizer)
        check_same("vocab_size", found.vocab_size, data.vocab_size)


def _check_length(stream: np.ndarray, config: ModelConfig, way_out: str) -> None:
    """Refuse texts that are shorter than a window."""
    count, window = len(stream) - 1, config.data.bptt
    if count < window:
        raise DataError(f"the training texts have {count} tokens, fewer than a window of {window}: {way_out}")
