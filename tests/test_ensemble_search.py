"""Ensembles in a search: predictions of trials, greedy selection, and the winner that is built from it."""

import logging
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import lstmzoo
from lstmzoo import ForecastEnsemble, Forecaster, ZooSearchCV
from lstmzoo.cli.tune import _report
from lstmzoo.config import Candidate
from lstmzoo.contracts import can_be_averaged
from lstmzoo.records import is_network, is_untrained
from lstmzoo.tuning import halving
from lstmzoo.tuning.blending import add_ensemble
from lstmzoo.tuning.ensembling import Chosen, Held, Predictions, choose_members
from lstmzoo.tuning.trials import blank_record

RNG = np.random.default_rng(0)
Y = 50 + 10 * np.sin(np.arange(160) * np.pi / 6) + RNG.normal(size=160)
TINY = {"units": 4, "epochs": 9, "steps_per_epoch": 3, "batch_size": 8}
FEW = {"naive", "drift"}


class Compared(Forecaster):
    """A forecaster with few baselines."""

    def baselines(self):
        return {name: baseline for name, baseline in super().baselines().items() if name in FEW}


class OwnScore(Compared):
    """A forecaster with a score of its own."""

    def score(self, y, X=None, *, metric="mase"):
        return 2 * super().score(y, X, metric=metric)


@pytest.fixture(autouse=True)
def small(monkeypatch, without_xla):
    pair = [Candidate("segment_gru", {"units": units}) for units in (4, 5, 6)]
    monkeypatch.setattr(halving, "load_portfolio", lambda task: pair)


def search(estimator=None, **params):
    forecaster = estimator or Compared(horizon=6, hyperparameters=dict(TINY), season_length=12, verbose=0)
    del forecaster.hyperparameters["units"]
    settings = {"max_trials": 3, "time_limit": 1000, "random_state": 0, "verbose": 0, **params}
    return ZooSearchCV(forecaster, "segment_gru", **settings)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        pair = [Candidate("segment_gru", {"units": units}) for units in (4, 5, 6)]
        patch.setattr(halving, "load_portfolio", lambda task: pair)
        return search(directory=tmp_path_factory.mktemp("search")).fit(Y)


def averaged(found, record, data=Y, **options):
    """The predictions of an ensemble's members for the windows, and the functions that score them."""
    held = Predictions(found.directory_ / "predictions")
    by_number = {str(r["number"]): r for r in found.records_}
    parts = [(w, held.get(int(n), by_number[n]["score"]).arrays) for n, w in record["members"].items()]
    means = [sum(w * arrays[i] for w, arrays in parts) for i in range(found.n_splits_)]
    train, windows = found.estimator.rolling_holdout(*found.estimator.read_once(data))
    naive = found.estimator.baselines()["naive"].fit(*train)
    return [naive.prediction_scorer(*window, **options)(mean) for window, mean in zip(windows, means, strict=True)]


def test_an_ensemble_is_a_row_and_wins(fitted):
    (record,) = [r for r in fitted.records_ if r["members"]]
    others = [r["score"] for r in fitted.records_ if r is not record and r["score"] is not None]
    assert record["score"] > max(others)
    assert 2 <= len(record["members"]) <= 4
    assert sum(record["members"].values()) == pytest.approx(1)
    assert record["window_scores"] == pytest.approx(averaged(fitted, record), rel=1e-5)
    assert record["score"] == pytest.approx(np.mean(record["window_scores"]))
    assert fitted.best_params_ == {"model": "ensemble", "members": record["members"]}
    assert fitted.cv_results_["params"][fitted.best_index_] == fitted.best_params_
    assert fitted.cv_results_["param_members"].mask.sum() == len(fitted.records_) - 1
    row = fitted.leaderboard_.iloc[0]
    assert (row["model"], row["parameters"]) == ("ensemble", record["num_parameters"])
    assert isinstance(fitted.best_estimator_, ForecastEnsemble)


def test_the_winner_is_one_model_of_members_trained_on_all_data(fitted, tmp_path):
    winner = fitted.best_estimator_
    record = fitted.records_[fitted.best_index_]
    weights = sorted(record["members"].values(), reverse=True)
    assert winner.weights_ == pytest.approx(weights)
    assert all(m.data_digest_ == Forecaster(horizon=6).data_digest(Y) for m in winner.members_)
    networks = [m.model_ for m in winner.members_ if hasattr(m, "model_")]
    assert len({id(n) for n in networks}) == len(networks), "each has a network of its own"
    expected = sum(w * m.predict() for w, m in zip(winner.weights_, winner.members_, strict=True))
    np.testing.assert_allclose(fitted.predict(), expected)
    fitted.save(tmp_path / "winner")
    np.testing.assert_allclose(lstmzoo.load(tmp_path / "winner").predict(), fitted.predict(), rtol=1e-6)
    fitted.plot(tmp_path / "search.png")


def test_a_finished_search_gives_the_same_again(fitted):
    again = search(directory=fitted.directory_).fit(Y)
    assert [r["members"] for r in again.records_] == [r["members"] for r in fitted.records_]
    assert again.best_score_ == fitted.best_score_
    np.testing.assert_allclose(again.predict(), fitted.predict(), rtol=1e-6)


def test_an_interrupted_search_chooses_the_same(fitted, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(halving, "add_ensemble", stop)
        with pytest.raises(KeyboardInterrupt):
            search(directory=tmp_path).fit(Y)
    resumed = search(directory=tmp_path, refit=False).fit(Y)
    assert resumed.best_params_ == fitted.best_params_
    assert resumed.best_score_ == fitted.best_score_
    assert not hasattr(resumed, "best_estimator_")


def test_no_ensemble(fitted):
    alone = search(ensemble_size=1).fit(Y)
    assert not any(r["members"] for r in alone.records_)
    told, found = ([r["score"] for r in s.records_ if is_network(r)] for s in (alone, fitted))
    assert told == pytest.approx(found)
    assert can_be_averaged(Compared(horizon=6))
    assert not can_be_averaged(OwnScore(horizon=6)), "its score is not that of the predictions"


def test_members_without_time_keep_the_network_of_their_trial(fitted, caplog, monkeypatch):
    monkeypatch.setattr(halving.Halving, "_refitted_in_time", lambda self, record: None)
    with caplog.at_level(logging.INFO, "lstmzoo.tuning"):
        again = search(directory=fitted.directory_).fit(Y)
    assert "trained again on all data: none" in caplog.text
    winner, score = again.best_estimator_, again.best_score_
    assert winner.data_digest_ == Forecaster(horizon=6).data_digest(Y)
    last = again.records_[again.best_index_]["window_scores"][-1]
    assert winner.score(Y) == pytest.approx(last, rel=1e-4), "it forecasts what was scored"
    assert math.isfinite(score)


def test_a_function_scores_the_ensemble_itself():
    def negative_mae(estimator, y):
        return estimator.score(y, metric="mae")

    found = search(scoring=negative_mae, refit=False).fit(Y)
    by_name = search(scoring="mae", refit=False).fit(Y)
    for result in (found, by_name):
        assert any(r["members"] for r in result.records_)
    scores = [[r["score"] for r in s.records_ if not r["members"]] for s in (found, by_name)]
    assert scores[0] == pytest.approx(scores[1])


def test_an_earlier_ensemble_does_not_win_a_search_without_ensembles(fitted, tmp_path):
    directory = shutil.copytree(fitted.directory_, tmp_path / "search")
    alone = search(directory=directory, ensemble_size=1, refit=False).fit(Y)
    (dropped,) = [r for r in alone.records_ if r["members"]]
    assert (dropped["score"], dropped["status"]) == (None, "failed")
    assert "this search has no ensembles" in dropped["error"]
    assert alone.best_params_["model"] != "ensemble"
    assert alone.leaderboard_.iloc[-1]["model"] == "ensemble"
    again = search(directory=directory, refit=False).fit(Y)
    assert again.best_params_ == fitted.best_params_
    assert again.records_[again.best_index_]["error"] is None


class MadeUpRun(SimpleNamespace):
    """A search that took ``now`` of 100 seconds, whose score needs the ensemble itself, if it is not ``exact``."""

    def __init__(self, now, *, exact=False):
        chosen = Chosen({1: 0.5, 2: 0.5}, [-1.0], [])
        written = []
        made = [{**blank_record(n, "gru", {}, baseline=False, seed=1), "score": -2.0} for n in (1, 2)]
        records = [{**r, "window_scores": [-2.0], "score_seconds": 4.0} for r in made]
        super().__init__(
            now=now, time_limit=100.0, ensemble_size=4, splits=[("train", ["window"])],
            journal=SimpleNamespace(records=records), put=written.append, written=written,
            new_record=lambda *_: blank_record(3, "ensemble", {}, baseline=False, seed=1),
            judge=SimpleNamespace(keeps_predictions=True, is_exact=exact, choose=lambda *_: chosen),
            scorer=SimpleNamespace(scores=lambda *_: [-1.0]), estimator=SimpleNamespace(ensemble=lambda *_: "mean"),
        )  # fmt: skip

    def elapsed(self):
        return self.now

    def first_seconds(self):
        return 3.0


def test_an_ensemble_of_baselines_alone_is_a_baseline_that_wins_with_a_warning(caplog):
    def made(number, model, score, **fields):
        row = blank_record(number, model, {}, baseline=model in FEW, seed=None)
        return {**row, "score": score, "window_scores": [score], **fields}

    found = search()
    rows = [made(1, "naive", -2.0), made(2, "drift", -2.1), made(3, "gru", -1.9), made(4, "lstm", None)]
    together = made(5, "ensemble", -1.5, members={"1": 0.5, "2": 0.5})
    found.records_, found.best_index_ = [*rows, together], 4
    found._refit(SimpleNamespace(searcher=SimpleNamespace(winner=lambda *_: "the mean")))
    assert found.best_estimator_ == "the mean"
    assert "no network beat the ensemble of baselines, which is the winner" in caplog.text
    assert is_untrained(together, found.records_)
    assert not is_untrained({**together, "members": {"1": 0.5, "3": 0.5}}, found.records_)
    found.best_params_, found.best_score_, found.leaderboard_ = {}, -1.5, None
    found.mlflow_run_id_ = found.model_uri_ = None
    assert _report(found, "folder")["best_is_baseline"]


@pytest.mark.parametrize(("now", "exact", "added"), [(91.0, False, True), (93.0, False, False), (99.0, True, True)])
def test_an_ensemble_that_cannot_be_scored_in_time_is_left_out(now, exact, added, caplog):
    run = MadeUpRun(now, exact=exact)
    with caplog.at_level(logging.INFO, "lstmzoo.tuning"):
        add_ensemble(run, lambda record: record["number"])
    assert [r["score"] for r in run.written] == [-1.0] * added
    assert ("no time to choose and score an ensemble" in caplog.text) != added


def test_an_ensemble_that_is_older_than_a_trial_fails_if_there_is_no_time_to_choose_anew():
    for newest, score in ((50.0, -1.0), (95.0, None)):
        run = MadeUpRun(99.0)
        run.journal.records[1]["elapsed"] = newest
        old = {**blank_record(3, "ensemble", {}, baseline=False, seed=1), "score": -1.0, "elapsed": 90.0}
        run.journal.records.append({**old, "members": {"1": 0.5, "2": 0.5}})
        add_ensemble(run, lambda record: record["number"])
        assert run.journal.records[-1]["score"] == score


def test_the_choice_of_members_ends_with_the_time():
    held = {1: [np.array([0.0])], 2: [np.array([3.0])]}
    left = iter([True] * 3)
    weights = choose_members(held, lambda a: -abs(float(a[0][0]) - 2.0), 2, lambda: next(left, False))
    assert weights == {2: 1.0}
    assert choose_members(held, lambda a: 0.0, 2, lambda: False) == {}


@pytest.mark.parametrize("most", [1, 2, 3])
def test_greedy_selection(most):
    rng = np.random.default_rng(0)
    target = rng.normal(size=50)
    held = {n: [target + rng.normal(size=50)] for n in range(1, 8)}

    def score(arrays):
        return -float(np.abs(arrays[0] - target).mean())

    weights = choose_members(held, score, most)
    assert len(weights) <= most
    assert sum(weights.values()) == pytest.approx(1)
    best = max(score(arrays) for arrays in held.values())
    mean = score([sum(w * held[n][0] for n, w in weights.items())])
    assert mean == best if most == 1 else mean > best


def test_predictions_of_another_score_or_damaged_are_left_out(tmp_path):
    held = Predictions(tmp_path / "predictions")
    held.put(3, -1.5, Held("a", [np.ones((2, 3)), np.zeros((1, 1))]))
    key, arrays = held.get(3, -1.5)
    assert (key, [a.shape for a in arrays]) == ("a", [(2, 3), (1, 1)])
    assert held.get(3, -1.25) is None
    assert held.get(4, -1.5) is None
    held.put(5, -1.5, Held("a", [np.array([np.nan])]))
    assert held.get(5, -1.5) is None
    (tmp_path / "predictions" / "3.safetensors").write_bytes(b"half")
    assert held.get(3, -1.5) is None


def test_forecasts_of_large_values_are_kept_exactly(tmp_path):
    held, forecast = Predictions(tmp_path / "predictions"), 1e9 + np.array([[0.25, 0.5]])
    held.put(1, -1.5, Held("a", [forecast]))
    np.testing.assert_array_equal(held.get(1, -1.5).arrays[0], forecast)


def test_a_panel_with_quantiles(tmp_path):
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 80), "ds": np.tile(np.arange(80), 2), "y": Y})
    estimator = Compared(horizon=4, quantiles=[0.1, 0.9], hyperparameters=dict(TINY), season_length=1, verbose=0)
    found = search(estimator, scoring="crps", directory=tmp_path).fit(frame)
    (record,) = [r for r in found.records_ if r["members"]]
    assert found.records_[found.best_index_] is record
    assert record["window_scores"] == pytest.approx(averaged(found, record, frame, metric="crps"), rel=1e-5)
    assert len(record["series_scores"]) == 2
    assert np.mean(record["series_scores"]) == pytest.approx(record["score"])
    forecast = found.predict()
    assert list(forecast) == ["unique_id", "ds", "y_hat", "y_hat_q0.1", "y_hat_q0.9"]
    expected = sum(
        w * member.predict()["y_hat_q0.9"]
        for w, member in zip(found.best_estimator_.weights_, found.best_estimator_.members_, strict=True)
    )
    np.testing.assert_allclose(forecast["y_hat_q0.9"], expected, rtol=1e-6)
