"""The runs of searches and of plain fits."""

import io
import os
import shutil
import threading

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import lstmzoo.mlflow
from lstmzoo import Forecaster, LanguageModel, Translator, ZooSearchCV
from lstmzoo.errors import ConfigError, LstmzooError
from lstmzoo.mlflow import load_model

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b",  # MLflow's own use of what others deprecate
    "ignore:__array__ implementation:DeprecationWarning",  # Keras' own
)
SETTINGS = {"epochs": 2, "steps_per_epoch": 1, "units": 4}
TEXT = ["the quick brown fox jumps over the lazy dog"] * 40
PAIRS = ["one", "two", "three", "four"] * 10, ["eins", "zwei", "drei", "vier"] * 10


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    """An empty working directory, and MLflow without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def artifacts(client, run_id, path=None):
    return {f.path for f in client.list_artifacts(run_id, path) if not f.is_dir}


def table(client, run_id, name):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"{client.get_run(run_id).info.artifact_uri}/{name}")))


def search_of(estimator, model, store, **options):
    defaults = {"max_trials": 1, "random_state": 0, "verbose": 0, "tracking_uri": store}
    return ZooSearchCV(estimator, model, **{**defaults, **options})


def test_the_run_of_a_search_says_what_happened(hourly, store, eagerly, tmp_path):
    forecaster = Forecaster(horizon=6, lookback=12, hyperparameters=SETTINGS)
    options = {"registered_model_name": "load", "directory": tmp_path / "journal", "time_limit": 300}
    found = search_of(forecaster, "gru", store, **options).fit(hourly)
    client = MlflowClient(store)
    run = client.get_run(found.mlflow_run_id_)
    assert run.info.run_name.startswith("forecasting search 20")
    assert run.data.params["best_model"] == run.data.tags["best_model"] == found.best_params_["model"]
    assert run.data.params["models"] == "['gru']"
    assert run.data.params["scoring"] == "None"
    assert run.data.params["estimator.horizon"] == "6"
    for name, value in found.best_params_.items():
        assert run.data.params[f"best_{name}"] == str(value)
    records = found.records_
    baseline = max(r["score"] for r in records if r["baseline"])
    expected = {"trials": len(records), "failed_trials": 0, "best_score": found.best_score_, "best_baseline_score": baseline,
                "refit_seconds": found.refit_time_, "search_seconds": records[-1]["elapsed"]}  # fmt: skip
    assert {name: run.data.metrics[name] for name in expected} == pytest.approx(expected)
    assert run.data.tags["max_trials"] == "1"
    assert artifacts(client, run.info.run_id) == {"leaderboard.csv", "search.png"}
    example = {"example/input.csv", "example/output.csv", "example/forecast.png"}
    assert artifacts(client, run.info.run_id, "example") == example
    assert list(table(client, run.info.run_id, "leaderboard.csv")["model"]) == list(found.leaderboard_["model"])
    forecast = table(client, run.info.run_id, "example/output.csv")
    assert list(forecast.columns) == ["unique_id", "ds", "y_hat"]
    assert len(forecast) == 6
    (data,) = run.inputs.dataset_inputs
    digest = found.best_estimator_.data_digest_
    assert (data.dataset.name, data.dataset.digest) == ("forecasting", digest[:36])
    assert f'"num_rows": {len(hourly)}' in data.dataset.profile
    version = client.get_model_version("load", "1")
    assert f"trial {found.best_index_ + 1}, score {found.best_score_:.6g} on held-out data" in version.description
    assert version.tags["data_digest"] == digest
    assert float(version.tags["score"]) == pytest.approx(found.best_score_)
    assert version.tags["task"] == "forecasting"


def test_a_search_that_is_extended_is_brought_up_to_date(store, eagerly, tmp_path):
    y = 10 + np.sin(np.arange(80) * np.pi / 6)
    forecaster = Forecaster(horizon=6, lookback=12, hyperparameters=SETTINGS)
    for trials in (1, 2):
        options = {"directory": tmp_path / "journal", "max_trials": trials, "refit": False}
        found = search_of(forecaster, ["gru", "lstm"], store, **options).fit(y)
    client = MlflowClient(store)
    run = client.get_run(found.mlflow_run_id_)
    assert run.data.tags["best_model"] == found.best_params_["model"]
    assert run.data.metrics["trials"] == len(found.records_)
    assert run.data.tags["max_trials"] == "2"
    assert len(table(client, run.info.run_id, "leaderboard.csv")) == len(found.records_)
    assert len(run.inputs.dataset_inputs) == 1
    assert "example" not in {f.path for f in client.list_artifacts(run.info.run_id)}


@pytest.mark.parametrize(("estimator", "model", "data", "column"), [
    (LanguageModel(hyperparameters={**SETTINGS, "embedding_dim": 4, "bptt": 8}), "char_lstm", (TEXT,), "text"),
    (Translator(hyperparameters={**SETTINGS, "embedding_dim": 4, "tokenizer": "word"}), "seq2seq_gru", PAIRS, "text"),
], ids=["text", "pairs"])  # fmt: skip
def test_the_run_of_a_search_has_a_text_or_a_translation(estimator, model, data, column, store, eagerly):
    found = search_of(estimator, model, store).fit(*data)
    client = MlflowClient(store)
    run = client.get_run(found.mlflow_run_id_)
    assert artifacts(client, run.info.run_id, "example") == {"example/input.csv", "example/output.csv"}
    assert list(table(client, run.info.run_id, "example/output.csv").columns) == [column]
    (data_input,) = run.inputs.dataset_inputs
    assert f'"num_rows": {len(data[0])}' in data_input.dataset.profile


# plain fits


@pytest.fixture
def autologging(store, eagerly):
    """The environment is unchanged; only the classes differ while autologging is on."""
    before = {cls: vars(cls)["fit"] for cls in (Forecaster, LanguageModel, Translator)}
    environment = {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")}
    lstmzoo.mlflow.autolog()
    yield store
    lstmzoo.mlflow.autolog(disable=True)
    assert {cls: vars(cls)["fit"] for cls in before} == before
    assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == environment
    assert mlflow.active_run() is None


def runs(store):
    client = MlflowClient(store)
    return client.search_runs([e.experiment_id for e in client.search_experiments()], order_by=["start_time"])


@pytest.mark.parametrize(("estimator", "data", "name"), [
    (Forecaster("gru", horizon=4, hyperparameters=SETTINGS, verbose=0), (np.arange(60.0),), "forecasting/gru"),
    (LanguageModel("char_lstm", hyperparameters={**SETTINGS, "embedding_dim": 4, "bptt": 8}, verbose=0), (TEXT,),
     "language_modelling/char_lstm"),
    (Translator("seq2seq_gru", hyperparameters={**SETTINGS, "embedding_dim": 4, "tokenizer": "word"}, verbose=0), PAIRS,
     "translation/seq2seq_gru"),
], ids=["series", "text", "pairs"])  # fmt: skip
def test_a_plain_fit_is_a_run(estimator, data, name, autologging):
    lstmzoo.mlflow.autolog(log_models=estimator.task == "forecasting")
    fitted = estimator.fit(*data)
    (run,) = runs(autologging)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == f"{type(estimator).__name__} {estimator.model}"
    assert run.data.params["model"] == name
    assert run.data.params["units"] == "4"
    assert run.data.params["best_epoch"] == str(fitted.best_epoch_)
    losses = MlflowClient(autologging).get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == [(r["epoch"], pytest.approx(r["loss"])) for r in fitted.history_]
    assert run.data.metrics["num_parameters"] == fitted.num_parameters_
    assert run.info.end_time - run.info.start_time >= 1000 * fitted.seconds_ - 1
    (data_input,) = run.inputs.dataset_inputs
    assert data_input.dataset.digest == fitted.data_digest_[:36]
    if estimator.task == "forecasting":
        assert (
            load_model(f"runs:/{run.info.run_id}/model", tracking_uri=autologging).data_digest_ == fitted.data_digest_
        )


def test_a_run_that_is_active_is_used_once_and_stays_active(autologging):
    y = np.arange(60.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", autologging)
        with mlflow.start_run() as run:
            for model in ("gru", "lstm"):
                Forecaster(model, horizon=4, hyperparameters=SETTINGS, verbose=0).fit(y)
            assert mlflow.active_run().info.run_id == run.info.run_id
        assert mlflow.get_tracking_uri() == autologging
    first, second = runs(autologging)
    assert (first.info.run_id, first.data.params["model"]) == (run.info.run_id, "forecasting/gru")
    assert second.data.params["model"] == "forecasting/lstm"
    assert second.data.tags["mlflow.parentRunId"] == run.info.run_id


def test_a_fit_that_fails_is_a_run_that_failed(autologging):
    with pytest.raises(LstmzooError):
        Forecaster("gru", horizon=40, lookback=40, verbose=0).fit(np.arange(60.0))
    (run,) = runs(autologging)
    assert run.info.status == "FAILED"
    assert run.data.tags["lstmzoo.error"].startswith("DataError: ")
    assert run.data.params["horizon"] == "40"


def test_searches_and_backtests_are_no_plain_fits(autologging):
    y = 10 + np.sin(np.arange(80) * np.pi / 6)
    forecaster = Forecaster("gru", horizon=4, lookback=8, hyperparameters=SETTINGS, verbose=0)
    ZooSearchCV(forecaster, "gru", max_trials=1, random_state=0, verbose=0).fit(y)
    forecaster.cross_validation(y, n_windows=2, refit=True)
    assert not runs(autologging)


def test_fits_of_a_benchmark_are_no_plain_fits(autologging):
    lstmzoo.mlflow.autolog(registered_model_name="sales")
    y = 10 + np.sin(np.arange(60) * np.pi / 6)
    forecaster = Forecaster("gru", horizon=4, lookback=8, hyperparameters=SETTINGS, verbose=0)
    assert lstmzoo.benchmark(forecaster, y, models="gru", verbose=0)["error"].isna().all()
    assert not runs(autologging)
    assert not MlflowClient(autologging).search_registered_models()


def test_models_are_registered_or_left_out_as_asked(autologging):
    y = np.arange(60.0)
    forecaster = Forecaster("gru", horizon=4, hyperparameters=SETTINGS, verbose=0)
    lstmzoo.mlflow.autolog(registered_model_name="O'Brien")
    forecaster.fit(y)
    lstmzoo.mlflow.autolog(log_models=False)
    forecaster.fit(y)
    first, second = runs(autologging)
    assert len(first.outputs.model_outputs) == 1
    assert not second.outputs.model_outputs
    version = MlflowClient(autologging).get_model_version_by_alias("O'Brien", "champion")
    assert version.tags["model"] == "forecasting/gru"
    assert version.description.startswith("Forecaster forecasting/gru of ")
    with pytest.raises(ConfigError, match="registered_model_name"):
        lstmzoo.mlflow.autolog(registered_model_name="a/b")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/mlflow.db"])
def test_mlflow_being_away_does_not_touch_a_fit(uri, autologging, caplog):
    lstmzoo.mlflow.autolog(tracking_uri=uri)
    fitted = Forecaster("gru", horizon=4, hyperparameters=SETTINGS, verbose=0).fit(np.arange(60.0))
    assert fitted.predict().shape == (4,)
    assert [f"MLflow at {uri} failed; the fit was not logged" in r.message for r in caplog.records] == [True]
    assert not runs(autologging)


def test_a_run_whose_model_cannot_be_logged_has_failed(autologging, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr("lstmzoo.mlflow.autologging.log_model", fail)
    Forecaster("gru", horizon=4, hyperparameters=SETTINGS, verbose=0).fit(np.arange(60.0))
    (run,) = runs(autologging)
    assert run.info.status == "FAILED"
    assert "the disk is full" in caplog.text


def test_fits_in_threads_are_runs_of_their_own(autologging):
    lstmzoo.mlflow.autolog(log_models=False)
    forecasters = [Forecaster("gru", horizon=4, hyperparameters=SETTINGS, random_state=i, verbose=0) for i in range(3)]
    threads = [threading.Thread(target=f.fit, args=(np.arange(60.0),)) for f in forecasters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {run.data.params["random_state"] for run in runs(autologging)} == {"0", "1", "2"}
