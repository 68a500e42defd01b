"""M4 Hourly or Weekly, all series: official sMAPE, MASE and OWA, beside published results.

One Forecaster per seed is fitted on the train part alone. The test part is read after the last forecast is made. With
--validate, it is never read: the last steps of the train part are forecast, and settings are chosen this way.
(`fetch_m4` always parses both files; its `.test` is discarded unread until then.)

    python benchmarks/m4.py --group Hourly --validate --model segment_lstm --set residual=long_seasonal_naive
    python benchmarks/m4.py --group Weekly --model segment_lstm --seeds 0 1 2
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from _report import key_value, parser, progress, setting, table

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.datasets import fetch_m4
from lstmzoo.estimators.forecasting.baselines.smoothing import is_seasonal, seasonal_pattern
from lstmzoo.metrics import mase, mean_over_series, smape


@dataclass(frozen=True)
class Group:
    """A group of M4, with scores from the official file, sheet "Point Forecasts-Frequency"."""

    horizon: int
    season: int
    seasons: list[int]
    published: dict[str, tuple[float, float]]


GROUPS = {
    "Hourly": Group(
        48, 24, [24, 168],
        {
            "Naive": (43.003, 11.608),
            "Theta": (18.138, 2.455),
            "Naive2": (18.383, 2.395),
            "sNaive": (13.912, 1.193),
            "Montero-Manso et al. (FFORMA, M4's second)": (11.506, 0.819),
            "Smyl (ES-RNN, M4's winner)": (9.328, 0.893),
            "Doornik et al. (best on hourly)": (8.913, 0.801),
        },
    ),
    "Weekly": Group(
        13, 1, [1],
        {
            "Naive": (9.161, 2.777),
            "Theta": (9.093, 2.637),
            "Naive2": (9.161, 2.777),
            "sNaive": (9.161, 2.777),
            "M4's RNN benchmark": (15.220, 5.132),
            "Smyl (ES-RNN, M4's winner)": (7.817, 2.356),
            "Montero-Manso et al. (FFORMA, M4's second)": (7.625, 2.108),
            "Doornik et al.": (6.728, 2.302),
        },
    ),
}  # fmt: skip


def main() -> None:
    args = arguments()
    group = GROUPS[args.group]
    started = time.perf_counter()
    train = fetch_m4(args.group).train
    if args.smoke:
        train = train[train["unique_id"].isin([f"{args.group[0]}{i}" for i in range(1, 9)])]
    history, truth = held_out(train, group) if args.validate else (train, None)
    load_seconds = time.perf_counter() - started

    forecasts, seconds = fit_all(args, group, history)
    reference = {"Naive": naive(history, group, 1), "sNaive": naive(history, group), "Naive2": naive2(history, group)}
    if truth is None:
        truth = fetch_m4(args.group).test
        truth = truth[truth["unique_id"].isin(history["unique_id"])]
    scores = {name: score_on(truth, frame, history, group) for name, frame in {**reference, **forecasts}.items()}

    base = group.published["Naive2"]
    if args.validate or args.smoke:
        base = scores["Naive2"]
        shown = {name: (*scores[name], None) for name in reference}
    else:
        shown = {name: (*pair, None) for name, pair in group.published.items()}
        check_published(scores, group)
    shown |= {f"**lstmzoo {name}**": (*scores[name], seconds.get(name)) for name in forecasts}
    rows = []
    for name, (s, m, taken) in shown.items():
        rows.append([name, f"{s:.3f}", f"{m:.3f}", f"{owa(s, m, base):.3f}", *(taken or [""] * 4)])
    part = f"last {group.horizon} steps of the train part (validation)" if args.validate else "test part"
    count = history["unique_id"].nunique()
    print(f"M4 {args.group}, {part}, {count} series; loading took {load_seconds:.2f} s.\n")
    columns = ["method", "sMAPE", "MASE", "OWA", "fit s", "predict s", "epochs (best)", "parameters"]
    print(table(columns, sorted(rows, key=lambda row: -float(row[3]))) + "\n")
    if len(args.seeds) > 1:
        print(spread(args.seeds, scores, base) + "\n")
    print(f"`{args.model}` with {json.dumps(dict(args.set))}.", setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--group", choices=GROUPS, default="Hourly")
    made.add_argument("--model", default="lstm", help="zoo entry")
    made.add_argument(
        "--set",
        action="append",
        type=key_value,
        default=[],
        metavar="KEY=VALUE",
        help="parameter of Forecaster (lookback, season_length, time_limit, ...) or hyperparameter",
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--validate", action="store_true", help="forecast the train part's end, not the test part")
    return made.parse_args()


def forecaster(args: Any, group: Group, seed: int) -> Forecaster:
    parameters = {"horizon": group.horizon, "season_length": group.seasons, "random_state": seed, "verbose": 0}
    hyperparameters = {"epochs": 2, "steps_per_epoch": 4} if args.smoke else {}
    known = Forecaster("lstm", horizon=1).get_params()
    for key, value in args.set:
        (parameters if key in known else hyperparameters)[key] = value
    return Forecaster(args.model, hyperparameters=hyperparameters, **parameters)


def fit_all(args: Any, group: Group, history: pd.DataFrame) -> tuple[dict[str, pd.DataFrame], dict[str, list[str]]]:
    """Return forecasts by name, with seconds and sizes; with several seeds, also their median."""
    forecasts, seconds = {}, {}
    for seed in args.seeds:
        name = f"{args.model}, seed {seed}"
        model = forecaster(args, group, seed).fit(history)
        started = time.perf_counter()
        forecasts[name] = model.predict()
        taken = time.perf_counter() - started
        epochs = f"{len(model.history_)} ({model.best_epoch_})"
        seconds[name] = [f"{model.seconds_:.1f}", f"{taken:.2f}", epochs, f"{model.num_parameters_:,}"]
        best = model.history_[model.best_epoch_ - 1]
        losses = ", ".join(f"{key} {best[key]:.4f}" for key in ("loss", "val_loss") if key in best)
        progress(f"{name}: {model.seconds_:.1f} s, {epochs} epochs, {losses}")
    if len(args.seeds) > 1:
        stacked = np.median([frame["y_hat"] for frame in forecasts.values()], axis=0)
        forecasts[f"{args.model}, median of the {len(args.seeds)} forecasts"] = frame_like(forecasts, stacked)
    return forecasts, seconds


def frame_like(forecasts: dict[str, pd.DataFrame], values: np.ndarray) -> pd.DataFrame:
    return next(iter(forecasts.values())).assign(y_hat=values)


def held_out(train: pd.DataFrame, group: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the train part before the last steps of each series."""
    place = train.groupby("unique_id").cumcount(ascending=False)
    return train[place >= group.horizon], train[place < group.horizon]


def score_on(truth: pd.DataFrame, forecast: pd.DataFrame, history: pd.DataFrame, group: Group) -> tuple[float, float]:
    """Return sMAPE and MASE, averaged over the series; rows are matched by series and time."""
    both = truth.merge(forecast, on=["unique_id", "ds"], how="left", validate="1:1")
    if both["y_hat"].isna().any():
        raise ValueError("some steps have no forecast")
    actual, predicted = (both[column].to_numpy().reshape(-1, group.horizon) for column in ("y", "y_hat"))
    past = dict(tuple(history.groupby("unique_id")["y"]))
    past = [past[name].to_numpy() for name in both["unique_id"].iloc[:: group.horizon]]
    return float(smape(actual, predicted).mean()), mean_over_series(mase(actual, predicted, past, group.season))


def owa(smape_: float, mase_: float, base: tuple[float, float]) -> float:
    return (smape_ / base[0] + mase_ / base[1]) / 2


def naive(history: pd.DataFrame, group: Group, season: int | None = None) -> pd.DataFrame:
    """Repeat the last season; with a season of 1, the last value."""
    season = season or group.season
    method = "seasonal_naive" if season > 1 else "naive"
    return BaselineForecaster(method, horizon=group.horizon, season_length=season).fit(history).predict()


def naive2(history: pd.DataFrame, group: Group) -> pd.DataFrame:
    """Forecast by M4's Naive2: the last value, seasonally adjusted if the season is significant at 90 %."""
    factors = {}
    for name, y in history.groupby("unique_id")["y"]:
        factors[name] = np.ones(group.horizon)
        values, length = y.to_numpy()[None], np.array([len(y)])
        if group.season > 1 and is_seasonal(values, length, group.season)[0]:
            (pattern,), _ = seasonal_pattern(values, length, group.season, multiplicative=True)
            places = (len(y) + np.arange(group.horizon)) % group.season
            factors[name] = pattern[places] / pattern[(len(y) - 1) % group.season]
    frame = naive(history, group, 1)
    ids = frame["unique_id"].iloc[:: group.horizon]
    return frame.assign(y_hat=frame["y_hat"] * np.concatenate([factors[name] for name in ids]))


def check_published(scores: dict[str, tuple[float, float]], group: Group) -> None:
    """Check that data and metrics give the official scores of the naive forecasts."""
    for name in ("Naive", "sNaive", "Naive2"):
        same = np.allclose(scores[name], group.published[name], rtol=0, atol=5.1e-4)
        found = " / ".join(f"{value:.3f}" for value in scores[name])
        progress(f"{name}: {found}, {'as' if same else 'NOT AS'} published")


def spread(seeds: list[int], scores: dict[str, tuple[float, float]], base: tuple[float, float]) -> str:
    single = np.array([pair for name, pair in scores.items() if ", seed " in name])
    columns = {"sMAPE": single[:, 0], "MASE": single[:, 1], "OWA": owa(single[:, 0], single[:, 1], base)}
    texts = [f"{name} {values.mean():.3f} ± {values.std(ddof=1):.3f}" for name, values in columns.items()]
    return f"Over {len(seeds)} seeds: {', '.join(texts)} (mean ± standard deviation)."


if __name__ == "__main__":
    main()
