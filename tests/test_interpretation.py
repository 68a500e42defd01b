"""Interpretations have the weights that the layers computed."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lstmzoo import Forecaster, list_models, load, load_config
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.layers import DISTRIBUTIONS
from lstmzoo.models._forecasting import Looks
from lstmzoo.registry import build_model
from lstmzoo.spec import ForecastingSpec

pytestmark = pytest.mark.usefixtures("eagerly")

LOOKBACK, HORIZON = 8, 3
COVARIATES = {
    "past_covariates": ["heat"],
    "future_covariates": ["price", "noise"],
    "static_covariates": ["size", "region"],
    "calendar": ["weekday"],
}


@pytest.fixture(scope="module")
def shops():
    """Sales that depend on a price known in advance, and a covariate that is noise."""
    rng = np.random.default_rng(0)
    frames = []
    for name, region, size in (("a", "north", 1.0), ("b", "south", 2.0), ("c", "south", 3.0)):
        price, noise, heat = rng.normal(size=(3, 150))
        y = 10 * price + 0.1 * rng.normal(size=150) + 50
        times = pd.date_range("2024-01-01", periods=150)
        columns = {"y": y, "price": price, "noise": noise, "heat": heat, "size": size, "region": region}
        frames.append(pd.DataFrame({"unique_id": name, "ds": times, **columns}))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def fitted(shops):
    settings = {
        "units": 8,
        "epochs": 4,
        "steps_per_epoch": 25,
        "learning_rate": 0.02,
        "residual": "mix",
        "num_heads": 2,
    }
    forecaster = Forecaster(
        "temporal_fusion", horizon=HORIZON, lookback=LOOKBACK, season_length=2, missing="mask", hyperparameters=settings,
        random_state=0, verbose=0, **COVARIATES,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for module in ("loop", "prediction"):
            patch.setattr(f"lstmzoo.training.{module}.jit_compile", lambda *_, **__: False)
        return forecaster.fit(shops)


@pytest.fixture(scope="module")
def future(fitted):
    return fitted.make_future_frame().assign(price=np.arange(9) / 4 - 1, noise=0.5)


@pytest.fixture
def looked(fitted, future):
    return fitted.interpret(future=future)


def test_weights_of_variables_are_a_share_of_each_part(looked):
    frame = looked.variables
    assert list(frame) == ["unique_id", "part", "variable", "weight"]
    np.testing.assert_allclose(frame.groupby(["unique_id", "part"])["weight"].sum(), 1, rtol=1e-5)
    assert (frame["weight"] >= 0).all()
    known = ["calendar weekday", "price", "noise"]
    references = ["mean of the lookback", *(f"value {n} steps before" for n in (1, 2, 4)), "mean of seasons of 2 steps"]
    for name, of_series in frame.groupby("unique_id"):
        parts = {part: rows["variable"].tolist() for part, rows in of_series.groupby("part", sort=False)}
        assert parts == {
            "past": ["y", *known, "heat", "observed"], "future": [*references, *known], "static": ["size", "region"],
        }, name  # fmt: skip


def test_an_informative_covariate_has_more_weight_than_noise(looked):
    ahead = looked.variables.query("part == 'future'").pivot(index="unique_id", columns="variable", values="weight")
    assert (ahead["price"] > 2 * ahead["noise"]).all()
    assert (ahead["price"] == ahead.max(axis=1)).all()


def test_attention_is_to_steps_up_to_the_one_forecast(looked, shops, future):
    frame = looked.attention
    assert list(frame) == ["unique_id", "ds", "attended", "weight"]
    assert (frame["attended"] <= frame["ds"]).all()
    np.testing.assert_allclose(frame.groupby(["unique_id", "ds"])["weight"].sum(), 1, rtol=1e-5)
    assert len(frame) == 3 * sum(LOOKBACK + h for h in range(1, HORIZON + 1))
    assert set(frame["ds"]) == set(future["ds"])
    past = sorted(set(shops["ds"]))[-LOOKBACK:]
    assert sorted(set(frame["attended"])) == past + sorted(set(future["ds"]))


def test_they_are_the_second_outputs_of_the_layers(fitted, looked, future):
    panel = fitted.tail_
    ahead = fitted.params_.ahead(panel, HORIZON, future)
    inputs, _ = fitted.preprocessor_.last_windows(panel, ahead.times, ahead.known)
    layer = lambda name: keras.Model(fitted.model_.input, fitted.model_.get_layer(name).output[1])  # noqa: E731
    given = {name: inputs[name] for name in fitted.model_.input}
    attention = np.asarray(layer("attention").predict_on_batch(given))
    assert attention.shape == (3, HORIZON, LOOKBACK + HORIZON)
    rows = looked.attention.query("unique_id == 'b'").sort_values(["ds", "attended"])["weight"].to_numpy()
    expected = np.concatenate([attention[1, h, : LOOKBACK + h + 1] for h in range(HORIZON)])
    np.testing.assert_allclose(rows, expected, rtol=1e-4)
    static = np.asarray(layer("static_selection").predict_on_batch(given))[1]
    rows = looked.variables.query("unique_id == 'b' and part == 'static'")["weight"].to_numpy()
    np.testing.assert_allclose(rows, [static[0], static[1:].sum()], rtol=1e-4)
    past = np.asarray(layer("window_selection").predict_on_batch(given))[1].mean(axis=0)
    rows = looked.variables.query("unique_id == 'b' and part == 'past'")["weight"].to_numpy()
    np.testing.assert_allclose(rows, [past[0], past[1:3].sum(), *past[3:]], rtol=1e-4)


def test_some_series_in_their_order(fitted, looked, future):
    some = fitted.interpret(future=future, ids=["c", "a"])
    assert some.variables["unique_id"].drop_duplicates().tolist() == ["c", "a"]
    expected = looked.variables.query("unique_id == 'c'")["weight"].to_numpy()
    np.testing.assert_allclose(some.variables.query("unique_id == 'c'")["weight"], expected, rtol=1e-4)
    with pytest.raises(UnknownNameError, match="unknown series 'z'"):
        fitted.interpret(future=future, ids=["z"])


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda f: pa.Table.from_pandas(f, preserve_index=False)])
def test_frames_are_of_the_users_kind(fitted, looked, shops, future, kind):
    answer = fitted.interpret(kind(shops), future=kind(future))
    for frame, expected in ((answer.variables, looked.variables), (answer.attention, looked.attention)):
        assert type(frame) is type(kind(future))
        as_pandas = frame.to_pandas()
        assert list(as_pandas) == list(expected)
        np.testing.assert_allclose(as_pandas["weight"], expected["weight"], rtol=1e-3)
    assert str(answer.attention["ds"].type if kind is not pl.from_pandas else answer.attention["ds"].dtype).startswith(
        "timestamp" if kind is not pl.from_pandas else "Datetime"
    )


def test_an_array_has_frames_without_ids():
    settings = {"units": 4, "epochs": 1, "steps_per_epoch": 1, "residual": "naive"}
    options = {"horizon": 2, "lookback": 4, "season_length": 1, "random_state": 0, "verbose": 0}
    looked = Forecaster("temporal_fusion", **options, hyperparameters=settings).fit(np.arange(30.0)).interpret()
    assert list(looked.variables) == ["part", "variable", "weight"]
    assert looked.variables["variable"].tolist() == ["y", "value 1 steps before"]
    assert looked.variables["weight"].tolist() == [1, 1]
    assert looked.attention["attended"].tolist() == [26, 27, 28, 29, 30, 26, 27, 28, 29, 30, 31]
    assert looked.plot().axes


def test_a_loaded_forecaster_says_the_same(fitted, looked, future, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model").interpret(future=future)
    np.testing.assert_allclose(again.variables["weight"], looked.variables["weight"], rtol=1e-5)


def test_plots(looked, tmp_path):
    figure = looked.plot(tmp_path / "looked.png", ids=["b"])
    assert (tmp_path / "looked.png").stat().st_size > 1000
    bars, attention = figure.axes
    assert bars.get_title() == "b: weights of the variables"
    assert [label.get_text() for label in bars.get_yticklabels()][:2] == ["past: y", "past: calendar weekday"]
    np.testing.assert_allclose(
        [bar.get_width() for bar in bars.patches], looked.variables.query("unique_id == 'b'")["weight"], rtol=1e-6
    )
    assert len(attention.lines[0].get_xdata()) == LOOKBACK
    with pytest.raises(UnknownNameError, match="series 'z'"):
        looked.plot(ids=["z"])
    with pytest.raises(ConfigError, match="expected a name that ends in"):
        looked.plot(tmp_path / "looked.nothing")


def test_what_cannot_be_interpreted_is_refused(fitted, shops, tiny):
    with pytest.raises(DataError, match="forecasting needs the future of 'price', 'noise'"):
        fitted.interpret()
    other = Forecaster(**{**tiny, "hyperparameters": {"units": 2, "epochs": 1, "steps_per_epoch": 1}}).fit(shops)
    with pytest.raises(ConfigError, match=r"segment_gru is not interpretable; entries that are: temporal_fusion"):
        other.interpret()
    renamed = shops.rename(columns={"unique_id": "part"})
    options = {**fitted.get_params(deep=False), "id_col": "part"}
    options["hyperparameters"] = {"units": 2, "epochs": 1, "steps_per_epoch": 1}
    with pytest.raises(ConfigError, match="id_col: 'part' is the name of a column of the result: rename"):
        Forecaster(**options).fit(renamed).interpret()


@pytest.mark.parametrize("static", [0, 2])
def test_entries_are_tagged_as_they_are(static):
    tagged = list_models("forecasting/*", tag="interpretable")
    assert tagged
    for name in list_models("forecasting/*"):
        config = load_config(name)
        family = DISTRIBUTIONS.get(config.data.distribution)
        spec = ForecastingSpec(
            lookback=8, horizon=2, num_references=1, num_outputs=family.num_parameters if family else 1, median_index=0,
            distribution=config.data.distribution, num_known=1, num_past=1, num_static=static, cardinalities=(),
            num_series=2, season_length=2,
        )  # fmt: skip
        looks = getattr(build_model(config.builder, spec, config.hyperparameters), "looks", None)
        assert (looks is not None) == (name in tagged), name
        if looks is not None:
            assert isinstance(looks, Looks)
            assert ("static" in looks.variables) == bool(static)


def test_categories_and_holidays_have_the_weights_of_all_their_channels(shops):
    frame = shops.assign(promo=np.array(["none", "poster", "radio"])[np.arange(len(shops)) % 3])
    settings = {"units": 4, "epochs": 1, "steps_per_epoch": 1, "residual": "none", "num_heads": 1}
    forecaster = Forecaster(
        "temporal_fusion", horizon=HORIZON, lookback=LOOKBACK, season_length=2, hyperparameters=settings, random_state=0,
        verbose=0, past_covariates=["heat"], future_covariates=["promo", "price"], calendar=["holidays:DE", "weekday"],
    ).fit(frame)  # fmt: skip
    channels = forecaster.preprocessor_.channels
    spec = forecaster.spec_
    assert len(channels.known_variables_) == spec.num_known == 2 + 1 + 3 + 1
    assert len(channels.past_variables_) == spec.num_past == 1
    looked = forecaster.interpret(future=forecaster.make_future_frame().assign(promo="radio", price=0.5))
    known = ["calendar weekday", "calendar holidays:DE", "promo", "price"]
    of_series = looked.variables.query("unique_id == 'a'")
    names = {part: rows["variable"].tolist() for part, rows in of_series.groupby("part")}
    assert names["past"] == ["y", *known, "heat"]
    assert names["future"][-4:] == known
    np.testing.assert_allclose(looked.variables.groupby(["unique_id", "part"])["weight"].sum(), 1, rtol=1e-5)


def test_series_to_plot_are_named_as_for_predict(looked):
    for ids in (np.array(["b", "c"]), pd.Series(["b", "c"]), ("b", "c")):
        assert len(looked.plot(ids=ids).axes) == 4
    for ids, message in (("ab", "a list of names"), ([], "empty"), (["a", "a"], "'a' occurs twice")):
        with pytest.raises(ConfigError, match=message):
            looked.plot(ids=ids)
