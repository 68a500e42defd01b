"""From a network's outputs to quantiles and sample paths, and what held-out windows say of both.

Sizes: B windows, H steps, Q outputs a step, L levels, n paths. All values are scaled, as the network's are.
"""

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from lstmzoo.errors import ConfigError
from lstmzoo.layers import DISTRIBUTIONS
from lstmzoo.spec import ForecastingSpec

_PER_STEP = 5  # held-out windows beyond the outermost level that make a correction of each step's own


def network_quantiles(
    outputs: np.ndarray, spec: ForecastingSpec, trained: list[float], levels: list[float], scale: np.ndarray
) -> np.ndarray:
    """``(B, H, L)`` quantiles, from outputs ``(B, H, Q)`` and the windows' scales ``(B, 1)``.

    Args:
        outputs: Quantiles at the levels trained for, or a distribution's parameters.
        spec: Of the network.
        trained: Levels of the outputs, if they are quantiles.
        levels: To give: out of those trained for, or any of a distribution.
        scale: Of the windows; distributions of counts need it.
    """
    if spec.distribution == "quantiles":
        return outputs[..., [trained.index(level) for level in levels]]
    distribution = DISTRIBUTIONS[spec.distribution]
    return np.stack([distribution.ppf(np.float64(u), outputs.astype(float), scale) for u in levels], axis=-1)


def correlated_scores(rng: np.random.Generator, n: int, horizon: int, correlation: float) -> np.ndarray:
    """``(n, H)`` standard normal numbers, each correlated with the one before: a Gaussian copula over the steps."""
    noise = rng.standard_normal((n, horizon))
    scores = noise.copy()
    for h in range(1, horizon):
        scores[:, h] = correlation * scores[:, h - 1] + np.sqrt(1 - correlation**2) * noise[:, h]
    return scores


def values_at_scores(
    scores: np.ndarray, outputs: np.ndarray, spec: ForecastingSpec, trained: list[float], scale: np.ndarray
) -> np.ndarray:
    """``(B, n, H)`` values whose places in their forecast distributions are standard normal scores ``(B, n, H)``.

    Between quantiles, and beyond the outermost, values are linear in the score, so that tails are as a normal's.
    """
    if spec.distribution != "quantiles":
        levels = np.clip(ndtr(scores), 1e-6, 1 - 1e-6)
        return DISTRIBUTIONS[spec.distribution].ppf(levels, outputs[:, None].astype(float), scale[:, None])
    knots = ndtri(np.array(trained))
    place = np.clip(np.searchsorted(knots, scores) - 1, 0, len(knots) - 2)
    low = np.take_along_axis(outputs[:, None].astype(float), place[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(outputs[:, None].astype(float), place[..., None] + 1, axis=-1)[..., 0]
    return low + (high - low) * (scores - knots[place]) / (knots[place + 1] - knots[place])


def step_correlation(residuals: np.ndarray) -> float:
    """Correlation of forecast errors ``(B, H)`` with those one step before, each step in units of its own; 0 to 0.99."""
    usual = np.sqrt(np.nanmean(residuals**2, axis=0))
    errors = residuals / np.where(usual > 0, usual, 1.0)
    before, after = errors[:, :-1].ravel(), errors[:, 1:].ravel()
    both = np.isfinite(before) & np.isfinite(after)
    before, after = before[both], after[both]
    size = np.sqrt((before @ before) * (after @ after))
    return float(np.clip(before @ after / size, 0.0, 0.99)) if size > 0 else 0.0


def conformal_offsets(target: np.ndarray, quantiles: np.ndarray, levels: list[float]) -> np.ndarray:
    """``(H, L)`` what is to be added to quantiles so that, of values like the held-out ones, the right share lies below.

    The correction of a level is the quantile, at that level, of ``target - quantile`` over the held-out windows, with the
    finite-sample correction of split conformal prediction; for each step, or over all steps if there are too few windows.

    Args:
        target: ``(B, H)`` held-out values; NaN where there is none.
        quantiles: ``(B, H, L)``, forecast.
        levels: L, ascending.

    Raises:
        ConfigError: If there are too few held-out values for the outermost level.

    References:
        Romano, Patterson & Candès, "Conformalized Quantile Regression", NeurIPS 2019.
    """
    tail = min(levels[0], 1 - levels[-1])
    errors = target[..., None] - quantiles
    errors = errors[np.isfinite(target).any(axis=1)]
    if len(errors) * tail < _PER_STEP:
        pooled = errors.reshape(-1, 1, len(levels))
        pooled = pooled[np.isfinite(pooled).all(axis=(1, 2))]
        if (len(pooled) + 1) * tail < 1:
            raise ConfigError(
                f"conformal: the level {levels[0] if tail == levels[0] else levels[-1]:g} needs {int(np.ceil(1 / tail))} "
                f"held-out values, but there are {len(pooled)}: raise validation_size, or ask for quantiles nearer to 0.5"
            )
        errors = np.broadcast_to(pooled, (len(pooled), target.shape[1], len(levels)))
    return np.stack([_corrected(errors[..., i], level) for i, level in enumerate(levels)], axis=-1)


def _corrected(errors: np.ndarray, level: float) -> np.ndarray:
    """``(H,)`` the conformal quantile of errors ``(B, H)``: their ``(B + 1) level``-th smallest, away from the median."""
    count = np.isfinite(errors).sum(axis=0)
    place = (np.ceil if level > 0.5 else np.floor)((count + 1) * level).astype(int)
    ordered = np.sort(errors, axis=0)  # NaN last
    return ordered[np.clip(place, 1, count) - 1, np.arange(errors.shape[1])]


def corrected_quantiles(quantiles: np.ndarray, offsets: np.ndarray, levels: list[float]) -> np.ndarray:
    """Quantiles ``(B, H, L)`` with their offsets ``(H, L)``; the median stays, and the others do not cross it."""
    moved: Any = quantiles + offsets
    median = quantiles[..., levels.index(0.5) : levels.index(0.5) + 1]
    sides = np.array(levels) < 0.5
    moved = np.where(sides, np.minimum(moved, median), np.maximum(moved, median))
    moved[..., levels.index(0.5)] = median[..., 0]
    return np.sort(moved, axis=-1)
