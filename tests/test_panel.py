"""Reading frames into panels: accepted data, and the messages of refusals."""

import datetime
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.panel import was_observed
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    calendar_features,
    continued,
    filled,
    fixed_step,
    forecast_frame,
    is_shorter_than_a_day,
    panel_frame,
    read_panel,
    stack,
    time_text,
    user_times,
    with_known_filled,
)

COVARIATES = Columns(past=("visitors",), known=("price", "holiday"), static=("size", "region", "open"))
BACKENDS = {
    "pandas": lambda f: f,
    "polars": pl.from_pandas,
    "pyarrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
}


def frame(n=30, freq="h", name="a", start="2024-01-01"):
    return pd.DataFrame(
        {"unique_id": name, "ds": pd.date_range(start, periods=n, freq=freq), "y": np.arange(n, dtype=float)}
    )


def shops():
    """Two series, with covariates of every kind."""
    frames = [frame(20, name="a"), frame(12, name="b", start="2024-02-01")]
    described = [{"size": 10, "region": "north", "open": True}, {"size": 20, "region": "south", "open": False}]
    both = pd.concat([f.assign(**d) for f, d in zip(frames, described, strict=True)], ignore_index=True)
    return both.assign(visitors=both["y"] * 2, price=both["y"] / 4, holiday=both["y"] % 3 == 0)


def same(one, other):
    """Return whether two panels are equal."""
    for name in ("ids", "offsets", "values", "times", "past", "known", "static"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(was_observed(one), was_observed(other))
    return (one.freq, one.tz, one.irregular) == (other.freq, other.tz, other.irregular)


REFUSED = {
    "empty frame": (lambda: frame(0), "the frame is empty: no rows"),
    "one row": (lambda: frame(1), "frequency cannot be inferred from 1 rows of series 'a': pass freq="),
    "missing column": (lambda: frame().drop(columns="y"), "column 'y' is missing; the frame has 'unique_id', 'ds': rename one or pass target_col="),
    "text as target": (lambda: frame().assign(y="x"), "column 'y' is not numeric"),
    "boolean target": (lambda: frame().assign(y=True), "column 'y' is not numeric"),
    "text as time": (lambda: frame().assign(ds="yesterday"), "column 'ds' holds 'yesterday' in row 0, which is not a time: write whole numbers, or ISO 8601 .*convert it, for instance with pandas.to_datetime"),
    "text in two formats": (lambda: frame().assign(ds=lambda d: d["ds"].astype(str).where(d.index != 3, "2024-01-01T03")), "column 'ds' holds '2024-01-01T03' in row 3 and '2024-01-01 00:00:00' in row 0, so the format of forecasts is ambiguous"),
    "text of several offsets": (lambda: frame(2).assign(ds=["2024-03-30T00:00+01:00", "2024-03-31T00:00+02:00"]), "column 'ds' has times of several UTC offsets: write them all in one"),
    "numbers with leading zeros": (lambda: frame(2).assign(ds=["01", "02"]), "column 'ds' holds '01' in row 0, so the format of forecasts is ambiguous"),
    "datetimes of several offsets": (lambda: frame(2).assign(ds=[datetime.datetime.fromisoformat(f"2024-03-3{i}T00:00+0{i + 1}:00") for i in (0, 1)]), "column 'ds' has times of several UTC offsets: convert them to one time zone, for instance with pandas.to_datetime.*utc=True"),
    "some with a zone": (lambda: frame(2).assign(ds=pd.Series([pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02", tz="UTC")], dtype=object)), "column 'ds' mixes times with and without a time zone: the one in row 1 has one, unlike those before it: give all of them a time zone, or none"),
    "a category as time": (lambda: frame().assign(ds=lambda d: d["ds"].astype("category")), "column 'ds' is category, not timestamps"),
    "a column twice": (lambda: pd.concat([frame(), frame()[["y"]]], axis=1), "column 'y' occurs twice: rename or drop one of the two"),
    "a column twice in pyarrow": (lambda: pa.table([[1], [2]], names=["y", "y"]), "column 'y' occurs twice"),
    "an index of several levels": (lambda: frame().set_index(["unique_id", "ds"])["y"], "the series has an index of several levels: pass a frame"),
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
    names = ["hour", "weekday"]
    naive = calendar_features(times.tz_localize(None).to_numpy(), "h", None, names)
    np.testing.assert_array_equal(calendar_features(panel.times, panel.freq, panel.tz, names), naive)


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
    read = [read_panel(data, Columns())[1] for data in (frame(), pl.from_pandas(frame()), frame()["y"])]
    assert [(form.kind, form.backend) for form in read] == [
        ("frame", "pandas"),
        ("frame", "polars"),
        ("series", "pandas"),
    ]
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
    assert padded.observed.tolist() == [False] * 2 + [True] * 12
    assert panel.padded(4) is panel
    assert (np.diff(padded.times[:6]) == np.timedelta64(1, "h")).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_covariates_are_read_in_the_order_of_time(backend):
    rows = shops()
    panel, form = read_panel(BACKENDS[backend](rows.sample(frac=1, random_state=0)), COVARIATES)
    assert form.backend == backend
    np.testing.assert_array_equal(panel.past, rows[["visitors"]])
    np.testing.assert_array_equal(panel.known, rows[["price", "holiday"]].astype(float))
    assert panel.static.tolist() == [[10.0, "north", "True"], [20.0, "south", "False"]]
    assert panel.observed is None
    again, _ = read_panel(panel_frame(panel, form, COVARIATES), COVARIATES)
    assert same(panel, again)


def test_without_covariates_there_are_none():
    panel, _ = read_panel(shops(), Columns())
    assert (panel.past.shape, panel.known.shape, panel.static.shape) == ((32, 0), (32, 0), (2, 0))
    assert not panel.irregular


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("category", ["x", "y"], ["x", "y"]),
        ("object", [True, False], ["True", "False"]),
        ("Int64", [3, 4], [3.0, 4.0]),
        ("string", ["x", "y"], ["x", "y"]),
    ],
)
def test_kinds_of_static_covariates(dtype, values, expected):
    rows = shops()
    rows["kind"] = pd.Series(rows["unique_id"].map(dict(zip("ab", values, strict=True))), dtype=dtype)
    panel, _ = read_panel(rows, Columns(static=("kind",)))
    assert panel.static[:, 0].tolist() == expected


def with_cell(column, value, row=5):
    """The shops with one value replaced."""
    rows = shops().astype({column: object if isinstance(value, str | None) else float})
    rows.loc[row, column] = value
    return rows


REFUSED_COVARIATES = {
    "missing column": (lambda: shops().drop(columns="price"), "column 'price' is missing; the frame has 'unique_id', .*: add it, or leave it out of future_covariates"),
    "missing static column": (lambda: shops().drop(columns="size"), "column 'size' is missing.*static_covariates"),
    "text": (lambda: shops().assign(visitors=pd.Timestamp("2024")), "column 'visitors' is not numeric, but Datetime.*make it numbers, or text, which is a category"),
    "times": (lambda: shops().assign(price=lambda d: d["ds"]), "column 'price' is not numeric"),
    "NaN": (lambda: with_cell("price", np.nan), "'price' of series 'a' is missing .NaN. at 2024-01-01 05:00:00 .1 such.*missing='mask'"),
    "NaN of the past": (lambda: with_cell("visitors", np.nan, 25), "'visitors' of series 'b' is missing .NaN. at 2024-02-01 05:00:00"),
    "infinity": (lambda: with_cell("price", -np.inf), "'price' of series 'a' is infinite at 2024-01-01 05:00:00"),
    "static that varies": (lambda: with_cell("region", "east"), "'region' of series 'a' changes from 'north' to 'east' at 2024-01-01 05:00:00"),
    "static number that varies": (lambda: with_cell("size", 11.0, 31), "'size' of series 'b' changes from 20.0 to 11.0 at 2024-02-01 11:00:00"),
    "static None": (lambda: with_cell("region", None), "'region' of series 'a' is missing at 2024-01-01 05:00:00 .1 such"),
    "static NaN": (lambda: shops().assign(size=np.nan), "'size' of series 'a' is missing at 2024-01-01"),
    "static infinity": (lambda: with_cell("size", np.inf), "'size' of series 'a' is infinite at 2024-01-01 05:00:00"),
    "static times": (lambda: shops().assign(region=lambda d: d["ds"]), "'region' holds datetime64: make it numbers or text"),
    "static of mixed kinds": (lambda: with_cell("region", "x").assign(region=lambda d: d["region"].where(d.index > 5, 3)), "'region' holds mixed"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_COVARIATES)
def test_covariates_that_are_refused(case):
    make, message = REFUSED_COVARIATES[case]
    with pytest.raises(DataError, match=message):
        read_panel(make(), COVARIATES)


@pytest.mark.parametrize("backend", ["polars", "pyarrow"])
@pytest.mark.parametrize(("column", "what"), [("price", "missing .NaN."), ("region", "missing"), ("size", "missing")])
def test_nulls_are_missing(backend, column, what):
    rows = BACKENDS[backend](with_cell(column, None if column == "region" else np.nan))
    with pytest.raises(DataError, match=f"'{column}' of series 'a' is {what} at 2024-01-01 05:00:00"):
        read_panel(rows, COVARIATES)


def test_nulls_of_a_dictionary_are_missing():
    rows = pa.Table.from_pandas(with_cell("region", None), preserve_index=False)
    at = rows.schema.get_field_index("region")
    rows = rows.set_column(at, "region", rows["region"].dictionary_encode())
    with pytest.raises(DataError, match="'region' of series 'a' is missing at 2024-01-01 05:00:00"):
        read_panel(rows, COVARIATES)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            Columns(past=("price",), known=("price",)),
            "column 'price' is named by past_covariates and by future_covariates",
        ),
        (Columns(static=("size", "size")), "column 'size' is named twice by static_covariates"),
        (Columns(past=("y",)), "column 'y' is named by target_col and by past_covariates"),
        (Columns(known=("ds",)), "column 'ds' is named by time_col and by future_covariates"),
        (
            Columns(id="y_hat"),
            "id_col: 'y_hat' is the name of a column of forecasts, which would overwrite it: rename yours",
        ),
        (Columns(target="y_hat"), "target_col: 'y_hat' is the name"),
        (Columns(time="cutoff"), "time_col: 'cutoff' is the name"),
        (Columns(target="residual"), "target_col: 'residual' is the name"),
        (Columns(past=("y_hat_q0.1",)), "past_covariates: 'y_hat_q0.1' is the name"),
        (Columns(known=("y_hat_path3",)), "future_covariates: 'y_hat_path3' is the name"),
        (Columns(static=("unique_id",)), "column 'unique_id' is named by id_col and by static_covariates"),
    ],
)
def test_a_column_has_one_role(columns, message):
    with pytest.raises(ConfigError, match=message):
        read_panel(shops(), columns)


@pytest.mark.parametrize(("data", "what"), [([1.0, 2.0], "an array"), (pd.Series([1.0, 2.0]), "a series")])
def test_only_frames_have_covariates(data, what):
    with pytest.raises(DataError, match=f"{what} was passed: pass a frame with the column 'price'"):
        read_panel(data, Columns(known=("price",)))


def test_missing_is_one_of_four():
    with pytest.raises(ConfigError, match="'error', 'mask', 'interpolate', 'keep', got 'drop'"):
        read_panel([1.0], Columns(), missing="drop")


NAN = np.nan
HOLES = [NAN, NAN, 2.0, NAN, NAN, 8.0, NAN]


@pytest.mark.parametrize(
    ("missing", "filled"), [("mask", [2, 2, 2, 2, 2, 8, 8]), ("interpolate", [2, 2, 2, 4, 6, 8, 8])]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_missing_values_are_filled_within_their_series(missing, filled, backend):
    rows = pd.concat([frame(7).assign(y=HOLES, x=HOLES), frame(7, name="b").assign(y=HOLES[::-1], x=1.0)])
    panel, _ = read_panel(BACKENDS[backend](rows), Columns(known=("x",)), missing=missing)
    assert panel.series(0).tolist() == filled
    assert panel.known[:7, 0].tolist() == filled
    backwards = filled[::-1] if missing == "interpolate" else [8, 8, 8, 8, 2, 2, 2]
    assert panel.series(1).tolist() == backwards
    assert (panel.known[7:] == 1).all()
    observed = [False, False, True, False, False, True, False]
    assert panel.observed.tolist() == observed + observed[::-1]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@pytest.mark.parametrize("freq", ["h", "D", "B", "MS", "W-MON", "2MS", "steps"])
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_gaps_become_rows(missing, freq, tz):
    whole = pd.concat([frame(40), frame(30, name="b")], ignore_index=True).assign(x=lambda d: d["y"] * 10)
    if freq == "steps":
        whole["ds"] = [*range(40), *range(5, 35)]
    else:
        start = pd.date_range("2024-02-26", periods=45, freq=freq, tz=tz)
        whole["ds"] = [*start[:40], *start[5:35]]
    holes = whole.drop(index=[3, 4, 30, 41, 60]).sample(frac=1, random_state=0)
    columns = Columns(past=("y2",), known=("x",))
    panel, form = read_panel(holes.assign(y2=lambda d: d["y"]), columns, missing=missing)
    expected, _ = read_panel(whole, Columns())
    assert (panel.freq, panel.lengths.tolist()) == (expected.freq, [40, 30])
    np.testing.assert_array_equal(panel.times, expected.times)
    filled = [2, 2, 5, 29, 31] if missing == "mask" else [3, 4, 5, 30, 31]
    assert panel.values[[3, 4, 5, 30, 31]].tolist() == filled
    assert panel.past[[3, 4, 5, 30, 31], 0].tolist() == [2, 2, 5, 29, 31]
    assert panel.known[[3, 4, 5, 30, 31], 0].tolist() == [20, 20, 50, 290, 310]
    assert np.flatnonzero(~panel.observed).tolist() == [3, 4, 30, 41, 60]
    rows = panel_frame(panel, form, columns)
    assert rows["y"].isna().sum() == 5
    assert same(panel, read_panel(rows, columns, missing=missing)[0])


def test_nothing_missing_is_nothing_unobserved():
    panel, _ = read_panel(shops(), COVARIATES, missing="mask")
    assert panel.observed is None
    assert same(panel, read_panel(shops(), COVARIATES)[0])


def test_an_array_with_holes():
    panel, form = read_panel(np.array([1.0, NAN, 3.0]), Columns(), missing="mask")
    np.testing.assert_array_equal(panel_frame(panel, form, Columns()), [1, NAN, 3])
    assert read_panel(pd.Series([1.0, NAN, 3.0]), Columns(), missing="interpolate")[0].values.tolist() == [1, 2, 3]


def test_the_frequency_is_inferred_through_many_gaps():
    rows = frame(2000)[np.random.default_rng(0).random(2000) > 0.4]
    panel, _ = read_panel(rows, Columns(), missing="mask")
    assert panel.freq == "h"
    assert 0.35 < (~panel.observed).mean() < 0.45


STILL_REFUSED = {
    "duplicate": (lambda: pd.concat([frame(), frame().iloc[[4]]]), "series 'a' has more than one row at 2024-01-01 04:00:00"),
    "off the grid": (lambda: frame().drop(7).assign(ds=lambda d: d["ds"].mask(d.index == 9, d["ds"] + pd.Timedelta("7min"))), "series 'a' does not keep to freq 'h' at 2024-01-01 09:07:00.*irregular=True"),
    "off the calendar": (lambda: frame(freq="MS").drop(7).assign(ds=lambda d: d["ds"].mask(d.index == 20, d["ds"] + pd.Timedelta("7D"))), "series 'a' does not keep to freq 'MS' at 2025-09-08"),
    "first off the calendar": (lambda: pd.concat([frame(freq="MS").drop(7), frame(3, "MS", "b", "2024-01-31").assign(ds=lambda d: d["ds"].mask(d.index == 0, pd.Timestamp("2024-01-15")))]), "series 'b' does not keep to freq 'MS' at 2024-01-15"),
    "integers off the grid": (lambda: frame().assign(ds=lambda d: 2 * d.index + 3 * (d.index > 9)), "series 'a' does not keep to freq 2 at 23"),
    "infinity": (lambda: frame().assign(y=lambda d: d["y"].mask(d.index == 5, np.inf)), "series 'a' is infinite at 2024-01-01 05:00:00"),
    "no value": (lambda: pd.concat([frame(), frame(name="b").assign(y=np.nan)]), "'y' of series 'b' is missing in every row up to 2024-01-02 05:00:00 .1 such series in all.: drop the series"),
    "a far stray": (lambda: pd.concat([frame(), frame(40, name="b").assign(ds=lambda d: d["ds"].mask(d.index == 0, pd.Timestamp("1970-01-01")))]), "series 'b' has 40 rows and would have 473392 if its gaps were filled .freq 'h'.; the longest is between 1970-01-01 and 2024-01-01 01:00:00"),
    "steps far apart": (lambda: frame().assign(ds=lambda d: d.index + 10**12 * (d.index > 20)), "series 'a' has 30 rows and would have 1000000000030"),
}  # fmt: skip


@pytest.mark.parametrize("case", STILL_REFUSED)
@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_what_filling_does_not_mend(case, missing):
    make, message = STILL_REFUSED[case]
    with pytest.raises(DataError, match=message):
        read_panel(make(), Columns(), missing=missing)


def test_a_covariate_without_any_value():
    rows = shops().assign(price=lambda d: d["price"].where(d["unique_id"] == "a"))
    with pytest.raises(DataError, match="'price' of series 'b' is missing in every row"):
        read_panel(rows, COVARIATES, missing="interpolate")


@pytest.mark.parametrize("freq", ["-1h", "0h", "ns"])
def test_frequencies_that_do_not_go_forward(freq):
    with pytest.raises(DataError, match="is not a step forward"):
        read_panel(frame(), Columns(), freq)


def test_an_integer_step_of_zero():
    with pytest.raises(DataError, match="has to be 1 or more"):
        read_panel([1.0, 2.0], Columns(), 0)


def irregular_frame(tz=None):
    """Two series with steps of mostly 10 minutes."""
    steps = np.array([0, 10, 11, 21, 31, 71, 81])
    times = pd.Timestamp("2024-03-30 22:00", tz="UTC") + pd.to_timedelta(steps, "min")
    times = times.tz_convert(tz) if tz else times.tz_localize(None)
    rows = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(7.0), "price": 1.0})
    return pd.concat([rows, rows.assign(unique_id="b", ds=times + pd.Timedelta("3h")).iloc[:5]], ignore_index=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_irregular_steps(backend, tz):
    rows = irregular_frame(tz)
    utc = rows["ds"] if tz is None else rows["ds"].dt.tz_convert("UTC").dt.tz_localize(None)
    data = BACKENDS[backend](rows.assign(ds=utc).sample(frac=1, random_state=0))
    if tz is not None and backend == "polars":
        data = data.with_columns(pl.col("ds").dt.replace_time_zone("UTC").dt.convert_time_zone(tz))
    elif tz is not None:
        data = rows.sample(frac=1, random_state=0) if backend == "pandas" else data.set_column(
            1, "ds", data["ds"].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz=tz))
        )  # fmt: skip
    columns = Columns(known=("price",))
    panel, form = read_panel(data, columns, irregular=True)
    assert (panel.freq, panel.irregular, panel.tz) == ("600s", True, tz)
    np.testing.assert_array_equal(panel.times, utc.to_numpy("datetime64[us]"))
    ahead = panel.future_times(2)
    np.testing.assert_array_equal(np.diff(ahead), np.timedelta64(10, "m"))
    assert same(panel, read_panel(panel_frame(panel, form, columns), columns, irregular=True)[0])


def test_irregular_integers():
    rows = pd.DataFrame({"unique_id": "a", "ds": [0, 1, 5, 7, 9], "y": [0.0, 1, NAN, NAN, 9]})
    panel, _ = read_panel(rows, Columns(), missing="interpolate", irregular=True)
    assert panel.freq == 2
    assert panel.values.tolist() == [0, 1, 5, 7, 9], "linear in time, not in rows"
    masked, _ = read_panel(rows, Columns(), missing="mask", irregular=True)
    assert masked.values.tolist() == [0, 1, 1, 1, 9]
    assert masked.lengths.tolist() == [5], "no rows for gaps"
    assert panel.head(2).irregular


def test_the_usual_step_may_be_given():
    assert read_panel(irregular_frame(), Columns(), "h", irregular=True)[0].freq == "3600s"
    assert read_panel(irregular_frame(), Columns(), "D", irregular=True)[0].freq == "86400s"
    assert read_panel([1.0], Columns(), 3, irregular=True)[0].freq == 3
    assert read_panel(irregular_frame(), Columns(), "1500ms", irregular=True)[0].freq == "1500000us"


@pytest.mark.parametrize(
    ("rows", "freq", "message"),
    [
        (lambda: pd.concat([irregular_frame(), irregular_frame().iloc[[3]]]), None, "series 'a' has more than one row at 2024-03-30 22:21"),
        (lambda: irregular_frame().iloc[[0, 7]], None, "cannot be told from series of one row each: pass freq="),
        (irregular_frame, "MS", "freq='MS' has no fixed length"),
        (irregular_frame, 1, "freq=1 does not fit a time column of timestamps"),
        (lambda: irregular_frame().assign(y=lambda d: d["y"].where(d["y"] != 3)), None, "'y' of series 'a' is missing"),
    ],
)  # fmt: skip
def test_irregular_series_that_are_refused(rows, freq, message):
    with pytest.raises(DataError, match=message):
        read_panel(rows(), Columns(), freq, irregular=True)


def test_irregular_local_times_may_not_go_back():
    times = pd.to_datetime(["2024-10-25 00:30", "2024-10-26 00:30", "2024-10-27 00:30", "2024-10-27 01:10"], utc=True)
    rows = pd.DataFrame({"unique_id": "a", "ds": times.tz_convert("Europe/Berlin"), "y": 1.0})
    with pytest.raises(DataError, match="the local times of series 'a' go back after 2024-10-27 02:30:00"):
        read_panel(rows, Columns(), irregular=True)
    assert read_panel(rows.assign(ds=times), Columns(), irregular=True)[0].freq == "86400s"


@pytest.fixture
def masked():
    """Two series of 20 and 12 rows with covariates, some values not observed."""
    rows = shops().assign(y=lambda d: d["y"].where(~d.index.isin([0, 3, 19, 22])))
    return read_panel(rows, COVARIATES, missing="mask")[0]


def test_parts_of_a_panel_keep_what_accompanies_the_values(masked):
    for part, rows in (
        (masked.head(5), [*range(15), *range(20, 27)]),
        (masked.tail(4), [*range(16, 20), *range(28, 32)]),
        (masked.rows(np.array([2, 3]), np.array([3, 3])), [2]),
        (masked.select(np.array([1, 0])), [*range(20, 32), *range(20)]),
    ):
        for name in ("values", "times", "observed", "past", "known"):
            np.testing.assert_array_equal(getattr(part, name), getattr(masked, name)[rows])
    assert masked.select(np.array([1])).static.tolist() == [[20.0, "south", "False"]]
    assert masked.tail(4).static is masked.static


def test_padding_repeats_the_first_row(masked):
    padded = masked.padded(14)
    rows = [*range(20), 20, 20, *range(20, 32)]
    for name in ("values", "past", "known"):
        np.testing.assert_array_equal(getattr(padded, name), getattr(masked, name)[rows])
    observed = masked.observed[rows]
    observed[20:22] = False
    np.testing.assert_array_equal(padded.observed, observed)
    assert (np.diff(padded.times)[20:] == np.timedelta64(1, "h")).all()
    monthly, _ = read_panel(pd.concat([frame(4, "MS"), frame(8, "MS", "b")]), Columns(), "MS")
    np.testing.assert_array_equal(
        monthly.padded(6).times[:3], np.array(["2023-11-01", "2023-12-01", "2024-01-01"], "M8[us]")
    )


def test_series_are_extended(masked):
    times, known = masked.future_times(3), np.arange(12.0).reshape(2, 3, 2)
    longer = masked.append(np.array([[1.0, 2, 3], [4, 5, 6]]), times, known)
    assert longer.lengths.tolist() == [23, 15]
    assert same(longer.head(3), masked)
    end = longer.tail(3)
    assert end.values.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(end.times.reshape(2, 3), times)
    np.testing.assert_array_equal(end.known.reshape(2, 3, 2), known)
    np.testing.assert_array_equal(end.past[:, 0], np.repeat([38.0, 22.0], 3))
    assert end.observed.all()
    given = masked.append(
        np.ones((2, 1)), times[:, :1], known[:, :1], np.full((2, 1, 1), 7.0), np.array([[True], [False]])
    )
    assert given.tail(1).past.tolist() == [[7], [7]]
    assert given.tail(1).observed.tolist() == [True, False]


def test_extending_observes_only_if_something_was_not():
    panel, _ = read_panel([1.0, 2.0], Columns())
    assert panel.append(np.ones((1, 2)), panel.future_times(2), None).observed is None
    hidden = panel.append(np.ones((1, 1)), panel.future_times(1), None, observed=np.array([[False]]))
    assert hidden.observed.tolist() == [True, True, False]


def test_panels_are_stacked(masked):
    plain, _ = read_panel(shops(), COVARIATES)
    both = stack([masked.head(4), plain, masked])
    assert both.ids.tolist() == ["a", "b"] * 3
    assert both.lengths.tolist() == [16, 8, 20, 12, 20, 12]
    assert same(both.select(np.array([4, 5])), masked)
    assert both.select(np.array([2, 3])).observed.all()
    assert stack([plain, plain]).observed is None


def test_series_go_on_where_they_ended(masked):
    head = masked.head(4)
    later = masked.tail(4)
    assert same(head.continued(later), masked)
    assert same(head.continued(later.select(np.array([1, 0]))), masked)
    one = head.continued(later.select(np.array([1])))
    assert one.lengths.tolist() == [16, 12]
    assert same(one.select(np.array([1])), masked.select(np.array([1])))


def test_rows_that_do_not_continue_a_panel(masked):
    head = masked.head(4)
    with pytest.raises(
        DataError,
        match="rows of series 'a' overlap the known rows: they begin at 2024-01-01 15:00:00, but should begin at 2024-01-01 16",
    ):
        head.continued(masked.tail(5))
    with pytest.raises(
        DataError, match="rows of series 'b' leave a gap after 2024-02-01 07:00:00: they begin at 2024-02-01 09:00:00"
    ):
        head.continued(masked.tail(3).select(np.array([1])))
    other, _ = read_panel(frame(name="c"), Columns())
    with pytest.raises(DataError, match="series 'c' is not in the training data"):
        head.continued(other)
    moved, _ = read_panel(shops().assign(region="west"), COVARIATES)
    with pytest.raises(
        DataError, match=r"static covariates of series 'a' are \[10.0, 'west', 'True'\], but were \[10.0, 'north'"
    ):
        head.continued(moved.tail(4))
    zoned, _ = read_panel(shops().assign(ds=lambda d: d["ds"].dt.tz_localize("UTC")), COVARIATES)
    with pytest.raises(
        DataError,
        match="the times are timestamps in the time zone UTC, but those of the training data are timestamps without",
    ):
        head.continued(zoned.tail(4))
    loose, _ = read_panel(irregular_frame(), Columns(), irregular=True)
    assert loose.head(2).continued(loose.tail(1)).lengths.tolist() == [6, 4]
    with pytest.raises(DataError, match="series 'a' overlap .* should begin later than 2024-03-30 22:31:00"):
        loose.head(2).continued(loose.tail(3))


def test_gaps_of_more_rows_than_memory_holds(monkeypatch):
    monkeypatch.setattr("lstmzoo.preprocessing.frequency._MOST_ROWS", 50)
    steps = np.arange(30)
    frames = [frame(name=name).assign(ds=steps + more * (steps > 20)) for name, more in (("a", 9), ("b", 60))]
    rows = pd.concat(frames)
    with pytest.raises(DataError, match="series 'b' has 30 rows and would have 90 .*the longest is between 20 and 81"):
        read_panel(rows, Columns(), missing="mask")
    assert len(read_panel(rows[rows["unique_id"] == "a"], Columns(), missing="mask")[0].values) == 39


@pytest.mark.parametrize(
    ("freq", "shorter"),
    [("h", True), ("36h", True), ("15min", True), ("D", False), ("24h", False), ("MS", False), (1, False)],
)
def test_steps_shorter_than_a_day(freq, shorter):
    assert is_shorter_than_a_day(freq) == shorter


@pytest.mark.parametrize(
    ("time", "text"),
    [(np.datetime64("2024-01-31"), "2024-01-31"), (np.datetime64("2024-01-31T06:00"), "2024-01-31 06:00:00"), (7, "7")],
)
def test_times_as_text(time, text):
    assert time_text(time) == text


def test_what_is_kept_is_filled_by_what_was_not_cut_off():
    rows = pd.concat([frame(7).assign(y=HOLES, p=HOLES, x=HOLES), frame(5, name="b").assign(p=1.0, x=1.0)])
    columns = Columns(past=("p",), known=("x",))
    panel, form = read_panel(rows, columns, missing="keep")
    assert panel.observed is None
    np.testing.assert_array_equal(panel.series(0), HOLES)
    pd.testing.assert_frame_equal(panel_frame(panel, form, columns), rows.reset_index(drop=True))
    for missing in ("mask", "interpolate"):
        assert same(filled(panel, missing, columns), read_panel(rows, columns, missing=missing)[0])
        head = filled(panel.head(2), missing, columns)
        assert head.series(0).tolist() == head.past[:5, 0].tolist() == head.known[:5, 0].tolist() == [2] * 5
        known = with_known_filled(panel, missing, columns)
        np.testing.assert_array_equal(known.known, filled(panel, missing, columns).known)
        assert same(replace(known, known=panel.known), panel)
    with pytest.raises(DataError, match="'y' of series 'a' is missing in every row up to 2024-01-01 01:00:00"):
        filled(panel.head(5), "mask", columns)


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@given(st.integers(1, 9), st.lists(st.booleans(), min_size=30, max_size=30))
@settings(max_examples=30, deadline=None)
def test_what_is_held_out_is_not_seen(missing, held_out, there):
    rows = pd.concat([frame(15), frame(15, name="b")], ignore_index=True).assign(p=np.arange(30.0) ** 2)
    there = np.array(there) | (rows.index % 15 == 3)
    holes = rows.assign(y=rows["y"].where(there), p=rows["p"].where(there))
    panel, _ = read_panel(holes, Columns(past=("p",)), missing="keep")
    apart = filled(panel, missing, Columns(past=("p",)), held_out)
    assert same(apart.head(held_out), filled(panel.head(held_out), missing, Columns(past=("p",)))) or there.all()
    np.testing.assert_array_equal(apart.observed if apart.observed is not None else True, there)
    assert not np.isnan(apart.values).any()
    for more in range(held_out):  # each step is as if nothing came after it
        until = filled(panel.head(more), missing, Columns(past=("p",)), held_out - more)
        np.testing.assert_array_equal(until.values, apart.head(more).values)
        np.testing.assert_array_equal(until.past, apart.head(more).past)


def test_series_shorter_than_what_is_held_out():
    panel, _ = read_panel(pd.concat([frame(7).assign(y=HOLES), frame(3, name="b")]), Columns(), missing="keep")
    apart = filled(panel, "interpolate", Columns(), 4)
    assert apart.lengths.tolist() == [7, 3]
    assert apart.values.tolist() == [2, 2, 2, 2, 2, 8, 8, 0, 1, 2]


@pytest.mark.parametrize(
    ("missing", "given", "expected"),
    [
        ("mask", [NAN, 99.0], [1, 8.5, 8.5, 99]),
        ("mask", [NAN], [1, 8.5, 8.5]),
        ("interpolate", [NAN, 10.5], [1, 8.5, 9.5, 10.5]),
        ("interpolate", [NAN], [1, 8.5, 8.5]),
    ],
)
def test_what_goes_on_is_filled_by_what_was_there(missing, given, expected):
    panel, _ = read_panel([1.0, 8.5], Columns())
    new, _ = read_panel(given, Columns(), missing="keep", after=panel)
    longer = continued(panel, new, Columns(), missing=missing)
    assert longer.values.tolist() == expected
    assert longer.observed.tolist() == [True, True, *~np.isnan(given)]


@pytest.mark.parametrize("freq", ["h", "MS", "steps"])
@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@pytest.mark.parametrize("until", [4, 7, 10])
def test_going_on_is_as_if_it_had_always_been_there(freq, missing, until):
    """Gaps or missing values before, at or after the first new row."""
    rows = pd.concat([frame(12, "MS" if freq == "MS" else "h", name) for name in "ab"], ignore_index=True)
    rows = rows.assign(ds=rows.index % 12 if freq == "steps" else rows["ds"], x=rows["y"] * 2)
    rows = rows.assign(y=rows["y"].where(~rows.index.isin([2, 6, 7]))).drop(index=[8, 15, 16, 17])
    columns, step = Columns(known=("x",)), 1 if freq == "steps" else freq
    place = rows.index % 12
    old, _ = read_panel(rows[place < until], columns, step, missing=missing)
    new, _ = read_panel(rows[place >= until], columns, step, missing="keep")
    whole, _ = read_panel(rows, columns, step, missing=missing)
    assert same(continued(old, new, columns, missing=missing), whole)


def test_going_on_over_a_gap_of_irregular_steps():
    rows = pd.DataFrame({"unique_id": "a", "ds": [0, 1, 5, 7, 9], "y": [0.0, 1, NAN, NAN, 9]})
    old, _ = read_panel(rows[:3], Columns(), 2, missing="interpolate", irregular=True)
    new, _ = read_panel(rows[3:], Columns(), 2, missing="keep", irregular=True)
    longer = continued(old, new, Columns(), missing="interpolate")
    assert longer.values.tolist() == [0, 1, 5, 7, 9]
    assert longer.times.tolist() == [0, 1, 5, 7, 9]


def test_a_gap_before_what_goes_on_is_refused_with_a_way_out():
    old, _ = read_panel(frame(9), Columns())
    new, _ = read_panel(frame(15)[10:], Columns())
    with pytest.raises(DataError, match="leave a gap after .*add the rows between, or fit with missing='mask' or"):
        continued(old, new, Columns(), missing="error")
    with pytest.raises(DataError, match="overlap the known rows: .*drop them"):
        continued(old, read_panel(frame(15)[8:], Columns())[0], Columns(), missing="mask")


@pytest.mark.parametrize("make", [np.array, list, pl.Series])
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
@pytest.mark.parametrize("freq", ["h", "D", "MS", "steps"])
def test_what_has_no_times_goes_on_at_the_next_step(make, tz, freq):
    index = pd.RangeIndex(3, 43, 4) if freq == "steps" else pd.date_range("2024-10-20", periods=10, freq=freq, tz=tz)
    whole, _ = read_panel(pd.Series(np.arange(10.0), index=index), Columns())
    old = whole.head(4)
    new, _ = read_panel(make([6.0, 7.0, 8.0, 9.0]), Columns(), whole.freq, after=old)
    assert same(old.continued(new), whole)


def test_steps_have_a_fixed_length_or_none():
    assert fixed_step(3) == 3
    assert [fixed_step(freq) for freq in ("h", "15min", "2D")] == [np.timedelta64(n, "m") for n in (60, 15, 2880)]
    assert fixed_step("MS") is None


@pytest.mark.parametrize("irregular", [False, True])
def test_the_frequency_may_be_a_number_of_numpys(irregular):
    steps = pd.DataFrame({"ds": [0, 2, 4], "y": [1.0, 2.0, 3.0]})
    panel, _ = read_panel(steps, Columns(None), np.int64(2), irregular=irregular)
    assert (type(panel.freq), panel.freq) == (int, 2)
    with pytest.raises(DataError, match="an integer step has to be 1 or more"):
        read_panel(steps, Columns(None), np.int64(0))


def test_past_covariates_are_filled_by_what_was_known():
    rows = pd.DataFrame({"ds": range(4), "y": [0.0, np.nan, np.nan, 3.0], "p": [0.0, np.nan, np.nan, 3.0]})
    panel, _ = read_panel(rows, Columns(None, past=("p",)), missing="interpolate")
    assert panel.values.tolist() == [0, 1, 2, 3]
    assert panel.past[:, 0].tolist() == [0, 0, 0, 3]


def test_a_lazy_frame_is_to_be_collected():
    with pytest.raises(DataError, match="got LazyFrame: collect it first"):
        read_panel(pl.LazyFrame({"ds": [1], "y": [1.0]}), Columns(None))
