"""The lstmzoo side of torch_lstm.py.

python _forecaster_fit.py settings.json        # prints one line of JSON
"""

import json
import statistics
import sys
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import _report  # noqa: F401  quietens TensorFlow
import keras
import numpy as np
import tensorflow as tf

from lstmzoo import Forecaster
from lstmzoo.datasets import generate_seasonal
from lstmzoo.layers import pinball_loss
from lstmzoo.preprocessing import Columns, Windows, read_panel
from lstmzoo.training import Batches


def main() -> None:
    s = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tf.config.threading.set_intra_op_parallelism_threads(s["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(s["threads"])
    frame = generate_seasonal(**s["data"])
    forecaster = Forecaster(
        "lstm",
        horizon=s["horizon"],
        lookback=s["lookback"],
        season_length=s["season"],
        hyperparameters={
            "units": s["units"],
            "num_layers": 1,
            "dropout": 0.0,
            "scaling": "window",
            "residual": "seasonal_naive",
            "calendar": True,
            **{key: s[key] for key in ("batch_size", "epochs", "learning_rate", "clipnorm")},
            "steps_per_epoch": s["steps_per_epoch"],
            "optimizer": "adam",
            "schedule": "cosine",
        },
        validation_size=0,
        random_state=s["seed"],
        verbose=0,
    )
    started = time.perf_counter()
    forecaster.fit(frame)
    fit_seconds = time.perf_counter() - started

    batches = make_batches(forecaster, frame, s)
    pipeline_seconds = seconds_of(batches, s["epochs"])
    bare = bare_steps(forecaster.model_, batches[0], s["bare_steps"])
    answer = {
        "fit_seconds": fit_seconds,
        "pipeline_seconds": pipeline_seconds,
        "bare_ms": 1000 * statistics.median(bare[len(bare) // 10 :]),
        "steps": s["epochs"] * len(batches),
        "features": forecaster.spec_.num_features,
        "parameters": forecaster.num_parameters_,
        "jit_compile": bool(forecaster.model_.jit_compile),
        "history": forecaster.history_,
    }
    print(json.dumps(answer))


def make_batches(forecaster: Forecaster, frame: Any, s: dict[str, Any]) -> Batches:
    """The batches that ``fit`` trains on."""
    panel, _ = read_panel(frame, Columns())
    windows = Windows(forecaster.preprocessor_, panel)

    def make(numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, target, _ = windows.batch(numbers)
        return {name: inputs[name] for name in forecaster.model_.input}, target

    return Batches(
        make,
        num_items=len(windows),
        batch_size=s["batch_size"],
        steps_per_epoch=s["steps_per_epoch"],
        seed=s["seed"],
    )


def seconds_of(batches: Batches, epochs: int) -> float:
    started = time.perf_counter()
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        for step in range(len(batches)):
            batches[step]
    return time.perf_counter() - started


def bare_steps(model: Any, batch: Any, count: int) -> list[float]:
    """Seconds of each training step on one ready batch: no pipeline, no callbacks."""
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), pinball_loss([0.5]), jit_compile=model.jit_compile)
    model.make_train_function()
    same = repeat(tf.nest.map_structure(tf.convert_to_tensor, batch))
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        float(model.train_function(same)["loss"])
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
