"""The portfolio of forecasting: settings in the order in which a search tries them, chosen greedily over many sets of series.

Candidates are the items of the present portfolio, the defaults of the cheapest entries, and settings drawn from the search
space near these items and defaults. Each is trained for the same few steps on each set, and forecasts the last steps of the
set, which no fit has seen. The sets are the half for development of series_sets.py, generated series of several kinds, and some
series of M4 Weekly and Hourly: their training parts alone. A loss is the mean MASE, relative to that of the seasonal naive
forecast. Seconds are those of the processor, as other programs may run.

The portfolio is then chosen item by item. Each next one lowers the mean over the sets of the best loss so far the most, per
second that it took; the seasonal naive forecast comes before the first. To see what the choice is worth on other data, it is
repeated without each set in turn, and judged on that set, together with all baselines, which each search tries too.

A run continues an earlier one: `--results` has a line for each candidate and set. `--seconds` ends it; candidates that have
not seen all sets by then are left out.

    LSTMZOO_DATA=data python benchmarks/portfolio.py --results portfolio.jsonl --seconds 2700 --write
"""

import datetime
import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
from _report import parser, progress, setting, table
from series_sets import split_sets

from lstmzoo import BaselineForecaster, Forecaster, load_config
from lstmzoo.config import Candidate, load_portfolio
from lstmzoo.datasets import fetch_m4, generate_seasonal
from lstmzoo.errors import LstmzooError
from lstmzoo.estimators import Networks
from lstmzoo.metrics import mase, mean_over_series
from lstmzoo.tuning.space import ModelSpace, fitting, make_space, varied

PATH = Path(__file__).resolve().parent.parent / "zoo_configs" / "forecasting" / "_portfolio.yaml"
BUDGET = {"epochs": 8, "steps_per_epoch": 50}  # of each candidate on each set
CHEAPEST = ("segment_lstm", "segment_gru", "simple_rnn")  # most epochs in equal seconds
MOST = 12  # items of a portfolio
LEAST_GAIN = 0.0005  # by which an item lowers the mean loss
SECONDS = (3, 6, 12, 24, 60)  # in which a portfolio is judged
BASELINES = "baselines"  # in the place of a candidate


class Task(NamedTuple):
    """A set of series: ``history`` and ``truth`` have the columns ``unique_id``, ``ds`` and ``y``."""

    name: str
    history: pd.DataFrame
    truth: pd.DataFrame
    horizon: int
    season: int


class Result(NamedTuple):
    """A candidate on a set: loss, or infinity if it failed; seconds until its first step, of training and of forecasting."""

    loss: float
    begin: float
    train: float
    predict: float

    @property
    def seconds(self) -> float:
        """All seconds."""
        return self.begin + self.train + self.predict


def main() -> None:
    args = arguments()
    began = time.monotonic()
    tasks = list(all_tasks(args.smoke))
    found = read_results(args.results)
    candidates = all_candidates(args.draws)
    for task in tasks:
        if (BASELINES, task.name) not in found:
            found[BASELINES, task.name] = best_baseline(task, args.results)
    complete = []
    for candidate in candidates:
        left = [task for task in tasks if (key(candidate), task.name) not in found]
        if left and time.monotonic() - began > args.seconds:
            continue
        networks = Networks(4)
        for task in left:
            found[key(candidate), task.name] = tried(candidate, task, networks, args.results)
        complete.append(candidate)
        losses = [found[key(candidate), task.name].loss for task in tasks]
        progress(f"{len(complete)}: {candidate}: mean loss {np.mean(np.minimum(losses, 2)):.3f}")
    losses = np.array([[found[key(c), task.name].loss for task in tasks] for c in complete])
    costs = np.array([np.mean([found[key(c), task.name].seconds for task in tasks]) for c in complete])
    floor = np.array([found[BASELINES, task.name].loss for task in tasks])
    chosen = greedy(losses, costs)
    print(report(complete, chosen, losses, costs, floor) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))
    if args.write:
        PATH.write_text(as_yaml([complete[i] for i in chosen], len(complete), len(tasks)), encoding="utf-8")


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--results", type=Path, required=True, help="file of the results, which a later run continues")
    made.add_argument("--seconds", type=float, default=2700.0, help="no candidate is begun after so many seconds")
    made.add_argument("--draws", type=int, default=4, help="settings drawn near each item and each default")
    made.add_argument("--write", action="store_true", help=f"write {PATH.name}")
    return made.parse_args()


def all_candidates(draws: int) -> list[Candidate]:
    """Return the candidates: what is likely to be good comes first, as the time may end."""
    present = load_portfolio("forecasting")
    defaults = [Candidate(model, {}) for model in CHEAPEST]
    rng = np.random.default_rng(0)
    drawn = [drawn_near(item, rng) for _ in range(draws) for item in (*present, *defaults)]
    every = [*present, *defaults, *drawn]
    return list({key(candidate): candidate for candidate in every}.values())


def drawn_near(item: Candidate, rng: np.random.Generator) -> Candidate:
    """Return an item with up to four settings drawn anew from the search space."""
    config = load_config(f"forecasting/{item.model}")
    space = ModelSpace(config, {}, dict(config.search_space))
    params = varied(space, item.hyperparameters, rng, most=4)
    return Candidate(item.model, {k: v for k, v in params.items() if v != config.settings[k]})


def all_tasks(smoke: bool) -> Iterator[Task]:
    """Yield the sets, without any test part and without the half for evaluation."""
    for each in split_sets()["development"]:
        yield Task(each.name, *each.split(), each.steps.horizon, each.steps.season)
        if smoke:
            return
    for name, frame, horizon, season in generated():
        yield ended(name, frame, horizon, season)
    for group, horizon, season in (("Weekly", 13, 1), ("Hourly", 48, 24)):
        train = fetch_m4(group).train
        ids = train["unique_id"].unique()
        some = train[train["unique_id"].isin(ids[:: len(ids) // 60])]
        yield ended(f"m4_{group.lower()}", some, horizon, season)


def ended(name: str, frame: pd.DataFrame, horizon: int, season: int) -> Task:
    """Hold out the end of each series."""
    place = frame.groupby("unique_id").cumcount(ascending=False)
    return Task(name, frame[place >= horizon], frame[place < horizon], horizon, season)


def generated() -> Iterator[tuple[str, pd.DataFrame, int, int]]:
    """Yield generated sets: two seasons, growing amplitude, random walks, counts with zeros, and changes of level."""
    rng = np.random.default_rng(0)
    days = generate_seasonal(24, 900, "h", 24, rng)
    weeks = generate_seasonal(24, 900, "h", 168, rng, level=0.0, trend=0.0)
    yield "two_seasons", days.assign(y=days["y"] + weeks["y"]), 48, 24
    grown = generate_seasonal(40, 132, "MS", 12, rng, level=5.0, trend=0.1, amplitude=0.2, noise=0.05)
    yield "growing_amplitude", grown.assign(y=np.exp(grown["y"])), 12, 12
    walks = generate_seasonal(40, 200, "W", 1, rng, trend=0.05)
    steps = rng.standard_t(4, len(walks)) + walks.groupby("unique_id")["y"].diff().fillna(100.0)
    yield "random_walks", walks.assign(y=steps.groupby(walks["unique_id"]).cumsum()), 13, 1
    rates = generate_seasonal(30, 500, "D", 7, rng, level=1.0, trend=0.0, amplitude=0.7, noise=0.1)
    yield "counts", rates.assign(y=rng.poisson(rates["y"].clip(lower=0.05)).astype(float)), 14, 7
    level = generate_seasonal(40, 80, "QS", 4, rng, amplitude=5.0)
    jumps = pd.Series(rng.normal(scale=15, size=len(level)) * (rng.random(len(level)) < 0.03))
    yield "changes_of_level", level.assign(y=level["y"] + jumps.groupby(level["unique_id"]).cumsum()), 8, 4


def best_baseline(task: Task, path: Path) -> Result:
    """Return the lowest loss of the baselines, and write it down."""
    began, losses = time.process_time(), []
    for name, baseline in Forecaster(horizon=task.horizon).baselines().items():
        try:
            losses.append(relative_loss(baseline.fit(task.history).predict(), task))
        except LstmzooError as error:
            progress(f"{name}, {task.name}: {error}")
    return written(
        path, {"model": BASELINES, "set": task.name}, Result(min(losses), 0.0, time.process_time() - began, 0.0)
    )


def tried(candidate: Candidate, task: Task, networks: Networks, path: Path) -> Result:
    """Train a candidate on a set, forecast, and write down the result; one that fails has an infinite loss."""
    row = {"model": candidate.model, "hyperparameters": candidate.hyperparameters, "set": task.name, "error": None}
    try:
        result = fitted(candidate, task, networks)
    except (LstmzooError, FloatingPointError) as error:
        result, row["error"] = Result(np.inf, 0.0, 0.0, 0.0), str(error)
    return written(path, row, result)


def written(path: Path, row: dict[str, Any], result: Result) -> Result:
    progress(f"{row['model']}, {row['set']}: {result}")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, **result._asdict()}) + "\n")
    return result


def fitted(candidate: Candidate, task: Task, networks: Networks) -> Result:
    """Train a candidate on a set as a search would, and forecast."""
    config = load_config(f"forecasting/{candidate.model}")
    plain = Forecaster(horizon=task.horizon, validation_size=0, random_state=0, verbose=0)
    space = make_space(plain, [config], {}, (task.history,))[candidate.model]
    params = {**fitting(space, candidate), **BUDGET}
    model = plain.set_params(model=candidate.model, hyperparameters=params)
    with without_xla():
        return measured(model, task, networks)


def measured(model: Forecaster, task: Task, networks: Networks) -> Result:
    times = [time.process_time()]
    fit = model.begin_fit(task.history, networks=networks)
    fit.run(1e-9)
    times.append(time.process_time())
    fit.run()
    fit.keep()
    times.append(time.process_time())
    forecast = model.predict()
    times.append(time.process_time())
    return Result(relative_loss(forecast, task), *map(float, np.diff(times)))


@contextmanager
def without_xla() -> Iterator[None]:
    """Compile without XLA, which would take longer than it saves in so few steps."""
    with (
        patch("lstmzoo.training.loop.jit_compile", return_value=False),
        patch("lstmzoo.training.prediction.jit_compile", return_value=False),
    ):
        yield


def relative_loss(forecast: pd.DataFrame, task: Task) -> float:
    """Return the mean MASE, relative to that of the seasonal naive forecast."""
    naive = BaselineForecaster("seasonal_naive", horizon=task.horizon, season_length=task.season)
    return mean_mase(forecast, task) / mean_mase(naive.fit(task.history).predict(), task)


def mean_mase(forecast: pd.DataFrame, task: Task) -> float:
    both = task.truth.merge(forecast, on=["unique_id", "ds"], how="left", validate="1:1")
    actual, predicted = (both[column].to_numpy().reshape(-1, task.horizon) for column in ("y", "y_hat"))
    past = dict(tuple(task.history.groupby("unique_id")["y"]))
    before = [past[name].to_numpy() for name in both["unique_id"].iloc[:: task.horizon]]
    return mean_over_series(mase(actual, predicted, before, task.season))


def key(candidate: Candidate) -> str:
    return json.dumps([candidate.model, candidate.hyperparameters], sort_keys=True)


def read_results(path: Path) -> dict[tuple[str, str], Result]:
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        name = BASELINES if row["model"] == BASELINES else key(Candidate(row["model"], row["hyperparameters"]))
        found[name, row["set"]] = Result(*(row[field] for field in Result._fields))
    return found


def greedy(losses: np.ndarray, costs: np.ndarray) -> list[int]:
    """Choose candidates one after the other: each lowers the mean best loss the most per second.

    Args:
        losses: ``(candidates, sets)``.
        costs: ``(candidates,)`` seconds.

    Examples:
        >>> greedy(np.array([[0.5, 1.0], [1.0, 0.4], [0.9, 0.9]]), np.array([1.0, 1.0, 9.0]))
        [1, 0]
    """
    best, chosen = np.ones(losses.shape[1]), []  # the seasonal naive forecast
    while len(chosen) < min(MOST, len(losses)):
        gains = (best - np.minimum(best, losses)).mean(axis=1)
        gains[chosen] = 0.0
        if gains.max() < LEAST_GAIN:
            break
        worth = np.where(gains >= LEAST_GAIN, gains / costs, 0.0)
        chosen.append(int(worth.argmax()))
        best = np.minimum(best, losses[chosen[-1]])
    return chosen


def best_within(
    order: list[int], seconds: float, losses: np.ndarray, costs: np.ndarray, floor: np.ndarray
) -> np.ndarray:
    """Return the best loss on each set ``(sets,)`` of the baselines and of the items that are tried within so many seconds."""
    begun = [i for i, total in zip(order, np.cumsum(costs[order]), strict=True) if total <= seconds]
    return np.vstack([floor, losses[begun]]).min(axis=0)


def report(
    candidates: list[Candidate], chosen: list[int], losses: np.ndarray, costs: np.ndarray, floor: np.ndarray
) -> str:
    """Return a table of the chosen candidates, and one of what such a choice is worth on sets that it has not seen."""
    last = [key(candidate) for candidate in load_portfolio("forecasting")]
    places = {key(candidate): i for i, candidate in enumerate(candidates)}
    rows, best = [], np.ones(losses.shape[1])
    for place, i in enumerate(chosen, 1):
        best = np.minimum(best, losses[i])
        settings = ", ".join(f"{k} {v}" for k, v in candidates[i].hyperparameters.items()) or "defaults"
        known = str(last.index(key(candidates[i])) + 1) if key(candidates[i]) in last else ""
        mean = f"{np.minimum(losses[i], 2).mean():.3f}"
        rows.append(
            [str(place), f"`{candidates[i].model}`", settings, known, f"{costs[i]:.1f}", mean, f"{best.mean():.3f}"]
        )
    unseen: dict[float, list[float]] = {seconds: [] for seconds in SECONDS}
    for j in range(losses.shape[1]):
        others = np.delete(np.arange(losses.shape[1]), j)
        order = greedy(losses[:, others], costs)
        for seconds, values in unseen.items():
            values.append(best_within(order, seconds, losses, costs, floor)[j])
    before = [places[name] for name in last if name in places]
    worth = [
        ["chosen without the set", *(f"{np.mean(values):.3f}" for values in unseen.values())],
        ["the last portfolio", *(f"{best_within(before, s, losses, costs, floor).mean():.3f}" for s in SECONDS)],
    ]
    columns = ["place", "entry", "settings", "last place", "s per set", "loss", "best loss so far"]
    return (
        f"{len(candidates)} candidates on {len(floor)} sets.\n\n{table(columns, rows)}\n\n"
        f"The best loss on a set, with the baselines, which alone have {floor.mean():.3f}:\n\n"
        + table(["portfolio", *(f"{s:g} s" for s in SECONDS)], worth)
    )


def as_yaml(items: list[Candidate], candidates: int, sets: int) -> str:
    """Return the file of a portfolio, with a header that says how it was made."""
    command = " ".join(itertools.chain(["benchmarks/portfolio.py"], sys.argv[1:]))
    lines = [
        "# Settings in the order in which a search tries them: chosen greedily by the loss per second",
        f"# from {candidates} candidates on {sets} sets, by",
        f"#   python {command}",
        f"# on {datetime.datetime.now(datetime.UTC).date().isoformat()}. The sets are in no test part; see the script.",
        "candidates:",
    ]
    for item in items:
        inner = ", ".join(f"{k}: {json.dumps(v)}" for k, v in item.hyperparameters.items()).replace('"', "")
        lines.append(f"- {{model: {item.model}, hyperparameters: {{{inner}}}}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
