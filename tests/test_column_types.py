"""Results have the user's types of ids and times: for each type and method, they can be joined with the user's frame."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lstmzoo
from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.cli.tasks.forecasting.frames import as_frame
from lstmzoo.errors import ConfigError, DataError, SavedModelError
from lstmzoo.estimators.forecasting.panel_state import panel_state, restored_panel
from lstmzoo.preprocessing import Columns, eager_frame, plain_times_of, read_panel, user_time

pytestmark = pytest.mark.usefixtures("eagerly")

DAYS, HORIZON = 20, 2
STAMPS = pd.date_range("2024-03-20", periods=DAYS, freq="D", unit="us")  # clocks change in Berlin within them
AWARE = STAMPS.tz_localize("Europe/Berlin")


def text(form, times=STAMPS):
    return [time.strftime(form) for time in times]


PANDAS_TIMES = {
    **{f"datetime64[{unit}]": pd.Series(STAMPS.as_unit(unit)) for unit in ("s", "ms", "us", "ns")},
    "time zone, ns": pd.Series(AWARE.as_unit("ns")),
    "UTC, ms": pd.Series(STAMPS.tz_localize("UTC").as_unit("ms")),
    "fixed offset": pd.Series(STAMPS.tz_localize("UTC+01:00")),
    "arrow": pd.Series(STAMPS).astype("timestamp[us][pyarrow]"),
    "arrow, time zone": pd.Series(AWARE).astype("timestamp[ms, tz=Europe/Berlin][pyarrow]"),
    "arrow dates": pd.Series(STAMPS).astype("timestamp[us][pyarrow]").astype("date32[pyarrow]"),
    "Timestamps": pd.Series(list(AWARE), dtype=object),
    "datetimes": pd.Series(list(STAMPS.to_pydatetime()), dtype=object),
    "dates": pd.Series([time.date() for time in STAMPS], dtype=object),
    "periods": pd.Series(STAMPS.to_period("D")),
    "int8": pd.Series(np.arange(DAYS, dtype=np.int8)),
    "Int64": pd.Series(np.arange(DAYS)).astype("Int64"),
    "arrow integers": pd.Series(np.arange(DAYS)).astype("int32[pyarrow]"),
    "text": pd.Series(text("%Y-%m-%d")),
    "text of seconds": pd.Series(text("%Y-%m-%d %H:%M:%S")).astype(object),
    "text in UTC": pd.Series(text("%Y-%m-%dT%H:%MZ")).astype("string[pyarrow]"),
    "text with an offset": pd.Series(text("%Y-%m-%dT%H:%M:%S+05:30")).astype("string[python]"),
    "text of months": pd.Series(text("%Y-%m", pd.date_range("2022-01", periods=DAYS, freq="MS"))),
    "text of numbers": pd.Series([str(2000 + i) for i in range(DAYS)]),
    "mid-month": pd.Series(pd.date_range("2022-01-01", periods=DAYS, freq="MS") + pd.Timedelta("14D")),
}
PANDAS_IDS = {
    "object": pd.Series(["b", "a"], dtype=object),
    "str": pd.Series(["b", "a"], dtype="str"),
    "string[python]": pd.Series(["b", "a"], dtype="string[python]"),
    "string[pyarrow]": pd.Series(["b", "a"], dtype="string[pyarrow]"),
    "arrow": pd.Series(["b", "a"]).astype(pd.ArrowDtype(pa.large_string())),
    "categories": pd.Series(["b", "a"], dtype=pd.CategoricalDtype(["c", "b", "a"])),
    "ordered categories": pd.Series([2, 1], dtype=pd.CategoricalDtype([2, 3, 1], ordered=True)),
    "int8": pd.Series([2, 1], dtype="int8"),
    "UInt32": pd.Series([2, 1], dtype="UInt32"),
    "arrow integers": pd.Series([2, 1], dtype="int16[pyarrow]"),
}
UTC = pl.Series(AWARE.tz_convert("UTC").tz_localize(None).to_numpy())
POLARS_TIMES = {
    **{f"Datetime({unit})": pl.Series(STAMPS.to_numpy()).cast(pl.Datetime(unit)) for unit in ("ms", "us", "ns")},
    "time zone": UTC.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "Date": pl.Series(STAMPS.to_numpy()).cast(pl.Date),
    "Int16": pl.Series(range(DAYS), dtype=pl.Int16),
    "text": pl.Series(text("%Y-%m-%dT%H:%M")),
}
POLARS_IDS = {
    "String": pl.Series(["b", "a"]),
    "Categorical": pl.Series(["b", "a"], dtype=pl.Categorical),
    "named Categorical": pl.Series(["b", "a"], dtype=pl.Categorical(pl.Categories("shops", physical=pl.UInt8))),
    "Enum": pl.Series(["b", "a"], dtype=pl.Enum(["c", "b", "a"])),
    "UInt8": pl.Series([2, 1], dtype=pl.UInt8),
}
ARROW_TIMES = {
    **{f"timestamp({unit})": pa.array(STAMPS.to_numpy()).cast(pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")},
    "time zone": pa.array(UTC.to_numpy()).cast(pa.timestamp("ms", tz="Europe/Berlin")),
    "date32": pa.array(STAMPS.to_numpy()).cast(pa.date32()),
    "date64": pa.array(STAMPS.to_numpy()).cast(pa.date64()),
    "int32": pa.array(range(DAYS), pa.int32()),
    "text": pa.array(text("%Y-%m-%d")),
}
ARROW_IDS = {
    "string": pa.array(["b", "a"]),
    "large_string": pa.array(["b", "a"], pa.large_string()),
    "dictionary": pa.array(["b", "a"]).dictionary_encode(),
    "int8": pa.array([2, 1], pa.int8()),
}
ROWS = np.repeat([0, 1], DAYS), np.tile(np.arange(DAYS), 2)
VALUES = {"y": np.arange(2.0 * DAYS), "price": np.arange(2.0 * DAYS) % 3}


def pandas_frame(ids, times):
    columns = {"id": ids.iloc[ROWS[0]].reset_index(drop=True), "time": times.iloc[ROWS[1]].reset_index(drop=True)}
    return pd.DataFrame({**columns, **VALUES})


FRAMES = {
    **{("pandas", "str", time): pandas_frame(PANDAS_IDS["str"], times) for time, times in PANDAS_TIMES.items()},
    **{("pandas", name, "int8"): pandas_frame(ids, PANDAS_TIMES["int8"]) for name, ids in PANDAS_IDS.items()},
    **{
        ("polars", name, time): pl.DataFrame({"id": ids[ROWS[0]], "time": times[ROWS[1]], **VALUES})
        for name, ids in POLARS_IDS.items()
        for time, times in POLARS_TIMES.items()
        if "String" in name or "Int" in time
    },
    **{
        ("pyarrow", name, time): pa.table({"id": ids.take(ROWS[0]), "time": times.take(ROWS[1]), **VALUES})
        for name, ids in ARROW_IDS.items()
        for time, times in ARROW_TIMES.items()
        if name == "string" or "int" in time
    },
}
COLUMNS = {"id_col": "id", "time_col": "time", "target_col": "y"}


def without_last(frame, steps):
    keep = np.flatnonzero(ROWS[1] < DAYS - steps)
    return (
        frame.iloc[keep]
        if isinstance(frame, pd.DataFrame)
        else frame.take(keep)
        if isinstance(frame, pa.Table)
        else frame[keep]
    )


def types_of(frame):
    """The data types of ids and times, for any library."""
    if isinstance(frame, pa.Table):
        return [frame.schema.field(name).type for name in ("id", "time")]
    types = [frame[name].dtype for name in ("id", "time")]
    return types + [type(frame[name].iloc[0]) for name in ("id", "time")] if isinstance(frame, pd.DataFrame) else types


def joined(answer, frame):
    """Join rows of the result with rows of the frame by id and time, as the library compares them."""
    assert types_of(answer) == types_of(frame)
    if isinstance(frame, pd.DataFrame):
        return answer.merge(frame, on=["id", "time"], suffixes=("_answered", ""), validate="many_to_one")
    if isinstance(frame, pl.DataFrame):
        return answer.join(frame, on=["id", "time"], suffix="_right")
    plain = [
        table.set_column(0, "id", table["id"].cast(pa.string())) for table in (answer, frame)
    ]  # pyarrow cannot join dictionaries
    return plain[0].join(plain[1], ["id", "time"], join_type="inner", right_suffix="_right")


def filled(future):
    prices = np.ones(len(future))
    if isinstance(future, pd.DataFrame):
        return future.assign(price=prices)
    if isinstance(future, pl.DataFrame):
        return future.with_columns(price=pl.Series(prices))
    return future.set_column(2, "price", pa.array(prices))


@pytest.mark.parametrize("key", FRAMES, ids=" ".join)
def test_answers_are_joined_to_the_frame(key, tmp_path):
    frame = FRAMES[key]
    past, count = without_last(frame, HORIZON), 2 * HORIZON
    baseline = BaselineForecaster("naive", horizon=HORIZON, **COLUMNS, future_covariates=["price"]).fit(past)
    assert len(joined(baseline.predict(), frame)) == count
    assert len(joined(baseline.make_future_frame(), frame)) == count
    assert len(joined(baseline.predict(future=filled(baseline.make_future_frame())), frame)) == count
    backtest = baseline.cross_validation(frame, n_windows=2)
    assert len(joined(backtest, frame)) == 2 * count
    cutoff = backtest.schema.field("cutoff").type if isinstance(backtest, pa.Table) else backtest["cutoff"].dtype
    assert cutoff == types_of(frame)[1]
    assert len(joined(baseline.residuals(frame), frame)) == 2 * (DAYS - 1)
    baseline.save(tmp_path / "model")
    again = lstmzoo.load(tmp_path / "model")
    assert len(joined(again.predict(), frame)) == count
    assert len(baseline.plot_backtest(backtest).axes) == 2


@pytest.fixture(scope="module")
def fitted(tiny):
    settings = {"units": 4, "epochs": 1, "steps_per_epoch": 2}
    parameters = {**tiny, "model": "gru", "horizon": HORIZON, "lookback": 4, "hyperparameters": settings}
    frame = pandas_frame(PANDAS_IDS["str"], pd.Series(STAMPS))
    return Forecaster(**parameters, **COLUMNS, quantiles=[0.1, 0.9], season_length=1).fit(without_last(frame, HORIZON))


WITHOUT_ZONE = [
    *(
        ("pandas", "str", name)
        for name in ("datetime64[s]", "datetime64[ns]", "arrow", "arrow dates", "datetimes", "dates")
    ),
    *(("pandas", "str", name) for name in ("periods", "text", "text of seconds")),
    *(("polars", "String", name) for name in ("Datetime(ms)", "Datetime(ns)", "Date", "text")),
    *(("pyarrow", "string", name) for name in ("timestamp(s)", "timestamp(ns)", "date32", "date64", "text")),
]


@pytest.mark.parametrize("key", WITHOUT_ZONE, ids=" ".join)
def test_a_history_is_answered_in_its_own_types(fitted, key):
    frame = FRAMES[key]
    history = without_last(frame, HORIZON)
    for answer in (fitted.predict(history=history), fitted.sample_paths(3, history=history)):
        assert len(joined(answer, frame)) == 2 * HORIZON
    expected = fitted.predict()
    np.testing.assert_allclose(np.asarray(fitted.predict(history=history)["y_hat"]), expected["y_hat"], rtol=1e-5)


def test_a_stream_tells_and_takes_times_as_the_user_has_them(fitted):
    for name in ("periods", "text", "dates", "datetimes", "arrow"):
        frame = FRAMES["pandas", "str", name]
        one = without_last(frame, HORIZON).query("id == 'a'")
        stream = fitted.stream(history=one)
        assert stream.next_time == frame["time"].iloc[DAYS - HORIZON]
        assert type(stream.next_time) is type(frame["time"].iloc[0])
        assert stream.update(1.0, time=stream.next_time).shape == (HORIZON, 3)


INDEXES = {
    "timestamps": (None, pd.DatetimeIndex(STAMPS)),
    "named, ns": (None, pd.DatetimeIndex(STAMPS.as_unit("ns"), name="date")),
    "periods": (None, pd.PeriodIndex(pd.period_range("2020-01", periods=DAYS, freq="M"), name="month")),
    "text": (None, pd.Index(text("%Y-%m-%d"), name="time")),
    "levels": ("id", pd.MultiIndex.from_product([["b", "a"], STAMPS])),
    "named levels": ("id", pd.MultiIndex.from_product([STAMPS, ["b", "a"]], names=["time", "id"])),
    "levels of periods": ("id", pd.MultiIndex.from_product([["b", "a"], STAMPS.to_period("D")], names=["shop", "day"])),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_of_ids_and_times_is_answered(name, tmp_path):
    id_col, index = INDEXES[name]
    frame = pd.DataFrame({"y": np.arange(float(len(index))), "price": 1.0}, index=index)
    times = index.get_level_values("time" if "time" in index.names else -1)
    past = frame[times <= sorted(set(times))[-HORIZON - 1]]
    columns = {**COLUMNS, "id_col": id_col, "future_covariates": ["price"]}
    baseline = BaselineForecaster("naive", horizon=HORIZON, **columns).fit(past)
    baseline.save(tmp_path / "model")
    for answer in (baseline.predict(), lstmzoo.load(tmp_path / "model").predict(), baseline.make_future_frame()):
        assert answer.index.names == frame.index.names
        assert answer.index.dtype == frame.index.dtype
        assert len(frame.rename(columns=str.upper).join(answer, how="inner")) == HORIZON * (2 if id_col else 1)
    assert list(baseline.predict(future=baseline.make_future_frame().assign(price=1.0))) == ["y_hat"]
    backtest = baseline.cross_validation(frame, n_windows=2)
    assert backtest.index.isin(frame.index).all()
    assert list(backtest) == ["y", "cutoff", "y_hat"]
    assert baseline.plot_backtest(backtest).axes
    assert baseline.score(frame) < 0
    levels = ["unique_id", "ds"] if id_col else ["ds"]
    names = [name or usual for name, usual in zip(frame.index.names, levels, strict=True)]
    assert list(as_frame(baseline.predict())) == [*names, "y_hat"]  # what the command line prints


@pytest.mark.parametrize(
    "index", [pd.period_range("2020-01", periods=DAYS, freq="M", name="month"), STAMPS.date, text("%Y-%m-%d")], ids=str
)
def test_a_series_is_answered_with_an_index_like_its_own(index):
    series = pd.Series(np.arange(float(DAYS)), index=index)
    answer = BaselineForecaster("naive", horizon=HORIZON).fit(series.iloc[:-HORIZON]).predict()
    assert answer.index.equals(series.index[-HORIZON:])
    assert (answer.index.dtype, answer.index.name) == (series.index.dtype, series.index.name)


def test_a_frame_whose_index_is_no_time_needs_the_column():
    frame = pd.DataFrame({"y": np.arange(float(DAYS))}, index=np.arange(DAYS) + 5)
    with pytest.raises(DataError, match="column 'ds' is missing"):
        BaselineForecaster("naive", horizon=1, id_col=None).fit(frame)


MONTHS = {
    "MS+14D": pd.date_range("2021-01-01", periods=40, freq="MS") + pd.Timedelta("14D"),
    "3MS+13D": pd.date_range("2015-02-01", periods=40, freq="3MS") + pd.Timedelta("13D"),
    "12MS+27D": pd.date_range("1980-02-01", periods=40, freq="12MS") + pd.Timedelta("27D 12h"),
}


@pytest.mark.parametrize("freq", MONTHS)
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_a_day_within_the_month_is_a_frequency(freq, missing):
    times = MONTHS[freq]
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.arange(40.0)})
    past = frame[:-3] if missing == "error" else frame[:-3].drop(index=[7, 8, 15])
    baseline = BaselineForecaster("seasonal_naive", horizon=3, missing=missing).fit(past)
    assert baseline.tail_.freq == freq
    assert baseline.season_length_ == {"MS+14D": 12, "3MS+13D": 4, "12MS+27D": 1}[freq]
    assert baseline.predict()["ds"].tolist() == times[-3:].tolist()
    given = BaselineForecaster("naive", horizon=3, freq=freq, missing=missing).fit(past[:2])
    assert given.predict()["ds"].tolist() == times[2:5].tolist()
    assert baseline.tail_.padded(50).times[0] == np.datetime64(
        times[0] - pd.DateOffset(months=13 * (int(freq.split("M")[0] or 1)))
    )


def test_other_days_of_the_month_are_refused():
    frame = pd.DataFrame({"unique_id": "a", "ds": MONTHS["MS+14D"], "y": 1.0})
    with pytest.raises(DataError, match=r"series 'a' has 'MS\+14D', not the freq 'MS' that is expected"):
        BaselineForecaster("naive", horizon=3, freq="MS").fit(frame)
    other = frame.assign(unique_id="b", ds=frame["ds"] + pd.Timedelta("1D"))
    with pytest.raises(DataError, match="series 'b' has the time 2021-01-16, which is not on day 15 of the month"):
        BaselineForecaster("naive", horizon=3).fit(pd.concat([frame, other]))
    with pytest.raises(DataError, match="series 'a' has a gap: nothing between 2021-04-15 and 2021-06-15"):
        BaselineForecaster("naive", horizon=3).fit(frame.drop(index=4))
    with pytest.raises(
        DataError, match=r"freq='MS\+31D' is not a pandas frequency; .*'MS\+14D' for the 15th of each month"
    ):
        BaselineForecaster("naive", horizon=3, freq="MS+31D").fit(frame)


def test_text_is_written_finer_where_it_has_to_be():
    frame = pd.DataFrame({"unique_id": "a", "ds": ["2024-01-01", "2024-01-02"], "y": 1.0})
    baseline = BaselineForecaster("naive", horizon=2, freq="12h", missing="mask").fit(frame)
    assert baseline.predict()["ds"].tolist() == ["2024-01-02T12", "2024-01-03T00"]


@pytest.mark.parametrize(("times", "message"), [
    (pd.Series(np.arange(100, 126, dtype=np.int8)), "column 'ds' is int8, which cannot hold 128: convert it to int64"),
    (pd.Series(STAMPS.date, dtype=object), "column 'ds' .* cannot hold 2024-04-08 12:00:00: convert it to timestamps"),
])  # fmt: skip
def test_a_type_too_narrow_for_the_answer_is_refused(times, message):
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0})
    freq = None if times.dtype.kind == "i" else "12h"
    baseline = BaselineForecaster("naive", horizon=3, freq=freq, missing="mask").fit(frame)
    with pytest.raises(DataError, match=message):
        baseline.predict()


HISTORIES = {
    "whole numbers": (
        lambda f: f.assign(ds=range(DAYS)),
        "column 'ds' holds integers, but the training data have timestamps without a time zone: pass times of that kind",
    ),
    "an array": (
        lambda f: np.arange(9.0),
        "an array without times has integers, but the training data have timestamps",
    ),
    "a series": (
        lambda f: f.set_index(f["ds"].dt.tz_localize("UTC"))["y"],
        "the index holds timestamps in the time zone UTC, but the training data have timestamps without",
    ),
}


@pytest.mark.parametrize("irregular", [False, True])
@pytest.mark.parametrize("case", HISTORIES)
def test_a_history_with_times_of_another_kind_is_refused(case, irregular):
    change, message = HISTORIES[case]
    frame = pd.DataFrame({"unique_id": "a", "ds": STAMPS, "y": 1.0})
    baseline = BaselineForecaster("naive", horizon=2, irregular=irregular).fit(frame)
    with pytest.raises(DataError, match=message):
        baseline.predict(history=change(frame))


def test_a_score_does_not_overwrite_the_ids():
    frame = pd.DataFrame({"mase": "a", "ds": STAMPS, "y": np.arange(float(DAYS))})
    with pytest.raises(ConfigError, match="id_col: 'mase' is also the name of a score: rename"):
        BaselineForecaster("naive", horizon=2, id_col="mase").fit(frame).evaluate(frame)


def test_a_data_type_that_was_tampered_with_is_refused(tmp_path):
    frame = FRAMES["pandas", "str", "datetime64[s]"]
    baseline = BaselineForecaster("naive", horizon=HORIZON, **COLUMNS).fit(frame)
    for backend in ("pandas", "polars", "pyarrow"):
        for dtype in ({"name": "no_type"}, {"name": "category"}, {}, "datetime64[s]"):
            document, arrays = panel_state(baseline.tail_, baseline.form_)
            document["form"] = {**document["form"], "backend": backend, "time": dtype}
            with pytest.raises(SavedModelError, match="is not a data type of"):
                restored_panel(document, arrays, baseline.params_.columns)


def test_times_of_any_type_are_read_and_written_alike():
    for key in (("pandas", "str", "time zone, ns"), ("pandas", "str", "periods"), ("polars", "String", "text")):
        frame, index = eager_frame(FRAMES[key], Columns("id", "time"))
        assert index is None
        plain = plain_times_of(frame, "time")
        assert (np.asarray(plain[:DAYS]) == (AWARE.tz_convert("UTC") if "zone" in key[2] else STAMPS).to_numpy()).all()
        panel, form = read_panel(FRAMES[key], Columns("id", "time"))
        assert user_time(panel.times[3], panel, form) == FRAMES[key]["time"][3]


def test_residuals_of_a_target_of_any_name():
    frame = pd.DataFrame({"id": "a", "time": STAMPS, "series": np.arange(float(DAYS))})
    columns = {"id_col": "id", "time_col": "time", "target_col": "series"}
    left = BaselineForecaster("naive", horizon=2, **columns).fit(frame).residuals(frame)
    assert left["series"].tolist() == frame["series"].tolist()[1:]
    assert (left["residual"] == 1).all()
