"""The latency of ``predict()`` on a model that was just loaded, and of a request over HTTP.

The series are generated, as many as M4 Hourly has and as long as its longest (414 of 960 steps, horizon 48). The
model is trained for a moment, saved, and loaded. The server is a process of its own (`lstmzoo.mlflow.serving.serve`).
Requests are sent one after the other over one kept-alive connection.
"""

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _report import parser, progress, setting, table

from lstmzoo import Forecaster, load
from lstmzoo.datasets import generate_seasonal

HORIZON = 48


def main() -> None:
    args = arguments()
    if args.smoke:
        args.calls, args.series, args.length = 5, 6, 300
    data = generate_seasonal(args.series, args.length, freq="h", season_length=24, random_state=0)
    one = data[data["unique_id"] == data["unique_id"].iloc[0]]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        alone, many = Path(folder) / "one", Path(folder) / "many"
        trained(args, one).save(alone)
        trained(args, data).save(many)
        started = time.perf_counter()
        single, loaded = load(alone), load(many)
        load_seconds = (time.perf_counter() - started) / 2
        few = max(args.calls // 5, 1)
        rows.append(["predict(), 1 series", *measure(single.predict, args.calls)])
        rows.append([f"predict(history=1 series of {len(one)})", *measure(history(loaded, one), args.calls)])
        rows.append([f"predict(), {args.series} series", *measure(loaded.predict, few)])
        rows.append([f"predict(history={args.series} series)", *measure(history(loaded, data), few)])
        rows.append(["HTTP, 1 series", *over_http(many, loaded, args.calls)])
        size = sum(file.stat().st_size for file in many.iterdir()) / 1e6
    print(
        f"`{args.model}`, horizon {HORIZON}, lookback {loaded.spec_.lookback}; {size:.1f} MB on disk, ",
        end="",
    )
    print(f"{load_seconds:.2f} s to load; TensorFlow had been running.\n")
    print(table(["call", "median ms", "p95 ms", "first ms", "calls"], rows) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--model", default="lstm", help="zoo entry")
    made.add_argument(
        "--calls", type=int, default=200, help="calls of each kind; a fifth of them for all series at once"
    )
    made.add_argument("--series", type=int, default=414)
    made.add_argument("--length", type=int, default=960)
    return made.parse_args()


def trained(args: Any, data: pd.DataFrame) -> Forecaster:
    settings = {"epochs": 1, "steps_per_epoch": 2}
    parameters = {"horizon": HORIZON, "season_length": 24, "random_state": 0, "verbose": 0}
    return Forecaster(args.model, hyperparameters=settings, **parameters).fit(data)


def history(model: Forecaster, data: pd.DataFrame) -> Callable[[], Any]:
    return lambda: model.predict(history=data)


def measure(call: Callable[[], Any], count: int) -> list[str]:
    """Return the median, the 95th percentile and the first call, in milliseconds."""
    seconds = []
    for _ in range(count + 1):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    first, *later = (1000 * s for s in seconds)
    progress(f"median {np.median(later):.2f} ms")
    return [f"{np.median(later):.2f}", f"{np.percentile(later, 95):.2f}", f"{first:.0f}", str(count)]


def over_http(folder: Path, model: Any, count: int) -> list[str]:
    example = model.serving_example()
    example["ds"] = example["ds"].astype(str)
    split = {"columns": list(example), "data": example.to_numpy().tolist()}
    body = json.dumps({"dataframe_split": split, "params": model.serving_params()}).encode()
    with server(folder) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def request() -> None:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200 or len(json.loads(answer)["predictions"]) != HORIZON:
                raise AssertionError(f"{response.status}: {answer[:300]!r}")
            if response.will_close:
                raise AssertionError("the server closed the connection")

        try:
            return measure(request, count)
        finally:
            connection.close()


@contextmanager
def server(folder: Path) -> Iterator[int]:
    """Start a server process; yield its port once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "import sys; from lstmzoo.mlflow.serving import serve; serve(sys.argv[1], port=int(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(folder), str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(port):
            if process.poll() is not None or time.perf_counter() - started > 120:
                raise RuntimeError(f"the server did not start; try: {' '.join(command[:2])} {code!r} ...")
            time.sleep(0.1)
        progress(f"the server answered after {time.perf_counter() - started:.1f} s")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
