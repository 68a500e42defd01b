"""Serving under load: limits of requests, turns, and randomly malformed requests."""

import importlib.util
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import uvicorn
from mlflow.exceptions import MlflowException
from test_serving import assert_refused, post, split

from lstmzoo import BaselineForecaster, BaselineLanguageModel, BaselineTranslator, Forecaster, LanguageModel, Translator
from lstmzoo.decoding.shapes import SERVED
from lstmzoo.limits import LIMITS, ServingLimits
from lstmzoo.mlflow import save_model, serve_in_background
from lstmzoo.mlflow.loader import IN_SERVING, ServedModel

pytestmark = [
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b"),
    pytest.mark.usefixtures("without_xla"),
]
TEXTS = ["the cat sat on the mat and saw the dog\n", "a dog sat on a log and saw the cat\n"] * 20
LONG = {"dataframe_split": {"columns": ["text"], "data": [["the cat"]] * 20_000}, "params": {"max_tokens": 4000}}
SHORT = {"dataframe_split": {"columns": ["text"], "data": [["a dog"]]}, "params": {"max_tokens": 3}}


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """The folder of an n-gram model, for which ``LONG`` takes minutes, in many small blocks."""
    folder = tmp_path_factory.mktemp("counts") / "model"
    BaselineLanguageModel("kneser_ney", tokenizer="char").fit(TEXTS).save(folder)
    return folder


@pytest.fixture
def draws(monkeypatch):
    """A list with an item for each token that was drawn."""
    drawn, method = [], BaselineLanguageModel._draw
    monkeypatch.setattr(BaselineLanguageModel, "_draw", lambda *args: drawn.append(0) or method(*args))
    return drawn


def until(condition):
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def assert_stops(draws):
    """Assert that soon no more tokens are drawn."""

    def still():
        before = len(draws)
        time.sleep(0.3)
        return len(draws) == before

    until(still)


def test_a_request_that_asks_for_too_much_is_refused(counts):
    with serve_in_background(counts, limits=ServingLimits(max_rows=50, max_steps=1000)) as url:
        assert_refused(*post(url, LONG), 413, "20,000 rows, and at most 50 are served (max_rows)")
        rows = [["a dog"]] * 10
        asked = {"dataframe_split": {"columns": ["text"], "data": rows}, "params": {"max_tokens": 100}}
        assert_refused(*post(url, asked), 400, "1,050 steps (10 rows: their characters, and max_tokens for each)")
        assert post(url, {**asked, "params": {"max_tokens": 95}})[0] == 200
        score = {"dataframe_split": {"columns": ["text"], "data": [["a" * 1001]]}, "params": {"mode": "score"}}
        assert_refused(*post(url, score), 400, "1,001 steps (characters), and at most 1,000 are served (max_steps)")


def test_a_request_that_takes_too_long_is_given_up(counts, draws):
    with serve_in_background(counts, limits=ServingLimits(timeout=1.0, max_steps=10**9)) as url:
        assert_refused(*post(url, LONG), 504, "after 1 seconds (timeout): send fewer rows at a time")
        assert_stops(draws)
        assert post(url, SHORT)[0] == 200


def test_work_for_a_client_that_has_left_stops(counts, draws):
    with serve_in_background(counts, limits=ServingLimits(timeout=600.0, max_steps=10**9)) as url:
        host, port = url.removeprefix("http://").split(":")
        body = json.dumps(LONG).encode()
        head = f"POST /invocations HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        before = len(draws)
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode() + body)
            until(lambda: len(draws) > before)
        assert_stops(draws)
        assert post(url, SHORT)[0] == 200


def test_short_requests_are_answered_beside_a_long_one_but_not_too_many(counts, draws):
    with serve_in_background(counts, limits=ServingLimits(timeout=6.0, max_requests=2, max_steps=10**9)) as url:
        alone = post(url, SHORT)
        before, answers = len(draws), []
        long = threading.Thread(target=lambda: answers.append(post(url, LONG)))
        long.start()
        until(lambda: len(draws) > before)
        assert [post(url, SHORT) for _ in range(3)] == [alone] * 3
        assert long.is_alive()
        second = threading.Thread(target=lambda: answers.append(post(url, LONG)))
        second.start()
        time.sleep(0.5)
        assert_refused(*post(url, SHORT), 503, "2 requests are being answered (max_requests): try again later")
        for thread in (long, second):
            thread.join()
    assert [status for status, _ in answers] == [504, 504]


def test_limits_hold_in_mlflows_server_and_not_in_batch_jobs(counts, monkeypatch):
    served = ServedModel(BaselineLanguageModel("uniform", tokenizer="char").fit(TEXTS))
    rows = pd.DataFrame({"text": ["a dog"] * 40_000})
    monkeypatch.delenv(IN_SERVING, raising=False)
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "1")
    many = pd.DataFrame({"text": ["a " * 150_000]})
    assert len(served.predict(many, {"mode": "score"})) == 1
    monkeypatch.setenv(IN_SERVING, "true")
    with pytest.raises(MlflowException, match="300,000 steps"):
        served.predict(many, {"mode": "score"})
    with pytest.raises(MlflowException, match=r"after 1 seconds \(timeout\)") as caught:
        served.predict(rows, {"max_tokens": 1, "top_k": 2})
    assert caught.value.get_http_status_code() == 504


def test_the_docs_state_the_limits():
    page = (Path(__file__).parent.parent / "docs" / "limits.md").read_text()
    for field in fields(LIMITS):
        row = f"| {getattr(LIMITS, field.name):,.0f} |"
        lines = [line for line in page.splitlines() if f"`{field.name}`" in line]
        assert row in lines[0]
        assert f"`--{field.name.replace('_', '-')}`" in lines[0]
    declared = {
        param.name: param for cls in (BaselineLanguageModel, BaselineTranslator) for param in cls().serving_schema()
    }
    for name in ("max_tokens", "beam_size", "no_repeat_ngram"):
        assert re.search(rf"\| `{name}` \| \d \| {declared[name].high:,} \|", page)
    for size in (*SERVED.lengths, *SERVED.beams):
        assert f"{size:,}" in page.split("compiled sizes")[1]


def test_the_docs_list_the_parameters():
    page = (Path(__file__).parent.parent / "docs" / "serving.md").read_text()
    for task, model in (("language modelling", BaselineLanguageModel()), ("translation", BaselineTranslator())):
        for param in model.serving_schema():
            default = json.dumps(param.default)
            assert f"| {task} | `{param.name}` | `{default}` | {param} | {param.doc} |" in page
    forecaster = BaselineForecaster(horizon=2, quantiles=[0.1]).fit(np.arange(9.0))
    for param in forecaster.serving_schema():
        assert re.search(rf"\| forecasting \| `{param.name}` \| .* \| {param.doc} \|", page)


# Randomly malformed requests, and many at once: short forms of benchmarks/serving.py.


def payloads():
    path = Path(__file__).parent.parent / "benchmarks" / "_payloads.py"
    spec = importlib.util.spec_from_file_location("payloads", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fitted(task, hourly, tiny):
    settings = {"epochs": 1, "units": 8, "embedding_dim": 8}
    common = {"random_state": 0, "verbose": 0}
    if task == "forecasting":
        return Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly)
    if task == "language_modelling":
        return LanguageModel("char_lstm", hyperparameters={**settings, "bptt": 16}, **common).fit(TEXTS)
    source, target = ["one dog", "two dogs", "one cat", "two cats"] * 8, ["ein Hund", "zwei Hunde", "eine Katze"] * 10
    settings = {**settings, "vocab_size": None}
    return Translator("conditional_gru_mini", tokenizer="word", hyperparameters=settings, **common).fit(
        source[:30], target
    )


@pytest.fixture(scope="module", params=["forecasting", "language_modelling", "translation"])
def served(request, hourly, tiny, tmp_path_factory):
    """A model, its folder, and a valid request."""
    model = fitted(request.param, hourly, tiny)
    folder = tmp_path_factory.mktemp("served") / "model"
    save_model(model, folder)
    params = {name: value for name, value in model.serving_params().items() if name != "mode"}
    params |= {"max_tokens": 5} if "max_tokens" in params else {}
    return model, folder, {"dataframe_split": split(model.serving_example()), "params": params}


@contextmanager
def stock_server(folder):
    """MLflow's own app, which ``mlflow models serve`` runs."""
    from mlflow.pyfunc import scoring_server

    server = uvicorn.Server(
        uvicorn.Config(scoring_server.init(mlflow.pyfunc.load_model(str(folder))), port=0, log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("ours", [True, False])
def test_randomly_malformed_requests(served, ours):
    """No status of 500 or above and no traceback of ours; MLflow's own app has both on deep nesting."""
    _, folder, good = served
    with serve_in_background(folder) if ours else stock_server(folder) as url:
        for body in payloads().malformed(good, 60, seed=0):
            status, text = post(url, body)
            assert not ("Traceback" in text and "lstmzoo" in text.partition("Traceback")[2]), (body, text)
            if ours:
                assert status < 500, (body, text)
                assert "Traceback" not in text
        assert post(url, good)[0] == 200


def test_many_at_once_get_what_each_gets_alone(served):
    model, folder, good = served
    rng, bodies = np.random.default_rng(0), []
    for number in range(8):
        params = dict(good["params"])
        if model.task == "forecasting":
            params["horizon"] = number + 1
        elif model.task == "language_modelling":
            params |= {"random_state": number, "max_tokens": 3 * number + 1}
        else:
            params |= {"beam_size": number % 5 + 1, "no_repeat_ngram": number % 3}
        bodies.append({**good, "params": params})
    with serve_in_background(folder) as url:
        alone = [post(url, body) for body in bodies]
        assert {status for status, _ in alone} == {200}
        order = rng.integers(len(bodies), size=60)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: post(url, bodies[i]), order))
    assert answers == [alone[i] for i in order]
