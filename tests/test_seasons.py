"""Seasons: the usual ones of a frequency, and those found in generated series."""

import logging
import re

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from lstmzoo import BaselineForecaster, Forecaster, load
from lstmzoo.preprocessing import Panel, find_seasons, seasonality, usual_seasons
from lstmzoo.preprocessing.seasonality import LONGEST_SEASON


def season_lengths(rows, usual=(), longest=LONGEST_SEASON):
    lengths = [len(row) for row in rows]
    times = np.concatenate([np.arange(n) for n in lengths])
    ids = np.array([f"s{i}" for i in range(len(rows))], dtype=object)
    panel = Panel(ids, np.cumsum([0, *lengths]), np.concatenate(rows), times, 1)
    return [season.length for season in find_seasons(panel, usual, longest)]


def seasonal(rng, length, season, noise=0.3):
    """A random pattern that is repeated, of variance 1, and white noise."""
    harmonics = np.arange(1, min(3, season // 2) + 1)
    angles = 2 * np.pi * np.arange(length)[:, None] * harmonics / season
    y = np.cos(angles) @ rng.normal(size=len(harmonics)) + np.sin(angles) @ rng.normal(size=len(harmonics))
    return y / y[:season].std() + noise * rng.normal(size=length)


@pytest.mark.parametrize(("period", "noise"), [(7, 0.1), (12, 0.3), (24, 0.1), (1, 1.0)])
def test_seasons_are_found(period, noise):
    rng = np.random.default_rng(3)
    steps = np.arange(20 * max(period, 12))
    wave = np.sin(2 * np.pi * steps / period) + 0.5 * np.sin(4 * np.pi * steps / period) if period > 1 else 0
    assert season_lengths([wave + noise * rng.normal(size=len(steps))]) == [period] * (period > 1)


def test_a_day_and_a_week_are_found_without_timestamps():
    rng, steps = np.random.default_rng(0), np.arange(700)
    days = 1 + 0.3 * rng.normal(size=(5, 7))
    rows = [seasonal(rng, 700, 24) * days[i, steps // 24 % 7] + 0.2 * rng.normal(size=700) for i in range(5)]
    assert season_lengths(rows) == [24, 168]


def test_two_seasons_that_are_no_multiples_are_found():
    rng = np.random.default_rng(0)
    assert season_lengths([seasonal(rng, 400, 7) + seasonal(rng, 400, 30) for _ in range(5)]) == [7, 30]


def test_a_long_smooth_season_beside_a_short_one_is_found():
    """From one week to the next, a wave of a quarter changes by less than the noise."""
    rng, steps = np.random.default_rng(0), np.arange(1000)
    wave = np.sin(2 * np.pi * steps / 90)
    assert season_lengths([seasonal(rng, 1000, 7) + wave + rng.normal(size=1000) for _ in range(3)]) == [7, 90]
    assert season_lengths([seasonal(rng, 1000, 7) + np.cumsum(0.1 * rng.normal(size=1000)) for _ in range(3)]) == [7]


def test_short_series_count():
    rng = np.random.default_rng(0)
    short = [seasonal(rng, 30, 12, noise=1.0) for _ in range(60)]
    assert season_lengths(short[:1]) != [12]
    assert season_lengths(short) == [12]


@pytest.mark.parametrize("spoilt", ["trend", "shifts", "spikes", "missing", "counts", "walk"])
def test_a_season_is_found_in_spite_of(spoilt):
    rng, steps = np.random.default_rng(1), np.arange(300)
    y = np.array([seasonal(rng, 300, 7) for _ in range(4)])
    y = {
        "trend": y + 0.3 * steps,
        "shifts": y + 30.0 * (steps > 77) - 50.0 * (steps > 200),
        "spikes": y + 1e4 * (rng.random((4, 300)) < 0.02),
        "missing": np.where(rng.random((4, 300)) < 0.3, np.nan, y),
        "counts": rng.poisson(np.exp(y - 0.5)).astype(float),
        "walk": y + np.cumsum(rng.normal(size=(4, 300)), axis=1),
    }[spoilt]
    assert season_lengths(list(y)) == [7]


@pytest.mark.parametrize("kind", ["white", "walk", "autoregressive", "alternating", "constant", "single"])
def test_no_season_is_found_in(kind):
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(4, 300))
    rows = {
        "white": noise,
        "walk": np.cumsum(noise, axis=1),
        "autoregressive": lfilter([1], [1, -0.7], noise),
        "alternating": lfilter([1], [1, 0.6], noise),
        "constant": np.full((4, 300), 3.0),
        "single": noise[:, :1],
    }[kind]
    assert season_lengths(list(rows)) == []


def test_a_harmonic_is_no_second_season():
    rng = np.random.default_rng(0)
    rows = [0.6 * seasonal(rng, 480, 24) + seasonal(rng, 480, 12) for _ in range(5)]
    assert season_lengths(rows) == [24]


def test_usual_seasons_are_kept_unless_the_data_speaks_against_them():
    rng = np.random.default_rng(0)
    daily = [seasonal(rng, 700, 24) for _ in range(20)]
    assert season_lengths([daily[0][:60]], usual=(24,)) == [24]
    assert season_lengths(daily[:1], usual=(24, 168)) == [24, 168]
    assert season_lengths(daily, usual=(24, 168)) == [24]
    assert season_lengths([row + seasonal(rng, 700, 60) for row in daily], usual=(24,)) == [24, 60]
    assert season_lengths(daily, usual=(24, 1000)) == [24, 1000]
    assert season_lengths(daily, usual=(1,)) == [24], "1 is no season"


@pytest.mark.parametrize(("freq", "seasons"), [
    ("h", (24, 168)), ("30min", (48, 336)), ("D", (7,)), ("B", (5,)), ("W-MON", (52,)), ("MS", (12,)), ("ME", (12,)),
    ("BME", (12,)), ("2MS", (6,)), ("QE-DEC", (4,)), ("YS-JAN", (1,)), ("s", (3600, 86400, 604800)), (1, ()),
])  # fmt: skip
def test_usual_seasons(freq, seasons):
    assert usual_seasons(freq) == seasons


def hours(index):
    """Twenty series of five weeks, whose days differ by weekday."""
    rng, steps = np.random.default_rng(0), np.arange(840)
    frames = []
    for name in range(20):
        day = seasonal(rng, 24, 24, noise=0.0)
        y = 10 + day[steps % 24] * rng.uniform(0.5, 1.5, 7)[steps // 24 % 7] + 0.2 * rng.normal(size=840)
        frames.append(pd.DataFrame({"unique_id": f"s{name}", "ds": index, "y": y}))
    return pd.concat(frames)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "index", [np.arange(840), pd.date_range("2024-01-01", periods=840, freq="h")], ids=["steps", "h"]
)
def test_what_was_found_is_an_attribute_and_is_logged_once(index, tiny, caplog, tmp_path):
    data = hours(index)
    with caplog.at_level(logging.INFO, "lstmzoo"):
        forecaster = Forecaster(**tiny).fit(data)
    (message,) = [record.getMessage() for record in caplog.records if "seasons" in record.getMessage()]
    assert re.fullmatch(r"seasons: 24 \(correlation 0\.\d+\), 168 \(correlation 0\.\d+\)", message)
    assert (forecaster.seasons_, forecaster.season_length_) == ([24, 168], 24)
    baseline = BaselineForecaster("naive", horizon=tiny["horizon"]).fit(data)
    assert (baseline.seasons_, baseline.season_length_) == ([24, 168], 24)
    baseline.save(tmp_path / "model")
    assert load(tmp_path / "model").seasons_ == [24, 168]


def test_seasons_that_are_passed_are_taken():
    assert BaselineForecaster("naive", horizon=2, season_length=[30, 7]).fit(np.arange(99.0)).seasons_ == [7, 30]


@pytest.mark.parametrize("length", [3, 30, 36, 40, 47])
def test_a_short_series_does_not_remove_the_season_of_the_others(length):
    months = pd.date_range("2010-01-01", periods=130, freq="MS")
    y = seasonal(np.random.default_rng(0), 130, 12)
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": months, "y": y}) for i in range(9)]
    data = pd.concat([*frames, frames[0].head(length).assign(unique_id="short")])
    assert BaselineForecaster("naive", horizon=12).fit(data).seasons_ == [12]
    assert BaselineForecaster("naive", horizon=12, pad_short=False).fit(data).seasons_ == [1]
    found = BaselineForecaster("seasonal_naive", horizon=12).fit(data).predict().set_index("unique_id")["y_hat"]
    np.testing.assert_array_equal(found["s0"], y[-12:])
    np.testing.assert_array_equal(found["short"], y[length - 12 : length] if length >= 12 else y[length - 1])


def test_seasons_of_equal_series_are_searched_once(monkeypatch):
    rng = np.random.default_rng(5)
    searched = []
    found = seasonality._found
    monkeypatch.setattr(seasonality, "_found", lambda *args: searched.append(args) or found(*args))
    y = seasonal(rng, 200, 7)
    assert [season_lengths([y.copy()]) for _ in range(3)] == [[7]] * 3
    assert len(searched) == 1
    assert season_lengths([y + np.linspace(0, 1e-3, 200)]) == [7]
    assert season_lengths([y], longest=5) == []
    assert len(searched) == 3
