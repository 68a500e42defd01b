"""``lstmzoo benchmark``: each entry with its default settings, trained for the same time, against the baselines."""

import math
from typing import Annotated, Any

import typer
from rich.console import Console

from lstmzoo.cli import _base as t
from lstmzoo.cli import _options as o
from lstmzoo.cli._output import print_json, print_table
from lstmzoo.quiet import import_keras

Limit = Annotated[float, typer.Option(min=0.001, help="Seconds of training, the same for each entry.")]


@o.with_training_options("quantiles", "distribution", "conformal", "validation", "validation_target", "validation_size")
def benchmark(
    data: o.Data, *, models: o.Models = None, time_limit_per_model: Limit = 30.0, options: o.Options,
    random_state: o.RandomState = 0, json: o.Json = False,
) -> None:  # fmt: skip
    """Train each entry once with its default settings, and compare them on held-out data."""
    names, task = t.find_models(models, data, options), t.task_of(data, options)
    source = task.read(data, options.of(task))
    import_keras()
    from lstmzoo.tuning.benchmarking import compare

    estimator = t.make_estimator(task, names[0], source, random_state=random_state)
    console = Console(stderr=True, highlight=False)
    watch = lambda name: console.status(f"fitting {name}")  # noqa: E731
    rows = []
    for one in compare(estimator, source.data, models=names, time_limit=time_limit_per_model, watch=watch):
        row = _measured(one, task)
        rows.append(row)
        if not row["baseline"]:
            result = row["error"] or f"{task.measure.title} {row[task.measure.key]:.4g} after {row['seconds']:.1f} s"
            console.print(f"{row['model']}: {result}", markup=False, soft_wrap=True)
    rows = _ranked(rows, task)
    if json:
        print_json(rows)
        return
    print_table(
        ("model", task.measure.title, "parameters", "seconds", f"against {task.reference}"),
        ((r["model"], r[task.measure.key], r["parameters"], r["seconds"], _verdict(r, rows, task)) for r in rows),
    )


def _measured(row: Any, task: t.Task) -> dict[str, Any]:
    """Return a row with the task's measure in place of the score."""
    score = row["score"]
    measure = {task.measure.key: None if score is None else task.measure.of(score)}
    return {"model": row["model"], "baseline": row["baseline"], **measure,
            **{key: row[key] for key in ("parameters", "seconds", "error")}}  # fmt: skip


def _ranked(rows: list[dict[str, Any]], task: t.Task) -> list[dict[str, Any]]:
    """Return the rows compared with the reference; the best first, failed ones last."""
    measure, key, reference = task.measure, task.measure.key, _value(rows, task)
    for row in rows:
        ratio = row[key] / reference if row[key] is not None and reference else None
        beats = None if ratio is None else measure.beats(row[key], reference)
        row |= {f"ratio_to_{task.reference}": ratio, f"beats_{task.reference}": beats}
    return sorted(rows, key=lambda row: math.inf if row[key] is None else -measure.of(row[key]))


def _value(rows: list[dict[str, Any]], task: t.Task) -> float:
    """Return the measure of the reference."""
    return next(row[task.measure.key] for row in rows if row["model"] == task.reference)


def _verdict(row: dict[str, Any], rows: list[dict[str, Any]], task: t.Task) -> str:
    beats = row[f"beats_{task.reference}"]
    if beats is None or row["baseline"]:
        return row["error"] or ""
    difference = task.measure.difference(row[task.measure.key], _value(rows, task))
    return f"{'beats it' if beats else 'does not beat it'}: {difference}"
