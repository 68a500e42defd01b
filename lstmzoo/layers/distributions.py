"""Distributions that a forecaster gives instead of a number: their parameters, likelihoods and quantiles.

Sizes: B windows, H steps, P parameters. Likelihoods are in :mod:`keras.ops`, in forms that keep float32 exact for large
counts and nearly normal tails; quantiles are in NumPy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from scipy.special import betainc, gammaln, ndtri, stdtrit, xlog1py

from lstmzoo.errors import ConfigError, UnknownNameError

_SMALLEST_SCALE = 1e-3
_SMALLEST_REFERENCE = 0.05  # of counts; a mean of zero has no logarithm
_SMALLEST_MEAN = 1e-6
_SMALLEST_DF = 2.05  # there is a variance above 2
_RAW_DF = 3.0  # so that training begins at some 5 degrees of freedom
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
_COUNTED = 128  # quantiles of counts up to about here are found by summing probabilities


class Distribution(ABC):
    """A family of distributions of one forecast value.

    Attributes:
        name: In zoo configs.
        num_parameters: P.
        location: Which raw number is a deviation from the reference forecast.
        target_channels: 1, the scaled value; or 2, with the window's scale.
    """

    name: ClassVar[str]
    num_parameters: ClassVar[int]
    location: ClassVar[int] = 0
    target_channels: ClassVar[int] = 1

    @abstractmethod
    def parameters(self, raw: Any, reference: Any) -> Any:
        """Valid parameters ``(..., P)`` from unconstrained numbers ``(..., P)`` and reference forecasts ``(..., 1)``."""

    def loss(self, target: Any, parameters: Any) -> Any:
        """Mean negative log-likelihood ``(B,)`` of the observed steps; 0 where there are none.

        Args:
            target: ``(B, H, C)`` scaled values, NaN where missing, and, if C is 2, the scales that they were divided by.
            parameters: ``(B, H, P)``.
        """
        parameters = ops.convert_to_tensor(parameters)
        target = ops.cast(target, parameters.dtype)
        observed = ops.logical_not(ops.isnan(target[..., 0]))
        value = ops.where(observed, target[..., 0], ops.zeros_like(target[..., 0]))
        each = [parameters[..., i] for i in range(self.num_parameters)]
        surprise = (
            self._surprise(value, *each) if self.target_channels == 1 else self._surprise(value, *each, target[..., 1])
        )
        weight = ops.cast(observed, parameters.dtype)
        return ops.sum(weight * surprise, axis=-1) / ops.maximum(ops.sum(weight, axis=-1), 1)

    @abstractmethod
    def _surprise(self, value: Any, *parameters: Any) -> Any:
        """Negative log-likelihood of each value; the window's scale is the last parameter, if it is in the target."""

    @abstractmethod
    def ppf(self, u: Any, parameters: np.ndarray, scale: Any = None) -> np.ndarray:
        """Quantiles, in scaled units.

        Args:
            u: Levels in (0, 1), broadcast against ``(...)``.
            parameters: ``(..., P)``.
            scale: Of the windows, ``(...)``; distributions of counts need it.
        """

    def mean(self, parameters: np.ndarray) -> np.ndarray:
        """``(...)`` means, in scaled units, of ``(..., P)``."""
        return np.asarray(parameters)[..., 0]


class _Normal(Distribution):
    """Parameters: mean, standard deviation."""

    name = "normal"
    num_parameters = 2

    def parameters(self, raw: Any, reference: Any) -> Any:
        return ops.concatenate([raw[..., :1] + reference, ops.softplus(raw[..., 1:]) + _SMALLEST_SCALE], axis=-1)

    def _surprise(self, value: Any, *parameters: Any) -> Any:
        loc, scale = parameters
        return 0.5 * ops.square((value - loc) / scale) + ops.log(scale) + _HALF_LOG_2_PI

    def ppf(self, u: Any, parameters: np.ndarray, scale: Any = None) -> np.ndarray:
        loc, deviation = np.moveaxis(np.asarray(parameters), -1, 0)
        return loc + deviation * ndtri(u)


class _StudentT(Distribution):
    """Parameters: location, scale, degrees of freedom."""

    name = "student_t"
    num_parameters = 3

    def parameters(self, raw: Any, reference: Any) -> Any:
        scale = ops.softplus(raw[..., 1:2]) + _SMALLEST_SCALE
        df = ops.softplus(raw[..., 2:] + _RAW_DF) + _SMALLEST_DF
        return ops.concatenate([raw[..., :1] + reference, scale, df], axis=-1)

    def _surprise(self, value: Any, *parameters: Any) -> Any:
        """The normal's, and what vanishes with many degrees of freedom."""
        loc, scale, df = parameters
        half = 0.5 * df
        constant = 0.5 - half * ops.log1p(0.5 / half) + _stirling_error(half) - _stirling_error(half + 0.5)
        distance = (half + 0.5) * ops.log1p(ops.square((value - loc) / scale) / df)
        return constant + distance + ops.log(scale) + _HALF_LOG_2_PI

    def ppf(self, u: Any, parameters: np.ndarray, scale: Any = None) -> np.ndarray:
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

    def parameters(self, raw: Any, reference: Any) -> Any:
        reference = ops.maximum(reference, _SMALLEST_REFERENCE)
        mean = ops.softplus(raw[..., :1] + reference + ops.log(-ops.expm1(-reference))) + _SMALLEST_MEAN
        return ops.concatenate([mean, ops.softplus(raw[..., 1:]) + _SMALLEST_SCALE], axis=-1)

    def _surprise(self, value: Any, *parameters: Any) -> Any:
        mean, shape, scale = parameters
        return _count_surprise(value * scale, mean * scale, ops.sqrt(scale) / shape)

    def ppf(self, u: Any, parameters: np.ndarray, scale: Any = None) -> np.ndarray:
        if scale is None:
            raise ConfigError("quantiles of a negative_binomial need the scales of the windows: pass scale")
        mean, shape = np.moveaxis(np.asarray(parameters, dtype=float), -1, 0)
        u, mean, shape, scale = np.broadcast_arrays(u, mean, shape, np.asarray(scale, dtype=float))
        counts = _count_quantiles(u.ravel(), (mean * scale).ravel(), (shape / np.sqrt(scale)).ravel())
        return counts.reshape(u.shape) / scale


DISTRIBUTIONS: dict[str, Distribution] = {d.name: d for d in (_Normal(), _StudentT(), _NegativeBinomial())}


def distribution_loss(name: str) -> Callable[[Any, Any], Any]:
    """The loss that trains a distribution's parameters: from targets ``(B, H, C)`` and ``(B, H, P)`` to ``(B,)``.

    Raises:
        UnknownNameError: If there is no such distribution.

    Examples:
        >>> loss = distribution_loss("normal")
        >>> loss(np.array([[[1.0], [np.nan]]]), np.array([[[0.0, 1.0], [0.0, 1.0]]])).numpy().round(3)
        array([1.419])
    """
    return _distribution(name).loss


@keras.saving.register_keras_serializable(package="lstmzoo")
class DistributionHead(keras.layers.Layer):
    """Makes raw numbers the parameters of a distribution that lies near a reference forecast.

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

    def call(self, raw: Any, reference: Any) -> Any:
        """Numbers ``(..., P)`` and references ``(..., 1)`` to parameters ``(..., P)``."""
        return self._family.parameters(raw, reference)

    def compute_output_shape(self, raw_shape: tuple, reference_shape: tuple) -> tuple:
        return raw_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "distribution": self.distribution}


def _distribution(name: str) -> Distribution:
    if name not in DISTRIBUTIONS:
        raise UnknownNameError("distribution", name, DISTRIBUTIONS)
    return DISTRIBUTIONS[name]


def _stirling_error(x: Any) -> Any:
    """``lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)`` for positive numbers: its series, three steps ahead."""
    error: Any = 0.0
    for _ in range(3):
        error = error + (x + 0.5) * ops.log1p(1 / x) - 1
        x = x + 1
    inverse = 1 / ops.square(x)
    return error + (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x


def _count_surprise(count: Any, mean: Any, size: Any) -> Any:
    """Negative log-likelihood of a negative binomial with the variance ``mean + mean² / size``.

    Sums of large logarithms that cancel are brought together, as Loader's binomial probabilities are, so that float32
    suffices for any counts.

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

    The search begins at those of gamma distributions of the same means and variances, as Wilson and Hilferty's cube roots
    give them; or at 0, if they are small.
    """
    ninth = (1 / mean + alpha) / 9
    guess = np.floor(mean * np.maximum(1 - ninth + ndtri(u) * np.sqrt(ninth), 0) ** 3)
    found = np.full(len(u), np.nan)
    few = np.flatnonzero(guess < _COUNTED / 2)
    found[few] = _summed_quantiles(u[few], mean[few], alpha[few])
    rest = np.flatnonzero(np.isnan(found))
    found[rest] = _searched_quantiles(u[rest], mean[rest], alpha[rest], guess[rest])
    return found


def _summed_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Quantiles, by summing the probabilities of 0, 1, 2, ...; NaN for those that are large."""
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


def _searched_quantiles(u: np.ndarray, mean: np.ndarray, alpha: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Quantiles, by Newton's method on the logarithm of the smaller tail, within the bounds found so far."""
    found, size, success = guess.copy(), 1 / alpha, 1 / (1 + mean * alpha)
    low, high = np.zeros(len(u)), np.full(len(u), np.inf)
    left = np.arange(len(u))
    while len(left):
        k, level, r, p = found[left], u[left], size[left], success[left]
        total = betainc(r, k + 1, p)
        part = np.exp(gammaln(k + r) - gammaln(r) - gammaln(k + 1) + r * np.log(p) + xlog1py(k, -p))
        short = total < level
        move = short | ((total - part >= level) & (k > 0))
        left, k, level, total, part, short = (array[move] for array in (left, k, level, total, part, short))
        low[left] = np.where(short, k + 1, low[left])
        high[left] = np.where(short, high[left], k - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = level > 0.5
            tail, sought = np.where(upper, 1 - total, total), np.where(upper, 1 - level, level)
            step = np.log(tail / sought) * tail / part * np.where(upper, 1, -1)
        newton = np.where(short, np.ceil(k + step), np.floor(k + step) + 1)
        halfway = np.floor(0.5 * (low[left] + np.minimum(high[left], 4 * k + 4)))
        found[left] = np.clip(np.where(np.isfinite(newton), newton, halfway), low[left], high[left])
    return found
