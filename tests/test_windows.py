"""Windows equal slices of the series, and scaling is inverted exactly."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmzoo.errors import DataError
from lstmzoo.preprocessing import (
    CALENDAR,
    Channels,
    Columns,
    Scale,
    WindowPreprocessor,
    Windows,
    calendar_features,
    read_panel,
    usual_calendar,
)  # fmt: skip, usual_calendar


def make_panel(lengths, seed=0):
    rng = np.random.default_rng(seed)
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{i}",
                "ds": pd.date_range("2024-01-01", periods=n, freq="h"),
                "y": rng.normal(100, 10, n),
            }
        )
        for i, n in enumerate(lengths)
    ]
    return read_panel(pd.concat(frames), Columns(), "h")[0]


def make(period=3, scaling="window", transform="none", calendar=False, lookback=5, horizon=4):
    return WindowPreprocessor(
        lookback=lookback,
        horizon=horizon,
        quantiles=[0.5],
        periods=[period] if isinstance(period, int) else period,
        scaling=scaling,
        transform=transform,
        distribution="quantiles",
        num_outputs=1,
        season_length=1,
        channels=Channels(calendar=calendar),
    )


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(9, 25), min_size=1, max_size=4),
    drop=st.integers(0, 6), period=st.integers(0, 7),
)  # fmt: skip
def test_windows_are_all_the_slices_of_each_series(lengths, drop, period):
    panel = make_panel(lengths)
    pre = make(period, scaling="none").fit(panel)
    windows = Windows(pre, panel, drop=drop)
    expected = []
    for i in range(len(panel)):
        y = panel.series(i)
        for origin in range(pre.context, len(y) - drop - 4 + 1):
            expected.append((y[origin - 5 : origin], y[origin : origin + 4]))
    assert len(windows) == len(expected)
    if expected:
        inputs, target, _ = windows.batch(np.arange(len(windows)))
        np.testing.assert_allclose(inputs["window"][:, :, 0], [w for w, _ in expected], rtol=1e-6)
        np.testing.assert_allclose(target[..., 0], [t for _, t in expected], rtol=1e-5)


@pytest.mark.parametrize("scaling", ["window", "series", "none"])
@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("period", [0, 1, 3, 6])
def test_perfect_outputs_invert_to_the_truth(scaling, transform, period):
    panel = make_panel([30, 40])
    pre = make(period, scaling, transform).fit(panel)
    windows = Windows(pre, panel)
    _, target, scale = windows.batch(np.arange(len(windows)))
    forecast = pre.scaler.invert(target, scale)[..., 0]
    truth = [panel.series(i)[o : o + 4] for i in range(2) for o in range(pre.context, panel.lengths[i] - 3)]
    np.testing.assert_allclose(forecast, truth, rtol=1e-5)


@pytest.mark.parametrize("calendar", [False, True])
def test_the_last_window_is_the_training_window_that_ends_there(calendar):
    panel = make_panel([30, 40])
    pre = make(calendar=calendar).fit(panel)
    inputs, _ = pre.last_windows(panel.head(4))
    windows = Windows(pre, panel)
    last = np.cumsum(windows._counts) - 1
    trained, _, _ = windows.batch(last)
    for key in ("window", "future"):
        np.testing.assert_array_equal(inputs[key], trained[key])
    assert inputs["window"].shape == (2, 5, 7 if calendar else 1)


def test_references_by_hand():
    panel = read_panel(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), Columns())[0]
    expected = {0: [3, 3, 3, 3], 1: [5, 5, 5, 5], 3: [3, 4, 5, 3]}
    for period, reference in expected.items():
        inputs, _ = make(period, scaling="none").fit(panel).last_windows(panel)
        np.testing.assert_allclose(inputs["future"][0, :, 0], reference)
    inputs, _ = make([1, 3, 5], scaling="none").fit(panel).last_windows(panel)
    np.testing.assert_allclose(inputs["future"][0].T, [[5, 5, 5, 5], [3, 4, 5, 3], [1, 2, 3, 4]])


def test_windows_are_never_materialized():
    """A million windows cost no more memory than their panel."""
    panel = read_panel(np.zeros(1_000_000), Columns())[0]
    windows = Windows(make(lookback=300, period=1).fit(panel), panel)
    assert len(windows) == 1_000_000 - 304 + 1
    assert np.shares_memory(windows._spans, panel.values)


def test_scales_are_learned_from_what_is_fitted():
    panel = make_panel([30, 40])
    stored = make(scaling="series").fit(panel.head(10)).scaler.series_scales_
    assert stored["s1"][0] == pytest.approx(panel.series(1)[:30].mean())


def test_a_scale_of_zero_gives_zeros():
    scale = Scale(np.array([[10.0], [10.0]]), np.array([[2.0], [0.0]]))
    np.testing.assert_allclose(scale.apply(np.array([[14.0], [14.0]])), [[2.0], [0.0]])


def test_flat_windows_do_not_drown_the_loss():
    panel = read_panel(np.concatenate([np.zeros(30), [1e6], np.random.default_rng(0).normal(size=30)]), Columns())[0]
    windows = Windows(make(period=1).fit(panel), panel)
    inputs, target, scale = windows.batch(np.arange(len(windows)))
    assert np.abs(target).max() <= 1000
    flat = scale.scale[:, 0] == 0
    assert flat.any()
    assert (target[flat] == 0).all()
    assert (inputs["future"][flat] == 0).all()


def test_numbered_windows_need_not_be_in_order():
    windows = Windows(make().fit(make_panel([20, 30])), make_panel([20, 30]), drop=0)
    numbers = np.array([5, 0, 30])
    together = windows.batch(numbers)[1]
    np.testing.assert_array_equal(together, np.concatenate([windows.batch(numbers[i : i + 1])[1] for i in range(3)]))


def test_json_round_trip():
    panel = make_panel([30])
    pre = make(scaling="series", calendar=True).fit(panel)
    again = WindowPreprocessor.from_json(pre.to_json())
    assert again.spec_ == pre.spec_
    assert again.scaler.series_scales_ == pre.scaler.series_scales_


def test_history_shorter_than_the_context():
    panel = make_panel([30])
    pre = make(period=12).fit(panel)
    with pytest.raises(DataError, match="series 's0' has 9 observations of history; a forecast needs 12"):
        pre.last_windows(panel.tail(9))


@pytest.mark.parametrize(
    ("freq", "columns"), [("h", 6), ("D", 4), ("86400s", 4), ("B", 4), ("7D", 2), ("MS", 2), ("W-MON", 2)]
)
def test_calendar_features_resolve_what_the_frequency_does(freq, columns):
    times = pd.date_range("2024-01-01", periods=50, freq=freq).to_numpy()
    features = calendar_features(times, freq, None, usual_calendar(freq))
    assert features.shape == (50, columns)
    assert np.allclose(features[:, 0::2] ** 2 + features[:, 1::2] ** 2, 1, atol=1e-5)


@pytest.mark.parametrize("name", CALENDAR)
def test_calendar_features_come_round(name):
    times = pd.date_range("2023-01-01", "2025-01-01", freq="h").to_numpy()
    features = calendar_features(times, "h", None, [name])
    assert np.allclose((features**2).sum(axis=1), 1, atol=1e-5)
    assert len(np.unique(features.round(4), axis=0)) > 1 or name == "minute"


def first_rows(windows):
    numbers = windows._chosen
    return windows._rows(np.arange(len(windows)) if numbers is None else numbers)[1]


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
@pytest.mark.parametrize("scaling", ["window", "none"])
@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=25, max_size=25))
def test_what_a_window_is_shown_does_not_depend_on_what_it_is_to_forecast(missing, scaling, there):
    """Two series that differ from a step on have equal windows before it, whatever is missing."""
    columns, cut = Columns(past=("p",)), 14
    there = np.array([True, *there[1:]])
    rng = np.random.default_rng(0)
    panels = []
    for _ in range(2):
        y, p = rng.normal(10, 3, (2, 25))
        y[:cut], p[:cut] = np.arange(cut), np.arange(cut) ** 2
        holes = pd.DataFrame({"ds": range(25), "y": np.where(there, y, np.nan), "p": np.where(there, p, np.nan)})
        panels.append(read_panel(holes, dataclasses.replace(columns, id=None), missing=missing)[0])
    pre = make(period=[1, 3], scaling=scaling)
    pre.channels = Channels(past=["p"])
    pre.channels.fit(panels[0])
    pre.series_ = {}
    one, other = (Windows(pre, panel) for panel in panels)
    rows = first_rows(one)
    np.testing.assert_array_equal(first_rows(other), rows)
    for number in np.flatnonzero(rows <= cut - pre.context):
        first, second = (windows.batch(np.array([number]))[0] for windows in (one, other))
        for name in ("window", "future"):
            np.testing.assert_array_equal(first[name], second[name], err_msg=f"{name} {number}")
        np.testing.assert_array_equal(first["previous"][:, 0], second["previous"][:, 0])


def test_windows_before_anything_was_observed_are_left_out():
    holes = pd.DataFrame({"ds": range(25), "y": [np.nan] * 12 + list(range(13))})
    panel, _ = read_panel(holes, Columns(None), missing="mask")
    pre = make().fit(panel)
    windows = Windows(pre, panel)
    assert len(windows) == 9
    inputs, target, _ = windows.batch(np.array([0]))
    assert np.isfinite(target).all()
    assert inputs["window"].shape == (1, 5, 1)


def test_what_does_not_vary_is_not_measured_by_rounding():
    frame = pd.DataFrame({"unique_id": list("abc"), "ds": 0, "y": 1.0, "area": 0.1})
    columns = Columns(static=("area",))
    channels = Channels(static=["area"]).fit(read_panel(frame, columns, 1)[0])
    wider = read_panel(frame.assign(area=0.2), columns, 1)[0]
    np.testing.assert_allclose(channels.static(wider)["static"], 0.1, rtol=1e-5)
