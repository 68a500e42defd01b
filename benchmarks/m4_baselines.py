"""M4 Hourly and Weekly by the baselines of `BaselineForecaster`, beside published results of the same methods.

The methods fit each series by itself, and have no settings to choose. `theta` and `damped` run with M4's own season, as the
published ones, and with the seasons that are found. The test part is read after the last forecast is made. With --validate, it
is never read: the last steps of the train part are forecast in its place.

    python benchmarks/m4_baselines.py --group Hourly
    python benchmarks/m4_baselines.py --group Weekly --validate
"""

import time
from typing import Any

from _report import parser, progress, setting, table
from m4 import GROUPS, check_published, held_out, naive, naive2, owa, score_on

from lstmzoo import BaselineForecaster
from lstmzoo.datasets import fetch_m4

PUBLISHED = {"Hourly": {"M4's Damped": (19.265, 2.966)}, "Weekly": {"M4's Damped": (8.866, 2.404)}}
METHODS = ("naive", "seasonal_naive", "drift", "window_average", "theta", "damped")


def main() -> None:
    args = arguments()
    group = GROUPS[args.group]
    train = fetch_m4(args.group).train
    if args.smoke:
        train = train[train["unique_id"].isin([f"{args.group[0]}{i}" for i in range(1, 9)])]
    history, truth = held_out(train, group) if args.validate else (train, None)
    found = []
    for method in METHODS:
        seasons = [group.season, None] if method in ("theta", "damped") else [None]
        for season in seasons:
            began = time.perf_counter()
            model = BaselineForecaster(method, horizon=group.horizon, season_length=season).fit(history)
            if any((method, model.seasons_) == one[:2] for one in found):
                continue
            forecast = model.predict()
            found.append((method, model.seasons_, forecast, time.perf_counter() - began))
            progress(f"{method}, seasons {model.seasons_}: {found[-1][-1]:.2f} s")
    reference = {"Naive": naive(history, group, 1), "sNaive": naive(history, group), "Naive2": naive2(history, group)}
    if truth is None:
        truth = fetch_m4(args.group).test
        truth = truth[truth["unique_id"].isin(history["unique_id"])]
    scores = {name: score_on(truth, frame, history, group) for name, frame in reference.items()}
    base, rows = scores["Naive2"], []
    if not args.validate and not args.smoke:
        check_published(scores, group)
        published = {f"M4's {name}": group.published[name] for name in ("Naive2", "sNaive", "Theta")}
        for name, (s, m) in {**published, **PUBLISHED[args.group]}.items():
            rows.append([name, f"{group.season}", f"{s:.3f}", f"{m:.3f}", f"{owa(s, m, base):.3f}", ""])
    for method, lengths, forecast, seconds in found:
        s, m = score_on(truth, forecast, history, group)
        seasons = ", ".join(map(str, lengths))
        rows.append(
            [f"**lstmzoo {method}**", seasons, f"{s:.3f}", f"{m:.3f}", f"{owa(s, m, base):.3f}", f"{seconds:.1f}"]
        )
    part = f"last {group.horizon} steps of the train part (validation)" if args.validate else "test part"
    print(f"M4 {args.group}, {part}, {history['unique_id'].nunique()} series.\n")
    print(table(["method", "seasons", "sMAPE", "MASE", "OWA", "seconds"], sorted(rows, key=lambda row: -float(row[4]))))
    print("\n" + setting(seeds=[], smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--group", choices=GROUPS, default="Hourly")
    made.add_argument("--validate", action="store_true", help="forecast the train part's end, not the test part")
    return made.parse_args()


if __name__ == "__main__":
    main()
