"""The ensemble of a search: its row, and the winner that is built from it."""

import logging
import time
from collections.abc import Callable
from typing import Any

from lstmzoo.estimators import unshare
from lstmzoo.records import Record
from lstmzoo.tuning._base import Run

MODEL = "ensemble"  # name of the row
_logger = logging.getLogger(__name__)


def add_ensemble(run: Run, own: Callable[[Record], Any]) -> None:
    """Choose an ensemble of the trials and baselines; if it has several members, it gets a record.

    Args:
        run: The search.
        own: Returns the fitted estimator of a trial, with a network of the trial's own.
    """
    began = time.perf_counter()
    singles = [r for r in run.journal.records if r["score"] is not None and not r["members"]]

    def fitted(record: Record) -> Any:
        return _fitted(run, record) if record["baseline"] else own(record)

    chosen = run.judge.choose(singles, run.ensemble_size, fitted)
    if chosen is None or (not run.judge.is_exact and len(run.splits) > 1):
        return
    there = next((r for r in run.journal.records if r["members"]), None)
    record = run.new_record(MODEL, {}) if there is None else there
    members = [next(r for r in singles if r["number"] == number) for number in chosen.weights]
    scores = chosen.scores
    if not run.judge.is_exact:
        ensemble = run.estimator.ensemble([fitted(r) for r in members], list(chosen.weights.values()))
        scores = run.scorer.scores(ensemble, run.splits[-1][1], run.estimator)
    mean = sum(scores) / len(scores)
    record.update({
        "seed": None, "members": {str(number): weight for number, weight in chosen.weights.items()}, "score": mean,
        "window_scores": scores, "series_scores": chosen.series_scores, "rungs": [mean],
        "rungs_elapsed": [],
        "num_parameters": sum(r["num_parameters"] or 0 for r in members),
        "seconds": time.perf_counter() - began, "status": "completed",
    })  # fmt: skip
    run.put(record)


def blended(run: Run, record: Record, refitted: Callable[[Record], Any], own: Callable[[Record], Any]) -> Any:
    """Return the fitted ensemble of a record, on all data.

    Members of texts stay as they were in the search: trained again, some would have another vocabulary.

    Args:
        run: The search.
        record: The ensemble's record.
        refitted: Returns the estimator of a trial, trained again on all data; None if there is no time for that.
        own: Returns the fitted estimator of a trial, with a network of the trial's own.
    """
    by_number = {str(r["number"]): r for r in run.journal.records}
    members, again, anew = {}, [], run.estimator.newest_held_out
    for number in sorted(record["members"], key=lambda n: (-record["members"][n], int(n))):
        member = by_number[number]
        if member["baseline"]:
            data = run.data if anew else run.splits[-1][0]
            members[number] = run.estimator.baselines()[member["model"]].fit(*data)
            continue
        estimator = refitted(member) if anew else None
        if estimator is None:
            estimator = own(member)
            estimator.continue_from(*run.data)
        else:
            unshare(estimator)
            again.append(number)
        members[number] = estimator
    _logger.info(
        "the winner is an ensemble of the trials %s; trained again on all data: %s",
        ", ".join(f"{n} ({record['members'][n]:.2g})" for n in members), ", ".join(again) or "none",
    )  # fmt: skip
    return run.estimator.ensemble(list(members.values()), [record["members"][n] for n in members])


def _fitted(run: Run, record: Record) -> Any:
    """Return a baseline, fitted on the training set of the search."""
    return run.estimator.baselines()[record["model"]].fit(*run.splits[-1][0])
