"""The baselines by exponential smoothing: golden numbers of statsmodels, and series of every kind."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, Forecaster, load
from lstmzoo.estimators.forecasting.baselines.smoothing import is_seasonal, seasonal_pattern
from lstmzoo.estimators.forecasting.baselines.smoothing.fitting import smoothed
from lstmzoo.preprocessing import Columns, panel_frame, read_panel

GOLDEN = json.loads((Path(__file__).parent / "golden" / "smoothing.json").read_text(encoding="utf-8"))
METHODS = ("theta", "damped")
HORIZON, SEASON = 8, 12
TABLE = np.zeros((len(GOLDEN), max(len(row["y"]) for row in GOLDEN)))
LENGTHS = np.array([len(row["y"]) for row in GOLDEN])
for _values, _row in zip(TABLE, GOLDEN, strict=True):
    _values[: len(_row["y"])] = _row["y"]
DEVIATIONS = np.array([np.std(row["y"]) for row in GOLDEN])


def baseline(method, y, horizon=HORIZON, **options):
    return BaselineForecaster(method, horizon=horizon, season_length=1, **options).fit(y)


def as_good(name, error):
    """Which series statsmodels fitted as well; its errors are smaller nowhere, and larger where it ended in a local minimum."""
    ratio = error**2 * LENGTHS / np.array([row[name]["squares"] for row in GOLDEN])
    assert ratio.max() < 1.006
    assert (ratio > 0.999).sum() >= 5
    return np.flatnonzero(np.abs(ratio - 1) < 2e-4)


@pytest.mark.parametrize(("name", "trend"), [("ses", False), ("damped", True)])
def test_smoothing_is_statsmodels(name, trend):
    fit = smoothed(TABLE, LENGTHS, trend=trend)
    mean, deviation = fit.forecast(HORIZON)
    for i in as_good(name, fit.error):
        np.testing.assert_allclose(mean[i], GOLDEN[i][name]["mean"], atol=0.005 * DEVIATIONS[i])
        np.testing.assert_allclose(deviation[i] ** 2, GOLDEN[i][name]["variances"], rtol=0.02)


def test_theta_is_statsmodels():
    place = np.arange(TABLE.shape[1])
    lines = np.stack([np.polyval(np.polyfit(place[:n], y[:n], 1), place) for y, n in zip(TABLE, LENGTHS, strict=True)])
    for i in as_good("theta", smoothed(2 * TABLE - lines, LENGTHS, trend=False).error):
        forecast = baseline("theta", GOLDEN[i]["y"]).predict()
        np.testing.assert_allclose(forecast, GOLDEN[i]["theta"]["mean"], atol=0.005 * DEVIATIONS[i])


def test_a_fit_does_not_depend_on_the_series_beside_it():
    together = smoothed(TABLE, LENGTHS, trend=True)
    for i, n in enumerate(LENGTHS):
        alone = smoothed(TABLE[i : i + 1, :n], LENGTHS[i : i + 1], trend=True)
        np.testing.assert_allclose(alone.level[0], together.level[i], rtol=1e-9)


def test_a_fit_reads_the_last_values_of_long_series():
    y = np.cumsum(np.random.default_rng(0).normal(size=(2, 640)), axis=1)
    lengths = np.array([640, 40])
    fit = smoothed(y, lengths, trend=True)
    for i, n in enumerate(lengths):
        alone = smoothed(y[i : i + 1, max(n - 500, 0) : n], np.array([min(n, 500)]), trend=True)
        np.testing.assert_allclose([alone.level[0], alone.error[0]], [fit.level[i], fit.error[i]], rtol=1e-9)


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_patterns_are_statsmodels(kind):
    rows = LENGTHS >= 2 * SEASON
    pattern, _ = seasonal_pattern(TABLE[rows], LENGTHS[rows], SEASON, multiplicative=kind == "multiplicative")
    np.testing.assert_allclose(pattern, [row[kind] for row in GOLDEN if row[kind]], atol=1e-9)


def test_seasons_are_significant_or_not():
    rng = np.random.default_rng(0)
    wave, noise = np.sin(2 * np.pi * np.arange(96) / 12), rng.normal(size=96)
    rows = np.stack([wave, 0 * wave, 0 * wave + 0.1, wave + 0.3 * noise, noise])
    assert is_seasonal(rows, np.full(5, 96), 12).tolist() == [True, False, False, True, False]
    assert not is_seasonal(rows, np.full(5, 35), 12).any(), "fewer than three seasons"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("growth", ["added", "multiplied"])
def test_seasons_are_continued(method, growth):
    """Two seasons, stacked; values that are negative take an added season."""
    steps = np.arange(252)
    day, week = np.sin(2 * np.pi * steps / 4), np.isin(steps % 28, range(20, 28)) * 1.0
    level = 20 + 0.05 * steps
    y = level + 5 * day + 3 * week - 30 if growth == "added" else level * (1 + 0.3 * day) * (1 + 0.5 * week)
    fitted = BaselineForecaster(method, horizon=28, season_length=[4, 28]).fit(y[:224])
    naive = BaselineForecaster("seasonal_naive", horizon=28, season_length=28).fit(y[:224]).predict()
    apart = np.abs(fitted.predict() - y[224:]).mean()
    assert apart < 0.6 * np.abs(naive - y[224:]).mean()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "y", [[3.0], [0.0], [0.1] * 40, [0.0] * 12, [-2.0] * 3, [1e300] * 30, [4e6 + 0.1] * 25], ids=lambda y: f"{y[0]}x{len(y)}"
)  # fmt: skip
def test_constant_series_continue(method, y):
    forecast = BaselineForecaster(method, horizon=5, season_length=4, quantiles=[0.1, 0.9]).fit(y).predict()
    np.testing.assert_allclose(forecast, y[0], rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_any_series_has_finite_forecasts_in_order(method):
    rng = np.random.default_rng(0)
    frames = []
    for n in (1, 2, 3, 5, 9, 10, 11, 14, 40, 41):
        for kind, y in {
            "negative": rng.normal(size=n), "zeros": rng.poisson(0.2, n), "huge": 1e299 * rng.normal(size=n), "tiny": 1e-290 * rng.normal(size=n),
            "spike": np.where(np.arange(n) == n // 2, 1e12, 1.0), "growth": np.exp(np.arange(n)), "step": np.arange(n) // 7,
        }.items():  # fmt: skip
            frames.append(pd.DataFrame({"unique_id": f"{kind}{n}", "ds": np.arange(n), "y": y.astype(float)}))
    series = pd.concat(frames)
    options = {"horizon": 6, "season_length": [4, 12], "quantiles": [0.1, 0.9]}
    forecast = BaselineForecaster(method, **options).fit(series).predict()
    columns = forecast[["y_hat_q0.1", "y_hat", "y_hat_q0.9"]].to_numpy()
    assert np.isfinite(columns).all()
    assert (np.diff(columns, axis=1) >= 0).all()
    assert (columns[forecast["unique_id"].str.startswith(("zeros", "growth", "step", "spike"))] >= 0).all()
    one = series[series["unique_id"] == "step41"]
    alone = BaselineForecaster(method, **options).fit(one).predict()
    both = forecast[forecast["unique_id"] == "step41"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, both, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_cover_what_they_promise(method):
    """Random walks with noise and a season, as the models assume."""
    rng = np.random.default_rng(0)
    steps = 84 + HORIZON
    y = np.cumsum(0.5 * rng.normal(size=(200, steps)), axis=1) + rng.normal(size=(200, steps))
    y += 3 * rng.normal(size=(200, 7))[:, np.arange(steps) % 7]
    ids, times = np.repeat(np.arange(200), steps), np.tile(np.arange(steps), 200)
    frame = pd.DataFrame({"unique_id": ids, "ds": times, "y": y.ravel()})
    options = {"horizon": HORIZON, "season_length": 7, "quantiles": [0.1, 0.9]}
    forecast = BaselineForecaster(method, **options).fit(frame[times < 84]).predict()
    low, high = (forecast[name].to_numpy().reshape(200, -1) for name in ("y_hat_q0.1", "y_hat_q0.9"))
    covered = ((y[:, 84:] >= low) & (y[:, 84:] <= high)).mean()
    assert covered == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_smoothing_is_saved_served_and_fills_gaps(method, tmp_path):
    y = np.round(30 + 8 * np.sin(np.arange(60) * np.pi / 6) + np.random.default_rng(0).normal(size=60), 3)
    panel, form = read_panel(y, Columns())
    frame = panel_frame(panel, form, Columns()) if form.kind == "frame" else pd.DataFrame({"ds": np.arange(60), "y": y})
    gaps = frame.assign(unique_id="a").drop(index=[20, 21, 45])
    fitted = BaselineForecaster(method, horizon=6, season_length=12, quantiles=[0.2], missing="interpolate").fit(gaps)
    expected = fitted.predict()
    assert np.abs(expected["y_hat"] - 30 - 8 * np.sin(np.arange(60, 66) * np.pi / 6)).mean() < 1
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict(), expected)
    served = loaded.serve(gaps[["unique_id", "ds", "y"]], {"horizon": 6, "quantiles": [0.2]})
    pd.testing.assert_frame_equal(served, expected)


def test_forecasters_have_them_among_their_baselines():
    made = Forecaster(horizon=3, season_length=[4, 12], allow_negative=True).baselines()
    assert [made[method].get_params()["season_length"] for method in METHODS] == [[4, 12], [4, 12]]
    assert made["theta"].allow_negative
