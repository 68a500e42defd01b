"""Memory that fits leave in a process: growth of the resident set per fit and prediction, after garbage collection.

Beside each task is a bare Keras LSTM that takes one training step: it shows what TensorFlow keeps of any compiled
function. Each row is a process of its own. Its first fits are not counted, because they load libraries. ``without
XLA`` trains for few steps, which the package does not compile by XLA.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _report import parser, progress, setting, table

MIB = 2**20
TASKS = ("bare Keras LSTM", "forecasting", "language modelling", "translation")
WARM = 5  # fits that are not counted


def main() -> None:
    args = arguments()
    fits = 3 if args.smoke else args.fits
    if args.worker:
        print(json.dumps(growth(args.worker, fits, xla=not args.without_xla)))
        return
    rows = []
    for task in TASKS:
        found = [run(args, task, *more) for more in ([], ["--without-xla"])]
        alive = sum(one["models"] for one in found)
        rows.append([task, *(f"{one['bytes'] / MIB:.1f}" for one in found), str(alive)])
        progress(f"{rows[-1]}")
    print(table(["", "MiB a fit, XLA", "MiB a fit, without XLA", "Keras models alive at the end"], rows) + "\n")
    print(f"{fits} fits each. {setting(seeds=list(range(1)), smoke=args.smoke)}")


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--fits", type=int, default=30)
    made.add_argument("--worker", choices=TASKS)
    made.add_argument("--without-xla", action="store_true")
    return made.parse_args()


def run(args: Any, task: str, *more: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--worker", task, "--fits", str(args.fits), *more]
    done = subprocess.run([*command, *["--smoke"] * args.smoke], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def growth(task: str, fits: int, *, xla: bool) -> dict[str, float]:
    """Measure the growth of the resident set per fit in bytes, and count the Keras models alive after all fits."""
    import keras

    one = fit_of(task, xla)
    for _ in range(WARM):
        one()
    gc.collect()
    before = resident()
    for _ in range(fits):
        one()
        gc.collect()
    return {
        "bytes": (resident() - before) / fits,
        "models": sum(isinstance(thing, keras.Model) for thing in gc.get_objects()),
    }


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def fit_of(task: str, xla: bool) -> Callable[[], None]:
    """Return a function that fits a small network, compiled by XLA or not, and predicts with it."""
    import keras
    import numpy as np

    import lstmzoo
    from lstmzoo.training import loop, prediction

    if task == "bare Keras LSTM":
        return lambda: bare(keras, np, xla)
    loop.jit_compile = prediction.jit_compile = lambda steps=0: xla
    settings = {"epochs": 1, "steps_per_epoch": 3, "units": 8}
    common = {"random_state": 0, "verbose": 0}
    texts = [f"sentence {i} is about the number {i * i}" for i in range(60)]
    if task == "forecasting":
        y = 10 + np.sin(np.arange(300) * np.pi / 6)
        return lambda: lstmzoo.Forecaster("gru", horizon=6, hyperparameters=settings, **common).fit(y).predict()
    settings["embedding_dim"] = 8
    if task == "language modelling":
        text = {**settings, "bptt": 16}
        return lambda: lstmzoo.LanguageModel("char_lstm", hyperparameters=text, **common).fit(texts).score(texts[:2])
    pairs = {"tokenizer": "word", "hyperparameters": {**settings, "vocab_size": None}, **common}
    return lambda: lstmzoo.Translator("conditional_gru_mini", **pairs).fit(texts, texts).predict(texts[:2], beam_size=1)


def bare(keras: Any, np: Any, xla: bool) -> None:
    model = keras.Sequential([keras.Input((20, 4)), keras.layers.LSTM(8), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam()
    model.compile(optimizer, "mse", jit_compile=xla)
    optimizer.build(model.trainable_variables)
    model.train_on_batch(np.zeros((16, 20, 4)), np.zeros((16, 1)))


if __name__ == "__main__":
    main()
