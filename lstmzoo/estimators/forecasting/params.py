"""The parameters that forecasts depend on, as ``fit`` found them."""

from dataclasses import dataclass
from typing import Any

from lstmzoo.preprocessing import Columns, Form, Panel, filled, read_panel, with_known_filled

_COLUMNS = {
    "id_col": "id", "time_col": "time", "target_col": "target", "past_covariates": "past", "future_covariates": "known",
    "static_covariates": "static",
}  # fmt: skip
_PLAIN = ("horizon", "freq", "missing", "irregular", "pad_short", "conformal")


@dataclass(frozen=True)
class SeriesRead:
    """Series that were read by an estimator, for itself and its clones.

    Attributes:
        given: The user's frame, Series or array, for what reads it in comparison with fitted series.
        panel: Its series, with NaN where something is missing.
        form: What the user's object was.
    """

    given: Any
    panel: Panel
    form: Form


@dataclass(frozen=True)
class ForecastParams:
    """How series are read, and what is forecast.

    A fitted forecaster reads these, and not its own parameters, which may have been changed since for another fit.

    Attributes:
        horizon: H, steps to forecast.
        quantiles: Levels that are forecast besides the median.
        freq: Frequency alias or integer step; None if it is inferred.
        missing: ``error``, ``mask`` or ``interpolate``.
        irregular: Whether time steps may be of any length.
        pad_short: Whether series that are too short are extended to the left.
        conformal: Whether quantiles are corrected by held-out windows.
        columns: Names of the columns.
    """

    horizon: int
    quantiles: tuple[float, ...]
    freq: str | int | None
    missing: str
    irregular: bool
    pad_short: bool
    conformal: bool
    columns: Columns

    @classmethod
    def of(cls, params: dict[str, Any]) -> "ForecastParams":
        """Take them from a forecaster's parameters, or from what :meth:`to_json` gave."""
        names = {field: params[name] for name, field in _COLUMNS.items()}
        covariates = {field: tuple(names[field] or ()) for field in ("past", "known", "static")}
        return cls(
            quantiles=tuple(float(level) for level in params["quantiles"] or ()),
            columns=Columns(**{**names, **covariates}),
            **{name: params.get(name, False) for name in _PLAIN},
        )

    def to_json(self) -> dict[str, Any]:
        """Name them as the parameters are named, for :meth:`of`."""
        columns = {name: getattr(self.columns, field) for name, field in _COLUMNS.items()}
        listed = {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}
        return {**{name: getattr(self, name) for name in _PLAIN}, "quantiles": list(self.quantiles), **listed}

    @property
    def levels(self) -> list[float]:
        """The quantiles and the median, ascending."""
        return sorted({0.5, *self.quantiles})

    def read(self, data: Any, like: Panel | None = None, after: Panel | None = None) -> tuple[Panel, Form]:
        """Read series, with NaN where something is missing, so that they can be cut before they are filled.

        Args:
            data: As for :func:`lstmzoo.preprocessing.read_panel`, as are the others; or a :class:`SeriesRead`.
            like: Series that have been read, of the same frequency.
            after: The series that the data continue.
        """
        if isinstance(data, SeriesRead):
            if like is None and after is None:
                return data.panel, data.form
            data = data.given
        missing, freq = "error" if self.missing == "error" else "keep", self.freq if like is None else like.freq
        return read_panel(data, self.columns, freq, missing=missing, irregular=self.irregular, like=like, after=after)

    def filled(self, panel: Panel, held_out: int = 0) -> Panel:
        """See :func:`lstmzoo.preprocessing.filled`."""
        return filled(panel, self.missing, self.columns, held_out)

    def parted(self, panel: Panel, steps: int | None = None) -> tuple[Panel, Panel]:
        """Split an unfilled panel: what is before the last steps of each series, filled by itself, and those steps.

        Of these, only the future covariates are filled, which are known beforehand.

        Args:
            panel: With NaN where something is missing.
            steps: How many; the horizon if None.
        """
        last = self.horizon if steps is None else steps
        known = with_known_filled(panel, self.missing, self.columns)
        return self.filled(panel.head(last)), known.tail(last)
