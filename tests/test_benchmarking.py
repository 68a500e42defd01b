"""``lstmzoo.benchmark``: each entry once, and the baselines."""

import numpy as np
import pytest
from sklearn.base import clone

import lstmzoo
from lstmzoo import Forecaster, benchmark
from lstmzoo.errors import ConfigError, LstmzooError, UnknownNameError

Y = 10 + np.sin(np.arange(120) * np.pi / 6)


@pytest.fixture(scope="module")
def tiny():
    return Forecaster(horizon=6, hyperparameters={"epochs": 1, "units": 4}, random_state=0, verbose=0)


def test_a_row_for_each_entry_and_baseline(eagerly, tiny, capsys):
    table = benchmark(tiny, Y, models=["segment_gru", "forecasting/gru"], time_limit=5)
    assert list(table) == ["model", "baseline", "score", "seconds", "parameters", "error"]
    assert set(table["model"][~table["baseline"]]) == {"forecasting/segment_gru", "forecasting/gru"}
    assert set(table["model"][table["baseline"]]) == set(tiny.baselines())
    assert (table["score"].diff().dropna() <= 0).all()
    assert table["error"].isna().all()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table)
    train, valid = tiny.holdout_split(Y)
    alone = Forecaster("gru", horizon=6, hyperparameters={"epochs": 1, "units": 4}, random_state=0, verbose=0).fit(
        *train
    )
    assert table.set_index("model").loc["forecasting/gru", "score"] == pytest.approx(alone.score(*valid))
    assert tiny.get_params()["model"] == Forecaster(horizon=6).model


def test_an_entry_that_fails_is_the_last_row(eagerly, tiny, monkeypatch):
    fit = Forecaster.fit

    def failing(self, y):
        if self.model.endswith("/gru"):
            raise RuntimeError("out of memory")
        return fit(self, y)

    monkeypatch.setattr(Forecaster, "fit", failing)
    table = benchmark(tiny, Y, models=["gru", "segment_gru"], verbose=0)
    last = table.iloc[-1]
    assert (last["model"], last["error"]) == ("forecasting/gru", "RuntimeError: out of memory")
    assert np.isnan(last["score"])
    assert table["error"].notna().sum() == 1


def test_unknown_and_other_tasks_models_are_refused(tiny):
    with pytest.raises(UnknownNameError, match=r"unknown model 'lstmm'.*; valid: (forecasting/\w+(, )?)+$"):
        lstmzoo.benchmark(tiny, Y, models="lstmm")
    with pytest.raises(ConfigError, match="translation/gnmt is of the task translation"):
        benchmark(tiny, Y, models="translation/gnmt")


@pytest.mark.parametrize("time_limit", [-1, 0, float("nan"), "long"])
def test_a_wrong_time_limit_is_refused_before_anything_is_fitted(tiny, monkeypatch, time_limit):
    monkeypatch.setattr(Forecaster, "fit", lambda self, y: pytest.fail("fitted"))
    with pytest.raises(ConfigError, match="time_limit: "):
        benchmark(tiny, Y, models="gru", time_limit=time_limit, verbose=0)


def test_a_wrong_parameter_is_refused_before_anything_is_fitted(tiny):
    with pytest.raises(ConfigError, match="random_state: .*, got -1"):
        benchmark(clone(tiny).set_params(random_state=-1), Y, models="gru", verbose=0)


def test_a_benchmark_without_a_network_that_was_trained_fails(tiny, monkeypatch):
    def failing(self, y):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Forecaster, "fit", failing)
    with pytest.raises(
        LstmzooError,
        match=r"every network failed \(2 of them\); the first, forecasting/\w+: RuntimeError: out of memory",
    ):
        benchmark(tiny, Y, models=["gru", "segment_gru"], verbose=0)


def test_constant_series_are_scored_by_the_mean_absolute_error(eagerly, tiny, caplog):
    table = benchmark(tiny, np.full(60, 3.0), models="segment_gru", verbose=0)
    assert "scores by the mean absolute error" in caplog.text
    assert table["error"].isna().all()
    assert table.set_index("model").loc["naive", "score"] == 0
