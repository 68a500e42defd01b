"""Days in time zones whose clocks change at midnight, so that it is repeated or skipped."""

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, Forecaster, load
from lstmzoo.preprocessing import Columns, Panel, panel_frame, read_panel, user_times

FALLS = [("America/Havana", "2024-11-03"), ("Atlantic/Azores", "2024-10-27")]
SPRINGS = [("America/Havana", "2024-03-10"), ("Atlantic/Azores", "2024-03-31")]


def days(tz, change, before, after, first=True):
    span = pd.date_range(pd.Timestamp(change) - pd.Timedelta(days=before), periods=before + after)
    return span.tz_localize(tz, ambiguous=np.full(len(span), first), nonexistent="shift_forward")


def frame(times):
    return pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(len(times)) % 7 + 1.0})


@pytest.mark.parametrize(("tz", "change"), FALLS + SPRINGS)
def test_future_days_begin_when_their_midnight_first_comes(tz, change):
    times = days(tz, change, 20, 4)
    forecast = BaselineForecaster(horizon=4).fit(frame(times[:20])).predict()
    assert (forecast["ds"] == times[20:]).all()
    assert forecast["ds"].dt.date.is_unique


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("tz", "change"), FALLS + SPRINGS)
@pytest.mark.parametrize("after", [1, 4, 6])
def test_rows_and_cutoffs_keep_the_users_stamps(tz, change, first, after):
    """The day of the change is once a target and once a cutoff."""
    times = days(tz, change, 30, after, first)
    data = frame(times)
    panel, form = read_panel(data, Columns())
    assert panel.freq == "D"
    pd.testing.assert_series_equal(panel_frame(panel, form, Columns())["ds"], data["ds"])
    backtest = BaselineForecaster(horizon=2).cross_validation(data, n_windows=3, step_size=2)
    joined = backtest.merge(data, on="ds", suffixes=("", "_of_user"))
    assert len(joined) == len(backtest)
    assert (joined["y"] == joined["y_of_user"]).all()
    assert set(backtest["cutoff"]) <= set(times)
    refitted = BaselineForecaster(horizon=2).cross_validation(data, n_windows=3, step_size=2, refit=True)
    pd.testing.assert_frame_equal(refitted, backtest)


def test_searches_hold_out_rows_with_the_users_stamps():
    data = frame(days("America/Havana", "2024-11-03", 30, 4, first=False))
    (held_in,), _ = BaselineForecaster(horizon=2).holdout_split(data)
    assert (held_in["ds"] == data["ds"][:-2]).all()


def test_a_saved_forecaster_keeps_the_users_stamps(tmp_path):
    data = frame(days("America/Havana", "2024-11-03", 30, 4, first=False))
    BaselineForecaster("drift", horizon=2).fit(data).save(tmp_path / "model")
    assert (load(tmp_path / "model").serving_example()["ds"] == data["ds"]).all()


@pytest.mark.parametrize("first", [True, False])
def test_a_history_and_a_future_may_have_either_midnight(first):
    data = frame(days("America/Havana", "2024-11-03", 30, 4, first))
    data["price"] = 1.0
    fitted = BaselineForecaster(horizon=4, future_covariates=["price"]).fit(data[:30])
    forecast = fitted.predict(future=data[30:][["unique_id", "ds", "price"]])
    assert (forecast["ds"].dt.tz_localize(None) == data["ds"][30:].dt.tz_localize(None).to_numpy()).all()
    assert (fitted.predict(history=data[:32], future=fitted.make_future_frame(history=data[:32]).assign(price=1.0))["ds"]
            > data["ds"][31]).all()  # fmt: skip


def test_rows_that_follow_keep_the_users_stamps():
    """One repeated midnight is in the history, another in the future."""
    both = days("Atlantic/Azores", "2024-10-27", 370, 3, first=False)  # that of 2023-10-29 too
    panel, form = read_panel(frame(both[:-10]), Columns())
    new, _ = read_panel(frame(both[-10:]), Columns(), "D", like=panel)
    longer = panel.continued(new)
    assert isinstance(longer, Panel)
    assert (panel_frame(longer, form, Columns())["ds"] == both).all()
    assert len(longer.own[0]) == 2


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("change", ["2024-11-03", "2024-03-10"])
def test_streams_take_either_midnight(change, first, eagerly, tiny):
    data = frame(days("America/Havana", change, 60, 4, first))
    stream = Forecaster(**{**tiny, "model": "gru"}).fit(data[:60]).stream()
    assert stream.next_time == days("America/Havana", change, 60, 4)[60]
    for time in data["ds"][60:]:
        assert len(stream.update(1.0, time)) == 6


def test_hours_are_not_touched():
    hours = pd.date_range("2024-11-02", periods=72, freq="h", tz="America/Havana")
    panel, form = read_panel(frame(hours), Columns())
    assert (panel_frame(panel, form, Columns())["ds"] == hours).all()
    assert panel.own is None


def test_times_without_stamps_of_the_users_own_are_the_first():
    day = np.array(["2024-11-03"], "datetime64[us]")
    assert str(user_times(day, "D", "America/Havana")[0]) == "2024-11-03 00:00:00-04:00"
    assert str(user_times(day, "W-SUN", "Atlantic/Azores")[0]) == "2024-11-03 00:00:00-01:00"
