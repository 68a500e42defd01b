"""Whole searches by successive halving against a time limit, with networks and a clock that are made up."""

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from lstmzoo.config import load_config, load_portfolio
from lstmzoo.estimators._base import Untrained
from lstmzoo.records import is_network
from lstmzoo.tuning import ZooSearchCV, search
from lstmzoo.values import digest

Y = np.arange(60.0)
STEPS = 90


class Clock:
    """The time, the seconds of a step and of the first step, and when the search is interrupted."""

    now, step, compilation, end = 0.0, 0.2, 3.0, np.inf

    @classmethod
    def spend(cls, seconds):
        cls.now += seconds
        if cls.now > cls.end:
            raise KeyboardInterrupt


class Constant(Untrained, BaseEstimator):
    """A baseline."""

    def fit(self, y):
        return self

    def score(self, y):
        return -9.0


class MadeUpFit:
    """A training of ``STEPS`` steps with a checkpoint, which a time limit shortens as it does in earnest."""

    def __init__(self, estimator, y, checkpoint_dir):
        self._estimator, self._y, self._directory = estimator, y, checkpoint_dir
        self._compiled, self._limit, self.seconds = False, np.inf, 0.0
        self._state = {"steps": 0, "first": 0.0, "trained": 0.0}
        if checkpoint_dir is not None and (checkpoint_dir / "state.json").exists():
            self._state = json.loads((checkpoint_dir / "state.json").read_text())

    @property
    def steps_share(self):
        return self._state["steps"] / STEPS

    @property
    def trained_seconds(self):
        return self._state["trained"]

    def limit(self, seconds):
        self._limit = seconds

    @property
    def _done(self):
        first = self._state["first"]
        return max(self.steps_share, (self.trained_seconds - first) / max(self._limit - first, 1e-9))

    def run(self, until=1.0):
        while self.steps_share < 1 and self._done < until and self.trained_seconds <= self._limit:
            seconds = Clock.step * (1 + len(self._estimator.model) % 3)
            seconds += 0.0 if self._compiled else Clock.compilation
            Clock.spend(seconds)
            self.seconds, self._compiled = self.seconds + seconds, True
            state = self._state
            state.update(steps=state["steps"] + 1, first=state["first"] or seconds, trained=state["trained"] + seconds)
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / "state.json").write_text(json.dumps(self._state))

    def keep(self):
        self._estimator.model_ = self._estimator
        self._estimator.share_, self._estimator.seen_ = self._done, len(self._y)
        self._estimator.history_, self._estimator.num_parameters_ = [], 100


class MadeUpEstimator(BaseEstimator):
    """An estimator whose score is a formula of its settings and of the share of its training that is over."""

    task, newest_held_out, horizon = "forecasting", True, 5

    def __init__(
        self, model="lstm", *, hyperparameters=None, validation_size=None, time_limit=None, random_state=None, verbose=1
    ):
        self.model, self.hyperparameters, self.validation_size = model, hyperparameters, validation_size
        self.time_limit, self.random_state, self.verbose = time_limit, random_state, verbose

    def begin_fit(self, y, networks=None, checkpoint_dir=None):
        return MadeUpFit(self, y, checkpoint_dir)

    def score(self, y):
        Clock.spend(0.2)
        settings = load_config(f"forecasting/{self.model}").override(self.hyperparameters or {}).settings
        return -abs(np.log(settings["learning_rate"] / 1e-2)) / 5 - 0.5 / (0.1 + self.share_)

    def first_seconds(self, y):
        return 3.0

    def get_weights(self):
        return [np.array(self.share_)]

    def set_weights(self, weights):
        self.share_ = float(weights[0])

    def continue_from(self, y):
        self.seen_end_ = len(y)

    def data_digest(self, y):
        return digest(np.asarray(y))

    def read_once(self, y):
        return (y,)

    def rolling_holdout(self, y, windows=None):
        return (y[:-10],), [(y[:-5],), (y,)]

    holdout_split = fit = rolling_holdout

    def baselines(self):
        return {"constant": Constant()}

    def restrict(self, space, y):
        return space

    def refit_clone(self):
        return clone(self)


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    for name, value in {"now": 0.0, "step": 0.2, "compilation": 3.0, "end": np.inf}.items():
        monkeypatch.setattr(Clock, name, value)
    for name in ("monotonic", "perf_counter"):
        monkeypatch.setattr(search.time, name, lambda: Clock.now)
    monkeypatch.setattr(search, "hand_over", lambda estimator: None)


def searched(**params):
    return ZooSearchCV(MadeUpEstimator(), "*", random_state=0, verbose=0, **params).fit(Y)


def trials(found):
    return [(r["model"], r["params"], r["rungs"]) for r in found.records_ if is_network(r)]


@pytest.mark.parametrize("limit", [10, 30, 120, 300])
@pytest.mark.parametrize("step", [0.2, 1.0])
def test_a_search_ends_in_time_and_uses_it(limit, step):
    Clock.step = step
    found = searched(time_limit=limit)
    assert 0.6 * limit <= Clock.now <= 1.05 * limit
    networks = [r for r in found.records_ if is_network(r)]
    assert not any(r["error"] for r in networks)
    if limit > 4 * STEPS * step:
        assert found.best_estimator_.seen_ == len(Y), "the winner was trained again on all data"
        assert found.best_estimator_.share_ == pytest.approx(1)
    if limit > 10 * STEPS * step:
        assert len(found.records_[found.best_index_]["rungs"]) == 3, "and to its end before"
        assert len(networks) > 5


@pytest.mark.parametrize("limit", [60, 300])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_resumed_search_ends_in_time(limit, share, tmp_path):
    Clock.end = share * limit
    with pytest.raises(KeyboardInterrupt):
        searched(time_limit=limit, directory=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "search.jsonl").read_text().splitlines()[1:]]
    spent = max(line["elapsed"] for line in lines)
    Clock.end, began = np.inf, Clock.now
    found = searched(time_limit=limit, directory=tmp_path)
    assert 0.6 * limit <= Clock.now - began + spent <= 1.05 * limit
    assert not any(r["error"] for r in found.records_)
    assert found.best_estimator_.seen_ == len(Y)
    assert found.best_estimator_.share_ == pytest.approx(1)


def test_a_finished_search_begins_nothing_in_the_time_of_its_refit(tmp_path):
    found = searched(time_limit=120, directory=tmp_path)
    again = searched(time_limit=120, directory=tmp_path)
    assert trials(again) == trials(found)
    assert again.best_estimator_.seen_ == len(Y)


def test_an_extended_search_begins_more(tmp_path):
    found = searched(time_limit=10, directory=tmp_path)
    more = searched(time_limit=400, directory=tmp_path)
    assert len(trials(more)) > len(trials(found)) + 5


@pytest.mark.parametrize("number", [3, 12])
def test_a_search_that_is_resumed_after_its_portfolio_tries_what_it_would_have_tried(number, tmp_path, monkeypatch):
    count = len(load_portfolio("forecasting")) + number
    whole = searched(max_trials=count + 5)
    real, begun = MadeUpEstimator.begin_fit, []

    def begin_fit(self, *args, checkpoint_dir=None, **kwargs):
        if checkpoint_dir is not None and not checkpoint_dir.exists():
            begun.append(1)
            if len(begun) == count:
                raise KeyboardInterrupt
        return real(self, *args, checkpoint_dir=checkpoint_dir, **kwargs)

    monkeypatch.setattr(MadeUpEstimator, "begin_fit", begin_fit)
    with pytest.raises(KeyboardInterrupt):
        searched(max_trials=count + 5, directory=tmp_path)
    monkeypatch.setattr(MadeUpEstimator, "begin_fit", real)
    assert trials(searched(max_trials=count + 5, directory=tmp_path)) == trials(whole)
