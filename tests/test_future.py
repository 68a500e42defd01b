"""Frames of future covariates: made, filled in, read; errors."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmzoo.errors import DataError
from lstmzoo.preprocessing import Columns, Form, make_future_frame, read_future, read_panel

COLUMNS = Columns(known=("price", "holiday"))
HORIZON = 3


def history(freq="h", tz=None, ids=("a", "b")):
    rows = pd.DataFrame({"ds": pd.date_range("2024-03-01", periods=40, freq=freq, tz=tz, unit="us")})
    frames = [
        rows.iloc[: 40 - 5 * i].assign(unique_id=name, y=1.0, price=2.0, holiday=False) for i, name in enumerate(ids)
    ]
    return pd.concat(frames, ignore_index=True)


def filled(frame, backend="pandas"):
    """Prices that encode their row, and holidays."""
    count = len(frame)
    prices, holidays = np.arange(count, dtype=float), np.arange(count) % 2 == 0
    if backend == "pandas":
        return frame.assign(price=prices, holiday=holidays)
    if backend == "polars":
        return frame.with_columns(pl.Series("price", prices), pl.Series("holiday", holidays))
    return (
        frame.drop_columns(["price", "holiday"]).append_column("price", [prices]).append_column("holiday", [holidays])
    )


def shuffled(frame, backend):
    order = np.random.default_rng(0).permutation(len(frame))
    return frame.iloc[order] if backend == "pandas" else frame[order] if backend == "polars" else frame.take(order)


def to_backend(rows, backend, tz):
    if backend == "pandas":
        return rows
    utc = rows["ds"] if tz is None else rows["ds"].dt.tz_convert("UTC").dt.tz_localize(None)
    if backend == "polars":
        frame = pl.from_pandas(rows.assign(ds=utc))
        local = pl.col("ds").dt.replace_time_zone("UTC").dt.convert_time_zone(tz) if tz else pl.col("ds")
        return frame.with_columns(local)
    table = pa.Table.from_pandas(rows.assign(ds=utc), preserve_index=False)
    at = table.schema.get_field_index("ds")
    return table.set_column(at, "ds", table["ds"].cast(pa.timestamp("us", tz=tz)))


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
@pytest.mark.parametrize("freq", ["h", "D", "MS", "B"])
def test_the_frame_is_made_filled_in_and_read(backend, tz, freq):
    panel, form = read_panel(to_backend(history(freq, tz), backend, tz), COLUMNS)
    frame = make_future_frame(panel, HORIZON, form, COLUMNS)
    names = frame.column_names if backend == "pyarrow" else list(frame.columns)
    assert names == ["unique_id", "ds", "price", "holiday"]
    times, known = read_future(shuffled(filled(frame, backend), backend), panel, COLUMNS, HORIZON)
    np.testing.assert_array_equal(times, panel.future_times(HORIZON))
    np.testing.assert_array_equal(known[..., 0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(known[..., 1], [[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("freq", ["h", "D"])
def test_another_time_zone_names_the_same_instants(freq):
    panel, form = read_panel(history(freq, "Europe/Berlin"), COLUMNS)
    frame = filled(make_future_frame(panel, HORIZON, form, COLUMNS))
    moved = frame.assign(ds=frame["ds"].dt.tz_convert("Asia/Tokyo"))
    times, _ = read_future(moved, panel, COLUMNS, HORIZON)
    np.testing.assert_array_equal(times, panel.future_times(HORIZON))


def test_an_empty_frame_has_missing_covariates():
    for backend in ("pandas", "polars", "pyarrow"):
        panel, form = read_panel(to_backend(history(), backend, None), COLUMNS)
        frame = make_future_frame(panel, HORIZON, form, COLUMNS)
        with pytest.raises(
            DataError, match="future: 'price' of series 'a' is missing .NaN. at 2024-03-02 16:00:00 .12 such"
        ):
            read_future(frame, panel, COLUMNS, HORIZON)


def test_dates_stay_dates():
    dates = [datetime.date(2024, 1, day) for day in range(1, 6)]
    columns = Columns(known=("price",))
    panel, form = read_panel(pl.DataFrame({"unique_id": "a", "ds": dates, "y": [1.0] * 5, "price": [1.0] * 5}), columns)
    frame = make_future_frame(panel, 2, form, columns)
    assert frame["ds"].to_list() == [datetime.date(2024, 1, 6), datetime.date(2024, 1, 7)]
    _, known = read_future(frame.with_columns(price=pl.lit(3)), panel, columns, 2)
    assert known.tolist() == [[[3], [3]]]


def test_one_series_needs_no_id():
    columns = Columns(None, known=("price",))
    panel, form = read_panel(history(ids=("a",)), columns)
    frame = make_future_frame(panel, 2, form, columns)
    assert list(frame.columns) == ["ds", "price"]
    assert read_future(frame.assign(price=[1.0, 2.0]), panel, columns, 2)[1].tolist() == [[[1], [2]]]


def test_series_are_in_the_order_of_the_panel():
    rows = history(ids=(10, 2))
    panel, form = read_panel(rows, COLUMNS)
    panel = panel.select(np.array([1, 0]))
    assert panel.ids.tolist() == [10, 2]
    frame = filled(make_future_frame(panel, HORIZON, form, COLUMNS))
    _, known = read_future(frame.sort_values("unique_id"), panel, COLUMNS, HORIZON)
    np.testing.assert_array_equal(known[..., 0], [[0, 1, 2], [3, 4, 5]])


def test_a_series_of_an_array_has_a_frame_too():
    panel, form = read_panel([1.0, 2.0], Columns())
    frame = make_future_frame(panel, 2, form, Columns())
    assert frame.to_dict("list") == {"unique_id": ["series"] * 2, "ds": [2, 3]}
    times, known = read_future(frame, panel, Columns(), 2)
    assert (times.tolist(), known.shape) == ([[2, 3]], (1, 2, 0))


def later(frame, rows, **by):
    return frame.assign(ds=frame["ds"].mask(frame.index.isin(rows), frame["ds"] + pd.Timedelta(**by)))


REFUSED = {
    "no frame": (lambda f: f["price"].to_numpy(), "expected a frame, that of make_future_frame.. filled in, got ndarray"),
    "missing column": (lambda f: f.drop(columns="price"), "column 'price' is missing; the frame has 'unique_id', 'ds', 'holiday'; expected 'unique_id', 'ds', 'price', 'holiday'"),
    "missing id": (lambda f: f.drop(columns="unique_id"), "column 'unique_id' is missing"),
    "extra column": (lambda f: f.assign(rain=1.0), "column 'rain' is none of the future covariates: drop it; expected 'unique_id', 'ds', 'price', 'holiday'"),
    "the target": (lambda f: f.assign(y=np.nan), "column 'y' is none of the future covariates: drop it"),
    "text": (lambda f: f.assign(price="cheap"), "column 'price' is not numeric"),
    "NaN": (lambda f: f.assign(price=f["price"].where(f.index != 4)), "'price' of series 'b' is missing .NaN. at 2024-03-02 12:00:00 .1 such values in all.: fill it in"),
    "infinity": (lambda f: f.assign(price=f["price"].mask(f.index == 1, np.inf)), "'price' of series 'a' is infinite at 2024-03-02 17:00:00"),
    "empty": (lambda f: f.iloc[:0], "series 'a' is missing .2 such series in all.: it needs 3 rows"),
    "missing series": (lambda f: f[f["unique_id"] != "b"], "series 'b' is missing .1 such"),
    "unknown series": (lambda f: f.assign(unique_id=f["unique_id"].replace("b", "x")), "series 'x' is not one of the series to forecast, 'a', 'b'"),
    "an id too few": (lambda f: f.assign(unique_id=f["unique_id"].where(f.index != 2)), "column 'unique_id' has a missing value in row 2"),
    "a time too few": (lambda f: f.assign(ds=f["ds"].where(f.index != 2)), "column 'ds' has a missing value in row 2"),
    "missing row": (lambda f: f.drop(index=4), "series 'b' has no row at 2024-03-02 12:00:00: 3 steps are to be forecast, from 2024-03-02 11:00:00 to 2024-03-02 13:00:00"),
    "row too many": (lambda f: pd.concat([f, later(f.iloc[[5]], [5], hours=1)]), "series 'b' has an unexpected row at 2024-03-02 14:00:00"),
    "row twice": (lambda f: pd.concat([f, f.iloc[[5]]]), "series 'b' has more than one row at 2024-03-02 13:00:00"),
    "an hour late": (lambda f: later(f, range(6), hours=1), "series 'a' has no row at 2024-03-02 16:00:00 and has an unexpected row at 2024-03-02 19:00:00"),
    "off the grid": (lambda f: later(f, [1], minutes=1), "series 'a' has no row at 2024-03-02 17:00:00 and has an unexpected row at 2024-03-02 17:01:00"),
    "integers": (lambda f: f.assign(ds=range(6)), "column 'ds' holds integers, but the history has timestamps without a time zone"),
    "a time zone": (lambda f: f.assign(ds=f["ds"].dt.tz_localize("UTC")), "column 'ds' holds timestamps in the time zone UTC, but the history has timestamps without"),
    "text as time": (lambda f: f.assign(ds="later"), "column 'ds' holds 'later' in row 0.*convert it, for instance with pandas.to_datetime"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    change, message = REFUSED[case]
    panel, form = read_panel(history(), COLUMNS)
    with pytest.raises(DataError, match=message):
        read_future(change(filled(make_future_frame(panel, HORIZON, form, COLUMNS))), panel, COLUMNS, HORIZON)


def test_a_time_zone_that_was_lost_is_refused():
    panel, form = read_panel(history(tz="Europe/Berlin"), COLUMNS)
    frame = filled(make_future_frame(panel, HORIZON, form, COLUMNS))
    with pytest.raises(
        DataError, match="timestamps without a time zone, but the history has timestamps in the time zone Europe/Berlin"
    ):
        read_future(frame.assign(ds=frame["ds"].dt.tz_localize(None)), panel, COLUMNS, HORIZON)


@pytest.fixture
def irregular():
    rows = pd.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 3, "ds": [0, 2, 4, 9, 1, 3, 4], "y": 1.0, "price": 1.0})
    return read_panel(rows, Columns(known=("price",)), irregular=True)[0]


def test_irregular_steps_may_be_any_later_ones(irregular):
    columns = Columns(known=("price",))
    assert make_future_frame(irregular, 2, Form(), columns)["ds"].tolist() == [11, 13, 6, 8]
    frame = pd.DataFrame({"unique_id": list("baab"), "ds": [30, 12, 10, 5], "price": [3.0, 1.0, 0.0, 2.0]})
    times, known = read_future(frame, irregular, columns, 2)
    assert times.tolist() == [[10, 12], [5, 30]]
    assert known[..., 0].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([10, 12, 5], "series 'b' has 1 rows, but 2 steps are to be forecast"),
        ([10, 12, 4, 5], "series 'b' has a row at 4, but its history ends at 4: drop it"),
        ([9, 12, 5, 6], "series 'a' has a row at 9, but its history ends at 9"),
        ([10, 10, 5, 6], "series 'a' has more than one row at 10"),
        ([10, 12, 5, 6, 7], "series 'b' has 3 rows, but 2 steps"),
    ],
)
def test_irregular_steps_that_are_refused(irregular, times, message):
    frame = pd.DataFrame({"unique_id": [*"aabbb"][: len(times)], "ds": times, "price": 1.0})
    with pytest.raises(DataError, match=message):
        read_future(frame, irregular, Columns(known=("price",)), 2)
