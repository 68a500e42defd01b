"""The ensemble of a search: its row, and the winner that is built from it."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from lstmzoo.estimators import unshare
from lstmzoo.records import Record
from lstmzoo.tuning._base import Run

MODEL = "ensemble"  # name of the row
_logger = logging.getLogger(__name__)


def ensemble_seconds(run: Run, members: Sequence[Record]) -> float:
    """Return the seconds that an ensemble takes to be scored; 0 if its score follows from what the members predicted.

    Args:
        run: The search.
        members: The trials.
    """
    if not _has_ensembles(run) or run.judge.is_exact:
        return 0.0
    return sum(max(run.first_seconds(), member["score_seconds"] or 0.0) for member in members)


def add_ensemble(run: Run, own: Callable[[Record], Any]) -> None:
    """Choose an ensemble of the trials and baselines; if it has several members, it gets a record.

    The record of an earlier ensemble becomes that of the new one. It fails if there is none, or no time to choose it while trials
    are newer than the earlier one.

    Args:
        run: The search.
        own: Returns the fitted estimator of a trial, with a network of the trial's own.
    """
    began = time.perf_counter()
    singles = {r["number"]: r for r in run.journal.records if r["score"] is not None and not r["members"]}

    def fitted(record: Record) -> Any:
        return run.baseline(record) if record["baseline"] else own(record)

    if not _has_ensembles(run):
        drop_ensemble(run, "this search has no ensembles")
        return
    chosen = run.judge.choose(list(singles.values()), run.ensemble_size, fitted, lambda: run.elapsed() < run.time_limit)
    members = [] if chosen is None else [singles[number] for number in chosen.weights]
    late = run.elapsed() + ensemble_seconds(run, members) >= run.time_limit
    if late and not (chosen and run.judge.is_exact):
        _logger.info("no time to choose and score an ensemble")
        there, latest = _ensemble(run), max((r["elapsed"] for r in singles.values()), default=0.0)
        if there is not None and (len(there["members"]) > run.ensemble_size or latest > there["elapsed"]):
            drop_ensemble(run, "there was no time to choose it anew")
        return
    if chosen is None:
        drop_ensemble(run, "a single model is better")
        return
    scores = chosen.scores
    if not run.judge.is_exact:
        ensemble = run.estimator.ensemble([fitted(r) for r in members], list(chosen.weights.values()))
        scores = run.scorer.scores(ensemble, run.splits[-1][1], run.estimator)
    mean = sum(scores) / len(scores)
    record = _ensemble(run) or run.new_record(MODEL, {})
    record.update({
        "seed": None, "members": {str(number): weight for number, weight in chosen.weights.items()}, "score": mean,
        "window_scores": scores, "series_scores": chosen.series_scores, "rungs": [mean], "rungs_elapsed": [],
        "num_parameters": sum(r["num_parameters"] or 0 for r in members),
        "seconds": time.perf_counter() - began, "status": "completed", "error": None,
    })  # fmt: skip
    run.put(record)


def drop_ensemble(run: Run, why: str) -> None:
    """Let the record of an earlier ensemble fail, if there is one."""
    record = _ensemble(run)
    if record is not None:
        record.update(
            {"score": None, "window_scores": [], "rungs": [], "rungs_elapsed": [], "status": "failed", "error": why}
        )
        run.put(record)


def _has_ensembles(run: Run) -> bool:
    return run.judge.keeps_predictions and (run.judge.is_exact or len(run.splits) == 1)


def _ensemble(run: Run) -> Record | None:
    return next((r for r in run.journal.records if r["members"]), None)


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
            baseline = run.estimator.baselines()[member["model"]]
            members[number] = baseline.fit(*run.data) if anew else run.baseline(member)
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
