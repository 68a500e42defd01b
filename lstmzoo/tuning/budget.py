"""How the time of a search is shared out among trials and the refit."""

import statistics

from lstmzoo.tuning._base import Record, best_record

_REFIT = 1.3  # a refit has more data than the trial that won
_LEAST = 10.0  # seconds; much less is spent on compiling
_ROUNDS = 4  # where the number of trials is open, none takes more than this part of what is left


def planned_trials(models: int, tried: int, max_trials: int | None) -> int | None:
    """How many trials are to come: first one for each model, then what ``max_trials`` allows; None if that is open."""
    left = None if max_trials is None else max_trials - tried
    unseen = models - tried
    return min(unseen, left or unseen) if unseen > 0 else left


def trial_limit(records: list[Record], remaining: float, *, refit: bool, planned: int | None) -> float | None:
    """Seconds that the next trial may train; None if there is no fair chance left for one.

    The winner so far keeps the time of its refit in reserve; and as the next trial may win, the time of its own
    refit has to remain as well. So has the time that trials take before and after training, scoring above all. Of the rest,
    a trial gets an equal share; where the number of trials is open, twice the usual time if that is more.

    Args:
        records: Trials so far.
        remaining: Seconds until the search ends.
        refit: Whether the winner is trained anew.
        planned: Trials to come; None if that is open.

    Examples:
        >>> trial_limit([], 600, refit=False, planned=10)
        60.0
        >>> trial_limit([], 0, refit=False, planned=10) is None
        True
    """
    networks = [r for r in records if not r["baseline"] and r["score"] is not None]
    best = best_record(records) if networks else None
    usual = statistics.median(r["seconds"] - _untrained(r) for r in networks) if networks else 0.0
    beside = max((_untrained(r) for r in networks), default=0.0)
    factor = _REFIT if refit else 0.0
    pool = remaining - (factor * _fit_seconds(best) if best else 0.0)
    most = min(pool - beside, (remaining - beside) / (1 + factor))
    if most <= 0.5 * usual:
        return None
    shares = (_ROUNDS if planned is None else max(planned, 1)) + (0.0 if best else factor)
    fair = max(pool / shares - beside, _LEAST)
    return min(most, fair if planned is not None else max(fair, 2 * usual))


def refit_limit(best: Record, remaining: float) -> float:
    """Seconds that the refit of the winner may train: what remains, but not less than its trial trained.

    Args:
        best: The winner's trial.
        remaining: Seconds until the search ends.
    """
    beside = _untrained(best) - (best["score_seconds"] or 0.0)
    return max(remaining - beside, best["seconds"] - _untrained(best))


def _untrained(record: Record) -> float:
    """Seconds of a trial that its training did not take: scoring, and what ``fit`` does before and after its epochs."""
    if record["history"] and all("seconds" in row for row in record["history"]):
        return max(record["seconds"] - sum(row["seconds"] for row in record["history"]), 0.0)
    return record["score_seconds"] or 0.0


def _fit_seconds(record: Record) -> float:
    return record["seconds"] - (record["score_seconds"] or 0.0)
