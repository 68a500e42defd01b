"""Dropout by a hash: its statistics, and its dependence on seeds and places."""

import keras
import numpy as np
import pytest

from lstmzoo.layers import Dropout


def masks(layer, count=4, shape=(400, 300)):
    x = np.ones(shape, "float32")
    return [keras.ops.convert_to_numpy(layer(x, training=True)) for _ in range(count)]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_kept_and_the_mean_too(rate):
    for kept in masks(Dropout(rate, seed=1)):
        assert (kept == 0).mean() == pytest.approx(rate, abs=0.01)
        assert kept.mean() == pytest.approx(1, abs=0.05)


def test_draws_are_independent():
    first, second, *_ = (m > 0 for m in masks(Dropout(0.3, seed=1)))
    assert (first == second).mean() == pytest.approx(0.3**2 + 0.7**2, abs=0.01)
    flat = first.ravel().astype(float)
    for lag in (1, 2, 3, 4, 16, 300):
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) < 0.02
    assert abs(first.mean(axis=0) - 0.7).max() < 0.12
    assert abs(first.mean(axis=1) - 0.7).max() < 0.13


def test_the_same_seed_gives_the_same_mask():
    same, other = masks(Dropout(0.3, seed=1), 1)[0], masks(Dropout(0.3, seed=2), 1)[0]
    np.testing.assert_array_equal(masks(Dropout(0.3, seed=1), 1)[0], same)
    assert (same != other).any()


def test_outside_of_training_nothing_is_dropped():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(Dropout(0.5)(x)), x)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(Dropout(0.0)(x, training=True)), x)
