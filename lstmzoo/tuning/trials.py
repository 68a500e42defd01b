"""A trial: fit, score, and a record of them, whether the trial fails or not."""

import logging
import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
from sklearn.base import clone

from lstmzoo.contracts import Data, Pausable, PausedFit, Searchable, Trainable
from lstmzoo.errors import SavedModelError, TrainingError
from lstmzoo.estimators import Networks
from lstmzoo.outputs import replacing
from lstmzoo.records import Record, to_json

_logger = logging.getLogger(__name__)
T = TypeVar("T", bound=Trainable)
ONE_STEP = 1e-9  # share of a training that is over after its first step


@dataclass(frozen=True)
class Fold:
    """A training set, and the windows that are scored after it.

    Attributes:
        train: The training set.
        score: Returns the score of a fitted estimator on each window.
    """

    train: Data
    score: Callable[[Any], list[float]]


def with_params(estimator: T, **params: Any) -> T:
    """Return an unfitted copy of an estimator with new parameters; those that it does not have are ignored."""
    known = estimator.get_params(deep=False)
    return clone(estimator).set_params(**{k: v for k, v in params.items() if k in known})


def run_trial(
    record: Record, estimator: Trainable, folds: list[Fold], *, searched: Searchable, raises: bool = False
) -> Trainable:
    """Fit and score an estimator, and fill in the record; an exception or a score that is not finite becomes its error.

    Args:
        record: A :func:`blank_record`.
        estimator: The unfitted estimator of the trial.
        folds: The folds; a copy is fitted on each.
        searched: The search's own estimator; the record's ``refit`` holds differences from it.
        raises: Whether an exception is raised instead.

    Returns:
        The estimator of the last fold; it is not fitted if the trial failed.
    """
    if not record["baseline"]:
        _clear_session()
    began = time.perf_counter()
    with recorded(record, raises=raises):
        scores, fit_seconds, score_seconds = list[float](), 0.0, 0.0
        for number, fold in enumerate(folds):
            estimator = clone(estimator) if number else estimator
            started = time.perf_counter()
            estimator.fit(*fold.train)
            fitted = time.perf_counter()
            scores += fold.score(estimator)
            fit_seconds += fitted - started
            score_seconds += time.perf_counter() - fitted
        record["fit_seconds"], record["score_seconds"] = fit_seconds, score_seconds
        fill_in(record, estimator, scores)
        if isinstance(estimator, type(searched)):
            record["refit"] = refit_params(estimator.refit_clone(), searched)
        record["status"] = "completed"
    record["seconds"] = time.perf_counter() - began
    return estimator


@contextmanager
def said_once() -> Iterator[None]:
    """Log each message of the estimators once, as all trials have the same data."""
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("lstmzoo.estimators")
    ]
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in said
        said.add(message)
        return new

    for logger in loggers:
        logger.addFilter(is_new)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_new)


@contextmanager
def recorded(record: Record, *, raises: bool = False) -> Iterator[None]:
    """Turn an exception into the record's error: a failed trial is a row of the leaderboard, and the search continues.

    A trial that fails when it is continued keeps the score of its best rung.

    Args:
        record: The record.
        raises: Whether the exception is raised instead.
    """
    continued = bool(record["rungs"])
    try:
        yield
    except SavedModelError:  # a checkpoint cannot be written: no fault of the trial
        raise
    except Exception as error:
        if raises:
            error.add_note(f"{record['model']} failed with {record['params']}")
            raise
        if not continued:
            record["score"], record["status"] = None, "failed"
        record["error"] = f"{type(error).__name__}: {error}"
        record["traceback"] = traceback.format_exc()


def fill_in(record: Record, estimator: Trainable, scores: list[float]) -> None:
    """Enter the scores of the windows, and the history of a fitted estimator, into its record, unless an earlier rung was better.

    Raises:
        FloatingPointError: If a score is not finite.
    """
    mean = sum(scores) / len(scores)
    best = not record["rungs"] or mean >= max(record["rungs"])  # otherwise the network has over-fitted since
    if best:
        record["history"] = to_json(estimator.history_)
        record["epochs"] = len(record["history"])
        record["best_epoch"] = to_json(getattr(estimator, "best_epoch_", None))  # of networks
        record["num_parameters"] = to_json(estimator.num_parameters_)
    if not math.isfinite(mean):
        raise FloatingPointError(f"the score is {mean}")
    record["rungs"] = [*record["rungs"], mean]
    if best:
        record["score"], record["window_scores"] = mean, scores


@dataclass(frozen=True)
class _Part:
    """The training of a trial on one fold."""

    estimator: Pausable
    fit: PausedFit
    fold: Fold


class Trial:
    """A network that is trained in parts.

    Args:
        record: Its record, which each part fills in.
        estimator: The unfitted estimator, of networks.
        folds: The folds; a copy of the estimator is trained on each, and the estimator itself on the last.
        searched: The search's own estimator; the record's ``refit`` holds differences from it.
        networks: Networks that trials share.
        checkpoint_dir: Directory of its checkpoint.
        most_seconds: Seconds that one training may take at most; infinite without a limit.

    Attributes:
        begin_seconds: Seconds until the first step was taken, most of them for compiling.
        limited: Seconds that the training on one fold may take; infinite without a limit.
    """

    def __init__(
        self, record: Record, estimator: Pausable, folds: list[Fold], *, searched: Searchable,
        networks: Networks, checkpoint_dir: Path, most_seconds: float,
    ) -> None:  # fmt: skip
        self.record, self.estimator = record, estimator
        self._directory = checkpoint_dir
        self._parts: list[_Part] = []
        self._resumed = False  # from a checkpoint, since when no step was taken, so that the next one compiles
        for number, fold in enumerate(folds, start=1):
            own = estimator if number == len(folds) else clone(estimator)
            directory = checkpoint_dir if len(folds) == 1 else checkpoint_dir / str(number)
            fit = own.begin_fit(*fold.train, networks=networks, checkpoint_dir=directory)
            self._resumed |= fit.steps_share > 0
            fit.run(ONE_STEP)
            self._parts.append(_Part(own, fit, fold))
        record["refit"] = refit_params(estimator, searched)
        self.begin_seconds, self._earlier = self._fit_seconds, record["fit_seconds"] or 0.0
        self._begun_seconds = min(self._trained_seconds, self.begin_seconds)
        record["begin_seconds"] = max(record["begin_seconds"] or 0.0, self.begin_seconds)
        self.limited, self._most = math.inf, most_seconds
        limit = most_seconds if record["limit_seconds"] is None else record["limit_seconds"]
        if limit < math.inf:
            self.limit(limit * len(folds))

    @property
    def full_seconds(self) -> float:
        """Seconds of the whole training on all folds, by the speed so far, without first steps; infinite if it is not known."""
        return full_seconds(self.record)

    @full_seconds.setter
    def full_seconds(self, seconds: float) -> None:
        """Set the seconds of the whole training."""
        self.record["full_seconds"] = seconds if seconds < math.inf else None

    @property
    def _share(self) -> float:
        return min(part.fit.steps_share for part in self._parts)

    @property
    def _fit_seconds(self) -> float:
        return sum(part.fit.seconds for part in self._parts)

    @property
    def _trained_seconds(self) -> float:
        return sum(part.fit.trained_seconds for part in self._parts)

    def run(self, until: float) -> None:
        """Train until a share of the training is over."""
        if self._resumed:
            self._compile(until)
        share, began = self._share, time.perf_counter()
        for part in self._parts:
            part.fit.run(until)
        if self._share > share:
            self.full_seconds = min((time.perf_counter() - began) / (self._share - share), self._limited_seconds)

    def _compile(self, until: float) -> None:
        """Take the first step since the training was resumed, unless a share of it is over already."""
        share, began = self._share, time.perf_counter()
        for part in self._parts:
            part.fit.run(min(until, part.fit.steps_share + ONE_STEP))
        self._resumed = self._share == share
        self.begin_seconds += time.perf_counter() - began
        self.record["begin_seconds"] = max(self.record["begin_seconds"] or 0.0, self.begin_seconds)

    def sample(self, until: float, most: float) -> None:
        """Take a step, and train until a share of the training is over if that takes few seconds, to learn the speed.

        Args:
            until: The share.
            most: So many seconds are few.
        """
        self.run(self._share + ONE_STEP)
        if self._share == 1:  # by the first step, which was compiled
            self.full_seconds = min(self._trained_seconds, self._limited_seconds)
        if self.full_seconds * until < most:
            self.run(max(until, self._share + ONE_STEP))

    def limit(self, seconds: float) -> None:
        """Let the whole training take no more than so many seconds; its schedule ends with it."""
        self.limited = self.record["limit_seconds"] = min(seconds / len(self._parts), self._most)
        for part in self._parts:
            part.fit.limit(self.limited)
        self.full_seconds = min(self.full_seconds, self._limited_seconds)

    @property
    def _limited_seconds(self) -> float:
        """The seconds of the whole training that a limit leaves, without those of the first steps."""
        return max(self.limited * len(self._parts) - self._begun_seconds, 1e-3)

    def limit_rest(self, seconds: float) -> None:
        """Let the rest of the training take no more than so many seconds."""
        self.limit(max(self._trained_seconds + seconds, 1e-3))

    def advance(self, until: float) -> None:
        """Train until a share of the training is over, score, and fill in the record."""
        self._keep_weights()
        self.run(until)
        trained, scores = time.perf_counter(), list[float]()
        for part in self._parts:  # which may share a network, so that each is scored before the next is kept
            part.fit.keep()
            scores += part.fold.score(part.estimator)
        self.record["fit_seconds"] = self._earlier + self._fit_seconds
        self.record["score_seconds"] = time.perf_counter() - trained
        fill_in(self.record, self.estimator, scores)
        self.record["status"] = "completed"

    @property
    def _best_file(self) -> Path:
        """The file of the weights at the best rung; there is none if the training was not continued since."""
        rungs = self.record["rungs"]
        best = max(rung for rung, score in enumerate(rungs, start=1) if score == max(rungs))
        return self._directory / f"rung_{best}.npz"

    def _keep_weights(self) -> None:
        """Keep the weights of the last rung if it is the best one, before the training is continued."""
        rungs = self.record["rungs"]
        if not rungs or rungs[-1] != self.record["score"] or self._best_file.exists():
            return
        self._parts[-1].fit.keep()
        self._directory.mkdir(parents=True, exist_ok=True)
        with replacing(self._best_file) as temporary, temporary.open("wb") as file:
            np.savez(file, *self.estimator.model_.get_weights())

    def keep(self) -> None:
        """Give the estimator the weights that this trial had at its best rung."""
        kept = self._best_file.exists()
        try:
            self._parts[-1].fit.keep()
        except TrainingError:  # it diverged later
            if not kept:
                raise
        if kept:
            with np.load(self._best_file) as arrays:
                self.estimator.model_.set_weights([arrays[name] for name in arrays.files])


def full_seconds(record: Record) -> float:
    """Return the seconds of the whole training of a trial on all folds; infinite if they are not known."""
    return math.inf if record["full_seconds"] is None else record["full_seconds"]


def blank_record(number: int, model: str, params: dict[str, Any], *, baseline: bool, seed: int | None) -> Record:
    """Return the record of a trial before it starts."""
    return {
        "number": number,
        "baseline": baseline,
        "model": model,
        "params": params,
        "seed": seed,
        "status": "failed",
        "score": None,
        "window_scores": [],
        "series_scores": [],
        "rungs": [],
        "rungs_elapsed": [],
        "begin_seconds": None,
        "full_seconds": None,
        "limit_seconds": None,
        "fit_seconds": None,
        "score_seconds": None,
        "seconds": 0.0,
        "elapsed": 0.0,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "num_parameters": None,
        "epochs": None,
        "best_epoch": None,
        "history": [],
        "members": {},
        "refit": {},
        "error": None,
        "traceback": None,
    }


def _clear_session() -> None:
    """Free the networks of earlier trials, but keep the user's settings, which Keras resets with them."""
    policy, distribution = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session()
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(distribution)


def refit_params(estimator: Trainable, searched: Searchable) -> dict[str, Any]:
    """Return the parameters of an estimator that differ from those of the search's own."""
    before = to_json(searched.get_params(deep=False))
    after = to_json(estimator.get_params(deep=False))
    return {k: v for k, v in after.items() if k not in before or before[k] != v}
