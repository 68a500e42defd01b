"""``lstmzoo evaluate``: how good a saved model is on data whose end is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lstmzoo.cli import _options as o
from lstmzoo.cli import _tasks as t
from lstmzoo.cli._output import as_records, print_json, print_table
from lstmzoo.cli._saved import load_any
from lstmzoo.cli._tasks._base import parse_names
from lstmzoo.cli._tasks.frames import read_history
from lstmzoo.cli._tasks.text import read_texts
from lstmzoo.cli._tasks.translation import read_sides

_SHOWN = 40


@t.with_evaluation_options
def evaluate(
    model: o.Saved, data: o.Data, *, options: t.Options, tracking_uri: o.TrackingUri = None, json: o.Json = False
) -> None:
    """Score a saved model: forecasts of each series' last horizon, the likelihood of text, or translations of sentences."""
    estimator = load_any(model, tracking_uri)
    t.check_data(estimator, model, data, options)
    given = options.of(t.TASKS[estimator.task])
    _EVALUATIONS[estimator.task](estimator, data, given, json)


def _evaluate_series(estimator: Any, data: Path, options: dict[str, Any], json: bool) -> None:
    names = parse_names(options.get("metrics"), "--metrics")
    scores = estimator.evaluate(read_history(data, estimator), metrics=names)
    mean = scores.iloc[:, 1:].mean()
    if json:
        print_json({"mean": mean.to_dict(), "series": as_records(scores)})
        return
    rows = scores.head(_SHOWN).itertuples(index=False, name=None)
    print_table(map(str, scores.columns), [(f"mean of {len(scores)}", *mean), *rows])
    if len(scores) > _SHOWN:
        print(f"and {len(scores) - _SHOWN} more series: --json prints them all")


def _evaluate_text(estimator: Any, data: Path, options: dict[str, Any], json: bool) -> None:
    scores = estimator.evaluate(read_texts(data, lines=options.get("lines", False)), options.get("adapt"))
    if json:
        print_json(scores)
        return
    print_table(("score", "value"), ((name.replace("perplexity_", "perplexity per "), v) for name, v in scores.items()))
    print("log_likelihood: mean of a character, in nats; the end of each text counts as one more of each")


def _evaluate_pairs(estimator: Any, data: Path, options: dict[str, Any], json: bool) -> None:
    scores = estimator.evaluate(*read_sides(data, options.get("target")))
    if json:
        print_json(scores)
        return
    print_table(("score", "value"), ((title, scores[title.lower()]) for title in ("BLEU", "chrF", "TER")))
    print(f"of TER, less is better; signature of BLEU: {scores['signature']}")


_EVALUATIONS: dict[str, Callable[[Any, Path, dict[str, Any], bool], None]] = {
    "forecasting": _evaluate_series,
    "language_modelling": _evaluate_text,
    "translation": _evaluate_pairs,
}
