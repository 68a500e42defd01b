"""An ensemble with covariates, quantiles and conformal members, wherever a single winner is used."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from _cli import IGNORED_WARNINGS, assert_refused, run, run_json
from mlflow import MlflowClient
from test_mlflow import NANOSECONDS, record

import lstmzoo
from lstmzoo import BaselineForecaster, ForecastEnsemble, Forecaster, ZooSearchCV
from lstmzoo.mlflow import load_model, log_champion, log_search
from lstmzoo.mlflow.outcome import Outcome, log_outcome

pytestmark = IGNORED_WARNINGS
COVARIATES = {"past_covariates": ["visitors"], "future_covariates": ["price"], "static_covariates": ["region"]}


@pytest.fixture(scope="module")
def sales(hourly):
    rng = np.random.default_rng(1)
    region = np.where(hourly["unique_id"] == "s1", "north", "south")
    return hourly.assign(visitors=rng.normal(size=len(hourly)), price=rng.normal(size=len(hourly)), region=region)


@pytest.fixture(scope="module")
def winner(sales, tiny, module_eagerly):
    params = {**tiny, **COVARIATES, "quantiles": [0.1, 0.9]}
    naive = BaselineForecaster("seasonal_naive", horizon=6, quantiles=[0.1, 0.9], **COVARIATES)
    pair = [Forecaster(**params, conformal=True), Forecaster(**{**params, "model": "gru", "lookback": 12})]
    return ForecastEnsemble([*pair, naive], weights=[2, 1, 1]).fit(sales)


@pytest.fixture(scope="module")
def future(winner):
    return winner.make_future_frame().assign(price=0.5)


@pytest.fixture
def workplace(winner, sales, future, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    winner.save("winner")
    sales.to_csv("sales.csv", index=False)
    future.to_csv("future.csv", index=False)


def test_parameters_that_members_share(winner):
    assert (winner.horizon, winner.quantiles, winner.id_col) == (6, [0.1, 0.9], "unique_id")
    assert winner.future_covariates == ["price"]
    assert not hasattr(winner, "lookback")
    assert not hasattr(ForecastEnsemble([]), "horizon")


def test_what_only_members_do_is_told(winner):
    search = ZooSearchCV(Forecaster(horizon=6), max_trials=1)
    search.best_estimator_ = winner
    for name, hint in {
        "update": r"pass them to ForecastEnsemble.of\(\)",
        "stream": r"members_\[0\].stream\(\)",
    }.items():
        assert not hasattr(winner, name)
        with pytest.raises(AttributeError, match=f"'ForecastEnsemble' object has no attribute '{name}': .*{hint}"):
            getattr(winner, name)
        with pytest.raises(
            AttributeError, match=f"'ZooSearchCV' .* '{name}': the winner is a ForecastEnsemble; .*{hint}"
        ):
            getattr(search, name)


def test_registered_and_served_by_mlflow(winner, sales, future, workplace, module_eagerly):
    parent = log_search([record(0)], search_id="ensembles")
    uri = log_champion(winner, parent_run_id=parent, registered_model_name="sales")
    assert uri == "models:/sales/1"
    assert log_outcome(parent, Outcome({"model": "ensemble"}, {}, {}, {}), winner=winner)
    written = {file.path for file in MlflowClient().list_artifacts(parent, "example")}
    assert written == {"example/input.csv", "example/output.csv"}  # no figure, which needs future covariates
    one, ahead = (frame[frame["unique_id"] == "s1"] for frame in (sales, future))
    expected = winner.predict(one, future=ahead)
    pd.testing.assert_frame_equal(load_model("models:/sales@champion").predict(one, future=ahead), expected)
    generic = mlflow.pyfunc.load_model(uri)
    assert [column.name for column in generic.metadata.signature.outputs] == list(expected.columns)
    answer = generic.predict(pd.concat([one, ahead], ignore_index=True))
    pd.testing.assert_frame_equal(answer.astype(NANOSECONDS), expected.astype(NANOSECONDS))


def test_on_the_command_line(winner, workplace, module_eagerly):
    rows = run_json("predict", "winner", "sales.csv", "--future", "future.csv")
    assert len(rows) == 18
    scores = run_json("evaluate", "winner", "sales.csv")
    assert len(scores["series"]) == 3
    assert_refused(run("update", "winner", "sales.csv"), 2, "winner is a ForecastEnsemble, which cannot be updated")
    export = ["export", "winner", "--format", "keras", "--out", "m.keras"]
    assert_refused(run(*export), 2, "member 3 is a BaselineForecaster", "members_[0], members_[1]", "--ensemble-size 1")


def test_a_loaded_ensemble_forecasts_the_same_bits(winner, future, workplace):
    again = lstmzoo.load("winner")
    assert again.weights_ == winner.weights_
    pd.testing.assert_frame_equal(again.predict(future=future), winner.predict(future=future), check_exact=True)
