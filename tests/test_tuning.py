import errno
import json
import logging
import math
import pickle
import subprocess
import sys
import tempfile
import warnings
from contextlib import nullcontext
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from lstmzoo import Forecaster
from lstmzoo.config import IntRange, load_config
from lstmzoo.errors import ConfigError, LstmzooError, UnknownNameError
from lstmzoo.estimators._base import Untrained
from lstmzoo.mlflow import load_model, tracking
from lstmzoo.records import to_json
from lstmzoo.tuning import ZooSearchCV, search
from lstmzoo.tuning.budget import trial_limit
from lstmzoo.tuning.journal import Journal
from lstmzoo.tuning.oracles import ORACLES, ask, make_oracle, tell
from lstmzoo.tuning.progress import Progress
from lstmzoo.tuning.space import declare, decode, encode, make_space, select_models
from lstmzoo.tuning.trials import blank_record
from lstmzoo.values import digest

Y = np.arange(50.0)
MODELS = ["lstm", "gru", "segment_lstm"]


class Constant(Untrained, BaseEstimator):
    """A baseline with a given score."""

    def __init__(self, value=-3.0):
        self.value = value

    def fit(self, y):
        self.seen_ = len(y)
        return self

    def score(self, y):
        return self.value

    def predict(self):
        return self.value


class Fake(BaseEstimator):
    """An estimator that meets the contract of a search, has a formula as score, and can be made to fail."""

    task = "forecasting"
    fits: list = []  # noqa: RUF012
    fail: dict = {}  # noqa: RUF012
    interrupt_at = None

    def __init__(self, model="lstm", *, horizon=5, hyperparameters=None, lookback=None, baseline=-3.0,
                 validation_size=None, time_limit=None, random_state=None, verbose=1):  # fmt: skip
        self.model = model
        self.horizon = horizon
        self.hyperparameters = hyperparameters
        self.lookback = lookback
        self.baseline = baseline
        self.validation_size = validation_size
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    def first_seconds(self, y):
        return 3.0

    def fit(self, y):
        if Fake.interrupt_at == len(Fake.fits):
            raise KeyboardInterrupt
        Fake.fits.append(self)
        if self.model in Fake.fail:
            raise Fake.fail[self.model]
        self.settings_ = load_config(f"forecasting/{self.model}").override(self.hyperparameters or {}).settings
        self.history_ = [{"epoch": i + 1, "loss": 1 / (i + 1)} for i in range(self.settings_["epochs"])]
        self.best_epoch_ = max(1, len(self.history_) // 2)
        self.num_parameters_ = 100
        self.seen_ = len(y)
        return self

    def score(self, y):
        rate = abs(math.log(self.settings_["learning_rate"] / 1e-3))
        return -rate - abs(self.settings_["units"] - 128) / 300 - MODELS.index(self.model) / 5

    def predict(self):
        return self.seen_

    def data_digest(self, y):
        return digest(np.asarray(y))

    def read_once(self, y):
        return (y,)

    def holdout_split(self, y):
        return (y[: -self.horizon],), (y,)

    def baselines(self):
        return {"naive": Constant(self.baseline)}

    def restrict(self, space, y):
        return {k: r for k, r in space.items() if self.lookback is None or k != "lookback_horizons"}

    def refit_clone(self):
        hyperparameters = {**(self.hyperparameters or {}), "epochs": self.best_epoch_}
        return clone(self).set_params(hyperparameters=hyperparameters, validation_size=0, time_limit=None)


@pytest.fixture(autouse=True)
def _fresh(request, monkeypatch, tmp_path_factory):
    Fake.fits, Fake.fail, Fake.interrupt_at = [], {}, None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("tmp")))
    if "real" not in request.node.name:
        monkeypatch.setattr("keras.utils.clear_session", lambda: None)  # collects garbage, for half a second


@pytest.fixture
def clock(monkeypatch):
    """A clock that each fit of a network advances by ``clock.cost`` of its model."""

    class Clock:
        now = 0.0
        cost = dict.fromkeys(MODELS, 10.0)

    real = Fake.fit

    def fit(self, y):
        spent = Clock.cost[self.model]
        Clock.now += spent if self.time_limit is None else min(spent, self.time_limit)
        return real(self, y)

    monkeypatch.setattr(Fake, "fit", fit)
    monkeypatch.setattr(search.time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(search.time, "perf_counter", lambda: Clock.now)
    return Clock


def searcher(estimator=None, models=MODELS, **kwargs):
    kwargs = {"oracle": "random", "max_trials": 8, "random_state": 1, "verbose": 0, **kwargs}
    return ZooSearchCV(Fake() if estimator is None else estimator, models, **kwargs)


def trials(fitted):
    return [(r["model"], r["params"], r["seed"], r["score"]) for r in fitted.records_ if not r["baseline"]]


# the outcome


def test_results_agree_with_each_other():
    fitted = searcher(max_trials=12).fit(Y)
    board, results = fitted.leaderboard_, fitted.cv_results_
    assert list(board.columns) == [
        "rank", "model", "score", "seconds", "parameters", "epochs", "trial", "status", "error",
    ]  # fmt: skip
    assert board["rank"].tolist() == list(range(1, 14))
    assert board["score"].is_monotonic_decreasing
    assert (board["status"] == "baseline").sum() == 1
    assert fitted.best_score_ == board["score"][0] == results["mean_test_score"][fitted.best_index_]
    assert fitted.best_params_ == results["params"][fitted.best_index_]
    assert results["rank_test_score"][fitted.best_index_] == 1
    assert {len(v) for v in results.values()} == {13}
    assert results["param_model"].tolist()[0] == "naive"
    assert np.ma.is_masked(results["param_units"][0])


def test_winner_is_trained_on_all_data_without_validation():
    fitted = searcher().fit(Y)
    assert fitted.best_estimator_.seen_ == len(Y)
    assert {f.seen_ for f in Fake.fits[:-1]} == {len(Y) - 5}
    assert fitted.best_estimator_.validation_size == 0
    assert fitted.best_estimator_.hyperparameters["epochs"] == fitted.records_[fitted.best_index_]["best_epoch"]
    expected = {k: v for k, v in fitted.best_params_.items() if k != "model"}
    assert expected.items() <= fitted.best_estimator_.hyperparameters.items()
    assert fitted.predict() == len(Y)
    assert fitted.score(Y) == fitted.best_score_


def test_refit_keeps_the_progress_bar_that_the_user_asked_for():
    assert searcher(verbose=0).fit(Y).best_estimator_.verbose == 0
    assert searcher(verbose=1).fit(Y).best_estimator_.verbose == 1
    assert all(f.verbose == 0 for f in Fake.fits[:-1] if f.validation_size is None)


def test_without_refit_there_is_no_winner():
    fitted = searcher(refit=False).fit(Y)
    assert len(Fake.fits) == 8
    assert fitted.best_params_["model"] in MODELS
    with pytest.raises(NotFittedError, match="refit=False"):
        fitted.predict()


def test_unfitted():
    with pytest.raises(NotFittedError, match="call fit first"):
        searcher().predict()
    with pytest.raises(NotFittedError, match="call fit first"):
        searcher().plot()


def test_fitting_again_forgets_what_was_learned():
    fitted = searcher().fit(Y)
    fitted.set_params(refit=False).fit(Y)
    with pytest.raises(NotFittedError, match="refit=False"):
        fitted.predict()
    Fake.fail = dict.fromkeys(MODELS, ValueError("no"))
    with pytest.raises(LstmzooError, match="every trial failed"):
        fitted.fit(Y)
    assert fitted.best_params_ == {"model": "naive"}


def test_a_baseline_can_win(caplog):
    fitted = searcher(Fake(baseline=1.0)).fit(Y)
    assert fitted.best_params_ == {"model": "naive"}
    assert isinstance(fitted.best_estimator_, Constant)
    assert fitted.best_estimator_.seen_ == len(Y)
    assert "no network beat the baseline naive" in caplog.text


def test_scikit_learn_manners():
    unfitted = searcher(search_space={"units": None})
    assert clone(unfitted).get_params().keys() == unfitted.get_params().keys()
    assert clone(unfitted).set_params(estimator__horizon=7, max_trials=2).estimator.horizon == 7
    before = repr(unfitted.estimator.get_params())
    fitted = unfitted.fit(Y)
    assert repr(fitted.estimator.get_params()) == before
    again = pickle.loads(pickle.dumps(fitted))
    assert again.best_params_ == fitted.best_params_
    assert again.predict() == fitted.predict()


def test_plot(tmp_path):
    Fake.fail = {"gru": ValueError("no")}
    figure = searcher().fit(Y).plot(tmp_path / "search.png")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["lstm", "segment_lstm", "naive -3", "best so far"]
    assert "failed trials not shown" in figure.axes[0].get_xlabel()
    assert (tmp_path / "search.png").stat().st_size > 1000


# the order of trials


@pytest.mark.parametrize("oracle", ORACLES)
def test_every_architecture_is_tried_first_with_its_own_values(oracle):
    fitted = searcher(oracle=oracle, max_trials=6).fit(Y)
    first = trials(fitted)[:3]
    assert [model for model, *_ in first] == ["lstm", "segment_lstm", "gru"]  # builders take turns
    for model, params, _, _ in first:
        config = load_config(f"forecasting/{model}")
        assert {k: v for k, v in params.items() if k != "epochs"} == {
            k: config.settings[k] for k in config.search_space
        }


@pytest.mark.parametrize("oracle", ORACLES)
def test_nothing_is_trained_twice(oracle):
    space = {"units": {"type": "categorical", "values": [64, 128]}, "learning_rate": None, "dropout": None}
    space |= dict.fromkeys(["num_layers", "lookback_horizons", "residual", "transform", "batch_size"])
    fitted = searcher(Fake(), ["lstm", "gru"], oracle=oracle, max_trials=50, search_space=space).fit(Y)
    keys = [json.dumps((model, params)) for model, params, *_ in trials(fitted)]
    assert len(keys) == len(set(keys))
    plain = {json.dumps((m, p["units"])) for m, p, *_ in trials(fitted)}
    assert len(plain) == 4
    if oracle != "hyperband":
        assert len(keys) == 4


@pytest.mark.parametrize("oracle", ORACLES)
def test_seed_decides_and_neighbouring_seeds_share_nothing(oracle):
    runs = [trials(searcher(random_state=s, oracle=oracle, max_trials=20).fit(Y)) for s in (1, 1, 3, 0, 0)]
    assert runs[0] == runs[1]
    assert runs[3] == runs[4]
    sampled = [{json.dumps(p) for _, p, *_ in run[3:]} for run in runs]
    assert not sampled[0] & sampled[2]
    assert not sampled[0] & sampled[3]
    seeds = [seed for run in (runs[0], runs[2], runs[3]) for *_, seed, _ in run]
    assert len(seeds) == len(set(seeds))
    assert 0 not in seeds


def test_estimators_own_seed_is_kept():
    assert {seed for *_, seed, _ in trials(searcher(Fake(random_state=7)).fit(Y))} == {7}


def test_bayesian_finds_better_than_random():
    space = {"transform": None, "batch_size": None}  # on which the score does not depend
    options = {"max_trials": 25, "search_space": space}
    best = {
        oracle: np.mean([searcher(oracle=oracle, random_state=s, **options).fit(Y).best_score_ for s in range(6)])
        for oracle in ("random", "bayesian")
    }
    assert best["bayesian"] > best["random"]


def test_hyperband_promotes_the_better_half_to_more_epochs():
    fitted = searcher(oracle="hyperband", max_trials=60, search_space={"units": None}).fit(Y)
    epochs = [p["epochs"] for _, p, *_ in trials(fitted)]
    full = load_config("forecasting/lstm").training.epochs
    assert min(epochs) < full / 10
    assert max(epochs) == full
    rounds = pd.DataFrame(
        [{"key": json.dumps((m, {k: v for k, v in p.items() if k != "epochs"})), "epochs": p["epochs"], "score": s}
         for m, p, _, s in trials(fitted)]
    )  # fmt: skip
    promoted = rounds[rounds.duplicated("key", keep=False)]
    assert len(promoted) > 10
    least = rounds[rounds["epochs"] == min(epochs)]
    chosen = least[least["key"].isin(promoted["key"])]
    assert chosen["score"].min() > least["score"].median()
    for _, group in promoted.groupby("key"):
        assert all(a < b for a, b in pairwise(group["epochs"]))


def test_hyperband_promotes_although_many_failed_and_does_not_repeat_failures(monkeypatch):
    monkeypatch.setattr("lstmzoo.tuning.whole._MAX_FAILURES", 60)  # however the draws fall
    Fake.fail = {"gru": ValueError("no"), "segment_lstm": ValueError("no")}
    fitted = searcher(oracle="hyperband", max_trials=60).fit(Y)
    assert (
        max(p["epochs"] for m, p, *_ in trials(fitted) if m == "lstm")
        == load_config("forecasting/lstm").training.epochs
    )
    failed = [
        json.dumps((m, {k: v for k, v in p.items() if k != "epochs"})) for m, p, _, s in trials(fitted) if s is None
    ]
    assert len(failed) == len(set(failed))


@pytest.mark.parametrize("kind", ORACLES)
def test_oracles_warn_of_nothing_and_print_nothing(kind, capsys):
    space = make_space(Fake(), select_models("forecasting", MODELS), {}, (Y,))
    oracle = make_oracle(kind, declare(space), first=[], seed=5, max_epochs=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(40):
            suggestion = ask(oracle)
            tell(oracle, suggestion, None if i % 7 == 0 else float(-(i % 5)))
    assert capsys.readouterr() == ("", "")


# failures


def test_a_failed_trial_is_a_row():
    Fake.fail = {"gru": ValueError("too [short]\nby far")}
    fitted = searcher().fit(Y)
    failed = fitted.leaderboard_[fitted.leaderboard_["status"] == "failed"]
    assert set(failed["model"]) == {"gru"}
    assert failed["score"].isna().all()
    assert failed["rank"].isna().all()
    assert failed["error"].iloc[0] == "ValueError: too [short]\nby far"
    record = next(r for r in fitted.records_ if r["status"] == "failed")
    assert "raise Fake.fail[self.model]" in record["traceback"]
    assert np.isnan(fitted.cv_results_["mean_test_score"][record["number"] - 1])


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_fails_the_trial(monkeypatch, score):
    real = Fake.score
    monkeypatch.setattr(Fake, "score", lambda self, y: score if self.model == "lstm" else real(self, y))
    fitted = searcher().fit(Y)
    assert {r["status"] for r in fitted.records_ if r["model"] == "lstm"} == {"failed"}
    assert fitted.best_params_["model"] != "lstm"


def test_all_trials_failing_is_one_clear_error():
    Fake.fail = dict.fromkeys(MODELS, MemoryError("no room"))
    unfitted = searcher(max_trials=1000)
    with pytest.raises(LstmzooError, match=r"every trial failed \(10 of them\); the first, lstm: MemoryError: no room"):
        unfitted.fit(Y)
    assert len(unfitted.leaderboard_) == 11


def test_failures_in_a_row_end_a_search():
    Fake.fail = {"gru": ValueError("no"), "segment_lstm": ValueError("no")}
    fitted = searcher(Fake(), ["lstm", "gru"], max_trials=10_000, search_space=dict.fromkeys(
        ["units", "learning_rate", "num_layers", "dropout", "lookback_horizons", "residual", "transform", "batch_size"]
    )).fit(Y)  # fmt: skip
    assert len(trials(fitted)) == 2


def test_a_failing_baseline_is_a_row(monkeypatch):
    monkeypatch.setattr(Constant, "fit", lambda self, y: 1 / 0)
    fitted = searcher().fit(Y)
    board = fitted.leaderboard_.set_index("model")
    assert board.loc["naive", "status"] == "failed"
    assert "ZeroDivisionError" in board.loc["naive", "error"]


# interrupting and resuming


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("k", [0, 2, 13])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path, caplog, oracle, k):
    whole = searcher(oracle=oracle, max_trials=16).fit(Y)
    Fake.fits = []
    Fake.interrupt_at = k
    unfitted = searcher(oracle=oracle, max_trials=16, directory=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(Y)
    assert str(tmp_path) in caplog.text
    assert len(unfitted.leaderboard_) == k + 1
    Fake.interrupt_at = None
    resumed = searcher(oracle=oracle, max_trials=16, directory=tmp_path).fit(Y)
    assert trials(resumed) == trials(whole)
    assert len(Fake.fits) == 16 + 1
    assert resumed.best_estimator_.get_params() == whole.best_estimator_.get_params()


def test_a_temporary_directory_is_kept_as_long_as_it_is_of_use():
    fitted = searcher().fit(Y)
    assert fitted.directory_ is None
    assert not list(Path(tempfile.gettempdir()).iterdir())
    Fake.interrupt_at = len(Fake.fits) + 2
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(Y)
    Fake.interrupt_at = None
    assert len(searcher(directory=fitted.directory_).fit(Y).records_) == 9


def test_an_interrupted_refit_costs_only_the_refit(tmp_path):
    Fake.interrupt_at = 8
    with pytest.raises(KeyboardInterrupt):
        searcher(directory=tmp_path).fit(Y)
    Fake.interrupt_at = None
    searcher(directory=tmp_path).fit(Y)
    assert len(Fake.fits) == 9


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_finished_search_can_be_extended(tmp_path, oracle):
    searcher(oracle=oracle, max_trials=4, directory=tmp_path).fit(Y)
    extended = searcher(oracle=oracle, max_trials=16, directory=tmp_path).fit(Y)
    assert trials(extended) == trials(searcher(oracle=oracle, max_trials=16).fit(Y))


def test_a_search_without_a_seed_goes_on_with_the_one_it_drew(tmp_path):
    first = trials(searcher(random_state=None, max_trials=4, directory=tmp_path).fit(Y))
    assert trials(searcher(random_state=None, max_trials=8, directory=tmp_path).fit(Y))[:4] == first
    assert len(Fake.fits) == 4 + 1 + 4 + 1
    assert trials(searcher(random_state=None, max_trials=4).fit(Y))[3] != first[3]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"estimator": Fake(horizon=6)}, r"estimator.horizon \(5 there, 6 here\)"),
        ({"models": ["lstm"]}, "models"),
        ({"oracle": "bayesian"}, r'oracle \("random" there, "bayesian" here\)'),
        ({"random_state": 2}, r"random_state \(1 there, 2 here\)"),
        ({"search_space": {"units": {"type": "int", "min": 1, "max": 128}}}, "lstm.units"),
        ({"data": Y + 1}, "data"),
    ],
)
def test_the_journal_of_another_search_is_refused(tmp_path, change, named):
    searcher(directory=tmp_path, max_trials=3).fit(Y)
    before = (tmp_path / "search.jsonl").read_bytes()
    change = dict(change)
    data = change.pop("data", Y)
    with pytest.raises(ConfigError, match=named):
        searcher(directory=tmp_path, **change).fit(data)
    assert (tmp_path / "search.jsonl").read_bytes() == before


def test_verbosity_and_budget_do_not_make_another_search(tmp_path):
    searcher(directory=tmp_path, max_trials=3).fit(Y)
    searcher(Fake(verbose=0), directory=tmp_path, max_trials=4, time_limit=1000, verbose=1, refit=False).fit(Y)


@pytest.mark.parametrize("text", ["", "{}\n", "null\n", '{"format": 1', "\x00\x01"])
def test_a_damaged_journal_is_refused(tmp_path, text):
    (tmp_path / "search.jsonl").write_text(text)
    with pytest.raises(LstmzooError, match=r"search.jsonl, line 1: not the journal of a search"):
        searcher(directory=tmp_path).fit(Y)


def test_a_damaged_line_and_a_newer_format_are_named(tmp_path):
    searcher(directory=tmp_path, max_trials=3).fit(Y)
    path = tmp_path / "search.jsonl"
    text = path.read_text()
    path.write_text(text[:-20])
    with pytest.raises(LstmzooError, match=r"line 5: not the journal"):
        searcher(directory=tmp_path).fit(Y)
    path.write_text(text.replace('"format": 4', '"format": 5'))
    with pytest.raises(LstmzooError, match="format 5"):
        searcher(directory=tmp_path).fit(Y)
    path.write_text(text.replace('"format": 4', '"format": 2').replace('"members": {}, ', ""))
    with pytest.raises(
        LstmzooError, match="format 2, and this version of lstmzoo reads format 4: give another directory"
    ):
        searcher(directory=tmp_path).fit(Y)


def test_another_version_of_the_package_is_another_search(tmp_path, monkeypatch):
    searcher(directory=tmp_path).fit(Y)
    monkeypatch.setattr("lstmzoo.tuning.space.version", lambda name: "9.9")
    with pytest.raises(ConfigError, match=r'lstmzoo \(".*" there, "9.9" here\)'):
        searcher(directory=tmp_path).fit(Y)


def test_the_journal_is_complete_after_every_trial_and_leaves_no_other_file(tmp_path, monkeypatch):
    counts = []
    real = Fake.fit

    def fit(self, y):
        counts.append(len((tmp_path / "search.jsonl").read_text().splitlines()))
        return real(self, y)

    monkeypatch.setattr(Fake, "fit", fit)
    searcher(directory=tmp_path, refit=False).fit(Y)
    assert counts == list(range(2, 10))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "search.jsonl"]


# time


def test_a_search_ends_in_time_refit_included(clock):
    clock.cost = {"lstm": 20.0, "gru": 30.0, "segment_lstm": 1000.0}
    fitted = searcher(max_trials=None, time_limit=400).fit(Y)
    assert clock.now <= 400
    assert clock.now > 300
    limits = [f.time_limit for f in Fake.fits]
    assert limits[0] == pytest.approx(400 / (3 + 1.3))
    assert all(f.time_limit is not None for f in Fake.fits)
    assert {r["model"] for r in fitted.records_} == {"naive", *MODELS}


def test_time_spent_before_an_interruption_counts(clock, tmp_path):
    Fake.interrupt_at = 5
    with pytest.raises(KeyboardInterrupt):
        searcher(max_trials=None, time_limit=200, directory=tmp_path).fit(Y)
    Fake.interrupt_at = None
    clock.now = 5000.0
    searcher(max_trials=None, time_limit=200, directory=tmp_path).fit(Y)
    assert 5100 < clock.now <= 5000 + 200 - 50


def test_the_shorter_of_the_users_and_the_searchs_limit_holds(clock):
    searcher(Fake(time_limit=3.0), time_limit=400, max_trials=3, refit=False).fit(Y)
    assert [f.time_limit for f in Fake.fits] == [3.0, 3.0, 3.0]
    searcher(Fake(time_limit=3.0), max_trials=3, refit=False).fit(Y)
    assert [f.time_limit for f in Fake.fits] == [3.0] * 6


@pytest.mark.parametrize(
    ("time_limit", "kept"), [(20, ["naive"]), (75, ["naive", "drift"]), (300, ["naive", "drift", "mean"])]
)
def test_baselines_that_do_not_fit_into_their_share_of_the_time_are_left_out(
    clock, monkeypatch, caplog, time_limit, kept
):
    def fit(self, y):
        clock.now += 10
        return self

    names = ["naive", "drift", "mean"]
    monkeypatch.setattr(Constant, "fit", fit)
    monkeypatch.setattr(Fake, "baselines", lambda self: {name: Constant() for name in names})
    with caplog.at_level("INFO", "lstmzoo.tuning"):
        found = searcher(time_limit=time_limit, refit=False).fit(Y)
    assert [r["model"] for r in found.records_ if r["baseline"]] == kept
    left_out = ", ".join(names[len(kept) :])
    assert (f"no time for the baselines {left_out}" in caplog.text) == bool(left_out)


def test_the_time_limit_covers_what_mlflow_takes_in_the_end(clock, monkeypatch):
    def track(self, run, status):
        clock.now += 7

    monkeypatch.setattr(ZooSearchCV, "_track", track)
    clock.cost = dict.fromkeys(MODELS, 1000.0)
    found = searcher(max_trials=2, time_limit=200).fit(Y)
    assert found.refit_time_ > 0
    assert clock.now <= 200


def test_no_time_for_a_single_network(clock, monkeypatch, caplog):
    def fit(self, y):
        clock.now += 100
        return self

    monkeypatch.setattr(Constant, "fit", fit)
    found = searcher(max_trials=None, time_limit=50).fit(Y)
    assert isinstance(found.best_estimator_, Constant)
    assert "time_limit is too short for a single network: the best baseline is the winner" in caplog.text
    monkeypatch.setattr(Constant, "score", lambda self, y: math.nan)
    with pytest.raises(LstmzooError, match="time_limit is too short for a single trial"):
        searcher(max_trials=None, time_limit=50).fit(Y)


def test_trial_limits():
    def done(*seconds):
        records = [blank_record(i, "lstm", {}, baseline=False, seed=1) for i, _ in enumerate(seconds)]
        for record, spent in zip(records, seconds, strict=True):
            record.update(score=-1.0, seconds=spent)
        return records

    assert trial_limit([], 230, refit=True, planned=1) == pytest.approx(100)
    assert trial_limit(done(10, 10), 113, refit=True, planned=10) == 10  # a tenth of what the refit leaves
    assert (
        trial_limit(done(10, 10), 63, refit=True, planned=None) == 20
    )  # twice the usual, which is more than a quarter
    assert trial_limit(done(10), 413, refit=True, planned=None) == 100  # a quarter of what the refit leaves
    assert trial_limit(done(10), 17, refit=True, planned=1) is None
    assert trial_limit(done(10), 17, refit=False, planned=1) == 17
    assert trial_limit([], 3, refit=False, planned=10) == 3


# the space


def test_models_by_name_pattern_and_task():
    names = [c.name for c in select_models("forecasting", ["forecasting/*lstm", "gru"])]
    assert names[:2] == ["forecasting/segment_lstm", "forecasting/seq2seq_lstm"], "quick ones first, each of a builder"
    every = select_models("forecasting", "*")
    quick = ["quick" in c.tags for c in every]
    assert quick == sorted(quick, reverse=True)
    builders = [c.builder for c in every if "quick" in c.tags]
    assert len(set(builders[: len(set(builders))])) == len(set(builders))
    assert len(names) == len(set(names))
    with pytest.raises(UnknownNameError, match=r"lstn.*valid:.*forecasting/lstm"):
        searcher(models="lstn").fit(Y)
    with pytest.raises(ConfigError, match="models is empty"):
        searcher(models=[]).fit(Y)


def test_models_of_another_task_are_refused():
    class Reader(Fake):
        task = "translation"

    with pytest.raises(ConfigError, match="forecasting/gru is of the task forecasting: name entries of translation"):
        searcher(Reader(), "forecasting/gru").fit(Y)


def test_fewer_trials_than_models(caplog):
    assert [m for m, *_ in trials(searcher(max_trials=2).fit(Y))] == ["lstm", "segment_lstm"]
    assert "some are never tried" in caplog.text


def test_values_survive_keras_tuners_terms():
    overrides = {
        "dropout": {"type": "float", "min": 0.0, "max": 0.5, "step": 0.1},
        "clipnorm": {"type": "categorical", "values": [None, 1.0, 0.5]},
        "calendar": {"type": "categorical", "values": [False, True]},
        "batch_size": {"type": "int", "min": 8, "max": 512, "sampling": "log"},
        "units": {"type": "int", "min": 10, "max": 99, "step": 20},
    }
    space = make_space(Fake(), select_models("forecasting", "lstm"), overrides, (Y,))
    oracle = make_oracle("random", declare(space), first=[], seed=3, max_epochs=30)
    drawn: dict = {}
    for _ in range(300):
        suggestion = ask(oracle)
        model, params = decode(space, suggestion.values)
        assert encode(space, model, params).keys() == suggestion.values.keys()
        load_config("forecasting/lstm").override(params)
        for key, value in params.items():
            drawn.setdefault(key, set()).add(value)
        tell(oracle, suggestion, 0.0)
    assert drawn["dropout"] == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}
    assert drawn["clipnorm"] == {None, 1.0, 0.5}
    assert drawn["calendar"] == {False, True}
    assert {type(v) for v in drawn["calendar"]} == {bool}
    assert drawn["units"] == {10, 30, 50, 70, 90}
    assert 8 <= min(drawn["batch_size"]) < 16 < 256 < max(drawn["batch_size"]) <= 512


def test_the_first_trial_lies_within_the_ranges_asked_for():
    ranges = {
        "units": {"type": "int", "min": 8, "max": 16},
        "dropout": None,
        "epochs": IntRange(type="int", min=1, max=3),
    }
    run = trials(searcher(max_trials=9, search_space=ranges).fit(Y))
    assert run[0][1]["units"] == 16
    assert all(8 <= p["units"] <= 16 and 1 <= p["epochs"] <= 3 and "dropout" not in p for _, p, *_ in run)


def test_a_default_between_the_steps_is_tried_as_it_is():
    ranges = {"units": {"type": "int", "min": 10, "max": 250, "step": 20}}
    run = trials(searcher(max_trials=3, search_space=ranges).fit(Y))
    assert run[0][1]["units"] == load_config("forecasting/lstm").hyperparameters["units"] == 64


def test_the_estimators_own_hyperparameters_are_not_searched():
    run = searcher(Fake(hyperparameters={"units": 32, "epochs": 2})).fit(Y)
    assert all("units" not in p for _, p, *_ in trials(run))
    assert all(f.settings_["units"] == 32 for f in Fake.fits)
    assert run.best_estimator_.hyperparameters["units"] == 32


def test_a_range_may_be_given_to_what_the_estimator_fixes():
    ranges = {"units": {"type": "categorical", "values": [32, 48]}}
    run = trials(searcher(Fake(hyperparameters={"units": 48}), search_space=ranges).fit(Y))
    assert run[0][1]["units"] == 48
    assert {p["units"] for _, p, *_ in run} == {32, 48}


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"max_trials": None}, ConfigError, "give max_trials, time_limit, or both"),
        ({"max_trials": 0}, ConfigError, "max_trials: .*greater than 0, got 0"),
        ({"max_trials": 2.5}, ConfigError, "max_trials: .*integer, got 2.5"),
        ({"max_trials": "5"}, ConfigError, "max_trials: .*integer"),
        ({"refit": "yes"}, ConfigError, "refit"),
        ({"verbose": "loud"}, ConfigError, "verbose"),
        ({"time_limit": math.inf}, ConfigError, "time_limit: .*finite"),
        ({"time_limit": math.nan}, ConfigError, "time_limit"),
        ({"models": 3}, ConfigError, "models"),
        ({"time_limit": -1}, ConfigError, "time_limit: .*greater than 0"),
        ({"oracle": "grid"}, UnknownNameError, "unknown oracle 'grid'; valid: bayesian, halving, hyperband, random"),
        ({"random_state": -1}, ConfigError, "random_state"),
        ({"estimator": Constant()}, ConfigError, "Constant lacks data_digest, holdout_split, baselines, restrict"),
        ({"estimator": Fake(hyperparameters={"unit": 3})}, ConfigError, "did you mean 'units'"),
        (
            {"search_space": {"unit": None}},
            UnknownNameError,
            "unknown key in search_space: 'unit' .did you mean 'units'.*; valid: .*units",
        ),
        ({"search_space": {"units": {"type": "int", "min": 3}}}, ConfigError, "search_space: units.*max"),
        (
            {"search_space": {"units": {"type": "int", "min": 3, "max": 3}}},
            ConfigError,
            "min 3 must be below max 3",
        ),
        ({"search_space": {"units": 64}}, ConfigError, "search_space: units"),
        (
            {"search_space": {"units": {"type": "categorical", "values": ["a"]}}},
            ConfigError,
            "units must be int",
        ),
        (
            {
                "estimator": Fake(lookback=9),
                "search_space": {"lookback_horizons": {"type": "int", "min": 2, "max": 4}},
            },
            ConfigError,
            "'lookback_horizons' has no effect",
        ),
    ],
)
def test_wrong_parameters_are_named_before_anything_is_trained(kwargs, error, message):
    with pytest.raises(error, match=message):
        searcher(**kwargs).fit(Y)
    assert not Fake.fits


# small things


def test_lines_where_there_is_no_terminal(capsys):
    Fake.fail = {"gru": ValueError("no [bold]way")}
    searcher(verbose=1, max_trials=3, time_limit=1000).fit(Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "trial 1  naive  -3  0.0 s  (0 of 3 networks, 0:00 of 16:40)  best so far"
    assert lines[1].startswith("trial 2  lstm  -")
    assert "(1 of 3 networks, 0:00 of 16:40)  best so far" in lines[1]
    assert "ValueError: no [bold]way" in lines[3]


def test_live_table_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    Fake.fail = {"gru": ValueError("no [bold]way")}
    searcher(verbose=1, max_trials=30, time_limit=1000).fit(Y)
    out = capsys.readouterr().out
    assert "best" in out
    assert "30 of 30 networks" in out
    assert "of 16:40" in out


def test_a_trial_that_is_continued_keeps_its_row():
    first, second = (blank_record(n, "gru", {}, baseline=False, seed=1) for n in (1, 2))
    first.update(score=-1.5, seconds=4.0)
    second.update(score=-2.5, seconds=3.0)
    progress = Progress(lambda: 10.0, None, None, [first, second])
    progress.begin(first)
    rows = list(zip(*(column.cells for column in progress.__rich__().columns), strict=True))
    assert rows == [("2", "gru", "-2.5", "3.0", ""), ("1", "gru", "-1.5", "4", "training")]


def test_silence(capsys):
    searcher().fit(Y)
    assert capsys.readouterr() == ("", "")


def test_json():
    assert to_json([np.arange(2), {1: (np.bool_(True), math.inf)}, Fake]) == [
        [0, 1],
        {"1": [True, None]},
        repr(Fake),
    ]


def test_a_search_lets_go_of_its_directory(tmp_path):
    Fake.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        searcher(directory=tmp_path).fit(Y)
    Fake.interrupt_at = None
    for other in (2, 1):
        unfitted = searcher(directory=tmp_path, random_state=other)
        with pytest.raises(ConfigError, match="random_state") if other == 2 else nullcontext():
            unfitted.fit(Y)


def test_a_directory_is_let_go_of_by_a_process_that_dies(tmp_path):
    code = "import os, sys; from lstmzoo.tuning.journal import Journal; j = Journal(sys.argv[1], {}, 1); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    Journal(tmp_path, {}, 1).close()


def test_a_file_system_without_locks_is_only_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", fail)
    Journal(tmp_path, {}, 1).close()
    assert "cannot be locked (No locks available)" in caplog.text


def test_a_directory_is_one_search_s_at_a_time(tmp_path):
    journal = Journal(tmp_path, {}, 1)
    with pytest.raises(ConfigError, match="is in use by another search"):
        Journal(tmp_path, {}, 1)
    journal.close()
    Journal(tmp_path, {}, 1).close()


def test_interrupted_searches_say_where_they_are(caplog):
    Fake.interrupt_at = 1
    unfitted = searcher()
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        unfitted.fit(Y)
    assert str(unfitted.directory_) in caplog.text


# with networks


def test_a_real_session_is_cleared_without_the_dtype_policy():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        searcher(max_trials=1).fit(Y)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_a_real_session_is_cleared_without_the_distribution(monkeypatch):
    distribution = object()
    keras.distribution.set_distribution(distribution)
    try:
        searcher(max_trials=1).fit(Y)
        assert keras.distribution.distribution() is distribution
    finally:
        keras.distribution.set_distribution(None)


def test_a_range_that_the_data_leave_nothing_of_is_refused():
    ranges = {"residual": {"type": "categorical", "values": ["long_seasonal_naive"]}}
    forecaster = Forecaster(horizon=4, season_length=[2, 1000], hyperparameters={"epochs": 1})
    with pytest.raises(ConfigError, match="'residual' has no effect with these data"):
        searcher(forecaster, "gru", search_space=ranges).fit(np.random.default_rng(0).normal(size=60))


def test_a_real_search(hourly, caplog):
    forecaster = Forecaster(horizon=6, lookback=24, hyperparameters={"epochs": 2, "steps_per_epoch": 5})
    outside = clone(forecaster).set_params(model="gru", verbose=0).fit(hourly)
    before = outside.predict()
    ranges = {"units": {"type": "int", "min": 4, "max": 8}}
    fitted = ZooSearchCV(
        forecaster,
        ["gru", "segment_lstm"],
        oracle="random",
        max_trials=3,
        time_limit=300,
        search_space=ranges,
        random_state=0,
        verbose=0,
    ).fit(hourly)
    board = fitted.leaderboard_
    assert (board["status"] == "completed").sum() == 3
    assert (board["status"] == "baseline").sum() == len(forecaster.baselines())
    assert not board["error"].any()
    assert board["parameters"].min() == 0
    networks = [r for r in fitted.records_ if not r["baseline"]]
    assert all(r["refit"]["validation_size"] == 0 for r in networks)
    assert all(r["refit"]["hyperparameters"]["epochs"] == r["best_epoch"] for r in networks)
    assert all("lookback_horizons" not in r["params"] for r in networks)
    assert fitted.predict(horizon=3).shape == (9, 3)
    assert math.isfinite(fitted.score(hourly))
    pd.testing.assert_frame_equal(outside.predict(), before)


def test_real_searches_are_repeatable_and_resumed(hourly, tmp_path):
    forecaster = Forecaster(horizon=6, lookback=12, hyperparameters={"epochs": 1, "steps_per_epoch": 2, "units": 4})
    options = {"oracle": "random", "max_trials": 2, "random_state": 3, "verbose": 0, "refit": False}
    whole = ZooSearchCV(forecaster, "gru", **options).fit(hourly)
    ZooSearchCV(forecaster, "gru", directory=tmp_path, **{**options, "max_trials": 1}).fit(hourly)
    resumed = ZooSearchCV(forecaster, "gru", directory=tmp_path, **options).fit(hourly)
    assert trials(resumed) == trials(whole)
    with pytest.raises(ConfigError, match="data"):
        ZooSearchCV(forecaster, "gru", directory=tmp_path, **options).fit(hourly.assign(y=hourly["y"] + 1))


def test_a_real_search_in_mlflow(hourly, tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    forecaster = Forecaster(horizon=6, lookback=12, hyperparameters={"epochs": 1, "steps_per_epoch": 2, "units": 4})
    fitted = ZooSearchCV(
        forecaster, "gru", max_trials=1, random_state=3, verbose=0, directory=tmp_path / "search",
        experiment="a search", tracking_uri=uri, registered_model_name="load",
    ).fit(hourly)  # fmt: skip
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("a search")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1 + len(fitted.records_)
    parent = client.get_run(fitted.mlflow_run_id_)
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["data_digest"] for run in runs} == {fitted.best_estimator_.data_digest_}
    assert load_model(fitted.model_uri_, tracking_uri=uri).data_digest_ == fitted.best_estimator_.data_digest_
    for run in runs:
        if run.data.tags["lstmzoo.trial"] != "search":
            started = fitted.records_[int(run.data.tags["lstmzoo.trial"]) - 1]["started"]
            assert run.info.start_time == 1000 * datetime.fromisoformat(started).timestamp()
    assert parent.data.metrics["best_score"] == pytest.approx(fitted.best_score_)
    assert fitted.model_uri_ == "models:/load/1"


@pytest.mark.parametrize(("ending", "status"), [
    ("every trial fails", "FAILED"), ("the refit fails", "FAILED"), ("Ctrl-C", "KILLED"), (None, "FINISHED"),
])  # fmt: skip
def test_a_search_that_has_ended_is_not_running_in_mlflow(ending, status, tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    unfitted = searcher(Fake(), max_trials=2, tracking_uri=uri, refit=ending == "the refit fails")
    if ending == "every trial fails":
        Fake.fail = dict.fromkeys(MODELS, ValueError("no"))
    elif ending == "the refit fails":
        monkeypatch.setattr(ZooSearchCV, "_refit", lambda *_: 1 / 0)
    elif ending == "Ctrl-C":
        Fake.interrupt_at = 1
    with pytest.raises((LstmzooError, ZeroDivisionError, KeyboardInterrupt)) if ending else nullcontext():
        unfitted.fit(Y)
    assert MlflowClient(uri).get_run(unfitted.mlflow_run_id_).info.status == status


def test_mlflow_being_away_does_not_stop_a_search_and_is_not_asked_again_at_once(monkeypatch, caplog):
    calls = []
    away = tracking.MlflowClient.get_experiment_by_name
    monkeypatch.setattr(
        tracking.MlflowClient, "get_experiment_by_name", lambda *args: calls.append(args) or away(*args)
    )
    fitted = searcher(max_trials=4, tracking_uri="http://127.0.0.1:9", refit=False).fit(Y)
    assert len(trials(fitted)) == 4
    assert fitted.mlflow_run_id_ is None
    assert "MLflow at http://127.0.0.1:9 failed" in caplog.text
    assert len(calls) == 2


def test_the_order_in_which_ranges_are_written_changes_no_proposal():
    ranges = {key: {"type": "int", "min": 4, "max": 64} for key in ("epochs", "batch_size", "patience")}

    def proposed(overrides):
        space = make_space(Fake(), select_models("forecasting", "lstm"), overrides, (Y,))
        return ask(make_oracle("random", declare(space), first=[], seed=3, max_epochs=30)).values

    assert proposed(ranges) == proposed(dict(reversed(ranges.items())))
