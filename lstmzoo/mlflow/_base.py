"""Copies of saved models, and connections to tracking stores."""

import hashlib
import importlib
import json
import logging
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import yaml

from lstmzoo.environ import environment
from lstmzoo.errors import SavedModelError
from lstmzoo.estimators import load
from lstmzoo.estimators._base import ZooEstimator
from lstmzoo.folders import consistently, identity, is_folder
from lstmzoo.mlflow._stores import check_writable, sqlite_file, tried_once
from lstmzoo.mlflow.defaults import ALIAS, EXPERIMENT
from lstmzoo.mlflow.names import check_alias, check_experiment, check_registered_name
from lstmzoo.saving import is_bundle

with warnings.catch_warnings():  # about a type hint of MLflow's own
    warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)
    importlib.import_module("mlflow.pyfunc")

__all__ = [
    "ALIAS", "EXPERIMENT", "LOADER", "as_text", "bundle_digest", "check_alias", "check_experiment", "check_registered_name",
    "connection",
    "fetch_model", "one_line", "resolve_tracking_uri", "sqlite_file",
]  # fmt: skip
_connecting = threading.RLock()  # MLflow's settings apply to the whole process
LOADER = "lstmzoo.mlflow.loader"
_MAX_MLMODEL_BYTES = 1 << 20
_MAX_SENTENCE = 400
_MAX_TEXT = 5000


def one_line(text: str) -> str:
    """Return text as one line of at most 400 characters.

    Examples:
        >>> one_line("first\\n  second")
        'first second'
    """
    text = " ".join(text[: 4 * _MAX_SENTENCE].split())
    return text if len(text) <= _MAX_SENTENCE else f"{text[: _MAX_SENTENCE - 3]}..."


def as_text(value: Any) -> str:
    """Return a value as the text of a parameter or tag in MLflow."""
    return str(value)[:_MAX_TEXT]


def fetch_model(model: str | os.PathLike[str], tracking_uri: str | None = None) -> ZooEstimator:
    """Return the estimator in a folder or at an MLflow URI, which is copied before it is verified.

    Args:
        model: A saved model's folder, an MLflow model folder, or a URI (``models:/name@champion``).
        tracking_uri: MLflow store in which URIs are resolved.

    Raises:
        SavedModelError: If there is no such model, it has another flavor, or it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="lstmzoo-") as private:
        copy = _copy_bundle(model, Path(private), tracking_uri)
        try:
            return load(copy)
        except SavedModelError as error:
            raise SavedModelError(str(error).replace(str(copy), str(model))) from error


def _copy_bundle(model: str | os.PathLike[str], destination: Path, tracking_uri: str | None) -> Path:
    folder = Path(model)
    if not folder.exists() and ":" in str(model):
        folder = _download(str(model), destination / "download", tracking_uri)
    if not is_folder(folder):
        raise SavedModelError(f"{model}: no such folder, and no MLflow URI such as 'models:/name@champion'")
    source = _data_folder(folder) if (folder / "MLmodel").exists() else folder
    if not is_bundle(source):
        raise SavedModelError(f"{model} is not a saved model: it has no manifest.json that lists its files")
    copy = destination / "model"

    def copy_whole() -> None:
        before = identity(source)
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(source, copy, symlinks=True)
        except (OSError, shutil.Error) as error:
            raise SavedModelError(f"{model} cannot be copied: {one_line(str(error))}") from None
        if identity(source) != before:
            raise SavedModelError(f"{model} was replaced while it was being copied")

    consistently(source, copy_whole)
    return copy


def _download(uri: str, destination: Path, tracking_uri: str | None) -> Path:
    destination.mkdir()
    with connection(tracking_uri, timeout=60, write=False):
        _check_store_exists(uri)
        try:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(destination)))
        except Exception as error:  # each artifact store has its own errors
            raise SavedModelError(f"{uri} cannot be fetched: {one_line(str(error))}") from error


def _check_store_exists(uri: str) -> None:
    """Refuse a SQLite store that does not exist, which MLflow would create."""
    if uri.startswith(("models:", "runs:")):
        store = mlflow.get_registry_uri() if uri.startswith("models:") else mlflow.get_tracking_uri()
        file = sqlite_file(store)
        if file is not None and "?" not in file.name and not file.exists():
            raise SavedModelError(f"{uri} cannot be fetched: there is no tracking store {store}")


def _data_folder(folder: Path) -> Path:
    """Return the folder of the saved model in an MLflow model folder, without importing the loader that it names."""
    path = folder / "MLmodel"
    try:
        if path.is_symlink() or path.stat().st_size > _MAX_MLMODEL_BYTES:
            raise SavedModelError(f"{path} is not a plain file of at most {_MAX_MLMODEL_BYTES} bytes")
        flavor = yaml.safe_load(path.read_text(encoding="utf-8"))["flavors"]["python_function"]
        loader, data, code = flavor["loader_module"], Path(flavor["data"]), flavor.get("code")
    except SavedModelError:  # is a ValueError
        raise
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError):
        raise SavedModelError(f"{path} is not the description of a pyfunc model") from None
    if loader != LOADER or code:
        raise SavedModelError(f"{folder} is an MLflow model of another kind: its loader is not {LOADER}")
    links = [place for place in (data, *data.parents) if (folder / place).is_symlink() and place.parts]
    if data.is_absolute() or ".." in data.parts or links:
        raise SavedModelError(f"{path} points outside its own folder")
    return folder / data


def resolve_tracking_uri(tracking_uri: str | None = None) -> str:
    """Return the URI if it is given, otherwise MLflow's current one, otherwise ``mlflow.db`` in the working directory.

    Paths of SQLite files are made absolute, so that a later change of the directory does not create a second store.

    Examples:
        >>> resolve_tracking_uri("sqlite:////tmp/mlflow.db")
        'sqlite:////tmp/mlflow.db'
    """
    if tracking_uri is None and mlflow.is_tracking_uri_set():
        tracking_uri = mlflow.get_tracking_uri()
    uri = tracking_uri or "sqlite:///mlflow.db"
    file = sqlite_file(uri)
    return uri if file is None else f"sqlite:///{file.as_posix()}"


@contextmanager
def connection(tracking_uri: str | None, timeout: int, *, write: bool = True) -> Iterator[str]:
    """Set MLflow's tracking store within the context, without output; yields its URI.

    A request to a server is not retried and ends after ``timeout`` seconds; MLflow itself would retry for minutes. The
    user's environment variables take precedence.

    Args:
        tracking_uri: The store; see :func:`resolve_tracking_uri`.
        timeout: Seconds of one request to a server, at most.
        write: Whether something will be written.

    Raises:
        MlflowException: If the store is a SQLite file that cannot be written.
    """
    with _connecting:
        yield from _connected(tracking_uri, timeout, write)


def _connected(tracking_uri: str | None, timeout: int, write: bool) -> Iterator[str]:
    uri = resolve_tracking_uri(tracking_uri)
    if write:
        check_writable(uri)
    ours = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_UV_AUTO_DETECT": "false",  # otherwise the working directory's uv.lock is saved with the model
    }
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    unset = {name: value for name, value in ours.items() if name not in os.environ}
    with environment("MLFLOW_TRACKING_URI", **unset):
        try:
            mlflow.set_tracking_uri(uri)
            with warnings.catch_warnings():  # about MLflow's own use of pandas and SQLAlchemy
                warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(mlflow|sqlalchemy)\b")
                with tried_once():
                    yield uri
        finally:
            logger.setLevel(level)
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def bundle_digest(folder: Path) -> str:
    """Return the SHA-256 of the hashes of a saved model's files."""
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
