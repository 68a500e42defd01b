"""How successive halving divides its time, with trials and a clock that are made up."""

import contextlib
import math
from types import SimpleNamespace

import pytest

from lstmzoo.estimators import Networks
from lstmzoo.tuning.halving import RUNGS, Halving
from lstmzoo.tuning.trials import Trial, blank_record

LIMIT = 100.0


class MadeUp:
    """A trial of a network that trains in ``full`` seconds, and scores better by 1 at each rung."""

    def __init__(self, run, number, full, score):
        self.run_, self.full_seconds, self.refit_seconds = run, full, full
        self.score_seconds, self.begin_seconds, self.limited = 0.5, 2.0, math.inf
        self.record = {**blank_record(number, "gru", {}, baseline=False, seed=1), "score": score}
        self.done, self.next = 0.0, score

    def sample(self, until, most):
        raise AssertionError("it takes another step")

    def limit_rest(self, seconds):
        self.limited = seconds
        self.full_seconds = min(self.full_seconds, seconds / (1 - self.done))

    def advance(self, until):
        self.run_.now += self.full_seconds * (until - self.done) + self.score_seconds
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
            journal=SimpleNamespace(records=[made]),
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
    search._set_limit(trial, first=True)
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
    run.now, trial.score_seconds = 98.0, 5.0
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
    run.given_limit, trial.limited, search._start = lambda: own, own, trial.begin_seconds
    if not live:
        search._trials.clear()
    search._refitted(trial.record, 0)
    assert shares == [RUNGS[0]]
    assert limits == ([] if expected is None else pytest.approx([expected])), "the ninth ends in time"


def test_without_time_for_another_step_the_first_one_is_scored(monkeypatch):
    run = MadeUpRun(95.0, -5.0)
    search, trial = Halving(run, None), MadeUp(run, 2, math.inf, -3.0)
    trial.begin_seconds, advanced = 22.0, []
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
