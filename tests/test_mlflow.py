"""The flavor, and a search in the tracking store."""

import logging
import math
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from sklearn.exceptions import NotFittedError

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.mlflow import (
    load_model,
    log_champion,
    log_model,
    log_search,
    resolve_tracking_uri,
    save_model,
    tracking,
)

NANOSECONDS = {"ds": "datetime64[ns]"}  # what MLflow's signature makes of times
pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b",  # MLflow's own use of what others deprecate
    "ignore:__array__ implementation:DeprecationWarning",  # Keras' own
)
AWAY = "http://127.0.0.1:9"
SAVED = {".json", ".safetensors", ".yaml", ".txt", ""}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A store without runs: creating one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def fresh_store(empty_store, tmp_path, monkeypatch):
    """An empty working directory, and MLflow without settings."""
    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def forecaster(hourly, tiny):
    return Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly)


@pytest.fixture
def baseline(hourly):
    return BaselineForecaster("naive", horizon=6).fit(hourly)


def record(number: int, **changes) -> dict:
    history = [{"epoch": e, "loss": 1 / e, "val_loss": 2 / e, "learning_rate": 1e-3, "seconds": 0.5} for e in (1, 2, 3)]
    base = {
        "number": number,
        "model": "forecasting/lstm",
        "params": {"units": 8 + number, "scaling": "window"},
        "score": -1 / (1 + number),
        "seconds": 1.5,
        "num_parameters": 1234,
        "epochs": 3,
        "history": history,
        "status": "completed",
        "error": None,
    }
    return {**base, **changes}


def client() -> MlflowClient:
    return MlflowClient(resolve_tracking_uri())


def trials(parent: str) -> dict[str, mlflow.entities.Run]:
    experiment = client().get_run(parent).info.experiment_id
    found = client().search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert len({run.data.tags["lstmzoo.trial"] for run in found}) == len(found)
    return {run.data.tags["lstmzoo.trial"]: run for run in found}


def test_a_saved_model_comes_back_equal(forecaster, hourly, tmp_path):
    save_model(forecaster, tmp_path / "model")
    expected = forecaster.predict(history=hourly)
    pd.testing.assert_frame_equal(load_model(tmp_path / "model").predict(history=hourly), expected)
    generic = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    pd.testing.assert_frame_equal(generic.predict(hourly).astype(NANOSECONDS), expected.astype(NANOSECONDS))
    found = generic.predict(hourly, params={"horizon": 2, "quantiles": [0.9]})
    expected = forecaster.predict(hourly, horizon=2, quantiles=[0.9])
    pd.testing.assert_frame_equal(found.astype(NANOSECONDS), expected.astype(NANOSECONDS))


def test_the_generic_model_refuses_what_the_estimator_would(forecaster, hourly, tmp_path):
    save_model(forecaster, tmp_path / "model")
    generic = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    for frame, params in (
        (hourly, {"horizon": 7000}),
        (hourly.assign(y=hourly["y"].where(hourly.index != 3)), {}),
    ):
        with pytest.raises(mlflow.MlflowException) as caught:
            generic.predict(frame, params=params)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
        assert "\n" not in caught.value.message


def test_a_model_folder_holds_no_pickle_and_no_code(forecaster, tmp_path):
    save_model(forecaster, tmp_path / "model")
    files = [p for p in (tmp_path / "model").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= SAVED
    assert not [p for p in files if b"pickle" in p.read_bytes().lower()]
    description = yaml.safe_load((tmp_path / "model" / "MLmodel").read_text())
    assert description["flavors"]["python_function"]["loader_module"] == "lstmzoo.mlflow.loader"
    assert description["flavors"]["python_function"]["code"] is None
    assert description["metadata"]["model"] == "forecasting/segment_gru"
    requirements = (tmp_path / "model" / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    assert requirements[0].startswith("lstmzoo==")


def test_the_example_that_travels_is_answered(forecaster, tmp_path):
    save_model(forecaster, tmp_path / "model")
    generic = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    expected = forecaster.serve(forecaster.serving_example(), forecaster.serving_params())
    found = generic.predict(generic.input_example)
    pd.testing.assert_frame_equal(found.astype(NANOSECONDS), expected.astype(NANOSECONDS))


def test_a_damaged_model_is_refused_by_every_door(baseline, tmp_path):
    save_model(baseline, tmp_path / "model")
    state = tmp_path / "model" / "data" / "model" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(SavedModelError, match=f"^{tmp_path}/model/state.safetensors is damaged"):
        load_model(tmp_path / "model")
    with pytest.raises(SavedModelError, match="damaged"):
        mlflow.pyfunc.load_model(str(tmp_path / "model"))


def test_a_folder_with_a_manifest_of_another_kind_is_not_copied(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(SavedModelError, match="app is not a saved model"):
        load_model(tmp_path / "app")


@pytest.mark.parametrize("uri", ["models:/sales@champion", f"runs:/{'0' * 32}/model"])
def test_looking_in_a_store_that_does_not_exist_makes_none(uri, tmp_path):
    Path("mlflow.db").unlink()
    with pytest.raises(SavedModelError, match=f"{uri} cannot be fetched: there is no tracking store .*mlflow.db"):
        load_model(uri)
    assert not list(tmp_path.iterdir())


def test_an_unfitted_estimator_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(BaselineForecaster("naive", horizon=2), tmp_path / "model")


def test_a_logged_model_is_registered_once_with_its_alias(baseline, hourly):
    info = log_model(baseline, registered_model_name="demand")
    again = log_model(baseline, registered_model_name="demand", run_id=info.run_id)
    assert (again.model_uri, again.registered_model_version) == (info.model_uri, "1")
    expected = baseline.predict()
    for uri in ("models:/demand@champion", "models:/demand/1", f"runs:/{info.run_id}/model", info.model_uri):
        pd.testing.assert_frame_equal(load_model(uri).predict(), expected)
    other = BaselineForecaster("drift", horizon=6).fit(hourly)
    assert log_model(other, registered_model_name="demand").registered_model_version == "2"
    assert load_model("models:/demand@champion").method == "drift"
    with pytest.raises(SavedModelError, match="demand@nobody"):
        load_model("models:/demand@nobody")


def test_logging_leaves_the_users_mlflow_as_it_was(baseline, empty_store, tmp_path, monkeypatch):
    for name in ("own.db", "other.db"):
        shutil.copy(empty_store, tmp_path / name)
    store = f"sqlite:///{tmp_path}/own.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    environment = dict(os.environ)
    with mlflow.start_run() as run:
        info = log_model(baseline)
        assert info.run_id == run.info.run_id
        assert mlflow.active_run().info.run_id == run.info.run_id
        elsewhere = log_search([record(0)], search_id="s", tracking_uri=f"sqlite:///{tmp_path}/other.db")
        assert mlflow.get_tracking_uri() == store
    assert MlflowClient(f"sqlite:///{tmp_path}/other.db").get_run(elsewhere).info.run_name == "s"
    assert MlflowClient(store).get_run(run.info.run_id).info.status == "FINISHED"
    assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == {
        k: v for k, v in environment.items() if k.startswith("MLFLOW")
    }


def test_a_search_is_a_parent_run_with_a_nested_run_per_trial(tmp_path):
    records = [
        record(0),
        record(1, score=None, history=[], epochs=0, status="failed", error="ValueError: no\n  at all"),
    ]
    parent = log_search(
        records, search_id="s1", params={"time_limit": 60}, tags={"data_digest": "abc"}, status="FINISHED"
    )
    run = client().get_run(parent)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"time_limit": "60"}
    assert run.data.tags["data_digest"] == "abc"
    assert run.data.metrics["best_score"] == -1
    good, bad = (trials(parent)[k] for k in "01")
    assert good.info.status == "FINISHED"
    assert good.data.params == {"model": "forecasting/lstm", "units": "8", "scaling": "window"}
    assert good.data.tags["data_digest"] == "abc"
    assert {k: good.data.metrics[k] for k in ("score", "seconds", "num_parameters", "epochs")} == {
        "score": -1,
        "seconds": 1.5,
        "num_parameters": 1234,
        "epochs": 3,
    }
    losses = client().get_metric_history(good.info.run_id, "val_loss")
    assert [(m.step, m.value) for m in losses] == [(1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3))]
    assert bad.info.status == "FAILED"
    assert bad.data.tags["lstmzoo.error"] == "ValueError: no\n  at all"
    assert "score" not in bad.data.metrics
    assert Path(tmp_path, "mlflow.db").is_file()
    assert good.info.artifact_uri.startswith(f"file://{tmp_path}/mlartifacts/")


def test_replaying_adds_nothing():
    records = [record(0, history=[{"epoch": 1, "loss": math.nan, "seconds": 1}]), record(1)]
    parent = log_search(records[:1], search_id="s2")
    assert client().get_run(parent).info.status == "RUNNING"
    assert log_search(records, search_id="s2") == parent
    before = {k: (run.info.end_time, dict(run.data.metrics)) for k, run in trials(parent).items() if k == "1"}
    for _ in range(2):
        assert log_search(records, search_id="s2", status="FINISHED") == parent
    after = trials(parent)
    assert set(after) == {"0", "1"}
    assert {"1": (after["1"].info.end_time, dict(after["1"].data.metrics))} == before
    for name, run_id in (("loss", after["0"].info.run_id), ("score", after["1"].info.run_id)):
        assert len(client().get_metric_history(run_id, name)) == 1
    assert len(client().get_metric_history(parent, "best_score")) == 2
    assert log_search(records, search_id="another") != parent


def test_a_run_that_was_left_half_made_is_completed(monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError("the wire was cut")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_terminated", fail)
        assert log_search([record(0)], search_id="s3") is None
    assert "the wire was cut" in caplog.text
    parent = log_search([record(0)], search_id="s3")
    run = trials(parent)["0"]
    assert run.info.status == "FINISHED"
    assert len(client().get_metric_history(run.info.run_id, "loss")) == 3


def test_a_trial_that_went_on_is_brought_up_to_date():
    first = record(0, epochs=1, history=record(0)["history"][:1], score=-2.0)
    parent = log_search([first], search_id="s4")
    log_search([record(0)], search_id="s4")
    run = trials(parent)["0"]
    assert run.data.metrics["score"] == -1
    assert [m.step for m in client().get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]


def test_a_tracker_sends_a_trial_once_and_waits_longer_after_each_failure(monkeypatch):
    requests, now, broken = [], [1000.0], [False]
    real = MlflowClient.get_run

    def get_run(self, run_id):
        requests.append("parent")
        if broken[0]:
            raise OSError("away")
        return real(self, run_id)

    log_trial, find = tracking._log_trial, tracking._runs
    monkeypatch.setattr(MlflowClient, "get_run", get_run)
    monkeypatch.setattr(tracking, "_log_trial", lambda *args: requests.append(args[3]["number"]) or log_trial(*args))
    monkeypatch.setattr(tracking, "_runs", lambda *args: requests.append("all") or find(*args))
    monkeypatch.setattr(tracking.time, "monotonic", lambda: now[0])

    def asked(records, status="RUNNING"):
        requests.clear()
        return tracker.update(records, status), list(requests)

    tracker = tracking.SearchTracker("s7")
    run_id, requested = asked([record(0)])
    assert requested == ["all", "parent", 0]
    assert asked([record(0), record(1)]) == (run_id, ["parent", 1])
    broken[0] = True
    for wait in (30, 60, 120):
        assert asked([record(0)])[0] is None
        now[0] += wait - 1
        assert asked([record(0)]) == (None, [])
        now[0] += 1
    assert asked([record(0)], "KILLED")[1] == ["all", "parent"]
    broken[0] = False
    assert asked([record(n) for n in range(3)], "FINISHED") == (run_id, ["all", "parent", 0, 1, 2])
    assert set(trials(run_id)) == {"0", "1", "2"}
    now[0] += 1
    assert asked([record(n) for n in range(4)])[1] == []


def test_a_run_starts_when_its_record_says():
    parent = log_search([record(0, started="2026-01-31T18:00:00+01:00")], search_id="s8", status="FAILED")
    run = trials(parent)["0"]
    assert run.info.start_time == 1000 * datetime(2026, 1, 31, 17, tzinfo=UTC).timestamp()
    assert run.info.end_time == run.info.start_time + 1500
    assert client().get_run(parent).info.status == "FAILED"


def test_a_server_that_is_away_loses_nothing(baseline, caplog, tmp_path):
    records = []
    started = time.perf_counter()
    with caplog.at_level(logging.WARNING, "lstmzoo"):
        for number in range(3):
            records.append(record(number))
            assert log_search(records, search_id="s5", tracking_uri=AWAY) is None
        assert log_champion(baseline, parent_run_id=None) is None
        assert log_champion(baseline, parent_run_id="0" * 32, tracking_uri=AWAY) is None
    assert time.perf_counter() - started < 20
    assert [r.message.count("the search continues") for r in caplog.records] == [1, 0]
    assert "Traceback" not in caplog.text
    parent = log_search(records, search_id="s5", status="FINISHED")
    assert set(trials(parent)) == {"0", "1", "2"}


def test_the_champion_is_in_the_searchs_run_and_is_logged_once(baseline, monkeypatch, caplog):
    parent = log_search([record(0)], search_id="s6")

    def fail(*_, **__):
        raise OSError("gone again")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", fail)
        assert log_champion(baseline, parent_run_id=parent, registered_model_name="best") is None
    assert "gone again" in caplog.text
    for _ in range(2):
        uri = log_champion(baseline, parent_run_id=parent, registered_model_name="best")
        assert uri == "models:/best/1"
    assert len(client().get_run(parent).outputs.model_outputs) == 1
    assert len(client().search_model_versions("name = 'best'")) == 1
    assert load_model("models:/best@champion").method == "naive"
    assert log_champion(baseline, parent_run_id=parent).startswith("models:/m-")
    log_search([record(0)], search_id="s6", status="FINISHED")
    assert client().get_run(parent).info.status == "FINISHED"


def test_a_search_id_must_be_plain():
    with pytest.raises(ConfigError, match="search_id"):
        log_search([], search_id="it's")


def test_the_default_store_is_absolute(tmp_path, monkeypatch):
    assert resolve_tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve_tracking_uri("http://host:5000") == "http://host:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///runs.db")
    assert resolve_tracking_uri() == f"sqlite:///{tmp_path}/runs.db"
