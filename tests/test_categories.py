"""Categorical covariates, and public holidays."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lstmzoo
from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.cli.tasks.forecasting.frames import read_frame, read_future, read_history
from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.estimators.forecasting.panel_state import panel_state, restored_panel
from lstmzoo.preprocessing import Channels, Columns, check_calendar, panel_frame, read_panel

pytestmark = pytest.mark.usefixtures("eagerly")

COLUMNS = Columns(past=("weather",), known=("promo", "price"))
NAMES = {"past_covariates": ["weather"], "future_covariates": ["promo", "price"]}
SETTINGS = {"units": 8, "epochs": 4, "learning_rate": 1e-2}


def shops(n=40):
    """Two series with a categorical past covariate and a categorical future covariate."""
    rows = np.arange(2 * n)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(["a", "b"], n),
            "ds": np.tile(pd.date_range("2024-01-01", periods=n, freq="D", unit="us"), 2),
            "y": np.sin(rows) + 5,
            "weather": np.array(["sun", "rain"])[rows % 2],
            "promo": np.array(["none", "poster", "radio"])[rows % 3],
            "price": rows % 4 + 0.5,
        }
    )


@pytest.fixture(scope="module")
def fitted():
    common = {"horizon": 3, "lookback": 6, "season_length": 1, "random_state": 0, "verbose": 0}
    return Forecaster("gru", **common, **NAMES, hyperparameters=SETTINGS).fit(shops())


def ahead(forecaster, promo="radio", **arguments):
    return forecaster.make_future_frame(**arguments).assign(promo=promo, price=1.5)


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")
def test_categories_that_are_missing_stay_missing():
    frame = shops().assign(weather=lambda f: f["weather"].where(f.index != 1))
    panel, form = read_panel(frame, COLUMNS, missing="keep")
    for inferred in (True, False):  # text of pandas 3, and of pandas 2
        with pd.option_context("future.infer_string", inferred):
            weather = panel_frame(panel, form, COLUMNS)["weather"]
        assert weather.isna().tolist() == [i == 1 for i in range(80)]
        assert set(weather.dropna()) == {"sun", "rain"}


def test_a_description_that_was_numbers_and_is_text_is_named():
    columns, frame = Columns(static=("size",)), shops().assign(size=1.0)
    channels = Channels(static=columns.static).fit(read_panel(frame, columns)[0])
    wrong, _ = read_panel(frame.assign(size=np.where(frame["unique_id"] == "b", "large", "small")), columns)
    with pytest.raises(
        DataError, match="'size' of series 'a' is 'small', but was a number in training: make it a number"
    ):
        channels.static(wrong)


KINDS = {
    "text": lambda f: f,
    "objects": lambda f: f.assign(promo=f["promo"].astype(object)),
    "categories": lambda f: f.assign(promo=f["promo"].astype(pd.CategoricalDtype(["radio", "x", "poster", "none"]))),
    "polars": pl.from_pandas,
    "polars Categorical": lambda f: pl.from_pandas(f).with_columns(pl.col("promo").cast(pl.Categorical)),
    "polars Enum": lambda f: pl.from_pandas(f).with_columns(pl.col("promo").cast(pl.Enum(["radio", "poster", "none"]))),
    "pyarrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    "pyarrow dictionary": lambda f: pa.Table.from_pandas(f.assign(promo=f["promo"].astype("category")), preserve_index=False),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_categories_are_read_from_text_of_any_kind(kind):
    rows = shops()
    panel, form = read_panel(KINDS[kind](rows.sample(frac=1, random_state=0)), COLUMNS)
    assert panel.labels == {"weather": ["rain", "sun"], "promo": ["none", "poster", "radio"]}
    assert [panel.labels["promo"][int(code)] for code in panel.known[:, 0]] == rows["promo"].tolist()
    again, _ = read_panel(panel_frame(panel, form, COLUMNS), COLUMNS)
    np.testing.assert_array_equal(again.known, panel.known)
    channels = Channels(known=["promo", "price"], past=["weather"]).fit(panel)
    assert (channels.num_known_, channels.num_past_) == (4, 2)
    np.testing.assert_array_equal(
        channels.known_channels(panel)[:, :3], pd.get_dummies(rows["promo"]).to_numpy(dtype=float)
    )
    np.testing.assert_array_equal(channels.past_channels(panel), pd.get_dummies(rows["weather"]).to_numpy(dtype=float))


def test_integers_as_categories_are_text():
    rows = shops().assign(promo=pd.Series(np.arange(80) % 3).astype("category"))
    assert read_panel(rows, COLUMNS)[0].labels["promo"] == ["0", "1", "2"]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_missing_categories_are_the_last_one(missing):
    rows = shops(10)
    rows.loc[[3, 4], ["promo", "weather"]] = None
    panel, form = read_panel(rows.drop(index=[5]), COLUMNS, missing=missing)
    assert [panel.labels["promo"][int(code)] for code in panel.known[:7, 0]] == [
        "none",
        "poster",
        "radio",
        "radio",
        "radio",
        "radio",
        "none",
    ]
    assert panel_frame(panel, form, COLUMNS)["weather"][3:6].tolist() == ["sun", "sun", "sun"] or missing == "mask"
    kept, form = read_panel(rows, COLUMNS, missing="keep")
    assert panel_frame(kept, form, COLUMNS)["promo"].isna().sum() == 2
    with pytest.raises(DataError, match="'weather' of series 'a' is missing .NaN. at 2024-01-04"):
        read_panel(rows, COLUMNS)


def test_the_digest_depends_on_labels():
    rows = shops()
    baseline = BaselineForecaster("naive", horizon=3, **NAMES)
    assert baseline.data_digest(rows) == baseline.data_digest(rows.sample(frac=1, random_state=1))
    assert baseline.data_digest(rows) != baseline.data_digest(rows.replace({"promo": {"radio": "tv"}}))


@pytest.mark.traced
def test_a_category_of_the_future_is_used():
    rng = np.random.default_rng(0)
    kinds = rng.choice(["down", "same", "up"], 400)
    y = 3 * pd.Series(kinds).map({"down": -1.0, "same": 0.0, "up": 1.0}) + 0.1 * rng.normal(size=400)
    rows = pd.DataFrame({"ds": np.arange(400), "y": y, "kind": kinds})
    settings = {"units": 16, "epochs": 15, "learning_rate": 1e-2, "residual": "none", "scaling": "none"}
    common = {"horizon": 3, "lookback": 6, "hyperparameters": settings, "random_state": 0, "verbose": 0, "id_col": None}
    seeing = Forecaster("seq2seq_gru", **common, future_covariates=["kind"], season_length=1).fit(rows)
    forecast = seeing.predict(future=seeing.make_future_frame().assign(kind=["up", "down", "same"]))["y_hat"]
    np.testing.assert_allclose(forecast, [3, -3, 0], atol=0.5)


def test_a_saved_model_keeps_its_categories(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = lstmzoo.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.predict(future=ahead(again)), fitted.predict(future=ahead(fitted)))
    assert again.preprocessor_.channels.labels_ == {"weather": ["rain", "sun"], "promo": ["none", "poster", "radio"]}
    more = shops(42).groupby("unique_id").tail(2)
    updated = again.update(more.replace({"weather": {"rain": "sun"}, "promo": {"none": "radio"}}))
    assert updated.tail_.labels == fitted.tail_.labels
    assert [updated.tail_.labels["promo"][int(code)] for code in updated.tail_.tail(2).known[:2, 0]] == more["promo"][
        :2
    ].replace("none", "radio").tolist()
    document, arrays = panel_state(fitted.tail_, fitted.form_)
    with pytest.raises(SavedModelError, match="the categories of 'promo' are not those of its labels"):
        restored_panel(
            {**document, "labels": {**document["labels"], "promo": ["none"]}}, arrays, fitted.params_.columns
        )


def test_every_method_takes_them(fitted):
    rows = shops()
    assert fitted.make_future_frame()["promo"].isna().all()
    history = rows[rows["unique_id"] == "b"]
    future = ahead(fitted, history=history)
    np.testing.assert_allclose(
        fitted.predict(history=history, future=future)["y_hat"],
        fitted.predict(future=ahead(fitted))["y_hat"][3:],
        rtol=1e-4,
    )
    assert np.isfinite(fitted.score(rows))
    assert len(fitted.cross_validation(rows, n_windows=2)) == 12
    served = fitted.serve(fitted.serving_example(), {})
    assert len(served) == 3


def test_a_stream_takes_them(fitted):
    rows = shops()
    history = rows[rows["unique_id"] == "a"]
    now = {"past": {"weather": "sun"}, "known": {"promo": "none", "price": 0.5}}
    numbers = np.array([["radio", 1.5]] * 3, dtype=object)
    stream = fitted.stream(history=history)
    first = stream.update(5.0, **now, future=numbers)
    step = pd.DataFrame(
        [{"unique_id": "a", "ds": history["ds"].max() + pd.Timedelta("1D"), "y": 5.0, **now["past"], **now["known"]}]
    )
    longer = pd.concat([history, step])
    again = fitted.stream(history=history).update(5.0, **now, future=ahead(fitted, history=longer))
    np.testing.assert_array_equal(first, again)
    with pytest.raises(
        DataError,
        match="'promo' at 2024-02-11 is 'tv', a category that is not in the training data; known: 'none', 'poster', 'radio'",
    ):
        stream.update(5.0, past=now["past"], known={"promo": "tv", "price": 1.0}, future=numbers)
    with pytest.raises(DataError, match="'promo' of the future is 'tv', a category"):
        stream.update(5.0, **now, future=np.array([["tv", 1.5]] * 3, dtype=object))


UNSEEN = {
    "future": (lambda f: f.predict(future=ahead(f, "tv")), "future: 'promo' is 'tv' in row 0, a category that is not in the training data; known: 'none', 'poster', 'radio'"),
    "history": (lambda f: f.predict(history=shops().replace({"weather": {"sun": "snow"}}), future=ahead(f)), "'weather' is 'snow' at 2024-.*, a category that is not in the training data; known: 'rain', 'sun'"),
    "numbers for text": (lambda f: f.predict(history=shops().assign(promo=1.0), future=ahead(f)), "column 'promo' is Float64, but had categories in training, such as 'none': make it text"),
    "text for numbers": (lambda f: f.predict(history=shops().assign(price="x"), future=ahead(f)), "column 'price' is not numeric, but String: make it numbers"),
    "numbers ahead": (lambda f: f.predict(future=ahead(f, 1.0)), "column 'promo' is Float64, but had categories in training"),
    "missing ahead": (lambda f: f.predict(future=f.make_future_frame().assign(price=1.0)), "future: 'promo' of series 'a' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSEEN)
def test_refused(fitted, case):
    ask, message = UNSEEN[case]
    with pytest.raises(DataError, match=message):
        ask(fitted)


def test_too_many_categories():
    rows = shops(400).assign(promo=lambda f: f["ds"].astype(str))
    with pytest.raises(
        DataError, match="covariate 'promo' has 400 categories, at most 256 are allowed: group rare ones"
    ):
        Channels(known=["promo", "price"], past=["weather"]).fit(read_panel(rows, COLUMNS)[0])


def test_files(tmp_path):
    rows, path, steps = shops(), tmp_path / "rows.csv", tmp_path / "ahead.csv"
    rows.to_csv(path, index=False)
    read, _ = read_frame(path, **NAMES)
    baseline = BaselineForecaster("naive", horizon=3, **NAMES).fit(read)
    assert baseline.tail_.labels["promo"] == ["none", "poster", "radio"]
    ahead(baseline).to_csv(steps, index=False)
    history = read_history(path, baseline)
    assert len(baseline.predict(history=history, future=read_future(steps, baseline, history))) == 6
    rows.assign(price=rows["price"].astype(str).where(rows.index != 4, "1,5")).to_csv(path, index=False)
    with pytest.raises(DataError, match="column 'price' holds '1,5' in row 4, which is not a number"):
        read_frame(path, **NAMES)


def test_holidays_are_days_of_local_time():
    hours = pd.date_range("2024-12-24 20:00", periods=40, freq="h", tz="UTC", unit="us")
    rows = pd.DataFrame({"unique_id": "a", "ds": hours.tz_convert("Asia/Tokyo"), "y": 1.0})
    panel, _ = read_panel(rows, Columns())
    channels = Channels(calendar=["holidays:DE", "hour", "holidays:US-CA"]).fit(panel)
    assert channels.num_known_ == 4
    christmas = [time.day == 25 and time.month == 12 for time in rows["ds"]]
    np.testing.assert_array_equal(channels.known_channels(panel)[:, 2], np.array(christmas) | (rows["ds"].dt.day == 26))
    np.testing.assert_array_equal(channels.known_channels(panel)[:, 3], christmas)
    np.testing.assert_array_equal(
        Channels.from_json(channels.to_json()).known_channels(panel), channels.known_channels(panel)
    )
    assert channels.known_channels_ahead(panel, panel.future_times(24), None)[0, -1, 2:].tolist() == [0, 0]


def test_holidays_of_days_and_business_days():
    for freq, expected in (("D", [0, 0, 0, 1, 0]), ("B", [0, 0, 0, 1, 0])):
        times = pd.date_range("2024-04-28" if freq == "D" else "2024-04-26", periods=5, freq=freq)
        panel, _ = read_panel(pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}), Columns(), freq)
        assert Channels(calendar=["holidays:DE"]).fit(panel).known_channels(panel)[:, 0].tolist() == expected


@pytest.mark.parametrize(("names", "error", "message"), [
    (["holidays"], ConfigError, "calendar: 'holidays' lacks a country: for instance 'holidays:DE', or 'holidays:US-CA'"),
    (["holidays:ZZ"], UnknownNameError, "unknown country of holidays 'ZZ'"),
    (["holidays:DE-ZZ"], UnknownNameError, "unknown part of DE of holidays 'ZZ'"),
    (["festivals"], UnknownNameError, "unknown calendar feature 'festivals'.*holidays:<country>"),
])  # fmt: skip
def test_calendars_that_are_refused(names, error, message):
    with pytest.raises(error, match=message):
        check_calendar(names)


def test_holidays_of_longer_steps_are_refused():
    rows = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=5, freq="MS"), "y": 1.0})
    with pytest.raises(
        DataError, match="holidays are days, but a step of freq 'MS' is longer: leave them out of calendar, or count"
    ):
        Channels(calendar=["holidays:DE"]).fit(read_panel(rows, Columns())[0])


def test_without_the_package_of_holidays_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(
        ConfigError, match=r"calendar: holidays need the package holidays: pip install 'lstmzoo\[holidays\]'"
    ):
        check_calendar(["holidays:DE"])
