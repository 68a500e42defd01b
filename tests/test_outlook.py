"""Conformal corrections and sample paths in edge cases; failing updates."""

import json

import numpy as np
import pandas as pd
import pytest

import lstmzoo
from lstmzoo import Forecaster
from lstmzoo.errors import ConfigError, DataError, TrainingError
from lstmzoo.estimators.forecasting.network.conformal import (
    check_held_out,
    conformal_offsets,
    corrected_paths,
    corrected_quantiles,
)
from lstmzoo.models._base import Stepper

pytestmark = pytest.mark.usefixtures("eagerly")

LEVELS = [0.1, 0.5, 0.9]


@pytest.fixture(scope="module")
def conformal(hourly, tiny):
    return Forecaster(**tiny, quantiles=[0.1, 0.9], conformal=True, validation_size=60).fit(hourly)


def test_a_step_that_was_never_observed_is_corrected_by_the_others():
    rng = np.random.default_rng(0)
    target, quantiles = rng.normal(size=(400, 4)), np.tile([-0.1, 0.0, 0.1], (400, 4, 1))
    each = conformal_offsets(target, quantiles, LEVELS)
    assert len(np.unique(each[:, 0])) == 4
    target[:, 2] = np.nan
    pooled = conformal_offsets(target, quantiles, LEVELS)
    assert np.isfinite(pooled).all()
    np.testing.assert_allclose(pooled, np.broadcast_to(pooled[:1], pooled.shape))
    np.testing.assert_allclose(pooled[0] + [-0.1, 0.0, 0.1], [-1.28, 0.0, 1.28], atol=0.15)


def test_corrected_paths_have_the_corrected_quantiles():
    rng = np.random.default_rng(1)
    paths = rng.normal(size=(2, 5000, 3))
    before = np.moveaxis(np.quantile(paths, LEVELS, axis=1), 0, -1)
    after = corrected_quantiles(before, np.array([-1.0, 0.0, 2.0]) * np.ones((3, 1)), LEVELS)
    moved = corrected_paths(paths, before, after)
    np.testing.assert_allclose(np.moveaxis(np.quantile(moved, LEVELS, axis=1), 0, -1), after, atol=0.01)
    assert (np.argsort(moved[0, :, 0]) == np.argsort(paths[0, :, 0])).all()


def test_flat_windows_do_not_calibrate(hourly, tiny):
    """A constant series does not change the corrections of the others, because its errors have no unit."""
    flat = hourly[hourly["unique_id"] == "s0"].assign(unique_id="flat", y=5.0)
    parameters = {**tiny, "quantiles": [0.1, 0.9], "conformal": True, "validation_size": 60}
    forecaster = Forecaster(**parameters).fit(pd.concat([hourly, flat]))
    forecast = forecaster.predict(history=hourly)
    covered = forecaster.cross_validation(hourly, n_windows=3, refit=False)
    inside = (covered["y_hat_q0.1"] <= covered["y"]) & (covered["y"] <= covered["y_hat_q0.9"])
    assert inside.mean() > 0.6
    assert (forecast["y_hat_q0.1"] < forecast["y_hat_q0.9"]).all()


def test_paths_are_corrected_as_quantiles_are(conformal):
    paths = conformal.sample_paths(2000, random_state=0).filter(like="path").to_numpy()
    levels = conformal.predict()
    for level in (0.1, 0.9):
        share = (paths < levels[[f"y_hat_q{level:g}"]].to_numpy()).mean(axis=1)
        np.testing.assert_allclose(share, level, atol=0.04)


def test_corrections_are_of_the_horizon_trained_for(conformal):
    with pytest.raises(ConfigError, match="conformal corrections for 6 steps, not for 7"):
        conformal.predict(horizon=7)
    with pytest.raises(ConfigError, match="conformal corrections"):
        conformal.sample_paths(3, horizon=7)
    assert len(conformal.predict(horizon=7, quantiles=[])) == 21


def test_corrections_are_exported(conformal, tmp_path):
    conformal.export("keras", tmp_path / "model.keras")
    document = json.loads((tmp_path / "model.keras.json").read_text())
    assert document["metadata"]["conformal"]["levels"] == LEVELS
    np.testing.assert_allclose(document["metadata"]["conformal"]["offsets"], conformal.offsets_)


def test_a_fit_that_is_refused_leaves_the_one_before(hourly, tiny):
    forecaster = Forecaster(**tiny, quantiles=[0.1, 0.9], conformal=True).fit(hourly)
    before, learned = forecaster.predict(), forecaster.seed_
    forecaster.set_params(quantiles=[0.001, 0.999], random_state=1)
    with pytest.raises(ConfigError, match="needs 999 held-out values"):
        forecaster.fit(hourly)
    forecaster.set_params(quantiles=[0.1, 0.9])
    assert forecaster.seed_ == learned
    pd.testing.assert_frame_equal(forecaster.predict(), before)


@pytest.mark.parametrize("model", ["gru", "deepar_gru"])
def test_counts_are_rolled(model, hourly, tiny):
    frame = hourly.assign(y=np.random.default_rng(0).poisson(np.maximum(hourly["y"], 0)).astype(float))
    settings = {**tiny["hyperparameters"], "epochs": 1}
    parameters = {**tiny, "model": model, "hyperparameters": settings, "distribution": "negative_binomial"}
    forecaster = Forecaster(**parameters).fit(frame)
    long = forecaster.predict(horizon=20)
    assert (long["y_hat"] % 1 == 0).all()
    assert (long["y_hat"] >= 0).all()
    assert len(forecaster.predict(horizon=20, quantiles=[0.1, 0.9])) == 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"hyperparameters": {"scaling": "level"}},
            r"not differences from the last value: pass hyperparameters=\{'scaling': 'window'\}",
        ),
        ({"missing": "interpolate"}, "pass missing='mask'"),
    ],
)
def test_what_counts_cannot_be(change, message, hourly, tiny):
    with pytest.raises(ConfigError, match=message):
        Forecaster(**{**tiny, **change}, distribution="negative_binomial").fit(hourly)


@pytest.mark.parametrize("quantiles", [[0.9], [0.6, 0.9], [0.1]])
def test_one_sided_quantiles_have_no_paths(quantiles, hourly, tiny):
    forecaster = Forecaster(**tiny, quantiles=quantiles).fit(hourly)
    for call in (lambda: forecaster.sample_paths(3), lambda: forecaster.predict(horizon=7)):
        with pytest.raises(ConfigError, match="need quantiles on both sides of the median"):
            call()
    assert len(forecaster.predict(horizon=7, quantiles=[])) == 21


def test_quantiles_may_be_an_array(hourly, tiny):
    forecaster = Forecaster(**tiny, quantiles=np.array([0.1, 0.9])).fit(hourly)
    assert list(forecaster.predict().columns[-2:]) == ["y_hat_q0.1", "y_hat_q0.9"]
    assert list(forecaster.predict(quantiles=np.array([0.9])).columns[-1:]) == ["y_hat_q0.9"]
    with pytest.raises(ConfigError, match="quantiles: expected a list of levels"):
        forecaster.predict(quantiles=0.9)


def test_rolled_paths_do_not_depend_on_the_company(hourly, tiny, monkeypatch):
    forecaster = Forecaster(**tiny, distribution="normal").fit(hourly)
    together = forecaster.sample_paths(4, horizon=13, random_state=0)
    quantiles = forecaster.predict(horizon=13, quantiles=[0.1])
    monkeypatch.setattr("lstmzoo.estimators.forecasting.network._base.ROWS", 5)
    pd.testing.assert_frame_equal(forecaster.sample_paths(4, horizon=13, random_state=0), together, rtol=1e-5)
    pd.testing.assert_frame_equal(forecaster.predict(horizon=13, quantiles=[0.1]), quantiles, rtol=1e-5)


def test_paths_of_any_number_of_series_are_drawn_in_few_sizes(hourly, tiny, monkeypatch):
    """Few batch sizes are compiled."""
    settings = {"epochs": 1, "steps_per_epoch": 2, "units": 4}
    parameters = {**tiny, "model": "deepar_gru", "hyperparameters": settings, "quantiles": [0.1]}
    forecaster = Forecaster(**parameters).fit(hourly)
    sizes, encode = [], Stepper.encode
    monkeypatch.setattr(
        Stepper,
        "encode",
        lambda self, inputs, *args: sizes.append(len(inputs["window"])) or encode(self, inputs, *args),
    )
    together = forecaster.predict()
    alone = [forecaster.predict(history=one) for _, one in hourly.groupby("unique_id")]
    assert sizes == [4, 1, 1, 1]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together, rtol=1e-4)
    monkeypatch.setattr("lstmzoo.estimators.forecasting.network.outlook.ROWS", 2 * 200)
    pd.testing.assert_frame_equal(forecaster.predict(), together, rtol=1e-4)
    assert sizes[4:] == [2, 2]


@pytest.fixture
def halves(hourly):
    place = hourly.groupby("unique_id").cumcount()
    return hourly[place < 200], hourly[place >= 200]


def test_updates_have_the_same_bits_after_loading(halves, tiny, tmp_path):
    settings = {**tiny["hyperparameters"], "dropout": 0.4}
    forecaster = Forecaster(**{**tiny, "hyperparameters": settings}).fit(halves[0])
    forecaster.save(tmp_path / "model")
    loaded = lstmzoo.load(tmp_path / "model")
    pd.testing.assert_frame_equal(forecaster.update(halves[1]).predict(), loaded.update(halves[1]).predict(), rtol=0)


def test_an_update_that_fails_changes_nothing(halves, tiny, monkeypatch):
    forecaster = Forecaster(**tiny).fit(halves[0])
    before, rows = forecaster.predict(), len(forecaster.history_)
    undefined = "lstmzoo.estimators.forecasting.network.estimator.forecast_loss"
    monkeypatch.setattr(undefined, lambda *_: lambda target, forecast: forecast[:, 0, 0] * np.nan)
    with pytest.raises(TrainingError):
        forecaster.update(halves[1])
    assert len(forecaster.history_) == rows
    pd.testing.assert_frame_equal(forecaster.predict(), before)


def test_an_observation_that_is_refused_is_not_taken(hourly, tiny):
    one = hourly[hourly["unique_id"] == "s0"].assign(price=1.0)
    forecaster = Forecaster(**{**tiny, "model": "gru"}, future_covariates=["price"]).fit(one)
    stream, other = forecaster.stream(), forecaster.stream()
    with pytest.raises(DataError, match="future="):
        stream.update(50.0, known={"price": 1.0})
    given = {"known": {"price": 1.0}, "future": np.ones((6, 1))}
    np.testing.assert_array_equal(stream.update(50.0, **given), other.update(50.0, **given))


def test_a_level_is_corrected_alike_whatever_others_are_asked_for(hourly, tiny):
    forecaster = Forecaster(**tiny, quantiles=[0.8, 0.9], conformal=True, validation_size=60).fit(hourly)
    forecaster.offsets_ = np.tile([0.0, 5.0, 0.5], (6, 1))  # the corrected 0.8 lies above the corrected 0.9
    both, alone = forecaster.predict(), forecaster.predict(quantiles=[0.9])
    np.testing.assert_array_equal(alone["y_hat_q0.9"], both["y_hat_q0.9"])
    np.testing.assert_array_equal(forecaster.predict(quantiles=[])["y_hat"], both["y_hat"])


def test_corrected_counts_are_counts(hourly, tiny):
    counts = hourly.assign(y=np.random.default_rng(0).poisson(1.0, len(hourly)).astype(float))
    intervals = {"quantiles": [0.1, 0.9], "conformal": True, "validation_size": 60}
    forecaster = Forecaster(**tiny, **intervals, distribution="negative_binomial").fit(counts)
    forecaster.offsets_ = np.tile([-3.0, 0.0, 3.0], (6, 1))
    assert (forecaster.predict()["y_hat_q0.1"] == 0).all()
    assert (forecaster.sample_paths(20).filter(like="path") >= 0).all(axis=None)


@pytest.mark.parametrize(("levels", "needed"), [([0.1, 0.9], 9), ([0.9], 9), ([0.5, 0.999], 999), ([0.05, 0.5], 19)])
def test_as_many_held_out_values_as_a_level_needs(levels, needed):
    check_held_out(needed, levels)
    with pytest.raises(ConfigError, match=f"needs {needed} held-out values, but there are {needed - 1}"):
        check_held_out(needed - 1, levels)


def test_sampled_paths_reach_so_far(hourly, tiny):
    deepar = {**tiny, "model": "deepar_gru", "hyperparameters": {"epochs": 1, "steps_per_epoch": 2, "units": 4}}
    with pytest.raises(ConfigError, match="0.001 is too extreme for 200 sample paths.*from 0.005 to 0.995"):
        Forecaster(**deepar, quantiles=[0.001]).fit(hourly)
    forecaster = Forecaster(**tiny, distribution="normal").fit(hourly)
    assert len(forecaster.predict(quantiles=[0.999])) == 18
    with pytest.raises(ConfigError, match="0.999 is too extreme for 200 sample paths"):
        forecaster.predict(horizon=8, quantiles=[0.999])


def test_one_path_of_an_array_is_a_column(hourly, tiny):
    forecaster = Forecaster(**tiny, distribution="normal").fit(hourly["y"].to_numpy()[:240])
    assert forecaster.sample_paths(1).shape == (6, 1)
    assert forecaster.sample_paths(3).shape == (6, 3)
