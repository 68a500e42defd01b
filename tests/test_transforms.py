"""Transforms of values with zeros and negative values, and forecasts that are not negative."""

import logging

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, Forecaster, load
from lstmzoo.config import load_config
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.preprocessing import Channels, Columns, WindowPreprocessor, Windows, read_panel
from lstmzoo.tuning.space import make_space

pytestmark = pytest.mark.usefixtures("eagerly")
SIZES = {"lookback": 6, "horizon": 3, "quantiles": [0.5], "periods": [1], "num_outputs": 1, "season_length": 1}


def preprocessor(transform, **changed):
    options = {"scaling": "window", "distribution": "quantiles", "channels": Channels(), "allow_negative": True}
    return WindowPreprocessor(transform=transform, **{**SIZES, **options, **changed})


def panel_of(*rows):
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": np.arange(len(y)), "y": y}) for i, y in enumerate(rows)]
    return read_panel(pd.concat(frames), Columns())[0]


def counts(size=40, factor=1.0):
    return factor * np.random.default_rng(0).poisson(1.5, size).astype(float)


def series(lowest):
    """Two seasonal series that fall to a lowest value."""
    steps = np.arange(94)
    return [lowest + scale * (1 + np.sin(steps * np.pi / 6)) * np.exp(-steps / 30) for scale in (1.0, 50.0)]


@pytest.mark.parametrize("scaling", ["window", "series", "level", "none"])
@pytest.mark.parametrize(("transform", "shift"), [("log", 0.0), ("log", 5.0), ("none", -2.0)])
def test_transforms_are_inverted(transform, shift, scaling):
    panel = panel_of(counts() + shift, counts(factor=1000.0) + shift)
    pre = preprocessor(transform, scaling=scaling).fit(panel.head(3))
    inputs, scale = pre.last_windows(panel.head(3))
    again = pre.scaler.invert(inputs["window"][..., 0].astype(float), scale)
    np.testing.assert_allclose(again, panel.head(3).tail(6).values.reshape(2, 6), rtol=1e-4, atol=1e-3)


def test_the_unit_belongs_to_the_series():
    small, large = counts(), counts(factor=1000.0)
    pre = preprocessor("log").fit(panel_of(small, large))
    inputs, scale = pre.last_windows(panel_of(small, large))
    np.testing.assert_allclose(scale.unit[:, 0], [0.1 * small.mean(), 0.1 * large.mean()])
    np.testing.assert_allclose(inputs["window"][0], inputs["window"][1], atol=1e-6)
    assert pre.last_windows(panel_of(small, large, 7 * small[-6:]))[1].unit[2, 0] == pytest.approx(
        0.7 * small[-6:].mean()
    )


def test_positive_values_are_transformed_by_the_plain_logarithm():
    y = 1 + counts()
    pre = preprocessor("log", scaling="none").fit(panel_of(y))
    assert pre.scaler.units_ is None
    np.testing.assert_array_equal(
        pre.last_windows(panel_of(y))[0]["window"][0, :, 0], np.log(y[-6:]).astype(np.float32)
    )


def test_a_saved_preprocessor_has_the_units():
    panel = panel_of(counts(), counts(factor=9.0))
    pre = preprocessor("log", allow_negative=False).fit(panel)
    again = WindowPreprocessor.from_json(pre.to_json())
    assert (again.scaler.units_, again.scaler.negative_) == (pre.scaler.units_, pre.scaler.negative_)
    for one, other in zip(
        Windows(pre, panel).batch(np.arange(9))[:2], Windows(again, panel).batch(np.arange(9))[:2], strict=True
    ):
        np.testing.assert_equal(one, other)


def test_values_that_a_transform_cannot_take_are_named():
    with pytest.raises(DataError, match="needs values of at least 0, but series 's0' is -1 at 3: pass"):
        preprocessor("log").fit(panel_of([3.0, 1, 2, -1, 5, 5, 5, 5, 5, 5]))


@pytest.mark.parametrize("distribution", ["quantiles", "normal"])
@pytest.mark.parametrize("transform", ["none", "log"])
def test_series_that_were_never_negative_are_not_forecast_negative(transform, distribution, tiny, tmp_path):
    data = pd.concat(
        pd.DataFrame({"unique_id": f"s{i}", "ds": np.arange(len(y)), "y": y}) for i, y in enumerate(series(0.0))
    )
    levels = {"quantiles": [0.01, 0.99]} if distribution == "normal" else {"quantiles": [0.1, 0.9]}
    settings = {**tiny["hyperparameters"], "transform": transform, "residual": "naive"}
    options = {**tiny, **levels, "hyperparameters": settings, "distribution": distribution}
    forecaster = Forecaster(**options).fit(data)
    answers = [forecaster.predict(), forecaster.predict(horizon=15), forecaster.sample_paths(20, random_state=0)]
    assert all((frame.filter(like="y_hat") >= 0).all(axis=None) for frame in answers)
    forecaster.save(tmp_path / "model")
    pd.testing.assert_frame_equal(load(tmp_path / "model").predict(), answers[0])
    if transform != "log":
        asked = Forecaster(**options, allow_negative=True).fit(data)
        free = asked.predict().filter(like="y_hat")
        np.testing.assert_array_equal(free.clip(lower=0), answers[0].filter(like="y_hat"))
        assert free.min(axis=None) < 0


def test_negative_series_are_not_limited(tiny):
    data = pd.concat(
        pd.DataFrame({"unique_id": f"s{i}", "ds": np.arange(len(y)), "y": y}) for i, y in enumerate(series(-3.0))
    )
    assert (Forecaster(**tiny).fit(data).predict()["y_hat"] < 0).any()


def test_baselines_are_not_negative_either():
    y = np.arange(10.0)[::-1]
    assert BaselineForecaster("drift", horizon=3).fit(y).predict().tolist() == [0, 0, 0]
    assert BaselineForecaster("drift", horizon=3, allow_negative=True).fit(y).predict().tolist() == [-1, -2, -3]


def test_a_stream_takes_zeros_and_refuses_negative_values(tiny):
    y = counts(60)
    settings = {**tiny["hyperparameters"], "num_layers": 1, "transform": "log"}
    options = {**tiny, "model": "gru", "hyperparameters": settings}
    stream = Forecaster(**options).fit(y).stream()
    assert (stream.update(0.0) >= 0).all()
    with pytest.raises(DataError, match="needs values of at least 0, but the value at"):
        stream.update(-1.0)
    positive = Forecaster(**options).fit(y + 1).stream()
    with pytest.raises(DataError, match="needs positive values, as in the training set, but the value at"):
        positive.update(0.0)


def test_searches_leave_out_a_transform_only_if_it_is_not_possible_and_say_so(caplog):
    space = load_config("forecasting/lstm").search_space
    y = counts(60)
    assert Forecaster(horizon=3).restrict(space, y)["transform"].values == ["none", "log"]
    assert Forecaster(horizon=3).restrict(space, y - 1)["transform"].values == ["none"]
    assert "transform" not in Forecaster(horizon=3, distribution="negative_binomial").restrict(space, y)
    with caplog.at_level(logging.INFO, "lstmzoo"):
        make_space(Forecaster(horizon=3), [load_config("forecasting/lstm")], {}, (y - 1,))
    (message,) = [r.getMessage() for r in caplog.records if "not searched" in r.getMessage()]
    assert "transform=log" in message


def test_counts_are_not_transformed():
    with pytest.raises(ConfigError, match="forecasts counts, not logarithms"):
        Forecaster(horizon=3, distribution="negative_binomial", hyperparameters={"transform": "log"}).fit(counts())
