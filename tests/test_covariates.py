"""Covariates, missing values and irregular steps, for every architecture; errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import lstmzoo
from lstmzoo import Forecaster, list_models, load_config
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.preprocessing import Windows

pytestmark = pytest.mark.usefixtures("eagerly")

COVARIATES = {
    "past_covariates": ["visitors"],
    "future_covariates": ["price", "holiday"],
    "static_covariates": ["size", "region"],
}
SHORT = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8}


@pytest.fixture(scope="module")
def shops(hourly):
    rng = np.random.default_rng(1)
    return hourly.assign(
        visitors=rng.normal(100, 10, len(hourly)),
        price=rng.normal(3, 1, len(hourly)),
        holiday=rng.random(len(hourly)) < 0.1,
        size=hourly["unique_id"].map({"s0": 10.0, "s1": 20.0, "s2": 40.0}),
        region=hourly["unique_id"].map({"s0": "north", "s1": "south", "s2": "north"}),
    )


@pytest.fixture(scope="module")
def fitted(shops, tiny):
    return Forecaster(**tiny, **COVARIATES, calendar=["hour", "weekday"]).fit(shops)


def filled(forecaster, **arguments):
    return forecaster.make_future_frame(**arguments).assign(price=3.0, holiday=False)


# How covariates enter a network is its builder's work; tests/test_zoo.py has them for every entry.
ONE_OF_EACH_BUILDER = {load_config(name).builder: name for name in list_models("forecasting/*")}


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("name", ONE_OF_EACH_BUILDER.values())
def test_every_builder_takes_every_kind_of_covariate(name, shops, tiny, tmp_path):
    texts = {
        "promo": np.where(shops["price"] > 3, "none", "poster"),
        "weather": np.where(shops["visitors"] > 99, "sun", "rain"),
    }
    holes = shops.assign(y=shops["y"].where(np.arange(len(shops)) % 7 > 0), **texts)
    varying = {"past_covariates": ["weather", "visitors"], "future_covariates": ["price", "promo", "holiday"]}
    parameters = {**tiny, "model": name, "hyperparameters": SHORT, **COVARIATES, **varying}
    forecaster = Forecaster(**parameters, calendar=["hour", "holidays:DE"], missing="mask").fit(holes)
    assert (forecaster.spec_.num_known, forecaster.spec_.num_past) == (2 + 1 + 1 + 2 + 1, 2 + 1 + 1)

    def filled(forecaster):
        return forecaster.make_future_frame().assign(price=3.0, promo="poster", holiday=False)

    forecast = forecaster.predict(future=filled(forecaster))
    assert len(forecast) == 18
    assert np.isfinite(forecast["y_hat"]).all()
    forecaster.save(tmp_path / "model")
    again = lstmzoo.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.predict(future=filled(again)), forecast)


@pytest.mark.traced
def test_future_covariates_are_used():
    rng = np.random.default_rng(0)
    x = rng.normal(size=600)
    frame = pd.DataFrame({"unique_id": 0, "ds": np.arange(600), "y": 10 + 3 * x + 0.1 * rng.normal(size=600), "x": x})
    settings = {"units": 16, "epochs": 15, "learning_rate": 1e-2, "residual": "none"}
    common = {"horizon": 4, "lookback": 8, "hyperparameters": settings, "random_state": 0, "verbose": 0}
    train, test = frame.iloc[:560], frame.iloc[560:564]
    blind = Forecaster("seq2seq_gru", **common).fit(train).predict()["y_hat"]
    seeing = Forecaster("seq2seq_gru", future_covariates=["x"], **common).fit(train)
    forecast = seeing.predict(future=test[["unique_id", "ds", "x"]])["y_hat"]
    errors = [np.abs(test["y"].to_numpy() - f.to_numpy()).mean() for f in (forecast, blind)]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.traced
def test_series_are_told_apart_by_static_covariates():
    rng = np.random.default_rng(0)
    frames = []
    for i in range(8):
        walk = rng.normal(size=200)
        jump = 5.0 if i % 2 else -5.0
        y = np.where(np.arange(200) % 5 == 4, jump, walk)
        frames.append(pd.DataFrame({"unique_id": i, "ds": np.arange(200), "y": y, "kind": "up" if i % 2 else "down"}))
    frame = pd.concat(frames)
    settings = {"units": 16, "epochs": 10, "learning_rate": 1e-2, "residual": "none", "scaling": "none"}
    forecaster = Forecaster(
        "gru", horizon=5, lookback=4, static_covariates=["kind"], hyperparameters=settings, random_state=0, verbose=0
    ).fit(frame)
    fifth = forecaster.predict().groupby("unique_id")["y_hat"].nth(4).to_numpy()
    assert (np.sign(fifth) == np.where(np.arange(8) % 2, 1, -1)).all()


def test_the_future_frame_is_what_follows(fitted, shops):
    frame = fitted.make_future_frame()
    assert list(frame.columns) == ["unique_id", "ds", "price", "holiday"]
    assert len(frame) == 18
    assert frame[["price", "holiday"]].isna().all(axis=None)
    assert frame["ds"].min() == shops["ds"].max() + pd.Timedelta("1h")


def test_polars(fitted, shops):
    history = pl.from_pandas(shops)
    future = fitted.make_future_frame(history=history)
    assert isinstance(future, pl.DataFrame)
    future = future.with_columns(price=pl.lit(3.0), holiday=pl.lit(False))
    forecast = fitted.predict(history=history, future=future)
    np.testing.assert_allclose(forecast["y_hat"].to_numpy(), fitted.predict(future=filled(fitted))["y_hat"], rtol=1e-5)


def test_score_reads_the_future_from_the_frame(fitted, shops):
    assert np.isfinite(fitted.score(shops))


def test_search_takes_covariates(shops, tiny):
    search = lstmzoo.ZooSearchCV(Forecaster(**tiny, **COVARIATES), models="segment_gru", max_trials=1, random_state=0)
    search.fit(shops)
    best = search.best_estimator_
    assert len(best.predict(future=filled(best))) == 18


def test_streams_take_covariates_by_name(shops, tiny):
    one = shops[shops["unique_id"] == "s0"]
    forecaster = Forecaster(**{**tiny, "model": "gru", "hyperparameters": SHORT}, **COVARIATES).fit(shops)
    now = {"past": {"visitors": 100.0}, "known": {"price": 3.0, "holiday": False}}
    longer = pd.concat(
        [one, one.tail(1).assign(ds=one["ds"].max() + pd.Timedelta("1h"), y=50.0, **now["past"], **now["known"])]
    )
    future = forecaster.make_future_frame(history=longer)
    future = future.assign(price=np.arange(6.0), holiday=False)
    numbers = future[["price", "holiday"]].to_numpy(dtype=float)
    by_name, by_place = (
        forecaster.stream(one).update(50.0, **now, future=f) for f in (future[[*future][::-1]], numbers)
    )
    np.testing.assert_array_equal(by_name, by_place)
    stream = forecaster.stream(one)
    for given, message in {
        "nothing": (now, r"pass future=, the frame of the next 6 steps .* of shape \(6, 2\) of price, holiday"),
        "a frame without times": ({**now, "future": future[["price", "holiday"]]}, "'unique_id' is missing"),
        "other numbers": ({**now, "future": numbers[:3]}, r"got shape \(3, 2\)"),
        "holes": ({**now, "future": numbers * np.nan}, "not finite"),
        "text": ({**now, "future": "cheap"}, "got 'cheap'"),
        "no known": ({"past": now["past"]}, "known= takes a dict of price, holiday, .*unknown: holiday, price"),
        "text as known": ({**now, "known": {"price": "x", "holiday": 0}}, "'price' at .* is 'x', not a number"),
    }.values():
        with pytest.raises(DataError, match=message):
            stream.update(50.0, **given)
    with pytest.raises(DataError, match="the value at .* is None, not a number"):
        stream.update(None)
    np.testing.assert_array_equal(stream.update(50.0, **now, future=future), by_name)


def test_a_served_future_of_too_many_steps_is_named(shops, tiny):
    masked = Forecaster(**tiny, **COVARIATES, missing="mask").fit(shops)
    example = masked.serving_example()
    assert len(masked.serve(example, {"horizon": 6})) == 6
    with pytest.raises(DataError, match="'s0' has an unexpected row at"):
        masked.serve(example, {"horizon": 3})
    silent = example[example["region"].notna()].assign(y=lambda f: f["y"].where(f.index < f.index[-8]))
    with pytest.raises(DataError, match="future: series 's0' is missing"):
        masked.serve(silent, {})


def test_baselines_take_what_the_network_takes(fitted, shops):
    for name, baseline in fitted.baselines().items():
        baseline.fit(shops)
        with_future = baseline.predict(future=filled(baseline))
        pd.testing.assert_frame_equal(with_future, baseline.predict(), obj=name)
        assert len(baseline.serve(baseline.serving_example(), {})) == 6
        with pytest.raises(DataError, match="'price'.*missing"):
            baseline.predict(history=shops.drop(columns="price"))


def test_serving_splits_history_and_future(fitted, shops):
    example = fitted.serving_example()
    served = fitted.serve(example, {"horizon": 6})
    assert len(served) == 6
    rows = example[example["y"].notna()]
    future = example[example["y"].isna()].drop(columns=["y", "visitors", "size", "region"])
    expected = fitted.predict(history=rows, future=future)
    np.testing.assert_allclose(served["y_hat"], expected["y_hat"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="price"), "'price'.*missing"),
        (lambda f: f.assign(rain=1.0), "'rain'"),
        (lambda f: f.assign(price="cheap"), "'price'.*not numeric"),
        (lambda f: f.assign(price=np.where(np.arange(18) == 3, np.nan, 3.0)), "'price'.*'s0'"),
        (lambda f: f.iloc[:-1], "'s2'"),
        (lambda f: f.assign(ds=f["ds"] + pd.Timedelta("1h")), "'s0'"),
        (lambda f: f[f["unique_id"] != "s1"], "'s1'"),
        (lambda f: f.assign(unique_id=f["unique_id"].replace("s1", "x")), "'(s1|x)'"),
    ],
)
def test_futures_that_are_refused(fitted, change, message):
    with pytest.raises(DataError, match=message):
        fitted.predict(future=change(filled(fitted)))


def test_a_future_that_is_not_given(fitted, hourly, tiny):
    with pytest.raises(DataError, match="make_future_frame"):
        fitted.predict()
    plain = Forecaster(**tiny).fit(hourly)
    with pytest.raises(DataError, match="no future covariates"):
        plain.predict(future=plain.make_future_frame())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="visitors"), "'visitors'"),
        (lambda f: f.assign(price=pd.Timestamp("2024")), "'price'"),
        (lambda f: f.assign(price=np.where(np.arange(len(f)) == 5, np.nan, 1.0)), "'price'.*'s0'"),
        (lambda f: f.assign(price=np.where(np.arange(len(f)) == 5, np.inf, 1.0)), "'price'.*'s0'"),
        (lambda f: f.assign(region=np.where(np.arange(len(f)) == 5, "x", "y")), "'region'.*'s0'"),
        (lambda f: f.assign(size=np.nan), "'size'"),
    ],
)
def test_covariates_that_are_refused(shops, tiny, change, message):
    with pytest.raises(DataError, match=message):
        Forecaster(**tiny, **COVARIATES).fit(change(shops))


def test_one_column_in_two_roles(shops, tiny):
    with pytest.raises(ConfigError, match="'price'"):
        Forecaster(**tiny, past_covariates=["price"], future_covariates=["price"]).fit(shops)


def test_a_category_that_was_never_seen(fitted, shops):
    history = shops.assign(region="west")
    with pytest.raises(DataError, match="'region' of series 's0' is 'west'.*'north', 'south'"):
        fitted.predict(history=history, future=filled(fitted))


def test_calendar_features_that_are_unknown(hourly, tiny):
    with pytest.raises(UnknownNameError, match="calendar feature 'fortnight'.*weekday"):
        Forecaster(**tiny, calendar=["fortnight"]).fit(hourly)


def test_arrays_have_no_covariates(tiny):
    with pytest.raises(DataError, match="frame"):
        Forecaster(**tiny, future_covariates=["price"]).fit(np.arange(100.0))


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_missing_values_and_gaps(hourly, tiny, missing):
    holes = hourly.assign(y=hourly["y"].where(np.arange(len(hourly)) % 11 != 5)).drop(index=[20, 21, 300])
    with pytest.raises(DataError, match="missing='mask'"):
        Forecaster(**tiny).fit(holes)
    forecaster = Forecaster(**tiny, missing=missing).fit(holes)
    assert np.isfinite(forecaster.predict()["y_hat"]).all()
    assert np.isfinite(forecaster.score(holes))


def test_what_is_missing_does_not_count_in_the_loss(hourly, tiny):
    """A missing value changes neither target nor loss, whatever fills it."""
    holes = hourly.assign(y=hourly["y"].where(np.arange(len(hourly)) % 240 < 200))
    forecaster = Forecaster(**tiny, missing="mask", validation_size=0).fit(holes)
    windows = Windows(forecaster.preprocessor_, forecaster.params_.filled(forecaster.params_.read(holes)[0]))
    _, target, _ = windows.batch(np.arange(len(windows)))
    assert np.isnan(target).any()
    assert np.isfinite([row["loss"] for row in forecaster.history_]).all()


def test_irregular_steps(tiny):
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([1, 2, 5], 300))
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.sin(times / 7)})
    with pytest.raises(DataError):
        Forecaster(**tiny).fit(frame)
    forecaster = Forecaster(**tiny, irregular=True).fit(frame)
    future = forecaster.make_future_frame().assign(ds=times[-1] + np.array([1, 3, 4, 9, 10, 11]))
    forecast = forecaster.predict(future=future)
    assert list(forecast["ds"]) == list(future["ds"])
    other = forecaster.predict(future=future.assign(ds=times[-1] + np.arange(1, 7)))
    assert not np.allclose(forecast["y_hat"], other["y_hat"])
    assert np.isfinite(forecaster.predict()["y_hat"]).all()


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_training_does_not_see_what_is_held_out(hourly, tiny, missing):
    """Values and covariates are missing just before the held-out steps and in them."""
    place = hourly.groupby("unique_id").cumcount()
    there = ~place.between(225, 227) & (place % 9 > 0) & ~place.between(235, 237)
    holes = hourly.assign(visitors=(3 * hourly["y"]).where(there), y=hourly["y"].where(there))
    forecaster = Forecaster(**tiny, past_covariates=["visitors"], missing=missing, validation_size=12)
    fits = []
    for more in (0, 1000):
        later = place >= 228
        frame = holes.assign(y=holes["y"] + more * later, visitors=holes["visitors"] + more * later)
        forecaster.fit(frame)
        fits.append([row["loss"] for row in forecaster.history_])
        assert forecaster.data_digest_ == forecaster.data_digest(frame)
    assert fits[0] == fits[1]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_what_is_missing_counts_neither_in_validation_nor_in_calibration(hourly, tiny, missing, monkeypatch):
    held_out = []
    kept = Forecaster._prepare

    def prepare(self, config, seed, y):
        prepared = kept(self, config, seed, y)
        windows = prepared.validation
        held_out.append((len(windows), windows.batch(np.arange(len(windows)))[1]))
        return prepared

    monkeypatch.setattr(Forecaster, "_prepare", prepare)
    place = hourly.groupby("unique_id").cumcount()
    holes = hourly.assign(y=hourly["y"].where(~place.isin([230, 236, 237])))
    Forecaster(**tiny, missing=missing, validation_size=8).fit(holes)
    ((count, target),) = held_out
    assert count == 3 * 3
    observed = np.array([[[place not in (236, 237)] for place in range(first, first + 6)] for first in (232, 233, 234)])
    np.testing.assert_array_equal(~np.isnan(target), np.tile(observed, (3, 1, 1)))


@pytest.mark.parametrize("lookback", [1, 24])
def test_the_first_step_of_a_window_is_as_long_in_training_as_in_prediction(tiny, lookback):
    times = np.cumsum(np.random.default_rng(0).choice([1, 2, 5], 300))
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.sin(times / 7)})
    forecaster = Forecaster(**{**tiny, "lookback": lookback}, season_length=1, irregular=True).fit(frame[:200])
    pre = forecaster.preprocessor_
    assert pre.context == lookback
    windows = Windows(pre, forecaster.params_.filled(forecaster.params_.read(frame)[0]))
    for first in (0, 50, 176):
        trained, _, _ = windows.batch(np.array([first]))
        history, _ = forecaster._history(frame[: first + lookback])
        for panel in (history, forecaster._panel_model.needed(history)):
            shown, _ = pre.last_windows(panel, times[None, first + lookback : first + lookback + 6])
            np.testing.assert_allclose(shown["window"], trained["window"], rtol=1e-6)
            np.testing.assert_allclose(shown["future"], trained["future"], rtol=1e-6)
    shown, _ = pre.last_windows(forecaster.tail_, times[None, 200:206])
    np.testing.assert_allclose(shown["window"], windows.batch(np.array([200 - lookback]))[0]["window"], rtol=1e-6)


def test_held_out_windows_of_irregular_steps_are_those_of_the_whole(tiny):
    times = np.cumsum(np.random.default_rng(0).choice([1, 2, 5], 300))
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": np.sin(times / 7)})
    forecaster = Forecaster(**tiny, season_length=1, irregular=True, validation_size=10).fit(frame)
    panel = forecaster.params_.filled(forecaster.params_.read(frame)[0])
    held_out = Windows.held_out(forecaster.preprocessor_, panel, 10)
    windows = Windows(forecaster.preprocessor_, panel)
    one, other = held_out.batch(np.arange(5)), windows.batch(np.arange(len(windows) - 5, len(windows)))
    assert len(held_out) == 5
    np.testing.assert_allclose(one[0]["window"], other[0]["window"], rtol=1e-6)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-6)
