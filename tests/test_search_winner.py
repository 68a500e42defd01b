"""A search keeps its time, reads its data once, and has the methods of its winner."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from lstmzoo import BaselineForecaster, Forecaster, LanguageModel, Translator, ZooSearchCV
from lstmzoo.estimators.forecasting import params as forecasting
from lstmzoo.tuning.budget import refit_limit, trial_limit
from lstmzoo.tuning.trials import blank_record

TEXT = "the quick brown fox jumps over the lazy dog. " * 30


def record(seconds, score_seconds, epochs=(), score=-1.0):
    made = blank_record(1, "gru", {}, baseline=False, seed=1)
    history = [{"epoch": i, "loss": 1.0, "seconds": s} for i, s in enumerate(epochs, 1)]
    return {**made, "seconds": seconds, "score_seconds": score_seconds, "history": history, "score": score}


def test_the_time_of_scoring_and_preparing_is_kept_free():
    slow = [record(50.0, 30.0, epochs=(8.0, 8.0))]  # 16 of training, 4 around it, 30 of scoring
    limit = trial_limit(slow, 100.0, refit=True, planned=1)
    assert limit + 34 + 1.3 * 20 <= 100
    assert limit + 34 + 1.3 * limit <= 100
    assert trial_limit(slow, 50.0, refit=True, planned=1) is None  # less than half of 16 would be left
    assert trial_limit([record(20.0, 0.0, epochs=(16.0,))], 50.0, refit=True, planned=1) > 8
    assert trial_limit([record(50.0, 30.0)], 100.0, refit=False, planned=2) == 20


def test_a_refit_has_what_remains_if_that_is_half_of_its_trial():
    best = record(50.0, 30.0, epochs=(8.0, 8.0))
    assert refit_limit(best, 60.0) == 56
    assert refit_limit(best, 12.0) == 8
    assert refit_limit(best, 11.0) is None


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("oracle", ["halving", "random"])
def test_a_task_whose_first_network_takes_longer_than_the_limit_has_a_baseline(oracle, monkeypatch, caplog):
    monkeypatch.setattr(Forecaster, "first_seconds", lambda self, y: 40.0)
    y = 10 + np.sin(np.arange(80) * np.pi / 6)
    options = {"oracle": oracle, "random_state": 0, "verbose": 0}
    found = ZooSearchCV(Forecaster(horizon=4, verbose=0), "gru", time_limit=30, **options).fit(y)
    assert all(r["baseline"] for r in found.records_)
    alone = found.best_params_["model"] != "ensemble"
    winner = "the best baseline" if alone else "an ensemble of baselines"
    assert f"time_limit is too short for a single network: {winner} is the winner" in caplog.text


@pytest.mark.usefixtures("without_xla")
def test_without_time_for_a_refit_a_whole_trial_s_own_network_is_the_winner(monkeypatch):
    monkeypatch.setattr("lstmzoo.tuning.whole.refit_limit", lambda *_: None)
    estimator = Forecaster(horizon=4, hyperparameters={"steps_per_epoch": 2, "epochs": 1, "units": 4}, verbose=0)
    y = 10 + np.sin(np.arange(80) * np.pi / 6)
    options = {"oracle": "random", "random_state": 0, "verbose": 0, "allow_worse_than_baseline": True}
    found = ZooSearchCV(estimator, "gru", max_trials=1, time_limit=1000, **options).fit(y)
    best = found.best_estimator_
    assert best.history_ == found.records_[found.best_index_]["history"], "it was not trained on all data"
    np.testing.assert_array_equal(best.tail_.values[-4:], y[-4:])


def test_a_search_with_a_slow_score_keeps_its_time_limit(monkeypatch):
    now = [0.0]
    fit, score = Forecaster.fit, Forecaster.score

    def slow_fit(self, y, X=None):
        epoch = min(20.0, self.time_limit)
        now[0] += 1 + epoch
        self.set_params(hyperparameters={**self.hyperparameters, "epochs": 1}, time_limit=None)
        fit(self, y)
        self.history_ = [{**row, "seconds": epoch / len(self.history_)} for row in self.history_]
        return self

    def slow_score(self, y, X=None):
        now[0] += 25
        return score(self, y)

    monkeypatch.setattr(Forecaster, "fit", slow_fit)
    monkeypatch.setattr(Forecaster, "score", slow_score)
    monkeypatch.setattr("lstmzoo.tuning.search.time.monotonic", lambda: now[0])
    monkeypatch.setattr("lstmzoo.tuning.trials.time.perf_counter", lambda: now[0])
    estimator = Forecaster(horizon=4, hyperparameters={"steps_per_epoch": 2, "units": 4}, verbose=0)
    y = 10 + np.sin(np.arange(80) * np.pi / 6)
    options = {"oracle": "random", "random_state": 0, "verbose": 0}
    found = ZooSearchCV(estimator, ["gru", "lstm"], time_limit=180, **options).fit(y)
    assert len([r for r in found.records_ if not r["baseline"]]) > 1
    assert now[0] <= 180


def test_the_frame_is_read_once_before_the_first_trial(hourly, monkeypatch):
    reads, read = [], forecasting.read_panel
    monkeypatch.setattr(forecasting, "read_panel", lambda data, *a, **k: reads.append(data) or read(data, *a, **k))

    def stop(self, y, X=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(BaselineForecaster, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        ZooSearchCV(Forecaster(horizon=6), "*", max_trials=30, cv=1, random_state=0, verbose=0).fit(hourly)
    assert [len(frame) for frame in reads] == [
        len(hourly),
        len(hourly) - 3 * 6,
    ]  # all of it, and the part of the trials


def test_what_was_read_gives_what_the_frame_gives(hourly):
    estimator = Forecaster(horizon=6)
    (read,) = estimator.read_once(hourly)
    assert estimator.read_once(read) == (read,)
    assert estimator.data_digest(read) == estimator.data_digest(hourly)
    pd.testing.assert_frame_equal(estimator.holdout_split(read)[0][0], estimator.holdout_split(hourly)[0][0])
    naive = BaselineForecaster("naive", horizon=6)
    pd.testing.assert_frame_equal(naive.fit(read).predict(), clone(naive).fit(hourly).predict())
    assert naive.fit(read).score(read) == naive.fit(hourly).score(hourly)


@pytest.fixture(scope="module")
def texts():
    settings = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16, "steps_per_epoch": 2}
    search = ZooSearchCV(LanguageModel(hyperparameters=settings), "char_lstm", max_trials=1, random_state=0, verbose=0)
    return search.fit(line for line in TEXT.split(". "))  # an iterator, which can be read once


def test_the_winner_s_methods_are_the_search_s(texts, tmp_path):
    winner = texts.best_estimator_
    assert texts.generate("the ", max_tokens=5, random_state=0) == winner.generate("the ", max_tokens=5, random_state=0)
    assert list(texts.stream("the ", max_tokens=3, random_state=0))
    assert texts.evaluate(TEXT) == winner.evaluate(TEXT)
    assert texts.perplexity(TEXT, per="char") == winner.perplexity(TEXT, per="char")
    texts.save(tmp_path / "model")
    assert (tmp_path / "model" / "manifest.json").exists()
    assert not hasattr(texts, "predict")
    assert not hasattr(texts, "sample_paths")
    assert {"generate", "evaluate", "save", "plot"} <= set(dir(texts))


@pytest.mark.parametrize(("estimator", "there", "absent"), [
    (Forecaster(horizon=3), ["predict", "evaluate", "save", "cross_validation", "plot_backtest", "export"], ["generate"]),
    (LanguageModel(), ["generate", "stream", "perplexity", "score_samples", "save"], ["predict", "export", "history_"]),
    (Translator(), ["predict", "evaluate", "plot_alignment", "save"], ["generate", "cross_validation", "_check_params_"]),
])  # fmt: skip
def test_what_a_search_can_do_is_known_before_it_is_fitted(estimator, there, absent):
    search = ZooSearchCV(estimator, max_trials=1)
    assert all(hasattr(search, name) for name in there)
    assert not any(hasattr(search, name) for name in absent)
    for name in there:
        with pytest.raises(NotFittedError, match="this ZooSearchCV is not fitted yet: call fit first"):
            getattr(search, name)("x")
    with pytest.raises(AttributeError, match="'ZooSearchCV' object has no attribute 'nothing'"):
        search.nothing  # noqa: B018


def test_a_baseline_that_won_has_its_own_methods_only(monkeypatch):
    estimator = Forecaster(
        horizon=4, hyperparameters={"epochs": 1, "steps_per_epoch": 1, "units": 1, "learning_rate": 1e-9}
    )
    monkeypatch.setattr(Forecaster, "score", lambda *_: -1e9)
    found = ZooSearchCV(estimator, "gru", max_trials=1, random_state=0, verbose=0).fit(np.arange(60.0))
    assert isinstance(found.best_estimator_, BaselineForecaster)
    assert hasattr(found, "evaluate")
    assert not hasattr(found, "export")


@pytest.mark.usefixtures("without_xla")
def test_where_no_network_has_enough_data_the_best_baseline_is_the_winner(caplog):
    y = 10 + np.arange(24) + np.tile(np.arange(12.0) ** 2, 2)
    found = ZooSearchCV(Forecaster(horizon=12, verbose=0), max_trials=2, random_state=0, verbose=0).fit(y)
    best = found.best_estimator_
    assert all(isinstance(member, BaselineForecaster) for member in getattr(best, "estimators", [best]))
    assert np.isfinite(found.predict()).all()
    assert "no network can be trained on what is left of the data beside the held-out part" in caplog.text
    assert found.leaderboard_["error"].str.contains("12 observations").any()
