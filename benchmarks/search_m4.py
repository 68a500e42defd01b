"""M4 Hourly and Weekly by a search with all defaults, beside published results.

`ZooSearchCV(Forecaster(horizon=...), time_limit=...)` gets the train part with M4's integer time index, and nothing else: it
finds the seasons by itself. The test part is read after the last forecast is made. With --validate, it is never read: the last
steps of the train part are forecast in its place. There is a file for each method, time limit and seed under `--results`; a run
skips what is there already. Each search runs in a process of its own.

    python benchmarks/search_m4.py --group Weekly --seconds 300 --seeds 0 1 2 --results results
    python benchmarks/search_m4.py --group Hourly --seconds 60 --validate --results results

Other libraries get the same seconds and cores, and M4's season, in environments of their own (see _rivals.py):

    python benchmarks/search_m4.py --group Weekly --results results --rivals autogluon=ag/bin/python autolstm=nf/bin/python
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _report import parser, setting, table
from _results import OURS, Result, isolated, searched, stored
from _rivals import forecast_by, rivals_option
from m4 import GROUPS, Group, held_out, score_on

from lstmzoo.datasets import fetch_m4

Scores = tuple[float, float]


def main() -> None:
    args = arguments()
    group = GROUPS[args.group]
    train = fetch_m4(args.group).train
    if args.smoke:
        train = train[train["unique_id"].isin([f"{args.group[0]}{i}" for i in range(1, 9)])]
    history, truth = held_out(train, group) if args.validate else (train, None)
    runs = [(OURS, seconds, seed) for seconds in args.seconds for seed in args.seeds]
    runs += [(method, seconds, args.seeds[0]) for method, _ in args.rivals for seconds in args.seconds]
    results = {run: result(args, history, group, *run) for run in runs}
    if truth is None:
        truth = fetch_m4(args.group).test
        truth = truth[truth["unique_id"].isin(history["unique_id"])]
    scores = {
        run: score_on(truth, made["forecast"], history, group) for run, made in results.items() if "error" not in made
    }
    part = f"last {group.horizon} steps of the train part (validation)" if args.validate else "test part"
    print(f"M4 {args.group}, {part}, {history['unique_id'].nunique()} series.\n")
    published = {} if args.validate else group.published
    rows = [[name, *numbers(pair), "", "", ""] for name, pair in published.items()]
    rows += [row(run, made, scores.get(run)) for run, made in results.items()]
    print(table(["method", "sMAPE", "MASE", "seconds", "networks", "winner"], rows) + "\n")
    for seconds in args.seconds:
        print(summary([pair for run, pair in scores.items() if run[:2] == (OURS, seconds)], seconds))
    print(setting(seeds=args.seeds, smoke=args.smoke, made=[made["conditions"] for made in results.values()]))


def arguments() -> Any:
    made = parser(__doc__, results=True)
    made.add_argument("--group", choices=GROUPS, default="Weekly")
    made.add_argument("--seconds", type=float, nargs="+", default=[300.0], help="time limits of the search")
    made.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the search; other libraries get the first")
    made.add_argument("--validate", action="store_true", help="forecast the train part's end, not the test part")
    rivals_option(made)
    args = made.parse_args()
    if args.smoke:
        args.seconds = [20.0]
    return args


def result(args: Any, history: pd.DataFrame, group: Group, method: str, seconds: float, seed: int) -> Result:
    """Return the forecasts of a method, from their file if there is one."""
    part = ("validation" if args.validate else "test") + ("-smoke" if args.smoke else "")
    name = ("m4", args.group, part, method, f"{seconds:g}s", seed)
    if method == OURS:
        return stored(args.results, name, partial(isolated, searched, history, group.horizon, seconds, seed))
    freq = {"Hourly": "h", "Weekly": "W"}[args.group]
    make = partial(
        forecast_by, method, dict(args.rivals)[method], history, steps_after(history, group.horizon),
        season=group.season, freq=freq, seconds=seconds, seed=seed,
    )  # fmt: skip
    return stored(args.results, name, make)


def steps_after(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return ``unique_id`` and ``ds`` of the steps after each series."""
    ends = history.groupby("unique_id", sort=False)["ds"].last()
    steps = [end + step for end in ends for step in range(1, horizon + 1)]
    return pd.DataFrame({"unique_id": ends.index.repeat(horizon), "ds": steps})


def row(run: tuple[str, float, int], made: Result, scores: Scores | None) -> list[str]:
    """Return the row of a result; one that failed has no scores."""
    method, seconds, seed = run
    name = f"**{OURS}, {seconds:g} s, seed {seed}**" if method == OURS else f"{method}, {seconds:g} s"
    found = ["failed", ""] if scores is None else numbers(scores)
    return [name, *found, f"{made['seconds']:.1f}", str(made.get("networks", "")), f"`{made.get('chosen', 'none')}`"]


def numbers(scores: Scores) -> list[str]:
    return [f"{number:.3f}" for number in scores]


def summary(scores: list[Scores], seconds: float) -> str:
    """Return the means and standard deviations over the seeds; nothing if there is one seed."""
    if len(scores) < 2:
        return ""
    (s, m), (ds, dm) = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
    return f"{seconds:g} s, {len(scores)} seeds: sMAPE {s:.3f} ± {ds:.3f}, MASE {m:.3f} ± {dm:.3f}.\n"


if __name__ == "__main__":
    main()
