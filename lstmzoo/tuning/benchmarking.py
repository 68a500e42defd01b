"""Every entry once, as it comes, for the same seconds, beside the baselines."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypedDict

import pandas as pd

from lstmzoo.errors import LstmzooError
from lstmzoo.tuning.space import select_models
from lstmzoo.tuning.track import trials_apart
from lstmzoo.tuning.trials import with_params
from lstmzoo.values import check_params


class Row(TypedDict):
    """One model of a benchmark.

    Attributes:
        model: The zoo entry, or the baseline's name.
        baseline: Whether it is a baseline.
        score: What ``estimator.score`` gave on the held-out part; None if the fit failed.
        seconds: Seconds of training.
        parameters: Numbers in the network; None if the fit failed.
        error: Type and message of the exception that ended a failed fit.
    """

    model: str
    baseline: bool
    score: float | None
    seconds: float
    parameters: int | None
    error: str | None


def benchmark(
    estimator: Any,
    *data: Any,
    models: str | Iterable[str] = "*",
    time_limit: float = 30.0,
    verbose: int = 1,
) -> pd.DataFrame:
    """Train each entry once as it comes, without a search, and compare them with the baselines on a held-out part.

    The fits are not logged by :func:`lstmzoo.mlflow.autolog`.

    Args:
        estimator: Of any task. Its ``model`` and ``time_limit`` are replaced; its other parameters hold for every entry. Pass
            it a ``random_state`` to get the same networks again.
        *data: As the estimator's own ``fit`` takes it. The part that its ``holdout_split`` holds out is scored.
        models: Names or shell patterns of zoo entries, with or without the task.
        time_limit: Seconds of training, the same for each entry.
        verbose: 0 for silence, 1 for a line per entry.

    Returns:
        A row per entry and baseline, the highest ``score`` first, failed ones last: ``model``, ``baseline``, ``score``,
        ``seconds``, ``parameters`` and ``error``.

    Raises:
        UnknownNameError: If a name or pattern matches nothing.
        ConfigError: If an entry is of another task, or ``time_limit`` or a parameter of the estimator is wrong.
        DataError: If the estimator refuses the data.
        LstmzooError: If every network failed; the message has the first one's error.

    Examples:
        >>> import numpy as np
        >>> from lstmzoo import Forecaster
        >>> y = 10 + np.sin(np.arange(120) * np.pi / 6)
        >>> forecaster = Forecaster(horizon=6, hyperparameters={"epochs": 1, "units": 4}, random_state=0)
        >>> table = benchmark(forecaster, y, models="gru", verbose=0)
        >>> sorted(table["model"])
        ['drift', 'forecasting/gru', 'naive', 'seasonal_naive', 'window_average']
    """
    rows = []
    for row in compare(estimator, data, models=models, time_limit=time_limit):
        rows.append(row)
        if verbose:
            result = row["error"] or f"score {row['score']:.4g}"
            print(f"{row['model']}: {result} after {row['seconds']:.1f} s", flush=True)
    networks = [row for row in rows if not row["baseline"]]
    if all(row["score"] is None for row in networks):
        first = networks[0]
        raise LstmzooError(
            f"every network failed ({len(networks)} of them); the first, {first['model']}: {first['error']}"
        )
    table = pd.DataFrame(rows, columns=list(Row.__annotations__))
    return table.sort_values("score", ascending=False, kind="stable", na_position="last", ignore_index=True)


def compare(
    estimator: Any,
    data: tuple,
    *,
    models: str | Iterable[str],
    time_limit: float,
    watch: Callable[[str], AbstractContextManager] = nullcontext,
) -> Iterator[Row]:
    """The rows of :func:`benchmark`, as fits end: the baselines first.

    Args:
        estimator: As for :func:`benchmark`.
        data: Likewise.
        models: Likewise.
        time_limit: Likewise.
        watch: From a model's name to what its fit runs within.
    """
    names = [config.name for config in select_models(estimator.task, models)]
    train, valid = estimator.holdout_split(*data)
    networks = {name: with_params(estimator, model=name, time_limit=time_limit, verbose=0) for name in names}
    for one in networks.values():
        check_params(one)
    for name, one in {**estimator.baselines(), **networks}.items():
        with watch(name), trials_apart():
            row = _fit_and_score(name, one, train, valid)
        yield {**row, "baseline": name not in networks}


def _fit_and_score(name: str, estimator: Any, train: tuple, valid: tuple) -> Row:
    began = time.perf_counter()
    row: Row = {"model": name, "baseline": False, "score": None, "seconds": 0.0, "parameters": None, "error": None}
    try:
        score = float(estimator.fit(*train).score(*valid))
        if not math.isfinite(score):
            raise FloatingPointError(f"the score is {score}")
        row |= {"score": score, "parameters": estimator.num_parameters_}
    except Exception as error:  # of one entry: the others are still of interest
        row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    row["seconds"] = estimator.seconds_ if row["error"] is None else time.perf_counter() - began
    return row
