"""The flavor: fitted estimators as MLflow models, with signature and input example, and without pickle."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from lstmzoo import saving
from lstmzoo._version import __version__
from lstmzoo.contracts import Trackable
from lstmzoo.mlflow._base import (
    ALIAS,
    LOADER,
    as_text,
    bundle_digest,
    check_alias,
    check_registered_name,
    connection,
    fetch_model,
    one_line,
)
from lstmzoo.options import ServingParam

_TYPES = {int: DataType.long, float: DataType.double, str: DataType.string, list: DataType.double}
_logger = logging.getLogger(__name__)
_DIGEST = "lstmzoo.bundle"
_PINNED = (
    "keras",
    "mlflow",
    "narwhals",
    "numpy",
    "pandas",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tokenizers",
)


def save_model(estimator: Trackable, path: str | Path) -> None:
    """Write a fitted estimator as an MLflow model folder, which ``mlflow models serve -m <path>`` takes.

    Args:
        estimator: Fitted.
        path: The folder; it must not exist, or be empty.

    Raises:
        NotFittedError: If the estimator is not fitted.
        MlflowException: If the folder is not empty.
    """
    with connection(None, timeout=60), _pyfunc_arguments(estimator) as (_, arguments):
        mlflow.pyfunc.save_model(str(path), **arguments)


def log_model(
    estimator: Trackable,
    name: str = "model",
    *,
    registered_model_name: str | None = None,
    alias: str | None = ALIAS,
    run_id: str | None = None,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    tracking_uri: str | None = None,
) -> ModelInfo:
    """Log a fitted estimator to a run, and register it.

    Doing it again adds nothing: an equal model of the same run is reused, and so is its version.

    Args:
        estimator: Fitted.
        name: Of the model in its run.
        registered_model_name: Register it under this name.
        alias: Points to the new version of the registered model, such as ``models:/<name>@champion``.
        run_id: The run; if None, the active run, or else a new one.
        description: Of a new version of the registered model; if None, what the model is and what it was trained on.
        tags: Of a new version, beside ``task``, ``model`` and ``data_digest``.
        tracking_uri: If None, as MLflow is set, or else ``mlflow.db`` in the working directory.

    Returns:
        What ``mlflow.pyfunc.log_model`` returns.

    Raises:
        NotFittedError: If the estimator is not fitted.
        ConfigError: If MLflow does not take the registered name or the alias.
        MlflowException: If the store cannot be reached, or refuses.
    """
    check_registered_name(registered_model_name)
    check_alias(alias)
    with (
        connection(tracking_uri, timeout=60),
        _pyfunc_arguments(estimator) as (digest, arguments),
        _run(run_id) as run,
    ):
        info = _logged_before(run, digest)
        if info is None:
            params = {key: as_text(value) for key, value in _params(estimator).items()}
            info = mlflow.pyfunc.log_model(name=name, tags={_DIGEST: digest}, params=params, **arguments)
        if registered_model_name is not None:
            about = {
                "description": description or _description(estimator),
                "tags": {key: as_text(value) for key, value in {**_facts(estimator), **(tags or {})}.items()},
            }
            info.registered_model_version = _register(info, registered_model_name, alias, about)
    return info


def log_champion(
    estimator: Trackable,
    *,
    parent_run_id: str | None,
    registered_model_name: str | None = None,
    alias: str = ALIAS,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
    tracking_uri: str | None = None,
) -> str | None:
    """Log the winner of a search to the search's run, and register it. MLflow being away is only a warning.

    Args:
        estimator: Fitted.
        parent_run_id: What :func:`lstmzoo.mlflow.log_search` returned; with None, nothing is done.
        registered_model_name: Register it under this name.
        alias: Points to the new version.
        description: As for :func:`log_model`.
        tags: As for :func:`log_model`.
        tracking_uri: As for :func:`log_model`.

    Returns:
        The model's URI, or None if MLflow was away: call again later.

    Raises:
        ConfigError: If MLflow does not take the registered name or the alias.
    """
    check_registered_name(registered_model_name)
    check_alias(alias)
    if parent_run_id is None:
        return None
    try:
        with connection(tracking_uri, timeout=5):
            MlflowClient().get_run(parent_run_id)  # fails in seconds if the server is away, before anything is saved
        info = log_model(
            estimator,
            registered_model_name=registered_model_name,
            alias=alias,
            run_id=parent_run_id,
            description=description,
            tags=tags,
            tracking_uri=tracking_uri,
        )
    except Exception as error:  # whatever MLflow, its store or the network raises: the search's own result stands
        _logger.warning("the champion was not logged to MLflow: %s", one_line(str(error)))
        return None
    if info.registered_model_version is None:
        return str(info.model_uri)
    return f"models:/{registered_model_name}/{info.registered_model_version}"


def load_model(model_uri: str | Path, *, tracking_uri: str | None = None) -> Any:
    """The estimator in an MLflow model, verified; nothing that came with it is executed or unpickled.

    Args:
        model_uri: A URI such as ``models:/<name>@champion`` or ``runs:/<run_id>/model``, or a folder.
        tracking_uri: Where URIs are looked up.

    Raises:
        SavedModelError: If there is no such model, it is not of this flavor, or it is damaged.
    """
    return fetch_model(model_uri, tracking_uri)


@dataclass(frozen=True)
class _Run:
    id: str
    models: tuple[str, ...]


@contextmanager
def _run(run_id: str | None) -> Iterator[_Run]:
    """The run to log to; a run that is active stays active."""
    active = mlflow.active_run()
    if active is not None and run_id in (None, active.info.run_id):
        run = MlflowClient().get_run(active.info.run_id)
        yield _as_run(run)
        return
    with mlflow.start_run(run_id=run_id, nested=active is not None) as run:
        yield _as_run(run)


def _as_run(run: Any) -> _Run:
    outputs = run.outputs.model_outputs if run.outputs else []
    return _Run(run.info.run_id, tuple(output.model_id for output in outputs))


@contextmanager
def _pyfunc_arguments(estimator: Trackable) -> Iterator[tuple[str, dict[str, Any]]]:
    """The digest of the saved estimator, and what MLflow is called with while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="lstmzoo-") as private:
        folder = Path(private) / "model"
        estimator.save(folder)
        example, params = _as_mlflow_has_it(estimator.serving_example()), estimator.serving_params()
        config = getattr(estimator, "config_", None)
        metadata = {
            "task": estimator.task,
            "model": config.name if config is not None else type(estimator).__name__,
            "format": saving.FORMAT,
            "lstmzoo": __version__,
            "data_digest": getattr(estimator, "data_digest_", None),
        }
        yield (
            bundle_digest(folder),
            {
                "loader_module": LOADER,
                "data_path": str(folder),
                "signature": _signature(estimator, example),
                "input_example": (example, params) if params else example,
                "pip_requirements": pip_requirements(),
                "metadata": metadata,
            },
        )


def _signature(estimator: Trackable, example: pd.DataFrame) -> ModelSignature:
    answer = estimator.serve(estimator.serving_example(), {})
    nullable = estimator.serving_nullable()
    with warnings.catch_warnings():  # of integer columns, which are times or names here and never missing
        warnings.filterwarnings("ignore", "Hint: Inferred schema contains integer column", UserWarning)
        whole = example.ffill()  # MLflow cannot tell the type of text with gaps
        signature = infer_signature(whole, _as_mlflow_has_it(answer))
    inputs = Schema([ColSpec(spec.type, spec.name, required=spec.name not in nullable) for spec in signature.inputs])
    return ModelSignature(
        inputs, signature.outputs, ParamSchema([_spec(param) for param in estimator.serving_schema()])
    )


def _spec(param: ServingParam) -> ParamSpec:
    return ParamSpec(param.name, _TYPES[param.type], param.default, (-1,) if param.type is list else None)


def _as_mlflow_has_it(frame: pd.DataFrame) -> pd.DataFrame:
    """Times in UTC and without a time zone, the only kind that a signature can say."""
    zoned = frame.select_dtypes("datetimetz")
    naive = {str(name): zoned[name].dt.tz_convert("UTC").dt.tz_localize(None) for name in zoned}
    return frame.assign(**naive)


def pip_requirements() -> list[str]:
    """lstmzoo and what its predictions depend on, as they are installed; nothing is inferred.

    Examples:
        >>> pip_requirements()
        ['lstmzoo==...', 'keras==...', ..., 'tensorflow==...']
    """
    pinned = [f"lstmzoo=={__version__}"]
    for name in _PINNED:
        try:
            pinned.append(f"{name}=={version(name)}")
        except PackageNotFoundError:  # another distribution of the same package, such as tensorflow-cpu
            continue
    return pinned


def _logged_before(run: _Run, digest: str) -> ModelInfo | None:
    client = MlflowClient()
    for model_id in run.models:
        model = client.get_logged_model(model_id)
        if model.tags.get(_DIGEST) == digest and model.status == LoggedModelStatus.READY:
            return mlflow.models.get_model_info(model.model_uri)
    return None


def _facts(estimator: Trackable) -> dict[str, Any]:
    """What can be said of a fitted estimator in tags."""
    config = getattr(estimator, "config_", None)
    facts = {
        "task": estimator.task,
        "model": config.name if config is not None else type(estimator).__name__,
        "data_digest": getattr(estimator, "data_digest_", None),
    }
    return {key: value for key, value in facts.items() if value is not None}


def _params(estimator: Trackable) -> dict[str, Any]:
    """The parameters of a fitted estimator, and the entry's resolved settings."""
    params = {key: value for key, value in estimator.get_params(deep=False).items() if key != "hyperparameters"}
    config = getattr(estimator, "config_", None)
    return params if config is None else {**params, **config.settings, "model": config.name}


def _description(estimator: Trackable) -> str:
    facts = _facts(estimator)
    data = f", trained on the data {facts['data_digest'][:12]}" if "data_digest" in facts else ""
    size = f"{estimator.num_parameters_:,} parameters"
    return f"{type(estimator).__name__} {facts['model']} of {size}{data}, by lstmzoo {__version__}"


def _register(info: ModelInfo, name: str, alias: str | None, about: dict[str, Any]) -> str:
    """The version of the registered model that is this one, made if there is none."""
    client = MlflowClient()
    made_name = True
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        made_name = False
    try:
        version = _version(client, info, name, about)
    except BaseException:
        if made_name:
            _remove_empty(client, name)
        raise
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return version


def _remove_empty(client: MlflowClient, name: str) -> None:
    try:
        client.delete_registered_model(name)
    except MlflowException as error:
        _logger.warning(
            "the registered model %r, which has no version, could not be removed: %s", name, one_line(str(error))
        )


def _version(client: MlflowClient, info: ModelInfo, name: str, about: dict[str, Any]) -> str:
    """Looked for by run, for a filter of MLflow cannot hold every name."""
    for known in client.search_model_versions(f"run_id = '{info.run_id}'"):
        if known.name == name and known.source == info.model_uri:
            return str(known.version)
    made = client.create_model_version(name, info.model_uri, info.run_id, model_id=info.model_id, **about)
    return str(made.version)
