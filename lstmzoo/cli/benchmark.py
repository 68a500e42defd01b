"""``lstmzoo benchmark``: every entry once, as it comes, for the same seconds, against the baselines."""

import math
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from lstmzoo.cli import _options as o
from lstmzoo.cli import _tasks as t
from lstmzoo.cli._base import import_networks
from lstmzoo.cli._output import print_json, print_table

Limit = Annotated[float, typer.Option(min=0.001, help="Seconds of training, the same for each entry.")]


@t.with_training_options("quantiles", "distribution", "conformal", "validation", "validation_target", "validation_size")
def benchmark(
    data: o.Data, *, models: o.Models = None, time_limit_per_model: Limit = 30.0, options: t.Options,
    random_state: o.RandomState = 0, json: o.Json = False,
) -> None:  # fmt: skip
    """Train each entry once as it comes, without a search, and compare them on a part of the data, held out."""
    names, task = t.find_models(models, data, options), t.task_of(data, options)
    source = task.read(data, options.of(task))
    import_networks()
    common = {"time_limit": time_limit_per_model, "random_state": random_state, "verbose": 0}
    rows = compare({name: t.make_estimator(task, name, source, **common) for name in names}, source.data, task)
    if json:
        print_json(rows)
        return
    print_table(
        ("model", task.measure.title, "parameters", "seconds", f"against {task.reference}"),
        ((r["model"], r[task.measure.key], r["parameters"], r["seconds"], _verdict(r, rows, task)) for r in rows),
    )


def compare(networks: dict[str, Any], data: tuple[Any, ...], task: t.Task) -> list[dict[str, Any]]:
    """Fit and score networks and their baselines; a row each, the best first, those that failed last."""
    first = next(iter(networks.values()))
    train, valid = first.holdout_split(*data)
    console = Console(stderr=True, highlight=False)
    measure, key = task.measure, task.measure.key
    rows: list[dict[str, Any]] = []
    for name, estimator in {**first.baselines(), **networks}.items():
        with console.status(f"fitting {name}"):
            row = {"model": name, "baseline": name not in networks, **_fit_and_score(estimator, train, valid, measure)}
        rows.append(row)
        if name in networks:
            result = row["error"] or f"{measure.title} {row[key]:.4g} after {row['seconds']:.1f} s"
            console.print(f"{name}: {result}", markup=False, soft_wrap=True)
    reference = _value(rows, task)
    for row in rows:
        ratio = row[key] / reference if row[key] is not None and reference else None
        beats = None if ratio is None else measure.beats(row[key], reference)
        row |= {f"ratio_to_{task.reference}": ratio, f"beats_{task.reference}": beats}
    return sorted(rows, key=lambda row: math.inf if row[key] is None else -measure.of(row[key]))


def _fit_and_score(estimator: Any, train: tuple, valid: tuple, measure: t.Measure) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        value = measure.of(estimator.fit(*train).score(*valid))
    except Exception as error:  # of one entry: the others are still of interest
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return {measure.key: None, "parameters": None, "seconds": time.perf_counter() - began, "error": message}
    return {
        measure.key: value,
        "parameters": estimator.num_parameters_,
        "seconds": estimator.seconds_,
        "error": None,
    }


def _value(rows: list[dict[str, Any]], task: t.Task) -> float:
    """What the reference has."""
    return next(row[task.measure.key] for row in rows if row["model"] == task.reference)


def _verdict(row: dict[str, Any], rows: list[dict[str, Any]], task: t.Task) -> str:
    beats = row[f"beats_{task.reference}"]
    if beats is None or row["baseline"]:
        return row["error"] or ""
    difference = task.measure.difference(row[task.measure.key], _value(rows, task))
    return f"{'beats it' if beats else 'does not beat it'}: {difference}"
