"""The record of a trial, seeds of trials, and JSON."""

import math
from typing import Any, Literal, TypedDict

import numpy as np

from lstmzoo.config import Scalar

_MOST_SERIES = 200  # scores by series in a record


class Record(TypedDict):
    """A trial as plain JSON: a line of the journal, which is also sent to MLflow.

    Attributes:
        number: Number of the trial, from 1, baselines included.
        baseline: Whether the trial is one of the estimator's baselines.
        model: Name of the zoo entry without its task, or of the baseline.
        params: The searched hyperparameters, and ``epochs`` if the oracle sets a budget.
        seed: The trial's ``random_state``, if it has one.
        status: ``completed`` or ``failed``; ``completed`` with an error if the trial failed after a first score.
        score: The held-out score, the mean over the windows, at the best rung; None if the trial failed.
        window_scores: The score on each held-out window, at the best rung.
        series_scores: The mean score of each series over the windows, at the best rung; of more than 200 series, the means of 200
            groups of series. Empty without several series.
        rungs: The scores at the rungs of successive halving that were reached; a trial that is not paused has one.
        rungs_elapsed: Seconds of the whole search when each rung was scored, including those before an interruption.
        begin_seconds: Seconds until the first step was taken, most of them for compilation; None if the trial was not paused.
        full_seconds: Seconds of the whole training, by its speed so far, without first steps; None if that is not known.
        limit_seconds: Seconds that the training on one fold may take; None without a limit.
        fit_seconds: Seconds of ``fit``.
        score_seconds: Seconds of ``score``.
        seconds: Seconds of the whole trial.
        elapsed: Seconds of the whole search at the trial's end, including those before an interruption.
        started: Time of the trial's start, in UTC.
        num_parameters: Number of weights.
        epochs: Number of epochs trained, at the best rung.
        best_epoch: The epoch whose weights were kept, at the best rung.
        history: A row per epoch, to the best rung.
        members: The weights of an ensemble's members, by the number of their trial; empty for a single model.
        refit: The parameters of the refit that differ from those of the search's estimator.
        error: Type and message of the exception, if the trial failed, at first or when it was continued.
        traceback: Traceback of that exception.
    """

    number: int
    baseline: bool
    model: str
    params: dict[str, Scalar]
    seed: int | None
    status: Literal["completed", "failed"]
    score: float | None
    window_scores: list[float]
    series_scores: list[float]
    rungs: list[float]
    rungs_elapsed: list[float]
    begin_seconds: float | None
    full_seconds: float | None
    limit_seconds: float | None
    fit_seconds: float | None
    score_seconds: float | None
    seconds: float
    elapsed: float
    started: str
    num_parameters: int | None
    epochs: int | None
    best_epoch: int | None
    history: list[dict[str, Any]]
    members: dict[str, float]
    refit: dict[str, Any]
    error: str | None
    traceback: str | None


def is_network(record: Record) -> bool:
    """Return whether a record is that of a single network: neither of a baseline nor of an ensemble."""
    return not record["baseline"] and not record["members"]


def is_untrained(record: Record, records: list[Record]) -> bool:
    """Return whether no network takes part in a record: that of a baseline, or of an ensemble of baselines alone.

    Args:
        record: The record.
        records: All records of its search.
    """
    baselines = {str(r["number"]) for r in records if r["baseline"]}
    return record["baseline"] or (bool(record["members"]) and baselines >= set(record["members"]))


def params_of(record: Record) -> dict[str, Any]:
    """Return a record's model and hyperparameters; of an ensemble, the weights of its members by trial."""
    members = {"members": record["members"]} if record["members"] else {}
    return {"model": record["model"], **record["params"], **members}


def derived_seed(entropy: int, *place: int) -> int:
    """Return a different seed, at least 1, for each place in a search."""
    return 1 + int(np.random.SeedSequence(entropy, spawn_key=place).generate_state(1)[0]) % (2**31 - 2)


def best_record(records: list[Record]) -> Record | None:
    """Return the record with the highest score; of equals the one with fewest weights, then the earliest; None if all failed."""
    scored = [r for r in records if r["score"] is not None]
    return max(scored, key=lambda r: (r["score"] or 0.0, -(r["num_parameters"] or 0), -r["number"]), default=None)


def winning_record(records: list[Record], *, allow_worse_than_baseline: bool = False) -> Record | None:
    """Return the record that wins a search; None if every trial failed.

    The network with the highest score wins if it beats the best baseline by more than one standard error; see
    :func:`margin_between`. Of the networks that are as good, see :func:`equal_networks`, and also beat the baseline, the one with
    the fewest weights wins. An ensemble with a network in it, which hedges, wins if it has the higher score; one of baselines
    alone counts as a baseline. Otherwise the baseline wins.

    Args:
        records: All trials.
        allow_worse_than_baseline: Whether the best network wins whatever the baselines' scores.

    References:
        Breiman et al., "Classification and Regression Trees", 1984 (the one-standard-error rule).
    """
    best = best_record([r for r in records if not is_untrained(r, records)])
    baseline = best_record([r for r in records if is_untrained(r, records)])

    def wins(network: Record) -> bool:
        if allow_worse_than_baseline or baseline is None:
            return True
        margin, error = margin_between(network, baseline)
        return margin > (0.0 if network["members"] else error)

    if best is None or not wins(best):
        return baseline
    equal = [best] if best["members"] else [r for r in equal_networks(records) if r is best or wins(r)]
    return min(equal, key=lambda r: (r["num_parameters"] or 0, -(r["score"] or 0.0), r["number"]))


def equal_networks(records: list[Record]) -> list[Record]:
    """Return the network with the highest score, and those that are below it by at most one standard error.

    See :func:`margin_between`. Only networks that reached the same rung, with the same setting of ``epochs``, count: one whose
    training was stopped earlier is not as good for being cheap.
    """
    networks = [r for r in records if is_network(r) and r["score"] is not None]
    best = best_record(networks)
    if best is None:
        return []

    def is_equal(record: Record) -> bool:
        margin, error = margin_between(best, record)
        return margin <= error and _budget(record) == _budget(best)

    return [r for r in networks if r is best or is_equal(r)]


def _budget(record: Record) -> tuple[int, Scalar]:
    return len(record["rungs"]), record["params"].get("epochs")


def margin_between(record: Record, other: Record) -> tuple[float, float]:
    """Return by how much the score of a record is above that of another, and the standard error of it.

    The two are compared in pairs: for each series, as its errors in several windows are correlated; for each window if there are
    not several series.

    Returns:
        The difference, and its standard error; 0 if there is a single pair.
    """
    margin = float(np.subtract(record["window_scores"], other["window_scores"]).mean())
    of_series = 1 < len(record["series_scores"]) == len(other["series_scores"])
    unit = "series_scores" if of_series else "window_scores"
    differences = np.subtract(record[unit], other[unit])  # type: ignore[literal-required]
    error = differences.std(ddof=1) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return margin, float(error)


def scores_of_series(scores: list[np.ndarray]) -> list[float]:
    """Return the mean score of each series over the windows, or of groups of neighbours so that there are at most 200 numbers.

    Args:
        scores: The scores ``(N,)`` of the series for each window; NaN where they are undefined.

    Returns:
        The means, without series that have no score; empty if there are not several, or not the same in each window.

    Examples:
        >>> scores_of_series([np.array([-1.0, np.nan, -2.0]), np.array([-3.0, np.nan, np.nan])])
        [-2.0, -2.0]
    """
    if len({len(window) for window in scores}) != 1:
        return []
    by_window = np.array(scores)
    counts = np.isfinite(by_window).sum(axis=0)
    if (counts > 0).sum() < 2:
        return []
    means = np.nansum(by_window, axis=0)[counts > 0] / counts[counts > 0]
    return [float(group.mean()) for group in np.array_split(means, min(len(means), _MOST_SERIES))]


def to_json(value: Any) -> Any:
    """Return a value as JSON: numbers that are not finite become None, and objects of other types their ``repr``.

    Examples:
        >>> to_json({"quantiles": (0.1, np.float64("nan")), "epochs": np.int64(3)})
        {'quantiles': [0.1, None], 'epochs': 3}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else repr(value)
