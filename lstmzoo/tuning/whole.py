"""A search of whole trainings: an oracle proposes, and each network is trained once."""

import logging
import math
from collections.abc import Generator
from functools import partial
from typing import Any

from lstmzoo.config import Scalar
from lstmzoo.contracts import Pausable, missing_methods
from lstmzoo.records import Record, equal_networks
from lstmzoo.tuning._base import SEARCHERS, Run
from lstmzoo.tuning.budget import planned_trials, refit_limit, trained_seconds, trial_limit
from lstmzoo.tuning.oracles import ORACLES, make_oracle, proposal_key, proposals
from lstmzoo.tuning.space import declare, decode, encode
from lstmzoo.tuning.trials import with_params

_MAX_FAILURES = 10  # in a row
_logger = logging.getLogger(__name__)
Proposal = tuple[str, dict[str, Scalar]]


class Whole:
    """A search of whole trainings: an oracle proposes networks, each of which is trained once.

    Args:
        oracle: Name of the oracle.
        run: The search.
        max_trials: Networks to train; None for no limit.
    """

    def __init__(self, oracle: str, run: Run, max_trials: int | None) -> None:
        self._oracle, self._run, self._max_trials = oracle, run, max_trials
        self._fitted: dict[int, Any] = {}  # the fitted estimators of this process by trial, of those that may win

    def search(self) -> None:
        """Train networks one after the other, until the time, the trials or the space are used up."""
        run = self._run
        if self._max_trials is not None and self._max_trials < len(run.space):
            _logger.warning("max_trials=%d of %d models: some are never tried", self._max_trials, len(run.space))
        known = {proposal_key(r["model"], r["params"]): r for r in run.journal.records if not r["baseline"]}
        proposed = self._proposals()
        candidate, tried, failures = next(proposed, None), 0, 0
        most, patience = self._max_trials or math.inf, max(_MAX_FAILURES, len(run.space))
        while candidate is not None and tried < most and failures < patience:
            record = known.get(proposal_key(*candidate))
            if record is None:
                limit = self._limit(tried)
                if limit is None:
                    return
                record = self._trial(*candidate, limit)
            tried += 1
            failures = failures + 1 if record["score"] is None else 0
            try:
                candidate = proposed.send(record["score"])
            except StopIteration:
                _logger.info("the search space is exhausted after %d trials", tried)
                return

    def is_settled(self, record: Record) -> bool:
        """Return True: each trial is trained once."""
        return True

    def winner(self, record: Record, verbose: int) -> Any:
        """Return a trial's estimator, trained again on all data, for as long as is left; without time, as it was in the trial.

        A network of an earlier process, or of an estimator without pauses, is not there: it is trained as long as it was.
        """
        run = self._run
        winner = with_params(run.estimator, **{**record["refit"], "verbose": verbose})
        if run.time_limit < math.inf:
            folds = len(run.splits)
            limit = refit_limit(record, run.left(), folds)
            if limit is None and record["number"] in self._fitted:
                _logger.info("no time to train the winner again on all data: the trial's own network is kept")
                fitted = self._fitted[record["number"]]
                fitted.continue_from(*run.data)
                return fitted
            if limit is None:
                limit = trained_seconds(record, folds)
                _logger.warning("the winner's network was not kept: it is trained again, beyond the time limit")
            winner = with_params(winner, time_limit=limit)
        return winner.fit(*run.data)

    def _proposals(self) -> Generator[Proposal, float | None, None]:
        space = self._run.space
        epochs = {model: int(part.config.settings["epochs"] or 1) for model, part in space.items()}
        oracle = make_oracle(
            self._oracle, declare(space), first=[encode(space, model, part.first) for model, part in space.items()],
            seed=self._run.seed(0), max_epochs=max(epochs.values()),
        )  # fmt: skip
        return proposals(oracle, partial(decode, space), epochs)

    def _limit(self, tried: int) -> float | None:
        """Return the seconds that the next trial may train; None if the search is over."""
        run = self._run
        if run.time_limit == math.inf:
            return math.inf
        planned = planned_trials(len(run.space), tried, self._max_trials)
        return trial_limit(
            run.journal.records, run.left(), refit=run.refit, planned=planned,
            first=run.first_seconds(),
        )  # fmt: skip

    def _trial(self, model: str, params: dict[str, Scalar], limit: float) -> Record:
        record = self._run.new_record(model, params)
        limit = min(limit, self._run.given_limit())
        time_limit = None if limit == math.inf else float(limit) / len(self._run.splits)
        fitted = self._run.whole(record, self._run.configured(record, time_limit=time_limit))
        if not missing_methods(self._run.estimator, Pausable):
            self._fitted[record["number"]] = fitted
            may_win = {r["number"] for r in equal_networks(self._run.journal.records)}
            self._fitted = {number: kept for number, kept in self._fitted.items() if number in may_win}
        return record


SEARCHERS.update({name: partial(Whole, name) for name in ORACLES})
