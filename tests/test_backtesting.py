"""Backtests at rolling origins, their scores and their plot."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import ConfigError, DataError, UnknownNameError

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def backtest(hourly, tiny):
    return Forecaster(**tiny, quantiles=[0.1, 0.9]).cross_validation(hourly, n_windows=4, step_size=5)


def test_each_window_is_there_with_what_was_observed(backtest, hourly):
    assert list(backtest.columns) == ["unique_id", "ds", "y", "cutoff", "y_hat", "y_hat_q0.1", "y_hat_q0.9"]
    assert len(backtest) == 4 * 3 * 6
    both = backtest.merge(hourly, on=["unique_id", "ds"], validate="m:1")
    assert (both["y_x"] == both["y_y"]).all()
    lead = (backtest["ds"] - backtest["cutoff"]) / pd.Timedelta("1h")
    assert set(lead) == {1, 2, 3, 4, 5, 6}
    assert backtest["cutoff"].nunique() == 4
    assert backtest["ds"].max() == hourly["ds"].max()


def test_a_window_is_the_forecast_of_one_fitted_before_the_first(backtest, hourly, tiny):
    cutoffs = sorted(backtest["cutoff"].unique())
    fitted = Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly[hourly["ds"] <= cutoffs[0]])
    for cutoff in (cutoffs[0], cutoffs[2]):
        expected = fitted.predict(history=hourly[hourly["ds"] <= cutoff])
        window = backtest[backtest["cutoff"] == cutoff].reset_index(drop=True)
        np.testing.assert_allclose(window["y_hat"], expected["y_hat"], rtol=1e-5)
        np.testing.assert_allclose(window["y_hat_q0.9"], expected["y_hat_q0.9"], rtol=1e-5)


def test_refitting_sees_what_came_since(hourly):
    frame = hourly.assign(y=hourly["y"].where(hourly["ds"] < hourly["ds"].max() - pd.Timedelta("11h"), 1e4))
    drift = BaselineForecaster("drift", horizon=6)
    once = drift.cross_validation(frame, n_windows=2)
    again = drift.cross_validation(frame, n_windows=2, refit=True)
    pd.testing.assert_frame_equal(once, again)  # a drift forecast only needs the history
    model = Forecaster("gru", horizon=6, lookback=12, random_state=0, verbose=0, hyperparameters={
        "units": 4, "epochs": 1, "steps_per_epoch": 3})  # fmt: skip
    once, again = (model.cross_validation(frame, n_windows=2, refit=refit) for refit in (False, True))
    first = once["cutoff"] == once["cutoff"].min()
    np.testing.assert_allclose(once.loc[first, "y_hat"], again.loc[first, "y_hat"], rtol=1e-5)
    assert not np.allclose(once.loc[~first, "y_hat"], again.loc[~first, "y_hat"])


def test_polars_and_arrays(hourly):
    naive = BaselineForecaster("naive", horizon=6)
    assert isinstance(naive.cross_validation(pl.from_pandas(hourly), n_windows=2), pl.DataFrame)
    frame = naive.cross_validation(np.arange(50.0), n_windows=2, step_size=1)
    assert list(frame.columns) == ["ds", "y", "cutoff", "y_hat"]
    np.testing.assert_array_equal(frame["y_hat"], np.repeat([42.0, 43.0], 6))


def test_covariates_of_the_future_come_from_the_frame(hourly, tiny):
    frame = hourly.assign(price=np.random.default_rng(0).normal(size=len(hourly)))
    backtest = Forecaster(**tiny, future_covariates=["price"]).cross_validation(frame, n_windows=2)
    assert np.isfinite(backtest["y_hat"]).all()


@pytest.mark.parametrize("arguments", [{"n_windows": 0}, {"step_size": 0}, {"n_windows": 2.5}, {"n_windows": True}])
def test_windows_that_are_refused(arguments, hourly):
    with pytest.raises(ConfigError, match="whole number above 0"):
        BaselineForecaster(horizon=6).cross_validation(hourly, **arguments)


def test_series_that_are_too_short(hourly):
    with pytest.raises(DataError, match="series 's0' has 240 observations, too few for 50 windows"):
        BaselineForecaster(horizon=6).cross_validation(hourly, n_windows=50)


def test_scores_of_the_last_horizon(hourly):
    baseline = BaselineForecaster("naive", horizon=6, quantiles=[0.1, 0.25, 0.75, 0.9], season_length=24).fit(hourly)
    table = baseline.evaluate(hourly)
    assert list(table.columns) == ["unique_id", "mase", "smape", "rmsse", "crps", "coverage_80", "coverage_50"]
    assert -table["mase"].mean() == pytest.approx(baseline.score(hourly))
    one = hourly[hourly["unique_id"] == "s0"]["y"].to_numpy()
    past, actual = one[:-6], one[-6:]
    assert table["smape"][0] == pytest.approx(
        np.mean(200 * np.abs(actual - past[-1]) / (np.abs(actual) + abs(past[-1])))
    )
    scale = np.mean((past[24:] - past[:-24]) ** 2)
    assert table["rmsse"][0] == pytest.approx(np.sqrt(np.mean((actual - past[-1]) ** 2) / scale))


def test_a_plot(backtest, tiny, tmp_path):
    forecaster = Forecaster(**tiny)
    figure = forecaster.plot_backtest(backtest, tmp_path / "backtest.png")
    assert (tmp_path / "backtest.png").stat().st_size > 5000
    assert len(figure.axes) == 4
    assert len(forecaster.plot_backtest(backtest, ids=["s1"]).axes) == 1
    with pytest.raises(UnknownNameError, match="'x'"):
        forecaster.plot_backtest(backtest, ids=["x"])
    assert len(forecaster.plot_backtest(backtest, ids=np.array(["s1", "s0"])).axes) == 2
    for ids, message in (("s1", "a list of names"), ([], "empty"), (["s1", "s1"], "'s1' occurs twice")):
        with pytest.raises(ConfigError, match=message):
            forecaster.plot_backtest(backtest, ids=ids)


JUMP = [1.0, 2, 3, 4, 5, 6, np.nan, 100, np.nan, 100]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@pytest.mark.parametrize("refit", [False, True])
def test_a_hole_before_a_forecast_does_not_tell_of_what_follows(missing, refit):
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(10), "y": JUMP})
    naive = BaselineForecaster("naive", horizon=3, missing=missing)
    backtest = naive.cross_validation(frame, n_windows=2, step_size=1, refit=refit)
    assert (backtest["y_hat"] == 6).all()
    np.testing.assert_array_equal(backtest["y"], [np.nan, 100, np.nan, 100, np.nan, 100])
    np.testing.assert_array_equal(naive.cross_validation(np.array(JUMP), n_windows=1)["y"], [100, np.nan, 100])
    (train,), (valid,) = naive.holdout_split(frame)
    assert train["y"].isna().tolist() == [False] * 6 + [True]
    for fitted in (naive.fit(frame), naive.fit(train)):
        scores = fitted.evaluate(valid)
        assert scores["mase"][0] == scores["rmsse"][0] == pytest.approx(94)
        assert fitted.score(valid) == pytest.approx(-94)


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_scores_are_scaled_by_what_was_observed(missing):
    """The only neighbouring values that are observed are ones followed by threes."""
    y = np.tile([1.0, 3.0, np.nan, np.nan, np.nan], 6)[:27]
    scores = BaselineForecaster("naive", horizon=2, season_length=1, missing=missing).fit(y).evaluate(y)
    assert scores["mase"][0] == pytest.approx((2 + 0) / 2 / 2)
    assert scores["rmsse"][0] == pytest.approx(np.sqrt((2**2 + 0) / 2) / 2)


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_past_covariates_of_a_backtest_are_filled_by_what_came_before(hourly, tiny, missing):
    place = hourly.groupby("unique_id").cumcount()
    frame = hourly.assign(visitors=(2 * hourly["y"]).where((place < 220) | (place > 235)), price=place % 5 * 1.0)
    frame.loc[place == 237, "price"] = np.nan
    parameters = {**tiny, "past_covariates": ["visitors"], "future_covariates": ["price"], "missing": missing}
    forecaster = Forecaster(**parameters)
    backtest = forecaster.cross_validation(frame, n_windows=1)
    fitted = Forecaster(**parameters).fit(frame[place < 234])
    future = frame.loc[place >= 234, ["unique_id", "ds", "price"]]
    expected = fitted.predict(future=future.assign(price=future["price"].fillna(1.0 if missing == "mask" else 2.0)))
    np.testing.assert_allclose(backtest["y_hat"], expected["y_hat"], rtol=1e-5)


def test_a_series_without_a_value_before_the_forecast():
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(10), "y": [np.nan] * 7 + [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="'y' of series 'a' is missing in every row up to 6"):
        BaselineForecaster("naive", horizon=3, missing="mask").cross_validation(frame, n_windows=1)


def test_irregular_backtests_know_the_usual_step_of_their_history(tiny):
    rng = np.random.default_rng(0)
    steps = np.where(np.arange(300) < 120, 1, 7) + rng.integers(0, 2, 300)
    frame = pd.DataFrame({"unique_id": "a", "ds": np.cumsum(steps), "y": np.sin(np.arange(300) / 7)})
    backtest = Forecaster(**tiny, irregular=True).cross_validation(frame, n_windows=30)
    fitted = Forecaster(**tiny, irregular=True).fit(frame[:120])
    assert fitted.tail_.freq != Forecaster(**tiny, irregular=True)._given_params.read(frame)[0].freq
    for end in (120, 210):
        expected = fitted.predict(history=frame[:end], future=frame.loc[end : end + 5, ["unique_id", "ds"]])
        window = backtest[backtest["cutoff"] == frame["ds"][end - 1]]
        np.testing.assert_allclose(window["y_hat"], expected["y_hat"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["polars", "pyarrow"])
def test_cutoffs_are_as_times_are(backend, tiny):
    ds = pd.date_range("2024-01-01", periods=60, freq="D")
    y = 10 + np.sin(np.arange(60.0))
    dates = {"polars": lambda f: pl.from_pandas(f).with_columns(pl.col("ds").cast(pl.Date)),
             "pyarrow": lambda f: pa.Table.from_pandas(f.assign(ds=f["ds"].dt.date))}[backend]  # fmt: skip
    frame = dates(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}))
    backtest = Forecaster(**tiny).cross_validation(frame, n_windows=1)
    kinds = [backtest.schema["ds"], backtest.schema["cutoff"]] if backend == "polars" else [
        backtest.schema.field("ds").type, backtest.schema.field("cutoff").type]  # fmt: skip
    assert kinds[0] == kinds[1] == (pl.Date if backend == "polars" else pa.date32())
