"""The search: a scikit-learn meta-estimator."""

import logging
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, SkipValidation
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.exceptions import NotFittedError

from lstmzoo.contracts import Data, Pausable, Searchable, Settling, check_contract, missing_methods
from lstmzoo.errors import ConfigError, UnknownNameError, arg
from lstmzoo.estimators import hand_over
from lstmzoo.mlflow.defaults import Status
from lstmzoo.outputs import check_folder, check_picture
from lstmzoo.records import (
    Record,
    best_record,
    is_network,
    is_untrained,
    margin_between,
    params_of,
    winning_record,
)
from lstmzoo.tuning._base import SEARCHERS, Run, without_validation
from lstmzoo.tuning.delegation import WinnerMethods
from lstmzoo.tuning.folds import check_cv, make_folds
from lstmzoo.tuning.journal import Journal
from lstmzoo.tuning.leaderboard import cv_results, leaderboard
from lstmzoo.tuning.progress import show_progress
from lstmzoo.tuning.scoring import defined_scorer, described, make_scorer
from lstmzoo.tuning.space import make_space, search_identity, select_models
from lstmzoo.tuning.track import check_names, make_tracker, track_outcome, track_winner, trials_apart
from lstmzoo.tuning.trainable import check_any_succeeded, check_trainable
from lstmzoo.tuning.trials import said_once
from lstmzoo.values import check_params

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

_BASELINES = 1 / 3  # share of the time limit that baselines take at most, but for the first and a last one
_logger = logging.getLogger(__name__)


class ZooSearchCV(WinnerMethods, MetaEstimatorMixin, BaseEstimator):
    """Find the best model and hyperparameters for a data set.

    Candidates are trained and scored on held-out data, as are the task's baselines; ``oracle`` says in which order. The best of
    them, and baselines, may be averaged in an ensemble. The winner is trained again on all data if there is time. If there is no
    ensemble with a network, and no network beats the best baseline by more than chance, that baseline, or an ensemble of
    baselines, is the winner, and a warning is logged.

    Args:
        estimator: An estimator of any task. Settings in its ``hyperparameters`` are not searched.
        models: Names or shell patterns of zoo entries, with or without the task.
        max_trials: Networks to train. If there are more models, some are never tried, and a warning is logged.
            ``max_trials``, ``time_limit`` or both are required.
        time_limit: Seconds of the whole search, including the refit. Trials share it; a trial for which too little time is
            left is not started.
        oracle: ``halving``, which tries a portfolio of settings and pauses trainings: the better third of each rung is continued;
            ``random``; ``bayesian``, a Gaussian process over the scores so far; or ``hyperband``, which trains many
            networks for a few epochs, and the better ones again for more.
        cv: Number of held-out windows, one after the other in time; the trials train on all that is before them. If None,
            ``halving`` takes as many as cost little, and the other oracles take one. Or a splitter of scikit-learn, or an
            iterable of (train, test) indices; then each trial is trained once per fold. Indices are those of texts, of pairs of
            sentences, or of time steps, which are aligned at the ends of the series.
        scoring: None for the estimator's ``score``; the name of a metric that its ``score`` takes, such as ``mae``, ``crps``,
            ``perplexity_word`` or ``chrf``; or a function ``(estimator, *data) -> float``. Greater is better: errors are negated.
        search_space: Ranges by setting, in the form of a zoo entry's YAML, that replace or extend the entries'; None removes
            a setting from the search.
        directory: Directory of the journal. With the same directory, an interrupted search is resumed, and a finished one is
            extended if it gets more trials or time. By default a temporary one, removed at the end of a successful search.
        experiment: MLflow experiment. MLflow is used if this or one of the next two is given.
        tracking_uri: MLflow store.
        registered_model_name: Register the winner in MLflow under this name.
        error_score: Whether a failing network ends the search with its exception (``raise``), or is a row with its error (nan).
        refit: Whether to train the winner on all data, if there is time.
        ensemble_size: Most members of the ensemble that ``halving`` chooses among the trials and baselines, if it is better than
            each of them; 1 for no ensemble. Estimators whose predictions cannot be averaged have none.
        allow_worse_than_baseline: Whether the best network wins whatever the baselines' scores. Otherwise it has to beat the best
            baseline by more than one standard error of their difference; an ensemble just has to beat it.
        random_state: Seed of the search. An estimator without a ``random_state`` gets one for each trial.
        verbose: 0 for silence, 1 for a live table, or for lines without a terminal.

    Attributes:
        best_estimator_: The winner, trained on all data if there was time; otherwise as it was in its trial.
        best_params_: The winner's model and hyperparameters; of an ensemble, ``members``: weights by trial.
        best_score_: The winner's held-out score.
        scorer_: The function ``(estimator, *data) -> float`` that scored the trials; ``scorer_.scoring`` is the metric, None for
            the estimator's ``score``.
        n_splits_: Number of held-out windows.
        multimetric_: False, as one score decides.
        best_index_: The winner's index in ``cv_results_``.
        cv_results_: Arrays by name, as in scikit-learn's searches.
        leaderboard_: A frame, the winner first, the others by score: ``rank``, ``model``, ``score``, ``seconds``, ``parameters``,
            ``epochs``, ``trial``, ``status``, ``error``.
        records_: The rows of the journal: each trial with hyperparameters, history, and traceback if it failed.
        directory_: Directory of the journal; None if it was temporary and is removed.
        refit_time_: Seconds of the refit.
        mlflow_run_id_: The search's run in MLflow; None without MLflow.
        model_uri_: The winner's URI in MLflow; None without MLflow.

    Examples:
        >>> import numpy as np
        >>> from lstmzoo import Forecaster
        >>> y = 10 + np.sin(np.arange(120) * np.pi / 6)
        >>> forecaster = Forecaster(horizon=6, hyperparameters={"epochs": 1, "units": 4})
        >>> search = ZooSearchCV(forecaster, ["gru"], max_trials=1, random_state=0, verbose=0).fit(y)
        >>> search.predict().shape
        (6,)
    """

    def __init__(
        self,
        estimator: SkipValidation[Searchable],
        models: str | Iterable[str] = "*",
        *,
        max_trials: Annotated[int, Field(gt=0)] | None = None,
        time_limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
        oracle: str = "halving",
        cv: Any = None,
        scoring: Any = None,
        search_space: Mapping[str, Any] | None = None,
        directory: str | Path | None = None,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        registered_model_name: str | None = None,
        error_score: float | str = math.nan,
        refit: bool = True,
        ensemble_size: Annotated[int, Field(gt=0)] = 4,
        allow_worse_than_baseline: bool = False,
        random_state: Annotated[int, Field(ge=0)] | None = None,
        verbose: int = 1,
    ) -> None:
        self.estimator = estimator
        self.models = models
        self.max_trials = max_trials
        self.time_limit = time_limit
        self.oracle = oracle
        self.cv = cv
        self.scoring = scoring
        self.search_space = search_space
        self.directory = directory
        self.experiment = experiment
        self.tracking_uri = tracking_uri
        self.registered_model_name = registered_model_name
        self.error_score = error_score
        self.refit = refit
        self.ensemble_size = ensemble_size
        self.allow_worse_than_baseline = allow_worse_than_baseline
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, *data: Any) -> "ZooSearchCV":
        """Search, and train the winner on all data.

        Args:
            data: The arguments of the estimator's ``fit``.

        Raises:
            ConfigError: If a parameter or range is invalid, or the directory is in use or belongs to another search.
            UnknownNameError: If a model, a key of the search space, a metric or an oracle is unknown.
            DataError: If the estimator refuses the data.
            LstmzooError: If every trial failed; the message has the first error.
            KeyboardInterrupt: If interrupted; the journal has every trial that ended.
        """
        run = self._begin(data)
        status: Status = "FAILED"
        try:
            with trials_apart(), said_once():
                check_trainable(run.first_estimators(), run.splits[0][0], run.data)
                try:
                    self._search(run)
                finally:
                    self._summarize(run.journal)
                check_any_succeeded(self.records_, run.configured, run.data)
                if self.refit:
                    self._refit(run)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            _logger.warning("interrupted; fit with directory=%r resumes it", str(run.journal.directory))
            raise
        except Exception as error:
            if run.journal.records:
                error.add_note(
                    f"The trials are kept: fit with directory={str(run.journal.directory)!r} resumes the search."
                )
            raise
        finally:
            self._end(run, status)
        return self

    def plot(self, path: str | Path | None = None) -> "Figure":
        """Draw the scores of the trials over time by architecture, the baselines as lines, and the best so far.

        Args:
            path: File for the figure, in the format of its suffix; not saved if None.

        Raises:
            NotFittedError: If the search is not fitted.
            ConfigError: If the suffix is unknown, or the file cannot be written.
        """
        if not hasattr(self, "records_"):
            raise NotFittedError("this ZooSearchCV is not fitted yet: call fit first")
        if path is not None:
            check_picture(path)
        from lstmzoo.tuning.plot import plot_search

        return plot_search(self.records_, path)

    def _begin(self, data: Data) -> Run:
        began = time.monotonic()
        for learned in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, learned)
        self._check_params()
        self.scorer_ = make_scorer(self.estimator, self.scoring)
        configs = select_models(self.estimator.task, self.models)
        unread, data = data, self.estimator.read_once(*data)
        splits, cv = make_folds(self.estimator, self.cv, data, rolling=self.oracle == "halving")
        self.scorer_ = defined_scorer(self.scorer_, self.estimator, splits)
        self.multimetric_ = False
        self.n_splits_ = sum(len(windows) for _, windows in splits)
        estimator: Any = self.estimator
        if not missing_methods(estimator, Settling):
            estimator = estimator.settled(*splits[-1][0])
        space = make_space(estimator, configs, self.search_space or {}, self.estimator.read_once(*splits[0][0]))
        settings = {
            "oracle": self.oracle, "cv": cv, "scoring": described(self.scoring), "random_state": self.random_state,
        }  # fmt: skip
        identity = search_identity(self.estimator, space, data, **settings)
        seed = int(np.random.SeedSequence(self.random_state).generate_state(1, np.uint64)[0])
        journal = Journal(self.directory, identity, seed)
        run = Run(
            estimator, unread, data, space, journal, splits, self.scorer_, began - journal.elapsed,
            math.inf if self.time_limit is None else self.time_limit, self.refit,
            self.ensemble_size if self.oracle == "halving" else 1, self.allow_worse_than_baseline,
        )  # fmt: skip
        run.raises = self.error_score == "raise"
        run.track = lambda: self._track(run, "RUNNING")
        run.searcher = SEARCHERS[self.oracle](run, self.max_trials)
        if self._tracked:
            where = {"experiment": self.experiment, "tracking_uri": self.tracking_uri}
            run.tracker = make_tracker(journal.header, task=self.estimator.task, **where)
        return run

    @property
    def _tracked(self) -> bool:
        return any(option is not None for option in (self.experiment, self.tracking_uri, self.registered_model_name))

    def _check_params(self) -> None:
        check_contract(self.estimator, Searchable)
        if self.max_trials is None and self.time_limit is None:
            raise ConfigError(
                f"give {arg('max_trials')}, {arg('time_limit')}, or both: otherwise the search would never end"
            )
        check_params(self)
        if self.oracle not in SEARCHERS:
            raise UnknownNameError(arg("oracle"), self.oracle, SEARCHERS)
        if self.oracle == "halving":
            check_contract(self.estimator, Pausable)
            self._check_patience()
        check_cv(self.cv)
        if self.error_score != "raise" and not (isinstance(self.error_score, float) and math.isnan(self.error_score)):
            raise ConfigError(f"{arg('error_score')}: expected 'raise' or nan, got {self.error_score!r}")
        if self.directory is not None:
            check_folder(self.directory, arg("directory"))
        if self._tracked:
            check_names(experiment=self.experiment, registered_model_name=self.registered_model_name)

    def _check_patience(self) -> None:
        if (self.search_space or {}).get("patience") is not None and without_validation(self.estimator):
            raise ConfigError(
                f"{arg('search_space')}: 'patience' has no effect with {arg(oracle='halving')}, whose trials have no validation "
                f"set to stop at: leave it out, or pass another {arg('oracle')}"
            )

    def _search(self, run: Run) -> None:
        records = list(run.journal.records)
        progress = show_progress(
            run.elapsed, time_limit=self.time_limit, max_trials=self.max_trials, records=records, best=self._winning,
            verbose=self.verbose,
        )  # fmt: skip
        with progress as run.progress:
            self._score_baselines(run)
            run.searcher.search()

    def _score_baselines(self, run: Run) -> None:
        """Score the baselines, as long as another one as slow as the slowest fits into their share of the time."""
        done = {r["model"]: r["score"] for r in run.journal.records if r["baseline"]}
        left_out, spent, slowest = list[str](), 0.0, 0.0
        for name, baseline in run.estimator.baselines().items():
            if name in done:
                continue
            scored = any(score is not None for score in done.values())
            if scored and spent + slowest > _BASELINES * run.time_limit:
                left_out.append(name)
                continue
            record, began = run.new_record(name, {}, baseline=True), run.elapsed()
            run.whole(record, baseline)
            seconds = run.elapsed() - began
            done[name], spent, slowest = record["score"], spent + seconds, max(slowest, seconds)
        if left_out:
            _logger.info("no time for the baselines %s", ", ".join(left_out))

    def _summarize(self, journal: Journal) -> None:
        self.records_ = journal.records
        self.directory_: Path | None = journal.directory
        self.cv_results_ = cv_results(journal.records)
        best = self._winning(journal.records)
        self.leaderboard_: pd.DataFrame = leaderboard(journal.records, best)
        if best is not None:
            self.best_index_ = best["number"] - 1
            self.best_score_ = best["score"]
            self.best_params_ = params_of(best)

    def _refit(self, run: Run) -> None:
        best = self.records_[self.best_index_]
        began = time.monotonic()
        if is_untrained(best, self.records_):
            self._warn_of_baseline(best)
        if best["baseline"]:
            self.best_estimator_: Any = run.estimator.baselines()[best["model"]].fit(*run.data)
        else:
            verbose = self.estimator.get_params(deep=False).get("verbose", 0) if self.verbose else 0
            highest = best_record([r for r in self.records_ if is_network(r)])
            if is_network(best) and highest is not None and highest is not best:
                _logger.info(
                    "trial %d wins: trial %d is better by less than one standard error, and has more weights",
                    best["number"], highest["number"],
                )  # fmt: skip
            self.best_estimator_ = run.searcher.winner(best, verbose)
            if self.oracle == "halving" and not best["members"]:
                hand_over(self.best_estimator_)
        self.refit_time_ = time.monotonic() - began

    def _winning(self, records: list[Record]) -> Record | None:
        return winning_record(records, allow_worse_than_baseline=self.allow_worse_than_baseline)

    def _warn_of_baseline(self, best: Record) -> None:
        network = best_record([r for r in self.records_ if not is_untrained(r, self.records_)])
        if network is None:
            return  # said already: there was no time, or too little data
        name = f"the baseline {best['model']}" if best["baseline"] else "the ensemble of baselines"
        margin, error = margin_between(network, best)
        if margin > 0:
            _logger.warning(
                "the network %s beats %s by %.3g, but the standard error of that difference is %.3g, so that %s is the winner; "
                "allow_worse_than_baseline=True keeps the network", network["model"], name, margin, error, name,
            )  # fmt: skip
            return
        short = sum(r["epochs"] == 1 and is_network(r) for r in self.records_)
        advice = f"; {short} of the trials had time for one epoch only: give more time, or fewer models"
        hint = advice if self.time_limit is not None and short else ""
        _logger.warning("no network beat %s, which is the winner%s", name, hint)

    def _end(self, run: Run, status: Status) -> None:
        discard = run.journal.is_temporary and status == "FINISHED"
        try:
            self._track(run, status)
        finally:
            run.journal.close(discard=discard)
        if discard:
            self.directory_ = None

    def _track(self, run: Run, status: Status) -> None:
        self.mlflow_run_id_: str | None = None
        self.model_uri_: str | None = None
        if run.tracker is None:
            return
        sent = [r for r in run.journal.records if status != "RUNNING" or run.searcher.is_settled(r)]
        self.mlflow_run_id_ = run.tracker.update(sent, status)
        if status == "RUNNING" or self.mlflow_run_id_ is None or not run.journal.records:
            return
        header, records = run.journal.header, run.journal.records
        won = status == "FINISHED" and self.refit
        from lstmzoo.tuning.plot import plot_search

        track_outcome(
            self.mlflow_run_id_, records, header=header, task=self.estimator.task, data=run.unread,
            best=self._winning(records), leaderboard=self.leaderboard_, figure=plot_search(records),
            winner=self.best_estimator_ if won else None, refit_seconds=self.refit_time_ if won else None,
            limits={"max_trials": self.max_trials, "time_limit": self.time_limit}, tracking_uri=self.tracking_uri,
        )  # fmt: skip
        if won:
            self.model_uri_ = track_winner(
                self.best_estimator_, records[self.best_index_], header=header, parent_run_id=self.mlflow_run_id_,
                registered_model_name=self.registered_model_name, tracking_uri=self.tracking_uri,
            )  # fmt: skip
