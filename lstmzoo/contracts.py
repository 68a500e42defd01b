"""The contracts between estimators and search, tracking, serving and command line.

An estimator meets a contract by having its methods; it need not inherit from it. mypy checks :class:`lstmzoo.Forecaster`,
:class:`lstmzoo.LanguageModel`, :class:`lstmzoo.Translator` and their baselines.

``*data`` are the arguments of the estimator's ``fit``: a frame of series, texts, or sentences and their translations.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from lstmzoo.config import ModelConfig
from lstmzoo.errors import ConfigError, arg
from lstmzoo.options import ServingParam

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Data = tuple[Any, ...]


class Trainable(Protocol):
    """An estimator or baseline that is fitted and scored."""

    def fit(self, *data: Any, **options: Any) -> Self:
        """Train."""

    def score(self, *data: Any, **options: Any) -> float:
        """Return the score of the fitted estimator on held-out data; greater is better."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of ``__init__`` by name."""

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name."""

    @property
    def num_parameters_(self) -> int:
        """The number of weights; 0 without a network."""

    @property
    def history_(self) -> Sequence[Mapping[str, Any]]:
        """A row per epoch; empty without a network."""

    @property
    def seconds_(self) -> float:
        """Seconds that ``fit`` took."""


class Searchable(Trainable, Protocol):
    """An estimator for :class:`lstmzoo.tuning.ZooSearchCV` and :func:`lstmzoo.tuning.benchmark`.

    It has the parameters ``model``, ``hyperparameters``, ``time_limit``, ``random_state`` and ``verbose``.
    """

    task: ClassVar[str]

    def data_digest(self, *data: Any, **options: Any) -> str:
        """Return the SHA-256 of data, the same for all forms of the same data."""

    def holdout_split(self, *data: Any, **options: Any) -> tuple[Data, Data]:
        """Split data into a training set and a held-out part to score."""

    def baselines(self) -> Mapping[str, Trainable]:
        """Return the baselines of the task by name, unfitted."""

    def restrict(self, search_space: dict[str, Any], *data: Any, **options: Any) -> dict[str, Any]:
        """Remove ranges without effect from a search space, and shorten ranges that the data is too small for."""

    def read_once(self, *data: Any, **options: Any) -> Data:
        """Read and check data; the other methods take the result in its place."""

    def first_seconds(self, *data: Any) -> float:
        """Return the seconds that a first network takes at least on one core, to be compiled and to score held-out data.

        A search that has less time does not begin one.
        """

    def refit_clone(self) -> "Searchable":
        """Return an unfitted copy that trains on all data, for the best number of epochs."""


class PausedFit(Protocol):
    """A fit in parts."""

    @property
    def steps_share(self) -> float:
        """The share of the steps that were taken; it stays below 1 if a time limit ends the training early."""

    @property
    def trained_seconds(self) -> float:
        """Seconds of training so far."""

    @property
    def seconds(self) -> float:
        """Seconds of all work so far, without pauses."""

    def run(self, until: float = 1.0) -> None:
        """Train until a share of the training is over, or to its end."""

    def limit(self, seconds: float) -> None:
        """Let the whole training take no more than so many seconds; its schedule ends with it."""

    def keep(self) -> None:
        """Make the estimator a fitted one, with the weights that the training has so far."""


class Pausable(Searchable, Protocol):
    """An estimator whose fits can be paused, for a search by successive halving.

    Attributes:
        newest_held_out: Whether the held-out windows are the newest data. The winner of a search should then be trained again on
            all data; otherwise that is worth less than a longer training.
    """

    newest_held_out: ClassVar[bool]
    model_: Any

    def begin_fit(self, *data: Any, **options: Any) -> PausedFit:
        """Return a fit before its first step; the options are ``networks`` and ``checkpoint_dir``."""

    def rolling_holdout(self, *data: Any, windows: int | None = None) -> tuple[Data, list[Data]]:
        """Split data into a training set and held-out windows to score, the earliest first."""

    def continue_from(self, *data: Any) -> None:
        """Go on from data that is longer than what the estimator was fitted on, without training."""


class Ensemblable(Pausable, Protocol):
    """An estimator whose fitted copies can be averaged, for a search that chooses an ensemble.

    A subclass that overrides ``score`` has no ensembles, unless it overrides :meth:`prediction_scorer` too.

    Attributes:
        scores_predictions: Whether :meth:`prediction_scorer` gives the numbers of ``score``; otherwise it only ranks ensembles.
    """

    scores_predictions: ClassVar[bool]

    def held_out_predictions(self, *data: Any) -> "np.ndarray":
        """Return what the fitted estimator predicts for held-out data.

        The weighted mean of the arrays of several estimators is what their ensemble predicts.
        """

    def prediction_scorer(self, *data: Any, metric: str | None = None) -> "Callable[[np.ndarray], float]":
        """Return a function from the array of :meth:`held_out_predictions` for the same data to a score; greater is better.

        Args:
            *data: Held-out data.
            metric: Name of a metric that ``score`` takes; its default one if None.
        """

    def prediction_key(self) -> str:
        """Return a text that is the same for fitted estimators whose predictions can be averaged."""

    def ensemble(self, members: Sequence[Any], weights: Sequence[float]) -> Trainable:
        """Return the fitted estimator that predicts the weighted mean of fitted members."""


class ScoredBySeries(Ensemblable, Protocol):
    """An estimator whose score is a mean over series, by which a search compares two estimators.

    A subclass that overrides ``score`` or ``prediction_scorer`` is not compared by series, unless it overrides
    :meth:`series_scorer` too.
    """

    def series_scorer(self, *data: Any, metric: str | None = None) -> "Callable[[np.ndarray], np.ndarray]":
        """Return a function from the array of :meth:`held_out_predictions` for the same data to scores ``(N,)`` of the series.

        NaN where the metric is undefined. The mean of the others is the number of :meth:`prediction_scorer`.
        """


class Measured(Protocol):
    """An estimator whose metrics may be undefined for some data."""

    def defined_metric(self, metric: str | None, folds: Sequence[tuple[Data, Sequence[Data]]]) -> str | None:
        """Return the metric by which a search scores.

        Args:
            metric: Name of a metric that ``score`` takes; None for the default one.
            folds: Training sets, each with its held-out windows.

        Returns:
            The same, or another if the default one is undefined for the data; a warning says so.

        Raises:
            DataError: If a metric that was given is undefined for the data.
        """


class Settling(Protocol):
    """An estimator with parameters that it may choose from the data, such as seasons."""

    def settled(self, *data: Any) -> Any:
        """Return an unfitted copy whose parameters are those that it would choose from the data.

        A search trains this copy, so that the winner has the same parameters on all data as in its trial.
        """


class Sizable(Protocol):
    """An estimator for :func:`lstmzoo.build_model`."""

    def network_sizes(self, *data: Any, **options: Any) -> tuple[ModelConfig, Any]:
        """Return the config and the sizes of the network that ``fit`` would train."""


class Servable(Protocol):
    """A fitted estimator for a server."""

    task: ClassVar[str]

    def serving_schema(self) -> Sequence[ServingParam]:
        """Declare the parameters of requests."""

    def serving_params(self) -> dict[str, Any]:
        """Return the default of each parameter."""

    def serving_example(self) -> "pd.DataFrame":
        """Return the rows of an example request. Requests have the same columns, of the same types."""

    def serving_nullable(self) -> list[str]:
        """Return the columns that may have missing values."""

    def serving_steps(self, model_input: "pd.DataFrame", params: dict[str, Any]) -> tuple[int, str]:
        """Return the work of a request in steps, and how they are counted."""

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return parameters of requests that compile what usual requests need."""

    def serve(self, model_input: "pd.DataFrame", params: dict[str, Any]) -> "pd.DataFrame":
        """Answer a request."""


class Trackable(Trainable, Servable, Protocol):
    """A fitted estimator for :func:`lstmzoo.mlflow.log_model`."""

    data_digest_: str

    def save(self, path: Any, *, key: str | bytes | None = None) -> None:
        """Write a folder of JSON and safetensors."""


class NetworkEstimator(Searchable, Sizable, Trackable, Protocol):
    """An estimator of networks for :func:`lstmzoo.mlflow.autolog` and the command line."""

    model: str
    config_: ModelConfig
    best_epoch_: int


def check_contract(estimator: object, contract: type) -> None:
    """Refuse an estimator that lacks methods of a contract.

    Raises:
        ConfigError: If it lacks methods; they are named.
    """
    missing = missing_methods(estimator, contract)
    if missing:
        raise ConfigError(f"{arg('estimator')}: {type(estimator).__name__} lacks {', '.join(missing)}")


def can_be_averaged(estimator: object) -> bool:
    """Return whether a search can choose ensembles of an estimator; see :class:`Ensemblable`."""
    return not missing_methods(estimator, Ensemblable) and _overrides(estimator, "prediction_scorer", "score")


def can_be_paired(estimator: object) -> bool:
    """Return whether a search can compare two estimators by series; see :class:`ScoredBySeries`."""
    if missing_methods(estimator, ScoredBySeries) or not can_be_averaged(estimator):
        return False
    return _overrides(estimator, "series_scorer", "prediction_scorer")


def _overrides(estimator: object, method: str, other: str) -> bool:
    """Return whether the class that has a method is the one that has another, or a subclass of it."""
    own, others = (next(base for base in type(estimator).__mro__ if name in vars(base)) for name in (method, other))
    return issubclass(own, others)


def missing_methods(estimator: object, contract: type) -> list[str]:
    """Return the methods of a contract that an estimator lacks.

    Examples:
        >>> missing_methods(object(), Sizable)
        ['network_sizes']
    """
    asked = (name for part in contract.__mro__ for name, member in vars(part).items() if inspect.isfunction(member))
    public = dict.fromkeys(name for name in asked if not name.startswith("_"))
    return [name for name in public if not callable(getattr(estimator, name, None))]
