"""Forecasters: contracts, types of data, and errors."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmzoo import BaselineForecaster, Forecaster, checks, load_config
from lstmzoo.errors import ConfigError, DataError, TrainingError, UnknownNameError
from lstmzoo.estimators import ZooEstimator, check_picture
from lstmzoo.estimators.forecasting.baselines import METHODS
from lstmzoo.values import digest

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def fitted(hourly, tiny):
    return Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly)


@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS, ids=lambda c: c.__name__)
def test_forecaster_conforms(check, hourly, tiny):
    check(Forecaster(**tiny, quantiles=[0.25, 0.75]), (hourly,))


@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("method", METHODS)
def test_baselines_conform(check, method, hourly):
    if check is checks.check_search_hooks:
        check = _baseline_scores
    check(BaselineForecaster(method, horizon=6, quantiles=[0.1, 0.9]), (hourly,))


def _baseline_scores(estimator, data):
    train, valid = estimator.holdout_split(*data)
    assert np.isfinite(estimator.fit(*train).score(*valid))


def test_estimators_have_one_base(fitted):
    assert isinstance(fitted, ZooEstimator)
    assert issubclass(BaselineForecaster, ZooEstimator)


def test_quantiles_never_cross(fitted, hourly):
    forecast = fitted.predict(history=hourly)
    assert (forecast["y_hat_q0.1"] <= forecast["y_hat"]).all()
    assert (forecast["y_hat"] <= forecast["y_hat_q0.9"]).all()


def test_forecasts_continue_each_series(fitted, hourly):
    forecast = fitted.predict()
    for name, group in forecast.groupby("unique_id"):
        last = hourly.loc[hourly["unique_id"] == name, "ds"].max()
        expected = pd.date_range(last, periods=7, freq="h")[1:]
        assert (group["ds"].to_numpy() == expected.to_numpy()).all()


def test_training_series_as_history_give_the_same_forecast(fitted, hourly):
    pd.testing.assert_frame_equal(fitted.predict(), fitted.predict(history=hourly))


def test_a_series_never_seen(fitted, hourly):
    new = hourly[hourly["unique_id"] == "s1"].assign(unique_id="new", y=lambda d: d["y"] + 1000)
    known = fitted.predict(history=hourly[hourly["unique_id"] == "s1"])
    np.testing.assert_allclose(fitted.predict(history=new)["y_hat"], known["y_hat"] + 1000, rtol=1e-5)


def test_a_shorter_horizon_is_the_beginning(fitted):
    short = fitted.predict(horizon=2).groupby("unique_id").size()
    assert (short == 2).all()
    full = fitted.predict().groupby("unique_id").head(2).reset_index(drop=True)
    pd.testing.assert_frame_equal(fitted.predict(horizon=2), full)


@pytest.mark.parametrize("horizon", [0, -1, 121, 10**9, 2.5, True])
def test_horizons_that_are_refused(fitted, horizon):
    with pytest.raises(ConfigError, match="from 1 to 120"):
        fitted.predict(horizon=horizon)


def test_quantiles_that_were_not_trained(fitted):
    with pytest.raises(ConfigError, match=r"0\.3 was not trained; trained: 0\.1, 0\.5, 0\.9"):
        fitted.predict(quantiles=[0.3])
    assert "y_hat_q0.9" not in fitted.predict(quantiles=[0.1]).columns


def test_polars_in_polars_out(fitted, hourly, tiny):
    frame = pl.from_pandas(hourly)
    forecast = fitted.predict(history=frame)
    assert isinstance(forecast, pl.DataFrame)
    np.testing.assert_array_equal(forecast["y_hat"].to_numpy(), fitted.predict(history=hourly)["y_hat"])
    assert isinstance(Forecaster(**tiny).fit(frame).predict(), pl.DataFrame)


def test_arrow_in_arrow_out(fitted, hourly):
    forecast = fitted.predict(history=pa.Table.from_pandas(hourly))
    assert isinstance(forecast, pa.Table)
    np.testing.assert_array_equal(forecast["y_hat"].to_numpy(), fitted.predict(history=hourly)["y_hat"])


def test_pandas_series_in_series_out(hourly, tiny):
    series = hourly[hourly["unique_id"] == "s0"].set_index("ds")["y"]
    forecast = Forecaster(**tiny).fit(series).predict()
    assert isinstance(forecast, pd.Series)
    assert forecast.index[0] == series.index[-1] + pd.Timedelta("1h")


def test_polars_series_and_arrays(hourly, tiny):
    y = hourly["y"].to_numpy()[:240]
    from_array = Forecaster(**tiny).fit(y).predict()
    assert from_array.shape == (6,)
    from_series = Forecaster(**tiny).fit(pl.Series("y", y)).predict()
    assert isinstance(from_series, pl.Series)
    np.testing.assert_array_equal(from_series.to_numpy(), from_array)
    assert Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(y).predict().shape == (6, 3)


def test_columns_can_be_named_and_rows_unsorted(fitted, hourly, tiny):
    renamed = hourly.rename(columns={"unique_id": "shop", "ds": "when", "y": "sales"}).sample(frac=1, random_state=1)
    names = {"id_col": "shop", "time_col": "when", "target_col": "sales"}
    forecast = Forecaster(**tiny, **names).fit(renamed).predict()
    assert list(forecast.columns) == ["shop", "when", "y_hat"]
    plain = Forecaster(**tiny).fit(hourly).predict().set_index(["unique_id", "ds"])["y_hat"]
    np.testing.assert_array_equal(forecast.sort_values(["shop", "when"])["y_hat"], plain.sort_index())


def test_one_series_without_an_id(hourly, tiny):
    frame = hourly[hourly["unique_id"] == "s0"].drop(columns="unique_id")
    assert list(Forecaster(**tiny, id_col=None).fit(frame).predict().columns) == ["ds", "y_hat"]
    with pytest.raises(DataError, match="'unique_id' is missing.*id_col=None"):
        Forecaster(**tiny).fit(frame)


@pytest.mark.parametrize("ids", [[3, 1, 2], ["a", "b", "c"]])
def test_ids_keep_their_type_and_are_sorted(ids, hourly, tiny, tmp_path):
    frame = hourly.assign(unique_id=hourly["unique_id"].map(dict(zip(["s0", "s1", "s2"], ids, strict=True))))
    forecaster = Forecaster(**tiny).fit(frame)
    assert forecaster.predict()["unique_id"].unique().tolist() == sorted(ids)
    forecaster.save(tmp_path / "m")
    import lstmzoo

    assert lstmzoo.load(tmp_path / "m").predict()["unique_id"].unique().tolist() == sorted(ids)


def test_panels_of_unequal_lengths(hourly, tiny):
    frame = hourly.groupby("unique_id", group_keys=False).apply(
        lambda g: g.iloc[: 100 + 40 * int(g.name[1])], include_groups=False
    )
    frame = hourly.loc[frame.index]
    forecast = Forecaster(**tiny).fit(frame).predict()
    assert forecast.groupby("unique_id")["ds"].min().nunique() == 3


@pytest.mark.parametrize(("freq", "calendar"), [("h", "hour"), ("D", "weekday")])
def test_histories_are_read_in_the_time_zone_fitted(freq, calendar, tiny):
    ds = pd.date_range("2024-06-01", periods=80, freq=freq, tz="Europe/Berlin")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": 10 + np.sin(np.arange(80.0))})
    forecaster = Forecaster(**tiny, calendar=[calendar]).fit(frame)
    elsewhere = frame.assign(ds=ds.tz_convert("UTC"))
    forecast = forecaster.predict(history=elsewhere)
    assert str(forecast["ds"].dt.tz) == "UTC"
    forecast["ds"] = forecast["ds"].dt.tz_convert("Europe/Berlin")
    pd.testing.assert_frame_equal(forecast, forecaster.predict(history=frame))
    assert forecaster.score(elsewhere) == forecaster.score(frame)
    with pytest.raises(
        DataError, match="'ds' holds timestamps without a time zone, but the training data have .*Europe/Berlin"
    ):
        forecaster.predict(history=frame.assign(ds=ds.tz_localize(None)))


def test_a_clock_change_is_crossed(tiny):
    ds = pd.date_range("2024-10-20", periods=160, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.sin(np.arange(160) / 4)})
    forecaster = Forecaster(**tiny).fit(frame)
    assert (forecaster.predict()["ds"] == pd.date_range(ds[-1], periods=7, freq="h")[1:]).all()
    daily = pd.date_range("2024-09-20", periods=60, freq="D", tz="Europe/Berlin")
    forecast = Forecaster(**{**tiny, "lookback": 12}).fit(frame.iloc[:60].assign(ds=daily)).predict()
    assert (forecast["ds"].dt.hour == 0).all()
    assert str(forecast["ds"].dt.tz) == "Europe/Berlin"


def test_constant_series_are_forecast_as_they_are(hourly, tiny):
    flat = pd.DataFrame({"unique_id": "flat", "ds": pd.date_range("2024", periods=240, freq="h"), "y": 7.0})
    forecaster = Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(pd.concat([hourly, flat]))
    forecast = forecaster.predict().query("unique_id == 'flat'")
    assert (forecast[["y_hat", "y_hat_q0.1", "y_hat_q0.9"]] == 7.0).all(axis=None)
    assert np.isfinite(forecaster.score(pd.concat([hourly, flat])))
    only = Forecaster(**tiny).fit(flat)
    assert (only.predict()["y_hat"] == 7.0).all()
    with pytest.raises(DataError, match="no series varies"):
        only.score(flat)


@pytest.mark.parametrize("settings", [
    {"scaling": "series"}, {"scaling": "none"}, {"transform": "log"}, {"residual": "none"}, {"residual": "naive"},
    {"residual": "long_seasonal_naive"}, {"residual": "seasonal_mix"}, {"calendar": True}, {"schedule": "constant", "optimizer": "sgd"},
], ids=str)  # fmt: skip
def test_data_choices(settings, hourly, tiny, tmp_path):
    import lstmzoo

    hyperparameters = {**tiny["hyperparameters"], **settings}
    forecaster = Forecaster(**{**tiny, "hyperparameters": hyperparameters, "season_length": [24, 48]}).fit(hourly)
    forecast = forecaster.predict()
    assert np.isfinite(forecast["y_hat"]).all()
    forecaster.save(tmp_path / "m")
    pd.testing.assert_frame_equal(
        lstmzoo.load(tmp_path / "m").predict(history=hourly), forecaster.predict(history=hourly)
    )


def test_validation_chooses_the_epoch_whose_weights_are_kept(hourly, tiny):
    settings = {
        "units": 8,
        "epochs": 12,
        "steps_per_epoch": 3,
        "patience": 3,
        "learning_rate": 0.05,
        "schedule": "constant",
    }
    forecaster = Forecaster(**{**tiny, "hyperparameters": settings}).fit(hourly)
    losses = [row["val_loss"] for row in forecaster.history_]
    assert forecaster.best_epoch_ == int(np.argmin(losses)) + 1
    assert len(losses) == min(12, forecaster.best_epoch_ + 3)
    blind = Forecaster(**{**tiny, "hyperparameters": settings, "validation_size": 0}).fit(hourly)
    assert "val_loss" not in blind.history_[0]
    assert blind.best_epoch_ == 12


def test_refit_clone_trains_on_everything_for_the_best_number_of_epochs(fitted, hourly):
    clone = fitted.refit_clone()
    assert clone.validation_size == 0
    assert clone.hyperparameters["epochs"] == fitted.best_epoch_
    assert len(clone.fit(hourly).history_) == fitted.best_epoch_


def test_validation_data_is_not_trained_on(hourly, tiny):
    """Changing the held-out values changes neither weights nor scales."""
    changed = hourly.copy()
    last = changed.groupby("unique_id").tail(6).index
    changed.loc[last, "y"] += 1000.0
    one = Forecaster(**{**tiny, "hyperparameters": {**tiny["hyperparameters"], "epochs": 1, "scaling": "series"}})
    a, b = one.fit(hourly).model_.get_weights(), one.fit(changed).model_.get_weights()
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_time_limit_ends_training(hourly, tiny):
    settings = {"units": 8, "epochs": 100_000, "patience": 100_000}
    forecaster = Forecaster(**{**tiny, "hyperparameters": settings, "time_limit": 1.0}).fit(hourly)
    assert len(forecaster.history_) < 100_000


def test_plot(fitted, tmp_path):
    figure = fitted.plot(tmp_path / "forecast.png", ids=["s1", "s2"])
    assert (tmp_path / "forecast.png").stat().st_size > 5000
    assert [axis.get_title() for axis in figure.axes] == ["s1", "s2"]
    with pytest.raises(UnknownNameError, match="valid: s0, s1, s2"):
        fitted.plot(ids=["s9"])


@pytest.mark.parametrize(("change", "message"), [
    ({"model": "lstmm"}, r"unknown model 'lstmm' .did you mean 'lstm'.*; valid: (forecasting/\w+(, )?)+$"),
    ({"hyperparameters": {"unit": 3}}, "did you mean 'units'"),
    ({"hyperparameters": {"units": "3"}}, "units must be int"),
    ({"horizon": 0}, "horizon: .*greater than 0, got 0"),
    ({"horizon": -4}, "horizon: .*greater than 0, got -4"),
    ({"horizon": "6"}, "horizon: .*integer"),
    ({"quantiles": [0.0, 0.5]}, "quantiles: .*greater than 0"),
    ({"hyperparameters": {"units": -1}}, "units: .*greater than 0, got -1"),
    ({"hyperparameters": {"dropout": 2.0}}, "dropout: .*less than 1, got 2.0"),
    ({"hyperparameters": {"cell": "lstmm"}}, "cell: .*'simple_rnn', 'lstm', 'gru', .*'mlstm'"),
    ({"hyperparameters": {"lookback_horizons": 2}}, "set the same: pass one of them"),
    ({"season_length": []}, "season_length"),
    ({"quantiles": [1.5]}, "quantiles: .*less than 1"),
    ({"validation_size": 3}, "validation_size: expected 0 or at least the horizon 6"),
    ({"freq": "hourly-ish"}, "not a pandas frequency"),
    ({"freq": 2}, "does not fit a time column of timestamps"),
    ({"lookback": 500}, "series 's0' has 240 observations, but 512 are needed"),
])  # fmt: skip
def test_parameters_that_are_refused(change, message, hourly, tiny):
    with pytest.raises((ConfigError, DataError, UnknownNameError), match=message):
        Forecaster(**{**tiny, **change}).fit(hourly)


def test_short_series_are_named_or_padded(hourly, tiny):
    short = pd.concat([hourly, hourly[hourly["unique_id"] == "s0"].head(20).assign(unique_id="short")])
    with pytest.raises(DataError, match="series 'short' has 20 observations, but 36 are needed.*pad_short=True"):
        Forecaster(**tiny, pad_short=False).fit(short)
    forecaster = Forecaster(**{**tiny, "pad_short": True}).fit(short)
    assert forecaster.predict()["unique_id"].nunique() == 4
    with pytest.raises(DataError, match="20 observations of history; a forecast needs 24"):
        Forecaster(**tiny).fit(hourly).predict(history=short)


def test_one_short_series_does_not_change_the_seasons(tiny):
    long = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024", periods=600, freq="h"), "y": np.arange(600.0)})
    short = long.head(20).assign(unique_id="b")
    from lstmzoo.preprocessing import Columns, read_panel

    panel, _ = read_panel(pd.concat([long, long.assign(unique_id="c"), short]), Columns())
    assert Forecaster(**tiny, pad_short=True)._seasons(panel) == [24, 168]


@pytest.mark.parametrize("length", [46, 47, 48, 49, 60, 90])
def test_networks_and_baselines_are_scored_by_one_season(length, tiny):
    y = np.sin(np.arange(length) * 2 * np.pi / 12)
    forecaster = Forecaster(**{**tiny, "lookback": 12})
    baseline = forecaster.baselines()["naive"].fit(y)
    assert forecaster.fit(y).season_length_ == baseline.season_length_


@pytest.mark.parametrize("method", ["naive", "drift", "window_average"])
def test_baselines_that_need_no_season_ask_for_none(method):
    assert BaselineForecaster(method, horizon=3, season_length=24).fit(np.arange(20.0)).predict().shape == (3,)


def test_a_baseline_names_the_short_series_or_forecasts_its_last_value():
    with pytest.raises(DataError, match="has 20 observations; seasonal_naive needs 24"):
        BaselineForecaster("seasonal_naive", horizon=3, season_length=24).fit(np.arange(20.0))
    short = {"horizon": 3, "season_length": 24, "pad_short": True, "quantiles": [0.9]}
    found, naive = (BaselineForecaster(m, **short).fit(np.arange(20.0)) for m in ("seasonal_naive", "naive"))
    assert found.predict(quantiles=[]).tolist() == [19, 19, 19]
    np.testing.assert_array_equal(found.predict(), naive.predict())
    np.testing.assert_array_equal(found.predict(np.arange(30.0))[:, 0], [6, 7, 8])
    assert BaselineForecaster("drift", horizon=2, pad_short=True).fit([5.0]).predict().tolist() == [5, 5]


def test_scikit_learn_s_pipelines_and_searches_take_it(hourly, tiny):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("forecaster", Forecaster(**tiny))]).fit(hourly)
    assert len(pipeline.predict(None)) == 18
    rows = np.arange(len(hourly))
    train = rows[hourly.groupby("unique_id").cumcount(ascending=False) >= 6]
    grid = {"method": ["naive", "seasonal_naive"]}
    search = GridSearchCV(BaselineForecaster(horizon=6), grid, cv=[(train, rows)]).fit(hourly)
    assert search.best_params_ == {"method": "seasonal_naive"}
    with pytest.raises(DataError, match="takes one data argument"):
        Forecaster(**tiny).fit(hourly, hourly)


def test_numpy_numbers_and_tuples_are_taken(hourly, tiny, tmp_path):
    values = {"horizon": np.int64(6), "quantiles": (0.1, 0.9), "season_length": np.int32(24)}
    forecaster = Forecaster(**{**tiny, **values}).fit(hourly)
    forecaster.save(tmp_path / "m")
    import lstmzoo

    pd.testing.assert_frame_equal(lstmzoo.load(tmp_path / "m").predict(), forecaster.predict())


def test_series_come_first_and_steps_by_name(fitted, hourly):
    pd.testing.assert_frame_equal(fitted.predict(hourly), fitted.predict(history=hourly))
    with pytest.raises(ConfigError, match="pass the steps to forecast as horizon=12"):
        fitted.predict(12)
    with pytest.raises(ConfigError, match=r"got a DataFrame; series go into history="):
        fitted.predict(horizon=hourly)


def test_some_series_are_forecast(fitted, hourly):
    whole = fitted.predict()
    some = fitted.predict(ids=["s2", "s0"])
    expected = pd.concat([whole[whole["unique_id"] == name] for name in ("s2", "s0")], ignore_index=True)
    pd.testing.assert_frame_equal(some, expected, rtol=1e-6)
    pd.testing.assert_frame_equal(fitted.predict(hourly, ids=pd.Series(["s2", "s0"])), expected, rtol=1e-6)
    for ids, message in ((["s1", "s9"], "unknown series 's9'.*valid: s0, s1, s2"), ("s1", "a list of names"), ([], "empty"),
                         (["s1", "s1"], "'s1' occurs twice")):  # fmt: skip
        with pytest.raises((ConfigError, LookupError), match=message):
            fitted.predict(ids=ids)


def test_the_future_of_other_series_is_ignored(hourly):
    frame = hourly.assign(price=np.arange(len(hourly)) % 7)
    baseline = BaselineForecaster(horizon=3, future_covariates=["price"]).fit(frame)
    future = baseline.make_future_frame().assign(price=1.0)
    one = baseline.predict(future=future, ids=["s1"])
    assert set(one["unique_id"]) == {"s1"}
    pd.testing.assert_frame_equal(one, baseline.predict(future=future[future["unique_id"] == "s1"], ids=["s1"]))
    with pytest.raises(DataError, match="series 's9' is not one of the series to forecast"):
        baseline.predict(future=future.replace({"unique_id": {"s0": "s9"}}), ids=["s1"])
    indexed = BaselineForecaster(horizon=3, future_covariates=["price"]).fit(frame.set_index(["unique_id", "ds"]))
    future = indexed.make_future_frame().assign(price=1.0)
    assert isinstance(future.index, pd.MultiIndex)
    same = indexed.predict(future=future, ids=["s1"]).reset_index()
    pd.testing.assert_frame_equal(same, one)


def test_the_steps_of_a_request_are_counted_by_the_columns_that_were_fitted(hourly):
    baseline = BaselineForecaster(horizon=3).fit(hourly)
    for other in ("shop", None):
        baseline.set_params(id_col=other)
        assert baseline.serving_steps(hourly, {"horizon": 4}) == (12, "3 series times horizon 4")


def test_digest_tells_data_apart_and_nothing_else(hourly, tiny, fitted):
    forecaster = Forecaster(**tiny)
    assert forecaster.data_digest(hourly) == fitted.data_digest_
    assert forecaster.data_digest(pl.from_pandas(hourly.sample(frac=1, random_state=0))) == fitted.data_digest_
    assert forecaster.data_digest(hourly.assign(y=hourly["y"] + 1)) != fitted.data_digest_


def test_a_logarithm_of_what_is_not_positive(hourly, tiny):
    tail = hourly.assign(y=hourly["y"].mask(hourly.index == 239, -5.0))
    with pytest.raises(DataError, match="series 's0' is -5 at"):
        Forecaster(**{**tiny, "hyperparameters": {"transform": "log"}}).fit(tail)
    low = hourly.assign(y=hourly["y"] - 45)
    with pytest.raises(
        DataError, match=r"hyperparameters=\{'transform': 'log'\} needs values of at least 0, but series 's0'"
    ):
        Forecaster(**{**tiny, "hyperparameters": {"transform": "log"}}).fit(low)


def test_calendar_features_need_a_calendar(hourly, tiny):
    with pytest.raises(DataError, match="calendar features need timestamps"):
        Forecaster(**{**tiny, "hyperparameters": {"calendar": True}}).fit(hourly["y"].to_numpy()[:240])


def test_a_loss_that_explodes_is_an_error(hourly, tiny):
    settings = {
        "units": 8,
        "learning_rate": 1.0e38,
        "optimizer": "sgd",
        "scaling": "none",
        "clipnorm": None,
        "schedule": "constant",
    }
    with pytest.raises(TrainingError, match="lower learning_rate"):
        Forecaster(**{**tiny, "hyperparameters": settings}).fit(hourly.assign(y=hourly["y"] * 1e12))


def test_restrict_drops_what_makes_no_sense(hourly, tiny):
    from lstmzoo.config import load_config

    space = load_config("forecasting/lstm").search_space
    kept = Forecaster(**{**tiny, "hyperparameters": {"units": 8}}).restrict(space, hourly)
    assert "units" not in kept
    assert "lookback_horizons" not in kept
    short = hourly.groupby("unique_id").head(60)
    free = Forecaster(horizon=12).restrict(space, short)
    assert free["lookback_horizons"].max == 3
    assert Forecaster(horizon=6).restrict(space, short)["lookback_horizons"].max == 7
    assert Forecaster(horizon=16).restrict(space, short)["lookback_horizons"].values == [1]
    assert "long_seasonal_naive" not in free["residual"].values


@pytest.mark.parametrize(("seasons", "length", "first", "values"), [
    (1, 60, "seasonal_mix", {"none", "seasonal_mix", "mix"}),
    (4, 60, "seasonal_mix", {"none", "naive", "seasonal_naive", "seasonal_mix", "mix"}),
    ([4, 40], 60, "seasonal_naive", {"none", "naive", "seasonal_naive"}),
    (40, 60, "naive", {"none", "naive"}),
])  # fmt: skip
def test_a_first_trial_has_the_entrys_own_reference_or_the_nearest(seasons, length, first, values):
    from lstmzoo.tuning.space import make_space

    forecaster = Forecaster(horizon=12, season_length=seasons)
    y = 5 + np.sin(np.arange(length))
    space = make_space(forecaster, [load_config("forecasting/lstm")], {}, (y,))["lstm"]
    assert (space.first["residual"], set(space.ranges["residual"].values)) == (first, values)
    assert {space.first[name] for name in ("transform", "batch_size")} == {"none", 64}


@pytest.mark.parametrize(("seasons", "length", "asked", "tried"), [
    (1, 60, "naive", "seasonal_mix"), (1, 60, "seasonal_naive", "seasonal_mix"), (1, 60, "mix", "mix"), (1, 60, "none", "none"),
    (4, 60, "naive", "naive"), (4, 60, "long_seasonal_naive", "seasonal_naive"),
    ([4, 40], 60, "long_seasonal_naive", "seasonal_naive"), (40, 60, "mix", "naive"),
])  # fmt: skip
def test_a_candidate_has_its_own_reference_or_the_same_by_another_name(seasons, length, asked, tried):
    from lstmzoo.config import Candidate
    from lstmzoo.tuning.space import fitting, make_space

    forecaster = Forecaster(horizon=12, season_length=seasons)
    y = 5 + np.sin(np.arange(length))
    space = make_space(forecaster, [load_config("forecasting/segment_lstm")], {}, (y,))["segment_lstm"]
    assert fitting(space, Candidate("segment_lstm", {"residual": asked})) == {"residual": tried}


def test_the_entrys_own_reference_is_known_by_another_name_too():
    from lstmzoo.tuning.space import make_space

    ranges = {"residual": {"type": "categorical", "values": ["long_seasonal_naive", "none"]}}
    forecaster = Forecaster(horizon=12, season_length=1)
    space = make_space(forecaster, [load_config("forecasting/lstm")], ranges, (np.arange(60.0),))["lstm"]
    assert space.first["residual"] == "long_seasonal_naive", "without a season, the same as the entry's own"


@pytest.mark.parametrize(("method", "expected"), [
    ("naive", [4, 4, 4]), ("seasonal_naive", [3, 4, 3]), ("drift", [5, 6, 7]), ("window_average", [3.5, 3.5, 3.5]),
])  # fmt: skip
def test_baseline_forecasts_by_hand(method, expected):
    forecast = BaselineForecaster(method, horizon=3, season_length=2).fit([1.0, 2.0, 3.0, 4.0]).predict()
    np.testing.assert_allclose(forecast, expected)


def test_baseline_spread_by_hand():
    y = [0.0, 1.0, 0.0, 1.0]
    forecast = BaselineForecaster("naive", horizon=4, quantiles=[0.975]).fit(y).predict()
    np.testing.assert_allclose(forecast[:, 1], 1 + 1.959964 * np.sqrt([1, 2, 3, 4]), rtol=1e-6)


def test_series_that_begin_too_late_are_refused(hourly, tiny):
    late = hourly.assign(y=hourly["y"].where(hourly.groupby("unique_id").cumcount(ascending=False) < 8))
    with pytest.raises(DataError, match="after the validation steps are held out, no series has an observed target"):
        Forecaster(**tiny, missing="mask").fit(late)


def test_names_of_another_kind_are_not_series_never_seen(hourly, tiny):
    numbered = hourly.assign(unique_id=hourly["unique_id"].str[1:].astype(int))
    with pytest.raises(
        DataError, match="names the series by whole numbers, such as 0, but the training data by text, such as 's0'"
    ):
        Forecaster(**tiny).fit(hourly).predict(history=numbered)


def test_pictures_are_checked_before_they_are_drawn(fitted, hourly, tmp_path):
    backtest = fitted.cross_validation(hourly, n_windows=1)
    for draw in (fitted.plot, lambda path: fitted.plot_backtest(backtest, path)):
        with pytest.raises(ConfigError, match=r"expected a name that ends in .*\.png"):
            draw("forecast.xyz")
    fitted.plot(tmp_path / "missing" / "forecast.png")
    assert (tmp_path / "missing" / "forecast.png").stat().st_size > 1000
    check_picture(tmp_path / "forecast.PNG")
    with pytest.raises(
        DataError, match="expected the frame that cross_validation gave, with the columns 'ds', 'y', 'cutoff'"
    ):
        fitted.plot_backtest(hourly)


def test_a_plot_is_of_the_horizon_and_quantiles_asked_for(fitted, tmp_path):
    figure = fitted.plot(tmp_path / "f.png", ids=["s1"], horizon=9, quantiles=[])
    (axis,) = [a for a in figure.axes if a.lines]
    assert len(axis.lines[1].get_xdata()) == 9
    assert not axis.collections


def test_scores_say_what_they_hold_out(fitted, hourly):
    with pytest.raises(
        DataError, match="without the last 6 observations, which are scored: series 's0' has 14 observations"
    ):
        fitted.score(hourly.groupby("unique_id").head(20))


def test_a_checkpoint_is_the_same_fits_however_its_parameters_are_written(hourly, tiny, tmp_path):
    settings = {"units": 4, "epochs": 1, "steps_per_epoch": 2, "learning_rate": 1e-3}
    tiny = {**tiny, "hyperparameters": settings, "quantiles": [0.1, 0.9], "time_limit": 100}
    history = Forecaster(**tiny).fit(hourly, checkpoint_dir=tmp_path).history_
    same = [
        {"hyperparameters": dict(reversed(settings.items()))},
        {"hyperparameters": {**settings, "dropout": load_config("forecasting/segment_gru").settings["dropout"]}},
        {"quantiles": (np.float64(0.1), np.float64(0.9)), "horizon": np.int64(6), "time_limit": 100.0},
        {"model": "forecasting/segment_gru", "verbose": 1},
    ]
    for changes in same:
        assert Forecaster(**{**tiny, **changes}).fit(hourly, checkpoint_dir=tmp_path).history_ == history
    for changes in ({"quantiles": [0.1, 0.8]}, {"hyperparameters": {**settings, "units": 5}}, {"random_state": 1}):
        with pytest.raises(ConfigError, match="another fit"):
            Forecaster(**{**tiny, **changes}).fit(hourly, checkpoint_dir=tmp_path)


def test_a_digest_is_the_same_for_numpys_numbers():
    python, numpy = (
        np.array([1, 2.0, "a"], dtype=object),
        np.array([np.int64(1), np.float32(2), np.str_("a")], dtype=object),
    )
    assert digest(python) == digest(numpy)
    assert digest(python) != digest(np.array([1, 2.0, "b"], dtype=object))


def test_a_checkpoint_directory_is_no_file(hourly, tiny, tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(ConfigError, match="checkpoint_dir: .*c is not a folder"):
        Forecaster(**tiny).fit(hourly, checkpoint_dir=tmp_path / "c")
