"""Unusable stores and invalid names are refused within seconds, before any work."""

import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lstmzoo import BaselineForecaster, ZooSearchCV
from lstmzoo.errors import ConfigError
from lstmzoo.mlflow import load_model, log_champion, log_model, log_search, tracking

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b",  # MLflow's own use of what others deprecate
)
SECONDS = 30  # MLflow by itself takes 101 for each call
LOCK = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(120)
"""


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(empty_store, tmp_path):
    shutil.copy(empty_store, tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def baseline():
    return BaselineForecaster("naive", horizon=6).fit(np.arange(20.0))


class Network(BaselineForecaster):
    """A baseline that a search trains like a network."""

    def __init__(
        self, model: str = "lstm", *, horizon: int = 6, hyperparameters: dict | None = None, method: str = "drift",
        id_col: str | None = "unique_id", time_col: str = "ds", target_col: str = "y",
    ) -> None:  # fmt: skip
        super().__init__(method, horizon=horizon, id_col=id_col, time_col=time_col, target_col=target_col)
        self.model = model
        self.hyperparameters = hyperparameters

    def baselines(self):
        return {"naive": BaselineForecaster("naive", horizon=self.horizon)}

    def restrict(self, search_space, y):
        return {}

    def refit_clone(self):
        return self


def searched(uri, **options):
    y = np.arange(40.0) + np.sin(np.arange(40.0))
    search = ZooSearchCV(
        Network(),
        ["lstm", "gru"],
        oracle="random",
        max_trials=2,
        random_state=0,
        verbose=0,
        tracking_uri=uri,
        **options,
    )
    return search.fit(y)


def folder_in_its_place(path):
    (path / "mlflow.db").mkdir()
    return f"sqlite:///{path / 'mlflow.db'}", "mlflow.db is not a file"


def file_among_its_folders(path):
    (path / "store").write_text("")
    return f"sqlite:///{path / 'store' / 'mlflow.db'}", "store cannot be written: Not a directory"


def folder_that_nobody_may_write(path):
    return "sqlite:////proc/mlflow.db", "/proc cannot be written"


def no_database(path):
    (path / "mlflow.db").write_text("year,sales\n" * 100)
    return f"sqlite:///{path / 'mlflow.db'}", "mlflow.db cannot be written: file is not a database"


def told_by_options(path):
    return "sqlite:///file:/proc/mlflow.db?mode=rw&uri=true", "unable to open database file"


FAULTS = [folder_in_its_place, file_among_its_folders, folder_that_nobody_may_write, no_database, told_by_options]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_search_goes_on_beside_a_store_that_cannot_be_opened(fault, tmp_path, caplog):
    uri, message = fault(tmp_path)
    began = time.monotonic()
    fitted = searched(uri, time_limit=600)
    assert time.monotonic() - began < SECONDS
    assert [r["status"] for r in fitted.records_] == ["completed"] * 3
    assert fitted.mlflow_run_id_ is fitted.model_uri_ is None
    warned = [r.message for r in caplog.records if "the search continues" in r.message]
    assert len(warned) == 1
    assert message in warned[0]


def test_a_model_is_not_logged_to_a_store_that_cannot_be_opened(baseline, tmp_path):
    uri, message = folder_in_its_place(tmp_path)
    with pytest.raises(MlflowException, match=message):
        log_model(baseline, tracking_uri=uri)


def test_a_store_that_another_process_has_locked_is_not_waited_for(store, caplog):
    path = store.removeprefix("sqlite:///")
    with subprocess.Popen([sys.executable, "-c", LOCK, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        try:
            began = time.monotonic()
            assert log_search([], search_id="locked", tracking_uri=store) is None
            assert time.monotonic() - began < SECONDS
        finally:
            holder.kill()
    assert "database is locked" in caplog.text
    assert log_search([], search_id="locked", tracking_uri=store) is not None


def test_a_server_that_never_answers_is_not_waited_for(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert log_search([], search_id="silent", tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}") is None
        assert time.monotonic() - began < SECONDS
    assert "the search continues" in caplog.text


def test_a_store_that_is_slow_costs_a_tenth_of_the_time(store, monkeypatch):
    now, sent = [100.0], []
    tracker = tracking.SearchTracker("slow", tracking_uri=store)

    def send(client, uri, records, status):
        now[0] += 5
        sent.append(status)
        return "run"

    monkeypatch.setattr(tracker, "_send", send)
    monkeypatch.setattr(tracking.time, "monotonic", lambda: now[0])
    while now[0] < 1000:
        tracker.update([])
        now[0] += 1
    assert len(sent) * 5 <= 95
    assert tracker.update([], "FINISHED") == "run"
    assert sent[-1] == "FINISHED"


def test_what_takes_too_long_to_send_is_sent_by_the_next_calls(store, monkeypatch):
    now = [100.0]
    tracker = tracking.SearchTracker("many", tracking_uri=store)
    records = [
        {"number": n, "model": "gru", "params": {}, "score": n, "seconds": 1, "status": "completed"} for n in range(4)
    ]
    log_trial = tracking._log_trial
    monkeypatch.setattr(tracking.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(tracking, "_log_trial", lambda *args: now.__setitem__(0, now[0] + 6) or log_trial(*args))
    run_id = tracker.update(records)
    client = MlflowClient(store)
    experiment = client.get_run(run_id).info.experiment_id
    assert len(client.search_runs([experiment])) == 1 + 2
    assert tracker.update(records, "FINISHED") == run_id
    assert len(client.search_runs([experiment])) == 1 + 4


@pytest.mark.parametrize(("name", "message"), [
    ("a/b", "registered_model_name: Invalid model name 'a/b'"), ("x:y", "registered_model_name: .*cannot contain"),
    ("", "registered_model_name: the name is empty"), (" ", "registered_model_name: the name is empty"),
    ("..", "registered_model_name"),
])  # fmt: skip
def test_a_name_that_mlflow_does_not_take_is_refused_before_the_search(name, message, store, baseline, monkeypatch):
    fits = []
    monkeypatch.setattr(Network, "fit", lambda self, y: fits.append(self))
    with pytest.raises(ConfigError, match=message):
        searched(store, registered_model_name=name)
    with pytest.raises(ConfigError, match=message):
        log_model(baseline, registered_model_name=name, tracking_uri=store)
    with pytest.raises(ConfigError, match=message):
        log_champion(baseline, parent_run_id="0" * 32, registered_model_name=name, tracking_uri=store)
    assert not fits
    assert not MlflowClient(store).search_registered_models()


def test_an_experiment_without_a_name_is_refused(store):
    with pytest.raises(ConfigError, match="experiment: the name is empty"):
        searched(store, experiment="")


def test_an_alias_that_mlflow_does_not_take_is_refused(store, baseline):
    for alias in ("v1", "a b", "latest"):
        with pytest.raises(ConfigError, match="alias: "):
            log_model(baseline, registered_model_name="sales", alias=alias, tracking_uri=store)


@pytest.mark.parametrize("name", ["O'Brien", 'The "best"', 'O\'Brien "best" %_'])
def test_a_name_may_have_quotes(name, store, baseline):
    info = log_model(baseline, registered_model_name=name, tracking_uri=store)
    again = log_model(baseline, registered_model_name=name, run_id=info.run_id, tracking_uri=store)
    assert info.registered_model_version == again.registered_model_version == "1"
    assert MlflowClient(store).get_model_version_by_alias(name, "champion").version == 1
    assert load_model(f"models:/{name}@champion", tracking_uri=store).method == "naive"


def test_a_version_that_fails_leaves_no_empty_name(store, baseline, monkeypatch):
    def fail(*_, **__):
        raise OSError("gone")

    client = MlflowClient(store)
    client.create_registered_model("known")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", fail)
        for name in ("new", "known"):
            with pytest.raises(OSError, match="gone"):
                log_model(baseline, registered_model_name=name, tracking_uri=store)
    assert [model.name for model in client.search_registered_models()] == ["known"]
