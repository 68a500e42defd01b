"""The parameters of a fit that forecasts depend on."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.preprocessing import (
    Ahead,
    Columns,
    Form,
    Panel,
    filled,
    read_future,
    read_panel,
    with_known_filled,
)
from lstmzoo.values import plain, shortened

_COLUMNS = {
    "id_col": "id", "time_col": "time", "target_col": "target", "past_covariates": "past", "future_covariates": "known",
    "static_covariates": "static",
}  # fmt: skip
_LONGEST = 20  # times the horizon trained for, the longest horizon that is forecast
_PLAIN = ("horizon", "freq", "missing", "irregular", "pad_short", "conformal", "allow_negative")


@dataclass(frozen=True)
class SeriesRead:
    """Series that an estimator has read, for itself and its clones.

    Attributes:
        given: The user's frame, Series or array, to be read again like fitted series.
        panel: The series; missing values are NaN.
        form: The type of the user's object.
    """

    given: Any
    panel: Panel
    form: Form


@dataclass(frozen=True)
class ForecastParams:
    """How series are read, and what is forecast.

    A fitted forecaster reads these instead of its own parameters, which may have been changed since for another fit.

    Attributes:
        horizon: H, steps to forecast.
        quantiles: Quantile levels to forecast besides the median.
        freq: Frequency alias or integer step; None if it is inferred.
        missing: ``error``, ``mask`` or ``interpolate``.
        irregular: Whether time steps may be of any length.
        pad_short: Whether series that are too short are padded to the left.
        conformal: Whether quantiles are corrected by held-out windows.
        allow_negative: Whether series without negative values may be forecast negative.
        columns: Names of the columns.
    """

    horizon: int
    quantiles: tuple[float, ...]
    freq: str | int | None
    missing: str
    irregular: bool
    pad_short: bool
    conformal: bool
    allow_negative: bool
    columns: Columns

    @classmethod
    def of(cls, params: dict[str, Any]) -> "ForecastParams":
        """Make them from a forecaster's parameters, or from the result of :meth:`to_json`."""
        names = {field: params[name] for name, field in _COLUMNS.items()}
        covariates = {field: tuple(names[field] or ()) for field in ("past", "known", "static")}
        return cls(
            quantiles=tuple(float(level) for level in params["quantiles"] or ()),
            columns=Columns(**{**names, **covariates}),
            **{**{name: params.get(name, False) for name in _PLAIN}, "pad_short": bool(params.get("pad_short"))},
        )

    def to_json(self) -> dict[str, Any]:
        """Return them by the names of the forecaster's parameters, for :meth:`of`."""
        columns = {name: getattr(self.columns, field) for name, field in _COLUMNS.items()}
        listed = {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}
        return {**{name: getattr(self, name) for name in _PLAIN}, "quantiles": list(self.quantiles), **listed}

    @property
    def levels(self) -> list[float]:
        """The quantile levels to forecast, ascending, 0.5 among them."""
        return sorted({0.5, *self.quantiles})

    def read(self, data: Any, like: Panel | None = None, after: Panel | None = None) -> tuple[Panel, Form]:
        """Read series without filling missing values, so that they can be split first.

        Args:
            data: As for :func:`lstmzoo.preprocessing.read_panel`, or a :class:`SeriesRead`.
            like: As for :func:`lstmzoo.preprocessing.read_panel`; the frequency is taken from it.
            after: As for :func:`lstmzoo.preprocessing.read_panel`.
        """
        if isinstance(data, SeriesRead):
            if like is None and after is None:
                return data.panel, data.form
            data = data.given
        missing, freq = "error" if self.missing == "error" else "keep", self.freq if like is None else like.freq
        return read_panel(data, self.columns, freq, missing=missing, irregular=self.irregular, like=like, after=after)

    def filled(self, panel: Panel, held_out: int = 0) -> Panel:
        """Fill missing values; see :func:`lstmzoo.preprocessing.filled`."""
        return filled(panel, self.missing, self.columns, held_out)

    def parted(self, panel: Panel, steps: int | None = None) -> tuple[Panel, Panel]:
        """Split an unfilled panel into histories and the last steps of each series.

        The histories are filled without the last steps. Of the last steps, only future covariates are filled, since these are
        known beforehand.

        Args:
            panel: Series; missing values are NaN.
            steps: How many last steps; the horizon if None.
        """
        last = self.horizon if steps is None else steps
        known = with_known_filled(panel, self.missing, self.columns)
        return self.filled(panel.head(last)), known.tail(last)

    def in_frame(self, form: Form) -> tuple[Form, Columns]:
        """Return the form and the columns of an answer that is always a frame: without ids for a Series or an array."""
        if form.kind == "frame":
            return form, self.columns
        return replace(form, kind="frame", index=None), Columns(None, self.columns.time, self.columns.target)

    def ahead(self, panel: Panel, steps: int, future: Any = None) -> Ahead:
        """Return the times and the future covariates of the steps that follow a panel's series.

        Args:
            panel: N series.
            steps: Steps to forecast.
            future: The user's frame of future covariates, or of times if they are irregular; None if there is none.

        Raises:
            DataError: If the frame is refused, or there are no future covariates.
        """
        if future is None:
            return Ahead(panel.future_times(steps), None)
        if not self.columns.known and not self.irregular:
            raise DataError(
                f"{arg('future')}: there are no future covariates: name them by {arg('future_covariates')}, and fit with them"
            )
        return Ahead(*read_future(future, panel, self.columns, steps))

    def checked_horizon(self, horizon: int | None) -> int:
        """Return the steps to forecast: those trained for if None.

        Raises:
            ConfigError: If the horizon is not a whole number from 1 to 20 times the one trained for.
        """
        steps = self.horizon if horizon is None else horizon
        if not isinstance(steps, int | float | str | np.generic):
            raise ConfigError(
                f"{arg('horizon')}: expected a whole number, got {shortened(steps)}; series go into {arg(history=...)}"
            )
        longest = self.longest_horizon
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps <= longest:
            raise ConfigError(
                f"{arg('horizon')}: expected a whole number from 1 to {longest}, {_LONGEST} times the horizon trained for; "
                f"got {horizon!r}"
            )
        return int(steps)

    @property
    def longest_horizon(self) -> int:
        """The longest horizon that is forecast."""
        return _LONGEST * self.horizon

    def checked_levels(self, quantiles: list[float] | None, *, any_level: bool) -> list[float]:
        """Return the levels to forecast besides the median: those trained for if None.

        Args:
            quantiles: Levels, ascending.
            any_level: Whether levels that were not trained can be forecast too.

        Raises:
            ConfigError: If they are not ascending numbers between 0 and 1, or one of them cannot be forecast.
        """
        if quantiles is None:
            return list(self.quantiles)
        if isinstance(quantiles, str) or not np.iterable(quantiles):
            raise ConfigError(
                f"{arg('quantiles')}: expected a list of levels between 0 and 1, got {shortened(quantiles)}"
            )
        check_levels(quantiles)
        for level in quantiles if not any_level else ():
            if level not in self.levels:
                raise ConfigError(
                    f"{arg('quantiles')}: {level!r} was not trained; trained: {', '.join(f'{q:g}' for q in self.levels)}"
                )
        return list(quantiles)


def check_levels(levels: list[float]) -> None:
    """Refuse quantile levels that are not ascending numbers between 0 and 1.

    Raises:
        ConfigError: Naming the first that is wrong.
    """
    levels = plain(levels)
    for level in levels:
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise ConfigError(f"{arg('quantiles')}: expected numbers between 0 and 1, got {level!r}")
    if any(low >= high for low, high in itertools.pairwise(levels)):
        raise ConfigError(f"{arg('quantiles')}: expected ascending levels, got {shortened(levels)}")
