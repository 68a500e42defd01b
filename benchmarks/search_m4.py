"""M4 Hourly and Weekly by a search with all defaults, beside published results.

`ZooSearchCV(Forecaster(horizon=...), time_limit=...)` gets the train part with M4's integer time index, and nothing else: it
finds the seasons by itself. The test part is read after the last forecast is made. With --validate, it is never read: the last
steps of the train part are forecast in its place.

    python benchmarks/search_m4.py --group Weekly --seconds 300 --seeds 0 1 2
    python benchmarks/search_m4.py --group Hourly --seconds 60 --validate

Other libraries get the same seconds and cores, and M4's season, in environments of their own (see _rivals.py):

    python benchmarks/search_m4.py --group Weekly --rivals autogluon=ag/bin/python autolstm=nf/bin/python
"""

import os
import statistics
import time
from typing import Any

import pandas as pd
from _report import parser, progress, setting, table
from _rivals import METHODS, Rival, forecast_by, method_and_python
from m4 import GROUPS, Group, held_out, owa, score_on

from lstmzoo import Forecaster, ZooSearchCV
from lstmzoo.datasets import fetch_m4


def main() -> None:
    args = arguments()
    group = GROUPS[args.group]
    train = fetch_m4(args.group).train
    if args.smoke:
        train = train[train["unique_id"].isin([f"{args.group[0]}{i}" for i in range(1, 9)])]
    history, truth = held_out(train, group) if args.validate else (train, None)
    found = []
    for seconds in args.seconds:
        for seed in args.seeds:
            found.append((seconds, seed, *searched(history, group, seconds, seed)))
    rivals = [rival(args, history, group, *which, seconds) for which in args.rivals for seconds in args.seconds]
    if truth is None:
        truth = fetch_m4(args.group).test
        truth = truth[truth["unique_id"].isin(history["unique_id"])]
    base = group.published["Naive2"]
    rows = (
        []
        if args.validate
        else [[name, f"{s:.3f}", f"{m:.3f}", "", "", ""] for name, (s, m) in group.published.items()]
    )
    scores: dict[float, list[tuple[float, float]]] = {}
    for seconds, seed, forecast, taken, networks, best in found:
        s, m = score_on(truth, forecast, history, group)
        scores.setdefault(seconds, []).append((s, m))
        progress(f"{seconds:g} s, seed {seed}: sMAPE {s:.3f}, MASE {m:.3f}, OWA {owa(s, m, base):.3f}")
        name = f"**lstmzoo search, {seconds:g} s, seed {seed}**"
        rows.append([name, f"{s:.3f}", f"{m:.3f}", f"{taken:.1f}", str(networks), f"`{best}`"])
    for method, seconds, made in rivals:
        s, m = score_on(truth, made.forecast, history, group)
        progress(f"{method}, {seconds:g} s: sMAPE {s:.3f}, MASE {m:.3f}, OWA {owa(s, m, base):.3f}")
        name = f"{method}, {seconds:g} s"
        rows.append([name, f"{s:.3f}", f"{m:.3f}", f"{made.seconds:.1f}", "", f"`{made.chosen}`"])
    part = f"last {group.horizon} steps of the train part (validation)" if args.validate else "test part"
    print(f"M4 {args.group}, {part}, {history['unique_id'].nunique()} series.\n")
    print(table(["method", "sMAPE", "MASE", "seconds", "networks", "winner"], rows) + "\n")
    for seconds, pairs in scores.items():
        if len(pairs) > 1:
            (s, ds), (m, dm) = ((statistics.mean(x), statistics.stdev(x)) for x in zip(*pairs, strict=True))
            print(f"{seconds:g} s, {len(pairs)} seeds: sMAPE {s:.3f} ± {ds:.3f}, MASE {m:.3f} ± {dm:.3f}.\n")
    versions = {package: number for _, _, made in rivals for package, number in made.versions.items()}
    print(setting(seeds=args.seeds, smoke=args.smoke, others=versions))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--group", choices=GROUPS, default="Weekly")
    made.add_argument("--seconds", type=float, nargs="+", default=[300.0], help="time limits of the search")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--validate", action="store_true", help="forecast the train part's end, not the test part")
    made.add_argument(
        "--rivals",
        type=method_and_python,
        nargs="+",
        default=[],
        metavar="METHOD=PYTHON",
        help=f"other libraries, each with the interpreter of its environment: {', '.join(METHODS)}",
    )
    return made.parse_args()


def searched(history: Any, group: Group, seconds: float, seed: int) -> tuple[Any, float, int, str]:
    """Return the forecasts of a search, the seconds from the data to them, the number of networks, and the winner."""
    began = time.perf_counter()
    search = ZooSearchCV(Forecaster(horizon=group.horizon), time_limit=seconds, random_state=seed, verbose=0).fit(
        history
    )
    forecast = search.predict()
    taken = time.perf_counter() - began
    networks = sum(not record["baseline"] and not record["members"] for record in search.records_)
    best = search.best_params_
    progress(f"{seconds:g} s, seed {seed}: {taken:.1f} s, {networks} networks, winner {best}")
    return forecast, taken, networks, best["model"]


def rival(args: Any, history: Any, group: Group, method: str, python: str, seconds: float) -> tuple[str, float, Rival]:
    """Return the forecasts of another library within so many seconds, with the first seed."""
    ends = history.groupby("unique_id", sort=False)["ds"].last()
    future = pd.DataFrame(
        {
            "unique_id": ends.index.repeat(group.horizon),
            "ds": [end + step for end in ends for step in range(1, group.horizon + 1)],
        }
    )
    freq = {"Hourly": "h", "Weekly": "W"}[args.group]
    threads = len(os.sched_getaffinity(0))
    made = forecast_by(
        method, python, history, future, season=group.season, freq=freq, seconds=seconds, seed=args.seeds[0],
        threads=threads,
    )  # fmt: skip
    progress(f"{method}, {seconds:g} s: {made.seconds:.1f} s, {made.chosen}")
    return method, seconds, made


if __name__ == "__main__":
    main()
