"""A search of whole trainings: an oracle proposes, and each network is trained once."""

import logging
import math
from collections.abc import Generator
from functools import partial

from lstmzoo.config import Scalar
from lstmzoo.records import Record
from lstmzoo.tuning._base import Run
from lstmzoo.tuning.budget import planned_trials, trial_limit
from lstmzoo.tuning.oracles import make_oracle, proposal_key, proposals
from lstmzoo.tuning.space import declare, decode, encode

_MAX_FAILURES = 10  # in a row
_logger = logging.getLogger(__name__)
Proposal = tuple[str, dict[str, Scalar]]


def search_whole(run: Run, oracle: str, max_trials: int | None) -> None:
    """Train networks one after the other, until the time, the trials or the space are used up.

    Args:
        run: The search.
        oracle: Name of the oracle.
        max_trials: Networks to train; None for no limit.
    """
    known = {proposal_key(r["model"], r["params"]): r for r in run.journal.records if not r["baseline"]}
    proposed = _proposals(run, oracle)
    candidate, tried, failures = next(proposed, None), 0, 0
    most, patience = max_trials or math.inf, max(_MAX_FAILURES, len(run.space))
    while candidate is not None and tried < most and failures < patience:
        record = known.get(proposal_key(*candidate))
        if record is None:
            limit = _limit(run, tried, max_trials)
            if limit is None:
                return
            record = _trial(run, *candidate, limit)
        tried += 1
        failures = failures + 1 if record["score"] is None else 0
        try:
            candidate = proposed.send(record["score"])
        except StopIteration:
            _logger.info("the search space is exhausted after %d trials", tried)
            return


def _proposals(run: Run, oracle: str) -> Generator[Proposal, float | None, None]:
    epochs = {model: int(part.config.settings["epochs"] or 1) for model, part in run.space.items()}
    made = make_oracle(
        oracle, declare(run.space),
        first=[encode(run.space, model, part.first) for model, part in run.space.items()], seed=run.seed(0),
        max_epochs=max(epochs.values()),
    )  # fmt: skip
    return proposals(made, partial(decode, run.space), epochs)


def _limit(run: Run, tried: int, max_trials: int | None) -> float | None:
    """Return the seconds that the next trial may train; None if the search is over."""
    if run.time_limit == math.inf:
        return math.inf
    planned = planned_trials(len(run.space), tried, max_trials)
    return trial_limit(run.journal.records, run.time_limit - run.elapsed(), refit=run.refit, planned=planned)


def _trial(run: Run, model: str, params: dict[str, Scalar], limit: float) -> Record:
    record = run.new_record(model, params)
    limit = min(limit, run.given_limit())
    return run.whole(record, run.configured(record, time_limit=None if limit == math.inf else float(limit)))
