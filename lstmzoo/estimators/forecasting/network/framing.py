"""How a fit cuts series into windows: lookback, references, held-out steps."""

import logging
from dataclasses import dataclass

from lstmzoo.config.forecasting import ForecastingData
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import Prepared
from lstmzoo.estimators.forecasting._base import ForecastParams
from lstmzoo.layers import DISTRIBUTIONS
from lstmzoo.panel import Panel
from lstmzoo.preprocessing import Channels, Form, WindowPreprocessor, Windows

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PreparedSeries(Prepared):
    """The windows that a fit or an update trains on.

    Attributes:
        params: How the series were read, and what is forecast.
        windows: Windows of the training set.
        tail: The rows of each series that forecasts and updates read.
        form: What the user passed.
        seasons: Season lengths, shortest first.
        validation: Windows of the validation set, or None.
    """

    preprocessor: WindowPreprocessor
    params: ForecastParams
    windows: Windows
    tail: Panel
    form: Form
    seasons: list[int]
    validation: Windows | None = None


def window_preprocessor(
    data: ForecastingData, params: ForecastParams, seasons: list[int], lookback: int, calendar: list[str] | None
) -> WindowPreprocessor:
    """Return an unfitted preprocessor.

    Args:
        data: The entry's settings.
        params: How series are read, and what is forecast.
        seasons: Season lengths, shortest first.
        lookback: T.
        calendar: Calendar features; if None, those of the frequency if the entry has them.
    """
    quantiles, columns = data.distribution == "quantiles", params.columns
    channels = Channels(
        calendar=data.calendar if calendar is None else list(calendar), known=columns.known, past=columns.past,
        static=columns.static, mask=params.missing == "mask", irregular=params.irregular,
    )  # fmt: skip
    return WindowPreprocessor(
        lookback=lookback, horizon=int(params.horizon), quantiles=params.levels if quantiles else [0.5],
        periods=_reference_periods(data.residual, seasons, lookback), scaling=data.scaling, transform=data.transform,
        distribution=data.distribution, season_length=seasons[0], channels=channels, allow_negative=params.allow_negative,
        num_outputs=len(params.levels) if quantiles else DISTRIBUTIONS[data.distribution].num_parameters,
    )  # fmt: skip


def _reference_periods(reference: str, seasons: list[int], lookback: int) -> list[int]:
    """Periods of the reference forecasts that the network's own are added to."""
    if reference in ("seasonal_mix", "mix"):
        doubles = [2 * s for s in seasons if s > 1 and 2 * s <= max(lookback, *seasons)]
        seasonal = sorted({*seasons, *doubles})
        means = [-s for s in seasons if s > 1 and 2 * s <= lookback]
        return seasonal if reference == "seasonal_mix" else [0, *sorted({1, *seasonal}), *means]
    return [{"none": 0, "naive": 1, "seasonal_naive": seasons[0], "long_seasonal_naive": seasons[-1]}[reference]]


def check_counts(data: ForecastingData, missing: str) -> None:
    """Refuse settings under which a distribution of counts would be fitted to other numbers.

    Raises:
        ConfigError: If there is one.
    """
    counts = f"{arg(distribution='negative_binomial')} forecasts counts, not"
    if data.transform == "log":
        raise ConfigError(f"{counts} logarithms: pass {arg(hyperparameters={'transform': 'none'})}")
    if data.scaling == "level":
        raise ConfigError(
            f"{counts} differences from the last value: pass {arg(hyperparameters={'scaling': 'window'})}"
        )
    if missing == "interpolate":
        raise ConfigError(f"{counts} interpolated values: pass {arg(missing='mask')}")


def check_learnable(panel: Panel) -> None:
    """Refuse series of a single observation each.

    Raises:
        DataError: If there are no others.
    """
    if panel.lengths.max() == 1:
        raise DataError(
            "each series has a single observation, so that there is nothing to learn: give longer series, or forecast them by "
            "BaselineForecaster('naive')"
        )


def long_enough(panel: Panel, preprocessor: WindowPreprocessor, held_out: int, *, pad_short: bool | None) -> Panel:
    """Return series that are long enough for a training window each, padded to the left if they may be.

    Args:
        panel: N series.
        preprocessor: Its windows have to fit into the series.
        held_out: Steps held out for validation.
        pad_short: Whether short series are padded; if None, they are, after a warning, unless all are too short.

    Raises:
        DataError: If one is too short and may not be padded.
    """
    needed = preprocessor.min_length + held_out
    short = int((panel.lengths < needed).sum())
    if not short or pad_short:
        return panel.padded(needed)
    if pad_short is None and short < len(panel):
        _logger.warning(
            "%d of %d series have fewer than %d observations (%d to look back, %d to forecast, %d for validation): they are "
            "padded before their start, where nothing counts as observed; pad_short=False refuses them",
            short, len(panel), needed, preprocessor.context, preprocessor.horizon, held_out,
        )  # fmt: skip
        return panel.padded(needed)
    i = int(panel.lengths.argmin())
    raise DataError(
        f"series {panel.ids[i]!r} has {panel.lengths[i]} observations, but {needed} are needed "
        f"({short} such series): {preprocessor.context} for the lookback, {preprocessor.horizon} to forecast, "
        f"{held_out} for validation: lower {arg('lookback')}, {arg('season_length')}, {arg('horizon')} or "
        f"{arg('validation_size')}, pass {arg(pad_short=True)}, or drop the series"
    )


def training_windows(preprocessor: WindowPreprocessor, panel: Panel, held_out: int) -> Windows:
    """Return all windows before the held-out steps.

    Raises:
        DataError: If there are none.
    """
    windows = Windows(preprocessor, panel, drop=held_out)
    if not len(windows):
        raise DataError(
            "after the validation steps are held out, no series has an observed target with an observed value before it: "
            f"lower {arg('lookback')}, {arg('horizon')} or {arg('validation_size')}, or pass series with fewer missing values"
        )
    return windows


def kept_rows(panel: Panel, preprocessor: WindowPreprocessor) -> Panel:
    """Return the rows that forecasts and updates read: the reach of the next windows whose targets are new rows."""
    return panel.tail(preprocessor.reach + preprocessor.horizon - 1)
