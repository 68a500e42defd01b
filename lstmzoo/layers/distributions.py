"""Distributions that a forecaster predicts: their parameters, likelihoods and quantiles.

Sizes: B windows, H steps, P parameters. Likelihoods are in :mod:`keras.ops`, in forms that are exact in float32 for large
counts and nearly normal tails. Quantiles are in NumPy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from scipy.special import betainc, betaincc, gammainc, gammaincc, gammaln, ndtri, stdtrit, xlogy

from lstmzoo.backend import Tensor
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.layers._base import ConfiguredLayer

_SMALLEST_SCALE = 1e-3
_SMALLEST_REFERENCE = 0.05  # of counts: a mean of zero has no logarithm
_SMALLEST_MEAN = 1e-6
_SMALLEST_DF = 2.05  # the variance is finite above 2
_RAW_DF = 3.0  # so that training begins at about 5 degrees of freedom
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
_COUNTED = 128  # quantiles of counts up to about this are found by summing probabilities
_NEARLY_NORMAL = 1e-8  # counts are nearly normal if a ninth of their squared coefficient of variation is below this
_FAR = 1e-6  # below this, a tail is not computed as the complement of the other, which would lose digits
_WIDE = 1e6  # counts, and scales, beside which 1 is small
_NEWTON = 12  # steps of Newton's method before bisection


class Distribution(ABC):
    """A family of distributions of one forecast value.

    Attributes:
        name: In zoo configs.
        num_parameters: P.
        location: The index of the raw number that is a deviation from the reference forecast.
        target_channels: 1 for the scaled value alone, 2 for the value and the window's scale.
    """

    name: ClassVar[str]
    num_parameters: ClassVar[int]
    location: ClassVar[int] = 0
    target_channels: ClassVar[int] = 1

    @abstractmethod
    def parameters(self, raw: Tensor, reference: Tensor) -> Tensor:
        """Map unconstrained numbers ``(..., P)`` and reference forecasts ``(..., 1)`` to valid parameters ``(..., P)``."""

    def loss(self, target: Tensor, parameters: Tensor) -> Tensor:
        """Mean negative log-likelihood ``(B,)`` of the observed steps; 0 if there are none.

        Args:
            target: ``(B, H, C)`` scaled values, NaN where missing, and, if C is 2, the scale that they were divided by.
            parameters: ``(B, H, P)``.
        """
        parameters = ops.convert_to_tensor(parameters)
        target = ops.cast(target, parameters.dtype)
        observed = ops.logical_not(ops.isnan(target[..., 0]))
        value = ops.where(observed, target[..., 0], ops.zeros_like(target[..., 0]))
        each = [parameters[..., i] for i in range(self.num_parameters)]
        each += [target[..., i] for i in range(1, self.target_channels)]
        surprise = self._surprise(value, *each)
        weight = ops.cast(observed, parameters.dtype)
        return ops.sum(weight * surprise, axis=-1) / ops.maximum(ops.sum(weight, axis=-1), 1)

    @abstractmethod
    def _surprise(self, value: Tensor, *parameters: Tensor) -> Tensor:
        """Negative log-likelihood of each value. The window's scale is the last parameter if the target has it."""

    @abstractmethod
    def ppf(self, u: Tensor, parameters: np.ndarray, scale: Tensor = None) -> np.ndarray:
        """Compute quantiles, in scaled units.

        Args:
            u: Levels in (0, 1), broadcast against ``(...)``.
            parameters: ``(..., P)``.
            scale: ``(...)`` the scale of the windows; distributions of counts need it.
        """

    def mean(self, parameters: np.ndarray) -> np.ndarray:
        """Compute the means ``(...)`` of parameters ``(..., P)``, in scaled units."""
        return np.asarray(parameters)[..., 0]


class _Normal(Distribution):
    """Parameters: mean, standard deviation."""

    name = "normal"
    num_parameters = 2

    def parameters(self, raw: Tensor, reference: Tensor) -> Tensor:
        return ops.concatenate([raw[..., :1] + reference, ops.softplus(raw[..., 1:]) + _SMALLEST_SCALE], axis=-1)

    def _surprise(self, value: Tensor, *parameters: Tensor) -> Tensor:
        loc, scale = parameters
        return 0.5 * ops.square((value - loc) / scale) + ops.log(scale) + _HALF_LOG_2_PI

    def ppf(self, u: Tensor, parameters: np.ndarray, scale: Tensor = None) -> np.ndarray:
        loc, deviation = np.moveaxis(np.asarray(parameters), -1, 0)
        return loc + deviation * ndtri(u)


class _StudentT(Distribution):
    """Parameters: location, scale, degrees of freedom."""

    name = "student_t"
    num_parameters = 3

    def parameters(self, raw: Tensor, reference: Tensor) -> Tensor:
        scale = ops.softplus(raw[..., 1:2]) + _SMALLEST_SCALE
        df = ops.softplus(raw[..., 2:] + _RAW_DF) + _SMALLEST_DF
        return ops.concatenate([raw[..., :1] + reference, scale, df], axis=-1)

    def _surprise(self, value: Tensor, *parameters: Tensor) -> Tensor:
        """The normal's surprise, and terms that vanish with many degrees of freedom."""
        loc, scale, df = parameters
        half = 0.5 * df
        constant = 0.5 - half * ops.log1p(0.5 / half) + _stirling_error(half) - _stirling_error(half + 0.5)
        distance = (half + 0.5) * ops.log1p(ops.square((value - loc) / scale) / df)
        return constant + distance + ops.log(scale) + _HALF_LOG_2_PI

    def ppf(self, u: Tensor, parameters: np.ndarray, scale: Tensor = None) -> np.ndarray:
        loc, width, df = np.moveaxis(np.asarray(parameters), -1, 0)
        return loc + width * stdtrit(df, u)


class _NegativeBinomial(Distribution):
    """Counts, divided by the window's scale nu. Parameters: mean m and shape a, both of the scaled counts.

    The counts themselves have the mean ``nu m`` and the variance ``mean + mean² a / sqrt(nu)``.

    References:
        Salinas, Flunkert & Gasthaus, "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks", 2017.
    """

    name = "negative_binomial"
    num_parameters = 2
    target_channels = 2

    def parameters(self, raw: Tensor, reference: Tensor) -> Tensor:
        reference = ops.maximum(reference, _SMALLEST_REFERENCE)
        mean = ops.softplus(raw[..., :1] + reference + ops.log(-ops.expm1(-reference))) + _SMALLEST_MEAN
        return ops.concatenate([mean, ops.softplus(raw[..., 1:]) + _SMALLEST_SCALE], axis=-1)

    def _surprise(self, value: Tensor, *parameters: Tensor) -> Tensor:
        mean, shape, scale = parameters
        return _count_surprise(value * scale, mean * scale, ops.sqrt(scale) / shape)

    def ppf(self, u: Tensor, parameters: np.ndarray, scale: Tensor = None) -> np.ndarray:
        if scale is None:
            raise ConfigError("quantiles of a negative_binomial need the scales of the windows: pass scale")
        mean, shape = np.moveaxis(np.asarray(parameters, dtype=float), -1, 0)
        u, mean, shape, scale = np.broadcast_arrays(u, mean, shape, np.asarray(scale, dtype=float))
        counts = _count_quantiles(u.ravel(), (mean * scale).ravel(), (shape / np.sqrt(scale)).ravel())
        return counts.reshape(u.shape) / scale


DISTRIBUTIONS: dict[str, Distribution] = {d.name: d for d in (_Normal(), _StudentT(), _NegativeBinomial())}


def distribution_loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss that trains a distribution's parameters, from targets ``(B, H, C)`` and ``(B, H, P)`` to ``(B,)``.

    Raises:
        UnknownNameError: If there is no such distribution.

    Examples:
        >>> loss = distribution_loss("normal")
        >>> loss(np.array([[[1.0], [np.nan]]]), np.array([[[0.0, 1.0], [0.0, 1.0]]])).numpy().round(3)
        array([1.419])
    """
    return _distribution(name).loss


@keras.saving.register_keras_serializable(package="lstmzoo")
class DistributionHead(ConfiguredLayer):
    """Turns raw numbers into the parameters of a distribution near a reference forecast.

    Args:
        distribution: Name of the distribution.

    Raises:
        UnknownNameError: If there is no such distribution.

    Examples:
        >>> DistributionHead(distribution="normal")(np.zeros((1, 2), "float32"), np.ones((1, 1), "float32")).numpy().round(2)
        array([[1.  , 0.69]], dtype=float32)
    """

    def __init__(self, *, distribution: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.distribution = distribution
        self._family = _distribution(distribution)

    def call(self, raw: Tensor, reference: Tensor) -> Tensor:
        """From numbers ``(..., P)`` and references ``(..., 1)`` to parameters ``(..., P)``."""
        return self._family.parameters(raw, reference)

    def compute_output_shape(self, raw_shape: tuple, reference_shape: tuple) -> tuple:
        return raw_shape


def _distribution(name: str) -> Distribution:
    if name not in DISTRIBUTIONS:
        raise UnknownNameError("distribution", name, DISTRIBUTIONS)
    return DISTRIBUTIONS[name]


def _stirling_error(x: Tensor) -> Tensor:
    """``lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)`` for positive numbers, by its series three steps ahead."""
    error: Any = 0.0
    for _ in range(3):
        error = error + (x + 0.5) * ops.log1p(1 / x) - 1
        x = x + 1
    inverse = 1 / ops.square(x)
    return error + (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x


def _count_surprise(count: Tensor, mean: Tensor, size: Tensor) -> Tensor:
    """Negative log-likelihood of a negative binomial with the variance ``mean + mean² / size``.

    Large logarithms that cancel are combined, as in Loader's binomial probabilities, so that float32 suffices for any counts.

    References:
        Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000.
    """
    positive = ops.where(count > 0, count, ops.ones_like(count))
    above, below = ops.relu(count - mean), ops.relu(mean - count)
    by_count = ops.log1p(size * above / (mean * (count + size))) - ops.log1p(size * below / (positive * (mean + size)))
    by_size = ops.log1p(below / (size + count)) - ops.log1p(above / (size + mean))
    factorial = 0.5 * ops.log(positive) + _HALF_LOG_2_PI + _stirling_error(positive)
    normalizer = 0.5 * ops.log1p(count / size) + _stirling_error(size) - _stirling_error(size + count)
    return count * by_count + size * by_size + ops.where(count > 0, factorial, ops.zeros_like(count)) + normalizer


def _count_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Quantiles ``(N,)`` of negative binomials with the variances ``mean + mean² alpha``.

    Small quantiles are found by summing probabilities. If the distribution is nearly normal, Cornish and Fisher's expansion is
    exact within float64. All others are searched for, from the quantiles of gamma distributions with the same means and
    variances, by Wilson and Hilferty's cube roots.
    """
    ninth = (1 / mean + alpha) / 9
    guess = np.floor(mean * np.maximum(1 - ninth + ndtri(u) * np.sqrt(ninth), 0) ** 3)
    found = np.full(len(u), np.nan)
    few = np.flatnonzero(guess < _COUNTED / 2)
    found[few] = _summed_quantiles(u[few], mean[few], alpha[few])
    normal = np.flatnonzero(np.isnan(found) & (ninth < _NEARLY_NORMAL))
    found[normal] = _expanded_quantiles(u[normal], mean[normal], alpha[normal])
    rest = np.flatnonzero(np.isnan(found))
    found[rest] = _searched_quantiles(u[rest], mean[rest], alpha[rest], guess[rest])
    return found


def _summed_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Find quantiles by summing the probabilities of 0, 1, 2, ...; NaN for large ones."""
    found = np.full(len(u), np.nan)
    left = np.arange(len(u))
    ratio, part = mean / (1 + mean * alpha), np.exp(-np.log1p(mean * alpha) / alpha)
    total = part.copy()
    for count in range(_COUNTED):
        reached = total >= u
        found[left[reached]] = count
        on = ~reached
        left, u, ratio, alpha, part, total = (array[on] for array in (left, u, ratio, alpha, part, total))
        part *= ratio * (1 + alpha * count) / (count + 1)
        total += part
    return found


def _expanded_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Compute quantiles of nearly normal counts by Cornish and Fisher's expansion up to the kurtosis."""
    z, odds = ndtri(u), mean * alpha
    variance = mean * (1 + odds)
    skew = (1 + 2 * odds) / np.sqrt(variance)
    kurtosis = 6 * alpha + 1 / variance
    shape = z + skew * (z**2 - 1) / 6 + kurtosis * (z**3 - 3 * z) / 24 - skew**2 * (2 * z**3 - 5 * z) / 36
    return np.maximum(np.ceil(mean + np.sqrt(variance) * shape - 0.5), 0)


def _searched_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Find quantiles by Newton's method on the logarithm of the smaller tail, and by bisection where that is slow.

    A quantile lies above ``low``, and is at most ``high``. Each round moves one of the two, so the search ends, at the latest
    when float64 has no number between them.
    """
    found, low, high = guess.copy(), np.full(len(u), -1.0), np.full(len(u), np.inf)
    left, rounds = np.arange(len(u)), 0
    while len(left):
        k, level = found[left], u[left]
        upper = level > 0.5
        tail, part = _count_tail(k, mean[left], alpha[left], upper)
        sought = np.where(upper, 1 - level, level)
        short = np.where(upper, tail > sought, tail < sought)
        before = np.where(upper, tail + part <= sought, tail - part >= sought)  # k - 1 reaches the level too
        low[left] = np.where(short, k, low[left])
        high[left] = np.where(short, high[left], np.where(before & (k > 0), k - 1, k))
        low[left] = np.where(short | before, low[left], np.maximum(k - 1, low[left]))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = np.log(tail / sought) * tail / part * np.where(upper, 1, -1)
        below, above = low[left], high[left]
        newton = np.where(short, np.ceil(k + step), np.floor(k + step) + 1)
        middle = np.floor(0.5 * (below + np.where(np.isinf(above), 4 * np.maximum(below, 0) + 4, above)))
        usable = np.isfinite(newton) & (newton > below) & (newton < above) & (rounds < _NEWTON)
        following = np.where(usable, newton, middle)
        found[left] = following
        left = left[(above - below > 1) & (following > below) & (following < above)]
        rounds += 1
    return high


def _count_tail(k: np.ndarray, mean: np.ndarray, alpha: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probability of more than k, if ``upper``, otherwise of at most k; and the probability of k itself.

    They come from the incomplete beta function. Where rounding would lose ``alpha``, or 1 in a sum with ``mean alpha``,
    they come from the limits, the Poisson and the gamma distribution.
    """
    odds = mean * alpha
    poisson = alpha < np.sqrt(np.finfo(float).eps / mean)
    wide = ~poisson & (odds > _WIDE) & (k > _WIDE)
    tail, part = np.empty(len(k)), np.empty(len(k))
    for chosen, tails in ((poisson, _poisson_tails), (wide, _gamma_tails), (~poisson & ~wide, _beta_tails)):
        below, above, log_part = tails(k[chosen], mean[chosen], alpha[chosen], odds[chosen])
        tail[chosen], part[chosen] = np.where(upper[chosen], above, below), np.exp(log_part)
    return tail, part


def _poisson_tails(k: np.ndarray, mean: np.ndarray, alpha: np.ndarray, odds: np.ndarray) -> tuple:
    return gammaincc(k + 1, mean), gammainc(k + 1, mean), xlogy(k, mean) - mean - gammaln(k + 1)


def _gamma_tails(k: np.ndarray, mean: np.ndarray, alpha: np.ndarray, odds: np.ndarray) -> tuple:
    """Use ``gamma(k + r) / gamma(k + 1) = (k + r / 2)^(r - 1)``, whose relative error is of the order of ``1 / k²``."""
    size, rate = 1 / alpha, np.log1p(1 / odds)
    middle = k + 0.5 * size
    above = gammaincc(size, rate * (middle + 0.5))
    below = np.where(above < 1 - _FAR, 1 - above, gammainc(size, rate * (middle + 0.5)))
    return below, above, size * np.log(rate) - gammaln(size) + (size - 1) * np.log(middle) - rate * middle


def _beta_tails(k: np.ndarray, mean: np.ndarray, alpha: np.ndarray, odds: np.ndarray) -> tuple:
    size, success = 1 / alpha, 1 / (1 + odds)
    below = betainc(size, k + 1, success)
    above, far = 1 - below, below > 1 - _FAR
    above[far] = betaincc(size[far], k[far] + 1, success[far])
    log_part = gammaln(k + size) - gammaln(size) - gammaln(k + 1) - size * np.log1p(odds) + xlogy(k, odds / (1 + odds))
    return below, above, log_part
