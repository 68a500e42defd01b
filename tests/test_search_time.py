"""How successive halving divides its time, with trials and a clock that are made up."""

import contextlib
import math
from types import SimpleNamespace

import pytest

from lstmzoo.estimators import Networks
from lstmzoo.records import winning_record
from lstmzoo.tuning.halving import RUNGS, Halving
from lstmzoo.tuning.trials import Trial, blank_record

LIMIT = 100.0


class MadeUp:
    """A trial of a network that trains in ``full`` seconds, and scores better by 1 at each rung."""

    def __init__(self, run, number, full, score):
        self.run_, self.begin_seconds, self.limited, self.done, self.next = run, 2.0, math.inf, 0.0, score
        self.record = {
            **blank_record(number, "gru", {}, baseline=False, seed=1), "score": score, "begin_seconds": 2.0,
            "score_seconds": 0.5, "full_seconds": full, "fit_seconds": 0.0,
        }  # fmt: skip

    full_seconds = Trial.full_seconds

    def sample(self, until, most):
        raise AssertionError("it takes another step")

    def limit_rest(self, seconds):
        self.limited = self.record["limit_seconds"] = seconds
        self.full_seconds = min(self.full_seconds, seconds / (1 - self.done))

    def advance(self, until):
        self.run_.now += self.full_seconds * (until - self.done) + self.record["score_seconds"]
        self.done = until
        self.record["score"] = self.next
        self.record["window_scores"] = [self.next]
        self.record["rungs"].append(self.next)
        self.next += 1


class MadeUpRun(SimpleNamespace):
    """A search of which ``now`` seconds are over."""

    def __init__(self, now, baseline):
        made = {
            **blank_record(1, "naive", {}, baseline=True, seed=None),
            "score": baseline,
            "window_scores": [baseline],
        }
        super().__init__(
            now=now, space={}, task="forecasting", seed=lambda *_: 0, refit=True, ensemble_size=4, time_limit=LIMIT,
            allow_worse_than_baseline=False, estimator=SimpleNamespace(newest_held_out=True, get_params=lambda deep: {}),
            journal=SimpleNamespace(records=[made]), judge=SimpleNamespace(keeps_predictions=False), splits=[()], first_seconds=lambda: 3.0,
        )  # fmt: skip

    def remaining(self):
        return LIMIT - self.now

    @contextlib.contextmanager
    def recorded(self, record):
        yield


def begun(now, full, *, baseline):
    """A search that has begun its first trial, at its first rung."""
    run = MadeUpRun(now, baseline)
    search = Halving(run, None)
    trial = MadeUp(run, 2, full, -3.0)
    search._trials[2] = trial
    search._set_limit(trial)
    trial.advance(RUNGS[0])
    run.journal.records.append(trial.record)
    return run, search, trial


def test_with_time_for_two_trainings_the_winner_is_trained_twice():
    run, search, trial = begun(20.0, 30.0, baseline=-5.0)
    search._finish()
    assert trial.done == 1
    assert trial.limited == math.inf
    assert search._refits_now(trial.record)
    assert run.remaining() >= 30


def test_with_time_for_one_training_it_is_spent_on_all_data():
    run, search, trial = begun(55.0, 30.0, baseline=-5.0)
    search._finish()
    assert trial.done == RUNGS[0]
    assert search._refits_now(trial.record)
    assert run.remaining() >= 30


def test_with_time_for_one_training_a_smaller_network_that_is_as_good_may_win():
    run, search, trial = begun(55.0, 30.0, baseline=-5.0)
    run.journal.records[0]["window_scores"] = [-5.0, -5.0]
    trial.record.update(window_scores=[-3.0, -3.0], num_parameters=20)
    other = {"number": 3, "num_parameters": 10, "score": -3.25, "rungs": [-3.25], "window_scores": [-2.0, -4.5]}
    run.journal.records.append({**trial.record, **other})
    assert winning_record(run.journal.records)["number"] == 3
    search._finish()
    assert trial.done == RUNGS[0]
    assert search._refits_now(run.journal.records[-1])


def test_a_first_rung_that_does_not_beat_the_baseline_is_trained_to_its_end_in_time():
    run, search, trial = begun(75.0, 30.0, baseline=-2.5)
    search._finish()
    assert trial.done == 1
    assert len(trial.record["rungs"]) == 3
    assert not search._refits_now(trial.record)
    assert 0 <= run.remaining() < 3


def test_without_time_for_a_training_its_schedule_is_shortened():
    run, search, trial = begun(88.0, 30.0, baseline=-5.0)
    assert trial.limited < 12
    search._finish()
    assert trial.done == 1
    assert not search._refits_now(trial.record)
    assert 0 <= run.remaining() < 3


def test_without_time_for_scores_the_trial_stays_as_it_is():
    run, search, trial = begun(88.0, 30.0, baseline=-5.0)
    run.now, trial.record["score_seconds"] = 98.0, 5.0
    search._finish()
    assert trial.done == RUNGS[0]
    assert run.now == 98.0


def test_a_refit_of_less_than_half_of_a_training_is_left_out():
    run, search, trial = begun(20.0, 30.0, baseline=-5.0)
    search._finish()
    run.now = 90.0
    assert not search._refits_now(trial.record)


@pytest.mark.parametrize(
    ("now", "own", "expected"), [(80.0, math.inf, 2 + 18 * 9), (80.0, 12.0, 12.0), (-math.inf, math.inf, None)]
)
@pytest.mark.parametrize("live", [True, False])
def test_a_refit_to_an_early_rung_keeps_the_schedule_of_its_trial(now, own, expected, live):
    run, search, trial = begun(20.0, 30.0, baseline=-5.0)
    limits, shares = [], []
    fit = SimpleNamespace(limit=limits.append, run=shares.append, keep=lambda: None)
    run.configured = lambda *_, **__: SimpleNamespace(begin_fit=lambda *_, **__: fit)
    run.data, run.networks, run.now = (), None, now
    trial.record["limit_seconds"] = own if own < math.inf else None
    if not live:
        search._trials.clear()
    search._refitted(trial.record, 0)
    assert shares == [RUNGS[0]]
    assert limits == ([] if expected is None else pytest.approx([expected])), "the ninth ends in time"


@pytest.fixture
def resumed():
    """A search that has tried several networks in an earlier process; 40 seconds of its time are left."""
    run = MadeUpRun(60.0, -5.0)
    for number in range(2, 5):
        trial = MadeUp(run, number, 30.0, -float(number))
        trial.record["rungs"] = [-3.0, -2.0, -1.0][: 5 - number]
        trial.record["score"] = trial.record["rungs"][-1]
        run.journal.records.append(trial.record)
    return run, Halving(run, None)


def test_a_resumed_search_knows_what_its_trials_cost(resumed, monkeypatch):
    run, search = resumed
    best = run.journal.records[1]
    assert search._refit_cost(best) == pytest.approx(1.1 * 30 + 1)
    assert search._cost_of_new() == pytest.approx(2 + 30 / 9)
    assert search._cost(run.journal.records[3]) == pytest.approx(2 + 30 * 2 / 9 + 0.5)
    assert search._affords(1.0)
    assert not search._affords(search._cost_of_new()), "the rest is for the refit"
    assert search._refits_now(best)
    run.now = 95.0
    assert not search._refits_now(best), "a sixth of a training is worse than what there is"


def test_a_trial_of_a_resumed_search_is_not_its_first(resumed, monkeypatch):
    run, search = resumed
    trial = MadeUp(run, 5, 30.0, -9.0)
    trial.record["score"], trial.sample = None, lambda *_: None
    run.new_record, run.trial = lambda *_: trial.record, lambda _: trial
    assert search._begin("gru", {})
    assert not search._early
    assert search.refits
    assert trial.limited == math.inf
    assert trial.done == RUNGS[0]


def test_a_resumed_search_with_time_for_one_training_spends_it_on_all_data(monkeypatch):
    run, _, trial = begun(55.0, 30.0, baseline=-5.0)
    monkeypatch.setattr("lstmzoo.tuning.halving.add_ensemble", None)
    run.elapsed = lambda: run.now
    search = Halving(run, 1)
    search.search()
    assert trial.done == RUNGS[0]
    assert search._early
    assert search._refits_now(trial.record)


def test_a_resumed_training_does_not_count_its_compilation_as_speed(tmp_path, monkeypatch):
    now, fit = [0.0], SimpleNamespace(steps_share=0.25, seconds=0.0, trained_seconds=5.0, limits=[])
    fit.limit = fit.limits.append

    def run(until):
        if until > fit.steps_share:
            now[0] += 8.0 if now[0] == 0 else 0.0  # the first step is compiled
            now[0] += 20.0 * (until - fit.steps_share)
            fit.steps_share = until

    fit.run = run
    monkeypatch.setattr("lstmzoo.tuning.trials.time.perf_counter", lambda: now[0])
    estimator = SimpleNamespace(begin_fit=lambda *_, **__: fit, get_params=lambda deep: {})
    record = {**blank_record(1, "gru", {}, baseline=False, seed=1), "full_seconds": 30.0, "limit_seconds": 60.0}
    fold = SimpleNamespace(train=(), score=lambda _: [0.0])
    trial = Trial(
        record, estimator, [fold], searched=estimator, networks=Networks(), checkpoint_dir=tmp_path, most_seconds=math.inf
    )  # fmt: skip
    assert (trial.full_seconds, trial.limited, fit.limits) == (30.0, 60.0, [60.0]), "as in the earlier process"
    trial.run(0.25)
    trial.run(0.5)
    assert trial.full_seconds == pytest.approx(20.0)
    assert trial.begin_seconds == record["begin_seconds"] == pytest.approx(8.0)


def test_without_time_for_another_step_the_first_one_is_scored(monkeypatch):
    run = MadeUpRun(95.0, -5.0)
    search, trial = Halving(run, None), MadeUp(run, 2, None, -3.0)
    trial.begin_seconds = trial.record["begin_seconds"] = 22.0
    advanced = []
    monkeypatch.setattr(trial, "advance", lambda until: advanced.append(until) or trial.record["rungs"].append(-3.0))
    run.new_record, run.trial = lambda *_: trial.record, lambda _: trial
    run.journal.records.append(trial.record)
    assert search._begin("gru", {})
    search._finish()
    assert [until < 1e-6 for until in advanced] == [True], "it is scored, and not trained"
    assert not search._refits_now(trial.record)
    assert not search._affords(search._cost_of_new())


@pytest.mark.parametrize("seconds", [1.0, 50.0])
def test_a_training_of_one_step_takes_the_seconds_of_that_step(tmp_path, seconds):
    fit = SimpleNamespace(steps_share=0.0, seconds=seconds, trained_seconds=seconds, limit=lambda _: None)

    def run(until):
        fit.steps_share = 1.0

    fit.run = run
    estimator = SimpleNamespace(begin_fit=lambda *_, **__: fit, get_params=lambda deep: {})
    trial = Trial(
        blank_record(1, "gru", {}, baseline=False, seed=1), estimator, [SimpleNamespace(train=(), score=lambda _: [0.0])], searched=estimator,
        networks=Networks(), checkpoint_dir=tmp_path, most_seconds=math.inf,
    )  # fmt: skip
    trial.sample(0.01, 1.0)
    assert trial.full_seconds == seconds
