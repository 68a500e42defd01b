"""How the time of a search is shared out among trials and the refit."""

_REFIT = 1.3  # a refit has more data than the trial that won
_LEAST = 5.0  # seconds; less is spent on compiling
_ROUNDS = 4  # where the number of trials is open, none takes more than this part of what is left


def trial_limit(
    remaining: float, *, refit: bool, best_seconds: float | None, usual_seconds: float | None, planned: int | None
) -> float | None:
    """Seconds that the next trial may train; None if there is no fair chance left for one.

    The winner so far keeps the time of its refit in reserve; and as the next trial may win, the time of its own refit has
    to remain as well. Of the rest a trial gets an equal share, or twice the usual time if that is more.

    Args:
        remaining: Seconds until the search ends.
        refit: Whether the winner is trained anew.
        best_seconds: What the trial that leads took.
        usual_seconds: The median of the trials that completed.
        planned: Trials to come; None if that is open.

    Examples:
        >>> trial_limit(600, refit=False, best_seconds=None, usual_seconds=None, planned=10)
        60.0
        >>> trial_limit(20, refit=True, best_seconds=10, usual_seconds=15, planned=None) is None
        True
    """
    factor = _REFIT if refit else 0.0
    pool = remaining - factor * (best_seconds or 0.0)
    most = min(pool, remaining / (1 + factor))
    if most <= 0 or most < 0.5 * (usual_seconds or 0.0):
        return None
    shares = (_ROUNDS if planned is None else max(planned, 1)) + (factor if best_seconds is None else 0.0)
    return min(most, max(pool / shares, 2 * (usual_seconds or 0.0), _LEAST))
