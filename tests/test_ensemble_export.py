"""Exports of ensembles: one network computes the mean of the members' forecasts."""

import json

import numpy as np
import pandas as pd
import pytest
from test_exporting import NAMES, needs

from lstmzoo import BaselineForecaster, ForecastEnsemble, Forecaster
from lstmzoo.errors import ConfigError
from lstmzoo.estimators.forecasting.ensemble.joining import Joined

QUANTILES = {"quantiles": [0.1, 0.9]}
COVARIATES = {"past_covariates": ["visitors"], "future_covariates": ["price"], "static_covariates": ["region", "size"]}


def fitted(frame, tiny, model="gru", *, lookback=24, settings=None, **params):
    hyperparameters = {**tiny["hyperparameters"], **(settings or {})}
    return Forecaster(
        **{**tiny, "model": model, "lookback": lookback, "hyperparameters": hyperparameters, **params}
    ).fit(frame)


@pytest.fixture(scope="module")
def sales(hourly):
    """Series with zeros, and covariates of each kind."""
    rng = np.random.default_rng(1)
    region = np.where(hourly["unique_id"] == "s1", "north", "south")
    y = np.maximum(hourly["y"] - 45, 0)
    return hourly.assign(y=y, visitors=rng.normal(size=len(y)), price=rng.normal(size=len(y)), region=region, size=2.5)


@pytest.fixture(scope="module")
def different(sales, tiny, module_without_xla):
    """Members with different lookbacks, scalings, transforms and references, one of them conformal."""
    return ForecastEnsemble.of(
        [
            fitted(sales, tiny, "segment_gru", settings={"transform": "log"}, **QUANTILES, **COVARIATES),
            fitted(sales, tiny, lookback=40, conformal=True, **QUANTILES, **COVARIATES),
            fitted(
                sales, tiny, lookback=12, settings={"scaling": "series", "residual": "naive"}, **QUANTILES, **COVARIATES
            ),
        ],
        [2, 1, 1],
    )


@pytest.fixture(scope="module")
def small(hourly, tiny, module_without_xla):
    return ForecastEnsemble.of([fitted(hourly, tiny), fitted(hourly, tiny, "simple_rnn", lookback=12)], [3, 1])


def forecasts(ensemble, **given):
    """Forecasts ``(N, H, L)`` by ascending level."""
    columns = ["y_hat" if level == 0.5 else f"y_hat_q{level}" for level in ensemble.levels_]
    return ensemble.predict(**given)[columns].to_numpy().reshape(-1, ensemble.horizon_, len(columns))


def test_the_network_computes_what_the_ensemble_forecasts(different):
    joined = Joined.of(different.members_, different.weights_)
    inputs = joined.inputs(different.tail_)
    future = different.make_future_frame().assign(price=0.0)
    outputs = joined.network().predict_on_batch(inputs)
    np.testing.assert_allclose(outputs, forecasts(different, future=future), rtol=1e-5, atol=1e-4)
    assert inputs["member1_window"].shape[1] == 24
    assert inputs["member2_window"].shape[1] == 40
    assert {name for name in inputs if name.endswith("_unit")} == {"member1_unit"}
    assert {"member3_shift", "member3_scale", "member3_least", "member3_static"} <= set(inputs)


@pytest.mark.parametrize("format", ["keras", "litert"])
def test_one_artefact(format, small, tmp_path):
    needs(format)
    report = small.export(format, tmp_path / NAMES[format])
    document = json.loads((tmp_path / f"{NAMES[format]}.json").read_text())
    assert report.difference < 1e-3
    assert set(document["inputs"]) == {
        f"member{k}_{name}" for k in (1, 2) for name in ("window", "future", "shift", "scale", "least")
    }
    assert [output["shape"][1:] for output in document["outputs"].values()] == [[6, 1]]
    assert document["metadata"]["levels"] == [0.5]
    members = document["metadata"]["members"]
    assert [(m["number"], m["model"], m["weight"]) for m in members] == [
        (1, "forecasting/gru", 0.75),
        (2, "forecasting/simple_rnn", 0.25),
    ]
    assert [m["preprocessor"]["lookback"] for m in members] == [24, 12]


def test_members_of_weight_0_are_left_out(small, hourly):
    naive = BaselineForecaster("naive", horizon=6).fit(hourly)
    joined = Joined.of([naive, *small.members_], [0.0, 0.75, 0.25])
    assert list(joined.members) == [2, 3]
    np.testing.assert_allclose(
        joined.network().predict_on_batch(joined.inputs(small.tail_)), forecasts(small), rtol=1e-5
    )


def test_series_that_are_padded(hourly, tiny, eagerly):
    short = pd.concat([hourly[hourly["unique_id"] != "s2"], hourly[hourly["unique_id"] == "s2"][-10:]])
    members = [fitted(short, tiny), fitted(short, tiny, lookback=6)]
    ensemble = ForecastEnsemble.of(members)
    joined = Joined.of(members, ensemble.weights_)
    np.testing.assert_allclose(
        joined.network().predict_on_batch(joined.inputs(ensemble.tail_)), forecasts(ensemble), rtol=1e-5
    )


def test_members_that_a_network_cannot_compute_are_refused(small, hourly, tmp_path):
    naive = BaselineForecaster("naive", horizon=6).fit(hourly)
    with pytest.raises(ConfigError) as caught:
        ForecastEnsemble.of([*small.members_, naive]).export("keras", tmp_path / "m.keras")
    assert str(caught.value) == (
        "export: member 3 is a BaselineForecaster, which has no network: export an ensemble of the others "
        "(members_[0], members_[1]), or search with ensemble_size=1 for a single model"
    )
    with pytest.raises(ConfigError, match="no network: search with ensemble_size=1"):
        ForecastEnsemble.of([naive]).export("keras", tmp_path / "m.keras")


def test_distributions_are_refused(hourly, tiny, tmp_path, eagerly):
    ensemble = ForecastEnsemble.of([fitted(hourly, tiny, distribution="normal")])
    with pytest.raises(
        ConfigError, match=r"member 1 \(forecasting/gru\) forecasts with distribution='normal', whose quan"
    ):
        ensemble.export("keras", tmp_path / "m.keras")
