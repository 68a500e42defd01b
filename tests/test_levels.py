"""Series with an offset or in other units: forecasts equal those of the same series without it, or rescaled."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import DataError
from lstmzoo.estimators.forecasting.baselines import METHODS
from lstmzoo.estimators.forecasting.network.outlook import step_correlation
from lstmzoo.metrics import bias, crps, mae, mape, mase, rmse, rmsse, smape, wape
from lstmzoo.preprocessing import Channels, Columns, WindowPreprocessor, Windows, find_seasons, read_panel
from lstmzoo.scales import mean_and_deviation

pytestmark = pytest.mark.usefixtures("eagerly")

LEVEL, SIZE = 4_027_894.0, 0.003
STEPS = np.arange(120)
WAVE = SIZE * (np.sin(2 * np.pi * STEPS / 12) + 0.2 * np.random.default_rng(0).normal(size=120))
LIFTED = LEVEL + WAVE
TWIN = LIFTED - LEVEL  # exact: only the digits that the level leaves
QUANTILES = [0.1, 0.9]
TINY = {
    "horizon": 6,
    "lookback": 24,
    "season_length": 12,
    "quantiles": QUANTILES,
    "random_state": 0,
    "verbose": 0,
    "hyperparameters": {"units": 4, "epochs": 1, "steps_per_epoch": 3},
}


def forecaster(model="gru", **changed):
    hyperparameters = {**TINY["hyperparameters"], **changed.pop("hyperparameters", {})}
    return Forecaster(model, **{**TINY, "hyperparameters": hyperparameters, **changed})


def preprocessor(scaling, **changed):
    options = {
        "lookback": 24, "horizon": 6, "quantiles": [0.5], "periods": [12, 1, 0, -12, 36], "scaling": scaling,
        "transform": "none", "distribution": "quantiles", "num_outputs": 1, "season_length": 12, "channels": Channels(),
    }  # fmt: skip
    return WindowPreprocessor(**{**options, **changed})


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=2, max_size=30),
    level=st.integers(-(2**40), 2**40),
    exponent=st.integers(-900, 900),
)
def test_mean_and_deviation_shift_and_scale(values, level, exponent):
    """Integers plus a level, times a power of two, are exact."""
    unit, plain = 2.0**exponent, np.array([values], dtype=float)
    mean, deviation = mean_and_deviation(unit * (plain + level))
    np.testing.assert_allclose(mean / unit, plain.mean() + level, rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(deviation / unit, plain.std(), rtol=1e-12, atol=0 if plain.std() else 1e-300)


@pytest.mark.parametrize("values", [[0.1] * 7, [1e300] * 30, [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2], [0.0] * 4])
def test_what_rounding_makes_of_equal_values_is_no_deviation(values):
    assert mean_and_deviation(np.array([values]))[1] == 0


@pytest.mark.parametrize("scaling", ["window", "series", "level"])
def test_windows_of_a_lifted_series_are_those_of_its_twin(scaling):
    batches = []
    for y in (TWIN, LIFTED):
        panel, _ = read_panel(y, Columns())
        windows = Windows(preprocessor(scaling).fit(panel), panel)
        inputs, target, scale = windows.batch(np.arange(len(windows)))
        batches.append((inputs["window"], inputs["future"], inputs["previous"], target, scale.scale))
    for plain, lifted in zip(*batches, strict=True):
        assert np.abs(plain).max() > 0
        np.testing.assert_allclose(lifted, plain, atol=2e-6, rtol=2e-6)


def test_covariates_of_a_lifted_series_are_those_of_its_twin():
    columns = Columns("id", "t", "y", past=("p",), known=("k",), static=("s",))
    answers = []
    for y in (TWIN, LIFTED):
        frame = pd.DataFrame({"id": np.repeat([1, 2], 60), "t": np.tile(np.arange(60), 2), "y": 1.0, "p": y, "k": y})
        panel, _ = read_panel(frame.assign(s=np.repeat(y[[5, 80]], 60)), columns)
        channels = Channels(past=["p"], known=["k"], static=["s"]).fit(panel)
        answers.append(
            (channels.past_channels(panel), channels.known_channels(panel), channels.static(panel)["static"])
        )
    for plain, lifted in zip(*answers, strict=True):
        assert plain.std() == pytest.approx(1)
        np.testing.assert_allclose(lifted, plain, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_baselines_of_a_lifted_series_are_those_of_its_twin(method):
    plain, lifted = (
        BaselineForecaster(method, horizon=6, season_length=12, quantiles=QUANTILES).fit(y).predict()
        for y in (TWIN, LIFTED)
    )
    np.testing.assert_allclose(lifted - LEVEL, plain, atol=1e-6 * SIZE + 2e-9)
    assert (np.diff(plain[:, 1:], axis=1) > 0.1 * SIZE).all()


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        ("gru", {}),
        ("gru", {"hyperparameters": {"scaling": "series"}, "conformal": True, "validation_size": 20}),
        ("es_rnn", {"hyperparameters": {"residual": "mix"}}),
        ("deepar_gru", {}),
    ],
)
def test_forecasts_of_a_lifted_series_are_those_of_its_twin(model, changed):
    plain, lifted = (forecaster(model, **changed).fit(y) for y in (TWIN, LIFTED))
    expected = plain.predict()
    assert (expected[:, 2] - expected[:, 1] > 0.01 * SIZE).all()
    np.testing.assert_allclose(lifted.predict() - LEVEL, expected, atol=1e-3 * SIZE)
    assert lifted.score(LIFTED) == pytest.approx(plain.score(TWIN), rel=1e-2)


def test_streams_of_a_lifted_series_are_those_of_its_twin():
    plain, lifted = (forecaster().fit(y[:90]).stream() for y in (TWIN, LIFTED))
    for i in range(90, 120):
        expected = plain.update(TWIN[i])
        np.testing.assert_allclose(lifted.update(LIFTED[i]) - LEVEL, expected, atol=1e-3 * SIZE)


@pytest.mark.parametrize("scaling", ["none", "level"])
@pytest.mark.parametrize(("y", "what"), [(1e35 * WAVE, "reaches"), (LIFTED, "varies by"), (1e-35 * WAVE, "varies by")])
def test_what_float32_cannot_show_unscaled_is_refused(scaling, y, what):
    if scaling == "level" and y is LIFTED:
        return  # the level is subtracted in float64
    with pytest.raises(DataError, match=rf"series 'series' {what}.*float32.*'scaling': 'window'"):
        forecaster(hyperparameters={"scaling": scaling}).fit(y)


def test_metrics_do_not_depend_on_units_or_levels():
    rng = np.random.default_rng(1)
    actual, forecast, past = rng.normal(size=(1, 4)), rng.normal(size=(1, 4)), [rng.normal(size=30)]
    for unit in (1e-290, 1e-20, 1e290):
        scaled = (unit * actual, unit * forecast)
        for metric in (mase, rmsse):
            expected = metric(actual, forecast, past, 1)
            np.testing.assert_allclose(metric(*scaled, [unit * past[0]], 1), expected, rtol=1e-9)
        for metric in (smape, mape, wape):
            np.testing.assert_allclose(metric(*scaled), metric(actual, forecast), rtol=1e-9)
        for metric in (mae, rmse, bias):
            np.testing.assert_allclose(metric(*scaled), unit * metric(actual, forecast), rtol=1e-9)
        np.testing.assert_allclose(
            crps(scaled[0], scaled[1][..., None], [0.5]), crps(actual, forecast[..., None], [0.5]), rtol=1e-9
        )
    for metric in (mase, rmsse):
        lifted = metric(LIFTED[None, -6:], LIFTED[None, -7:-1], [LIFTED[:-6]], 12)
        np.testing.assert_allclose(lifted, metric(TWIN[None, -6:], TWIN[None, -7:-1], [TWIN[:-6]], 12), rtol=1e-9)


@pytest.mark.parametrize("unit", [2.0**990, 2.0**-960])
def test_forecasts_of_huge_and_tiny_values_are_right(unit):
    y = unit * (WAVE / SIZE)
    assert [season.length for season in find_seasons(read_panel(y, Columns())[0])] == [12]
    for make in (forecaster, lambda: BaselineForecaster("drift", horizon=6, quantiles=QUANTILES)):
        expected, scaled = make().fit(WAVE / SIZE).predict(), make().fit(y).predict()
        np.testing.assert_allclose(scaled / unit, expected, rtol=1e-3, atol=1e-3)


def frame_of(y, **columns):
    return pd.DataFrame({"unique_id": "pump", "ds": np.arange(len(y)), "y": y, **columns})


@pytest.mark.parametrize("column", ["y", "heat", "price"])
def test_values_beyond_what_can_be_reckoned_with_are_refused(column):
    frame = frame_of(WAVE, heat=WAVE, price=WAVE)
    frame.loc[7, column] = -1.5e300
    baseline = BaselineForecaster(horizon=2, past_covariates=["heat"], future_covariates=["price"])
    with pytest.raises(DataError, match=rf"'{column}' of series 'pump' is -1.5e\+300, beyond 1e\+300 at 7.*rescale"):
        baseline.fit(frame)
    baseline.fit(frame_of(WAVE, heat=WAVE, price=WAVE))
    future = baseline.make_future_frame().assign(price=[1.0, 2e300])
    with pytest.raises(DataError, match=r"future: 'price' of series 'pump' is 2e\+300, beyond"):
        baseline.predict(future=future)


def test_streamed_values_beyond_what_can_be_reckoned_with_are_refused():
    stream = forecaster().fit(WAVE).stream()
    with pytest.raises(DataError, match=r"the value at 120 is 1e\+301, beyond 1e\+300: rescale"):
        stream.update(1e301)


def test_counts_that_float64_cannot_hold_are_refused():
    y = np.arange(120.0)
    y[50] = 2.0**54
    with pytest.raises(DataError, match=r"needs counts, but series 'series' is 1.80144e\+16 at 50"):
        forecaster(quantiles=None, distribution="negative_binomial").fit(y)


def test_forecasts_beyond_what_a_number_can_hold_are_refused():
    y = np.where(STEPS % 2, 1e-290, 1e290)
    fitted = forecaster(distribution="normal", hyperparameters={"transform": "log"}).fit(y)
    assert np.isfinite(fitted.predict(quantiles=[0.5])).all()
    with pytest.raises(DataError, match=r"forecast of series 'series' is not finite .*rescale"):
        fitted.predict(quantiles=[1 - 1e-15])


@pytest.mark.parametrize("conformal", [False, True])
def test_a_constant_series_has_quantiles(conformal):
    """No warning is raised, and nothing is learned from its errors, because they have no unit."""
    if conformal:
        y = pd.concat([frame_of(WAVE), frame_of(np.full(120, 3.0)).assign(unique_id="flat")])
        fitted = forecaster(conformal=True, validation_size=20).fit(y)
        forecast = fitted.predict(history=y[y["unique_id"] == "flat"])[["y_hat", "y_hat_q0.1", "y_hat_q0.9"]]
    else:
        fitted = forecaster().fit(np.full(120, 3.0))
        assert fitted.step_correlation_ == 0
        forecast = fitted.predict()
    np.testing.assert_array_equal(forecast, 3.0)


def test_the_correlation_of_steps_leaves_out_steps_without_errors():
    residuals = np.random.default_rng(0).normal(size=(400, 1)) * np.ones(4)
    residuals[:, 3] = np.nan
    assert step_correlation(residuals) == pytest.approx(0.99)
    assert step_correlation(np.full((3, 4), np.nan)) == 0
