"""The language model: one network, trained on a stream of text."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import keras
import numpy as np
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import ModelConfig, TokenizerName, TrainingConfig
from lstmzoo.errors import ConfigError, DataError, UnknownNameError, arg
from lstmzoo.estimators._base import TokenizingEstimator
from lstmzoo.estimators.language_modelling._base import Share, TextModel, opening
from lstmzoo.estimators.language_modelling.adaptation import (
    ADAPTATIONS,
    DynamicEvaluation,
    NeuralCache,
    cached_nll,
    dynamic_nll,
)
from lstmzoo.estimators.language_modelling.baselines import METHODS, BaselineLanguageModel
from lstmzoo.estimators.language_modelling.embedding import Pooling, pooled_states
from lstmzoo.estimators.language_modelling.generation import continue_prompts, next_log_probs
from lstmzoo.estimators.language_modelling.likelihood import carried_nll, separate_nll
from lstmzoo.options import require_counts
from lstmzoo.overrides import Overrides
from lstmzoo.preprocessing import Corpus, StreamBatches, TextPreprocessor, softmax_cutoffs, token_counts
from lstmzoo.saving import check_same
from lstmzoo.seeding import seeded
from lstmzoo.spec import LanguageModellingSpec
from lstmzoo.training import Checkpoint, Trained, compile_for_prediction, train

_LEARNED = ("history_", "best_epoch_", "seconds_", "data_digest_", "seed_", "_example")
_READ = 128  # tokens that one compiled step scores
_VALIDATION_ROWS = 16  # of validation text, side by side
_CACHES = [(theta, weight) for theta in (0.03, 0.1, 0.3, 0.6, 1.0, 2.0) for weight in (0.03, 0.06, 0.1, 0.2, 0.3, 0.4)]
_RATES = (0.03, 0.1, 0.3, 1.0)


class LanguageModel(TokenizingEstimator, TextModel):
    """One network that reads text and says how likely each next token is.

    It is trained on one stream of all texts, the end of each a token of its own, in rows side by side; the state is carried
    from window to window. Vocabulary and tokenizer are learned from the training part.

    Args:
        model: Zoo entry, such as ``lstm`` or ``language_modelling/lstm``; see :func:`lstmzoo.list_models`.
        tokenizer: ``word`` (between white space, which is not kept), ``bpe`` or ``unigram`` (pieces of words; any text comes
            back exactly), ``char`` or ``byte``; the entry's choice if None. A word or character that training text lacks is
            ``<unk>``. Or a :class:`tokenizers.Tokenizer`, which is used as it was made.
        hyperparameters: Overrides of the entry's settings: of the network, of the data (``vocab_size``, ``bptt``, ...) and of
            the training (``learning_rate``, ``epochs``, ...) alike.
        validation_size: Share of the characters, at the texts' end, that training does not see, and that chooses the best
            epoch, unless ``fit`` is given validation texts; with 0, all text is trained on for all epochs.
        time_limit: Seconds of training, at the most.
        random_state: Seed of everything; the same seed gives the same bits on one machine.
        verbose: 0 for silence, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model, of a window; ``model_.stepper`` reads and generates from a state.
        config_: The resolved zoo entry.
        spec_: Sizes learned from the text.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.TextPreprocessor`.
        adaptation_: Settings of ``cache`` and ``dynamic``; see :meth:`tune_adaptation`.
        seed_: That the fit drew from.
        history_: A row per epoch: ``epoch``, ``loss``, ``val_loss`` (nats per token), ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept, and from which updates start.
        seconds_: Of fitting and updates.
        data_digest_: SHA-256 of the training texts; after an update, of the digest before and that of the new texts.

    Examples:
        >>> text = "the quick brown fox jumps over the lazy dog. " * 50
        >>> settings = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16}
        >>> model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit(text)
        >>> model.perplexity("the lazy fox", per="char") < 30
        True
        >>> len(model.generate("the ", max_tokens=5, random_state=0)) <= 5
        True
    """

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
            texts: A text, a list of texts, or an iterator of lines, which is read once and kept on disk, so that a corpus need
                not fit into memory.
            y: Nothing; scikit-learn's searches pass it.
            validation: Texts that choose the best epoch; if None, the end of the texts, as ``validation_size`` says.
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
            DataError: If the texts are refused, or shorter than a window.
        """
        started = time.perf_counter()
        self._check_params()
        config, seed, overrides = self._resolve_config(), self._seed(), Overrides(callbacks, optimizer)
        whole = Corpus(texts)
        corpus, held_out = self._parts(whole, validation)
        preprocessor, stream, counts, spec = self._tokenized(corpus, config)
        checkpoint = self._checkpoint(checkpoint_dir, f"{whole.digest()} {held_out and held_out.digest()}")
        valid = None if held_out is None else preprocessor.stream(held_out, opened=True)
        with seeded(seed):
            model = self._build(config, spec)
        if config.data.variable_bptt and model.stepper.needs_fixed_windows:
            raise ConfigError(f"{config.name} needs windows of one length: pass variable_bptt=False")
        model.stepper.start_from(counts)
        trained = self._train(model, stream, valid, config, seed, checkpoint, overrides)
        compile_for_prediction(model)
        self.model_, self.config_, self.seed_ = model, config, seed
        self.preprocessor_, self.spec_ = preprocessor, spec
        self.history_, self.best_epoch_ = trained.history, trained.best_epoch
        self.adaptation_: dict[str, NeuralCache | DynamicEvaluation] = {
            name: kind() for name, kind in ADAPTATIONS.items()
        }
        self._example, self.data_digest_ = opening(corpus), whole.digest()
        self.seconds_ = time.perf_counter() - started
        return self

    def update(self, texts: Any, *, epochs: Annotated[int, Field(gt=0)] = 1) -> "LanguageModel":
        """Continue training on further text, with a tenth of the learning rate and the vocabulary of the fit.

        An update that fails or is interrupted leaves the model as it was. Settings of adaptations stay as they were tuned.

        Args:
            texts: As for :meth:`fit`. What the vocabulary lacks is ``<unk>``.
            epochs: Passes over the texts.

        Raises:
            NotFittedError: If the model is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            TrainingError: If the loss stops being finite.
            DataError: If the texts are refused, or shorter than a window.

        Examples:
            >>> settings = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16}
            >>> model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit("to be or not " * 50)
            >>> before = model.perplexity("not not not", per="char")
            >>> model.update("not " * 200, epochs=3).perplexity("not not not", per="char") < before
            True
        """
        self._check_fitted()
        require_counts(epochs=epochs)
        started = time.perf_counter()
        corpus = Corpus(texts)
        stream = self.preprocessor_.stream(corpus, opened=True, spooled=corpus.spooled)
        _check_length(stream, self.config_, "give more text")

        def train_on(config: ModelConfig, seed: int) -> Trained:
            return self._train(self.model_, stream, None, config, seed, checkpoint=None)

        self._update(epochs, train_on, corpus.digest())
        self.seconds_ += time.perf_counter() - started
        return self

    def tune_adaptation(self, texts: Any, adapt: str) -> dict[str, float]:
        """Choose the settings of an adaptation by texts that are neither trained on nor to be judged by, such as validation text.

        Args:
            texts: As for :meth:`fit`.
            adapt: ``cache``, the neural cache, which needs nothing but what was read lately; or ``dynamic``, dynamic
                evaluation, which trains on it.

        Returns:
            The settings, which :meth:`perplexity` uses from now on, and which are saved with the model.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        self._check_fitted()
        now = self._adaptation(adapt)
        stream = self._stream(Corpus(texts))
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
        """Return a vector ``(n, D)`` for each text: the hidden states after its tokens, pooled. D depends on the entry.

        Args:
            texts: As for :meth:`fit`.
            pooling: ``mean`` of the states; ``max``, the largest value of each component; or the ``last`` state.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``pooling`` is unknown.
            DataError: If the texts are refused.
        """
        self._check_fitted()
        if pooling not in get_args(Pooling):
            raise UnknownNameError("pooling", pooling, get_args(Pooling))
        streams = [stream[:-1] for stream in self._streams(texts)]
        return pooled_states(self.model_.stepper, streams, pooling, window=_READ)

    def baselines(self) -> dict[str, BaselineLanguageModel]:
        """The models of counts that a network has to beat, unfitted, by name; of the same tokens."""
        config = self._resolve_config()
        return {
            method: BaselineLanguageModel(method, tokenizer=self._tokenizer(config), vocab_size=config.data.vocab_size)
            for method in METHODS
        }

    def _parts(self, whole: Corpus, validation: Any) -> tuple[Corpus, Corpus | None]:
        if validation is not None:
            return whole, Corpus(validation, name="validation")
        return whole.split(self.validation_size) if self.validation_size else (whole, None)

    def network_sizes(self, texts: Any) -> tuple[ModelConfig, LanguageModellingSpec]:
        """The config and the sizes of the network that :meth:`fit` would train on the texts; see :func:`lstmzoo.build_model`.

        Args:
            texts: As for :meth:`fit`.

        Raises:
            ConfigError: As of :meth:`fit`.
            DataError: As of :meth:`fit`.
        """
        self._check_params()
        config = self._resolve_config()
        corpus, _ = self._parts(Corpus(texts), None)
        return config, self._tokenized(corpus, config)[-1]

    def _tokenized(
        self, corpus: Corpus, config: ModelConfig
    ) -> tuple[TextPreprocessor, np.ndarray, np.ndarray, LanguageModellingSpec]:
        """The fitted tokenizer, the corpus as one stream of ids, how often each occurs, and the network's sizes."""
        preprocessor = TextPreprocessor(self._tokenizer(config), config.data.vocab_size).fit(corpus)
        stream = preprocessor.stream(corpus, opened=True, spooled=corpus.spooled)
        _check_length(stream, config, f"give more text, or lower the hyperparameter bptt or {arg('validation_size')}")
        counts = token_counts(stream, preprocessor.vocab_size_)
        spec = LanguageModellingSpec(len(counts), config.data.bptt, softmax_cutoffs(counts))
        return preprocessor, stream, counts, spec

    def _train(
        self, model: Any, stream: np.ndarray, valid: np.ndarray | None, config: ModelConfig, seed: int,
        checkpoint: Checkpoint | None, overrides: Overrides | None = None,
    ) -> Trained:  # fmt: skip
        training: TrainingConfig = config.training
        batches = StreamBatches(
            stream, batch_size=training.batch_size, window=config.data.bptt, steps_per_epoch=training.steps_per_epoch,
            variable=config.data.variable_bptt, seed=seed,
        )  # fmt: skip
        stepper = model.stepper
        trainer = stepper.trainer(batches.batch_size, batches.capacities(stepper.cutoffs))
        validate = _validation(stepper, valid, training.epochs)
        return train(
            trainer, _as_it_is, batches, config=training, validate=validate, time_limit=self.time_limit, verbose=self.verbose,
            title=config.title, checkpoint=checkpoint, overrides=overrides,
        )  # fmt: skip

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
        return continue_prompts(self.model_.stepper, prompts, options, self.preprocessor_.banned, first)

    def _learned(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
        learned = {name: getattr(self, name) for name in _LEARNED}
        learned["adaptation_"] = {name: asdict(how) for name, how in self.adaptation_.items()}
        return {**learned, "spec": asdict(self.spec_)}, {"text": self.preprocessor_.to_json()}, {}

    def _restore(self, learned: dict[str, Any], preprocessor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for name in _LEARNED:
            setattr(self, name, learned[name])
        self.adaptation_ = {name: kind(**learned["adaptation_"][name]) for name, kind in ADAPTATIONS.items()}
        self.preprocessor_ = TextPreprocessor.from_json(preprocessor["text"])
        self.spec_ = LanguageModellingSpec(**{**learned["spec"], "cutoffs": tuple(learned["spec"]["cutoffs"])})
        self._check_restored()

    def _check_restored(self) -> None:
        """Refuse a vocabulary or a config of another model."""
        data, found = self.config_.data, self.preprocessor_
        check_same("ids of the vocabulary", found.vocab_size_, self.spec_.vocab_size)
        check_same("bptt", self.spec_.bptt, data.bptt)
        check_same("tokenizer", found.tokenizer, data.tokenizer)
        check_same("vocab_size", found.vocab_size, data.vocab_size)


def _check_length(stream: np.ndarray, config: ModelConfig, way_out: str) -> None:
    """Refuse text that is shorter than a window.

    Raises:
        DataError: If it is.
    """
    count, window = len(stream) - 1, config.data.bptt
    if count < window:
        raise DataError(
            f"the texts to train on have {count} tokens, which is less than a window of {window}: {way_out}"
        )


def _as_it_is(_: Any, nll: Any) -> Any:
    """The loss of a model whose output is a loss."""
    return nll


def _validation(stepper: Any, valid: np.ndarray | None, epochs: int) -> Callable[[], float] | None:
    """The mean negative log-likelihood of validation text, in rows side by side."""
    if valid is None:
        return None
    rows = max(1, min(_VALIDATION_ROWS, len(valid) // _READ))
    return lambda: float(carried_nll(stepper, valid, rows=rows, window=_READ, times=epochs).mean())
