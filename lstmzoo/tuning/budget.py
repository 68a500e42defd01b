"""How the time of a search is divided among the trials and the refit."""

import statistics

from lstmzoo.records import Record, best_record

_REFIT = 1.3  # a refit takes so many times as long as the winning trial: it has more data
_LEAST = 10.0  # seconds; a shorter trial would mostly compile
_WORTH = 0.5  # a refit of a smaller share of the winner's training is worth less than the winner itself
_ROUNDS = 4  # without a known number of trials, each gets a fourth of the remaining time


def planned_trials(models: int, tried: int, max_trials: int | None) -> int | None:
    """Return the number of trials still to run: first one per model, then up to ``max_trials``; None without such a limit."""
    left = None if max_trials is None else max_trials - tried
    unseen = models - tried
    return min(unseen, left or unseen) if unseen > 0 else left


def trial_limit(
    records: list[Record], remaining: float, *, refit: bool, planned: int | None, first: float = 0.0
) -> float | None:
    """Return the seconds that the next trial may train; None if too little time is left for one.

    Time is reserved for the refit of the best trial so far. As the next trial may win, time for its own refit has to
    remain too, and for the work of trials before and after training, mainly scoring. A trial gets an equal share of the
    rest; without a known number of trials, at least twice the usual time.

    Args:
        records: Trials so far.
        remaining: Seconds until the search ends.
        refit: Whether the winner is refitted.
        planned: Trials still to run; None if the number is unknown.
        first: Seconds that a first network takes at least.

    Examples:
        >>> trial_limit([], 600, refit=False, planned=10)
        60.0
        >>> trial_limit([], 0, refit=False, planned=10) is None
        True
    """
    networks = [r for r in records if not r["baseline"] and r["score"] is not None]
    if not networks and remaining < first:
        return None
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


def refit_limit(best: Record, remaining: float, folds: int = 1) -> float | None:
    """Return the seconds that the refit may train; None if fewer than half of those of the winning trial are left.

    Args:
        best: The winning trial.
        remaining: Seconds until the search ends.
        folds: How many networks the trial trained.
    """
    trained = trained_seconds(best, folds)
    left = remaining - max(_fit_seconds(best) / folds - trained, 0.0)
    return left if left >= _WORTH * trained else None


def trained_seconds(record: Record, folds: int = 1) -> float:
    """Return the seconds that a trial trained its last network."""
    if record["history"] and all("seconds" in row for row in record["history"]):
        return sum(row["seconds"] for row in record["history"])
    return _fit_seconds(record) / folds


def _untrained(record: Record) -> float:
    """Return the seconds of a trial that were not training: scoring, and the work of ``fit`` around its epochs."""
    if record["history"] and all("seconds" in row for row in record["history"]):
        return max(record["seconds"] - sum(row["seconds"] for row in record["history"]), 0.0)
    return record["score_seconds"] or 0.0


def _fit_seconds(record: Record) -> float:
    return record["seconds"] - (record["score_seconds"] or 0.0)
