"""Distributions, sample paths, conformal intervals, longer horizons; updates and streams."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest

import lstmzoo
from lstmzoo import Forecaster
from lstmzoo.datasets import generate_seasonal
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.preprocessing import Windows
from lstmzoo.registry import build_model

pytestmark = pytest.mark.usefixtures("eagerly")

SHORT = {"epochs": 2, "steps_per_epoch": 5, "batch_size": 8, "units": 8}


@pytest.fixture(scope="module")
def counts(hourly):
    return hourly.assign(y=np.random.default_rng(0).poisson(np.maximum(hourly["y"], 0) / 20).astype(float))


@pytest.mark.parametrize(
    ("model", "distribution"),
    [("segment_gru", "normal"), ("segment_gru", "student_t"), ("gru", "negative_binomial"), ("deepar_gru", "student_t"),
     ("deepar_gru", "negative_binomial")],
)  # fmt: skip
def test_distributions(model, distribution, counts, tiny, tmp_path):
    parameters = {**tiny, "model": model, "hyperparameters": SHORT}
    forecaster = Forecaster(**parameters, distribution=distribution, quantiles=[0.1, 0.9]).fit(counts)
    forecast = forecaster.predict(quantiles=[0.05, 0.3, 0.95])
    assert (forecast["y_hat_q0.05"] <= forecast["y_hat_q0.3"]).all()
    assert (forecast["y_hat_q0.3"] <= forecast["y_hat"]).all()
    assert (forecast["y_hat"] <= forecast["y_hat_q0.95"]).all()
    if distribution == "negative_binomial":
        assert (forecast["y_hat_q0.05"] >= 0).all()
    forecaster.save(tmp_path / "model")
    pd.testing.assert_frame_equal(lstmzoo.load(tmp_path / "model").predict(quantiles=[0.05, 0.3, 0.95]), forecast)
    paths = forecaster.sample_paths(20, random_state=0)
    assert list(paths.columns) == ["unique_id", "ds", *(f"y_hat_path{i}" for i in range(20))]
    pd.testing.assert_frame_equal(paths, forecaster.sample_paths(20, random_state=0))


def test_negative_counts_are_refused(hourly, counts, tiny):
    with pytest.raises(DataError, match="counts, but series 's0' is"):
        Forecaster(**{**tiny, "model": "gru"}, distribution="negative_binomial").fit(hourly)
    bad = counts.assign(y=counts["y"].where(np.arange(len(counts)) != 300, -1))
    with pytest.raises(DataError, match="counts, but series 's1' is -1"):
        Forecaster(**{**tiny, "model": "gru"}, distribution="negative_binomial").fit(bad)
    with pytest.raises(ConfigError, match="logarithms"):
        Forecaster(**{**tiny, "hyperparameters": {"transform": "log"}}, distribution="negative_binomial").fit(counts)


def test_deepar_needs_a_distribution(hourly, tiny):
    with pytest.raises(ConfigError, match="normal, student_t or negative_binomial"):
        Forecaster(**{**tiny, "model": "deepar_gru"}, distribution="quantiles").fit(hourly)


@pytest.fixture(scope="module")
def normal(hourly, tiny):
    return Forecaster(**tiny, distribution="normal").fit(hourly)


@pytest.mark.parametrize("quantiles", [[0.0, 0.5], [0.1, 1.0], [-0.1], [0.9, 0.1], [0.1, 0.1]])
def test_quantiles_that_are_refused(quantiles, normal, hourly, tiny):
    with pytest.raises(ConfigError, match="quantiles"):
        Forecaster(**tiny, quantiles=quantiles).fit(hourly)
    with pytest.raises(ConfigError, match="quantiles"):
        normal.predict(quantiles=quantiles)


def test_paths_have_the_marginals_of_the_forecast(hourly, tiny):
    for parameters in ({"quantiles": [0.1, 0.25, 0.75, 0.9]}, {"distribution": "normal"}):
        forecaster = Forecaster(**tiny, **parameters).fit(hourly)
        paths = forecaster.sample_paths(2000).filter(like="path").to_numpy()
        levels = forecaster.predict(quantiles=[0.1, 0.9])
        for level in (0.1, 0.9):
            share = (paths < levels[[f"y_hat_q{level:g}"]].to_numpy()).mean(axis=1)
            np.testing.assert_allclose(share, level, atol=0.04)


def test_paths_are_drawn_anew_or_by_random_state(normal, tiny, hourly):
    drawn, again = normal.sample_paths(5), normal.sample_paths(5)
    assert not drawn.filter(like="path").eq(again.filter(like="path")).all(axis=None)
    first, same, other = (normal.sample_paths(5, random_state=seed) for seed in (1, np.int64(1), 2))
    pd.testing.assert_frame_equal(first, same)
    assert not first.filter(like="path").eq(other.filter(like="path")).all(axis=None)
    for wrong in (-1, 1.5, "a", True):
        with pytest.raises(ConfigError, match="random_state"):
            normal.sample_paths(5, random_state=wrong)
    longer = normal.predict(horizon=9, quantiles=[0.1])
    pd.testing.assert_frame_equal(longer, normal.predict(horizon=9, quantiles=[0.1]))


def test_paths_need_a_spread(hourly, tiny):
    with pytest.raises(ConfigError, match="quantiles on both sides"):
        Forecaster(**tiny).fit(hourly).sample_paths(3)


@pytest.mark.traced
def test_conformal_intervals_cover(tmp_path):
    frame = generate_seasonal(n_series=60, length=160, freq="D", season_length=7, noise=0.3, random_state=0)
    place = frame.groupby("unique_id").cumcount(ascending=False)
    train, test = frame[place >= 14], frame[place < 14]
    settings = {"units": 16, "epochs": 2, "steps_per_epoch": 20}
    covered = {}
    for conformal in (False, True):
        forecaster = Forecaster(
            "gru", horizon=14, quantiles=[0.1, 0.9], conformal=conformal, hyperparameters=settings, random_state=0,
            validation_size=27, verbose=0,
        ).fit(train)  # fmt: skip
        both = test.merge(forecaster.predict(), on=["unique_id", "ds"])
        covered[conformal] = ((both["y_hat_q0.1"] <= both["y"]) & (both["y"] <= both["y_hat_q0.9"])).mean()
    assert abs(covered[True] - 0.8) < 0.06
    assert abs(covered[True] - 0.8) < abs(covered[False] - 0.8) + 0.02
    forecaster.save(tmp_path / "model")
    pd.testing.assert_frame_equal(lstmzoo.load(tmp_path / "model").predict(), forecaster.predict())


def test_conformal_needs_held_out_windows(hourly, tiny):
    with pytest.raises(ConfigError, match="validation_size"):
        Forecaster(**tiny, conformal=True, quantiles=[0.1, 0.9], validation_size=0).fit(hourly)
    with pytest.raises(ConfigError, match="needs 999 held-out values, but there are 18"):
        Forecaster(**tiny, conformal=True, quantiles=[0.001, 0.999]).fit(hourly)


def test_longer_horizons_are_rolled(hourly, tiny):
    forecaster = Forecaster(**tiny, quantiles=[0.1, 0.9]).fit(hourly)
    long = forecaster.predict(horizon=15)
    assert len(long) == 45
    assert (long["y_hat_q0.1"] <= long["y_hat_q0.9"]).all()
    median = forecaster.predict(horizon=15, quantiles=[])
    first = median.groupby("unique_id").head(6).reset_index(drop=True)
    np.testing.assert_allclose(first["y_hat"], forecaster.predict(quantiles=[])["y_hat"], rtol=1e-6)
    fed = pd.concat([hourly, first.rename(columns={"y_hat": "y"})])
    second = forecaster.predict(history=fed, quantiles=[])
    np.testing.assert_allclose(median.groupby("unique_id").nth(slice(6, 12))["y_hat"], second["y_hat"], rtol=1e-5)


def test_update_goes_on(hourly, tiny):
    place = hourly.groupby("unique_id").cumcount()
    old, new = hourly[place < 200], hourly[place >= 200]
    forecaster = Forecaster(**tiny).fit(old)
    before = [w.copy() for w in forecaster.model_.get_weights()]
    rows = len(forecaster.history_)
    forecaster.update(new)
    assert any((a != b).any() for a, b in zip(before, forecaster.model_.get_weights(), strict=True))
    assert len(forecaster.history_) == rows + 1
    assert forecaster.predict()["ds"].min() == hourly["ds"].max() + pd.Timedelta("1h")
    pd.testing.assert_frame_equal(forecaster.predict(), forecaster.predict(history=hourly))


@pytest.fixture(scope="module")
def begun(hourly, tiny):
    return Forecaster(**tiny).fit(hourly[hourly.groupby("unique_id").cumcount() < 200])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="y"), "'y' is missing"),
        (lambda f: f.assign(ds=f["ds"] - pd.Timedelta("1h")), "'s0'.*overlap"),
        (lambda f: f.assign(ds=f["ds"] + pd.Timedelta("1h")), "'s0'.*gap"),
        (lambda f: f.assign(unique_id=f["unique_id"].replace("s1", "new")), "'new'"),
    ],
)
def test_updates_that_are_refused(hourly, begun, change, message):
    place = hourly.groupby("unique_id").cumcount()
    with pytest.raises(DataError, match=message):
        begun.update(change(hourly[place >= 200]))


@pytest.mark.parametrize("epochs", [0, -1, 1.5, True])
def test_epochs_of_updates_that_are_refused(hourly, begun, epochs):
    with pytest.raises(ConfigError, match="epochs: expected a whole number above 0"):
        begun.update(hourly, epochs=epochs)


@pytest.mark.parametrize("name", ["gru", "seq2seq_lstm", "dilated_lstm"])  # the registry's tests step every entry
def test_a_stream_is_the_whole_window(name, hourly, tiny):
    """A stream forecasts what the network forecasts from all observations since the anchor, read as one window."""
    parameters = {**tiny, "model": name, "hyperparameters": {"epochs": 1, "steps_per_epoch": 3, "batch_size": 8}}
    y = hourly["y"].to_numpy()[:240]
    forecaster = Forecaster(**parameters, quantiles=[0.1, 0.9], season_length=[12]).fit(y[:150])
    stream = forecaster.stream(y[:150])
    pre, lookback = forecaster.preprocessor_, forecaster.spec_.lookback
    for i in range(150, 150 + lookback + 3):
        forecast = stream.update(y[i])
        assert forecast.shape == (6, 3)
        anchor = 150 if i < 150 + lookback else 150 + lookback
        if i - anchor not in (0, 5, lookback - 1):
            continue
        _, scale = pre.last_windows(forecaster.params_.filled(forecaster.params_.read(y[:anchor])[0]))
        whole = scale.apply(y[None, anchor - lookback : i + 1])[..., None].astype("float32")
        longer = dataclasses.replace(forecaster.spec_, lookback=whole.shape[1])
        network = build_model(forecaster.config_.builder, longer, forecaster.config_.hyperparameters)
        network.set_weights(forecaster.model_.get_weights())
        inputs, _ = pre.last_windows(forecaster.params_.filled(forecaster.params_.read(y[: i + 1])[0]))
        own = pre.last_windows(forecaster.params_.filled(forecaster.params_.read(y[: i + 1])[0]))[1]
        future = scale.apply(own.shift[..., None] + own.scale[..., None] * inputs["future"]).astype("float32")
        expected = pre.scaler.invert(network.predict_on_batch({"window": whole, "future": future}), scale)
        np.testing.assert_allclose(forecast[:, [1, 0, 2]], expected[0], rtol=2e-4, atol=2e-3)


def test_a_stream_of_a_sampled_forecast(hourly, tiny):
    parameters = {**tiny, "model": "deepar_gru", "hyperparameters": SHORT}
    y = hourly["y"].to_numpy()[:240]
    stream = Forecaster(**parameters, quantiles=[0.1, 0.9]).fit(y[:200]).stream()
    for value in y[200:204]:
        forecast = stream.update(value)
    assert forecast.shape == (6, 3)
    assert (forecast[:, 1] <= forecast[:, 2]).all()


def test_a_stream_that_begins_on_a_flat_window_is_the_last_window(hourly, tiny):
    """After a night of constant values, later values are read in their own scale, not in that of the night."""
    y = hourly["y"].to_numpy()[:240]
    forecaster = Forecaster(**{**tiny, "model": "gru"}, quantiles=[0.1, 0.9]).fit(y)
    night = np.zeros(60)
    stream = forecaster.stream(night)
    assert (stream.update(0.0) == 0).all()
    forecast = stream.update(100.0)
    np.testing.assert_allclose(forecast, forecaster.predict(history=np.concatenate([night, [0.0, 100.0]])), rtol=1e-5)
    assert (forecast[:, 1] < forecast[:, 2]).all()
    later = stream.update(1e6)
    np.testing.assert_allclose(later, forecaster.predict(history=np.array([*night, 0.0, 100.0, 1e6])), rtol=1e-5)


def test_times_of_streams_are_like_those_fitted(hourly, tiny):
    one = hourly[hourly["unique_id"] == "s0"]
    berlin = one.assign(ds=one["ds"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    parameters = {**tiny, "model": "gru", "hyperparameters": SHORT}
    naive, aware = Forecaster(**parameters).fit(one), Forecaster(**parameters, irregular=True).fit(berlin)
    numbered = Forecaster(**parameters, irregular=True).fit(one.assign(ds=range(len(one))))
    with pytest.raises(DataError, match="one without a time zone, got 2024-01-11 00:00:00\\+00:00"):
        naive.stream().update(1.0, time="2024-01-11T00:00Z")
    with pytest.raises(DataError, match="expected a time, got 'soon'"):
        naive.stream().update(1.0, time="soon")
    with pytest.raises(DataError, match="one with a time zone, such as Europe/Berlin"):
        aware.stream().update(1.0, time="2024-01-11 01:00")
    with pytest.raises(
        DataError, match="expected a time after 2024-01-10 23:00:00.*got 2024-01-10 23:00:00 .times in UTC"
    ):
        aware.stream().update(1.0, time="2024-01-11T00:00+01:00")
    assert np.isfinite(aware.stream().update(1.0, time="2024-01-11T02:00+01:00")).all()
    stream = aware.stream()
    assert stream.next_time == pd.Timestamp("2024-01-11 01:00", tz="Europe/Berlin")
    stream.update(1.0, time=stream.next_time)
    with pytest.raises(DataError, match="whole number as the time, as in the training data, got 240.5"):
        numbered.stream().update(1.0, time=240.5)
    assert np.isfinite(numbered.stream().update(1.0, time=242.0)).all()


def test_streams_that_are_refused(hourly, tiny):
    forecaster = Forecaster(**{**tiny, "model": "gru"}).fit(hourly)
    with pytest.raises(DataError, match="one series, but there are 3"):
        forecaster.stream()
    one = hourly[hourly["unique_id"] == "s0"]
    stream = forecaster.stream(one)
    with pytest.raises(DataError, match="in order"):
        stream.update(1.0, time=one["ds"].max())
    with pytest.raises(DataError, match="in order"):
        stream.update(1.0, time=one["ds"].max() + pd.Timedelta("2h"))
    with pytest.raises(DataError, match="is nan"):
        stream.update(np.nan)
    with pytest.raises(DataError, match="missing or unknown: price"):
        stream.update(1.0, known={"price": 1.0})
    stream.update(1.0, time=one["ds"].max() + pd.Timedelta("1h"))
    with pytest.raises(ConfigError, match="bilstm cannot step.*gru"):
        Forecaster(**{**tiny, "model": "bilstm", "hyperparameters": SHORT}).fit(one).stream()


@pytest.fixture(scope="module")
def alone():
    """One series as an array."""
    return 20 + np.sin(np.arange(160) * np.pi / 6)


@pytest.mark.parametrize("make", [np.array, pl.Series])
def test_arrays_go_on_at_the_next_step(alone, tiny, make):
    forecaster = Forecaster(**tiny).fit(make(alone[:120]))
    forecaster.update(make(alone[120:130])).update(make(alone[130:131]))
    assert forecaster.tail_.times[-1] == 130
    np.testing.assert_array_equal(forecaster.predict(), forecaster.predict(history=make(alone[:131])))


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_updates_fill_what_is_missing_by_what_was_there(alone, tiny, missing):
    y = alone.copy()
    y[[50, 119, 120, 123, 125, 126]] = np.nan
    forecaster = Forecaster(**tiny, missing=missing).fit(y[:120])
    for first, last in ((120, 121), (121, 124), (124, 125), (125, 128)):
        forecaster.update(y[first:last])
        np.testing.assert_array_equal(forecaster.predict(), forecaster.predict(history=y[:last]))


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_updates_over_a_gap(hourly, tiny, missing):
    place = hourly.groupby("unique_id").cumcount()
    old, new = hourly[place < 200], hourly[(place >= 203) & (place < 210)]
    forecaster = Forecaster(**tiny, missing=missing).fit(old).update(new)
    pd.testing.assert_frame_equal(forecaster.predict(), forecaster.predict(history=pd.concat([old, new])))
    assert (~forecaster.tail_.observed).sum() == 9
    with pytest.raises(DataError, match="overlap the known rows"):
        forecaster.update(new)


@pytest.mark.parametrize("irregular", [False, True])
def test_updates_train_on_windows_that_reach_into_the_new_rows(alone, tiny, irregular, monkeypatch):
    trained, training = [], Forecaster._training
    monkeypatch.setattr(
        Forecaster,
        "_training",
        lambda self, model, data, *rest: trained.append(data.windows) or training(self, model, data, *rest),
    )
    times = np.cumsum(np.random.default_rng(0).choice([1, 2, 5], 160)) if irregular else np.arange(160)
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": alone})
    forecaster = Forecaster(**tiny, irregular=irregular).fit(frame[:120]).update(frame[120:124])
    _, windows = trained
    assert len(windows) == 4
    whole = Windows(
        forecaster.preprocessor_, forecaster.params_.filled(forecaster.params_.read(frame[:124], forecaster.tail_)[0])
    )
    expected, target, _ = whole.batch(np.arange(len(whole) - 4, len(whole)))
    inputs, ahead, _ = windows.batch(np.arange(4))
    np.testing.assert_array_equal(ahead, target)
    for name, array in expected.items():
        np.testing.assert_array_equal(inputs[name], array, err_msg=name)
