"""M4 Hourly, 80 % and 95 % intervals of 48 steps: coverage, mean scaled interval score, CRPS and weighted quantile loss.

Three kinds are fitted on the train part: quantiles with a conformal correction from the held-out last 48 steps of the
train part; the same quantiles without the correction; and the sample paths of an autoregressive network. Beside them
is the seasonal naive forecast, with normal intervals from its residuals. The weighted quantile loss is twice the sum
of the pinball losses over the sum of all values, averaged over the levels 0.1, 0.2, ..., 0.9, as GluonTS publishes it
for its own models.

The test part is read after the last forecast is made. With --validate, it is never read: the last 48 steps of the
train part are forecast, and settings are chosen this way.

    python benchmarks/intervals.py --validate --kinds deepar_lstm
    python benchmarks/intervals.py --seeds 0 1 2
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from _report import parser, progress, setting, table

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.datasets import fetch_m4
from lstmzoo.metrics import coverage, crps, mean_over_series, msis, smape

HORIZON, SEASON = 48, 24
TENTHS = [level / 10 for level in range(1, 10)]
LEVELS = [0.025, *TENTHS, 0.975]
COMMON = {"horizon": HORIZON, "season_length": [SEASON, 168], "verbose": 0}
SETTINGS = {"transform": "log", "lookback_horizons": 7, "batch_size": 256}
SAMPLED = {"transform": "log"}
# https://github.com/awslabs/gluonts/tree/7dd662e/evaluations/m4_hourly
PUBLISHED = {
    "GluonTS DeepAR (published)": 0.0329,
    "GluonTS Transformer (published)": 0.0349,
    "ETS, by R (GluonTS, published)": 0.0431,
    "seasonal naive, no spread (GluonTS, published)": 0.0483,
    "GluonTS MQ-CNN (published)": 0.0651,
}
KINDS: dict[str, dict[str, Any]] = {
    "segment_gru, conformal": {"model": "segment_gru", "conformal": True, "quantiles": LEVELS, "hyperparameters": SETTINGS},
    "segment_gru, quantiles": {"model": "segment_gru", "quantiles": LEVELS, "hyperparameters": SETTINGS},
    "deepar_lstm": {"model": "deepar_lstm", "hyperparameters": SAMPLED},
}  # fmt: skip


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    made.add_argument("--validate", action="store_true", help="forecast the train part's end, not the test part")
    args = made.parse_args()
    train = fetch_m4("Hourly").train
    if args.smoke:
        train = train[train["unique_id"].isin([f"H{i}" for i in range(1, 25)])]
    truth = None
    if args.validate:
        place = train.groupby("unique_id").cumcount(ascending=False)
        train, truth = train[place >= HORIZON], train[place < HORIZON]
    forecasts = {("seasonal naive, normal", 0): seasonal_naive(train)}
    for kind in args.kinds:
        for seed in args.seeds:
            forecasts[kind, seed] = forecast(kind, seed, train, smoke=args.smoke)
    if truth is None:
        truth = fetch_m4("Hourly").test
        truth = truth[truth["unique_id"].isin(train["unique_id"])]
    scores: dict[str, list[np.ndarray]] = {}
    for (kind, _), (frame, seconds) in forecasts.items():
        scores.setdefault(kind, []).append(np.array([*score(truth, frame, train), seconds]))
    columns = [
        "method",
        "80 % covers",
        "95 % covers",
        "MSIS 95 %",
        "scaled CRPS",
        "weighted quantile loss",
        "sMAPE",
        "fit s",
    ]
    rows = [[kind, *(cell(np.array(found)[:, i]) for i in range(7))] for kind, found in scores.items()]
    if not args.validate and not args.smoke:
        rows += [[name, "", "", "", "", f"{loss:.4f}", "", ""] for name, loss in PUBLISHED.items()]
    part = "last 48 steps of the train part (validation)" if args.validate else "test part"
    print(f"M4 Hourly, {part}, {train['unique_id'].nunique()} series.\n")
    print(table(columns, rows) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke))


def seasonal_naive(train: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    model = BaselineForecaster("seasonal_naive", horizon=HORIZON, season_length=SEASON, quantiles=LEVELS).fit(train)
    return model.predict(), model.seconds_


def forecast(kind: str, seed: int, train: pd.DataFrame, *, smoke: bool) -> tuple[pd.DataFrame, float]:
    parameters = {**COMMON, **KINDS[kind], "random_state": seed}
    if smoke:
        parameters["hyperparameters"] = {**SETTINGS, "epochs": 1, "steps_per_epoch": 2, "batch_size": 8}
    model = Forecaster(**parameters).fit(train)
    started = time.perf_counter()
    frame = model.predict(quantiles=LEVELS)
    progress(f"{kind}, seed {seed}: {model.seconds_:.0f} s, forecast {time.perf_counter() - started:.1f} s")
    return frame, model.seconds_


def score(truth: pd.DataFrame, frame: pd.DataFrame, train: pd.DataFrame) -> tuple[float, ...]:
    """Return the coverage of both intervals, MSIS and CRPS, averaged over the series; weighted quantile loss; sMAPE."""
    both = truth.merge(frame, on=["unique_id", "ds"], how="left", validate="1:1")
    past = dict(tuple(train.groupby("unique_id")["y"]))
    history = [past[name].to_numpy() for name in both["unique_id"].iloc[::HORIZON]]
    actual = both["y"].to_numpy().reshape(-1, HORIZON)
    at = {level: both[f"y_hat_q{level:g}"].to_numpy().reshape(-1, HORIZON) for level in LEVELS}
    quantiles = np.stack(list(at.values()), axis=-1)
    return (
        100 * mean_over_series(coverage(actual, at[0.1], at[0.9])),
        100 * mean_over_series(coverage(actual, at[0.025], at[0.975])),
        mean_over_series(msis(actual, at[0.025], at[0.975], history, SEASON, 0.95)),
        mean_over_series(crps(actual, quantiles, LEVELS)),
        weighted_quantile_loss(actual, at),
        float(smape(actual, at[0.5]).mean()),
    )


def weighted_quantile_loss(actual: np.ndarray, at: dict[float, np.ndarray]) -> float:
    """Return GluonTS' ``mean_wQuantileLoss`` over all series and steps."""
    errors = np.stack([actual - at[level] for level in TENTHS])
    levels = np.array(TENTHS)[:, None, None]
    return float(2 * np.maximum(levels * errors, (levels - 1) * errors).sum() / len(TENTHS) / np.abs(actual).sum())


def cell(values: np.ndarray) -> str:
    digits = 1 if values.mean() > 20 else 3 if values.mean() > 0.1 else 4
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


if __name__ == "__main__":
    main()
