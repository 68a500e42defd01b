"""Forecasts of another library, in an environment with that library.

python _rival_fit.py settings.json data.npz forecast.npz        # prints one line of JSON

The settings are ``method``, ``horizon``, ``season``, ``freq`` (pandas' alias), ``seconds`` (None
without a limit), ``threads`` and ``seed``. Everything else is the library's default, but for models that are downloaded,
which are left out.
"""

import json
import logging
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_SECOND = "2000-01-01"  # start of series whose times are integers, for libraries that need dates


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    data = np.load(sys.argv[2])
    frame = pd.DataFrame({name: data[name] for name in ("unique_id", "ds", "y")})
    began = time.perf_counter()
    forecast, chosen = METHODS[settings["method"]](settings, frame)
    seconds = time.perf_counter() - began
    np.savez(sys.argv[3], unique_id=forecast["unique_id"].to_numpy().astype("U"), y_hat=forecast["y_hat"].to_numpy())
    library = LIBRARIES[settings["method"]]
    print(json.dumps({"seconds": seconds, "chosen": chosen, "versions": {library: version(library)}}))


def autogluon(s: dict[str, Any], frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """AutoGluon-TimeSeries, preset "medium_quality", without pretrained models."""
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    dated = frame.assign(ds=dates(frame, s["freq"])) if np.issubdtype(frame["ds"].dtype, np.integer) else frame
    series = TimeSeriesDataFrame.from_data_frame(
        dated.rename(columns={"y": "target"}), id_column="unique_id", timestamp_column="ds"
    )
    predictor = TimeSeriesPredictor(
        prediction_length=s["horizon"],
        freq=s["freq"],
        eval_metric="MASE",
        eval_metric_seasonal_period=s["season"],
        verbosity=0,
    )
    predictor.fit(
        series,
        presets="medium_quality",
        time_limit=s["seconds"],
        excluded_model_types=["Chronos2", "Toto2"],
        random_seed=s["seed"],
    )
    found = predictor.predict(series, random_seed=s["seed"]).reset_index()
    return found.rename(columns={"item_id": "unique_id", "0.5": "y_hat"}), predictor.model_best


def auto_lstm(s: dict[str, Any], frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """neuralforecast's AutoLSTM: its own search space and Optuna, stopped so that a trial and the refit fit in time."""
    from neuralforecast import NeuralForecast
    from neuralforecast.auto import AutoLSTM

    began, longest, last = time.perf_counter(), 0.0, time.perf_counter()
    count = 0

    def stop(study: Any, _: Any) -> None:
        nonlocal longest, last, count
        now = time.perf_counter()
        longest, last, count = max(longest, now - last), now, count + 1
        if now - began + 2 * longest > s["seconds"]:
            study.stop()

    model = AutoLSTM(h=s["horizon"], num_samples=10_000, backend="optuna", callbacks=[stop])
    forecaster = NeuralForecast(models=[model], freq=1)
    forecaster.fit(numbered(frame), val_size=s["horizon"])
    found = forecaster.predict()
    column = next(name for name in ("AutoLSTM-median", "AutoLSTM") if name in found)
    return found.rename(columns={column: "y_hat"}), f"{count} trials"


def statistical(s: dict[str, Any], frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """statsforecast's AutoETS or AutoTheta."""
    from statsforecast import StatsForecast, models

    name = {"autoets": "AutoETS", "autotheta": "AutoTheta"}[s["method"]]
    model = getattr(models, name)(season_length=s["season"])
    fallback = models.SeasonalNaive(season_length=s["season"])
    found = StatsForecast(models=[model], freq=1, n_jobs=1, fallback_model=fallback).forecast(
        df=numbered(frame), h=s["horizon"]
    )
    return found.rename(columns={name: "y_hat"}), name


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return series with the number of the step as their time."""
    return frame.assign(ds=frame.groupby("unique_id", sort=False).cumcount())


def dates(frame: pd.DataFrame, freq: str) -> pd.Series:
    """Return dates in place of integer times; series of equal times get equal dates."""
    steps = frame["ds"] - frame["ds"].min()
    return pd.Series(pd.date_range(_SECOND, periods=int(steps.max()) + 1, freq=freq)[steps], index=frame.index)


METHODS = {"autogluon": autogluon, "autolstm": auto_lstm, "autoets": statistical, "autotheta": statistical}
LIBRARIES = {
    "autogluon": "autogluon.timeseries",
    "autolstm": "neuralforecast",
    "autoets": "statsforecast",
    "autotheta": "statsforecast",
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
