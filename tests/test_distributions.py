"""Output distributions against SciPy, and losses that ignore missing steps."""

import time

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy import special, stats

from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.layers import DISTRIBUTIONS, Distribution, DistributionHead, distribution_loss, pinball_loss
from lstmzoo.layers.distributions import _count_quantiles, _stirling_error

NAMES = list(DISTRIBUTIONS)


def frozen(name, parameters, scale):
    """SciPy's distribution, of counts that are not divided by scales."""
    if name == "normal":
        return stats.norm(parameters[..., 0], parameters[..., 1])
    if name == "student_t":
        return stats.t(parameters[..., 2], parameters[..., 0], parameters[..., 1])
    size = np.sqrt(scale) / parameters[..., 1]
    return stats.nbinom(size, size / (size + scale * parameters[..., 0]))


def some_parameters(name, rng, shape):
    first = rng.gamma(1, 2, shape) + 0.01 if name == "negative_binomial" else rng.normal(0, 3, shape)
    others = [rng.gamma(1, 1, shape) + 0.01, 2.05 + rng.gamma(1, 20, shape)]
    return np.stack([first, *others][: DISTRIBUTIONS[name].num_parameters], axis=-1).astype("float32")


def gradient(loss, target, parameters):
    """The gradient, as that of the weights of a model whose outputs are the parameters, on any backend."""
    layer = keras.layers.Dense(parameters.shape[-1], use_bias=False)
    scale = keras.Input((None, parameters.shape[-1]))
    model = keras.Model(scale, layer(scale))
    layer.set_weights([np.eye(parameters.shape[-1], dtype="float32")])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
    model.train_on_batch(parameters, target)
    return np.eye(parameters.shape[-1]) - layer.get_weights()[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 37.5, 1e5])
def test_likelihoods_are_scipys(name, scale):
    rng = np.random.default_rng(0)
    parameters = some_parameters(name, rng, (50, 4))
    reference = frozen(name, parameters.astype(float), scale)
    drawn = reference.rvs(random_state=rng, size=(50, 4))
    if name == "negative_binomial":
        target = np.stack([drawn / scale, np.full_like(drawn, scale, dtype=float)], -1)
        expected = -reference.logpmf(drawn)
    else:
        target, expected = drawn[..., None], -reference.logpdf(drawn)
    loss = distribution_loss(name)(target.astype("float32"), parameters)
    assert ops.shape(loss) == (50,)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected.mean(axis=1), rtol=1e-4, atol=1e-4)


def test_count_likelihoods_keep_float32_exact():
    rng = np.random.default_rng(8)
    mean, shape, scale = (10 ** rng.uniform(*bounds, 50_000) for bounds in ((-4, 3), (-3, 1.7), (0, 4)))
    count = np.where(rng.uniform(size=50_000) < 0.3, 0, np.floor(10 ** rng.uniform(0, 6, 50_000)))
    target = np.stack([count / scale, scale], -1)[:, None].astype("float32")
    loss = distribution_loss("negative_binomial")(target, np.stack([mean, shape], -1)[:, None].astype("float32"))
    size = np.sqrt(scale) / shape
    expected = -stats.nbinom.logpmf(count, size, size / (size + scale * mean))
    error = np.abs(ops.convert_to_numpy(loss) - expected)
    assert (error < 1e-4 + 1e-4 * np.abs(expected) + 1e-6 * np.maximum(count, scale * mean)).all()


def test_a_student_of_many_degrees_is_normal():
    target = np.linspace(-5, 5, 11, dtype="float32")[:, None, None]
    normal = distribution_loss("normal")(target, np.tile(np.float32([0, 1]), (11, 1, 1)))
    student = distribution_loss("student_t")(target, np.tile(np.float32([0, 1, 1e7]), (11, 1, 1)))
    np.testing.assert_allclose(ops.convert_to_numpy(student), ops.convert_to_numpy(normal), rtol=1e-4)


def test_families_are_found_by_their_names():
    assert all(isinstance(family, Distribution) and family.name == name for name, family in DISTRIBUTIONS.items())


def test_stirling_error():
    x = np.geomspace(1e-3, 1e6, 500).astype("float32")
    exact = x.astype(float)
    error = ops.convert_to_numpy(_stirling_error(ops.convert_to_tensor(x))).astype(float)
    gamma = error + (exact - 0.5) * np.log(exact) - exact + 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(gamma, special.gammaln(exact), rtol=1e-6, atol=1e-6)


def test_the_gradient_of_the_stirling_error():
    slope = keras.layers.Dense(1, use_bias=False)
    for x in (0.05, 0.7, 1.0, 3.0, 20.0, 500.0):
        model = keras.Sequential([keras.Input((1,)), slope])
        slope.set_weights([np.array([[x]], "float32")])
        model.compile(keras.optimizers.SGD(1.0), loss=lambda _, y: _stirling_error(y)[..., 0], jit_compile=False)
        model.train_on_batch(np.ones((1, 1), "float32"), np.zeros((1, 1), "float32"))
        expected = special.digamma(x) - np.log(x) + 0.5 / x
        assert x - float(slope.get_weights()[0][0, 0]) == pytest.approx(expected, rel=1e-4, abs=1e-7 * x + 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_are_scipys(name):
    rng = np.random.default_rng(1)
    parameters = some_parameters(name, rng, (30, 1, 5)).astype(float)
    u, scale = rng.uniform(1e-6, 1 - 1e-6, (30, 40, 5)), 1 + rng.gamma(1, 20, (30, 1, 1))
    values = DISTRIBUTIONS[name].ppf(u, parameters, scale)
    expected = frozen(name, parameters, scale).ppf(u) / (scale if name == "negative_binomial" else 1)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=200, deadline=None)
@given(u=st.floats(1e-9, 1 - 1e-9), mean=st.floats(-5, 7), shape=st.floats(-6, 2), scale=st.floats(0, 4))
def test_quantiles_of_counts_are_the_least_that_reach_the_level(u, mean, shape, scale):
    parameters, scale = 10 ** np.array([mean - scale, shape]), 10**scale
    count = np.rint(float(DISTRIBUTIONS["negative_binomial"].ppf(u, parameters, scale)) * scale)
    reference = frozen("negative_binomial", parameters, scale)
    assert reference.cdf(count) >= u - 1e-9
    assert count == 0 or reference.cdf(count - 1) < u + 1e-9


LEVELS = (1e-300, 1e-12, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-6, 1 - 1e-12, 1 - 2**-53)


def test_quantiles_of_counts_of_any_size():
    """Compare with exact probabilities if float64 can hold them; compare wide distributions with their limit."""
    mean, alpha, u = map(np.ravel, np.meshgrid(10.0 ** np.arange(-6, 16), 10.0 ** np.arange(-9, 4), LEVELS))
    counts = _count_quantiles(u, mean, alpha)
    assert np.isfinite(counts).all()
    assert (counts == np.floor(counts)).all()
    size, success = 1 / alpha, 1 / (1 + mean * alpha)
    reached, before = (special.betainc(size, k, success) for k in (counts + 1, np.maximum(counts, 1e-300)))
    rounding = 1e-7 * np.minimum(u, 1 - u) + 1e-15 * np.maximum(size, 1)
    exact = mean * alpha < 1e6
    assert (reached >= u - rounding)[exact].all()
    assert ((before < u + rounding) | (counts == 0))[exact].all()
    wide = (mean * alpha > 1e6) & (counts > 1e7)
    limit = stats.gamma(1 / alpha[wide], scale=(mean * alpha)[wide])
    limit = np.where(u[wide] < 0.5, limit.ppf(u[wide]), limit.isf(1 - u[wide]))
    np.testing.assert_allclose(counts[wide], limit, rtol=1e-5)


def test_quantiles_of_counts_are_scipys_in_the_middle():
    mean, alpha, u = map(
        np.ravel, np.meshgrid([0.1, 3.0, 700.0, 1e5, 1e9, 1e12], [1e-3, 0.1, 1.0, 30.0], [0.05, 0.5, 0.9])
    )
    expected = stats.nbinom.ppf(u, 1 / alpha, 1 / (1 + mean * alpha))
    np.testing.assert_allclose(_count_quantiles(u, mean, alpha), expected, rtol=1e-9)


def test_quantiles_of_counts_at_ties_and_of_nearly_no_dispersion():
    """The distribution of mean 1e6 and alpha 1e-6 has almost exactly one half below its mean."""
    tie = float(_count_quantiles(np.array([0.5]), np.array([1e6]), np.array([1e-6]))[0])
    assert tie in (999_999, 1_000_000)
    u, mean = map(np.ravel, np.meshgrid([1e-6, 0.1, 0.5, 0.9, 1 - 1e-6], [0.3, 20.0, 1e3, 1e6]))
    counts = _count_quantiles(u, mean, np.full(len(u), 1e-17))
    np.testing.assert_array_equal(counts, stats.poisson.ppf(u, mean))


@settings(max_examples=150, deadline=None)
@given(u=st.floats(1e-300, 1 - 2**-52), mean=st.floats(1e-6, 1e15), alpha=st.floats(1e-300, 1e6))
def test_the_search_for_quantiles_of_counts_ends(u, mean, alpha):
    began = time.process_time()
    levels = np.array([u, np.nextafter(u, 1), 0.5])
    counts = _count_quantiles(levels, np.full(3, mean), np.full(3, alpha))
    assert np.isfinite(counts).all()
    assert counts[0] <= counts[1]
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_ascend_and_means_lie_within(name):
    rng = np.random.default_rng(2)
    parameters = some_parameters(name, rng, (20, 3)).astype(float)
    distribution, scale = DISTRIBUTIONS[name], np.full((20, 1), 30.0)
    values = np.stack([distribution.ppf(u, parameters, scale) for u in (0.001, 0.1, 0.5, 0.9, 0.999)])
    assert values.shape == (5, 20, 3)
    assert (np.diff(values, axis=0) >= 0).all()
    mean = distribution.mean(parameters)
    assert ((values[0] <= mean) & (mean <= values[-1])).all()


@pytest.mark.parametrize("name", NAMES)
def test_many_quantiles_are_quick(name):
    rng = np.random.default_rng(3)
    parameters, u = some_parameters(name, rng, (200_000,)).astype(float), rng.uniform(1e-6, 1 - 1e-6, 200_000)
    began = time.process_time()
    DISTRIBUTIONS[name].ppf(u, parameters, np.full(200_000, 10.0))
    assert time.process_time() - began < 5


def test_quantiles_of_counts_need_the_scale():
    with pytest.raises(ConfigError, match="scales of the windows"):
        DISTRIBUTIONS["negative_binomial"].ppf(0.5, np.ones((3, 2)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_parameters_are_valid(name, size):
    rng = np.random.default_rng(4)
    distribution = DISTRIBUTIONS[name]
    raw = (size * rng.normal(size=(64, 3, distribution.num_parameters))).astype("float32")
    reference = rng.normal(0, 3, (64, 3, 1)).astype("float32")
    parameters = ops.convert_to_numpy(DistributionHead(distribution=name)(raw, reference))
    assert parameters.shape == raw.shape
    assert np.isfinite(parameters).all()
    assert (parameters[..., 1] > 0).all()
    assert name != "student_t" or (parameters[..., 2] > 2).all()
    assert name != "negative_binomial" or (parameters[..., 0] > 0).all()
    if size == 0:
        at_least = 0.05 if name == "negative_binomial" else -np.inf
        expected = np.maximum(reference[..., 0], at_least)
        np.testing.assert_allclose(parameters[..., distribution.location], expected, rtol=1e-4, atol=1e-5)
        assert ((parameters[..., 1] > 0.3) & (parameters[..., 1] < 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_missing_steps_are_left_out(name):
    rng = np.random.default_rng(5)
    parameters = some_parameters(name, rng, (3, 4))
    target = np.full((3, 4, DISTRIBUTIONS[name].target_channels), 2.0, "float32")
    target[0, 1, 0] = target[1, :, 0] = np.nan
    loss = ops.convert_to_numpy(distribution_loss(name)(target, parameters))
    kept = ops.convert_to_numpy(distribution_loss(name)(target[:1, [0, 2, 3]], parameters[:1, [0, 2, 3]]))
    np.testing.assert_allclose(loss[0], kept[0], rtol=1e-6)
    assert loss[1] == 0
    assert np.isfinite(loss).all()
    assert np.isfinite(gradient(distribution_loss(name), target, parameters)).all()
    assert (gradient(distribution_loss(name), target[1:2], parameters[1:2]) == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 1e-3, 100.0])
def test_gradients_of_what_is_unlikely_are_finite(name, value):
    parameters = {
        "normal": [0.0, 1e-3], "student_t": [0.0, 1e-3, 2.05], "negative_binomial": [1e-6, 1e-3],
    }[name]  # fmt: skip
    target = np.full((1, 2, DISTRIBUTIONS[name].target_channels), value, "float32")
    target[..., 1:] = 1e3
    given = np.tile(np.float32(parameters), (1, 2, 1))
    assert np.isfinite(ops.convert_to_numpy(distribution_loss(name)(target, given))).all()
    assert np.isfinite(gradient(distribution_loss(name), target, given)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_least_at_the_distribution_drawn_from(name):
    rng = np.random.default_rng(6)
    parameters = some_parameters(name, rng, (1, 1))
    drawn = frozen(name, parameters.astype(float), 20.0).rvs(random_state=rng, size=(1, 20_000)).astype(float)
    columns = [drawn / 20, np.full_like(drawn, 20.0)] if name == "negative_binomial" else [drawn]
    target, given = np.stack(columns, -1).astype("float32"), np.repeat(parameters, 20_000, axis=1)
    best = float(distribution_loss(name)(target, given)[0])
    for i in range(2):
        for factor in (0.7, 1.4):
            other = given.copy()
            other[..., i] *= factor
            assert float(distribution_loss(name)(target, other)[0]) > best


def test_the_head_is_saved(tmp_path):
    raw, reference = keras.Input((4, 3), name="raw"), keras.Input((4, 1), name="reference")
    model = keras.Model([raw, reference], DistributionHead(distribution="student_t", name="forecast")(raw, reference))
    assert model.output_shape == (None, 4, 3)
    model.save(tmp_path / "model.keras")
    inputs = [np.ones((2, 4, 3), "float32"), np.ones((2, 4, 1), "float32")]
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict_on_batch(inputs), model.predict_on_batch(inputs))


@pytest.mark.parametrize("make", [distribution_loss, lambda name: DistributionHead(distribution=name)])
def test_unknown_distributions(make):
    with pytest.raises(UnknownNameError, match="valid: negative_binomial, normal, student_t"):
        make("gaussian")


def test_pinball_loss_leaves_missing_steps_out():
    rng = np.random.default_rng(7)
    forecast, target = rng.normal(size=(3, 7, 3)).astype("float32"), rng.normal(size=(3, 7, 1)).astype("float32")
    loss = pinball_loss([0.1, 0.5, 0.9])
    whole = ops.convert_to_numpy(loss(target, forecast))
    levels = ops.convert_to_tensor(np.float32([0.1, 0.5, 0.9]))
    error = ops.convert_to_tensor(target - forecast)
    plain = 2 * ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=(-2, -1))
    np.testing.assert_array_equal(whole, ops.convert_to_numpy(plain))
    target[0, 2:5] = target[1] = np.nan
    kept = loss(target[:1, [0, 1, 5, 6]], forecast[:1, [0, 1, 5, 6]])
    masked = ops.convert_to_numpy(loss(target, forecast))
    np.testing.assert_allclose(masked, [float(kept[0]), 0, whole[2]], rtol=1e-6)
    assert np.isfinite(gradient(loss, target, forecast)).all()
    assert (gradient(loss, target[1:2], forecast[1:2]) == 0).all()
