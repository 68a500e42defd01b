"""Frames in: what is accepted, and what is refused with which words."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmzoo.errors import DataError
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    calendar_features,
    find_season,
    forecast_frame,
    panel_frame,
    read_panel,
    user_times,
    usual_seasons,
)


def frame(n=30, freq="h", name="a", start="2024-01-01"):
    return pd.DataFrame(
        {"unique_id": name, "ds": pd.date_range(start, periods=n, freq=freq), "y": np.arange(n, dtype=float)}
    )


REFUSED = {
    "empty frame": (lambda: frame(0), "the frame is empty: no rows"),
    "one row": (lambda: frame(1), "frequency cannot be inferred from 1 rows of series 'a': pass freq="),
    "missing column": (lambda: frame().drop(columns="y"), "column 'y' is missing; the frame has 'unique_id', 'ds': rename one or pass target_col="),
    "text as target": (lambda: frame().assign(y="x"), "column 'y' is not numeric"),
    "boolean target": (lambda: frame().assign(y=True), "column 'y' is not numeric"),
    "text as time": (lambda: frame().assign(ds=lambda d: d["ds"].astype(str)), "column 'ds' .*convert it, for instance with pandas.to_datetime"),
    "floats as time": (lambda: frame().assign(ds=1.5), "column 'ds' is float64, not timestamps"),
    "missing time": (lambda: frame().assign(ds=lambda d: d["ds"].where(d.index != 3)), "column 'ds' has a missing value in row 3"),
    "missing id": (lambda: frame().assign(unique_id=["a"] * 29 + [None]), "column 'unique_id' has a missing value in row 29"),
    "NaN": (lambda: frame().assign(y=lambda d: d["y"].where(d.index != 5)), "'y' of series 'a' is missing .NaN. at 2024-01-01 05:00:00 .1 such"),
    "infinity": (lambda: frame().assign(y=lambda d: d["y"].mask(d.index == 5, np.inf)), "series 'a' is infinite at 2024-01-01 05:00:00"),
    "minus infinity": (lambda: frame().assign(y=lambda d: d["y"].mask(d.index == 0, -np.inf)), "series 'a' is infinite at 2024-01-01 "),
    "duplicate": (lambda: pd.concat([frame(), frame().iloc[[4]]]), "series 'a' has more than one row at 2024-01-01 04:00:00"),
    "gap": (lambda: frame().drop(7), "series 'a' has a gap: nothing between 2024-01-01 06:00:00 and 2024-01-01 08:00:00"),
    "gap in months": (lambda: frame(freq="MS").drop(7), "series 'a' has a gap: nothing between 2024-07-01 and 2024-09-01"),
    "gap in integers": (lambda: frame().assign(ds=range(30)).drop(7), "series 'a' has a gap: nothing between 6 and 8, where 7"),
    "mixed frequencies": (lambda: pd.concat([frame(60), frame(20, "D", "b")]), "mixed frequencies: series 'b' has 'D', others have 'h'"),
    "mixed integer steps": (lambda: pd.concat([frame().assign(ds=range(30)), frame(name="b").assign(ds=range(0, 60, 2))]), "series 'b' has 2, others have 1"),
    "irregular": (lambda: frame().assign(ds=lambda d: d["ds"] + pd.to_timedelta(d.index**2, "s")), "irregular: no frequency fits"),
    "clock change without a zone": (
        lambda: frame(60).assign(ds=pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)),
        "local times across a clock change need a time zone",
    ),
    "two-dimensional array": (lambda: np.zeros((5, 2)), r"shape \(T,\), got shape \(5, 2\)"),
    "array of text": (lambda: ["a", "b"], "the array is not numeric"),
    "series of text": (lambda: pd.Series(["a", "b"]), "the series is not numeric"),
    "empty array": (list, "the series is empty"),
    "timestamps as ids": (lambda: frame().assign(unique_id=pd.Timestamp("2024")), "column 'unique_id' holds Timestamp: name the series by text"),
    "nanoseconds as integers": (lambda: frame().assign(ds=lambda d: d["ds"].astype("datetime64[ns]").astype("int64")), "integers beyond 2"),
    "a dict": (lambda: {"y": [1]}, "expected a frame, a series or an array, got dict"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        read_panel(make(), Columns())


def test_the_message_names_the_series_that_is_wrong():
    bad = pd.concat([frame(), frame(name="b").drop(3), frame(name="c")])
    with pytest.raises(DataError, match="series 'b' has a gap"):
        read_panel(bad, Columns())


def test_a_given_frequency_that_does_not_fit():
    with pytest.raises(DataError, match="series 'a' has 'MS', not the freq 'D' that is expected"):
        read_panel(frame(freq="MS"), Columns(), "D")


@pytest.mark.parametrize("freq", ["h", "15min", "2h", "D", "B", "W-MON", "MS", "ME", "QS-JAN", "YS-JAN", "s", "2D"])
def test_frequencies_are_inferred_and_continued(freq):
    panel, form = read_panel(frame(freq=freq), Columns())
    assert panel.freq == freq
    forecast = forecast_frame(panel, {"y_hat": np.zeros((1, 3))}, form, Columns())
    expected = pd.date_range(frame(freq=freq)["ds"].iloc[-1], periods=4, freq=freq)[1:]
    assert (forecast["ds"].to_numpy() == expected.to_numpy()).all()


@pytest.mark.parametrize("freq", ["h", "15min", "D", "B", "W-MON", "MS", "ME", "QS-JAN"])
@pytest.mark.parametrize("tz", ["Europe/Berlin", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_time_zones_are_kept(freq, tz, kind):
    times = pd.date_range("2024-02-01", periods=70, freq=freq, tz=tz, unit="us")
    past = {"unique_id": ["a"] * 67, "ds": times[:-3], "y": np.ones(67)}
    utc = times[:-3].tz_convert("UTC").tz_localize(None).to_numpy()
    data = {
        "pandas": lambda: pd.DataFrame(past),
        "polars": lambda: pl.DataFrame({**past, "ds": utc}).with_columns(
            pl.col("ds").dt.replace_time_zone("UTC").dt.convert_time_zone(tz)
        ),
        "pyarrow": lambda: pa.table({**past, "ds": pa.array(utc, pa.timestamp("us")).cast(pa.timestamp("us", tz=tz))}),
    }[kind]()
    panel, form = read_panel(data, Columns())
    assert panel.freq == freq
    forecast = forecast_frame(panel, {"y_hat": np.zeros((1, 3))}, form, Columns())
    answered = pd.DatetimeIndex(pd.Series(forecast["ds"].to_pandas() if kind != "pandas" else forecast["ds"]))
    assert (answered == times[-3:]).all()
    assert str(answered.tz) == tz


def test_user_times_leave_naive_times_alone():
    times = np.array(["2024-01-01"], dtype="datetime64[us]")
    assert user_times(times, "D", None) is times
    assert str(user_times(times, "h", "Asia/Tokyo")[0]) == "2024-01-01 09:00:00+09:00"


def test_a_day_whose_midnight_was_skipped_is_no_gap():
    times = pd.date_range("2018-10-20", periods=30, freq="D").tz_localize(
        "America/Sao_Paulo", nonexistent="shift_forward"
    )
    assert times[15].hour == 1
    panel, form = read_panel(pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}), Columns())
    assert panel.freq == "D"
    assert (panel_frame(panel, form, Columns())["ds"] == times).all()


def test_calendar_features_are_of_local_time():
    times = pd.date_range("2024-06-01", periods=48, freq="h", tz="Asia/Tokyo")
    panel, _ = read_panel(pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}), Columns())
    naive = calendar_features(times.tz_localize(None).to_numpy(), "h")
    np.testing.assert_array_equal(calendar_features(panel.times, panel.freq, panel.tz), naive)


@pytest.mark.parametrize("freq", ["M", "Q", "D"])
def test_periods_are_an_index_of_time(freq):
    index = pd.period_range("2020-01", periods=20, freq=freq)
    panel, _ = read_panel(pd.Series(np.arange(20.0), index=index), Columns())
    assert panel.times[0] == np.datetime64("2020-01-01")


def test_an_index_that_is_no_time_is_refused():
    with pytest.raises(DataError, match="convert it, for instance with pandas.to_datetime"):
        read_panel(pd.Series([1.0, 2.0], index=["b", "a"]), Columns())


def test_an_index_of_dates_is_sorted():
    dates = [datetime.date(2024, 1, d) for d in (3, 2, 1, 4)]
    panel, _ = read_panel(pd.Series([3.0, 2.0, 1.0, 4.0], index=dates), Columns())
    assert panel.values.tolist() == [1, 2, 3, 4]


def test_the_form_of_the_data_is_kept():
    assert read_panel(frame(), Columns())[1] == Form("frame", "pandas")
    assert read_panel(pl.from_pandas(frame()), Columns())[1] == Form("frame", "polars")
    assert read_panel(frame()["y"], Columns())[1] == Form("series", "pandas")
    panel, form = read_panel([1.0, 2.0], Columns())
    assert isinstance(panel, Panel)
    assert form == Form("array", "pandas")


def test_dates_stay_dates():
    dates = [datetime.date(2024, 1, day) for day in range(1, 6)]
    data = pl.DataFrame({"unique_id": "a", "ds": dates, "y": [1, 2, 3, 4, 5]})
    panel, form = read_panel(data, Columns())
    forecast = forecast_frame(panel, {"y_hat": np.zeros((1, 1))}, form, Columns())
    assert forecast["ds"].to_list() == [datetime.date(2024, 1, 6)]
    panel, form = read_panel(data.to_pandas().assign(ds=dates), Columns())
    assert panel.freq == "D"


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.integers(4, 12), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_panels_come_back_sorted_whatever_the_order_of_rows(lengths, seed):
    data = pd.concat(
        [frame(n, name=f"s{i}", start=f"2024-01-0{i + 1}") for i, n in enumerate(lengths)], ignore_index=True
    )
    panel, form = read_panel(data.sample(frac=1, random_state=seed), Columns())
    pd.testing.assert_frame_equal(panel_frame(panel, form, Columns()), data, check_dtype=False)
    assert panel.lengths.tolist() == lengths


def test_padding_repeats_the_first_value():
    panel, _ = read_panel(pd.concat([frame(4), frame(8, name="b")]), Columns(), "h")
    padded = panel.padded(6)
    assert padded.lengths.tolist() == [6, 8]
    assert padded.series(0).tolist() == [0, 0, 0, 1, 2, 3]
    assert (np.diff(padded.times[:6]) == np.timedelta64(1, "h")).all()


@pytest.mark.parametrize(("period", "noise"), [(7, 0.1), (12, 0.3), (24, 0.1), (1, 1.0)])
def test_seasons_are_found(period, noise):
    rng = np.random.default_rng(3)
    steps = np.arange(20 * max(period, 12))
    wave = np.sin(2 * np.pi * steps / period) + 0.5 * np.sin(4 * np.pi * steps / period) if period > 1 else 0
    panel, _ = read_panel(wave + noise * rng.normal(size=len(steps)), Columns())
    assert find_season(panel) == period


def test_a_constant_series_has_no_season():
    assert find_season(read_panel(np.ones(100), Columns())[0]) == 1


@pytest.mark.parametrize(("freq", "seasons"), [
    ("h", (24, 168)), ("30min", (48, 336)), ("D", (7,)), ("B", (5,)), ("W-MON", (52,)), ("MS", (12,)), ("ME", (12,)),
    ("BME", (12,)), ("2MS", (6,)), ("QE-DEC", (4,)), ("YS-JAN", (1,)), ("s", (3600, 86400, 604800)), (1, ()),
])  # fmt: skip
def test_usual_seasons(freq, seasons):
    assert usual_seasons(freq) == seasons
