"""From a network's outputs to quantiles and sample paths.

Sizes: B windows, H steps, Q outputs a step, L levels, n paths. All values are scaled, as the network's are.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import keras
import numpy as np
from scipy.special import ndtr, ndtri

from lstmzoo.decoding import sample_sequences
from lstmzoo.errors import ConfigError, arg
from lstmzoo.layers import DISTRIBUTIONS
from lstmzoo.models._base import SteppingModel
from lstmzoo.spec import ForecastingSpec
from lstmzoo.training import predict_padded

PATHS = 200  # sampled for quantiles that have no closed form
ROWS = 8192  # paths sampled at once

Names = Sequence[object] | np.ndarray
State = list[np.ndarray]


def is_autoregressive(model: keras.Model) -> bool:
    """Whether a network forecasts each step from a sample of the one before."""
    return isinstance(model, SteppingModel) and "previous" in model.stepper.inputs


@dataclass(frozen=True)
class Outlook:
    """Quantiles and sample paths that a trained network forecasts for windows.

    A path depends only on the seed and the window's name, not on the other windows.

    Attributes:
        model: The trained network.
        spec: Its sizes.
        levels: Levels of the outputs, if they are quantiles.
        step_correlation: Correlation of neighbouring steps' errors, with which paths are drawn.
        seed: Seed of the paths.
    """

    model: keras.Model
    spec: ForecastingSpec
    levels: list[float]
    step_correlation: float
    seed: int

    def quantiles(
        self, inputs: dict[str, np.ndarray], scale: np.ndarray, levels: list[float], names: Names
    ) -> np.ndarray:
        """Return quantiles ``(B, H, L)``.

        Args:
            inputs: The windows, by input of the network.
            scale: Their scales ``(B, 1)``, which distributions of counts need.
            levels: Levels that were trained for; any levels of a distribution.
            names: The B names of the windows.
        """
        if is_autoregressive(self.model):
            blocks = self._drawn(inputs, scale, PATHS, names)
            return np.concatenate([quantiles_of(paths, levels) for paths in blocks])
        return self._quantiles(self._outputs(inputs), scale, levels)

    def stepped(
        self, inputs: dict[str, np.ndarray], scale: np.ndarray, levels: list[float], names: Names, state: State
    ) -> tuple[np.ndarray, State]:
        """Return quantiles ``(B, H, L)`` after one more step of the windows, and the state after it."""
        if is_autoregressive(self.model):
            _, state = self.model.stepper.encode(inputs, state)
            return quantiles_of(self._sampled(inputs, scale, PATHS, names, state), levels), state
        outputs, state = self.model.stepper.step(inputs, state)
        return self._quantiles(np.asarray(outputs), scale, levels), state

    def paths(self, inputs: dict[str, np.ndarray], scale: np.ndarray, n: int, names: Names) -> np.ndarray:
        """Return ``n`` sample paths of each window, ``(B, n, H)``; the arguments are those of :meth:`quantiles`."""
        if not is_autoregressive(self.model):
            horizon, tied = self.spec.horizon, self.step_correlation
            scores = np.stack([correlated_scores(self._rng(name), n, horizon, tied) for name in names])
            return values_at_scores(scores, self._outputs(inputs), self.spec, self.levels, scale)
        return np.concatenate(list(self._drawn(inputs, scale, n, names)))

    def _drawn(self, inputs: dict[str, np.ndarray], scale: np.ndarray, n: int, names: Names) -> Iterator[np.ndarray]:
        """Sample paths ``(b, n, H)`` of an autoregressive network, at most ``ROWS`` at once; few sizes b are compiled."""
        count, most = len(scale), max(1, ROWS // n)
        together = min(most, 2 ** math.ceil(math.log2(count)))
        for first in range(0, count, together):
            take = np.minimum(np.arange(first, first + together), count - 1)
            some = {name: array[take] for name, array in inputs.items()}
            _, state = self.model.stepper.encode(some)
            yield self._sampled(some, scale[take], n, [names[i] for i in take], state)[: count - first]

    def _outputs(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return predict_padded(self.model, {name: inputs[name] for name in self.model.input})

    def _quantiles(self, outputs: np.ndarray, scale: np.ndarray, levels: list[float]) -> np.ndarray:
        if self.spec.distribution == "quantiles":
            return outputs[..., [self.levels.index(level) for level in levels]]
        distribution = DISTRIBUTIONS[self.spec.distribution]
        return np.stack([distribution.ppf(np.float64(u), outputs.astype(float), scale) for u in levels], axis=-1)

    def _sampled(
        self, inputs: dict[str, np.ndarray], scale: np.ndarray, n: int, names: Names, state: State
    ) -> np.ndarray:
        """Paths ``(B, n, H)`` from a state; each value is drawn given the one before."""
        distribution, stepper, horizon = DISTRIBUTIONS[self.spec.distribution], self.model.stepper, self.spec.horizon
        uniform = np.stack([self._rng(name).uniform(1e-6, 1 - 1e-6, (n, horizon)) for name in names])
        uniform = uniform.reshape(len(names) * n, -1)
        state = [np.repeat(np.asarray(array), n, axis=0) for array in state]
        each = {k: np.repeat(v, n, axis=0) for k, v in inputs.items() if k in ("static", "categories", "future")}
        units = np.repeat(scale[:, 0], n)

        def step(previous: np.ndarray, i: int, state: State) -> tuple[np.ndarray, State]:
            given = each | {"previous": previous[:, None].astype(np.float32), "future": each["future"][:, i : i + 1]}
            parameters, state = stepper.step(given, state)
            return np.asarray(parameters)[:, 0], state

        def draw(parameters: np.ndarray, i: int) -> np.ndarray:
            return distribution.ppf(uniform[:, i], parameters.astype(float), units)

        first = np.repeat(inputs["window"][:, -1, 0], n).astype(float)
        return sample_sequences(step, draw, first, state, horizon).reshape(len(names), n, -1)

    def _rng(self, name: object) -> np.random.Generator:
        return np.random.default_rng([self.seed, crc32(str(name).encode())])


def quantiles_of(paths: np.ndarray, levels: list[float]) -> np.ndarray:
    """Return quantiles ``(B, H, L)`` of sample paths ``(B, n, H)``.

    Raises:
        ConfigError: If a level is too extreme for so many paths.
    """
    check_sampled(levels, paths.shape[1])
    return np.moveaxis(np.quantile(paths, levels, axis=1), 0, -1)


def check_sampled(levels: list[float], n: int) -> None:
    """Refuse levels that are too extreme for a number of sample paths.

    Raises:
        ConfigError: If there is one.
    """
    for level in levels:
        if min(level, 1 - level) < 1 / n:
            raise ConfigError(
                f"{arg('quantiles')}: the level {level:g} is too extreme for {n} sample paths: ask for levels from {1 / n:g} to "
                f"{1 - 1 / n:g}, or compute it from more paths of sample_paths()"
            )


def correlated_scores(rng: np.random.Generator, n: int, horizon: int, correlation: float) -> np.ndarray:
    """Return standard normal numbers ``(n, H)``, each correlated with the one before: a Gaussian copula over the steps."""
    noise = rng.standard_normal((n, horizon))
    scores = noise.copy()
    for h in range(1, horizon):
        scores[:, h] = correlation * scores[:, h - 1] + np.sqrt(1 - correlation**2) * noise[:, h]
    return scores


def values_at_scores(
    scores: np.ndarray, outputs: np.ndarray, spec: ForecastingSpec, levels: list[float], scale: np.ndarray
) -> np.ndarray:
    """Return values ``(B, n, H)`` whose quantile levels in the forecast are those of normal scores ``(B, n, H)``.

    Between quantiles, and beyond the outermost, values are linear in the score, so that tails are those of a normal.
    """
    if spec.distribution != "quantiles":
        uniform = np.clip(ndtr(scores), 1e-6, 1 - 1e-6)
        return DISTRIBUTIONS[spec.distribution].ppf(uniform, outputs[:, None].astype(float), scale[:, None])
    knots = ndtri(np.array(levels))
    place = np.clip(np.searchsorted(knots, scores) - 1, 0, len(knots) - 2)
    low = np.take_along_axis(outputs[:, None].astype(float), place[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(outputs[:, None].astype(float), place[..., None] + 1, axis=-1)[..., 0]
    return low + (high - low) * (scores - knots[place]) / (knots[place + 1] - knots[place])


def step_correlation(errors: np.ndarray) -> float:
    """Return the correlation, 0 to 0.99, of forecast errors ``(B, H)`` with those one step before.

    The errors of each step are divided by their root mean square.
    """
    counts = np.isfinite(errors).sum(axis=0)
    usual = np.sqrt(np.nansum(errors**2, axis=0) / np.maximum(counts, 1))
    errors = errors / np.where(usual > 0, usual, 1.0)
    before, after = errors[:, :-1].ravel(), errors[:, 1:].ravel()
    both = np.isfinite(before) & np.isfinite(after)
    before, after = before[both], after[both]
    size = np.sqrt((before @ before) * (after @ after))
    return float(np.clip(before @ after / size, 0.0, 0.99)) if size > 0 else 0.0
