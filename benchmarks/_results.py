"""Results in files, so that a benchmark that was stopped continues where it was, and searches that make them.

A result is a JSON file with its conditions: commit, versions, machine, load. A forecast is beside it, as a file of NumPy.
To make a result again, delete its JSON file.
"""

import json
import multiprocessing
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import conditions, progress

from lstmzoo import Forecaster, ZooSearchCV
from lstmzoo.errors import LstmzooError
from lstmzoo.outputs import replacing
from lstmzoo.records import is_network

OURS = "lstmzoo search"
Result = dict[str, Any]


def stored(folder: Path, name: Sequence[object], make: Callable[[], Result]) -> Result:
    """Return the result of a file; it is made and written if there is none.

    Args:
        folder: Folder of the results, which is made if it does not exist.
        name: What distinguishes the result from others: data, method, seed.
        make: Returns the result: JSON, but for a frame under ``forecast``. ``versions`` in other environments, by package, become
            part of ``conditions``. If it fails, the result has ``error`` and ``seconds`` instead.
    """
    path = folder / f"{stem(name)}.json"
    made = _read(path) if path.exists() else _made(path, make)
    facts = [f"{key} {value}" for key, value in made.items() if isinstance(value, str | float | int)]
    progress(f"{path.stem}: {', '.join(facts)}")
    return made


def stem(name: Sequence[object]) -> str:
    """Return the name of a file, without its suffix, from its parts."""
    return "-".join(str(part).replace(" ", "_") for part in name)


def isolated(function: Any, *arguments: Any) -> Any:
    """Call a function in a new process, where nothing is compiled yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def searched(history: pd.DataFrame, horizon: int, seconds: float, seed: int) -> Result:
    """Return the forecast of a search, the seconds from the data to it, the winner, and the number of networks."""
    began = time.perf_counter()
    search = ZooSearchCV(Forecaster(horizon=horizon), time_limit=seconds, random_state=seed, verbose=0).fit(history)
    forecast = search.predict()
    taken = time.perf_counter() - began
    networks = sum(map(is_network, search.records_))
    return {"forecast": forecast, "seconds": taken, "chosen": search.best_params_["model"], "networks": networks}


def _made(path: Path, make: Callable[[], Result]) -> Result:
    path.parent.mkdir(parents=True, exist_ok=True)
    here, began = conditions(), time.perf_counter()
    try:
        made = make()
    except (LstmzooError, FloatingPointError, ValueError, subprocess.CalledProcessError) as error:
        made = {"error": f"{type(error).__name__}: {error}", "seconds": time.perf_counter() - began}
    made["conditions"] = {**here, "versions": {**here["versions"], **made.pop("versions", {})}}
    _write(path, made)
    return made


def _write(path: Path, made: Result) -> None:
    """Write the forecast first: a result whose JSON file exists is whole."""
    if "forecast" in made:
        columns = {name: made["forecast"][name].to_numpy() for name in ("unique_id", "ds", "y_hat")}
        columns["unique_id"] = columns["unique_id"].astype("U")
        with replacing(path.with_suffix(".npz")) as new:
            np.savez_compressed(new, **columns)
    facts = {key: value for key, value in made.items() if key != "forecast"}
    with replacing(path) as new:
        new.write_text(json.dumps(facts), encoding="utf-8")


def _read(path: Path) -> Result:
    made = json.loads(path.read_text(encoding="utf-8"))
    forecast = path.with_suffix(".npz")
    if "error" not in made and forecast.exists():
        with np.load(forecast) as columns:
            made["forecast"] = pd.DataFrame(dict(columns))
    return made
