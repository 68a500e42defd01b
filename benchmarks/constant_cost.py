"""Costs that do not grow: a training step with more series, an observation of a stream with more history.

The first table times whole epochs of training on 100 series and on 10,000, in turn and without validation, and gives
the time of a step. The second streams 100,000 observations into one forecaster, and gives the time of one observation
with its forecast at the beginning, in the middle and at the end.

    python benchmarks/constant_cost.py
"""

import time

import numpy as np
from _report import parser, progress, setting, table

from lstmzoo import Forecaster
from lstmzoo.datasets import generate_seasonal

HORIZON, LOOKBACK = 24, 96


def main() -> None:
    args = parser(__doc__).parse_args()
    counts = (10, 50) if args.smoke else (100, 10_000)
    observations = 500 if args.smoke else 100_000
    rounds = 1 if args.smoke else 3
    times = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            times[count].append(step_ms(count, epochs=3 if args.smoke else 8))
            progress(f"{count} series: {times[count][-1]:.2f} ms a step")
    base = np.median(times[counts[0]])
    rows = [[f"{count:,}", f"{np.median(t):.2f}", f"{np.median(t) / base:.3f}"] for count, t in times.items()]
    print(table(["series", "ms a training step", "ratio"], rows) + "\n")
    print(table(["observations", "median ms", "99th percentile ms"], stream(observations)) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))


def forecaster(**settings: int) -> Forecaster:
    return Forecaster(
        "gru",
        horizon=HORIZON,
        lookback=LOOKBACK,
        season_length=24,
        validation_size=0,
        random_state=0,
        verbose=0,
        hyperparameters=settings,
    )


def step_ms(count: int, epochs: int) -> float:
    """Measure a training step, batches included: the median over epochs without the first two."""
    frame = generate_seasonal(n_series=count, length=400, freq="h", season_length=24, random_state=0)
    model = forecaster(units=64, epochs=epochs, steps_per_epoch=50, patience=epochs).fit(frame)
    seconds = [row["seconds"] for row in model.history_[2 if epochs > 3 else 1 :]]
    return 1000 * float(np.median(seconds)) / 50


def stream(observations: int) -> list[list[str]]:
    """Measure an observation in each tenth of a long stream."""
    y = 10 + np.sin(np.arange(600) * np.pi / 12)
    running = forecaster(units=64, epochs=1, steps_per_epoch=5).fit(y).stream()
    new = 10 + np.sin(np.arange(600, 600 + observations) * np.pi / 12)
    took = np.empty(observations)
    for i, value in enumerate(new):
        started = time.perf_counter()
        running.update(value)
        took[i] = time.perf_counter() - started
    tenth = observations // 10
    parts = {"first tenth": took[10:tenth], "fifth tenth": took[4 * tenth : 5 * tenth], "last tenth": took[-tenth:]}
    return [
        [name, f"{1000 * np.median(part):.3f}", f"{1000 * np.percentile(part, 99):.3f}"] for name, part in parts.items()
    ]


if __name__ == "__main__":
    main()
