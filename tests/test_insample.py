"""Fitted values and residuals."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def short(hourly):
    """Series of different lengths with missing values and rows, and a future covariate."""
    frame = hourly.assign(price=np.arange(len(hourly)) % 5, y=hourly["y"].mask(hourly.index % 11 == 4))
    place = frame.groupby("unique_id").cumcount()
    kept = frame[(place < 40) & ~((frame["unique_id"] == "s1") & (place >= 31)) & (frame.index != 17)]
    leading = kept["y"].mask((kept["unique_id"] == "s2") & (kept.groupby("unique_id").cumcount() < 4))
    return kept.assign(y=leading)


@pytest.mark.parametrize("step", [1, 3])
def test_each_is_what_would_have_been_forecast(short, step, tiny, eagerly):
    settings = {"units": 4, "epochs": 1, "steps_per_epoch": 2}
    forecaster = Forecaster(
        "gru", horizon=3, lookback=6, season_length=2, missing="mask", quantiles=[0.1], hyperparameters=settings,
        random_state=0, verbose=0, future_covariates=["price"],
    ).fit(short)  # fmt: skip
    values = forecaster.fitted_values(short, step=step)
    assert list(values) == ["unique_id", "ds", "y", "y_hat", "y_hat_q0.1"]
    for name in ("s0", "s1", "s2"):
        one, rows = short[short["unique_id"] == name], values[values["unique_id"] == name]
        assert rows["ds"].max() == one["ds"].max()
        assert rows["ds"].is_monotonic_increasing
        assert rows["ds"].diff().dropna().eq(pd.Timedelta("1h")).all()
        there = rows.merge(one, on="ds", how="left")
        np.testing.assert_array_equal(there["y_x"], there["y_y"])
        for row in (rows.iloc[0], rows.iloc[7], rows.iloc[-1]):
            known = one[one["ds"] <= row["ds"] - pd.Timedelta(hours=step)]
            future = forecaster.make_future_frame(horizon=step, history=known)
            prices = one.set_index("ds")["price"].reindex(future["ds"])
            if known["ds"].max() < row["ds"] - pd.Timedelta(hours=step) or prices.isna().any():
                continue
            expected = forecaster.predict(known, horizon=step, future=future.assign(price=prices.to_numpy()))
            np.testing.assert_allclose(
                row[["y_hat", "y_hat_q0.1"]].astype(float), expected.iloc[-1, 2:].astype(float), rtol=1e-5
            )


def test_residuals_are_what_is_left(short):
    baseline = BaselineForecaster("naive", horizon=2, missing="mask").fit(short)
    left = baseline.residuals(short)
    np.testing.assert_array_equal(left["residual"], left["y"] - left["y_hat"])
    assert left["residual"].isna().equals(left["y"].isna())
    first = left[left["unique_id"] == "s2"].iloc[0]
    observed = short[(short["unique_id"] == "s2") & short["y"].notna()]
    assert first["ds"] == observed["ds"].iloc[0] + pd.Timedelta("1h")
    assert first["y_hat"] == observed["y"].iloc[0]


def test_the_answer_has_the_kind_of_the_series():
    y = [1.0, 2.0, 4.0, 7.0]
    baseline = BaselineForecaster("naive", horizon=2).fit(y)
    assert baseline.fitted_values(y).to_dict("list") == {
        "ds": [1, 2, 3],
        "y": [2.0, 4.0, 7.0],
        "y_hat": [1.0, 2.0, 4.0],
    }
    assert baseline.fitted_values(y, step=2)["y_hat"].tolist() == [1.0, 2.0]
    frame = pl.DataFrame({"unique_id": ["a"] * 4, "ds": [1, 2, 3, 4], "y": y})
    assert isinstance(BaselineForecaster("naive", horizon=2).fit(frame).residuals(frame), pl.DataFrame)


def test_what_is_refused(hourly):
    baseline = BaselineForecaster("seasonal_naive", season_length=24, horizon=2).fit(hourly)
    for step in (0, 3, 1.5):
        with pytest.raises(ConfigError, match="step"):
            baseline.fitted_values(hourly, step=step)
    with pytest.raises(
        DataError, match="no series is long enough: 's0' has 20 observations, but 24 are forecast from, 1 ahead"
    ):
        baseline.residuals(hourly.groupby("unique_id").head(20))
    renamed = hourly.rename(columns={"y": "residual"})
    with pytest.raises(ConfigError, match="'residual' is the name of a column of forecasts"):
        BaselineForecaster("naive", horizon=2, target_col="residual").fit(renamed).residuals(renamed)
