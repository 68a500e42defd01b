"""The results of a search as tables."""

from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.records import Record, params_of

_NAN = float("nan")


def leaderboard(records: list[Record], winner: Record | None) -> pd.DataFrame:
    """Return a row per trial and baseline: the winner, then the others by their scores; failed ones are last.

    Args:
        records: All trials.
        winner: The winner; None if every trial failed.

    Returns:
        The columns ``rank``, ``model``, ``score``, ``seconds``, ``parameters``, ``epochs``, ``trial``, ``status``
        (``completed``, ``baseline`` or ``failed``) and ``error``.
    """
    order = sorted(records, key=lambda r: (r is not winner, r["score"] is None, -(r["score"] or 0.0), r["number"]))
    frame = pd.DataFrame(
        {
            "rank": [None if r["score"] is None else i for i, r in enumerate(order, start=1)],
            "model": [r["model"] for r in order],
            "score": [r["score"] for r in order],
            "seconds": [r["seconds"] for r in order],
            "parameters": [r["num_parameters"] for r in order],
            "epochs": [r["epochs"] for r in order],
            "trial": [r["number"] for r in order],
            "status": ["baseline" if r["baseline"] and not r["error"] else r["status"] for r in order],
            "error": [r["error"] for r in order],
        }
    )
    return frame.astype({"rank": "Int64", "score": float, "seconds": float, "parameters": "Int64", "epochs": "Int64"})


def cv_results(records: list[Record]) -> dict[str, Any]:
    """Return the ``cv_results_`` of scikit-learn's searches: arrays with an item per trial; a split is a held-out window."""
    scores = np.array([_or_nan(r["score"]) for r in records])
    splits = max((len(r["window_scores"]) for r in records), default=1)
    by_split = np.full((len(records), max(splits, 1)), _NAN)
    for row, r in zip(by_split, records, strict=True):
        if r["score"] is not None:
            row[: len(r["window_scores"])] = r["window_scores"]
    ranks = pd.Series(scores).rank(method="min", ascending=False, na_option="bottom").to_numpy().astype(np.int32)
    params = [params_of(r) for r in records]
    return {
        "mean_fit_time": np.array([_or_nan(r["fit_seconds"]) for r in records]),
        "std_fit_time": np.zeros(len(records)),
        "mean_score_time": np.array([_or_nan(r["score_seconds"]) for r in records]),
        "std_score_time": np.zeros(len(records)),
        **{f"param_{key}": _masked([p.get(key, np.ma.masked) for p in params]) for key in _keys(params)},
        "params": params,
        **{f"split{i}_test_score": column for i, column in enumerate(by_split.T)},
        "mean_test_score": scores,
        "std_test_score": by_split.std(axis=1),
        "rank_test_score": ranks,
    }


def _keys(params: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for p in params for key in p))


def _masked(values: list[Any]) -> np.ma.MaskedArray:
    array = np.ma.masked_all(len(values), dtype=object)
    for i, value in enumerate(values):
        if value is not np.ma.masked:
            array[i] = value
    return array


def _or_nan(value: float | None) -> float:
    return _NAN if value is None else value
