"""Benchmarks: train each zoo entry once with its own settings, for the same time, and compare it with the baselines."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypedDict

import pandas as pd

from lstmzoo.contracts import Data, Searchable, Trainable, check_contract
from lstmzoo.errors import LstmzooError
from lstmzoo.tuning.scoring import Scorer, defined_scorer
from lstmzoo.tuning.space import select_models
from lstmzoo.tuning.track import trials_apart
from lstmzoo.tuning.trials import with_params
from lstmzoo.values import check_params


class Row(TypedDict):
    """One model of a benchmark.

    Attributes:
        model: Name of the zoo entry or baseline.
        baseline: Whether it is a baseline.
        score: The held-out score; None if the fit failed.
        seconds: Seconds of training.
        parameters: Number of weights; None if the fit failed.
        error: Type and message of the exception, if the fit failed.
    """

    model: str
    baseline: bool
    score: float | None
    seconds: float
    parameters: int | None
    error: str | None


def benchmark(
    estimator: Searchable,
    *data: Any,
    models: str | Iterable[str] = "*",
    time_limit: float = 30.0,
    verbose: int = 1,
) -> pd.DataFrame:
    """Train each entry once with its own settings, without a search, and compare it with the baselines on held-out data.

    :func:`lstmzoo.mlflow.autolog` does not log the fits.

    Args:
        estimator: An estimator of any task. Its ``model`` and ``time_limit`` are replaced; its other parameters apply to every
            entry. Set its ``random_state`` to get the same networks again.
        *data: The arguments of the estimator's ``fit``. The part that its ``holdout_split`` holds out is scored by its ``score``;
            if MASE is undefined for all series, by the mean absolute error, and a warning is logged.
        models: Names or shell patterns of zoo entries, with or without the task.
        time_limit: Seconds of training, the same for each entry.
        verbose: 0 for silence, 1 for a line per entry.

    Returns:
        A row per entry and baseline, the highest ``score`` first, failed ones last: ``model``, ``baseline``, ``score``,
        ``seconds``, ``parameters`` and ``error``.

    Raises:
        UnknownNameError: If a name or pattern matches nothing.
        ConfigError: If an entry belongs to another task, or ``time_limit`` or a parameter of the estimator is invalid.
        DataError: If the estimator refuses the data.
        LstmzooError: If every network failed; the message has the first error.

    Examples:
        >>> import numpy as np
        >>> from lstmzoo import Forecaster
        >>> y = 10 + np.sin(np.arange(120) * np.pi / 6)
        >>> forecaster = Forecaster(horizon=6, hyperparameters={"epochs": 1, "units": 4}, random_state=0)
        >>> table = benchmark(forecaster, y, models="gru", verbose=0)
        >>> sorted(table["model"])
        ['damped', 'drift', 'forecasting/gru', 'naive', 'seasonal_naive', 'theta', 'window_average']
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
    estimator: Searchable,
    data: Data,
    *,
    models: str | Iterable[str],
    time_limit: float,
    watch: Callable[[str], AbstractContextManager] = nullcontext,
) -> Iterator[Row]:
    """Yield the rows of :func:`benchmark` as fits end, the baselines first.

    Args:
        estimator: As for :func:`benchmark`.
        data: As for :func:`benchmark`.
        models: As for :func:`benchmark`.
        time_limit: As for :func:`benchmark`.
        watch: From a model's name to the context of its fit.
    """
    check_contract(estimator, Searchable)
    names = [config.name for config in select_models(estimator.task, models)]
    train, valid = estimator.holdout_split(*data)
    scorer = defined_scorer(Scorer(), estimator, [(train, [valid])])
    networks = {name: with_params(estimator, model=name, time_limit=time_limit, verbose=0) for name in names}
    for network in networks.values():
        check_params(network)
    for name, candidate in {**estimator.baselines(), **networks}.items():
        with watch(name), trials_apart():
            row = _fit_and_score(name, candidate, train, valid, scorer)
        yield {**row, "baseline": name not in networks}


def _fit_and_score(name: str, estimator: Trainable, train: Data, valid: Data, scorer: Scorer) -> Row:
    began = time.perf_counter()
    row: Row = {"model": name, "baseline": False, "score": None, "seconds": 0.0, "parameters": None, "error": None}
    try:
        score = scorer(estimator.fit(*train), *valid)
        if not math.isfinite(score):
            raise FloatingPointError(f"the score is {score}")
        row |= {"score": score, "parameters": estimator.num_parameters_}
    except Exception as error:  # a failed entry is a row; the others are still compared
        row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    row["seconds"] = estimator.seconds_ if row["error"] is None else time.perf_counter() - began
    return row
