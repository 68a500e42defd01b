"""Ensembles: the weighted mean of the members' forecasts, saved and served as one model."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import lstmzoo
from lstmzoo import BaselineForecaster, ForecastEnsemble, Forecaster
from lstmzoo.contracts import Ensemblable, missing_methods
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.estimators import unshare
from lstmzoo.migrations import FORMAT

LEVELS = [0.1, 0.9]
WEIGHTS = [0.5, 0.25, 0.25]
VALUES = ["y_hat", "y_hat_q0.1", "y_hat_q0.9"]


@pytest.fixture(scope="module")
def members(hourly, tiny):
    naive = BaselineForecaster("seasonal_naive", horizon=tiny["horizon"], quantiles=LEVELS)
    networks = [Forecaster(**{**tiny, "random_state": seed}, quantiles=LEVELS) for seed in (0, 1)]
    return [member.fit(hourly) for member in (*networks, naive)]


@pytest.fixture(scope="module")
def ensemble(members):
    return ForecastEnsemble.of(members, [2, 1, 1])


def mean(frames):
    return sum(w * frame[VALUES].to_numpy() for w, frame in zip(WEIGHTS, frames, strict=True))


def test_forecasts_are_the_weighted_mean(ensemble, members, hourly):
    assert ensemble.weights_ == WEIGHTS
    np.testing.assert_allclose(ensemble.predict()[VALUES], mean([m.predict() for m in members]))
    other = hourly[hourly["unique_id"] == "s1"]
    np.testing.assert_allclose(ensemble.predict(other)[VALUES], mean([m.predict(other) for m in members]))
    longer = 2 * ensemble.horizon_ + 1
    np.testing.assert_allclose(
        ensemble.predict(horizon=longer)[VALUES], mean([m.predict(horizon=longer) for m in members])
    )


def test_the_scorer_of_predictions_gives_the_score(ensemble, members, hourly):
    assert missing_methods(Forecaster, Ensemblable) == []
    for metric in ("mase", "crps"):
        scorer = members[0].prediction_scorer(hourly, metric=metric)
        for estimator in (*members, ensemble):
            predictions = estimator.held_out_predictions(hourly)
            assert predictions.shape == (3, ensemble.horizon_, 3)
            assert scorer(predictions) == pytest.approx(estimator.score(hourly, metric=metric))
    averaged = np.tensordot(WEIGHTS, [m.held_out_predictions(hourly) for m in members], axes=1)
    np.testing.assert_allclose(ensemble.held_out_predictions(hourly), averaged)


def test_sample_paths_are_those_of_members(members, ensemble):
    networks = members[:2]
    pair = ForecastEnsemble.of(networks, [1, 0])
    paths = pair.sample_paths(8, random_state=3)
    pd.testing.assert_frame_equal(paths, networks[0].sample_paths(8, random_state=3))
    assert len(ForecastEnsemble.of(networks).sample_paths(8, random_state=3).filter(like="path").columns) == 8
    with pytest.raises(ConfigError, match="member 3 draws none, because it has no network"):
        ensemble.sample_paths()


def test_what_a_forecaster_does_an_ensemble_does(ensemble, hourly, tmp_path):
    assert ensemble.num_parameters_ == 2 * ensemble.members_[0].num_parameters_
    assert ensemble.history_ == []
    assert ensemble.seconds_ > 0
    assert ensemble.data_digest_ == ensemble.members_[0].data_digest_
    assert len(ensemble.evaluate(hourly)) == 3
    answer = ensemble.serve(ensemble.serving_example(), {"horizon": 2})
    assert list(answer) == ["unique_id", "ds", *VALUES]
    assert len(answer) == 2
    ensemble.plot(tmp_path / "forecast.png")


def test_saved_and_loaded_as_one_model(ensemble, tmp_path):
    ensemble.save(tmp_path / "model", key="secret")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["class"] == "ForecastEnsemble"
    assert "member1.weights.safetensors" in manifest["files"]
    loaded = lstmzoo.load(tmp_path / "model", key="secret")
    for again in (loaded, pickle.loads(pickle.dumps(ensemble))):
        pd.testing.assert_frame_equal(again.predict(), ensemble.predict())
        assert [str(e) for e in again.estimators] == [str(e) for e in ensemble.estimators]
        assert again.weights == ensemble.weights
    weights = tmp_path / "model" / "member2.weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(SavedModelError, match="member2.weights.safetensors is damaged"):
        lstmzoo.load(tmp_path / "model")


def rewritten(ensemble, path, change):
    from lstmzoo import saving

    header, files = ensemble._to_bundle()
    change(files)
    saving.write_bundle(path, header, files)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files["params.json"]["learned"].update(weights_=[1.0, 1.0]), "2 members, but the weights"),
        (lambda files: files["params.json"].update(members=["ForecastEnsemble"] * 2), "member 1 is a ForecastEnsemble"),
        (lambda files: files["params.json"].update(members=["Spreadsheet"] * 2), "unknown class 'Spreadsheet'"),
        (lambda files: files["member1.params.json"]["learned"]["params_"].update(quantiles=[0.2]), "quantiles"),
        (lambda files: files.pop("member2.params.json"), "consistent ForecastEnsemble: 'params.json'"),
    ],
)
def test_inconsistent_folders_are_refused(change, message, tmp_path):
    naive, drift = (BaselineForecaster(m, horizon=2, quantiles=LEVELS).fit([1.0, 2, 4]) for m in ("naive", "drift"))
    ensemble = ForecastEnsemble.of([naive, drift])
    with pytest.raises(SavedModelError, match=message):
        lstmzoo.load(rewritten(ensemble, tmp_path / "model", change))


def test_members_are_migrated(monkeypatch, tmp_path):
    from lstmzoo import migrations
    from lstmzoo.migrations import Added, constant

    ensemble = ForecastEnsemble.of([BaselineForecaster("naive", horizon=2).fit([1.0, 2, 4])])
    state = ensemble.__getstate__()
    del state["bundle"]["member1.params.json"]["learned"]["method_"]
    state["format"] = FORMAT - 1
    row = Added("BaselineForecaster", "params.json", ("learned",), "method_", constant("drift"))
    monkeypatch.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, FORMAT - 1: (row,)})
    again = ForecastEnsemble.__new__(ForecastEnsemble)
    again.__setstate__(state)
    assert again.members_[0].method_ == "drift"


def test_a_user_fits_one_like_any_forecaster(hourly):
    naive, drift = (BaselineForecaster(m, horizon=6) for m in ("naive", "drift"))
    ensemble = ForecastEnsemble([naive, drift], weights=(3, 1))
    with pytest.raises(NotFittedError):
        ensemble.predict()
    fitted = clone(ensemble).fit(hourly)
    expected = 0.75 * naive.fit(hourly).predict()["y_hat"] + 0.25 * drift.fit(hourly).predict()["y_hat"]
    np.testing.assert_allclose(fitted.predict()["y_hat"], expected)
    assert fitted.weights_ == [0.75, 0.25]
    backtest = ensemble.cross_validation(hourly, n_windows=2)
    assert len(backtest) == 3 * 2 * 6
    assert ensemble.holdout_split(hourly)[1][0] is hourly


def test_a_network_of_its_own(members):
    member = pickle.loads(pickle.dumps(members[0]))
    shared, before = member.model_, member.predict()
    unshare(member)
    assert member.model_ is not shared
    shared.set_weights([0 * w for w in shared.get_weights()])
    pd.testing.assert_frame_equal(member.predict(), before)


def test_short_series_are_padded_by_each_member(hourly, tiny):
    short = pd.concat([hourly[hourly["unique_id"] != "s2"], hourly[hourly["unique_id"] == "s2"][-10:]])
    network = Forecaster(**tiny)
    drift = BaselineForecaster("drift", horizon=tiny["horizon"])
    members = [network.fit(short), drift.fit(short)]
    expected = np.mean([m.predict()["y_hat"] for m in members], axis=0)
    np.testing.assert_allclose(ForecastEnsemble.of(members).predict()["y_hat"], expected)


NAIVE = BaselineForecaster("naive", horizon=2)


@pytest.mark.parametrize(
    ("estimators", "weights", "message"),
    [
        ([], None, "estimators: expected 1 to 99 estimators, got 0"),
        ([NAIVE], [1, 2], "weights: expected 1 numbers"),
        ([NAIVE], [0], "not all 0"),
        ([NAIVE], [-1], "weights: .*greater than or equal to 0"),
        ([NAIVE, 3], None, "member 2 is a int; expected single models of the task forecasting"),
        ([ForecastEnsemble([NAIVE])], None, "member 1 is a ForecastEnsemble"),
        ([NAIVE, BaselineForecaster("naive", horizon=3)], None, "horizon: 2 of member 1, but 3 of member 2"),
        ([NAIVE, BaselineForecaster("naive", horizon=2, quantiles=[0.1])], None, "quantiles: .* of member 1"),
        ([NAIVE, BaselineForecaster("naive", horizon=2, target_col="z")], None, "the columns: "),
    ],
)
def test_estimators_that_do_not_fit_together_are_refused(estimators, weights, message):
    with pytest.raises(ConfigError, match=message):
        ForecastEnsemble(estimators, weights).fit([1.0, 2, 4])


def test_members_fitted_on_other_data_are_refused():
    one, other = (BaselineForecaster("naive", horizon=2).fit(y) for y in ([1.0, 2, 4], [1.0, 2, 4, 5]))
    with pytest.raises(ConfigError, match="member 2 was fitted on other series than member 1, or up to other times"):
        ForecastEnsemble.of([one, other])
