"""Backtests: forecasts from origins that roll through series whose values are known."""

from collections.abc import Callable, Iterator
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from lstmzoo.errors import DataError
from lstmzoo.estimators.forecasting.scoring._base import PanelModel, forecast_columns, together
from lstmzoo.options import require_counts
from lstmzoo.preprocessing import (
    Columns,
    Form,
    Panel,
    ahead_of,
    eager_frame,
    forecast_frame,
    observed_values,
    plain_times_of,
)


def check_origins(panel: Panel, horizon: int, n_windows: int, step_size: int) -> None:
    """Refuse a number of windows that the series are too short for.

    Raises:
        ConfigError: If a number is not a whole one above 0.
        DataError: If a series is too short.
    """
    require_counts(n_windows=n_windows, step_size=step_size)
    dropped = horizon + (n_windows - 1) * step_size
    panel.check_lengths(dropped + 1, f", too few for {n_windows} windows: they take {dropped}, and training needs at least one "
                        "more: lower n_windows or step_size, or drop the series")  # fmt: skip


def backtest_frames(
    model: PanelModel,
    panel: Panel,
    origins: list[int],
    parted: Callable[[Panel], tuple[Panel, Panel]],
    quantiles: tuple[float, ...],
    form: Form,
    columns: Columns,
) -> Iterator[Any]:
    """Yield frames of observations and forecasts, for one origin or several together.

    Their columns are id, time, the target, ``cutoff`` (the last time of the history), ``y_hat`` and one per quantile level.

    Args:
        model: The fitted model.
        panel: N series, unfilled.
        origins: The windows, each by how many steps of every series follow it.
        parted: Splits series into histories, and the H steps that follow them.
        quantiles: Levels to forecast besides the median.
        form: The frame that the answer is.
        columns: The names of its columns.
    """
    parts = (parted(panel.head(after)) for after in origins)
    for history, actual in together((model.needed(history), actual) for history, actual in parts):
        horizon = int(actual.lengths[0])
        ahead = ahead_of(actual, horizon)
        cutoffs = np.repeat(history.times[history.offsets[1:] - 1][:, None], horizon, axis=1)
        observed = {columns.target: observed_values(actual, horizon), "cutoff": cutoffs}
        data = observed | forecast_columns(model, history, quantiles, ahead)
        yield forecast_frame(history, data, form, columns, ahead.times, time_columns=("cutoff",))


def read_backtest(backtest: Any, columns: Columns) -> pd.DataFrame:
    """Return the frame of a backtest in pandas, with timestamps or whole numbers as times.

    Raises:
        DataError: If it lacks a column.
    """
    native, _ = eager_frame(backtest, columns)
    expected = [columns.time, columns.target, "cutoff", "y_hat"]
    if not isinstance(native, nw.DataFrame) or not set(expected) <= set(native.columns):
        raise DataError(
            f"expected the frame that cross_validation gave, with the columns {', '.join(map(repr, expected))}"
        )
    times = {name: plain_times_of(native, name) for name in (columns.time, "cutoff")}
    return native.to_pandas().reset_index(drop=True).assign(**times)
