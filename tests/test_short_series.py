"""Short series are normal: they are padded, and lookback and validation adapt, with a warning that says so."""

import logging

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, Forecaster, ZooSearchCV
from lstmzoo.errors import DataError

pytestmark = pytest.mark.usefixtures("without_xla")
TINY = {"epochs": 1, "steps_per_epoch": 2, "units": 4}


def panel(*lengths):
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": np.arange(n), "y": 10 + i + np.sin(np.arange(n) * np.pi / 3)})
        for i, n in enumerate(lengths)
    ]
    return pd.concat(frames, ignore_index=True)


def forecaster(**params):
    return Forecaster(
        "segment_gru", **{"horizon": 6, "hyperparameters": TINY, "random_state": 0, "verbose": 0, **params}
    )


def weights(fitted):
    return [np.array(w) for w in fitted.model_.get_weights()]


def test_a_mixture_of_long_and_short_series_is_padded_with_a_warning(caplog):
    data = panel(60, 60, 60, 9, 2)
    fitted = forecaster().fit(data)
    assert fitted.predict().groupby("unique_id").size().eq(6).all()
    assert fitted.params_.pad_short
    assert fitted.preprocessor_.channels.past_variables_ == ["observed"], "the network sees what is padding"
    assert (
        "2 of 5 series have fewer than 30 observations (18 to look back, 6 to forecast, 6 for validation)"
        in caplog.text
    )
    padded = forecaster(pad_short=True).fit(data)
    assert all(np.array_equal(a, b) for a, b in zip(weights(fitted), weights(padded), strict=True))


def test_where_all_are_long_enough_nothing_changes(caplog):
    data = panel(60, 48)
    fitted, strict = forecaster().fit(data), forecaster(pad_short=False).fit(data)
    assert all(np.array_equal(a, b) for a, b in zip(weights(fitted), weights(strict), strict=True))
    assert not fitted.params_.pad_short
    assert not fitted.spec_.num_past
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_lookback_and_validation_adapt_to_most_series(caplog):
    fitted = forecaster().fit(panel(22, 22, 20, 8))
    assert fitted.spec_.lookback == 21 - 6 - 6
    assert "val_loss" in fitted.history_[0]
    assert "at most 21 observations: the lookback is 9 (usually 18), and 6 steps are held out" in caplog.text
    fitted = forecaster().fit(panel(14, 14, 13))
    assert fitted.spec_.lookback == 8
    assert "val_loss" not in fitted.history_[0], "nothing is held out"
    assert np.isfinite(fitted.predict()["y_hat"]).all()


def test_constant_series_and_single_values_beside_long_ones():
    data = pd.concat([panel(60, 60, 60, 1), panel(40).assign(unique_id="constant", y=3.0)])
    found = forecaster().fit(data).predict()
    assert found.loc[found["unique_id"] == "constant", "y_hat"].to_numpy() == pytest.approx(3.0, abs=1e-3)
    assert np.isfinite(found["y_hat"]).all()


def test_series_that_no_forecast_can_use_are_one_clear_error():
    with pytest.raises(DataError, match="series 's0' has 3 observations, but 7 are needed"):
        forecaster().fit(panel(3, 3, 3))
    with pytest.raises(DataError, match=r"each series has a single observation.*BaselineForecaster\('naive'\)"):
        forecaster().fit(panel(1, 1, 1))
    with pytest.raises(DataError, match="series 's0' has 60 observations, but 512 are needed"):
        forecaster(lookback=500).fit(panel(60, 60))
    with pytest.raises(DataError, match="has 20 observations; seasonal_naive needs 24"):
        BaselineForecaster("seasonal_naive", horizon=3, season_length=24).fit(np.arange(20.0))


def test_a_search_takes_short_series_and_says_so_once(caplog):
    search = ZooSearchCV(forecaster(random_state=None), "segment_gru", max_trials=2, random_state=0, verbose=0)
    found = search.fit(panel(60, 60, 60, 9))
    assert not any(record["error"] for record in found.records_)
    assert found.predict()["unique_id"].nunique() == 4
    messages = [r.getMessage() for r in caplog.records if "are padded" in r.getMessage()]
    assert messages
    assert len(messages) == len(set(messages))


@pytest.mark.parametrize("oracle", ["halving", "random"])
def test_a_search_trains_on_series_that_it_cannot_score(oracle, caplog):
    search = ZooSearchCV(
        forecaster(season_length=1), "segment_gru", oracle=oracle, max_trials=1, random_state=0, verbose=0
    )
    data = panel(60, 1, 60, 60, 5)
    search.fit(data)
    held_out = 12 if oracle == "halving" else 6
    assert f"2 of 5 series have at most {held_out} observations: they are in the training set, but" in caplog.text
    assert not any(record["error"] for record in search.records_)
    assert search.n_splits_ == (2 if oracle == "halving" else 1), "the short series do not decide on the windows"
    found = search.predict()
    assert found["unique_id"].value_counts().eq(6).all()
    assert found["unique_id"].nunique() == 5
    assert found.loc[found["unique_id"] == "s1", "y_hat"].to_numpy() == pytest.approx(11.0, abs=1.0)
    long = data["unique_id"].isin(["s0", "s2", "s3"])
    naive = BaselineForecaster("naive", horizon=6, season_length=1).fit(data[long].groupby("unique_id").head(54))
    record = next(r for r in search.records_ if r["model"] == "naive")
    assert record["window_scores"][-1] == pytest.approx(naive.score(data[long]))


def test_series_that_are_not_scored_are_whole_in_the_training_sets_of_folds():
    data, params = panel(60, 1, 40), forecaster(id_col="unique_id")
    assert params.split_size(data) == 40
    (train,), [(window,)] = params.split_at(np.arange(34), np.arange(34, 40), data)
    assert train.panel.lengths.tolist() == [54, 1, 34]
    assert window.panel.lengths.tolist() == [60, 40]
    (train,), windows = params.rolling_holdout(data, windows=2)
    assert train.panel.lengths.tolist() == [48, 1, 28]
    assert [window.panel.lengths.tolist() for (window,) in windows] == [[54, 34], [60, 40]]


def test_a_search_says_at_once_that_series_are_too_short():
    search = ZooSearchCV(forecaster(pad_short=False), "segment_gru", max_trials=9, random_state=0, verbose=0)
    with pytest.raises(DataError, match="series 's1' has 5 observations, too few to hold out 6"):
        search.fit(panel(60, 5))
    assert not hasattr(search, "records_")
    for data in (panel(1, 1, 1), panel(6, 2)):
        with pytest.raises(DataError, match=r"the longest series, 's0', has \d observations, too few to hold out 6"):
            search.set_params(estimator=forecaster()).fit(data)
        assert not hasattr(search, "records_")
