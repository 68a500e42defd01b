"""Conformal corrections of quantiles, learned from held-out windows.

Sizes: B windows, H steps, L levels, n paths. All values are scaled, as the network's are.
"""

import numpy as np

from lstmzoo.errors import ConfigError, arg

_PER_STEP = (
    5  # held-out windows expected beyond the outermost level, from which on each step has a correction of its own
)


def conformal_offsets(target: np.ndarray, quantiles: np.ndarray, levels: list[float]) -> np.ndarray:
    """Return offsets ``(H, L)`` to add to quantiles, so that the right share of values like the held-out ones lies below each.

    The offset of a level is the quantile, at that level, of ``target - quantile`` over the held-out windows, with the
    finite-sample correction of split conformal prediction. It is computed for each step, or over all steps if there are too few
    windows.

    Args:
        target: Held-out values ``(B, H)``; NaN if missing.
        quantiles: Forecasts ``(B, H, L)``.
        levels: L levels, ascending.

    Raises:
        ConfigError: If there are too few held-out values for the outermost level.

    References:
        Romano, Patterson & Candès, "Conformalized Quantile Regression", NeurIPS 2019.
    """
    observed = np.isfinite(target)
    check_held_out(int(observed.sum()), levels)
    errors = target[..., None] - quantiles
    if observed.sum(axis=0).min() * _tail(levels) < _PER_STEP:
        errors = np.broadcast_to(errors[observed][:, None], (observed.sum(), target.shape[1], len(levels)))
    return np.stack([_corrected(errors[..., i], level) for i, level in enumerate(levels)], axis=-1)


def check_held_out(count: int, levels: list[float]) -> None:
    """Refuse levels that are too extreme for a number of held-out values.

    Raises:
        ConfigError: If there are too few for the outermost level.
    """
    tail = _tail(levels)
    needed = int(np.ceil(round(1 / tail, 6))) - 1
    if count < needed:
        level = levels[0] if levels[0] <= tail else levels[-1]
        raise ConfigError(
            f"{arg('conformal')}: the level {level:g} needs {needed} held-out values, but there are {count}: "
            f"raise {arg('validation_size')}, or ask for quantiles nearer to 0.5"
        )


def _tail(levels: list[float]) -> float:
    return min(levels[0], round(1 - levels[-1], 12))


def _corrected(errors: np.ndarray, level: float) -> np.ndarray:
    """Conformal quantile ``(H,)`` of errors ``(B, H)``: the ``(B + 1) level``-th smallest, rounded away from the median."""
    count = np.isfinite(errors).sum(axis=0)
    place = (np.ceil if level > 0.5 else np.floor)((count + 1) * level).astype(int)
    ordered = np.sort(errors, axis=0)  # NaN last
    return ordered[np.clip(place, 1, count) - 1, np.arange(errors.shape[1])]


def corrected_quantiles(quantiles: np.ndarray, offsets: np.ndarray, levels: list[float]) -> np.ndarray:
    """Add offsets ``(H, L)`` to quantiles ``(B, H, L)``; the median stays, and the others do not cross it."""
    moved = quantiles + offsets
    median = quantiles[..., levels.index(0.5) : levels.index(0.5) + 1]
    sides = np.array(levels) < 0.5
    moved = np.where(sides, np.minimum(moved, median), np.maximum(moved, median))
    moved[..., levels.index(0.5)] = median[..., 0]
    return np.sort(moved, axis=-1)


def corrected_paths(paths: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Move paths ``(B, n, H)`` as the quantiles of their steps are moved: linearly in between, and beyond as the outermost.

    Args:
        paths: Paths drawn from the uncorrected distribution.
        before: Uncorrected quantiles ``(B, H, L)``.
        after: Corrected quantiles ``(B, H, L)``.
    """
    before, offsets = before[:, None], (after - before)[:, None]
    place = np.clip((paths[..., None] >= before).sum(axis=-1, keepdims=True) - 1, 0, before.shape[-1] - 2)
    low, high = np.take_along_axis(before, place, axis=-1), np.take_along_axis(before, place + 1, axis=-1)
    share = np.clip((paths[..., None] - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    first, second = np.take_along_axis(offsets, place, axis=-1), np.take_along_axis(offsets, place + 1, axis=-1)
    return paths + (first + share * (second - first))[..., 0]
