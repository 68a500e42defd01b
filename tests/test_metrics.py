"""Metrics by hand."""

import numpy as np
import pytest
from scipy.stats import norm

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.metrics import coverage, crps, mase, mean_over_series, msis, rmsse, smape, weighted_quantile_loss

HISTORY = [np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 10.0, 0.0, 10.0])]
NAN = np.nan


def test_mase_by_hand():
    actual, forecast = np.array([[4.0, 4.0], [1.0, 1.0]]), np.array([[3.0, 6.0], [2.0, 2.0]])
    np.testing.assert_allclose(mase(actual, forecast, HISTORY, 1), [1.5 / 2, 1 / 10])
    np.testing.assert_allclose(mase(actual, forecast, HISTORY, 2), [1.5 / 1.5, NAN])


def test_rmsse_by_hand():
    actual, forecast = np.array([[4.0, 4.0], [1.0, 1.0]]), np.array([[3.0, 6.0], [2.0, 2.0]])
    np.testing.assert_allclose(rmsse(actual, forecast, HISTORY, 1), [np.sqrt(2.5 / (14 / 3)), 1 / 10])
    np.testing.assert_allclose(rmsse(actual, forecast, HISTORY, 2), [np.sqrt(2.5 / 2.5), NAN])


def test_a_forecast_that_is_not_finite_is_not_left_out():
    history = [np.array([1.0, 2.0, 3.0])] * 2
    scores = mase(np.ones((2, 1)), np.array([[1.5], [np.inf]]), history, 1)
    assert mean_over_series(scores) == np.inf
    assert mean_over_series(mase(np.ones((1, 1)), np.array([[NAN]]), history[:1], 1)) == np.inf
    actual, forecast = np.ones((1, 2)), np.array([[1.0, NAN]])
    assert mase(actual, forecast, history[:1], 1) == np.inf
    assert rmsse(actual, forecast, history[:1], 1) == np.inf
    assert smape(actual, forecast) == np.inf
    assert crps(actual, forecast[..., None], [0.5]) == np.inf
    assert msis(actual, actual, forecast, history[:1], 1, 0.9) == np.inf
    assert coverage(actual, actual, forecast) == 0.5


def test_no_series_that_varies():
    with pytest.raises(DataError, match="no series varies"):
        mean_over_series(mase(np.ones((1, 2)), np.ones((1, 2)), [np.ones(5)], 1))


def test_smape_is_the_m_competitions():
    np.testing.assert_allclose(smape(np.array([[100.0]]), np.array([[110.0]])), 200 * 10 / 210)


def test_coverage_by_hand():
    actual = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 9.0]])
    low, high = np.full((2, 4), 2.0), np.full((2, 4), 3.0)
    np.testing.assert_allclose(coverage(actual, low, high), [0.5, 0.0])


def test_crps_by_hand():
    actual = np.array([[10.0, -5.0], [2.0, 2.0], [0.0, 0.0]])
    forecasts = np.array([[[8.0, 11.0], [-6.0, -3.0]], [[2.0, 2.0], [2.0, 2.0]], [[0.0, 1.0], [0.0, 1.0]]])
    pinball = (0.1 * 2 + 0.1 * 1) + (0.1 * 1 + 0.1 * 2)
    np.testing.assert_allclose(crps(actual, forecasts, [0.1, 0.9]), [2 * pinball / 2 / 15, 0, NAN], atol=1e-12)
    np.testing.assert_allclose(crps(actual[:1], forecasts[:1, :, ::-1], [0.9, 0.1]), [pinball / 15])
    together = 2 * (pinball + 2 * 0.1 * 1) / 2 / 19
    np.testing.assert_allclose(weighted_quantile_loss(actual, forecasts, [0.1, 0.9]), together)


def test_crps_of_the_median_alone_is_the_absolute_error():
    rng = np.random.default_rng(0)
    actual, forecast = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    expected = np.abs(actual - forecast).sum(axis=1) / np.abs(actual).sum(axis=1)
    np.testing.assert_allclose(crps(actual, forecast[..., None], [0.5]), expected)


def test_crps_of_many_levels_is_that_of_the_distribution():
    levels = (np.arange(40) + 0.5) / 40
    exact = 1.5 * (2 * norm.cdf(1.5) - 1) + 2 * norm.pdf(1.5) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps(np.array([[1.5]]), norm.ppf(levels)[None, None], levels), exact / 1.5, rtol=0.01)


def test_msis_by_hand():
    actual = np.array([[4.0, 8.0, 1.0], [1.0, 1.0, 1.0]])
    low, high = np.full((2, 3), 3.0), np.full((2, 3), 6.0)
    expected = [(3 + (3 + 40 * 2) + (3 + 40 * 2)) / 3 / 2, (3 + 40 * 2) / 10]
    np.testing.assert_allclose(msis(actual, low, high, HISTORY, 1, level=0.95), expected)
    np.testing.assert_allclose(msis(actual, low, high, HISTORY, 2, level=0.95)[1], NAN)
    with pytest.raises(ConfigError, match="level must be between 0 and 1"):
        msis(actual, low, high, HISTORY, 1, level=95)


METRICS = {
    "mase": lambda actual, low, high, past: mase(actual, low, past, 1),
    "rmsse": lambda actual, low, high, past: rmsse(actual, low, past, 1),
    "smape": lambda actual, low, high, past: smape(actual, low),
    "coverage": lambda actual, low, high, past: coverage(actual, low, high),
    "crps": lambda actual, low, high, past: crps(actual, np.stack([low, high], axis=-1), [0.1, 0.9]),
    "msis": lambda actual, low, high, past: msis(actual, low, high, past, 1, 0.8),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("missing", ["000 000", "010 000", "011 100", "111 000", "010 111", "111 111"])
def test_missing_steps_are_left_out(name, missing):
    rng, gaps = np.random.default_rng(1), np.array([list(row) for row in missing.split()]) == "1"
    arrays = [rng.gamma(2, 2, (2, 3)), rng.gamma(1, 1, (2, 3)), 3 + rng.gamma(1, 1, (2, 3))]
    expected = [
        METRICS[name](*(array[i : i + 1, ~gaps[i]] for array in arrays), HISTORY[i : i + 1])[0]
        if not gaps[i].all()
        else NAN
        for i in range(2)
    ]
    arrays[0][gaps] = NAN
    np.testing.assert_allclose(METRICS[name](*arrays, HISTORY), expected)


def test_missing_steps_of_the_history_are_left_out():
    gappy, still = [np.array([1.0, NAN, 2.0, 5.0, 7.0])], [np.array([1.0, NAN, 2.0, 2.0])]
    actual, forecast = np.array([[4.0]]), np.array([[3.0]])
    np.testing.assert_allclose(mase(actual, forecast, gappy, 1), 1 / 2.5)
    np.testing.assert_allclose(rmsse(actual, forecast, gappy, 1), np.sqrt(1 / 6.5))
    np.testing.assert_allclose(msis(actual, forecast, forecast + 2, gappy, 1, 0.9), 2 / 2.5)
    for metric in (mase, rmsse):
        np.testing.assert_allclose(metric(actual, forecast, still, 1), NAN)
