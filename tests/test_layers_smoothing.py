"""Exponential smoothing against the recurrence step by step."""

import keras
import numpy as np
import pytest

from lstmzoo.layers import ExponentialSmoothing


def noise(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def step_by_step(y, season, a, b, horizon):
    """Levels, seasonality and future seasonality of one series, by Holt and Winters' equations."""
    level = y[:season].mean()
    s = list(y[:season] - level)
    levels = []
    for t in range(len(y)):
        level = level if t < season else a * (y[t] - s[t]) + (1 - a) * level
        levels.append(level)
        s.append(b * (y[t] - level) + (1 - b) * s[t])
    ahead = [s[len(y) + h % season] for h in range(horizon)]
    return np.array(levels), np.array(s[: len(y)]), np.array(ahead)


def coefficients_of(layer, series):
    found = keras.ops.convert_to_numpy(layer.coefficients(series))
    return found if found.shape[1] == 2 else np.concatenate([found, np.zeros_like(found)], axis=1)


@pytest.mark.parametrize("season_length", [1, 2, 5, 12, 23, 24])
@pytest.mark.parametrize("horizon", [1, 7])
def test_smoothing_equals_the_recurrence(season_length, horizon):
    layer = ExponentialSmoothing(horizon=horizon, season_length=season_length, num_series=3)
    y, series = noise(4, 23) + 5, np.array([1, 0, 3, 2])
    layer(y, series)
    for weight in layer.weights:
        weight.assign(noise(*weight.shape))
    found = [keras.ops.convert_to_numpy(x) for x in layer(y, series)]
    season = season_length if season_length < 23 else 1
    for i, (a, b) in enumerate(coefficients_of(layer, series)):
        expected = step_by_step(y[i].astype(float), season, a, b, horizon)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one[i], other, atol=1e-4)


def test_a_pure_season_is_continued():
    layer = ExponentialSmoothing(horizon=9, season_length=4, num_series=1)
    y = 3 + np.tile([1.0, -2.0, 0.0, 1.0], 8).astype("float32")
    level, season, ahead = (keras.ops.convert_to_numpy(x)[0] for x in layer(y[None, :22], np.array([1])))
    np.testing.assert_allclose(level, 3, atol=1e-5)
    np.testing.assert_allclose(level + season, y[:22], atol=1e-5)
    np.testing.assert_allclose(level[-1] + ahead, y[22:31], atol=1e-5)


def test_series_never_seen_have_the_common_coefficients():
    layer = ExponentialSmoothing(horizon=1, season_length=2, num_series=2)
    layer(noise(2, 6), np.array([0, 1]))
    _, own = layer.weights
    own.assign(np.full(own.shape, 3.0))
    none, one = keras.ops.convert_to_numpy(layer.coefficients(np.array([0, 1])))
    np.testing.assert_allclose(none, 1 / (1 + np.exp(1)), rtol=1e-5)
    np.testing.assert_allclose(one, 1 / (1 + np.exp(-2)), rtol=1e-5)


@pytest.mark.parametrize("extreme", [-60.0, 60.0])
def test_extreme_coefficients_stay_finite(extreme):
    layer = ExponentialSmoothing(horizon=3, season_length=4, num_series=1)
    y = keras.Input((50,), name="values")
    series = keras.Input((), dtype="int32", name="series")
    level, season, ahead = layer(y, series)
    model = keras.Model([y, series], keras.ops.concatenate([level, season, ahead], axis=1))
    layer.weights[0].assign(np.full(2, extreme))
    model.compile(optimizer="sgd", loss="mse")
    model.train_on_batch([noise(2, 50), np.array([0, 1])], noise(2, 103))
    assert all(np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in layer.weights)
    assert np.isfinite(model.predict_on_batch([noise(2, 50), np.array([0, 1])])).all()


def test_it_comes_back_from_its_config():
    layer = ExponentialSmoothing(horizon=3, season_length=4, num_series=2)
    assert keras.layers.deserialize(keras.layers.serialize(layer)).get_config() == layer.get_config()
