"""ETTh1, seven channels, lookback 96: MSE and MAE at horizons 96, 192, 336 and 720, beside published results.

The standard split has 12, 4 and 4 months of 30 days. Values are in units of each channel's mean and deviation in the
train months. All windows count, with stride 1 and without dropping the last batch. One network reads each channel as
a series of its own. It is not told the channel, and sees 96 steps. It is fitted on the train months, and its epoch is
chosen on the validation months.

With --validate, the validation months are scored, and the test months are not read: settings are chosen this way.
With fewer --train-months, the four months after those are scored; settings are chosen by the mean of 8, 10 and 12.

    python benchmarks/ett.py --validate --train-months 10 --horizons 96 --set units=128
    python benchmarks/ett.py --seeds 0 1 2
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from _report import key_value, parser, progress, setting, table

from lstmzoo import Forecaster
from lstmzoo.datasets import fetch_ett

LOOKBACK = 96
MONTH = 30 * 24
VALIDATION = 4 * MONTH
TOGETHER = 200  # windows of each channel in one call
# MSE and MAE; SegRNN: Lin et al. 2023, the corrected table; the others: see the data's sources.
PUBLISHED = {
    "SegRNN (lookback 96)": {96: (0.368, 0.395), 192: (0.408, 0.419), 336: (0.444, 0.440), 720: (0.446, 0.457)},
    "DLinear (lookback 336)": {96: (0.374, 0.394), 192: (0.408, 0.415), 336: (0.429, 0.427), 720: (0.440, 0.453)},
    "NHITS": {96: (0.378, 0.393), 192: (0.427, 0.436), 336: (0.458, 0.484), 720: (0.561, 0.501)},
    "Autoformer": {96: (0.449, 0.459), 192: (0.500, 0.482), 336: (0.521, 0.496), 720: (0.514, 0.512)},
    "repeat last value": {96: (1.294, 0.713), 192: (1.325, 0.733), 336: (1.330, 0.746), 720: (1.335, 0.755)},
}


def main() -> None:
    args = arguments()
    train = args.train_months * MONTH
    values, names = standardized(train)
    valid = train + VALIDATION
    part = (train, valid) if args.validate else (valid, valid + VALIDATION)
    rows, scores = [], {}
    for horizon in args.horizons:
        for seed in args.seeds:
            model, seconds = fit(args, values[:valid], names, horizon, seed)
            mse, mae, took = evaluate(model, values, names, horizon, part)
            scores[horizon, seed] = (mse, mae)
            epochs = f"{len(model.history_)} ({model.best_epoch_})"
            name = f"lstmzoo {args.model}, seed {seed}"
            rows.append([name, str(horizon), f"{mse:.4f}", f"{mae:.4f}", f"{seconds:.0f}", f"{took:.0f}", epochs,
                         f"{model.num_parameters_:,}"])  # fmt: skip
            progress(" | ".join(rows[-1]))
    kind = f"validation months after {args.train_months} of training" if args.validate else "test months"
    print(f"ETTh1, {kind}, lookback {LOOKBACK}.\n")
    columns = ["method", "horizon", "MSE", "MAE", "fit s", "predict s", "epochs (best)", "parameters"]
    print(table(columns, rows) + "\n")
    if not args.validate:
        print(summary(args, scores) + "\n")
    print(f"`{args.model}` with {dict(args.set)}.", setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--model", default="segment_gru", help="zoo entry")
    made.add_argument("--set", action="append", type=key_value, default=[], metavar="KEY=VALUE", help="hyperparameter")
    made.add_argument("--horizons", type=int, nargs="+", default=[96, 192, 336, 720])
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--validate", action="store_true", help="score the validation months, not the test months")
    made.add_argument("--train-months", type=int, default=12, choices=(6, 8, 10, 12), help="fewer only with --validate")
    args = made.parse_args()
    if args.train_months != 12 and not args.validate:
        made.error("--train-months is for --validate: the test months are those after 12 and 4")
    return args


def standardized(train: int) -> tuple[np.ndarray, list[str]]:
    """Return ``(rows, 7)`` in units of the train months, and the names of the channels."""
    frame = fetch_ett("ETTh1").data.pivot(index="ds", columns="unique_id", values="y")
    values = frame.to_numpy(dtype=float)
    seen = values[:train]
    return (values - seen.mean(axis=0)) / seen.std(axis=0), list(frame.columns)


def long_frame(values: np.ndarray, names: list[str], tag: str = "") -> pd.DataFrame:
    """Make seven series of ``(rows, 7)``."""
    rows = len(values)
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"{name}{tag}" for name in names], rows),
            "ds": np.tile(np.arange(rows), len(names)),
            "y": values.T.ravel(),
        }
    )


def fit(args: Any, values: np.ndarray, names: list[str], horizon: int, seed: int) -> tuple[Forecaster, float]:
    settings = dict(args.set)
    if args.smoke:
        settings |= {"epochs": 1, "steps_per_epoch": 2}
    forecaster = Forecaster(
        args.model,
        horizon=horizon,
        lookback=LOOKBACK,
        season_length=24,
        validation_size=VALIDATION,
        hyperparameters=settings,
        random_state=seed,
        verbose=0,
    )
    forecaster.fit(long_frame(values, names))
    return forecaster, forecaster.seconds_


def evaluate(
    model: Forecaster, values: np.ndarray, names: list[str], horizon: int, part: tuple[int, int]
) -> tuple[float, float, float]:
    """Return MSE and MAE over all windows whose forecasts lie within the part, and the seconds."""
    started = time.perf_counter()
    origins = np.arange(part[0], part[1] - horizon + 1)
    squared = absolute = 0.0
    for first in range(0, len(origins), TOGETHER):
        some = origins[first : first + TOGETHER]
        history = pd.concat([long_frame(values[o - LOOKBACK : o], names, f" {o:06d}") for o in some])
        forecast = model.predict(history=history).sort_values(["unique_id", "ds"], kind="stable")["y_hat"].to_numpy()
        truth = {f"{name} {o:06d}": values[o : o + horizon, i] for o in some for i, name in enumerate(names)}
        error = forecast.reshape(-1, horizon) - np.stack([truth[key] for key in sorted(truth)])
        squared += float((error**2).sum())
        absolute += float(np.abs(error).sum())
    count = len(origins) * len(names) * horizon
    return squared / count, absolute / count, time.perf_counter() - started


def summary(args: Any, scores: dict[tuple[int, int], tuple[float, float]]) -> str:
    """Make a row per method with MSE / MAE per horizon; ours as mean and deviation over the seeds."""
    rows = [
        [name, *(f"{pairs[h][0]:.3f} / {pairs[h][1]:.3f}" for h in args.horizons)] for name, pairs in PUBLISHED.items()
    ]
    ours = []
    for horizon in args.horizons:
        pairs = np.array([scores[horizon, seed] for seed in args.seeds])
        spread = pairs.std(axis=0, ddof=1) if len(pairs) > 1 else np.zeros(2)
        ours.append(" / ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(pairs.mean(axis=0), spread, strict=True)))
    return table(["method, MSE / MAE", *map(str, args.horizons)], [[f"**lstmzoo {args.model}**", *ours], *rows])


if __name__ == "__main__":
    main()
