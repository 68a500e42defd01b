"""Unobserved values, in gaps or from padding, count neither in training nor in validation."""

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, Forecaster
from lstmzoo.errors import DataError
from lstmzoo.estimators.forecasting.network.framing import long_enough
from lstmzoo.panel import Panel
from lstmzoo.preprocessing import Channels, Columns, WindowPreprocessor, Windows, any_observed, filled, read_panel

pytestmark = pytest.mark.usefixtures("eagerly")

TINY = {
    "horizon": 4,
    "lookback": 12,
    "season_length": 4,
    "random_state": 0,
    "verbose": 0,
    "hyperparameters": {"units": 4, "epochs": 2, "steps_per_epoch": 3, "residual": "naive"},
}


def series(name="a", length=60, gaps=()):
    y = np.sin(np.arange(length)) + np.arange(length) / 20
    for first, last in gaps:
        y[first:last] = np.nan
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=length), "y": y})


def forecaster(**changed):
    return Forecaster("gru", **{**TINY, "missing": "mask", **changed})


def preprocessor(scaling="window", mask=False):
    return WindowPreprocessor(
        lookback=5, horizon=3, quantiles=[0.5], periods=[1], scaling=scaling, transform="none", distribution="quantiles",
        num_outputs=1, season_length=1, channels=Channels(mask=mask),
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["mask", "interpolate"])
def test_nothing_observed_in_the_validation_steps_is_refused(missing):
    """Otherwise all validation losses would be 0, and the first epoch the best."""
    both = pd.concat([series("a", gaps=[(56, 60)]), series("b", gaps=[(56, 60)])])
    message = (
        r"series 'a' has no observed value from 2024-02-26 to 2024-02-29, the 4 steps held out for validation, nor has any other "
        r"of the 2 series in its last steps: raise validation_size, or pass validation_size=0"
    )
    with pytest.raises(DataError, match=message):
        forecaster(missing=missing).fit(both)
    for way_out in ({"validation_size": 8}, {"validation_size": 0}):
        fitted = forecaster(missing=missing, **way_out).fit(both)
        assert all(row.get("val_loss", 1) > 0 for row in fitted.history_)


def test_series_without_observed_validation_steps_do_not_dilute_the_loss_of_others():
    alone = forecaster().fit(series("a"))
    beside = forecaster().fit(pd.concat([series("a"), series("b", gaps=[(56, 60)])]))
    validation = [
        Windows.held_out(f.preprocessor_, read_panel(series("a"), f.params_.columns)[0], 4) for f in (alone, beside)
    ]
    assert len(validation[0]) == len(validation[1]) == 1
    panel, _ = read_panel(
        pd.concat([series("a"), series("b", gaps=[(56, 60)])]), beside.params_.columns, missing="mask"
    )
    windows = Windows.held_out(beside.preprocessor_, panel, 4)
    assert len(windows) == 1
    assert windows.batch(np.array([0]))[0]["series"].tolist() == [1]


def test_a_gap_before_the_validation_steps_that_is_longer_than_the_context():
    """The windows start in the gap, which is filled with the value before it."""
    gap = series(gaps=[(30, 56)])
    fitted = forecaster().fit(gap)
    assert all(row["val_loss"] > 0 for row in fitted.history_)
    assert np.isfinite(fitted.predict()["y_hat"]).all()
    panel = filled(read_panel(gap, Columns(), missing="keep")[0], "mask", Columns(), 4)
    inputs, target, scale = Windows.held_out(fitted.preprocessor_, panel, 4).batch(np.array([0]))
    assert scale.shift[0, 0] == gap["y"][29]
    assert scale.scale[0, 0] == 0
    assert np.isfinite(target).all()
    assert (inputs["window"][0, :, 1] == 0).all()  # none of it was observed
    longer = pd.concat([gap, series("b")])
    assert all(row["val_loss"] > 0 for row in forecaster().fit(longer).history_)


def test_windows_have_an_observed_value_to_forecast():
    panel, _ = read_panel(series(length=30, gaps=[(9, 20)]), Columns(), missing="mask")
    pre = preprocessor().fit(panel)
    windows = Windows(pre, panel)
    assert len(Windows(pre, read_panel(series(length=30), Columns())[0])) == 23
    inputs, target, _ = windows.batch(np.arange(len(windows)))
    assert len(windows) == 23 - 9  # all but those whose three targets lie within the eleven steps of the gap
    assert np.isfinite(target).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(windows.batch(np.array([4, 5]))[0]["window"], inputs["window"][[4, 5]])


def test_no_observed_value_to_learn_from_is_refused():
    y = series(length=40, gaps=[(13, 36)])
    with pytest.raises(DataError, match="observed target with an observed value before it: lower lookback"):
        forecaster(lookback=12).fit(y.assign(y=y["y"].where((y.index == 0) | (y.index > 35))))


@pytest.mark.parametrize("call", ["score", "evaluate", "holdout_split"])
def test_nothing_observed_to_score_is_refused(call):
    gap = series(gaps=[(56, 60)])
    estimator = BaselineForecaster(horizon=4, season_length=4, missing="mask").fit(series())
    with pytest.raises(DataError, match=r"series 'a' has no observed value from 2024-02-26 to 2024-02-29, the 4 steps"):
        getattr(estimator, call)(gap)
    partly = series(gaps=[(56, 59)])
    assert np.isfinite(estimator.score(estimator.holdout_split(partly)[1][0]))


def test_a_search_leaves_out_windows_that_were_not_observed(caplog):
    gap = series(gaps=[(51, 56)])
    (train,), windows = BaselineForecaster(horizon=4, missing="mask").rolling_holdout(gap, windows=3)
    assert train.panel.lengths.tolist() == [48]
    assert [window.panel.lengths.tolist() for (window,) in windows] == [[52], [60]]
    assert "1 of 3 held-out windows have no observed value and are not scored" in caplog.text


def test_a_backtest_whose_last_window_was_not_observed_has_the_others():
    gap = series(gaps=[(56, 60)])
    backtest = forecaster(quantiles=[0.1, 0.9]).cross_validation(gap, n_windows=2)
    assert backtest["y"].isna().sum() == 4
    assert np.isfinite(backtest["y_hat"]).all()


def test_padded_values_are_not_forecast_nor_judged():
    """A series of 7 values is padded to 16: loss and calibration use 7."""
    y = np.array([5.0, 1.0, 4.0, 2.0, 6.0, 3.0, 5.0])
    panel, _ = read_panel(y, Columns())
    padded = panel.padded(16)
    windows = Windows(preprocessor(scaling="none").fit(padded), padded)
    _, target, _ = windows.batch(np.arange(len(windows)))
    np.testing.assert_array_equal(
        target[..., 0], [y[1:4], y[2:5], y[3:6], y[4:7]]
    )  # the values before contain the first


def test_padded_values_are_no_part_of_a_series_scale():
    y = np.array([50.0, 1.0, 4.0, 2.0, 6.0, 3.0, 5.0])
    panel, _ = read_panel(y, Columns())
    pre = preprocessor(scaling="series").fit(panel.padded(16))
    assert pre.scaler.series_scales_["series"] == pytest.approx((y.mean(), y.std()))


def test_padded_series_count_only_what_was_observed_in_calibration():
    """A series of 8 values has 9 held-out windows, of which 4 read a value."""
    short, long = series(length=8), series("b")
    settings = {
        "missing": "error",
        "pad_short": True,
        "conformal": True,
        "quantiles": [0.1, 0.9],
        "validation_size": 12,
    }
    fitted = forecaster(**settings).fit(pd.concat([long, short]))
    panel = long_enough(read_panel(short, fitted.params_.columns)[0], fitted.preprocessor_, 12, pad_short=True)
    assert panel.lengths.tolist() == [12 + 4 + 12]
    windows = Windows.held_out(fitted.preprocessor_, panel, 12)
    _, target, scale = windows.batch(np.arange(len(windows)))
    assert len(windows) == 4
    values = scale.shift + scale.scale * target[..., 0]
    np.testing.assert_allclose(values[1:], [short["y"][i : i + 4] for i in (2, 3, 4)], atol=1e-5)
    assert fitted.tail_.observed.sum() == 8 + 16
    assert fitted.predict()["unique_id"].nunique() == 2


def test_a_series_too_short_to_learn_from_is_refused():
    with pytest.raises(DataError, match="no series has an observed target"):
        forecaster(missing="error", pad_short=True).fit(series(length=3))


def padded_preprocessor(periods, **changed):
    settings = {
        "lookback": 6, "horizon": 4, "quantiles": [0.5], "periods": periods, "scaling": "none", "transform": "none",
        "distribution": "quantiles", "num_outputs": 1, "season_length": 2, "channels": Channels(mask=True),
    }  # fmt: skip
    return WindowPreprocessor(**{**settings, **changed})


def references(y, periods, **changed):
    panel = read_panel(np.array(y, float), Columns())[0].padded(12)
    inputs, scale = padded_preprocessor(periods, **changed).fit(panel).last_windows(panel)
    return inputs["future"][0].T[: len(periods)].tolist(), scale


def test_references_do_not_read_padding():
    """A season is repeated if all of it was observed; otherwise a shorter one that divides it, or the last value."""
    found, _ = references([1, 2, 3, 4, 5], [0, 1, 2, 4, 8, -2])
    assert found == [[3] * 4, [5] * 4, [4, 5, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 3, 4]]
    found, _ = references([1, 2, 4], [0, 1, 2, 4, 8, -2])
    assert found == [[pytest.approx(7 / 3)] * 4, [4] * 4, [2, 4, 2, 4], [2, 4, 2, 4], [2, 4, 2, 4], [2, 4, 2, 4]]
    found, _ = references([7], [0, 2, 4, -2])
    assert found == [[7] * 4] * 4
    assert references([1, 2, 3, 4, 5], [4, 8], count_padding=True)[0] == [[2, 3, 4, 5], [1, 1, 1, 1]]


@pytest.mark.parametrize("transform", ["none", "log"])
def test_scales_of_windows_do_not_count_padding(transform):
    y = np.array([1.0, 2, 4, 8])
    seen = np.log(y) if transform == "log" else y
    _, scale = references(y, [1], scaling="window", transform=transform)
    assert (scale.shift[0, 0], scale.scale[0, 0]) == pytest.approx((seen.mean(), seen.std()))


@pytest.mark.parametrize("gap", [(), [(30, 41)]])
def test_windows_of_padded_series_are_those_that_are_forecast_from(gap):
    """Training, forecasts and streams read the same references and scales, of padded series and beside gaps."""
    short, long = series(length=7), series("b", gaps=gap)
    panel = filled(read_panel(pd.concat([short, long]), Columns(), missing="keep")[0], "mask", Columns()).padded(14)
    pre = padded_preprocessor([0, 1, 2, 4, 8, -2], scaling="window").fit(panel)
    windows = Windows(pre, panel)
    series_of, rows = windows._rows(np.arange(len(windows)) if windows._chosen is None else windows._chosen)
    for number, (i, row) in enumerate(zip(series_of, rows, strict=True)):
        until = panel.head(np.where(np.arange(2) == i, panel.offsets[i + 1] - row - pre.context, 0)).select(
            np.array([i])
        )
        inputs, scale = pre.last_windows(until)
        if not until.observed[-1]:
            continue  # values at the end of a gap are filled with the last one: see Windows
        trained, _, own = windows.batch(np.array([number]))
        np.testing.assert_array_equal(inputs["future"], trained["future"])
        np.testing.assert_array_equal(inputs["window"], trained["window"])
        assert (scale.shift, scale.scale) == (own.shift, own.scale)
        assert pre.scale_of(until).shift == scale.shift
        times = until.future_times(pre.horizon)
        np.testing.assert_array_equal(pre.step_inputs(until, scale, times, None)["future"], inputs["future"])


def test_a_gap_at_the_start_of_a_window_is_no_padding():
    panel = read_panel(series(length=40, gaps=[(20, 30)]), Columns(), missing="mask")[0]
    pre = padded_preprocessor([8]).fit(panel)
    inputs, _ = pre.last_windows(panel.rows(np.array([0]), np.array([36])))
    np.testing.assert_allclose(inputs["future"][0, :, 0], [*[panel.values[19]] * 2, *panel.values[30:32]], rtol=1e-6)


@pytest.mark.parametrize("residual", ["seasonal_mix", "mix", "long_seasonal_naive"])
def test_a_short_series_with_a_trend_is_forecast_near_its_last_values(residual):
    """An untrained network forecasts the reference, so that this is what training starts from."""
    short = pd.DataFrame({"unique_id": "up", "ds": pd.date_range("2024-01-01", periods=5), "y": np.arange(1.0, 6.0)})
    settings = {**TINY["hyperparameters"], "residual": residual, "learning_rate": 1e-9, "steps_per_epoch": 1}
    fitted = forecaster(missing="error", season_length=12, hyperparameters=settings).fit(
        pd.concat([series("b"), short])
    )
    found = fitted.predict().query("unique_id == 'up'")["y_hat"]
    assert found.between(3.5, 6.5).all(), found.tolist()


def test_a_series_without_an_observed_value_in_its_last_steps():
    observed = np.array([True, True, False, False])
    panel = Panel(np.array(["a"]), np.array([0, 4]), np.arange(4.0), np.arange(4), 1, observed=observed)
    assert not any_observed(panel, 2)
    assert any_observed(panel, 3)
