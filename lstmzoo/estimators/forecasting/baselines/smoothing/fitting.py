"""Exponential smoothing of many series at once, by maximum likelihood."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, logit

FEWEST = 10  # values of a series with a trend
_MOST = 500  # last values that are read; earlier ones have no effect but cost time
_WEIGHT = (0.0001, 0.9999)  # bounds of alpha, and of beta / alpha
_DAMPING = (0.8, 0.98)  # bounds of phi
_LOW, _HIGH = np.array([_WEIGHT, _WEIGHT, _DAMPING]).T
_GRID = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95), (0.01, 0.1, 0.4, 0.9), (0.82, 0.9, 0.97)  # of alpha, beta / alpha, phi
_ITERATIONS = 15
_CONVERGED = 1e-6  # relative change of the sum of squares
_FARTHEST = 4.0  # step of a logit
_STUCK = 100.0  # damping of steps at which a series has converged
_TINY = 1e-30


@dataclass(frozen=True)
class Smoothed:
    """N series smoothed to their ends.

    Attributes:
        level: ``(N,)`` the last level.
        slope: ``(N,)`` the last slope.
        alpha: ``(N,)`` the weight of an error in the level.
        beta: ``(N,)`` the weight of an error in the slope.
        phi: ``(N,)`` the factor of the slope from step to step; 0 without a trend.
        error: ``(N,)`` the root mean square of the errors one step ahead.
    """

    level: np.ndarray
    slope: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    phi: np.ndarray
    error: np.ndarray

    def forecast(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the means ``(N, H)`` of the next steps, and their standard deviations relative to the first one's.

        References:
            Hyndman, Koehler, Ord & Snyder, "Forecasting with Exponential Smoothing", Springer, 2008, table 6.1.
        """
        damped = np.cumsum(self.phi[:, None] ** np.arange(1, steps + 1), axis=1)
        weights = self.alpha[:, None] + self.beta[:, None] * damped[:, :-1]
        added = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights**2, axis=1)], axis=1)
        return self.level[:, None] + damped * self.slope[:, None], np.sqrt(1 + added)


def smoothed(values: np.ndarray, lengths: np.ndarray, *, trend: bool) -> Smoothed:
    """Fit simple exponential smoothing, or smoothing with a damped trend, to each series.

    The weights and the first state minimize the squared errors one step ahead, which is the maximum likelihood of normal errors:
    the best of a grid is refined by Levenberg-Marquardt steps. Without a trend, beta and phi are 0. Only the last 500 values of
    a series are read.

    Args:
        values: ``(N, T)`` series, from the left.
        lengths: ``(N,)`` how many of these T values each series has; with a trend, at least ten.
        trend: Whether there is a trend.

    References:
        Gardner & McKenzie, "Forecasting Trends in Time Series", Management Science 31(10), 1985.

    Examples:
        >>> fit = smoothed(np.array([[1.0, 1, 1, 1, 9, 9, 9, 9, 9, 9]]), np.array([10]), trend=False)
        >>> fit.level.round(2), fit.alpha.round(2)
        (array([9.]), array([1.]))
    """
    if values.shape[1] > _MOST:
        places = np.maximum(lengths - _MOST, 0)[:, None] + np.arange(_MOST)
        values, lengths = np.take_along_axis(values, places, axis=1), np.minimum(lengths, _MOST)
    known = np.arange(values.shape[1]) < lengths[:, None]
    inner = np.where(known, values - values[:, :1], 0.0)
    unit = np.abs(inner).max(axis=1)
    unit = np.where(unit > 0, unit, 1.0)
    problem = _Problem(inner / unit[:, None], known, trend)
    end, place = problem.solved()
    alpha, beta, phi = problem.weights(place)
    error = unit * np.sqrt(end.squares / lengths)
    return Smoothed(values[:, 0] + unit * end.level, unit * end.slope, alpha, beta, phi, error)


@dataclass
class _End:
    """Series smoothed with given weights.

    Attributes:
        level: ``(N,)`` the last level.
        slope: ``(N,)`` the last slope.
        squares: ``(N,)`` the sum of the squared errors.
        gradient: ``(N, P)`` minus half of its gradient by the free parameters.
        hessian: ``(N, P, P)`` half of its Hessian, by Gauss and Newton.
    """

    level: np.ndarray
    slope: np.ndarray
    squares: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    def update(self, rows: np.ndarray, other: "_End", taken: np.ndarray) -> None:
        """Take over the series ``taken`` of another one, whose series are the ``rows`` of this one."""
        for name, own in vars(self).items():
            own[rows[taken]] = getattr(other, name)[taken]


@dataclass(frozen=True)
class _Problem:
    """Series to fit, which begin with 0 and reach to 1 or -1.

    A place ``(N, 5)`` is: alpha, beta / alpha and phi, each as the logit between its bounds; the first level and slope.
    """

    values: np.ndarray
    known: np.ndarray
    trend: bool

    def weights(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return alpha, beta and phi."""
        alpha, share, phi = (_LOW + (_HIGH - _LOW) * expit(place[:, :3])).T
        return alpha, alpha * share * self.trend, phi * self.trend

    def solved(self) -> tuple[_End, np.ndarray]:
        """Return the best fit and its place."""
        place = self._best_of_grid()
        rows = np.arange(len(place))
        end, damping = self._smooth(place, rows), np.full(len(place), 0.001)
        for _ in range(_ITERATIONS):
            moved = place[rows] + self._step(end, damping, rows)
            new = self._smooth(moved, rows)
            better = new.squares < end.squares[rows]
            gain = (end.squares[rows] - new.squares) / (end.squares[rows] + _TINY)
            place[rows[better]] = moved[better]
            end.update(rows, new, better)
            damping[rows] *= np.where(better, 0.2, 8.0)
            rows = rows[np.where(better, gain > _CONVERGED, damping[rows] < _STUCK)]
            if not len(rows):
                break
        return end, place

    def _step(self, end: _End, damping: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the steps ``(N, 5)`` of Levenberg and Marquardt."""
        hessian, free = end.hessian[rows], self._free
        diagonal = np.einsum("npp->np", hessian)
        diagonal = diagonal + 1e-9 * diagonal.max(axis=1, keepdims=True) + _TINY
        damped = hessian + (damping[rows, None] * diagonal)[:, :, None] * np.eye(len(free))
        step = np.zeros((len(rows), 5))
        step[:, free] = np.linalg.solve(damped, end.gradient[rows][:, :, None])[:, :, 0]
        step[:, :3] = np.clip(step[:, :3], -_FARTHEST, _FARTHEST)
        return step

    @property
    def _free(self) -> list[int]:
        return [0, 1, 2, 3, 4] if self.trend else [0, 3]

    def _best_of_grid(self) -> np.ndarray:
        """Return the best place ``(N, 5)`` of the grid; for each point, the first state is the least-squares solution."""
        best, least = np.zeros((len(self.values), 5)), np.full(len(self.values), np.inf)
        grid = product(*_GRID) if self.trend else ((alpha, 0.5, 0.9) for alpha in _GRID[0])
        for point in grid:
            place = np.concatenate([logit((np.array(point) - _LOW) / (_HIGH - _LOW)), [0.0, 0.0]])
            states, squares = self._first_states(*(float(w[0]) for w in self.weights(place[None])))
            better = squares < least
            least[better] = squares[better]
            best[better] = place
            best[better, 3:] = states[better]
        return best

    def _first_states(self, alpha: float, beta: float, phi: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the best first states ``(N, 2)`` with given weights, and the sums of squared errors ``(N,)``.

        Errors are a linear filter of the series less what their first state alone forecasts.
        """
        above, below = [1.0, -1 - phi, phi], [1.0, alpha + phi * beta - 1 - phi, phi * (1 - alpha)]
        errors = np.where(self.known, lfilter(above, below, self.values, axis=1), 0.0)
        slope = np.cumsum(phi ** np.arange(1, self.values.shape[1] + 1))
        paths = lfilter(above, below, np.stack([np.ones_like(slope), slope])[: 1 + self.trend], axis=1)
        last = self.known.sum(axis=1) - 1
        moments = np.cumsum(paths[:, None] * paths[None], axis=2)[:, :, last].transpose(2, 0, 1)
        products = errors @ paths.T
        states = np.linalg.solve(moments, products[:, :, None])[:, :, 0]
        squares = np.einsum("nt,nt->n", errors, errors) - np.sum(states * products, axis=1)
        return np.pad(states, ((0, 0), (0, 2 - states.shape[1]))), squares

    def _smooth(self, place: np.ndarray, rows: np.ndarray) -> _End:
        """Smooth the series ``rows`` from a place for each."""
        alpha, beta, phi = self.weights(place)
        known, (level, slope) = self.known[rows], place[:, 3:].T
        errors, levels, slopes = np.empty((3, *known.T.shape))
        effects = np.empty((len(errors), len(self._free), len(rows)))  # of the free parameters on each forecast
        of_level, of_slope = np.zeros((2, *effects.shape[1:]))
        of_level[3 if self.trend else 1] = of_slope[-1] = 1
        for t, value in enumerate(np.ascontiguousarray(self.values[rows].T)):
            effect = effects[t]
            if self.trend:
                np.add(of_level, phi * of_slope, out=effect)
                effect[2] += slope
                of_slope = phi * of_slope - beta * effect
                of_slope[2] += slope
                slope = phi * slope
                error = value - level - slope
                of_slope[1] += error
                level, slope = level + slope + alpha * error, slope + beta * error
            else:
                effect[:] = of_level
                error = value - level
                level = level + alpha * error
            of_level = (1 - alpha) * effect
            of_level[0] += error
            errors[t], levels[t], slopes[t] = error, level, slope
        last = known.sum(axis=1) - 1, np.arange(len(rows))
        errors = np.where(known, errors.T, 0.0)
        effects = np.where(known[:, None], effects.transpose(2, 1, 0), 0.0)
        chain = self._chain(place)
        gradient = np.einsum("npf,np->nf", chain, (effects @ errors[:, :, None])[:, :, 0])
        hessian = chain.transpose(0, 2, 1) @ (effects @ effects.transpose(0, 2, 1)) @ chain
        return _End(levels[last], slopes[last], np.einsum("nt,nt->n", errors, errors), gradient, hessian)

    def _chain(self, place: np.ndarray) -> np.ndarray:
        """Return the derivatives ``(N, P, P)`` of the free weights and states by the place."""
        inner = expit(place[:, :3])
        alpha, share, _ = (_LOW + (_HIGH - _LOW) * inner).T
        steep = (_HIGH - _LOW) * inner * (1 - inner)
        chain = np.zeros((len(place), 5, 5))
        chain[:, 0, 0], chain[:, 1, 0] = steep[:, 0], share * steep[:, 0]
        chain[:, 1, 1], chain[:, 2, 2] = alpha * steep[:, 1], steep[:, 2]
        chain[:, 3, 3] = chain[:, 4, 4] = 1
        return chain[:, self._free][:, :, self._free]
