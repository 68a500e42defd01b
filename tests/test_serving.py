"""Serving over HTTP: requests are answered, or refused with one sentence and no traceback."""

import asyncio
import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import uvicorn
from mlflow.exceptions import MlflowException

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import SavedModelError
from lstmzoo.mlflow import ServingLimits, build_app, load_model, save_model, serve_in_background
from lstmzoo.mlflow import serving as serving_module
from lstmzoo.mlflow.guard import Guard
from lstmzoo.mlflow.loader import ServedModel, _Column

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b",  # MLflow's own use of what others deprecate
    "ignore:__array__ implementation:DeprecationWarning",  # Keras' own
)
LIMIT = 200_000


@pytest.fixture(scope="module")
def forecaster(hourly, tiny):
    return Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly)


@pytest.fixture(scope="module")
def folder(forecaster, tmp_path_factory):
    path = tmp_path_factory.mktemp("serving") / "model"
    save_model(forecaster, path)
    return path


@pytest.fixture(scope="module")
def url(folder):
    with serve_in_background(folder, limits=ServingLimits(max_request_bytes=LIMIT)) as address:
        yield address


@pytest.fixture(scope="module")
def history(hourly):
    return hourly[hourly["unique_id"] == "s1"].reset_index(drop=True)


def split(frame: pd.DataFrame) -> dict:
    return json.loads(frame.to_json(orient="split", date_format="iso", index=False))


def records(frame: pd.DataFrame) -> list:
    return json.loads(frame.to_json(orient="records", date_format="iso"))


def post(url: str, body: bytes | dict, content_type: str = "application/json") -> tuple[int, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/invocations", raw, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def frame_of(text: str) -> pd.DataFrame:
    frame = pd.DataFrame(json.loads(text)["predictions"])
    return frame.assign(ds=pd.to_datetime(frame["ds"]))


def assert_refused(status: int, text: str, expected: int, fragment: str) -> None:
    assert status == expected, text
    document = json.loads(text)
    assert set(document) == {"error_code", "message"}
    assert "Traceback" not in text
    assert "\n" not in document["message"]
    assert len(document["message"]) <= 400
    assert fragment in document["message"]


def test_both_formats_are_answered_as_the_estimator_answers(url, forecaster, history):
    expected = forecaster.predict(history=history, horizon=3, quantiles=[0.9])
    params = {"horizon": 3, "quantiles": [0.9]}
    for body in ({"dataframe_split": split(history)}, {"dataframe_records": records(history)}):
        status, text = post(url, {**body, "params": params})
        assert status == 200
        pd.testing.assert_frame_equal(frame_of(text), expected, check_dtype=False)


def test_defaults_are_the_estimators(url, forecaster, history):
    _, text = post(url, {"dataframe_split": split(history)})
    pd.testing.assert_frame_equal(frame_of(text), forecaster.predict(history=history), check_dtype=False)


def test_whole_numbers_are_numbers(url, forecaster, history):
    whole = history.assign(y=history["y"].round().astype(int))
    _, text = post(url, {"dataframe_split": split(whole)})
    pd.testing.assert_frame_equal(frame_of(text), forecaster.predict(history=whole), check_dtype=False)


def test_answers_do_not_depend_on_company(url, history):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(url, {"dataframe_split": split(history)}), range(12)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 200


def changed(history: pd.DataFrame, column: str, value: object, row: int = 2) -> dict:
    document = records(history)
    document[row][column] = value
    return {"dataframe_records": document}


NESTED = b'{"dataframe_split": {"columns": ["unique_id", "ds", "y"], "data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}"
BAD = {
    "null": (lambda h: changed(h, "y", None), "'y' has a missing value"),
    "null-id": (lambda h: changed(h, "unique_id", None), "'unique_id' has a missing value"),
    "nan": (lambda h: json.dumps(changed(h, "y", float("nan"))).encode(), "NaN"),
    "infinite": (
        lambda h: json.dumps(changed(h, "y", 1)).replace('"y": 1}', '"y": 1e999}').encode(),
        "finite",
    ),
    "text-for-number": (lambda h: changed(h, "y", "many"), "'y' must hold numbers; row 2 holds 'many'"),
    "boolean-for-number": (lambda h: changed(h, "y", True), "must hold numbers"),
    "list-for-number": (lambda h: changed(h, "y", [1, 2]), "row 2 holds a list of 2"),
    "number-for-name": (lambda h: changed(h, "unique_id", 5), "must hold text"),
    "number-for-time": (lambda h: changed(h, "ds", 5), "must hold times"),
    "not-a-time": (lambda h: changed(h, "ds", "yesterday"), "row 2 holds 'yesterday'"),
    "time-with-zone": (lambda h: changed(h, "ds", "2024-01-01T00:00:00+02:00"), "'ds'"),
    "huge-number": (lambda h: json.dumps(changed(h, "y", 10**400)).encode(), "64 bits"),
    "number-of-many-digits": (lambda h: b'{"dataframe_records": [' + b"1" * 6000 + b"]}", "too long"),
    "columns-of-wrong-kind": (
        lambda h: {"dataframe_split": {"columns": [["y"]], "data": [[1]]}},
        "list of names",
    ),
    "rows-of-wrong-kind": (lambda h: {"dataframe_split": {"columns": ["y"], "data": [1]}}, "list of lists"),
    "odd-index": (lambda h: {"dataframe_split": {"columns": ["y"], "data": [[1]], "index": 3}}, ""),
    "extreme-numbers": (
        lambda h: {"dataframe_split": split(h.assign(y=np.where(h.index % 2, 1e308, -1e308)))},
        "rescale the column",
    ),
    "unknown-column": (
        lambda h: {"dataframe_split": split(h.assign(price=1.0))},
        "unknown column 'price'; valid: ds, unique_id, y",
    ),
    "missing-column": (lambda h: {"dataframe_split": split(h.drop(columns="ds"))}, "column 'ds' is missing"),
    "no-columns": (lambda h: {"dataframe_split": {"data": split(h)["data"]}}, "keys columns and data"),
    "column-twice": (
        lambda h: {"dataframe_split": {"columns": ["unique_id", "ds", "ds", "y"], "data": [["a", "b", "c", 1]]}},
        "there twice",
    ),
    "ragged": (
        lambda h: {"dataframe_split": {"columns": ["unique_id", "ds", "y"], "data": [["a", "b"]]}},
        "row 0 has 2 values",
    ),
    "no-rows": (lambda h: {"dataframe_records": []}, "no rows"),
    "empty-split": (
        lambda h: {"dataframe_split": {"columns": ["unique_id", "ds", "y"], "data": []}},
        "no rows",
    ),
    "short-history": (lambda h: {"dataframe_split": split(h.tail(5))}, "history"),
    "gap": (lambda h: {"dataframe_split": split(h.drop(index=30))}, "gap"),
    "unknown-param": (
        lambda h: {"dataframe_split": split(h), "params": {"horizn": 3}},
        "unknown parameter 'horizn' (did you mean 'horizon'?); valid: horizon, quantiles",
    ),
    "absurd-horizon": (lambda h: {"dataframe_split": split(h), "params": {"horizon": 10**12}}, "horizon"),
    "horizon-zero": (lambda h: {"dataframe_split": split(h), "params": {"horizon": 0}}, "horizon"),
    "horizon-text": (
        lambda h: {"dataframe_split": split(h), "params": {"horizon": "3"}},
        "horizon: expected a whole number from 1 to 120, got '3'",
    ),
    "horizon-null": (lambda h: {"dataframe_split": split(h), "params": {"horizon": None}}, "whole number"),
    "horizon-true": (lambda h: {"dataframe_split": split(h), "params": {"horizon": True}}, "whole number"),
    "unknown-quantile": (lambda h: {"dataframe_split": split(h), "params": {"quantiles": [0.3]}}, "0.3"),
    "quantile-not-a-list": (
        lambda h: {"dataframe_split": split(h), "params": {"quantiles": 0.1}},
        "quantiles: expected a list of numbers, got 0.1",
    ),
    "params-not-an-object": (lambda h: {"dataframe_split": split(h), "params": [3]}, "params"),
    "deep": (lambda h: NESTED, "nested"),
    "deep-objects": (lambda h: b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "nested"),
    "deep-params": (
        lambda h: {"dataframe_split": split(h), "params": {"horizon": [[[[[[[[1]]]]]]]]}},
        "nested",
    ),
    "not-json": (lambda h: b"horizon=3", "not valid JSON"),
    "not-utf-8": (lambda h: b"\xff\xfe\xfa", "not valid JSON"),
    "empty": (lambda h: b"", "empty"),
    "list": (lambda h: b"[1, 2]", "must be a JSON object"),
    "no-data": (lambda h: {"params": {"horizon": 3}}, "dataframe_split, dataframe_records"),
    "two-formats": (lambda h: {"dataframe_split": split(h), "dataframe_records": records(h)}, "one of"),
    "other-format": (lambda h: {"inputs": {"y": [1.0]}}, "unknown key 'inputs'"),
    "split-of-wrong-kind": (lambda h: {"dataframe_split": [1, 2]}, "dataframe_split must be"),
    "records-of-wrong-kind": (lambda h: {"dataframe_records": {"y": 1}}, "dataframe_records must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused_in_one_sentence(url, history, case):
    body, fragment = BAD[case]
    assert_refused(*post(url, body(history)), 400, fragment)


def test_requests_of_another_kind_are_refused(url, history):
    assert_refused(*post(url, b" " * (LIMIT + 1)), 413, f"larger than {LIMIT} bytes")
    assert_refused(*post(url, history.to_csv().encode(), "text/csv"), 415, "application/json")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/docs", timeout=10)
    with caught.value as error:
        assert_refused(error.code, error.read().decode(), 404, "/invocations")


def test_a_body_without_a_length_is_limited_too(url):
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("POST", "/invocations", iter([b" " * 50_000] * 5), {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert_refused(response.status, response.read().decode(), 413, "larger")
    connection.close()


def test_the_server_survives_all_that(url, history):
    with urllib.request.urlopen(f"{url}/ping", timeout=10) as response:
        assert response.status == 200
    assert post(url, {"dataframe_split": split(history)})[0] == 200


def test_the_stock_server_gives_the_same_numbers_and_refuses_in_its_own_way(folder, forecaster, history):
    """``mlflow models serve`` runs this app; it drops unknown columns and parameters, and the rest is checked."""
    from mlflow.pyfunc import scoring_server

    app = scoring_server.init(mlflow.pyfunc.load_model(str(folder)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    good = post(url, {"dataframe_split": split(history), "params": {"horizon": 2}})
    bad = [
        post(url, changed(history, "y", None)),
        post(url, {**changed(history, "y", 1), "params": {"horizon": 999}}),
    ]
    server.should_exit = True
    thread.join()
    pd.testing.assert_frame_equal(frame_of(good[1]), forecaster.predict(horizon=2, history=history), check_dtype=False)
    for status, text in bad:
        assert status == 400
        assert "Traceback" not in text
        assert json.loads(text)["detail"]


@pytest.fixture(scope="module", params=["error", "mask"])
def shops(request, hourly, tiny, tmp_path_factory):
    """A forecaster with covariates of each kind, its training data, and the folder of its MLflow model."""
    rng = np.random.default_rng(1)
    frame = hourly.assign(
        visitors=rng.normal(size=len(hourly)), price=3.0, region=np.where(hourly["unique_id"] == "s1", "north", "south")
    )
    if request.param == "mask":
        frame.loc[rng.random(len(frame)) < 0.1, ["y", "visitors"]] = np.nan
        frame.loc[frame.groupby("unique_id").tail(2).index, "y"] = np.nan
    covariates = {
        "past_covariates": ["visitors"], "future_covariates": ["price"], "static_covariates": ["region"],
    }  # fmt: skip
    estimator = Forecaster(**tiny, **covariates, missing=request.param).fit(frame)
    path = tmp_path_factory.mktemp("shops") / "model"
    save_model(estimator, path)
    return estimator, frame[frame["unique_id"] == "s1"].reset_index(drop=True), path


def with_future(estimator, history, horizon):
    """The history and the future rows with their price, and the estimator's forecast."""
    future = estimator.make_future_frame(horizon=horizon, history=history).assign(price=2.5)
    expected = estimator.predict(horizon=horizon, history=history, future=future)
    return pd.concat([history, future], ignore_index=True), expected


@pytest.mark.parametrize("horizon", [6, 8])
def test_future_covariates_and_gaps_are_served(shops, horizon):
    estimator, history, path = shops
    rows, expected = with_future(estimator, history, horizon)
    params = {"horizon": horizon}
    served = ServedModel(estimator).predict(rows.sample(frac=1, random_state=0), params)
    pd.testing.assert_frame_equal(served, expected)
    with serve_in_background(path) as url:
        for body in ({"dataframe_split": split(rows)}, {"dataframe_records": records(rows)}):
            status, text = post(url, {**body, "params": params})
            assert status == 200, text
            pd.testing.assert_frame_equal(frame_of(text), expected, check_dtype=False)


def test_the_stock_model_takes_future_covariates_and_gaps(shops):
    estimator, history, path = shops
    rows, expected = with_future(estimator, history, 6)
    generic = mlflow.pyfunc.load_model(str(path))
    gaps = {"visitors", "region", "y"} | ({"price"} if estimator.missing == "mask" else set())
    assert {column.name for column in generic.metadata.signature.inputs if not column.required} == gaps
    nanoseconds = {"ds": "datetime64[ns]"}  # what MLflow's signature makes of times
    pd.testing.assert_frame_equal(generic.predict(rows).astype(nanoseconds), expected.astype(nanoseconds))
    example = estimator.serve(estimator.serving_example(), estimator.serving_params())
    pd.testing.assert_frame_equal(
        generic.predict(generic.input_example).astype(nanoseconds), example.astype(nanoseconds)
    )


def test_gaps_where_there_are_none_in_training_are_refused(shops):
    estimator, history, _ = shops
    rows, _ = with_future(estimator, history, 6)
    served = ServedModel(estimator)
    refused = {"ds": "column 'ds' has a missing value", "region": "'region' of series 's1' is missing"}
    if estimator.missing == "error":
        refused |= {"y": "'y' of series 's1' is missing", "price": "column 'price' has a missing value"}
    for name, match in refused.items():
        with pytest.raises(mlflow.MlflowException, match=match):
            served.predict(rows.assign(**{name: rows[name].where(rows.index != 200)}))
    with pytest.raises(mlflow.MlflowException, match="'visitors' must hold numbers; row 200 holds 'many'"):
        served.predict(rows.assign(visitors=rows["visitors"].astype(object).where(rows.index != 200, "many")))


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_gaps_are_served_without_covariates(hourly, history, missing, tmp_path):
    holes = history.assign(y=history["y"].where(history.index % 7 != 3))
    estimator = BaselineForecaster("seasonal_naive", horizon=6, missing=missing).fit(hourly)
    estimator.save(tmp_path / "model")
    with serve_in_background(tmp_path / "model") as url:
        status, text = post(url, {"dataframe_split": split(holes)})
        assert status == 200, text
        pd.testing.assert_frame_equal(frame_of(text), estimator.predict(history=holes), check_dtype=False)
        assert_refused(*post(url, changed(history, "ds", None)), 400, "'ds' has a missing value")


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_times_come_back_as_they_were_sent(tz, tmp_path):
    ds = pd.date_range("2024-03-30", periods=60, freq="h", tz=tz)
    frame = pd.DataFrame({"unique_id": 7, "ds": ds, "y": np.arange(60.0)})
    estimator = BaselineForecaster("seasonal_naive", horizon=3, season_length=24).fit(frame)
    estimator.save(tmp_path / "model")
    expected = estimator.predict(history=frame)
    with serve_in_background(tmp_path / "model") as url:
        body = {
            "columns": list(frame),
            "data": [[7, t.isoformat(), y] for t, y in zip(ds, frame["y"], strict=True)],
        }
        status, text = post(url, {"dataframe_split": body})
        assert status == 200, text
        answer = json.loads(text)["predictions"]
    assert [row["ds"] for row in answer] == [t.isoformat() for t in expected["ds"]]
    assert [row["unique_id"] for row in answer] == [7, 7, 7]


def test_a_fault_of_the_model_is_a_500_that_tells_nothing(folder, history, monkeypatch, caplog):
    app = build_app(folder)
    monkeypatch.setattr(Forecaster, "serve", lambda *_: 1 / 0)
    body = json.dumps({"dataframe_split": split(history)}).encode()
    parts, sent = [{"type": "http.request", "body": body}], []

    async def receive():
        return parts.pop() if parts else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"here")],
    }
    asyncio.run(app(scope, receive, send))
    assert_refused(sent[0]["status"], sent[1]["body"].decode(), 500, "its log says why")
    assert "ZeroDivisionError" in caplog.text


def test_a_port_that_is_taken_is_an_error(url, folder):
    port = int(url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), serve_in_background(folder, port=port):
        pass


def test_serve_runs_the_guarded_app(folder, monkeypatch):
    calls = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: calls.append((app, options)))
    serving_module.serve(folder, port=5050)
    app, options = calls[0]
    assert isinstance(app, Guard)
    assert (options["host"], options["port"]) == ("127.0.0.1", 5050)


def test_a_damaged_model_is_refused_by_the_name_that_the_user_gave(folder, tmp_path):
    copy = shutil.copytree(folder / "data" / "model", tmp_path / "copy")
    weights = copy / "weights.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(SavedModelError, match=f"^{copy}/weights.safetensors is damaged"):
        build_app(copy)


def test_models_of_another_kind_are_refused(folder, tmp_path):
    text = (folder / "MLmodel").read_text()
    forgeries = {
        "another kind": text.replace("lstmzoo.mlflow.loader", "os"),
        "of another": text.replace("code: null", "code: code"),
        "outside": text.replace("data: data/model", "data: ../model"),
        "not the description": "- 1",
    }
    for i, (match, forged) in enumerate(forgeries.items()):
        path = tmp_path / str(i)
        path.mkdir()
        (path / "MLmodel").write_text(forged)
        with pytest.raises(SavedModelError, match=match):
            load_model(path)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "MLmodel").symlink_to(folder / "MLmodel")
    with pytest.raises(SavedModelError, match="plain file"):
        load_model(tmp_path / "link")
    with pytest.raises(SavedModelError, match="no such folder"):
        load_model(Path("nowhere"))


@pytest.mark.parametrize(("kept", "dtype"), [(2**53 + 1, "Int64"), (True, "boolean")])
def test_columns_with_gaps_keep_whole_numbers_and_booleans(kept, dtype):
    column = _Column("code", pd.Series([kept]), nullable=True)
    expected = pd.Series([kept, pd.NA, kept], dtype=dtype)
    pd.testing.assert_series_equal(column.checked(pd.Series([kept, None, kept], dtype=object)), expected)
    pd.testing.assert_series_equal(column.checked(expected), expected)
    assert column.checked(pd.Series([kept, kept])).dtype == pd.Series([kept]).dtype


def test_any_level_of_a_distribution_is_served(hourly, tiny, tmp_path):
    forecaster = Forecaster(**tiny, distribution="normal").fit(hourly)
    save_model(forecaster, tmp_path / "model")
    history = hourly[hourly["unique_id"] == "s0"]
    served = mlflow.pyfunc.load_model(tmp_path / "model")
    assert list(served.predict(history).columns) == ["unique_id", "ds", "y_hat"]
    answer = served.predict(history, params={"quantiles": [0.25]})
    expected = forecaster.predict(history=history, quantiles=[0.25])
    np.testing.assert_allclose(answer["y_hat_q0.25"], expected["y_hat_q0.25"], rtol=1e-6)
    with pytest.raises(MlflowException, match="quantiles: expected numbers between 0 and 1"):
        served.predict(history, params={"quantiles": [2.0]})
