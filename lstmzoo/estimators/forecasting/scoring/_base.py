"""Models that forecast panels, and the columns of their forecasts."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.preprocessing import Ahead, Panel, observed_values, stack

_TOGETHER = 2**22  # values of history that are forecast from at once


class PanelModel(Protocol):
    """A fitted model that forecasts panels; the forecaster around it reads and writes the user's frames."""

    @property
    def fewest_rows(self) -> int:
        """The fewest rows of a history to forecast from."""

    @property
    def any_level(self) -> bool:
        """Whether any quantile level can be forecast, not only those trained for."""

    def prepared(self, panel: Panel) -> Panel:
        """Return histories that are long enough to forecast from, padded if they may be.

        Raises:
            DataError: If one is too short.
        """

    def needed(self, history: Panel) -> Panel:
        """Return the last rows of histories that a forecast depends on, padded if they may be."""

    def forecast(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[float, np.ndarray]:
        """Return forecasts ``(N, H)`` by quantile level, of as many steps as ``ahead`` has."""


def forecast_columns(
    model: PanelModel, panel: Panel, quantiles: Iterable[float], ahead: Ahead
) -> dict[str, np.ndarray]:
    """Return forecasts ``(N, H)`` by column name: the median, and one column per quantile level.

    Raises:
        DataError: If a forecast is not finite.
    """
    levels = list(quantiles)
    forecast = model.forecast(panel, sorted({0.5, *levels}), ahead)
    for values in forecast.values():
        check_finite(panel, values)
    return {"y_hat": forecast[0.5], **{f"y_hat_q{level:g}": forecast[level] for level in levels}}


def check_finite(panel: Panel, forecasts: np.ndarray) -> None:
    """Refuse forecasts ``(N, ...)`` that are not finite.

    Raises:
        DataError: Naming the first series with one.
    """
    finite = np.isfinite(forecasts).reshape(len(panel), -1).all(axis=1)
    if not finite.all():
        raise DataError(
            f"the forecast of series {panel.ids[int((~finite).argmax())]!r} is not finite "
            f"({int((~finite).sum())} such series in all): rescale the values"
        )


def each_observed(panel: Panel) -> list[np.ndarray]:
    """Return the observed values of each series; missing ones are NaN."""
    return np.split(observed_values(panel), panel.offsets[1:-1])


def together(parts: Iterable[tuple[Panel, Panel]]) -> Iterator[tuple[Panel, Panel]]:
    """Stack pairs of histories and the steps that followed them, so that many are forecast at once."""
    pending: list[tuple[Panel, Panel]] = []
    size = 0
    for part in parts:
        pending.append(part)
        size += len(part[0].values)
        if size > _TOGETHER:
            yield _stacked(pending)
            pending, size = [], 0
    if pending:
        yield _stacked(pending)


def _stacked(pairs: list[tuple[Panel, Panel]]) -> tuple[Panel, Panel]:
    histories, actual = zip(*pairs, strict=True)
    return stack(list(histories)), stack(list(actual))
