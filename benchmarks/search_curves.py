"""The best score so far of a search over its time: successive halving beside random search, on the train parts of M4.

`ZooSearchCV(Forecaster(horizon=...), oracle=..., cv=3, ensemble_size=1, refit=False, time_limit=...)`, with oracles `halving` and
`random`. The score is that of the search itself: the negative MASE on three held-out windows, which are the same for both. The
test part is never read. A point of a curve is a rung of a trial, at the time at which it was recorded; baselines and ensembles
are left out. Each search runs in a process of its own, where nothing is compiled yet.

What is equal: the data, the windows, the entries and the ranges of their hyperparameters, the seconds, the core. What is not:

- Halving begins with the portfolio of the task, random search with each entry's own settings; the portfolio also sets values that
  are in no range. The first settings of the portfolio were chosen on these train parts. `--without-portfolio` adds a third curve:
  halving as if the task had no portfolio.
- Each oracle has its own defaults. A trial of random search is trained whole within its share of the time, and holds out steps to
  stop early. A trial of halving trains on these steps too.
- The best of many scores on the same windows is too good. Halving scores more often, so that it gains more by it.

There is a file for each oracle and seed under `--results`; a run skips what is there already.

    python benchmarks/search_curves.py --group Weekly --results results --plot weekly.png
    python benchmarks/search_curves.py --group Hourly --results results --plot hourly.png --without-portfolio
"""

import contextlib
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from _report import parser, setting, table
from _results import Result, isolated, stored
from m4 import GROUPS

from lstmzoo import Forecaster, ZooSearchCV
from lstmzoo.datasets import fetch_m4
from lstmzoo.outputs import check_picture
from lstmzoo.records import Record, is_network

HALVING, RANDOM, UNAIDED = "halving", "random", "halving without portfolio"
TIMES = (15, 30, 60, 120, 200, 300)  # seconds at which the curves are read
WINDOWS = 3


def main() -> None:
    args = arguments()
    train = fetch_m4(args.group).train
    if args.smoke:
        train = train[train["unique_id"].isin([f"{args.group[0]}{i}" for i in range(1, 9)])]
    methods = [HALVING, RANDOM, *([UNAIDED] if args.without_portfolio else [])]
    results = {method: [result(args, train, method, seed) for seed in args.seeds] for method in methods}
    times = np.array([*(t for t in TIMES if t < args.seconds), args.seconds])
    print(
        f"M4 {args.group}, train part, {train['unique_id'].nunique()} series, {args.seconds:g} s: best score so far.\n"
    )
    print(report({method: best_at(many, times) for method, many in results.items()}, times) + "\n")
    counts = {method: np.mean([made.get("networks", 0) for made in many]) for method, many in results.items()}
    print("Networks, mean: " + ", ".join(f"{method} {count:.1f}" for method, count in counts.items()) + ".\n")
    if args.plot:
        grid = np.linspace(0, args.seconds, 601)
        draw({method: best_at(many, grid) for method, many in results.items()}, grid, args.plot)
    conditions = [made["conditions"] for many in results.values() for made in many]
    print(setting(seeds=args.seeds, smoke=args.smoke, made=conditions))


def arguments() -> Any:
    made = parser(__doc__, results=True)
    made.add_argument("--group", choices=GROUPS, default="Weekly")
    made.add_argument("--seconds", type=float, default=300.0, help="time limit of each search")
    made.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    made.add_argument("--without-portfolio", action="store_true", help="add a curve of halving without its portfolio")
    made.add_argument("--plot", type=Path, metavar="FILE", help="picture of the curves")
    args = made.parse_args()
    if args.plot:
        check_picture(args.plot)
    if args.smoke:
        args.seconds, args.seeds = 40.0, args.seeds[:1]
    return args


def result(args: Any, train: pd.DataFrame, method: str, seed: int) -> Result:
    """Return the points of a search, from their file if there is one."""
    group = f"{args.group}_smoke" if args.smoke else args.group
    make = partial(isolated, searched, train, GROUPS[args.group].horizon, method, args.seconds, seed)
    return stored(args.results, ("curve", group, method, f"{args.seconds:g}s", seed), make)


def searched(train: pd.DataFrame, horizon: int, method: str, seconds: float, seed: int) -> Result:
    """Return the points of a search, pairs of seconds and score, and the number of networks."""
    search = ZooSearchCV(
        Forecaster(horizon=horizon), oracle=RANDOM if method == RANDOM else HALVING, cv=WINDOWS, ensemble_size=1,
        refit=False, time_limit=seconds, random_state=seed, verbose=0,
    )  # fmt: skip
    unaided = patch("lstmzoo.tuning.halving.load_portfolio", return_value=[])
    with unaided if method == UNAIDED else contextlib.nullcontext():
        search.fit(train)
    return {"points": points(search.records_), "networks": sum(map(is_network, search.records_))}


def points(records: list[Record]) -> list[tuple[float, float]]:
    """Return a pair of seconds and score for each rung of a network, the earliest first."""
    rungs = [zip(r["rungs_elapsed"], r["rungs"], strict=True) for r in records if is_network(r)]
    return sorted(point for many in rungs for point in many)


def best_at(many: list[Result], times: np.ndarray) -> np.ndarray:
    """Return the best score until each time, ``(seeds, times)``; NaN before the first score."""
    best = np.full((len(many), len(times)), np.nan)
    for row, made in zip(best, many, strict=True):
        for seconds, score in made.get("points", ()):
            after = times >= seconds
            row[after] = np.fmax(row[after], score)
    return best


def report(best: dict[str, np.ndarray], times: np.ndarray) -> str:
    """Return a table of means and standard deviations over the seeds, and in how many seeds halving is ahead."""
    rivals = [method for method in best if method != HALVING]
    rows = []
    for i, t in enumerate(times):
        ahead = [np.sum(filled(best[HALVING][:, i]) > filled(best[rival][:, i])) for rival in rivals]
        cells = [mean_of(scores[:, i]) for scores in best.values()]
        rows.append([f"{t:g}", *cells, *(f"{count} of {len(best[HALVING])}" for count in ahead)])
    return table(["seconds", *best, *(f"halving ahead of {rival}" for rival in rivals)], rows)


def filled(scores: np.ndarray) -> np.ndarray:
    """Return scores with minus infinity for those that are missing."""
    return np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf)


def mean_of(scores: np.ndarray) -> str:
    """Format the mean and the standard deviation; if some seeds have no score yet, also how many have one."""
    there = scores[~np.isnan(scores)]
    if not len(there):
        return ""
    text = f"{there.mean():.3f}" + (f" ± {there.std(ddof=1):.3f}" if len(there) > 1 else "")
    return text if len(there) == len(scores) else f"{text} ({len(there)} of {len(scores)} seeds)"


def draw(best: dict[str, np.ndarray], times: np.ndarray, path: Path) -> None:
    """Draw a thin line for each seed, and a thick one for the mean where each seed has a score."""
    from lstmzoo.figures import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axis = figure.subplots()
    for i, (method, scores) in enumerate(best.items()):
        axis.step(times, scores.T, where="post", color=f"C{i}", linewidth=0.7, alpha=0.5)
        axis.step(times, scores.mean(axis=0), where="post", color=f"C{i}", linewidth=2.5, label=method)
    scores = np.concatenate(list(best.values()))
    if not np.isnan(scores).all():
        bottom, top = np.nanquantile(scores, [0.05, 1.0])  # the first scores are much lower
        margin = 0.05 * (top - bottom or 1.0)
        axis.set_ylim(bottom - margin, top + margin)
    axis.set_xlim(0, times[-1])
    axis.set_xlabel("seconds since the search began")
    axis.set_ylabel("best score so far")
    axis.legend(loc="lower right", frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
