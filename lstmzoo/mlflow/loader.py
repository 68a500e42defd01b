"""The loader that ``mlflow models serve``, ``mlflow.pyfunc.load_model`` and ``spark_udf`` import.

A loaded model checks each request before it reaches the estimator.
"""

import math
import os
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import DEADLINE_EXCEEDED

from lstmzoo.contracts import Servable, check_contract
from lstmzoo.errors import DataError, LstmzooError, UnknownNameError
from lstmzoo.estimators import load
from lstmzoo.limits import ServingLimits
from lstmzoo.mlflow._base import one_line
from lstmzoo.options import checked_params, shown, truncated
from lstmzoo.turns import REQUEST, Queue, Request, RequestEnded, RequestTurn, working_by

IN_SERVING = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"
_ISO = "times as ISO 8601 text, such as '2026-01-31T00:00:00'"


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any] | None = None) -> "ServedModel":
    """Return the saved model of a folder with MLflow's ``predict``.

    Raises:
        SavedModelError: If the folder is damaged or has a newer format.
        MlflowException: If a ``model_config`` is given, which these models do not take.
    """
    if model_config:
        raise _refusal(f"lstmzoo models take no model_config, got {', '.join(map(str, model_config))}")
    return ServedModel(cast(Servable, load(data_path)))


class ServedModel:
    """A fitted estimator with MLflow's ``predict``, which takes raw rows and answers in the user's units.

    A request must have the columns of the estimator's example, with the same types, and missing values only where the
    estimator accepts them. Its parameters are checked against the estimator's declarations.

    Requests of several threads take turns: between two blocks of work, a long request lets others go first.

    Args:
        estimator: A fitted estimator.
        limits: Limits of requests. If None, the defaults apply within MLflow's scoring server, with its timeout, and no limits
            elsewhere, such as in a batch job.
    """

    def __init__(self, estimator: Servable, limits: ServingLimits | None = None) -> None:
        check_contract(estimator, Servable)
        example = estimator.serving_example()
        self.estimator = estimator
        nullable = estimator.serving_nullable()
        self.columns = {str(name): _Column(str(name), example[name], name in nullable) for name in example.columns}
        self._limits = limits
        self._queue = Queue()

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the estimator's answer.

        Args:
            model_input: A frame of raw rows. Times can be ISO 8601 text, as in JSON.
            params: Values by name; the others have the estimator's defaults.

        Raises:
            MlflowException: With the code ``INVALID_PARAMETER_VALUE`` (HTTP 400) and one sentence if the
                request is refused, or ``DEADLINE_EXCEEDED`` (HTTP 504) if it takes too long.
        """
        limits = self._limits_now()
        request = REQUEST.get() or Request(limits.timeout if limits else math.inf)
        try:
            if limits is not None:
                limits.check_rows(len(model_input) if isinstance(model_input, pd.DataFrame) else 1)
            frame = self._checked_frame(model_input)
            values = checked_params(self.estimator.serving_schema(), params)
            if limits is not None:
                limits.check_steps(*self.estimator.serving_steps(frame, values))
            answer = self._served(frame, values, request)
            _check_finite(answer)
        except LstmzooError as error:
            raise _refusal(str(error)) from error
        except RequestEnded as ended:
            raise MlflowException(str(ended), DEADLINE_EXCEEDED, detail=str(ended)) from None
        return answer

    def _served(self, frame: pd.DataFrame, values: dict[str, Any], request: Request) -> pd.DataFrame:
        quiet = np.errstate(all="ignore")  # overflows are found in the answer
        with RequestTurn(self._queue, request) as turn, working_by(turn), quiet:
            return self.estimator.serve(frame, values)

    def _limits_now(self) -> ServingLimits | None:
        if self._limits is not None or os.environ.get(IN_SERVING) != "true":
            return self._limits
        return ServingLimits(timeout=MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.get())

    def _checked_frame(self, model_input: Any) -> pd.DataFrame:
        if not isinstance(model_input, pd.DataFrame):
            kind = type(model_input).__name__
            raise DataError(f"expected a frame with the columns {', '.join(self.columns)}, got {kind}")
        if not len(model_input):
            raise DataError("the request has no rows")
        names = list(model_input.columns)
        for name in names:
            if name not in self.columns:
                raise UnknownNameError("column", truncated(name), self.columns)
        for name in self.columns:
            if names.count(name) != 1:
                raise DataError(f"column {name!r} is {'there twice' if name in names else 'missing'}")
        checked = {name: column.checked(model_input[name]) for name, column in self.columns.items()}
        return pd.DataFrame(checked)


_NULLABLE = {"integer": "Int64", "boolean": "boolean"}  # float64 loses digits beyond 2**53


class _Column:
    """A column of requests: its name and type, and whether it can have missing values."""

    def __init__(self, name: str, example: pd.Series, nullable: bool) -> None:
        self.name = name
        self.nullable = nullable
        self.kind = _kind(example)
        self.tz = example.dt.tz if isinstance(example.dtype, pd.DatetimeTZDtype) else None

    def checked(self, column: pd.Series) -> pd.Series:
        """Return the column with the type that the estimator takes.

        Raises:
            DataError: If a value is missing or has another type; the message names the row.
        """
        column = column.reset_index(drop=True)
        missing = column.isna().to_numpy()
        if missing.any() and not self.nullable:
            row = int(missing.argmax())
            raise DataError(f"column {self.name!r} has a missing value (NaN or null) in row {row}")
        values = getattr(self, f"_{self.kind}")(column[~missing])
        return values.astype(_NULLABLE.get(self.kind, values.dtype)).reindex(column.index) if missing.any() else values

    def _other(self, column: pd.Series) -> pd.Series:
        return column

    def _text(self, column: pd.Series) -> pd.Series:
        if not isinstance(column.dtype, pd.StringDtype):
            self._require(column, _instances(column, str), "text")
        return column

    def _boolean(self, column: pd.Series) -> pd.Series:
        if not pd.api.types.is_bool_dtype(column):
            self._require(column, _instances(column, bool), "true or false")
        return column.astype(bool)

    def _integer(self, column: pd.Series) -> pd.Series:
        what = "whole numbers of at most 64 bits"
        if not pd.api.types.is_integer_dtype(column):
            self._require(column, _instances(column, int | np.integer) & ~_instances(column, bool), what)
        self._require(column, np.array([-(2**63) <= int(value) < 2**63 for value in column]), what)
        return column.astype(np.int64)

    def _number(self, column: pd.Series) -> pd.Series:
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            numbers = _instances(column, int | float | np.number) & ~_instances(column, bool)
            self._require(column, numbers, "numbers")
        try:
            values = column.astype(np.float64)
        except OverflowError:
            raise DataError(f"column {self.name!r} must hold numbers of at most 64 bits") from None
        self._require(column, np.isfinite(values.to_numpy()), "finite numbers")
        return values

    def _time(self, column: pd.Series) -> pd.Series:
        times = column if pd.api.types.is_datetime64_any_dtype(column) else self._parsed(column)
        if self.tz is not None:
            return (times if times.dt.tz is not None else times.dt.tz_localize("UTC")).dt.tz_convert(self.tz)
        if times.dt.tz is not None:
            raise DataError(f"column {self.name!r} has a time zone; the model was trained on times without one")
        return times

    def _parsed(self, column: pd.Series) -> pd.Series:
        """Parse text as times; in a model with a time zone, text without an offset is UTC, as in MLflow."""
        if pd.api.types.infer_dtype(column) in ("date", "datetime", "datetime64"):
            return pd.to_datetime(column)
        self._require(column, _instances(column, str), _ISO)
        try:
            return pd.to_datetime(column, format="ISO8601", utc=self.tz is not None)
        except (ValueError, OverflowError):
            times = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
            self._require(column, times.notna().to_numpy(), _ISO)
            raise DataError(f"column {self.name!r} mixes times with different UTC offsets, or none") from None

    def _require(self, column: pd.Series, fits: np.ndarray, what: str) -> None:
        if not fits.all():
            at = int(fits.argmin())
            held = shown(column.iloc[at])
            raise DataError(f"column {self.name!r} must hold {what}; row {column.index[at]} holds {held}")


def _kind(example: pd.Series) -> str:
    types = pd.api.types
    tests = {
        "boolean": types.is_bool_dtype,
        "integer": types.is_integer_dtype,
        "number": types.is_float_dtype,
        "time": types.is_datetime64_any_dtype,
    }
    for kind, test in tests.items():
        if test(example):
            return kind
    inferred = types.infer_dtype(example.astype(object))
    return {"string": "text", "date": "time", "datetime": "time"}.get(inferred, "other")


def _instances(column: pd.Series, types: Any) -> np.ndarray:
    return np.fromiter((isinstance(value, types) for value in column), dtype=bool, count=len(column))


def _check_finite(answer: pd.DataFrame) -> None:
    if not np.isfinite(answer.select_dtypes("number").to_numpy(dtype=float)).all():
        raise DataError("the model's answer is not finite: these values are too far from what it was trained on")


def _refusal(sentence: str) -> MlflowException:
    """Return the error of a refused request. MLflow's server rewrites its message, but keeps ``detail``."""
    sentence = one_line(sentence)
    return MlflowException.invalid_parameter_value(sentence, detail=sentence)
