"""``lstmzoo evaluate``: how good a saved model is on data whose end is known."""

from lstmzoo.cli import _options as o
from lstmzoo.cli._frames import read_history
from lstmzoo.cli._output import as_records, print_json, print_table
from lstmzoo.cli._saved import load_any

_SHOWN = 40


def evaluate(model: o.Saved, data: o.Data, *, tracking_uri: o.TrackingUri = None, json: o.Json = False) -> None:
    """Score a saved model on the last horizon of each series, forecast from what is before it."""
    estimator = load_any(model, tracking_uri)
    scores = estimator.evaluate(read_history(data, estimator))
    mean = scores.iloc[:, 1:].mean()
    if json:
        print_json({"mean": mean.to_dict(), "series": as_records(scores)})
        return
    rows = scores.head(_SHOWN).itertuples(index=False, name=None)
    print_table(map(str, scores.columns), [(f"mean of {len(scores)}", *mean), *rows])
    if len(scores) > _SHOWN:
        print(f"and {len(scores) - _SHOWN} more series: --json prints them all")
