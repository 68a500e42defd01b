"""Parts of frames and panels: series by name, times, and rows written back."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    ahead_of,
    assemble,
    check_observed,
    eager_frame,
    future_of,
    observed_values,
    read_ids,
    series_frame,
    series_numbers,
    series_times,
    wall_times,
)

COLUMNS = Columns(known=("price",))


@pytest.fixture
def panel():
    """Two series of three steps, the second of the first not observed."""
    prices = np.array([1.0, 2, 3, 4, 5, 6])[:, None]
    seen = np.array([True, False, True, True, True, True])
    values, times, offsets = np.arange(6.0), np.tile(np.arange(3), 2), np.array([0, 3, 6])
    return Panel(np.array(["a", "b"]), offsets, values, times, 1, known=prices, observed=seen)


def test_series_by_name():
    for ids in (["b", "a"], ("b", "a"), np.array(["b", "a"]), pd.Series(["b", "a"]), pl.Series(["b", "a"])):
        assert series_numbers(ids, ["a", "b"]).tolist() == [1, 0]
    for ids in ("ab", 3, [], ["a", "a"]):
        with pytest.raises(ConfigError, match="^ids: "):
            series_numbers(ids, ["a", "b"])
    with pytest.raises(UnknownNameError, match="unknown series 'c'.*valid: a, b"):
        series_numbers(["c"], ["a", "b"])


def test_a_future_keeps_the_rows_of_its_series_wherever_ids_are(panel):
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": [3, 3], "price": [1.0, 2.0]})
    for future in (frame, frame.set_index(["unique_id", "ds"]), pl.from_pandas(frame)):
        kept, _ = eager_frame(future_of(future, panel, np.array([1]), COLUMNS), COLUMNS)
        assert kept["unique_id"].to_list() == ["b"]
        assert kept["price"].to_list() == [2.0]


def test_the_last_steps_as_if_they_were_ahead(panel):
    ahead = ahead_of(panel, 3)
    assert ahead.times.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert ahead.known[..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(observed_values(panel, 3), [[0, np.nan, 2], [3, 4, 5]])
    np.testing.assert_array_equal(observed_values(panel), [0, np.nan, 2, 3, 4, 5])


def test_steps_none_of_which_was_observed_are_refused(panel):
    check_observed(panel, 2, "held out", "give values")
    unseen = np.array([True, False, False, True, False, False])
    dark = Panel(panel.ids, panel.offsets, panel.values, panel.times, 1, observed=unseen)
    with pytest.raises(DataError, match="'a'.*give values"):
        check_observed(dark, 2, "held out", "give values")


def test_rows_are_written_back(panel):
    rows = assemble(np.array(["a", "b"]), np.array([3, 3]), {"y_hat": np.array([1.0, 2])}, panel, Form(), Columns())
    expected = pd.DataFrame({"unique_id": ["a", "b"], "ds": [3, 3], "y_hat": [1.0, 2.0]})
    pd.testing.assert_frame_equal(rows, expected)
    about = series_frame(np.array(["a", "b"]), {"weight": np.array([1.0, 2])}, Form(), Columns())
    pd.testing.assert_frame_equal(about, expected.drop(columns="ds").rename(columns={"y_hat": "weight"}))


def test_ids_and_times_that_are_missing_are_named_by_row():
    frame, _ = eager_frame(pd.DataFrame({"unique_id": ["a", None]}), Columns())
    with pytest.raises(DataError, match="column 'unique_id' has a missing value in row 1"):
        read_ids(frame, "unique_id")
    with pytest.raises(DataError, match="column 'index' has a missing value in row 1"):
        series_times(pd.Series([1.0, 2.0], index=pd.DatetimeIndex(["2024-01-01", None])))
    times, text = series_times(pd.Series([1.0], index=pd.PeriodIndex(["2024-02"], freq="M")))
    assert (times.tolist(), text) == ([pd.Timestamp("2024-02-01")], None)


def test_days_that_begin_late_begin_at_midnight_all_the_same():
    late = pd.Timestamp("2018-11-04 01:00", tz="America/Sao_Paulo").tz_convert("UTC").tz_localize(None)
    stamps = np.array([late], "datetime64[us]")
    assert wall_times(stamps, "America/Sao_Paulo") == np.array(["2018-11-04"], "datetime64[us]")
