"""Estimators that train a network: one fit and one update for all tasks."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import keras
import numpy as np
from tokenizers import Tokenizer

from lstmzoo.config import ModelConfig, TokenizerName, full_name, load_config
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base.estimator import Tokenizing, ZooEstimator, as_json
from lstmzoo.estimators._base.sharing import PREDICTIONS, Networks, Prepared, compile_network
from lstmzoo.options import require_counts
from lstmzoo.outputs import check_folder
from lstmzoo.overrides import Overrides
from lstmzoo.preprocessing import tokenizer_name
from lstmzoo.seeding import reseed, seeded
from lstmzoo.training import Checkpoint, Program, Steps, Trained, Training, Validate
from lstmzoo.values import canonical_json

_NESTED = "hyperparameters__"
_SLOWER = 10  # divisor of the learning rate of an update
_WHOLE = 10**6  # steps per epoch, so that an epoch is one pass over the data


P = TypeVar("P", bound=Prepared)


class ZooNetworkEstimator(ZooEstimator, Generic[P]):
    """Base of the estimators that train a network named by a zoo config.

    Subclasses have the parameters ``model``, ``hyperparameters``, ``time_limit``, ``random_state`` and ``verbose``.

    :meth:`_fit_network` fits, and :meth:`_update_network` updates. They call these methods in this order; each task overrides
    those that it needs:

    ====================  ==============================================================================================
    ``_overrides``        Check the callbacks, optimizer, loss and metrics that the caller passed.
    ``_prepare``          Turn the data of a fit into a :class:`Prepared`: preprocessor, sizes, training set. Required.
    ``_prepare_update``   Turn the data of an update into a :class:`Prepared`, by the fitted preprocessor. Required.
    ``_start``            Check the new network, or set initial weights that depend on the data.
    ``_batches``          Return the batches of an epoch. Required.
    ``_trainer``          Return the model that is trained; by default one with the layers of the network.
    ``_program_key``      Return what, beside the config and the sizes, the compiled training depends on; None if it cannot be
                          shared, which is the default.
    ``_loss``             Return the function from targets and outputs to a loss; by default, the output is the loss.
    ``_validator``        Return the function that computes the validation loss; None by default.
    ``_learn``            Set the learned attributes of this task.
    ``_learn_update``     Change the learned attributes of this task after an update.
    ====================  ==============================================================================================
    """

    _saved = as_json("history_", "best_epoch_", "seed_")
    model: str
    hyperparameters: dict[str, Any] | None
    time_limit: float | None
    random_state: int | None
    verbose: int
    model_: keras.Model
    config_: ModelConfig
    preprocessor_: Any
    spec_: Any
    history_: list[dict[str, float | None]]
    best_epoch_: int
    seed_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with ``deep``, each of ``hyperparameters`` too, as ``hyperparameters__<name>``."""
        params = super().get_params(deep=False)
        given = params["hyperparameters"] or {} if deep else {}
        return {**params, **{f"{_NESTED}{name}": value for name, value in given.items()}}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; ``hyperparameters__<name>`` sets, or adds, one of ``hyperparameters``.

        Raises:
            ValueError: If there is no parameter with this name.

        Examples:
            >>> from lstmzoo import Forecaster
            >>> Forecaster(horizon=6).set_params(hyperparameters__units=8).hyperparameters
            {'units': 8}
        """
        nested = {key.removeprefix(_NESTED): value for key, value in params.items() if key.startswith(_NESTED)}
        super().set_params(**{key: value for key, value in params.items() if not key.startswith(_NESTED)})
        if nested:
            self.hyperparameters = {**(self.hyperparameters or {}), **nested}
        return self

    @property
    def num_parameters_(self) -> int:
        """The number of weights."""
        return int(self.model_.count_params())

    def begin_fit(
        self, *data: Any, checkpoint_dir: str | Path | None = None, networks: Networks | None = None, **overrides: Any
    ) -> "Fit":
        """Return a fit that can be paused, before its first step.

        Args:
            *data: The data, as for ``fit``.
            checkpoint_dir: As for ``fit``.
            networks: Networks to share with other fits.
            **overrides: Fields of :class:`lstmzoo.overrides.Overrides`.
        """
        return Fit(self, data, checkpoint_dir, networks, overrides)

    def _fit_network(self, *data: Any, checkpoint_dir: str | Path | None, **overrides: Any) -> Self:
        """Build a network, train it on data, and keep what was learned; see :meth:`begin_fit`."""
        fit = self.begin_fit(*data, checkpoint_dir=checkpoint_dir, **overrides)
        fit.run()
        fit.keep()
        return self

    def _update_network(self, epochs: int, *data: Any) -> Self:
        """Train the network further on new data. If that fails or is interrupted, the estimator is left unchanged.

        An update has a tenth of the learning rate, without warm-up or decay, and each of its epochs is one pass over the data.

        Args:
            epochs: Passes over the data.
            *data: What the task's ``_prepare_update`` takes.
        """
        self._check_fitted()
        require_counts(epochs=epochs)
        started = time.perf_counter()
        config, seed = update_config(self.config_, epochs), self.seed_ + len(self.history_)
        prepared = self._prepare_update(config, seed, *data)
        if not prepared.empty:
            self.history_ = [*self.history_, *self._train_further(prepared, config, seed)]
        self.data_digest_ = chained_digest(self.data_digest_, prepared.digest)
        self._learn_update(prepared)
        self.seconds_ += time.perf_counter() - started
        return self

    def _training(
        self, model: keras.Model, prepared: P, config: ModelConfig, seed: int, overrides: Overrides,
        checkpoint: Checkpoint | None = None, program: Program | None = None, variables: list[np.ndarray] | None = None,
    ) -> Training:  # fmt: skip
        batches = self._batches(model, prepared, config, seed)
        return Training(
            program or Program(self._trainer(model, batches)), self._loss(prepared, overrides), batches,
            config=config.training, validate=self._validator(model, prepared, config, overrides),
            time_limit=self.time_limit, verbose=self.verbose, title=config.title, checkpoint=checkpoint,
            overrides=overrides, variables=variables,
        )  # fmt: skip

    def _train_further(self, prepared: P, config: ModelConfig, seed: int) -> list[dict[str, float | None]]:
        """Train the network in place and return new rows of ``history_``. If training fails, the weights are restored."""
        model, weights, done = self.model_, self.model_.get_weights(), len(self.history_)
        try:
            reseed(model, seed)
            training = self._training(model, prepared, config, seed, Overrides())
            training.run()
            trained = training.result()
        except BaseException:
            model.set_weights(weights)
            raise
        return [{**row, "epoch": done + number} for number, row in enumerate(trained.history, 1)]

    def _network_sizes(self, *data: Any) -> tuple[ModelConfig, Any]:
        """Return the config and the sizes of the network that ``fit`` would train on the data."""
        self._check_params()
        config = self._resolve_config()
        return config, self._prepare(config, self._seed(), *data).spec

    def _overrides(self, config: ModelConfig, **overrides: Any) -> Overrides:
        return Overrides(**overrides)

    def _prepare(self, config: ModelConfig, seed: int, *args: Any, **kwargs: Any) -> P:
        raise NotImplementedError

    def _prepare_update(self, config: ModelConfig, seed: int, *args: Any, **kwargs: Any) -> P:
        raise NotImplementedError

    def _start(self, model: keras.Model, prepared: P, config: ModelConfig) -> None:
        pass

    def _batches(self, model: keras.Model, prepared: P, config: ModelConfig, seed: int) -> Steps:
        raise NotImplementedError

    def _trainer(self, model: keras.Model, batches: Steps) -> keras.Model:
        return keras.Model(model.input, model.output, name=model.name)

    def _program_key(self, prepared: P) -> Any:
        return None

    def _loss(self, prepared: P, overrides: Overrides) -> Callable[[Any, Any], Any]:
        return self.network_loss(prepared.spec)

    def network_loss(self, spec: Any) -> Callable[[Any, Any], Any]:
        """Return the loss that networks of these sizes are trained with."""
        return mean_nll

    @classmethod
    def loss_of_spec(cls, spec: Any) -> Any:
        """Return the loss, or its name, of networks of these sizes, if an estimator's parameters are not known."""
        return mean_nll

    def _validator(self, model: keras.Model, prepared: P, config: ModelConfig, overrides: Overrides) -> Validate | None:
        return None

    def _learn(self, prepared: P, trained: Trained) -> None:
        pass

    def _learn_update(self, prepared: P) -> None:
        pass

    def _resolve_config(self) -> ModelConfig:
        config = load_config(full_name(self.model, self.task))
        return config.override(self.hyperparameters or {})

    def _seed(self) -> int:
        """Return the seed of a fit: derived from ``random_state``, or a fresh one if that is None."""
        entropy = np.random.SeedSequence(self.random_state)
        return int(entropy.generate_state(1)[0] % (2**31 - 1))

    def _checkpoint(self, directory: str | Path | None, data_digest: str) -> Checkpoint | None:
        if directory is None:
            return None
        if self.random_state is None:
            raise ConfigError(
                f"{arg('checkpoint_dir')} needs a {arg('random_state')}: without one, a fit cannot be resumed"
            )
        check_folder(directory, arg("checkpoint_dir"))
        return Checkpoint(Path(directory), fingerprint=f"{data_digest} {self._fit_identity()}")

    def _fit_identity(self) -> str:
        """Return the parameters of a fit as text, the same text for equal parameters."""
        in_config = {"model", "hyperparameters", "tokenizer"}
        params = {k: v for k, v in self.get_params(deep=False).items() if k not in {"verbose", *in_config}}
        config = self._resolve_config().model_dump(include={"name", "builder", "hyperparameters", "data", "training"})
        return canonical_json({"params": params, "config": config})

    def refit_clone(self) -> Self:
        """Return an unfitted copy that trains on all data, without validation, for ``best_epoch_`` epochs."""
        from sklearn.base import clone

        self._check_fitted()
        hyperparameters = {**(self.hyperparameters or {}), "epochs": self.best_epoch_}
        return clone(self).set_params(hyperparameters=hyperparameters, validation_size=0, time_limit=None)


class TokenizingEstimator(Tokenizing, ZooNetworkEstimator[P]):
    """Base of the estimators that train a network on tokens. ``tokenizer`` is None for the entry's default."""

    def restrict(self, search_space: dict[str, Any], *data: Any) -> dict[str, Any]:
        """Return a search space without the keys that this estimator's parameters set.

        Args:
            search_space: Ranges by key, as in a zoo config.
            *data: Training data, as for ``fit``.
        """
        own = {None: (), "pretrained": ("tokenizer", "vocab_size")}.get(tokenizer_name(self.tokenizer), ("tokenizer",))
        fixed = {*(self.hyperparameters or {}), *own}
        return {key: value for key, value in search_space.items() if key not in fixed}

    def _resolve_config(self) -> ModelConfig:
        if self.tokenizer is not None and "tokenizer" in (self.hyperparameters or {}):
            raise ConfigError(
                f"the parameter {arg('tokenizer')} and the hyperparameter tokenizer set the same: pass one of them"
            )
        config = super()._resolve_config()
        if isinstance(self.tokenizer, Tokenizer):
            if (self.hyperparameters or {}).get("vocab_size") is not None:
                raise ConfigError("vocab_size: a tokenizer of your own has its own vocabulary: leave vocab_size out")
            return config.override({"tokenizer": "pretrained", "vocab_size": None})
        return config if self.tokenizer is None else config.override({"tokenizer": self.tokenizer})

    def _fit_identity(self) -> str:
        own = f" {json.dumps(self.tokenizer.to_str())}" if isinstance(self.tokenizer, Tokenizer) else ""
        return super()._fit_identity() + own

    def _tokenizer(self, config: ModelConfig) -> TokenizerName | Tokenizer:
        """Return the tokenizer of the preprocessor: the one that was passed in, or else the config's."""
        return self.tokenizer if isinstance(self.tokenizer, Tokenizer) else config.data.tokenizer


class Fit:
    """One fit of a network estimator, which can be paused and continued.

    Args:
        estimator: The estimator to fit.
        data: What its ``_prepare`` takes.
        checkpoint_dir: As for the estimator's ``fit``.
        networks: Networks to share with other fits; None to build a new one.
        overrides: Fields of :class:`lstmzoo.overrides.Overrides`.

    Attributes:
        seconds: Seconds that the fit has taken, without pauses.
    """

    def __init__(
        self, estimator: ZooNetworkEstimator[Any], data: tuple, checkpoint_dir: str | Path | None,
        networks: Networks | None, overrides: dict[str, Any],
    ) -> None:  # fmt: skip
        started = time.perf_counter()
        estimator._check_params()
        self._estimator = estimator
        self._config, self._seed = estimator._resolve_config(), estimator._seed()
        changed = estimator._overrides(self._config, **overrides)
        self._prepared = estimator._prepare(self._config, self._seed, *data)
        checkpoint = estimator._checkpoint(checkpoint_dir, self._prepared.identity or self._prepared.digest)
        with seeded(self._seed):
            new = estimator._build(self._config, self._prepared.spec)
        estimator._start(new, self._prepared, self._config)
        key = None if networks is None else _network_key(estimator, self._config, self._prepared)
        found = networks.get(key) if networks is not None and key is not None else None
        self._model, program = found or (new, None)
        if found is None:
            compile_network(new, math.inf if networks is None else PREDICTIONS)
        self._training = estimator._training(
            self._model, self._prepared, self._config, self._seed, changed, checkpoint, program,
            [np.asarray(variable).copy() for variable in new.variables] if found else None,
        )  # fmt: skip
        if networks is not None and key is not None and found is None:
            networks.add(key, new, self._training.program)
        self.seconds = time.perf_counter() - started

    @property
    def steps_share(self) -> float:
        """The share of the steps that were taken."""
        return self._training.steps_share

    @property
    def trained_seconds(self) -> float:
        """Seconds of training so far."""
        return self._training.state.seconds

    def limit(self, seconds: float) -> None:
        """Let the whole training take no more than so many seconds; its schedule ends with it."""
        self._training.time_limit = seconds

    def run(self, until: float = 1.0) -> None:
        """Train until a share of the training is over, or to its end; see :meth:`lstmzoo.training.Training.run`."""
        started = time.perf_counter()
        self._training.run(until)
        self.seconds += time.perf_counter() - started

    def keep(self) -> None:
        """Make the estimator a fitted one, with the weights that the training has so far.

        With shared networks, its network has these weights until another fit trains.
        """
        started = time.perf_counter()
        estimator, prepared, trained = self._estimator, self._prepared, self._training.result()
        estimator.model_, estimator.config_, estimator.seed_ = self._model, self._config, self._seed
        estimator.preprocessor_, estimator.spec_ = prepared.preprocessor, prepared.spec
        estimator.history_, estimator.best_epoch_ = trained.history, trained.best_epoch
        estimator.data_digest_ = prepared.digest
        estimator._learn(prepared, trained)
        self.seconds += time.perf_counter() - started
        estimator.seconds_ = self.seconds


def _network_key(estimator: ZooNetworkEstimator[Any], config: ModelConfig, prepared: Prepared) -> str | None:
    """Return all that a compiled network and its training depend on; None if it cannot be shared."""
    own = estimator._program_key(prepared)
    if own is None:
        return None
    fixed = config.training.model_dump(include={"optimizer", "beta_2", "clipnorm"})
    network = {"builder": config.builder, "hyperparameters": config.hyperparameters, "spec": asdict(prepared.spec)}
    policy = keras.config.dtype_policy().name
    return canonical_json({"network": network, "training": fixed, "policy": policy, "own": own})


@keras.saving.register_keras_serializable(package="lstmzoo")
def mean_nll(_: Any, nll: Any) -> Any:
    """Return the mean of outputs that are negative log-likelihoods already; the target is ignored."""
    return nll


def update_config(config: ModelConfig, epochs: int) -> ModelConfig:
    """Return the config of an update: a tenth of the learning rate, no warm-up or decay, and one pass over the data per epoch."""
    changes = {
        "learning_rate": config.training.learning_rate / _SLOWER, "schedule": "constant", "warmup": 0.0,
        "epochs": int(epochs), "steps_per_epoch": _WHOLE,
    }  # fmt: skip
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def chained_digest(before: str, new: str) -> str:
    """Return the SHA-256 of two digests: that of the earlier data and that of the new data.

    Examples:
        >>> chained_digest("ab", "cd")[:8]
        'b09c5477'
    """
    return hashlib.sha256(f"{before} {new}".encode()).hexdigest()
