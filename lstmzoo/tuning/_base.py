"""A search that runs: its data, its clock and its journal."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from lstmzoo.config import Scalar
from lstmzoo.contracts import Data, Searchable, Trainable, can_be_averaged
from lstmzoo.estimators import Networks
from lstmzoo.records import Record, derived_seed
from lstmzoo.tuning.ensembling import Judge, Predictions
from lstmzoo.tuning.journal import Journal
from lstmzoo.tuning.progress import Progress
from lstmzoo.tuning.scoring import Scorer
from lstmzoo.tuning.space import Space
from lstmzoo.tuning.trials import Fold, Trial, blank_record, recorded, run_trial, with_params

if TYPE_CHECKING:
    from lstmzoo.mlflow.tracking import SearchTracker

_OVERHEAD = 0.02  # share of the time limit that is kept free


class Searcher(Protocol):
    """An algorithm that searches."""

    def search(self) -> None:
        """Run trials until the time or the trials are used up."""

    def is_settled(self, record: Record) -> bool:
        """Return whether a trial does not change any more."""

    def winner(self, record: Record, verbose: int) -> Any:
        """Return the fitted estimator of a trial, trained on all data.

        Args:
            record: The trial.
            verbose: Whether the training is shown.
        """


SEARCHERS: "dict[str, Callable[[Run, int | None], Searcher]]" = {}  # by the name of the oracle; most trials


@dataclass
class Run:
    """The state of one call of a search's ``fit``.

    Attributes:
        estimator: The search's own estimator.
        unread: The data, before they were read.
        data: The data.
        space: The search space.
        journal: The journal.
        splits: The training sets of the trials, each with the held-out windows that are scored.
        scorer: Scores the trials.
        began: Time of the start; if the search was resumed, so long before this call as it had taken.
        time_limit: Seconds of the whole search; infinite without a limit.
        refit: Whether the winner is trained again on all data.
        ensemble_size: Most members of an ensemble; 1 for no ensemble.
        allow_worse_than_baseline: Whether the best network wins whatever the baselines' scores.
        track: Tells MLflow of the records.
        tracker: MLflow's tracker; None without MLflow.
        track_seconds: Most seconds that MLflow took to be told.
        progress: The display.
        searcher: The algorithm.
        networks: Networks that trials share.
        raises: Whether an exception of a network ends the search.
        judge: Scores the trials, and keeps what they predict.
    """

    estimator: Any
    unread: Data
    data: Data
    space: Space
    journal: Journal
    splits: list[tuple[Data, list[Data]]]
    scorer: Scorer
    began: float
    time_limit: float
    refit: bool
    ensemble_size: int = 1
    allow_worse_than_baseline: bool = False
    track: Callable[[], None] = lambda: None
    tracker: "SearchTracker | None" = None
    track_seconds: float = 0.0
    progress: Progress = field(init=False)
    searcher: Searcher = field(init=False)
    networks: Networks = field(default_factory=Networks)
    raises: bool = False
    judge: Judge = field(init=False)
    _baselines: dict[str, Trainable] = field(default_factory=dict)  # fitted, those that may become members as they are

    def __post_init__(self) -> None:
        able = self.ensemble_size > 1 and can_be_averaged(self.estimator)
        predictions = Predictions(self.journal.directory / "predictions") if able else None
        windows = [window for _, windows in self.splits for window in windows]
        self.judge = Judge(self.scorer, self.estimator, windows, predictions)

    @property
    def task(self) -> str:
        """The estimator's task."""
        return str(self.estimator.task)

    def elapsed(self) -> float:
        """Return the seconds since the search began, without interruptions."""
        return time.monotonic() - self.began

    def remaining(self) -> float:
        """Return the seconds that are :meth:`left`, but for a small reserve; infinite without a limit."""
        return self.time_limit * (1 - _OVERHEAD) - self.elapsed() - self.track_seconds

    def left(self) -> float:
        """Return the seconds that are left, but for those that MLflow takes in the end: as long as it took at most so far."""
        return self.time_limit - self.elapsed() - self.track_seconds

    def seed(self, *place: int) -> int:
        """Return the seed of a place in the search."""
        return derived_seed(self.journal.header["seed"], *place)

    def new_record(self, model: str, params: dict[str, Scalar], *, baseline: bool = False) -> Record:
        """Return the record of the next trial."""
        records = self.journal.records
        number = sum(not r["members"] for r in records)
        own = self.estimator.get_params(deep=False).get("random_state")
        seed = None if baseline else self.seed(1, number) if own is None else own
        return blank_record(len(records) + 1, model, params, baseline=baseline, seed=seed)

    def configured(self, record: Record, **params: Any) -> Any:
        """Return the unfitted estimator of a trial.

        Args:
            record: The trial.
            **params: Further parameters.
        """
        settings = {**self.space[record["model"]].fixed, **record["params"]}
        return with_params(
            self.estimator, model=record["model"], hyperparameters=settings, random_state=record["seed"],
            **{"verbose": 0, **params},
        )  # fmt: skip

    def first_estimators(self) -> Iterator[Any]:
        """Yield an unfitted estimator of each model, with the first settings to try, that trains on its whole training set."""
        for model, part in self.space.items():
            record = blank_record(0, model, part.first, baseline=False, seed=0)
            yield self.configured(record, **without_validation(self.estimator))

    def whole(self, record: Record, estimator: Trainable) -> Trainable:
        """Fit, score and record a trial in one part; return the estimator of the last fold, fitted if the trial did not fail."""
        self.progress.begin(record)
        raises = self.raises and not record["baseline"]
        fitted = run_trial(record, estimator, self.folds, searched=self.estimator, raises=raises)
        self.judge.keep(record)
        self.put(record)
        if record["baseline"] and self.judge.keeps_predictions and not self.estimator.newest_held_out:
            self._baselines[record["model"]] = fitted
        return fitted

    def baseline(self, record: Record) -> Trainable:
        """Return the baseline of a record, fitted on the training set of the last fold."""
        if record["model"] not in self._baselines:
            return self.estimator.baselines()[record["model"]].fit(*self.splits[-1][0])
        return self._baselines[record["model"]]

    @property
    def folds(self) -> list[Fold]:
        """The training sets of the trials, and how a fitted estimator is scored."""
        folds, first = list[Fold](), 0
        for train, windows in self.splits:
            folds.append(Fold(train, partial(self.judge.scores, first=first, count=len(windows))))
            first += len(windows)
        return folds

    def trial(self, record: Record) -> Trial:
        """Return a trial that can be paused, before its first step."""
        directory = self.journal.directory / "trials" / str(record["number"])
        return Trial(
            record, self.configured(record, time_limit=None, **without_validation(self.estimator)), self.folds,
            searched=self.estimator, networks=self.networks, checkpoint_dir=directory,
            most_seconds=self.given_limit(),
        )  # fmt: skip

    @contextmanager
    def recorded(self, record: Record) -> Iterator[None]:
        """Run a part of a trial; an error becomes the record's."""
        self.progress.begin(record)
        began = time.monotonic()
        with recorded(record, raises=self.raises):
            yield
        record["seconds"] += time.monotonic() - began
        self.judge.keep(record)
        self.put(record)

    def put(self, record: Record) -> None:
        """Write a trial to the journal, and show it."""
        record["elapsed"] = self.elapsed()
        new = len(record["rungs"]) - len(record["rungs_elapsed"])
        record["rungs_elapsed"] = [*record["rungs_elapsed"], *[record["elapsed"]] * new]
        self.journal.put(record)
        self.progress.end(record)
        began = time.monotonic()
        self.track()
        self.track_seconds = max(self.track_seconds, time.monotonic() - began)

    def first_seconds(self) -> float:
        """Return the seconds that a first network takes at least."""
        return float(self.estimator.first_seconds(*self.splits[0][1][0]))

    def given_limit(self) -> float:
        """Return the seconds that the user lets one fit take; infinite without a limit."""
        limit = self.estimator.get_params(deep=False).get("time_limit")
        return math.inf if limit is None else float(limit)


def without_validation(estimator: Searchable) -> dict[str, Any]:
    """Return the parameters with which a trial trains on its whole training set: the search has windows of its own to judge it.

    Conformal prediction needs a validation set, which stays.
    """
    params = estimator.get_params(deep=False)
    return {} if params.get("conformal") or "validation_size" not in params else {"validation_size": 0}
