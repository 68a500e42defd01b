"""Forecasts of panels by a fitted network, for any number of steps.

Sizes: N series, H steps trained for, L levels, n paths. All values are in the data's own units.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators.forecasting.network.conformal import corrected_paths, corrected_quantiles
from lstmzoo.estimators.forecasting.network.outlook import PATHS, ROWS, Names, Outlook, quantiles_of
from lstmzoo.preprocessing import Ahead, Panel, Scale, WindowPreprocessor, fixed_step


@dataclass(frozen=True)
class Projection:
    """A fitted network that forecasts panels.

    Attributes:
        outlook: The network, which forecasts windows.
        preprocessor: The preprocessor, which cuts the windows.
        levels: The L levels trained for, ascending.
        offsets: Conformal corrections ``(H, L)`` of scaled quantiles, or None.
        pad_short: Whether histories that are too short are padded to the left.
    """

    outlook: Outlook
    preprocessor: WindowPreprocessor
    levels: list[float]
    offsets: np.ndarray | None
    pad_short: bool

    @property
    def horizon(self) -> int:
        """H, steps trained for."""
        return self.preprocessor.horizon

    @property
    def fewest_rows(self) -> int:
        """The fewest rows of a history to forecast from."""
        return 1 if self.pad_short else self.preprocessor.context

    @property
    def any_level(self) -> bool:
        """Whether any quantile level can be forecast, not only those trained for."""
        return self.outlook.spec.distribution != "quantiles" and self.offsets is None

    def prepared(self, panel: Panel) -> Panel:
        """Return histories, padded if they are too short and may be."""
        return panel.padded(self.preprocessor.context) if self.pad_short else panel

    def needed(self, history: Panel) -> Panel:
        """Return the last rows of histories that a forecast depends on."""
        return self.prepared(history).tail(self.preprocessor.reach)

    def seeded(self, seed: int) -> "Projection":
        """Return the same network with another seed of sample paths."""
        return replace(self, outlook=replace(self.outlook, seed=seed))

    def forecast(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[float, np.ndarray]:
        """Return forecasts ``(N, steps)`` by level, for as many steps as ``ahead`` has."""
        steps = ahead.times.shape[1]
        if steps <= self.horizon:
            forecast = self.direct(panel, levels, self._whole(panel, ahead))[:, :steps]
        elif levels == [0.5]:
            forecast = self._rolled(panel, ahead, lambda p, a: self.direct(p, levels, a)[..., 0])[..., None]
        else:
            self._check_paths(steps)
            forecast = np.concatenate(
                [quantiles_of(paths, levels) for paths in self._rolled_paths(panel, ahead, PATHS)]
            )
        return {level: forecast[..., i] for i, level in enumerate(levels)}

    def paths(self, panel: Panel, ahead: Ahead, n: int) -> np.ndarray:
        """Return sample paths ``(N, n, steps)``.

        Raises:
            ConfigError: If neither a distribution nor quantiles on both sides of the median are forecast; or if quantiles are
                conformal, and there are more steps than were trained for.
        """
        steps = ahead.times.shape[1]
        self._check_paths(steps)
        if steps <= self.horizon:
            return self._direct_paths(panel, self._whole(panel, ahead), n)[..., :steps]
        return np.concatenate(list(self._rolled_paths(panel, ahead, n)))

    def _check_paths(self, steps: int) -> None:
        """Refuse paths that the network cannot draw; see :meth:`paths`."""
        if self.outlook.spec.distribution == "quantiles" and not self.levels[0] < 0.5 < self.levels[-1]:
            raise ConfigError(
                "sample paths, and quantiles beyond the horizon trained for, need quantiles on both sides of the median, or a "
                f"distribution: fit with either, or pass {arg(quantiles=[])} to forecast the median alone"
            )
        if steps > self.horizon and self.offsets is not None:
            raise ConfigError(
                f"{arg('horizon')}: there are conformal corrections for {self.horizon} steps, not for {steps}: pass "
                f"{arg(quantiles=[])} to forecast the median alone, or fit with a longer horizon"
            )

    def direct(self, panel: Panel, levels: list[float], ahead: Ahead) -> np.ndarray:
        """Return quantiles ``(N, H, L)`` of the steps trained for."""
        inputs, scale = self.preprocessor.last_windows(panel, ahead.times, ahead.known)
        if self.offsets is None:
            return self.finished(self.outlook.quantiles(inputs, scale.scale, levels, panel.ids), scale)
        finished = self.finished(self.outlook.quantiles(inputs, scale.scale, self.levels, panel.ids), scale)
        return finished[..., [self.levels.index(level) for level in levels]]

    def past_windows(self, panel: Panel) -> tuple[dict[str, np.ndarray], Scale]:
        """Return the inputs and scales of each series' last window, with zeros as future covariates."""
        count = panel.known.shape[1]
        known = np.zeros((len(panel), self.horizon, count)) if count else None
        return self.preprocessor.last_windows(panel, known=known)

    def finished(self, quantiles: np.ndarray, scale: Scale) -> np.ndarray:
        """Return scaled quantiles ``(N, H, L)`` in the data's own units, corrected if conformal, which needs all levels."""
        if self.offsets is not None:
            quantiles = corrected_quantiles(quantiles, self.offsets, self.levels)
        return self.preprocessor.scaler.invert(quantiles, scale)

    def _whole(self, panel: Panel, ahead: Ahead) -> Ahead:
        """The steps ahead, extended to the horizon trained for by repeating the future covariates of the last."""
        missing = self.horizon - ahead.times.shape[1]
        if missing <= 0:
            return ahead
        last = ahead.times[:, -1:]
        times = last + np.arange(1, missing + 1) * fixed_step(panel.freq) if panel.irregular else None
        times = panel.future_times(self.horizon) if times is None else np.concatenate([ahead.times, times], axis=1)
        known = ahead.known
        if known is not None:
            known = np.concatenate([known, np.repeat(known[:, -1:], missing, axis=1)], axis=1)
        return Ahead(times, known)

    def _rolled(self, panel: Panel, ahead: Ahead, forecast: Callable[[Panel, Ahead], np.ndarray]) -> np.ndarray:
        """Forecasts ``(N, steps)``, made a horizon at a time; each is read as history by the next."""
        pieces, steps = [], ahead.times.shape[1]
        for first in range(0, steps, self.horizon):
            part = ahead.part(first, min(first + self.horizon, steps))
            whole = self._whole(panel, part)
            pieces.append(forecast(panel, whole))
            if first + self.horizon < steps:
                panel = panel.append(pieces[-1], part.times, part.known).tail(self.preprocessor.reach)
        return np.concatenate(pieces, axis=1)[:, :steps]

    def _rolled_paths(self, panel: Panel, ahead: Ahead, n: int) -> Iterator[np.ndarray]:
        """Sample paths ``(b, n, steps)``, at most ``ROWS`` at once; each is continued as a series of its own."""
        panel, together = panel.tail(self.preprocessor.reach), max(1, ROWS // n)
        for first in range(0, len(panel), together):
            some = np.arange(first, min(first + together, len(panel)))
            each, drawn = np.repeat(some, n), itertools.count()

            def piece(paths: Panel, part: Ahead, drawn: Iterator[int] = drawn) -> np.ndarray:
                number = next(drawn)
                names = [f"{name} {number} {i % n}" for i, name in enumerate(paths.ids)]
                return self._direct_paths(paths, part, 1, names)[:, 0]

            yield self._rolled(panel.select(each), ahead.of(each), piece).reshape(len(some), n, -1)

    def _direct_paths(self, panel: Panel, ahead: Ahead, n: int, names: Names | None = None) -> np.ndarray:
        """Sample paths ``(N, n, H)``; the random numbers of a path depend on its series' name."""
        inputs, scale = self.preprocessor.last_windows(panel, ahead.times, ahead.known)
        names = panel.ids if names is None else names
        paths = self.outlook.paths(inputs, scale.scale, n, names)
        if self.offsets is not None:
            before = self.outlook.quantiles(inputs, scale.scale, self.levels, names)
            paths = corrected_paths(paths, before, corrected_quantiles(before, self.offsets, self.levels))
        return self.preprocessor.scaler.invert(paths, scale)
