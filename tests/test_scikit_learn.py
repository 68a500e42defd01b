"""Forecasters in scikit-learn's pipelines, searches and cross-validation."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterSampler, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import lstmzoo
from lstmzoo import BaselineForecaster, Forecaster, ForecastScorer, LanguageModel, RollingOriginSplit, ZooSearchCV
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.metrics import mae


def doubled(frame):
    return frame.assign(y=2 * frame["y"])


@pytest.fixture(scope="module")
def pipeline(hourly):
    steps = [("double", FunctionTransformer(doubled)), ("forecast", BaselineForecaster(horizon=6, season_length=24))]
    return Pipeline(steps).fit(hourly)


def test_a_pipeline_forecasts_what_it_is_given(pipeline, hourly):
    early = hourly[hourly["ds"] < "2024-01-09"]
    forecast = pipeline.predict(early)
    expected = BaselineForecaster(horizon=6, season_length=24).fit(early).predict()
    pd.testing.assert_frame_equal(
        forecast, doubled(expected.rename(columns={"y_hat": "y"})).rename(columns={"y": "y_hat"})
    )
    assert len(pipeline.predict(early, horizon=9)) == 27
    assert pipeline.score(hourly) == pytest.approx(pipeline[-1].score(hourly))
    assert ForecastScorer("mae")(pipeline, hourly) == pytest.approx(2 * pipeline[-1].score(hourly, metric="mae"))


def test_a_grid_search_chooses_scores_and_forecasts(hourly):
    split = RollingOriginSplit(n_splits=3, horizon=6)
    grid = {"method": ["naive", "seasonal_naive"], "season_length": [[24]]}
    search = GridSearchCV(BaselineForecaster(horizon=6), grid, cv=split).fit(hourly)
    assert search.best_params_["method"] == "seasonal_naive"
    pd.testing.assert_frame_equal(search.predict(hourly), search.best_estimator_.predict())
    assert search.score(hourly) == search.best_estimator_.score(hourly)


def test_cross_validation_scores_what_training_did_not_see(hourly):
    split, baseline = RollingOriginSplit(n_splits=3, horizon=6, step_size=4), BaselineForecaster("naive", horizon=6)
    by_hand = []
    for after in (8, 4, 0):
        known = hourly[hourly.groupby("unique_id").cumcount(ascending=False) >= after]
        place = known.groupby("unique_id").cumcount(ascending=False)
        forecast = clone(baseline).fit(known[place >= 6]).predict()
        actual = known[place < 6]["y"].to_numpy().reshape(3, 6)
        by_hand.append(-mae(actual, forecast["y_hat"].to_numpy().reshape(3, 6)).mean())
    np.testing.assert_allclose(cross_val_score(baseline, hourly, cv=split, scoring=ForecastScorer("mae")), by_hand)
    shuffled = hourly.sample(frac=1, random_state=0).reset_index(drop=True)
    both = cross_validate(
        baseline, shuffled, cv=split, scoring={"mae": ForecastScorer("mae"), "mase": ForecastScorer()}
    )
    np.testing.assert_allclose(both["test_mae"], by_hand)
    np.testing.assert_allclose(both["test_mase"], cross_val_score(baseline, hourly, cv=split))


def test_splits():
    frame = pd.DataFrame({"shop": ["b", "a", "a", "a", "b", "b", "a"], "day": [3, 4, 1, 2, 1, 2, 3]})
    split = RollingOriginSplit(n_splits=2, horizon=1, id_col="shop", time_col="day")
    expected = [([2, 3, 4], [2, 3, 4, 5, 6]), ([2, 3, 4, 5, 6], list(range(7)))]
    for data in (frame, pl.from_pandas(frame)):
        assert [(list(train), list(test)) for train, test in split.split(data)] == expected
    assert split.get_n_splits(frame) == 2
    one = RollingOriginSplit(n_splits=1, horizon=2)
    assert [(list(train), list(test)) for train, test in one.split(np.arange(5.0))] == [([0, 1, 2], [0, 1, 2, 3, 4])]
    with pytest.raises(DataError, match="series 'b' has 3 rows, but 3 splits take 3"):
        next(RollingOriginSplit(n_splits=3, id_col="shop", time_col="day").split(frame))
    with pytest.raises(DataError, match="column 'ds' is missing.*time_col="):
        next(RollingOriginSplit(id_col="shop").split(frame))
    with pytest.raises(DataError, match="'shop' has a missing value in row 1"):
        next(RollingOriginSplit(id_col="shop", time_col="day").split(frame.replace({"shop": {"a": None}})))
    dates = pd.to_datetime([f"2024-01-0{day}" for day in frame["day"]])
    for times in (dates, dates.tz_localize("Europe/Berlin"), dates.to_period("D"), dates.astype(str)):
        of_times = frame.assign(day=times, y=0.0)
        for data in (of_times, of_times.set_index(["shop", "day"])):
            assert [(list(train), list(test)) for train, test in split.split(data)] == expected
    series = pd.Series(np.arange(5.0), index=pd.to_datetime([f"2024-01-0{day}" for day in (5, 1, 4, 2, 3)]))
    assert [(list(train), list(test)) for train, test in one.split(series)] == [([1, 3, 4], [0, 1, 2, 3, 4])]
    BaselineForecaster("naive", horizon=2).fit(series.iloc[[1, 3, 4]])
    for wrong in ({"n_splits": 0}, {"horizon": True}, {"step_size": 1.5}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            RollingOriginSplit(**wrong)


def test_single_hyperparameters_are_parameters():
    settings = {"units": 4, "epochs": 1}
    forecaster = Forecaster(horizon=6, hyperparameters=settings)
    assert forecaster.get_params()["hyperparameters__units"] == 4
    assert set(forecaster.get_params(deep=False)) == set(Forecaster(horizon=6).get_params())
    forecaster.set_params(hyperparameters__units=8, hyperparameters__dropout=0.5, horizon=3)
    assert forecaster.hyperparameters == {"units": 8, "epochs": 1, "dropout": 0.5}
    assert settings == {"units": 4, "epochs": 1}
    assert forecaster.set_params(hyperparameters={"units": 2}, hyperparameters__epochs=3).hyperparameters == {
        "units": 2, "epochs": 3,
    }  # fmt: skip
    assert clone(forecaster).hyperparameters == forecaster.hyperparameters
    assert LanguageModel().set_params(hyperparameters__bptt=8).hyperparameters == {"bptt": 8}
    search = ZooSearchCV(forecaster, max_trials=1).set_params(estimator__hyperparameters__units=5)
    assert search.estimator.hyperparameters["units"] == 5
    with pytest.raises(ValueError, match="Invalid parameter"):
        forecaster.set_params(hyperparameter__units=8)


def test_a_grid_of_hyperparameters(hourly, tiny, eagerly):
    pipe = Pipeline([("forecast", Forecaster(**tiny))])
    grid = {"forecast__hyperparameters__units": np.array([2, 4]), "forecast__hyperparameters__epochs": [1]}
    search = GridSearchCV(pipe, grid, cv=RollingOriginSplit(1, horizon=6)).fit(hourly)
    best = search.best_estimator_[-1]
    assert best.config_.hyperparameters["units"] in (2, 4)
    assert len(best.history_) == 1
    assert len(search.predict(hourly)) == 18


def test_numbers_of_numpy_are_hyperparameters(tiny):
    grid = {
        "units": np.arange(4, 9),
        "dropout": np.linspace(0, 0.5, 3, dtype=np.float32),
        "bidirectional": np.array([True]),
    }
    (drawn,) = ParameterSampler({**grid, "batch_size": np.array([8])}, 1, random_state=0)
    config = Forecaster("lstm", horizon=6, hyperparameters=drawn)._resolve_config()
    same = {name: value.item() for name, value in drawn.items()}
    assert config == Forecaster("lstm", horizon=6, hyperparameters=same)._resolve_config()
    assert {name: type(config.settings[name]) for name in drawn} == {
        "units": int, "dropout": float, "bidirectional": bool, "batch_size": int,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="units must be int"):
        Forecaster("lstm", horizon=6, hyperparameters={"units": np.float64(4)})._resolve_config()
    with pytest.raises(ConfigError, match="batch_size"):
        lstmzoo.load_config("forecasting/lstm").override({"batch_size": np.bool_(True)})


def test_numbers_of_numpy_are_everywhere(hourly, tiny, eagerly):
    plainly = {**tiny, "hyperparameters": {"units": 4, "epochs": 1, "steps_per_epoch": 2}, "quantiles": [0.25, 0.75]}
    numpy = {
        **tiny, "horizon": np.int64(6), "lookback": np.int32(24), "random_state": np.uint8(0), "pad_short": np.bool_(False),
        "hyperparameters": {"units": np.int64(4), "epochs": np.int16(1), "steps_per_epoch": np.int64(2)},
        "quantiles": np.array([0.25, 0.75]), "validation_size": np.int64(6), "season_length": np.array([24]),
    }  # fmt: skip
    expected = Forecaster(**{**plainly, "season_length": [24]}).fit(hourly)
    forecaster = Forecaster(**numpy).fit(hourly)
    asked = {"horizon": np.int64(9), "quantiles": np.array([0.25])}
    pd.testing.assert_frame_equal(forecaster.predict(**asked), expected.predict(horizon=9, quantiles=[0.25]))
    search = ZooSearchCV(
        Forecaster(**tiny), ["gru"], max_trials=np.int64(1), random_state=np.int64(0), verbose=0, refit=False,
        search_space={"units": {"type": "int", "min": np.int64(2), "max": np.int64(3)},
                      "dropout": {"type": "categorical", "values": np.array([0.0, 0.5])}},
    )  # fmt: skip
    with pytest.raises(ConfigError, match="units"):
        search.set_params(search_space={"units": {"type": "int", "min": np.float64(2.5), "max": 3}}).fit(hourly)


def test_scores_by_name(hourly):
    baseline = BaselineForecaster("naive", horizon=6, quantiles=[0.1, 0.9]).fit(hourly)
    names = ["bias", "mae", "rmse", "mape", "wape", "crps"]
    scores = baseline.evaluate(hourly, metrics=names)
    assert list(scores) == ["unique_id", *names]
    for name in names:
        values = scores[name].abs() if name == "bias" else scores[name]
        assert baseline.score(hourly, metric=name) == pytest.approx(-values.mean())
    assert list(baseline.evaluate(hourly)) == ["unique_id", "mase", "smape", "rmsse", "crps", "coverage_80"]
    place = hourly.groupby("unique_id").cumcount(ascending=False)
    last = hourly[place == 6]["y"].to_numpy()[:, None]
    actual = hourly[place < 6]["y"].to_numpy().reshape(3, 6)
    np.testing.assert_allclose(scores["bias"], (last - actual).mean(axis=1))
    np.testing.assert_allclose(scores["rmse"], np.sqrt(((last - actual) ** 2).mean(axis=1)))
    np.testing.assert_allclose(scores["mape"], 100 * (np.abs(last - actual) / np.abs(actual)).mean(axis=1))
    np.testing.assert_allclose(scores["wape"], 100 * np.abs(last - actual).sum(axis=1) / np.abs(actual).sum(axis=1))
    assert [*baseline.evaluate(hourly, metrics=["coverage"])] == ["unique_id", "coverage_80"]
    median = BaselineForecaster("naive", horizon=6).fit(hourly)
    for call, error, message in (
        (lambda: baseline.evaluate(hourly, metrics=["mea"]), UnknownNameError, r"metric 'mea' \(did you mean 'mae'"),
        (lambda: baseline.evaluate(hourly, metrics="mae"), ConfigError, "a list of names"),
        (lambda: baseline.score(hourly, metric="coverage"), UnknownNameError, "valid: bias, crps, mae"),
        (lambda: ForecastScorer("mea"), UnknownNameError, "valid: bias"),
        (lambda: median.score(hourly, metric="crps"), ConfigError, "crps needs quantiles"),
        (lambda: median.evaluate(hourly, metrics=["coverage"]), ConfigError, "coverage needs symmetric quantiles"),
        (
            lambda: median.score(hourly.assign(y=0.0), metric="wape"),
            DataError,
            "WAPE is undefined: all values of the forecast",
        ),
    ):
        with pytest.raises(error, match=message):
            call()
