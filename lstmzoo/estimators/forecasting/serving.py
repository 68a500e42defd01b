"""Serving forecasters: requests with the history of series, and their future covariates."""

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lstmzoo.contracts import Servable
from lstmzoo.errors import UnknownNameError
from lstmzoo.options import ServingParam, checked_params
from lstmzoo.preprocessing import Columns, Form, Panel, make_future_frame, panel_frame


class _Forecaster(Servable, Protocol):
    params_: Any
    tail_: Panel

    @property
    def _panel_model(self) -> Any: ...

    def _check_fitted(self) -> None: ...

    def predict(self, history: Any, **options: Any) -> Any: ...


class ServedForecaster:
    """Base of the forecasters: requests are rows of a long frame."""

    def serving_schema(self: _Forecaster) -> list[ServingParam]:
        """Declare the parameters that :meth:`serve` takes; ``quantiles`` only where some can be forecast."""
        self._check_fitted()
        horizon = ServingParam(
            name="horizon", type=int, default=self.params_.horizon, low=1, high=self.params_.longest_horizon,
            doc="Steps to forecast",
        )  # fmt: skip
        levels = [level for level in self.params_.levels if level in self.params_.quantiles]
        quantiles = ServingParam(
            name="quantiles",
            type=list,
            default=levels,
            doc="Levels to forecast besides the median, ascending between 0 and 1",
        )
        return [horizon, quantiles] if levels or self._panel_model.any_level else [horizon]

    def serving_example(self: _Forecaster) -> pd.DataFrame:
        """Return rows that :meth:`serve` takes: the history of one series, and future rows if there are future covariates."""
        self._check_fitted()
        series = replace(self.tail_.select(np.array([0])), observed=None)  # filled: it may have no other values
        columns = self.params_.columns
        example = panel_frame(series, Form(), columns)
        if not columns.known:
            return example
        future = make_future_frame(series, self.params_.horizon, Form(), columns)
        return pd.concat([example, future.assign(**{name: example[name].iloc[-1] for name in columns.known})])

    def serving_steps(self: _Forecaster, model_input: pd.DataFrame, params: dict[str, Any]) -> tuple[int, str]:
        """Return the series of a request times its horizon, and how they are counted."""
        column = self.params_.columns.id
        series = 1 if column is None else model_input[column].nunique()
        return series * params["horizon"], f"{series:,} series times horizon {params['horizon']:,}"

    def serving_nullable(self: _Forecaster) -> list[str]:
        """Return the columns that may have missing values, in the history or in future rows."""
        columns = self.params_.columns
        filled = [columns.target, *columns.past, *columns.known] if self.params_.missing != "error" else []
        ahead = [columns.target, *columns.past, *columns.static] if columns.known else []
        return list(dict.fromkeys([*filled, *ahead]))

    def serve(self: _Forecaster, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Forecast the series whose history the rows hold.

        With future covariates, the rows after a series' last value are its future rows. If the history may have missing
        values too, future rows are those of them whose static covariates are empty; without static covariates, the last
        ``horizon`` rows.

        Args:
            model_input: The columns that were fitted.
            params: Values by name, for parameters of :meth:`serving_schema`.

        Returns:
            What :meth:`predict` returns for a pandas frame.

        Raises:
            ConfigError: If a parameter is out of bounds.
            UnknownNameError: If a parameter or column is unknown.
            DataError: If the rows are refused.
        """
        options = checked_params(self.serving_schema(), params)
        columns = self.params_.columns
        names = [columns.id, columns.time, columns.target, *columns.past, *columns.known, *columns.static]
        known = [name for name in names if name is not None]
        odd = [c for c in model_input.columns if c not in known]
        if odd:
            raise UnknownNameError("column", odd[0], known)
        if not columns.known or columns.target not in model_input:
            return self.predict(history=model_input, **options)
        most = None if self.params_.missing == "error" else options["horizon"]
        history, future = _split_future(model_input, columns, most)
        return self.predict(history=history, future=future, **options)


def _split_future(rows: pd.DataFrame, columns: Columns, most: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off the rows that follow each series' last value; their values are dropped.

    Args:
        rows: Rows of all series.
        columns: Their names.
        most: The most future rows of a series, if values may be missing from the history too; otherwise None.
    """
    order = rows.sort_values(columns.time, kind="stable")
    ids = order[columns.id] if columns.id is not None else pd.Series(0, index=order.index)
    later = order[columns.target].notna()[::-1].groupby(ids[::-1], sort=False).cumsum()[::-1] == 0
    if most is not None and columns.static:
        later &= order[list(columns.static)].isna().any(axis=1)
    elif most is not None:
        later &= order.groupby(ids, sort=False).cumcount(ascending=False) < most
    wanted = [name for name in (columns.id, columns.time, *columns.known) if name is not None]
    return order[~later], order.loc[later, wanted]
