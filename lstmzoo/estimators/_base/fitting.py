"""A fit that can be paused, and networks that fits share."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from lstmzoo.config import ModelConfig
from lstmzoo.seeding import seeded
from lstmzoo.training import Program, compile_for_prediction
from lstmzoo.values import canonical_json

if TYPE_CHECKING:
    from lstmzoo.estimators._base.network import ZooNetworkEstimator


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The data of a fit or an update, prepared for training. Each task adds its own fields.

    Attributes:
        preprocessor: Fitted preprocessor.
        spec: Sizes of the network.
        digest: SHA-256 of the data.
        identity: Digest of all that a checkpoint is tied to, such as validation data; ``digest`` if empty.
        empty: Whether there is nothing to train on, as after an update with very few rows.
    """

    preprocessor: Any
    spec: Any
    digest: str
    identity: str = ""
    empty: bool = False


class Networks:
    """Networks that fits of equal sizes share, so that each is compiled once. The least recently used are dropped.

    Args:
        most: Networks to keep.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[str, tuple[keras.Model, Program]] = {}

    def get(self, key: str) -> tuple[keras.Model, Program] | None:
        """Return a network and the program that trains it; None if there is none of this key."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def add(self, key: str, model: keras.Model, program: Program) -> None:
        """Keep a network."""
        self._kept[key] = model, program
        while len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]


class Fit:
    """One fit of a network estimator, which can be paused and continued.

    Args:
        estimator: The estimator to fit.
        data: What its ``_prepare`` takes.
        checkpoint_dir: As for the estimator's ``fit``.
        networks: Networks to share with other fits; None to build a new one.
        overrides: Fields of :class:`lstmzoo.overrides.Overrides`.

    Attributes:
        training: The training.
        seconds: Seconds that the fit has taken, without pauses.
        compiled: Whether the network was compiled by an earlier fit.
    """

    def __init__(
        self, estimator: "ZooNetworkEstimator[Any]", data: tuple, checkpoint_dir: str | Path | None,
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
        self.compiled = found is not None
        self._model, program = found or (new, None)
        if found is None:
            compile_for_prediction(new)
        self.training = estimator._training(
            self._model, self._prepared, self._config, self._seed, changed, checkpoint, program,
            [np.array(variable) for variable in new.variables] if found else None,
        )  # fmt: skip
        if networks is not None and key is not None and found is None:
            networks.add(key, new, self.training.program)
        self.seconds = time.perf_counter() - started

    def run(self, until: float = 1.0) -> None:
        """Train until a share of the training is over, or to its end; see :meth:`lstmzoo.training.Training.run`."""
        started = time.perf_counter()
        self.training.run(until)
        self.seconds += time.perf_counter() - started

    def keep(self) -> None:
        """Make the estimator a fitted one, with the weights that the training has so far.

        With shared networks, its network has these weights until another fit trains.
        """
        started = time.perf_counter()
        estimator, prepared, trained = self._estimator, self._prepared, self.training.result()
        estimator.model_, estimator.config_, estimator.seed_ = self._model, self._config, self._seed
        estimator.preprocessor_, estimator.spec_ = prepared.preprocessor, prepared.spec
        estimator.history_, estimator.best_epoch_ = trained.history, trained.best_epoch
        estimator.data_digest_ = prepared.digest
        estimator._learn(prepared, trained)
        self.seconds += time.perf_counter() - started
        estimator.seconds_ = self.seconds


def _network_key(estimator: "ZooNetworkEstimator[Any]", config: ModelConfig, prepared: Prepared) -> str | None:
    """Return all that a compiled network and its training depend on; None if it cannot be shared."""
    own = estimator._program_key(prepared)
    if own is None:
        return None
    fixed = config.training.model_dump(include={"optimizer", "beta_2", "clipnorm"})
    network = {"builder": config.builder, "hyperparameters": config.hyperparameters, "spec": asdict(prepared.spec)}
    policy = keras.config.dtype_policy().name
    return canonical_json({"network": network, "training": fixed, "policy": policy, "own": own})
