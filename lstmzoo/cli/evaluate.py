"""``lstmzoo evaluate``: the scores of a saved model on held-out data."""

from lstmzoo.cli import _base as t
from lstmzoo.cli import _options as o
from lstmzoo.cli._output import print_json, print_table
from lstmzoo.cli._saved import load_any


@o.with_evaluation_options
def evaluate(
    model: o.Saved, data: o.Data, *, options: o.Options, tracking_uri: o.TrackingUri = None, json: o.Json = False
) -> None:
    """Score a saved model: forecasts of each series' last horizon, the likelihood of text, or translations of sentences."""
    estimator = load_any(model, tracking_uri)
    task = t.check_data(estimator, model, data, options)
    scores = task.evaluate(estimator, data, options.of(task))
    if json:
        print_json(scores.document)
        return
    print_table(scores.columns, scores.rows)
    for line in scores.notes:
        print(line)
