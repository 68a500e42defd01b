"""Metrics by hand."""

import numpy as np
import pytest

from lstmzoo.errors import DataError
from lstmzoo.metrics import mase, mean_over_series, smape


def test_mase_by_hand():
    history = [np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 10.0, 0.0, 10.0])]
    actual, forecast = np.array([[4.0, 4.0], [1.0, 1.0]]), np.array([[3.0, 6.0], [2.0, 2.0]])
    np.testing.assert_allclose(mase(actual, forecast, history, 1), [1.5 / 2, 1 / 10])
    np.testing.assert_allclose(mase(actual, forecast, history, 2), [1.5 / 1.5, np.nan])


def test_a_forecast_that_is_not_finite_is_not_left_out():
    history = [np.array([1.0, 2.0, 3.0])] * 2
    scores = mase(np.ones((2, 1)), np.array([[1.5], [np.inf]]), history, 1)
    assert mean_over_series(scores) == np.inf
    assert mean_over_series(mase(np.ones((1, 1)), np.array([[np.nan]]), history[:1], 1)) == np.inf


def test_no_series_that_varies():
    with pytest.raises(DataError, match="no series varies"):
        mean_over_series(mase(np.ones((1, 2)), np.ones((1, 2)), [np.ones(5)], 1))


def test_smape_is_the_m_competitions():
    np.testing.assert_allclose(smape(np.array([[100.0]]), np.array([[110.0]])), 200 * 10 / 210)
