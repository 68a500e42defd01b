"""Forecasts of other libraries, each in an environment of its own:

python3.11 -m venv ag && ag/bin/pip install torch==2.13.0 autogluon.timeseries
python3.11 -m venv nf && nf/bin/pip install torch==2.13.0 neuralforecast==3.3.0 optuna
python3.11 -m venv sf && sf/bin/pip install statsforecast
"""

import argparse
import json
import math
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import with_threads

Result = dict[str, Any]
METHODS = ("autogluon", "autolstm", "autoets", "autotheta")


def method_and_python(text: str) -> tuple[str, str]:
    """Parse ``autogluon=ag/bin/python``.

    Raises:
        ValueError: If the method is unknown.
    """
    method, equals, python = text.partition("=")
    if not equals or method not in METHODS:
        raise ValueError(f"expected METHOD=PYTHON with a method of {', '.join(METHODS)}, got {text!r}")
    return method, str(Path(python).absolute())


def rivals_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--rivals METHOD=PYTHON ...``, a list of pairs."""
    parser.add_argument(
        "--rivals",
        type=method_and_python,
        nargs="+",
        default=[],
        metavar="METHOD=PYTHON",
        help=f"other libraries, each with the interpreter of its environment: {', '.join(METHODS)}",
    )


def forecast_by(
    method: str, python: str, history: pd.DataFrame, future: pd.DataFrame, *, season: int, freq: str,
    seconds: float = math.inf, seed: int = 0,
) -> Result:  # fmt: skip
    """Forecast the steps after a history, with all cores of this process.

    Args:
        method: One of :data:`METHODS`.
        python: Interpreter of an environment that has the library.
        history: ``unique_id``, ``ds``, ``y``.
        future: ``unique_id`` and ``ds`` of the steps to forecast, sorted, equally many for each series.
        season: Length of the season, 1 for none.
        freq: pandas' alias of the frequency.
        seconds: Time limit.
        seed: Seed.

    Returns:
        ``forecast`` (``unique_id``, ``ds``, ``y_hat``), ``seconds`` from the data to it, the ``chosen`` model, and ``versions``
        by package.

    Raises:
        ValueError: If a step has no forecast.
        subprocess.CalledProcessError: If the library fails.
    """
    threads = len(os.sched_getaffinity(0))
    horizon = int(future.groupby("unique_id", sort=False).size().iloc[0])
    told: dict[str, Any] = {
        "method": method, "horizon": horizon, "season": season, "freq": freq,
        "seconds": None if math.isinf(seconds) else seconds, "threads": threads, "seed": seed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        settings, data, forecast = (Path(folder) / name for name in ("settings.json", "data.npz", "forecast.npz"))
        settings.write_text(json.dumps(told), encoding="utf-8")
        np.savez(
            data,
            unique_id=history["unique_id"].to_numpy().astype("U"),
            ds=history["ds"].to_numpy(),
            y=history["y"].to_numpy(),
        )
        command = [python, str(Path(__file__).parent / "_rival_fit.py"), str(settings), str(data), str(forecast)]
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True, env=with_threads(threads)
        )
        answer = json.loads(done.stdout.splitlines()[-1])
        found = pd.DataFrame(dict(np.load(forecast)))
    by_series = dict(tuple(found.groupby("unique_id")["y_hat"]))  # their dates may be made up: steps match by order
    values = [by_series[name].to_numpy() for name in future["unique_id"].unique()]
    made = future[["unique_id", "ds"]].assign(y_hat=np.concatenate(values))
    if made["y_hat"].isna().any():
        raise ValueError(f"{method}: some steps have no forecast")
    return {"forecast": made, **{key: answer[key] for key in ("seconds", "chosen", "versions")}}
