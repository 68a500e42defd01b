"""``Forecaster("lstm").fit`` and ``torch.nn.LSTM`` of the same shape, on the CPU.

Both sides train one LSTM layer, a linear head and a linear term of the known future on the same generated hourly
series: the same windows, scaled by window; seasonal differences as targets; mean absolute error; Adam with a cosine
schedule; clipping of the gradient's norm at 1; the same batch size and steps; no validation. Hourly timestamps give 7
channels on both sides: the value and six calendar features.

PyTorch's side (`_torch_fit.py`) is the usual loop: all windows are made and scaled first by ``unfold``, then a
``TensorDataset`` and a ``DataLoader(shuffle=True)``. It gets arrays that include the calendar. The Forecaster
(`_forecaster_fit.py`) gets the frame, checks it, and computes the calendar itself.

Each side runs in a process of its own. They take turns, and the order changes from round to round. The whole ``fit``
is timed, with compilation and without imports. "Startup" is the part of it that is not steps: data, tracing,
compilation. "Batches" is making all batches without training.

    python3.11 -m venv torchenv && torchenv/bin/pip install torch==2.13.0 numpy
    python benchmarks/torch_lstm.py --torch-python torchenv/bin/python
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from _report import parser, progress, setting, spread, table, with_threads

from lstmzoo.datasets import generate_seasonal
from lstmzoo.preprocessing import calendar_features

HERE = Path(__file__).resolve().parent
HORIZON = SEASON = 24
SERIES = 16
SHAPES = {
    "batch 256, 48 steps, 128 units": {"batch_size": 256, "lookback": 48, "units": 128},
    "batch 64, 168 steps, 64 units": {"batch_size": 64, "lookback": 168, "units": 64},
}
SIDES = ("lstmzoo", "torch")


def main() -> None:
    args = arguments()
    if args.smoke:
        args.steps, args.steps_per_epoch, args.rounds, args.bare_steps = 8, 4, 1, 5
    rows, ratios, versions, compiled = [], [], {}, set()
    for title, shape in SHAPES.items():
        if args.shapes is not None and list(SHAPES).index(title) not in args.shapes:
            continue
        found = alternate(args, title, settings(args, shape))
        check_same_task(found)
        versions |= found["torch"][0]["versions"]
        compiled |= {result["jit_compile"] for result in found["lstmzoo"]}
        rows += [row(title, side, results) for side, results in found.items()]
        ratios.append([title, *(ratio(found, key) for key in ("fit_seconds", "step_ms", "bare_ms"))])
    first = ["shape", "side", "fit s", "startup s", "ms a step in fit", "ms a bare step", "batches s"]
    xla = " and ".join(sorted({"with XLA" if jit else "without XLA" for jit in compiled}))
    print(f"{args.steps} steps in epochs of {args.steps_per_epoch}, {args.threads} threads, 7 channels,")
    print(f"horizon {HORIZON}, lstmzoo {xla}; medians of {args.rounds} rounds (lowest to highest).\n")
    print(table([*first, "batches / fit", "last loss", "parameters"], rows) + "\n")
    print("Torch's time over lstmzoo's (above 1: lstmzoo is faster), the median of the rounds' ratios:\n")
    print(table(["shape", "whole fit", "step in fit", "bare step"], ratios) + "\n")
    print(setting(seeds=[args.seed], smoke=args.smoke, others=versions))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    made.add_argument("--steps", type=int, default=2000, help="training steps")
    made.add_argument("--steps-per-epoch", type=int, default=100)
    made.add_argument("--bare-steps", type=int, default=200)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--shapes", type=int, nargs="+", choices=range(len(SHAPES)), help="only these, by number")
    args = made.parse_args()
    if args.steps < 2 * args.steps_per_epoch:
        made.error("a step is timed from the second epoch on: steps must be at least twice steps-per-epoch")
    return args


def settings(args: Any, shape: dict[str, int]) -> dict[str, Any]:
    """Return the settings of both sides; an epoch is one pass over the windows, in whole batches."""
    windows = args.steps_per_epoch * shape["batch_size"] // SERIES
    return {
        **shape,
        "horizon": HORIZON,
        "season": SEASON,
        "epochs": args.steps // args.steps_per_epoch,
        "steps_per_epoch": args.steps_per_epoch,
        "bare_steps": args.bare_steps,
        "learning_rate": 2e-3,
        "clipnorm": 1.0,
        "threads": args.threads,
        "seed": args.seed,
        "data": {
            "n_series": SERIES,
            "length": windows + shape["lookback"] + HORIZON - 1,
            "freq": "h",
            "season_length": SEASON,
            "random_state": args.seed,
        },
    }


def alternate(args: Any, title: str, told: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Run both sides; return their results by round."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder) / "settings.json", Path(folder) / "data.npz"
        file.write_text(json.dumps(told), encoding="utf-8")
        frame = generate_seasonal(**told["data"])
        times = frame["ds"].to_numpy()[: told["data"]["length"]]
        values = frame["y"].to_numpy().reshape(SERIES, -1)
        np.savez(data, values=values, calendar=calendar_features(times, "h", None, ["hour", "weekday", "year"]))
        commands = {
            "lstmzoo": [sys.executable, str(HERE / "_forecaster_fit.py"), str(file)],
            "torch": [args.torch_python, str(HERE / "_torch_fit.py"), str(file), str(data)],
        }
        for number in range(args.rounds):
            for side in SIDES if number % 2 else reversed(SIDES):
                result = run(commands[side], args.threads)
                found[side].append(result)
                progress(f"{title}, round {number + 1}, {side}: fit {result['fit_seconds']:.1f} s")
    return found


def run(command: list[str], threads: int) -> dict[str, Any]:
    started = time.perf_counter()
    done = subprocess.run(command, env=with_threads(threads), stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    result["process_seconds"] = time.perf_counter() - started
    seconds = list(accumulate(epoch["seconds"] for epoch in result["history"]))
    per_epoch = result["steps"] / len(seconds)
    result["step_ms"] = 1000 * statistics.median(np.diff(seconds)) / per_epoch
    result["startup_seconds"] = result["fit_seconds"] - result["step_ms"] / 1000 * result["steps"]
    return result


def check_same_task(found: dict[str, list[dict[str, Any]]]) -> None:
    """Check that both sides took the same steps and features; torch's LSTM has a second bias of 4 U."""
    ours, theirs = found["lstmzoo"][0], found["torch"][0]
    for key in ("steps", "features"):
        if ours[key] != theirs[key]:
            raise AssertionError(f"{key}: {ours[key]} against {theirs[key]}")


def row(title: str, side: str, results: list[dict[str, Any]]) -> list[str]:
    shares = [r["pipeline_seconds"] / r["fit_seconds"] for r in results]
    cells = [
        spread([r["fit_seconds"] for r in results], 1),
        spread([r["startup_seconds"] for r in results], 1),
        spread([r["step_ms"] for r in results], 1),
        spread([r["bare_ms"] for r in results], 1),
        spread([r["pipeline_seconds"] for r in results], 2),
        f"{100 * statistics.median(shares):.1f} %",
        f"{statistics.median(r['history'][-1]['loss'] for r in results):.4f}",
        f"{results[0]['parameters']:,}",
    ]
    return [title, side, *cells]


def ratio(found: dict[str, list[dict[str, Any]]], key: str) -> str:
    return spread([b[key] / a[key] for a, b in zip(found["lstmzoo"], found["torch"], strict=True)], 2)


if __name__ == "__main__":
    main()
