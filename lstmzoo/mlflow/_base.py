"""What the flavor, the loader, tracking and serving share: raw requests, model folders, and the tracking store."""

import hashlib
import importlib
import json
import logging
import os
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.exceptions import MlflowException

from lstmzoo.errors import DataError, LstmzooError, SavedModelError, UnknownNameError

with warnings.catch_warnings():  # MLflow, of a type hint of its own
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    importlib.import_module("mlflow.pyfunc")

LOADER = "lstmzoo.mlflow.loader"
_MAX_MLMODEL_BYTES = 1 << 20
_MAX_SENTENCE = 400


class ServedModel:
    """A fitted estimator behind MLflow's ``predict``: raw rows in, the user's terms out.

    Each request is checked before the estimator sees it, against the estimator's own example: the same columns, of
    the same kinds, and no missing values; and no parameters but its own.

    Args:
        estimator: Fitted; any class that has the serving hooks.
    """

    def __init__(self, estimator: Any) -> None:
        example = estimator.serving_example()
        self.estimator = estimator
        self.columns = {str(name): _Column(str(name), example[name]) for name in example.columns}
        self.params = dict(estimator.serving_params())
        self._lock = threading.Lock()

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The estimator's answer.

        Args:
            model_input: A frame of raw rows. Times may be ISO 8601 text, as JSON has no other way.
            params: Values by name; those left out have the estimator's defaults.

        Raises:
            MlflowException: With the code ``INVALID_PARAMETER_VALUE`` (HTTP 400) and one sentence, if the request cannot be
                answered.
        """
        try:
            frame, values = self._checked_frame(model_input), self._checked_params(params)
            with self._lock:
                answer = self.estimator.serve(frame, values)
            _check_finite(answer)
        except LstmzooError as error:
            raise refusal(str(error)) from error
        return answer

    def _checked_frame(self, model_input: Any) -> pd.DataFrame:
        if not isinstance(model_input, pd.DataFrame):
            raise DataError(
                f"expected a frame with the columns {', '.join(self.columns)}, got {type(model_input).__name__}"
            )
        names = list(model_input.columns)
        for name in names:
            if name not in self.columns:
                raise UnknownNameError("column", short(name), self.columns)
        for name in self.columns:
            if names.count(name) != 1:
                raise DataError(f"column {name!r} is {'there twice' if name in names else 'missing'}")
        if not len(model_input):
            raise DataError("the request has no rows")
        return pd.DataFrame(
            {name: column.checked(model_input[name]) for name, column in self.columns.items()}
        )

    def _checked_params(self, params: Mapping[str, Any] | None) -> dict[str, Any]:
        if not isinstance(params, Mapping | None):
            raise DataError(f"params must be names with values, got {type(params).__name__}")
        for name in params or {}:
            if name not in self.params:
                raise UnknownNameError("parameter", short(name), self.params)
        return {
            name: _checked_param(name, (params or {}).get(name, value), value)
            for name, value in self.params.items()
        }


class _Column:
    """One column of the requests that a model takes: its name, and what an example of it holds."""

    def __init__(self, name: str, example: pd.Series) -> None:
        self.name = name
        self.kind = _kind(example)
        self.tz = example.dt.tz if isinstance(example.dtype, pd.DatetimeTZDtype) else None

    def checked(self, column: pd.Series) -> pd.Series:
        """The column as the estimator takes it.

        Raises:
            DataError: If a value is missing or of another kind; the message names the row.
        """
        column = column.reset_index(drop=True)
        missing = column.isna().to_numpy()
        if missing.any():
            raise DataError(
                f"column {self.name!r} has a missing value (NaN or null) in row {int(missing.argmax())}"
            )
        return getattr(self, f"_{self.kind}")(column)

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
        fits = _instances(column, int | np.integer) & ~_instances(column, bool)
        if pd.api.types.is_integer_dtype(column):
            fits = (column <= np.iinfo(np.int64).max).to_numpy()
        self._require(column, fits, "whole numbers of at most 64 bits")
        try:
            return column.astype(np.int64)
        except OverflowError:
            raise DataError(f"column {self.name!r} must hold whole numbers of at most 64 bits") from None

    def _number(self, column: pd.Series) -> pd.Series:
        if (
            column.dtype == object
            or not pd.api.types.is_numeric_dtype(column)
            or pd.api.types.is_bool_dtype(column)
        ):
            self._require(
                column, _instances(column, int | float | np.number) & ~_instances(column, bool), "numbers"
            )
        try:
            numbers = column.astype(np.float64)
        except OverflowError:
            raise DataError(f"column {self.name!r} must hold numbers of at most 64 bits") from None
        self._require(column, np.isfinite(numbers.to_numpy()), "finite numbers")
        return numbers

    def _time(self, column: pd.Series) -> pd.Series:
        times = column
        if not pd.api.types.is_datetime64_any_dtype(column):
            text = isinstance(column.dtype, pd.StringDtype)
            if not text and pd.api.types.infer_dtype(column) not in ("date", "datetime", "datetime64"):
                self._require(
                    column, _instances(column, str), "times as ISO 8601 text, such as '2026-01-31T00:00:00'"
                )
                text = True
            times = self._parsed(column) if text else pd.to_datetime(column)
        if self.tz is None:
            if times.dt.tz is not None:
                raise DataError(
                    f"column {self.name!r} has a time zone, but the model was trained on times without one"
                )
            return times
        return (times.dt.tz_localize("UTC") if times.dt.tz is None else times).dt.tz_convert(self.tz)

    def _parsed(self, column: pd.Series) -> pd.Series:
        """Text as times; in a model with a time zone, text without an offset is in UTC, as MLflow has it."""
        try:
            return pd.to_datetime(column, format="ISO8601", utc=self.tz is not None)
        except (ValueError, OverflowError):
            fits = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce").notna().to_numpy()
            self._require(column, fits, "times as ISO 8601 text, such as '2026-01-31T00:00:00'")
            raise DataError(
                f"column {self.name!r} mixes times with and without a UTC offset, or several offsets"
            ) from None

    def _require(self, column: pd.Series, fits: np.ndarray, what: str) -> None:
        if not fits.all():
            row = int(fits.argmin())
            raise DataError(
                f"column {self.name!r} must hold {what}; row {row} holds {short(column.iloc[row])!r}"
            )


def _kind(example: pd.Series) -> str:
    types = pd.api.types
    tests = {
        "boolean": types.is_bool_dtype,
        "integer": types.is_integer_dtype,
        "number": types.is_float_dtype,
    }
    tests["time"] = types.is_datetime64_any_dtype
    for kind, test in tests.items():
        if test(example):
            return kind
    inferred = types.infer_dtype(example.astype(object))
    return {"string": "text", "date": "time", "datetime": "time"}.get(inferred, "other")


def _instances(column: pd.Series, types: Any) -> np.ndarray:
    return np.fromiter((isinstance(value, types) for value in column), dtype=bool, count=len(column))


def _checked_param(name: str, value: Any, default: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(default, list | tuple):
        if not isinstance(value, list | tuple):
            raise DataError(f"parameter {name!r} must be a list, got {short(value)!r}")
        return [_checked_param(name, item, default[0]) for item in value] if default else list(value)
    for kind, allowed, what in _SCALARS:
        if isinstance(default, kind):
            if not isinstance(value, allowed) or isinstance(value, bool) != isinstance(default, bool):
                raise DataError(f"parameter {name!r} must be {what}, got {short(value)!r}")
            return value
    return value


_SCALARS: tuple[tuple[type, Any, str], ...] = (
    (bool, bool, "true or false"),
    (int, int, "a whole number"),
    (float, int | float, "a number"),
    (str, str, "text"),
)


def _check_finite(answer: pd.DataFrame) -> None:
    numbers = answer.select_dtypes("number")
    if not np.isfinite(numbers.to_numpy(dtype=float)).all():
        raise DataError(
            "the model's answer to these rows is not finite: their values are too far from what it was trained on"
        )


def refusal(sentence: str) -> MlflowException:
    """A refused request. MLflow rewrites the message of what a model raises, but sends ``detail`` as it is."""
    sentence = one_line(sentence)
    return MlflowException.invalid_parameter_value(sentence, detail=sentence)


def one_line(text: str) -> str:
    """Text as one line of bounded length.

    Examples:
        >>> one_line("first\\n  second")
        'first second'
    """
    text = " ".join(text[: 4 * _MAX_SENTENCE].split())
    return text if len(text) <= _MAX_SENTENCE else f"{text[: _MAX_SENTENCE - 3]}..."


def short(value: Any, width: int = 40) -> Any:
    """A value of the user's as it may appear in a message: what is long is cut."""
    if isinstance(value, list | tuple | dict | np.ndarray):
        return f"{type(value).__name__} of {len(value)}"
    text = value if isinstance(value, str) else str(value)
    return f"{text[: width - 3]}..." if len(text) > width else value


def fetch_bundle(model: str | os.PathLike[str], destination: Path, tracking_uri: str | None = None) -> Path:
    """A copy of the saved model that a folder or MLflow URI holds; loading it checks its hashes.

    Args:
        model: A folder that an estimator saved, an MLflow model folder, or a URI such as ``models:/name@champion``.
        destination: An existing private folder, to copy into.
        tracking_uri: Where URIs are looked up.

    Raises:
        SavedModelError: If there is no such model, or it is not of this flavor.
    """
    folder = Path(model)
    if not folder.exists() and ":" in str(model):
        folder = _download(str(model), destination / "download", tracking_uri)
    if not folder.is_dir():
        raise SavedModelError(
            f"{model}: no such folder, and not an MLflow URI such as 'models:/name@champion'"
        )
    copy = destination / "model"
    try:
        shutil.copytree(
            _data_folder(folder) if (folder / "MLmodel").exists() else folder, copy, symlinks=True
        )
    except (OSError, shutil.Error) as error:
        raise SavedModelError(f"{model} cannot be copied: {one_line(str(error))}") from None
    return copy


def _download(uri: str, destination: Path, tracking_uri: str | None) -> Path:
    destination.mkdir()
    with connection(tracking_uri, timeout=60):
        try:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(destination)))
        except Exception as error:  # each artifact store has errors of its own
            raise SavedModelError(f"{uri} cannot be fetched: {one_line(str(error))}") from error


def _data_folder(folder: Path) -> Path:
    """Where an MLflow model folder keeps the saved model; the loader that it names is never imported from here."""
    path = folder / "MLmodel"
    try:
        if path.is_symlink() or path.stat().st_size > _MAX_MLMODEL_BYTES:
            raise SavedModelError(f"{path} is not a plain file of at most {_MAX_MLMODEL_BYTES} bytes")
        flavor = yaml.safe_load(path.read_text(encoding="utf-8"))["flavors"]["python_function"]
        loader, data, code = flavor["loader_module"], Path(flavor["data"]), flavor.get("code")
    except (OSError, UnicodeError, yaml.YAMLError, KeyError, TypeError, RecursionError):
        raise SavedModelError(f"{path} is not the description of a pyfunc model") from None
    if loader != LOADER or code:
        raise SavedModelError(
            f"{folder} is an MLflow model of another kind: its loader is {short(loader)!r}, not {LOADER!r}"
        )
    if (
        data.is_absolute()
        or ".." in data.parts
        or any((folder / p).is_symlink() for p in [data, *data.parents])
    ):
        raise SavedModelError(f"{path} points outside its own folder")
    return folder / data


def resolve_tracking_uri(tracking_uri: str | None = None) -> str:
    """The URI given, else the one that MLflow has been told, else ``mlflow.db`` in the working directory.

    SQLite files are made absolute, so that changing the directory later does not start a second store.

    Examples:
        >>> resolve_tracking_uri("sqlite:////tmp/mlflow.db")
        'sqlite:////tmp/mlflow.db'
    """
    if tracking_uri is None and mlflow.is_tracking_uri_set():
        tracking_uri = mlflow.get_tracking_uri()
    uri = tracking_uri or "sqlite:///mlflow.db"
    file = sqlite_file(uri)
    return uri if file is None else f"sqlite:///{file.as_posix()}"


def sqlite_file(tracking_uri: str) -> Path | None:
    """The absolute path of a SQLite store, if it is one."""
    prefix = "sqlite:///"
    return Path(tracking_uri.removeprefix(prefix)).absolute() if tracking_uri.startswith(prefix) else None


@contextmanager
def connection(tracking_uri: str | None, timeout: int) -> Iterator[str]:
    """Point MLflow at a tracking store for a while, quietly; yields its URI.

    A server that is away costs ``timeout`` seconds and no retries, where MLflow by itself tries for minutes. What the
    user's environment says comes first.
    """
    uri = resolve_tracking_uri(tracking_uri)
    ours = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_UV_AUTO_DETECT": "false",  # else the working directory's uv.lock travels with the model
    }
    before = {name: os.environ.get(name) for name in [*ours, "MLFLOW_TRACKING_URI"]}
    logger = logging.getLogger("mlflow")
    level = logger.level
    os.environ.update({name: value for name, value in ours.items() if before[name] is None})
    logger.setLevel(max(level, logging.WARNING))
    try:
        mlflow.set_tracking_uri(uri)
        with warnings.catch_warnings():  # of what MLflow itself uses that pandas and SQLAlchemy deprecate
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(mlflow|sqlalchemy)\b")
            yield uri
    finally:
        logger.setLevel(level)
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def bundle_digest(folder: Path) -> str:
    """SHA-256 over the hashes of a saved model's files."""
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
