"""Successive halving: trials are paused and compared, and the better ones are continued.

References:
    Li et al., "A System for Massively Parallel Hyperparameter Tuning" (asynchronous successive halving), MLSys 2020.
"""

import itertools
import logging
import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from lstmzoo.config import Scalar, load_portfolio
from lstmzoo.estimators import unshare
from lstmzoo.records import Record, is_network, winning_record
from lstmzoo.tuning._base import SEARCHERS, Run, without_validation
from lstmzoo.tuning.blending import add_ensemble, blended, drop_ensemble, ensemble_seconds
from lstmzoo.tuning.oracles import proposal_key
from lstmzoo.tuning.space import Space, fitting, varied
from lstmzoo.tuning.trials import ONE_STEP, Trial, full_seconds

RUNGS = (1 / 9, 1 / 3, 1.0)
_FACTOR = 3
_MAX_FAILURES = 10  # in a row
_MAX_REPEATS = 100  # in a row, after which the space counts as exhausted
_LEADERS = 3  # best trials, of which variations are tried
_LIVE = 6  # trials whose networks are in memory
_NEW = 4  # one of so many candidates after the portfolio is something new
_REFITS = 1 / 3  # share of the time limit that is kept for the refits of an ensemble's members, at most
_SAMPLE = 0.01  # share of a training after which its speed is known
_WORTH = 0.5  # share of a training on all data that is worth more than a whole one without the newest data
_logger = logging.getLogger(__name__)
Proposal = tuple[str, dict[str, Scalar]]


def next_to_continue(records: Sequence[Record]) -> Record | None:
    """Return the trial to continue: one of the best third of the highest rung that has such a trial; None if there is none.

    Args:
        records: Trials of networks. ``rungs`` has a score for each rung that was reached.
    """
    for level in reversed(range(len(RUNGS) - 1)):
        there = [r for r in records if len(r["rungs"]) > level]
        best = sorted(there, key=lambda r: (-r["rungs"][level], r["number"]))[: len(there) // _FACTOR]
        for record in best:
            if len(record["rungs"]) == level + 1 and record["error"] is None:
                return record
    return None


class Halving:
    """A search by successive halving.

    Args:
        run: The search.
        max_trials: Most trials to begin; None for no limit.
    """

    def __init__(self, run: Run, max_trials: int | None) -> None:
        self._run = run
        self._left = math.inf if max_trials is None else max_trials
        self._trials: dict[int, Trial] = {}
        self._known = {proposal_key(r["model"], r["params"]) for r in self._networks}
        self._candidates = candidates(run.space, run.task, self._leaders, self._known, run.seed(0))
        self.refits = True
        self._early = False  # whether a first rung judges the winner, which is then trained on all data to its end

    def search(self) -> None:
        """Try candidates until the time or the trials are used up; the best trial is trained to its end."""
        failures, exhausted = 0, False
        self._left -= len(self._known)
        if self._judged and all(len(r["rungs"]) <= 1 for r in self._networks):
            self._plan(self._leader, RUNGS[0])
        while failures < _MAX_FAILURES and not self._all_fail_alike():
            record = next_to_continue(self._networks)
            if record is not None and self._affords(self._cost(record)):
                self._continue(record)
                continue
            if exhausted or self._left <= 0 or not self._affords(self._cost_of_new()):
                break
            drawn = itertools.islice(self._candidates, _MAX_REPEATS)
            candidate = next((c for c in drawn if proposal_key(*c) not in self._known), None)
            if candidate is None:
                exhausted = True
                continue
            self._known.add(proposal_key(*candidate))
            self._left -= 1
            failures = 0 if self._begin(*candidate) else failures + 1
        self._finish()
        self._tell_untried()
        beginning = sum(r["begin_seconds"] or 0.0 for r in self._networks)
        _logger.info(
            "%.0f of %.0f seconds went into first steps, most of them for compilation", beginning, self._run.elapsed()
        )
        if self._early:
            drop_ensemble(self._run, "the time suffices for a single network")
        else:
            add_ensemble(self._run, self._own)

    def _tell_untried(self) -> None:
        """Log what was not tried; this is a warning if ``max_trials`` does not suffice for all models."""
        space, tried = self._run.space, {r["model"] for r in self._networks}
        missed = sum(proposal_key(*c) not in self._known for c in portfolio_of(space, self._run.task))
        models = [model for model in space if model not in tried]
        if missed or models:
            level = logging.WARNING if models and self._left <= 0 else logging.INFO
            names = f": {', '.join(models)}" if models else ""
            told = "not tried: %d settings of the portfolio, and %d of %d models%s"
            _logger.log(level, told, missed, len(models), len(space), names)

    def is_settled(self, record: Record) -> bool:
        """Return whether a trial cannot be continued: a baseline, one with an error, or one that is trained to its end.

        An ensemble is settled at the end of the search.
        """
        if record["members"]:
            return False
        return record["baseline"] or record["error"] is not None or len(record["rungs"]) == len(RUNGS)

    def winner(self, record: Record, verbose: int) -> Any:
        """Return a trial's estimator, trained again on all data if there is time; otherwise the trial's own network.

        Args:
            record: The trial.
            verbose: Whether the training is shown.
        """
        run = self._run
        if record["members"]:
            return blended(run, record, self._refitted_in_time, self._own)
        if self._refits_now(record):
            return self._refitted(record, verbose)
        trial = self.trial(record)
        trial.keep()
        trial.estimator.continue_from(*run.data)
        return trial.estimator

    def _own(self, record: Record) -> Any:
        """Return the fitted estimator of a trial, with a network that no other trial changes."""
        trial = self.trial(record)
        trial.keep()
        unshare(trial.estimator)
        return trial.estimator

    def _refitted_in_time(self, record: Record) -> Any:
        """Return a trial's estimator, trained again on all data; None if there is no time for that."""
        fits = self._refits_now(record) and self._refit_cost(record) <= self._run.remaining()
        return self._refitted(record, 0) if fits else None

    def _refit_cost(self, record: Record) -> float:
        """Seconds of training a trial again on all data, to its best rung."""
        share = RUNGS[int(np.argmax(record["rungs"]))]
        return 1.1 * self._refit_seconds(record) * share + (record["begin_seconds"] or 0.0) / 2

    def _refit_seconds(self, record: Record) -> float:
        """Seconds of one more whole training, on all data."""
        return full_seconds(record) / len(self._run.splits)

    def _refitted(self, record: Record, verbose: int) -> Any:
        run = self._run
        estimator = run.configured(record, time_limit=None, verbose=verbose, **without_validation(run.estimator))
        fit = estimator.begin_fit(*run.data, networks=run.networks)
        until = 1.0 if self._early and record["error"] is None else RUNGS[int(np.argmax(record["rungs"]))]
        remaining = max(run.remaining(), 1.0)
        start = min(record["begin_seconds"] or 0.0, remaining)  # its first step is no part of the share
        limit = min(record["limit_seconds"] or math.inf, start + (remaining - start) / until)
        if limit < math.inf:
            fit.limit(limit)
        fit.run(until)
        fit.keep()
        return estimator

    def _refits_now(self, record: Record) -> bool:
        if not self.refits:
            return False
        if self._run.estimator.newest_held_out:
            return self._run.remaining() >= _WORTH * self._refit_cost(record)
        return self._run.remaining() >= 1.1 * (record["fit_seconds"] or 0.0)

    @property
    def _reserves_refit(self) -> bool:
        return self.refits and self._run.refit and self._run.estimator.newest_held_out

    @property
    def _networks(self) -> list[Record]:
        return [r for r in self._run.journal.records if is_network(r)]

    def trial(self, record: Record) -> Trial:
        """Return a trial, begun again and brought to where it was if this process does not have it."""
        number = record["number"]
        if number not in self._trials:
            self._trials[number] = self._run.trial(record)
            if record["full_seconds"] is not None:  # otherwise only the first step was taken
                self._trials[number].run(RUNGS[len(record["rungs"]) - 1])
        return self._trials[number]

    def _begin(self, model: str, params: dict[str, Scalar]) -> bool:
        run = self._run
        record = run.new_record(model, params)
        with run.recorded(record):
            trial = self._trials[record["number"]] = run.trial(record)
            goes_on = trial.begin_seconds < run.remaining()  # another step takes less than compiling the first
            if goes_on:
                trial.sample(_SAMPLE, run.remaining() * _SAMPLE)
            if goes_on and run.remaining() < math.inf:
                self._set_limit(trial)
            trial.advance(RUNGS[0] if goes_on else ONE_STEP)
        self._let_go()
        return record["score"] is not None

    def _let_go(self) -> None:
        """Keep the networks of the best trials; the others have checkpoints."""
        scored = [r for r in self._networks if r["score"] is not None]
        best = sorted(scored, key=lambda r: (-len(r["rungs"]), -(r["score"] or 0.0)))[:_LIVE]
        numbers = {r["number"] for r in best}
        self._trials = {number: trial for number, trial in self._trials.items() if number in numbers}

    def _set_limit(self, trial: Trial) -> None:
        """Bound the training so that one like it can end in time."""
        remaining, full = self._run.remaining(), trial.full_seconds
        if not self._judged:
            self._plan(trial.record, 0.0)
            if not self._early and 1.1 * full > remaining:
                trial.limit_rest(max(0.9 * remaining, 0.1))
            return
        most = max(2 * full_seconds(self._judged[0]), remaining / 4)
        if full > most:
            trial.limit_rest(most)

    def _plan(self, record: Record, done: float) -> None:
        """Decide what the time is spent on if it suffices for one training only.

        Args:
            record: The first trial, or the best one of a resumed search.
            done: Share of its training that is over.
        """
        remaining, full, again = self._run.remaining(), full_seconds(record), self._refit_seconds(record)
        if full * (1 - done) + 1.2 * again <= remaining:
            return
        left = remaining - (RUNGS[0] - done) * full - (record["begin_seconds"] or 0.0)
        self._early = self._reserves_refit and left > _WORTH * again
        self.refits = self._early
        _logger.info(
            "time for one training: %s",
            "the best first rung is trained on all data" if self._early else "the trial's own network is kept",
        )

    def _continue(self, record: Record) -> None:
        with self._run.recorded(record):
            self.trial(record).advance(RUNGS[len(record["rungs"])])

    def _finish(self) -> None:
        """Train the best trial to its end; then the next best, if that has become the best."""
        while True:
            records = [r for r in self._networks if r["score"] is not None]
            best = max(records, key=lambda r: (r["score"] or 0.0, -r["number"]), default=None)
            if best is None or self.is_settled(best):
                return
            if self._early:
                allowed = self._run.allow_worse_than_baseline
                winner = winning_record(self._run.journal.records, allow_worse_than_baseline=allowed)
                if winner is not None and is_network(winner):
                    return
                self._early = self.refits = False
            if self._run.remaining() <= 0 or not self._fits(best):
                return
            self._continue(best)

    def _fits(self, record: Record) -> bool:
        """Shorten or lengthen the rest of a trial's training so that it ends in time; return whether that is worth it."""
        if self._run.remaining() == math.inf:
            return True
        if self._cost_of_restoring(record) >= self._run.remaining() or record["full_seconds"] is None:
            return False  # a step is too long, or its speed is not known
        trial, later = self.trial(record), len(RUNGS) - len(record["rungs"])
        left = self._run.remaining() - later * (record["score_seconds"] or 0.0) - self._ensemble_seconds()
        shortened = trial.limited < math.inf or trial.full_seconds * (1 - RUNGS[-later - 1]) > left
        if not self._reserves_refit and shortened and left > 0:
            trial.limit_rest(left)
        elif self._run.remaining() <= self._cost(record):
            if later < len(RUNGS) - 1 or left <= 0:
                return False
            trial.limit_rest(left)
        return True

    def _cost(self, record: Record) -> float:
        """Seconds until a trial's next rung."""
        level = len(record["rungs"])
        training = full_seconds(record) * (RUNGS[level] - RUNGS[level - 1])
        return self._cost_of_restoring(record) + training + (record["score_seconds"] or 0.0)

    def _cost_of_restoring(self, record: Record) -> float:
        return 0.0 if record["number"] in self._trials else record["begin_seconds"] or 0.0

    def _cost_of_new(self) -> float:
        start = max((r["begin_seconds"] or 0.0 for r in self._networks), default=0.0)
        if not self._judged:
            return max(self._run.first_seconds(), 2 * start)
        return start + full_seconds(self._judged[0]) * RUNGS[0]

    def _affords(self, seconds: float) -> bool:
        """Whether, after so many seconds, the best trial can still be trained to its end, and again on all data."""
        return seconds <= self._run.remaining() - self._reserve()

    @property
    def _judged(self) -> list[Record]:
        """The trials that have a score and a speed: more than a first step was taken."""
        return [r for r in self._networks if r["score"] is not None and r["full_seconds"] is not None]

    @property
    def _leader(self) -> Record:
        return max(self._judged, key=lambda r: r["score"] or 0.0)

    def _reserve(self) -> float:
        if not self._judged:
            return 0.0
        best = self._leader
        rest = 0.0 if self._early or best["error"] else 1 - RUNGS[len(best["rungs"]) - 1]
        training = full_seconds(best) * rest + self._cost_of_restoring(best)
        scores = 2 * (best["score_seconds"] or 0.0) + self._ensemble_seconds()
        return training + scores + self._reserve_of_refits(best)

    def _ensemble_seconds(self) -> float:
        """Seconds to score an ensemble of the best trials."""
        scored = sorted((r for r in self._networks if r["score"] is not None), key=lambda r: -(r["score"] or 0.0))
        best = scored[: self._run.ensemble_size]
        return ensemble_seconds(self._run, best) if len(best) > 1 and not self._early else 0.0

    def _reserve_of_refits(self, best: Record) -> float:
        """Seconds to train the best trial again, and other likely members of an ensemble, but for these not all of the time."""
        if not self._reserves_refit:
            return 0.0
        alone = 1.1 * self._refit_seconds(best) + (best["begin_seconds"] or 0.0) / 2
        if self._early:
            return alone
        others = sorted((r for r in self._judged if r is not best), key=lambda r: -(r["score"] or 0.0))
        together = alone + sum(self._refit_cost(r) for r in others[: self._run.ensemble_size - 1])
        return max(alone, min(together, _REFITS * self._run.time_limit))

    def _all_fail_alike(self) -> bool:
        """Whether the data, and not the candidates, are the reason of failures."""
        errors = [r["error"] if r["score"] is None else None for r in self._networks]
        return len(errors) > 1 and None not in errors and len(set(errors)) == 1

    def _leaders(self) -> list[Proposal]:
        scored = [r for r in self._networks if r["score"] is not None]
        best = sorted(scored, key=lambda r: (-(r["score"] or 0.0), r["number"]))[:_LEADERS]
        return [(r["model"], r["params"]) for r in best]


def portfolio_of(space: Space, task: str) -> list[Proposal]:
    """Return the models and hyperparameters of a task's portfolio, as far as a space allows."""
    return [(c.model, fitting(space[c.model], c)) for c in load_portfolio(task) if c.model in space]


def candidates(
    space: Space, task: str, leaders: Callable[[], list[Proposal]], known: set[str], seed: int
) -> Generator[Proposal, None, None]:
    """Yield models with their hyperparameters: the portfolio, then variations of the leaders and, now and then, something new.

    A candidate depends on the trials so far and on how many repeats were drawn since the last one, so that a resumed search draws
    the same.

    Args:
        space: The search space.
        task: The task, which has a portfolio.
        leaders: Returns the best models so far with their hyperparameters.
        known: The :func:`proposal_key` of each candidate that was tried so far; the caller adds to it.
        seed: Seed of the variations.
    """
    portfolio = portfolio_of(space, task)
    yield from portfolio
    named, planned = {model for model, _ in portfolio}, {proposal_key(*candidate) for candidate in portfolio}
    others = [(model, dict(part.first)) for model, part in space.items() if model not in named]
    searched = [model for model, part in space.items() if part.ranges]
    drawn, repeats = -1, 0
    while True:
        before, drawn = drawn, len(known - planned)
        repeats = repeats + 1 if drawn == before else 0
        turn, rng = drawn + repeats, np.random.default_rng([seed, drawn, repeats])
        untried = [candidate for candidate in others if proposal_key(*candidate) not in known]
        if untried and turn % _NEW == 0:
            yield untried[0]
            continue
        best = [(model, params) for model, params in leaders() if model in searched]
        if best and (untried or turn % _NEW):
            model, params = best[rng.integers(len(best))]
            yield model, varied(space[model], params, rng, most=2)
        elif searched:
            model = str(rng.choice(searched))
            yield model, varied(space[model], {}, rng, most=len(space[model].ranges))
        elif not untried:
            return


SEARCHERS["halving"] = Halving
