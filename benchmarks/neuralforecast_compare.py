"""The zoo and neuralforecast's LSTM, GRU and DeepAR: the same data, seconds and horizon, all with their defaults.

The data is all series of M4 Hourly (horizon 48) and M4 Weekly (horizon 13). Both libraries get the horizon, integer
steps and the seed; lstmzoo also gets the seasons, 24 and 168 for Hourly, and M4's own 1 for Weekly, which
neuralforecast's models do not take. All else is each side's default: lstmzoo holds out the last horizon of the train
part to choose its epoch, neuralforecast holds out nothing.

neuralforecast trains for its default ``max_steps``, lowered to the number that fits into ``--seconds`` according to a
short fit before, so that its learning rate still decays to its end; the column "training" tells the number. Its whole
fit is timed. lstmzoo's entry is then fitted anew with ``time_limit`` at an eighth and at all of these seconds, and so
is ``segment_gru``, the entry that the docs recommend. A fit whose epochs end before its limit is not repeated with a
larger one. Times are of whole fits, with compilation and without imports. ``time_limit`` limits the training alone,
so a whole fit of lstmzoo takes a little longer than its limit. The seconds to an equal score are those of the
shortest of these fits whose score is at most neuralforecast's, "-" if there is none. Both forecast the median. Each
fit runs in a process of its own, one at a time.

The test part is read after the last forecast is made; `fetch_m4` always parses both files, and its ``.test`` is
discarded unread until then. Nothing is chosen by these scores.

    python3.11 -m venv nfenv && nfenv/bin/pip install torch==2.13.0 neuralforecast==3.3.0
    python benchmarks/neuralforecast_compare.py --python nfenv/bin/python --seconds 60
"""

import json
import multiprocessing
import os
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import parser, progress, setting, table

from lstmzoo import Forecaster, load_config
from lstmzoo.datasets import fetch_m4
from lstmzoo.metrics import mase, mean_over_series, smape

HERE = Path(__file__).resolve().parent
PAIRS = {"LSTM": "lstm", "GRU": "gru", "DeepAR": "deepar_lstm"}
RECOMMENDED = "segment_gru"
SHARES = (1 / 8, 1.0)
SETS: dict[str, tuple[str, int | list[int]]] = {"hourly": ("Hourly", [24, 168]), "weekly": ("Weekly", 1)}
METRICS = ("sMAPE", "MASE")


@dataclass
class Fit:
    """The result of one fit; its scores are set after all forecasts are made."""

    forecast: pd.DataFrame
    seconds: float
    training: str
    parameters: int
    cut: bool = False
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class Contest:
    """A neuralforecast model and the entries it is compared with: fits by seed, and by share of the seconds."""

    name: str
    data: str
    theirs: list[Fit]
    ours: dict[str, list[list[Fit]]]

    def fits(self) -> list[Fit]:
        return [*self.theirs, *(fit for seeds in self.ours.values() for fits in seeds for fit in fits)]


def main() -> None:
    args = arguments()
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ |= dict.fromkeys(names, str(args.threads))
    for entry in [*(PAIRS[name] for name in args.models), RECOMMENDED]:
        load_config(f"forecasting/{entry}")
    contests: list[Contest] = []
    versions: dict[str, str] = {}
    for data in args.sets:
        train = history_of(data, smoke=args.smoke)
        for name in args.models:
            contest, found = run(args, data, name, train)
            contests.append(contest)
            versions |= found
    for data in args.sets:
        fits = [fit for contest in contests if contest.data == data for fit in contest.fits()]
        score(data, history_of(data, smoke=args.smoke), fits)
    print(
        f"At most {args.seconds:g} s for neuralforecast, and its seconds as `time_limit` for lstmzoo's entries below it;"
    )
    print(f"{args.threads} threads; test parts of M4.\n")
    columns = ["set", "library", "model", "fit s", "training", *METRICS]
    columns += [*(f"s to equal {metric}" for metric in METRICS), "parameters"]
    print(table(columns, [row for contest in contests for row in rows(contest)]) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke, others=versions))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--python", required=True, help="interpreter with neuralforecast")
    made.add_argument("--seconds", type=float, default=60.0, help="limit of neuralforecast's training")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    made.add_argument("--models", nargs="+", choices=PAIRS, default=list(PAIRS), help="neuralforecast's")
    made.add_argument("--threads", type=int, default=2)
    args = made.parse_args()
    if args.smoke:
        args.seconds = 8.0
    return args


def history_of(data: str, *, smoke: bool) -> pd.DataFrame:
    train = fetch_m4(SETS[data][0]).train
    return train[train["unique_id"].isin(train["unique_id"].unique()[:8])] if smoke else train


def run(args: Any, data: str, name: str, train: pd.DataFrame) -> tuple[Contest, dict[str, str]]:
    """Run all fits of one neuralforecast model and its opponents; return them and the other environment's versions."""
    contest = Contest(name, data, [], {PAIRS[name]: [], RECOMMENDED: []})
    versions: dict[str, str] = {}
    for seed in args.seeds:
        theirs, versions = fit_neuralforecast(args, data, name, train, seed)
        contest.theirs.append(theirs)
        progress(f"{data}, seed {seed}, neuralforecast {name}: {theirs.seconds:.1f} s, {theirs.training}")
        for entry, fits in contest.ours.items():
            fits.append([])
            for share in SHARES:
                limit = share * theirs.seconds
                fits[-1].append(isolated(fit_entry, entry, data, train, seed, limit, args.smoke))
                found = fits[-1][-1]
                progress(f"{data}, seed {seed}, {entry}, limit {limit:.1f} s: {found.seconds:.1f} s, {found.training}")
                if not found.cut:
                    break
    return contest, versions


def fit_neuralforecast(args: Any, data: str, name: str, train: pd.DataFrame, seed: int) -> tuple[Fit, dict[str, str]]:
    told = {
        "model": name,
        "horizon": fetch_m4(SETS[data][0]).horizon,
        "seconds": args.seconds,
        "trial_steps": 3 if args.smoke else 10,
        "threads": args.threads,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as folder:
        settings, history, forecast = (Path(folder) / file for file in ("settings.json", "data.npz", "forecast.npz"))
        settings.write_text(json.dumps(told), encoding="utf-8")
        np.savez(
            history,
            unique_id=train["unique_id"].to_numpy().astype("U"),
            ds=train["ds"].to_numpy(),
            y=train["y"].to_numpy(),
        )
        command = [args.python, str(HERE / "_neuralforecast_fit.py"), str(settings), str(history), str(forecast)]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        answer = json.loads(done.stdout.splitlines()[-1])
        frame = pd.DataFrame(dict(np.load(forecast)))
    training = f"{answer['steps']:,} of {answer['default_steps']:,} steps"
    return Fit(frame, answer["fit_seconds"], training, answer["parameters"]), answer["versions"]


def isolated(function: Any, *arguments: Any) -> Any:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def fit_entry(entry: str, data: str, train: pd.DataFrame, seed: int, limit: float, smoke: bool) -> Fit:
    group, season = SETS[data]
    forecaster = Forecaster(
        entry,
        horizon=fetch_m4(group).horizon,
        season_length=season,
        freq=1,
        hyperparameters={"epochs": 1, "steps_per_epoch": 2} if smoke else {},
        time_limit=limit,
        random_state=seed,
        verbose=0,
    ).fit(train)
    taken = [epoch["seconds"] for epoch in forecaster.history_]
    training = f"{len(taken)} epoch{'s' if len(taken) > 1 else ''}"
    cut = sum(taken) > limit
    return Fit(forecaster.predict(), forecaster.seconds_, training, forecaster.num_parameters_, cut)


def score(data: str, history: pd.DataFrame, fits: list[Fit]) -> None:
    """Set the scores of all fits on a data set: sMAPE and MASE, averaged over the series; rows match by series and time."""
    m4 = fetch_m4(SETS[data][0])
    truth = m4.test[m4.test["unique_id"].isin(history["unique_id"])]
    past = dict(tuple(history.groupby("unique_id")["y"]))
    before = [past[name].to_numpy() for name in truth["unique_id"].iloc[:: m4.horizon]]
    for fit in fits:
        both = truth.merge(fit.forecast, on=["unique_id", "ds"], how="left", validate="1:1")
        if both["y_hat"].isna().any():
            raise ValueError(f"some steps of {data} have no forecast")
        actual, predicted = (both[column].to_numpy().reshape(-1, m4.horizon) for column in ("y", "y_hat"))
        fit.scores["sMAPE"] = float(smape(actual, predicted).mean())
        fit.scores["MASE"] = mean_over_series(mase(actual, predicted, before, m4.season_length))


def rows(contest: Contest) -> list[list[str]]:
    """Make a row for neuralforecast's model, and one for each entry with all of the seconds; means over the seeds."""
    first = [contest.data, "neuralforecast", contest.name]
    made = [[*first, *cells(contest.theirs), "", "", f"{contest.theirs[0].parameters:,}"]]
    for entry, seeds in contest.ours.items():
        last = [fits[-1] for fits in seeds]
        equal = [seconds_to_equal(contest.theirs, seeds, metric) for metric in METRICS]
        made.append([contest.data, "lstmzoo", entry, *cells(last), *equal, f"{last[0].parameters:,}"])
    return made


def cells(fits: list[Fit]) -> list[str]:
    """Format seconds, training and scores."""
    texts = [f"{np.mean([fit.seconds for fit in fits]):.1f}", " / ".join(dict.fromkeys(fit.training for fit in fits))]
    for metric in METRICS:
        values = [fit.scores[metric] for fit in fits]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        texts.append(f"{np.mean(values):.3f}{spread}")
    return texts


def seconds_to_equal(theirs: list[Fit], seeds: list[list[Fit]], metric: str) -> str:
    """Return the seconds of the shortest fits whose mean score is at most theirs."""
    bar = np.mean([fit.scores[metric] for fit in theirs])
    reached = []
    for place in range(max(map(len, seeds))):
        fits = [each[min(place, len(each) - 1)] for each in seeds]
        if np.mean([fit.scores[metric] for fit in fits]) <= bar:
            reached.append(float(np.mean([fit.seconds for fit in fits])))
    return f"{min(reached):.1f}" if reached else "-"


if __name__ == "__main__":
    main()
