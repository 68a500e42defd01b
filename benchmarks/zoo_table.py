"""All forecasting entries of the zoo, with their own defaults, on one small task for the same seconds.

Each entry is fitted under ``time_limit``, compilation included, without a limit of epochs and patience, and keeps the
weights of its best epoch. The last ``horizon`` steps of each series are scored; no fit has seen them. An entry is
better if its MASE is below that of the seasonal naive forecast. Tasks:

- ``m4_hourly``: 60 of M4's 414 hourly series (every seventh), train part, horizon 48, seasons 24 and 168;
- ``seasonal``: 60 generated hourly series of 500 steps, horizon 24, season 24;
- ``climate``: the two monthly series of ``load_climate``, horizon 12, season 12.

``auto`` is ``m4_hourly`` if it is under ``LSTMZOO_DATA``, otherwise ``seasonal``: nothing is downloaded.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from _report import parser, progress, setting, table
from _zoo import ENDLESS, averaged

from lstmzoo import Forecaster, datasets, list_models
from lstmzoo.errors import LstmzooError


def m4_hourly() -> tuple[pd.DataFrame, dict[str, Any], str]:
    train = datasets.fetch_m4("Hourly").train
    ids = train["unique_id"].unique()[::7]
    parameters = {"horizon": 48, "season_length": [24, 168]}
    return train[train["unique_id"].isin(ids)], parameters, "series of M4 Hourly (train part)"


def seasonal() -> tuple[pd.DataFrame, dict[str, Any], str]:
    data = datasets.generate_seasonal(60, 500, freq="h", season_length=24, random_state=0)
    return data, {"horizon": 24, "season_length": 24}, "generated hourly series of 500 steps"


def climate() -> tuple[pd.DataFrame, dict[str, Any], str]:
    data = datasets.load_climate()
    return data, {"horizon": 12, "season_length": 12}, "monthly series of load_climate"


TASKS: dict[str, Callable] = {"m4_hourly": m4_hourly, "seasonal": seasonal, "climate": climate}


def main() -> None:
    args = arguments()
    data, parameters, title = task(args.data)
    if args.smoke:
        args.seconds = 2.0
        data = data[data["unique_id"].isin(data["unique_id"].unique()[:4])]
    names = list_models(args.models)
    first = Forecaster(names[0], **parameters, random_state=0, verbose=0)
    (train,), (whole,) = first.holdout_split(data)
    naive = {name: run(baseline, train, whole) for name, baseline in first.baselines().items()}
    first.set_params(hyperparameters={"epochs": 1, "steps_per_epoch": 1}).fit(train)  # starts TensorFlow

    found: dict[str, list[dict[str, Any]]] = {}
    for seed in args.seeds:
        for name in names:
            model = Forecaster(
                name,
                **parameters,
                hyperparameters=ENDLESS,
                time_limit=args.seconds,
                random_state=seed,
                verbose=0,
            )
            try:
                result = run(model, train, whole)
            except (LstmzooError, FloatingPointError) as error:
                progress(f"{name}, seed {seed}: {error}")
                continue
            found.setdefault(name, []).append(result)
            progress(f"{name}, seed {seed}: MASE {result['mase']:.3f} after {result['seconds']:.1f} s")
            keras.utils.clear_session()

    bar = naive["seasonal_naive"]["mase"]
    rows = [row(name, results, bar) for name, results in found.items()]
    rows += [row(f"*{name}*", [result], bar) for name, result in naive.items()]
    rows.sort(key=lambda cells: float(cells[1].split()[0]))
    count, horizon = data["unique_id"].nunique(), parameters["horizon"]
    print(f"{count} {title}, horizon {horizon}; {args.seconds:g} s of training for each.\n")
    columns = [
        "entry",
        "MASE",
        "of seasonal naive",
        "better",
        "parameters",
        "epochs",
        "fit s",
        "predict s",
        "MB on disk",
    ]
    print(table(columns, rows) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--data", choices=("auto", *TASKS), default="auto")
    made.add_argument("--seconds", type=float, default=30.0, help="training time of each entry")
    made.add_argument("--models", nargs="+", default=["forecasting/*"], help="patterns of entries")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    return made.parse_args()


def task(name: str) -> tuple[pd.DataFrame, dict[str, Any], str]:
    if name != "auto":
        return TASKS[name]()
    if os.environ.get("LSTMZOO_DATA"):
        try:
            return m4_hourly()
        except LstmzooError as error:
            progress(f"no M4 under LSTMZOO_DATA: {error}")
    return seasonal()


def run(model: Any, train: pd.DataFrame, whole: pd.DataFrame) -> dict[str, Any]:
    """Fit without the held-out part, and score on the whole."""
    model.fit(train)
    started = time.perf_counter()
    model.predict()
    predict_seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        "mase": -model.score(whole),
        "seconds": model.seconds_,
        "predict_seconds": predict_seconds,
        "parameters": model.num_parameters_,
        "epochs": len(model.history_),
        "megabytes": size / 1e6,
    }


def row(name: str, results: list[dict[str, Any]], bar: float) -> list[str]:
    mean = {key: float(np.mean([r[key] for r in results])) for key in results[0]}
    return [
        name.removeprefix("forecasting/"),
        averaged([r["mase"] for r in results], 3),
        f"{mean['mase'] / bar:.2f}",
        "yes" if mean["mase"] < bar else "no",
        f"{mean['parameters']:,.0f}",
        f"{mean['epochs']:.0f}",
        f"{mean['seconds']:.1f}",
        f"{mean['predict_seconds']:.2f}",
        f"{mean['megabytes']:.2f}",
    ]


if __name__ == "__main__":
    main()
