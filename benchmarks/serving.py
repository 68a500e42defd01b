"""Servers under the requests of clients: malformed requests, many at once, and one client with unusual options.

For each task, a model is trained for a moment and served by ``lstmzoo serve`` and by ``mlflow models serve``, both at
127.0.0.1.

* Malformed: requests are made wrong at random (``benchmarks/_payloads.py``). A status of at least 500, or a
  traceback, is ours if ``lstmzoo serve`` returns it, or if it names a file of lstmzoo. MLflow's own server fails, for
  example, at deep nesting.
* Load: clients send one request after the other, out of 40 that were answered alone before. Resident memory is that
  of the server's processes, after a tenth of the requests and at the end.
* Beam sizes: 7 clients translate with the default options, without and with an eighth, which asks for another beam
  size and other n-grams each time.

    python benchmarks/serving.py
    python benchmarks/serving.py --parts beams --requests 1000
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _payloads import malformed
from _report import parser, progress, setting, table

from lstmzoo import Forecaster, LanguageModel, Translator
from lstmzoo.datasets import generate_seasonal, load_dates, load_python_reference
from lstmzoo.mlflow import save_model

PARTS = ("malformed", "load", "beams")
TASKS = ("forecasting", "language_modelling", "translation")
SERVERS = ("lstmzoo serve", "mlflow models serve")
SEED = 0
WAIT = 600  # seconds for an answer, and for the start of a server

Request = dict[str, Any]


def main() -> None:
    args = arguments()
    if args.smoke:
        args.payloads, args.requests, args.clients = 30, 60, 4
    rows: dict[str, list[list[str]]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task in args.tasks:
            model = fitted(task, args.smoke)
            model.save(folder / task)
            save_model(model, folder / f"{task}-mlflow")
            for server in SERVERS if {"malformed", "load"} & set(args.parts) else ():
                with serving(server, folder / task) as (port, process):
                    progress(f"{task}, {server}")
                    if "malformed" in args.parts:
                        rows["malformed"].append([task, server, *tried(model, port, args.payloads, server)])
                    if "load" in args.parts:
                        rows["load"].append([task, server, *loaded(model, port, process, args)])
            if "beams" in args.parts and task == "translation":
                with serving(SERVERS[0], folder / task) as (port, _):
                    rows["beams"] = beams(model, port, args.requests)
    columns = {
        "malformed": ["task", "server", "requests", "200", "4xx", "5xx", "of ours", "tracebacks of ours"],
        "load": ["task", "server", "requests", "clients", "other answers", "requests/s", "p50 ms", "p99 ms", "MiB", "growth %"],
        "beams": ["clients", "requests of the 7", "p50 ms", "p99 ms", "times p99"],
    }  # fmt: skip
    for part in args.parts:
        print(table(columns[part], rows[part]) + "\n")
    print(setting(seeds=[SEED], smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    made.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    made.add_argument("--payloads", type=int, default=500, help="malformed requests to each server")
    made.add_argument("--requests", type=int, default=3000, help="under load, to each server")
    made.add_argument("--clients", type=int, default=16)
    return made.parse_args()


def fitted(task: str, smoke: bool) -> Any:
    """Train a model for a moment."""
    common: dict[str, Any] = {"random_state": SEED, "verbose": 0}
    settings: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 2 if smoke else 50}
    if smoke:
        settings["units"] = 16
    if task == "forecasting":
        data = generate_seasonal(20, 400, freq="h", season_length=24, random_state=SEED)
        return Forecaster("lstm", horizon=24, quantiles=[0.1, 0.9], hyperparameters=settings, **common).fit(data)
    if task == "language_modelling":
        return LanguageModel("lstm", hyperparameters=settings, **common).fit(load_python_reference()[:400])
    pairs = load_dates(num_pairs=2000 if smoke else 10_000, random_state=SEED)
    settings["steps_per_epoch"] = 10 if smoke else 400
    return Translator("conditional_gru", tokenizer="char", hyperparameters=settings, **common).fit(*pairs.train)


def good_request(model: Any, **params: Any) -> Request:
    """Return the model's own example, with all of its parameters."""
    example = model.serving_example()
    if model.task == "forecasting":
        example = example.assign(ds=example["ds"].astype(str))
    split = {"columns": list(example), "data": example.to_numpy().tolist()}
    defaults = {name: value for name, value in model.serving_params().items() if name != "mode"}
    if model.task == "language_modelling":
        defaults["max_tokens"] = 20
    return {"dataframe_split": split, "params": {**defaults, **params}}


def variants(model: Any, count: int) -> list[Request]:
    """Make requests that differ in length, rows and options."""
    rng, made = np.random.default_rng(SEED), []
    texts, dates = load_python_reference(), load_dates(num_pairs=2000, random_state=SEED + 1).test[0]
    for number in range(count):
        request = good_request(model)
        split, params = request["dataframe_split"], request["params"]
        if model.task == "forecasting":
            params["horizon"] = int(rng.integers(1, 49))
            params["quantiles"] = [[], [0.1], [0.1, 0.9]][number % 3]
            split["data"] = split["data"][-int(rng.integers(model.preprocessor_.context, len(split["data"]) + 1)) :]
        elif model.task == "language_modelling":
            text = " ".join(texts[number % len(texts)].split()[: rng.integers(2, 30)])
            split["data"] = [[text or "The"]] * int(rng.integers(1, 4))
            params |= {"random_state": number, "top_k": [0, 5][number % 2], "max_tokens": int(rng.integers(1, 40))}
        else:
            split["data"] = [[dates[(number + i) % len(dates)]] for i in range(rng.integers(1, 4))]
            params |= {"beam_size": int(rng.integers(1, 9)), "no_repeat_ngram": [0, 3][number % 2]}
        made.append(request)
    return made


def tried(model: Any, port: int, count: int, server: str) -> list[str]:
    """Count the answers to malformed requests."""
    kinds: Counter[str] = Counter()
    for body in malformed(good_request(model), count, SEED):
        status, answer = asked(port, body)
        text = answer.decode("utf-8", "replace")
        ours = "Traceback" in text and "lstmzoo" in text.partition("Traceback")[2]
        kinds[f"{status // 100}xx"] += 1
        kinds["tracebacks"] += ours
        kinds["ours"] += status >= 500 and (ours or server == SERVERS[0])
    if asked(port, json.dumps(good_request(model)).encode())[0] != 200:
        raise AssertionError("the server does not answer any more")
    return [str(count), *(str(kinds[kind]) for kind in ("2xx", "4xx", "5xx", "ours", "tracebacks"))]


def loaded(model: Any, port: int, process: int, args: Any) -> list[str]:
    """Measure answers to many clients, and memory."""
    bodies = [json.dumps(request).encode() for request in variants(model, 40)]
    alone = [asked(port, body) for body in bodies]
    odd = [answer for status, answer in alone if status != 200]
    if odd:
        raise AssertionError(f"refused: {odd[0][:300]!r}")
    rng = np.random.default_rng(SEED)
    order = rng.integers(len(bodies), size=args.requests)
    first = max(args.requests // 10, 1)
    before, _, _ = at_once(port, [bodies[i] for i in order[:first]], args.clients)
    memory = resident(process)
    answers, times, seconds = at_once(port, [bodies[i] for i in order[first:]], args.clients)
    growth = 100 * (resident(process) / memory - 1)
    other = sum(answer != alone[i] for answer, i in zip(before + answers, order, strict=True))
    p50, p99 = np.percentile(times, [50, 99]) * 1000
    rate = len(answers) / seconds
    return [str(args.requests), str(args.clients), str(other), f"{rate:.0f}", f"{p50:.0f}", f"{p99:.0f}",
            f"{memory / 2**20:.0f}", f"{growth:+.1f}"]  # fmt: skip


def at_once(port: int, bodies: list[bytes], clients: int) -> tuple[list[tuple[int, bytes]], list[float], float]:
    """Return the answers, the seconds of each, and the seconds of all."""

    def timed(body: bytes) -> tuple[tuple[int, bytes], float]:
        started = time.perf_counter()
        return asked(port, body), time.perf_counter() - started

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers, times = zip(*pool.map(timed, bodies), strict=True)
    return list(answers), list(times), time.perf_counter() - started


def beams(model: Any, port: int, count: int) -> list[list[str]]:
    """Measure 7 usual clients, without and with one that asks for unusual options."""
    usual = [json.dumps(good_request(model) | part).encode() for part in usual_rows(model)]
    at_once(port, usual, 7)
    without = at_once(port, [usual[i % len(usual)] for i in range(count)], 7)
    done, status = threading.Event(), Counter[int]()
    odd = threading.Thread(target=ask_oddly, args=(model, port, done, status), daemon=True)
    odd.start()
    together = at_once(port, [usual[i % len(usual)] for i in range(count)], 7)
    done.set()
    odd.join(WAIT)
    progress(f"answers of the eighth client: {dict(status)}")
    rows, base = [], float(np.percentile(without[1], 99))
    for name, (answers, times, _) in (("7", without), ("7 and 1 odd", together)):
        refused = [answer for status, answer in answers if status != 200]
        if refused:
            raise AssertionError(f"refused: {refused[0][:300]!r}")
        p50, p99 = np.percentile(times, [50, 99])
        rows.append([name, str(count), f"{1000 * p50:.0f}", f"{1000 * p99:.0f}", f"{p99 / base:.2f}"])
    return rows


def usual_rows(model: Any) -> list[Request]:
    dates = load_dates(num_pairs=2000, random_state=SEED + 1).test[0]
    return [{"dataframe_split": {"columns": ["text"], "data": [[date]]}} for date in dates[:40]]


def ask_oddly(model: Any, port: int, done: threading.Event, status: Counter[int]) -> None:
    """Ask for another beam size and other n-grams each time, until the others are done."""
    number = 0
    while not done.is_set():
        params = {
            "beam_size": number % 50 + 1,
            "no_repeat_ngram": number // 50 % 11,
            "length_penalty": 1 + number % 7 / 10,
        }
        status[asked(port, json.dumps(good_request(model, **params)).encode())[0]] += 1
        number += 1


def asked(port: int, body: bytes) -> tuple[int, bytes]:
    """Return the status and the body of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def serving(server: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a server; yield its port and its process once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    programs, place = Path(sys.executable).parent, ["--host", "127.0.0.1", "--port", str(port)]
    if server == "lstmzoo serve":
        command = [str(programs / "lstmzoo"), "serve", str(folder), *place]
    else:
        command = [
            str(programs / "mlflow"),
            "models",
            "serve",
            "-m",
            f"{folder}-mlflow",
            "--env-manager",
            "local",
            *place,
        ]
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    log = folder.with_name(f"{folder.name}-{server.partition(' ')[0]}.log")
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, env=environment)
    started = time.perf_counter()
    try:
        while not answers(port):
            if process.poll() is not None or time.perf_counter() - started > WAIT:
                raise RuntimeError(f"{server} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        progress(f"{server} answered after {time.perf_counter() - started:.1f} s")
        yield port, process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def resident(process: int) -> int:
    """Return the resident bytes of a process and its children."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
