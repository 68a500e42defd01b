"""Peak memory (resident set) of fitting 10,000 series of 1,000 steps with a lookback of 336.

Two processes are compared. One imports lstmzoo and fits a tiny model of the same entry: this is the memory of
TensorFlow itself. The other imports it, generates the data, and fits a model. Its total includes the data, whose
frame and whose peak while it is generated are also given separately. Training is 2 epochs of 50 steps; more steps
need no more memory, because the panel and the validation windows are all there.
"""

import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _report import parser, progress, setting, table

MIB = 2**20


def main() -> None:
    args = arguments()
    if args.smoke:
        args.series, args.length, args.lookback, args.steps = 200, 400, 48, 2
    if args.worker:
        print(json.dumps(work(args)))
        return
    found = {worker: run(args, worker) for worker in ("framework", "fit")}
    base, fit = found["framework"], found["fit"]
    alone = base["peak"]
    rows = [
        ["framework alone: imports and a tiny fit, peak", alone, None],
        ["process with the data: after imports", fit["imported"], None],
        ["the frame itself", fit["frame"], None],
        ["while generating it, peak", fit["generating"], None],
        ["frame in place, before fit", fit["before"], None],
        ["while fitting, peak", fit["peak"], fit["peak"] - alone],
        ["of it, without the frame", None, fit["peak"] - alone - fit["frame"]],
        ["after fit, frame still there", fit["after"], fit["after"] - alone],
    ]
    size = f"{args.series:,} series of {args.length:,} steps"
    print(f"`{args.model}`, {size} ({8 * args.series * args.length / MIB:.0f} MiB as float64), ", end="")
    print(
        f"lookback {args.lookback}, horizon {args.horizon}; {args.epochs} epochs of {args.steps} steps; ",
        end="",
    )
    print(f"generating {fit['data_seconds']:.1f} s, fit {fit['fit_seconds']:.1f} s.\n")
    print(table(["stage", "MiB", "above the framework, MiB"], [[name, *map(mib, v)] for name, *v in rows]) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--model", default="lstm", help="zoo entry")
    made.add_argument("--series", type=int, default=10_000)
    made.add_argument("--length", type=int, default=1_000)
    made.add_argument("--lookback", type=int, default=336)
    made.add_argument("--horizon", type=int, default=24)
    made.add_argument("--epochs", type=int, default=2)
    made.add_argument("--steps", type=int, default=50, help="steps per epoch")
    made.add_argument("--worker", choices=("framework", "fit"), help="(used by the script itself)")
    return made.parse_args()


def run(args: Any, worker: str) -> dict[str, Any]:
    keys = ("model", "series", "length", "lookback", "horizon", "epochs", "steps")
    options = [f"--{key}={getattr(args, key)}" for key in keys]
    command = [sys.executable, __file__, *options, "--worker", worker]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    progress(f"{worker} done")
    return json.loads(done.stdout.splitlines()[-1])


def work(args: Any) -> dict[str, Any]:
    from lstmzoo import Forecaster
    from lstmzoo.datasets import generate_seasonal

    forecaster = Forecaster(
        args.model,
        horizon=args.horizon,
        lookback=args.lookback,
        season_length=24,
        hyperparameters={"epochs": args.epochs, "steps_per_epoch": args.steps},
        random_state=0,
        verbose=0,
    )
    if args.worker == "framework":
        forecaster.set_params(lookback=args.horizon, hyperparameters={"epochs": 1, "steps_per_epoch": 2})
        forecaster.fit(generate_seasonal(1, 10 * args.horizon, freq="h", season_length=24, random_state=0))
        return {"peak": memory("VmHWM")}
    answer = {"imported": memory("VmRSS")}
    started = time.perf_counter()
    frame = generate_seasonal(args.series, args.length, freq="h", season_length=24, random_state=0)
    answer |= {"data_seconds": time.perf_counter() - started, "generating": memory("VmHWM")}
    gc.collect()
    answer |= {"frame": int(frame.memory_usage(deep=True).sum()), "before": memory("VmRSS")}
    reset_peak()
    forecaster.fit(frame)
    return answer | {"peak": memory("VmHWM"), "after": memory("VmRSS"), "fit_seconds": forecaster.seconds_}


def memory(name: str) -> int:
    """Return bytes: ``VmRSS`` is the present size, ``VmHWM`` the peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise LookupError(name)


def reset_peak() -> None:
    """Reset the peak, so that it covers what follows."""
    Path("/proc/self/clear_refs").write_text("5")


def mib(value: int | None) -> str:
    return "" if value is None else f"{value / MIB:,.0f}"


if __name__ == "__main__":
    main()
