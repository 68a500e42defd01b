"""Successive halving: what is continued, what it costs, and that pauses and shared networks change no bit."""

import itertools

import keras
import numpy as np
import pytest

from lstmzoo import Forecaster, LanguageModel, ZooSearchCV
from lstmzoo.config import Candidate, list_models, load_config, load_portfolio
from lstmzoo.errors import ConfigError
from lstmzoo.estimators import Networks, hand_over
from lstmzoo.training import loop
from lstmzoo.tuning import halving
from lstmzoo.tuning.halving import RUNGS, candidates, next_to_continue
from lstmzoo.tuning.oracles import proposal_key
from lstmzoo.tuning.space import make_space, select_models
from lstmzoo.tuning.trials import blank_record

Y = 10 + np.sin(np.arange(120) * np.pi / 6)
TINY = {"units": 4, "epochs": 6, "steps_per_epoch": 3, "batch_size": 8}


class Rival(Forecaster):
    """A forecaster whose only baseline is easily beaten."""

    def baselines(self):
        return {"naive": super().baselines()["naive"]}


def forecaster(model="segment_gru", **params):
    settings = {"horizon": 6, "hyperparameters": TINY, "random_state": 0, "verbose": 0, **params}
    return Rival(model, **settings)


def record(number, *rungs):
    made = blank_record(number, "gru", {}, baseline=False, seed=1)
    return {**made, "rungs": list(rungs), "score": rungs[-1] if rungs else None}


def weights(estimator):
    return [np.array(w) for w in estimator.model_.get_weights()]


def test_a_third_of_a_rung_is_continued_and_the_highest_rung_first():
    assert next_to_continue([record(1, -3.0), record(2, -1.0)]) is None
    three = [record(1, -3.0), record(2, -1.0), record(3, -2.0)]
    assert next_to_continue(three)["number"] == 2
    three[1]["rungs"].append(-0.5)
    assert next_to_continue(three) is None, "the best third of the first rung was continued"
    higher = [record(n, -float(n), -float(n)) for n in (1, 2, 3)] + [record(n, -9.0) for n in range(4, 13)]
    assert next_to_continue(higher)["number"] == 1, "of the highest rung"


def test_failed_trials_are_not_continued():
    failed = {**record(1, -1.0), "error": "TrainingError: the loss is nan"}
    assert next_to_continue([failed, record(2, -2.0), record(3, -3.0)]) is None


def test_pauses_and_shared_networks_change_no_bit():
    networks = Networks()
    alone = [forecaster(random_state=seed, validation_size=0).fit(Y) for seed in (0, 1)]
    shared = [forecaster(random_state=seed, validation_size=0) for seed in (0, 1)]
    fits = [estimator.begin_fit(Y, networks=networks) for estimator in shared]
    for until in RUNGS:
        for fit, estimator in zip(fits, shared, strict=True):
            fit.run(until)
            fit.keep()
            assert fit.steps_share >= until
            estimator.score(Y)
    for fit, estimator, other in zip(fits, shared, alone, strict=True):
        fit.keep()
        hand_over(estimator)
        assert all(np.array_equal(a, b) for a, b in zip(weights(estimator), weights(other), strict=True))
        np.testing.assert_array_equal(estimator.predict(), other.predict())
    assert shared[0].model_ is shared[1].model_, "it was compiled once"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX always compiles, torch never")
def test_shared_networks_predict_without_xla_until_they_are_handed_over():
    shared, alone = forecaster(), forecaster()
    for estimator, networks in ((shared, Networks()), (alone, None)):
        estimator.begin_fit(Y, networks=networks).keep()
    assert shared.model_.jit_compile is False
    hand_over(shared)
    assert shared.model_.jit_compile == alone.model_.jit_compile


@pytest.mark.usefixtures("without_xla")
def test_networks_of_other_sizes_are_not_shared():
    networks = Networks()
    first, second = forecaster(), forecaster(hyperparameters={**TINY, "units": 5})
    for estimator in (first, second):
        fit = estimator.begin_fit(Y, networks=networks)
        fit.run()
        fit.keep()
    assert first.model_ is not second.model_


@pytest.mark.usefixtures("without_xla")
def test_a_fit_in_parts_resumes_from_its_checkpoint(tmp_path):
    whole = forecaster(validation_size=0).fit(Y)
    first = forecaster(validation_size=0).begin_fit(Y, checkpoint_dir=tmp_path)
    first.run(1 / 3)
    resumed = forecaster(validation_size=0)
    fit = resumed.begin_fit(Y, checkpoint_dir=tmp_path)
    assert fit.steps_share >= 1 / 3
    fit.run()
    fit.keep()
    assert all(np.array_equal(a, b) for a, b in zip(weights(resumed), weights(whole), strict=True))


def test_windows_roll():
    train, windows = forecaster().rolling_holdout(Y)
    lengths = [len(window[0].panel.values) for window in windows]
    assert len(train[0].panel.values) == 120 - 6 * len(windows)
    assert lengths == [108, 114, 120]
    assert len(forecaster().rolling_holdout(Y, windows=2)[1]) == 2
    assert len(forecaster().rolling_holdout(Y[:20])[1]) == 1, "a short series has one window"
    assert len(LanguageModel().rolling_holdout(["some text that is long enough, here and there"] * 9)[1]) == 1


def search(**params):
    settings = {"max_trials": 4, "random_state": 0, "verbose": 0, "oracle": "halving", **params}
    return ZooSearchCV(forecaster(random_state=None), "segment_*", **settings)


@pytest.fixture(scope="module")
def fitted():
    return search().fit(Y)


def test_a_search_trains_its_best_trial_to_the_end_and_again_on_all_data(fitted):
    networks = [r for r in fitted.records_ if not r["baseline"]]
    assert len(networks) == 4
    assert all(0 < r["begin_seconds"] < r["fit_seconds"] < r["seconds"] < r["elapsed"] for r in networks)
    assert sum(r["seconds"] for r in fitted.records_) < max(r["elapsed"] for r in fitted.records_)
    assert all(len(r["window_scores"]) == 3 and r["error"] is None for r in networks)
    assert all(max(r["rungs"]) == pytest.approx(np.mean(r["window_scores"])) for r in networks)
    best = max(networks, key=lambda r: r["score"])
    assert len(best["rungs"]) == len(RUNGS)
    assert any(len(r["rungs"]) == 1 for r in networks), "others were stopped"
    assert fitted.best_estimator_.predict().shape == (6,)
    settings = {**TINY, **best["params"]}
    again = forecaster(best["model"], random_state=best["seed"], validation_size=0, hyperparameters=settings)
    np.testing.assert_array_equal(again.fit(Y).predict(), fitted.predict())
    assert fitted.best_estimator_.model_.jit_compile == again.model_.jit_compile, (
        "the winner predicts as any forecaster"
    )


def test_an_interrupted_search_is_resumed(fitted, tmp_path, monkeypatch):
    real, calls = halving.Halving._begin, itertools.count(1)

    def begin(self, *candidate):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(self, *candidate)

    monkeypatch.setattr(halving.Halving, "_begin", begin)
    with pytest.raises(KeyboardInterrupt):
        search(directory=tmp_path).fit(Y)
    monkeypatch.undo()
    resumed = search(directory=tmp_path).fit(Y)
    told = [[(r["model"], r["params"], r["rungs"]) for r in s.records_] for s in (resumed, fitted)]
    assert told[0] == told[1]
    np.testing.assert_array_equal(resumed.predict(), fitted.predict())


@pytest.mark.usefixtures("without_xla")
def test_without_time_for_a_refit_the_trial_s_own_network_forecasts_from_the_end_of_the_data(monkeypatch):
    real = halving.Halving._begin

    def begin(self, *candidate):
        self.refits = False
        return real(self, *candidate)

    monkeypatch.setattr(halving.Halving, "_begin", begin)
    found = search(max_trials=1).fit(Y)
    assert len(found.best_estimator_.tail_.values) > 0
    frame_end = found.best_estimator_.tail_.times[-1]
    assert frame_end == forecaster(validation_size=0).fit(Y).tail_.times[-1]
    assert np.isfinite(found.predict()).all()


@pytest.mark.usefixtures("without_xla")
def test_a_failing_candidate_is_a_row(monkeypatch):
    portfolio = [Candidate("segment_gru", {}), Candidate("segment_lstm", {})]
    monkeypatch.setattr(halving, "load_portfolio", lambda task: portfolio)
    real = halving.Trial.advance

    def advance(self, until):
        if self.record["model"] == "segment_gru":
            raise FloatingPointError("the score is nan")
        real(self, until)

    monkeypatch.setattr(halving.Trial, "advance", advance)
    found = search(max_trials=2).fit(Y)
    networks = [r for r in found.records_ if not r["baseline"]]
    assert [r["status"] for r in networks] == ["failed", "completed"]
    assert "FloatingPointError" in networks[0]["error"]
    assert found.best_params_["model"] == "segment_lstm"


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize(("models", "level"), [(["segment_gru", "gru"], "WARNING"), (["segment_gru"], "INFO")])
def test_what_was_not_tried_is_told(models, level, monkeypatch, caplog):
    portfolio = [Candidate("segment_gru", {"learning_rate": rate}) for rate in (1e-3, 2e-3)]
    monkeypatch.setattr(halving, "load_portfolio", lambda task: portfolio)
    settings = {"max_trials": 1, "random_state": 0, "verbose": 0, "refit": False, "cv": 1}
    with caplog.at_level("INFO", "lstmzoo.tuning"):
        ZooSearchCV(forecaster(), models, **settings).fit(Y)
    (told,) = [r for r in caplog.records if r.getMessage().startswith("not tried")]
    missing = "1 of 2 models: gru" if "gru" in models else "0 of 1 models"
    assert (told.levelname, told.getMessage()) == (level, f"not tried: 1 settings of the portfolio, and {missing}")


@pytest.mark.usefixtures("without_xla")
def test_the_time_limit_of_the_estimator_bounds_each_trial():
    settings = {**TINY, "epochs": 1000, "steps_per_epoch": 100}
    search_ = ZooSearchCV(
        forecaster(random_state=None, hyperparameters=settings, time_limit=0.5), "segment_gru", max_trials=1,
        random_state=0, verbose=0,
    )  # fmt: skip
    (record,) = [r for r in search_.fit(Y).records_ if not r["baseline"]]
    assert record["error"] is None
    assert record["epochs"] < 100  # of 1000


@pytest.mark.parametrize("task", ["forecasting", "language_modelling", "translation"])
def test_portfolios_name_entries_and_settings(task):
    portfolio = load_portfolio(task)
    assert portfolio
    assert not any(name.split("/")[1].startswith("_") for name in list_models(task=task))
    for model, settings in portfolio:
        load_config(f"{task}/{model}").override(settings)


def test_a_broken_portfolio_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "forecasting"
    folder.mkdir()
    (folder / "_portfolio.yaml").write_text("candidates:\n- {model: gru, hyperparameters: {unit: 3}}\n")
    monkeypatch.setattr("lstmzoo.config.portfolio.config_directories", lambda: [tmp_path])
    with pytest.raises(ConfigError, match=r"_portfolio.yaml, candidate 1: .*did you mean 'units'"):
        load_portfolio("forecasting")


def drawn(space, leaders, tried, count):
    """Candidates that are tried one after the other, after those that were tried already."""
    known = {proposal_key(*candidate) for candidate in tried}
    tried = list(tried)
    for candidate in candidates(space, "forecasting", lambda: leaders(tried), known, 3):
        if proposal_key(*candidate) not in known:
            known.add(proposal_key(*candidate))
            tried.append(candidate)
            if len(tried) == count:
                return tried
    raise AssertionError("the space is exhausted")


def test_candidates_are_the_portfolio_then_variations_of_leaders_and_new_entries():
    estimator = forecaster(hyperparameters={"units": 4})
    space = make_space(
        estimator, select_models("forecasting", ["segment_*", "gru", "lstm"]), {}, estimator.read_once(Y)
    )
    leader = ("gru", {"num_layers": 2})
    made = drawn(space, lambda _: [leader], [], 40)
    portfolio = [c for c in load_portfolio("forecasting") if c.model in space]
    assert [m for m, _ in made[: len(portfolio)]] == [c.model for c in portfolio]
    assert all("units" not in params for _, params in made), "the estimator fixes it"
    rest = made[len(portfolio) :]
    assert ("lstm", space["lstm"].first) in rest
    changed = [
        sum(params[k] != {**space["gru"].first, **leader[1]}[k] for k in space["gru"].ranges)
        for model, params in rest
        if model == "gru"
    ]
    assert changed
    assert min(changed) <= 2, "variations of the leader"


def test_a_resumed_search_draws_the_same_candidates(monkeypatch):
    monkeypatch.setattr(halving, "load_portfolio", lambda task: [Candidate("gru", {}), Candidate("gru", {"units": 64})])
    estimator = forecaster(hyperparameters={})
    few = {"units": [32, 64, 96], "dropout": [0.0, 0.1]}
    few = {key: {"type": "categorical", "values": values} for key, values in few.items()}
    configs = select_models("forecasting", ["gru", "lstm", "simple_rnn"])
    space = make_space(estimator, configs, few, estimator.read_once(Y))
    whole = drawn(space, lambda tried: tried[-2:], [], 30)
    assert {model for model, _ in whole} == {"gru", "lstm", "simple_rnn"}
    for interrupted in (1, 2, 3, 5, 8, 13, 21):
        assert drawn(space, lambda tried: tried[-2:], whole[:interrupted], 30) == whole


@pytest.mark.usefixtures("without_xla")
def test_a_network_that_over_fits_is_kept_as_it_was_at_its_best_rung(monkeypatch):
    scores = iter([-1.0, -0.5, -2.0])
    monkeypatch.setattr(Rival, "score", lambda self, *data: next(scores) if hasattr(self, "model_") else -9.0)
    monkeypatch.setattr(halving, "load_portfolio", lambda task: [Candidate("segment_gru", {})])
    found = search(max_trials=1, cv=1).fit(Y)
    (record,) = [r for r in found.records_ if not r["baseline"]]
    assert (record["rungs"], record["score"]) == ([-1.0, -0.5, -2.0], -0.5)
    settings = {**TINY, **record["params"]}
    fit = (third := forecaster(random_state=record["seed"], validation_size=0, hyperparameters=settings)).begin_fit(Y)
    fit.run(RUNGS[1])
    fit.keep()
    np.testing.assert_array_equal(third.predict(), found.predict())
    assert record["epochs"] == len(record["history"]) == len(third.history_), "the history ends there too"
    assert record["best_epoch"] == third.best_epoch_
    x, y = found.plot().axes[0].collections[0].get_offsets().T
    assert (list(x), list(y)) == (record["rungs_elapsed"], record["rungs"]), "each rung is drawn when it was reached"
    assert list(x) == sorted(x)


@pytest.mark.usefixtures("without_xla")
def test_a_trial_that_diverges_when_it_is_continued_keeps_its_earlier_rung(monkeypatch, tmp_path):
    monkeypatch.setattr(halving, "load_portfolio", lambda task: [Candidate("segment_gru", {})])
    monkeypatch.setattr(halving.Halving, "_refits_now", lambda *_: False)
    real, steps = loop.train_batch, itertools.count(1)

    def diverging(*batch):
        logs = real(*batch)
        return logs if next(steps) <= 3 else {**logs, "loss": np.nan}  # of 18, so many until the first score

    monkeypatch.setattr(loop, "train_batch", diverging)
    options = {"max_trials": 1, "ensemble_size": 1, "directory": tmp_path, "allow_worse_than_baseline": True}
    found = search(**options).fit(Y)
    (record,) = [r for r in found.records_ if not r["baseline"]]
    assert (record["rungs"], record["status"]) == ([record["score"]], "completed")
    assert "TrainingError: the loss of" in record["error"]
    assert found.leaderboard_.loc[0, "error"] == record["error"]
    monkeypatch.setattr(loop, "train_batch", real)
    settings = {**TINY, **record["params"]}
    own = forecaster(random_state=record["seed"], validation_size=0, hyperparameters=settings)
    fit = own.begin_fit(Y[: -6 * found.n_splits_])
    fit.run(3 / 18)
    fit.keep()
    own.continue_from(*own.read_once(Y))
    for restored in (found, search(**options).fit(Y)):
        np.testing.assert_array_equal(restored.predict(), own.predict())
