"""The flavor: fitted estimators as MLflow models with signature and input example, without pickle."""

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
from lstmzoo.config import ModelConfig
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
    """Save a fitted estimator as an MLflow model folder, for example for ``mlflow models serve -m <path>``.

    Args:
        estimator: A fitted estimator.
        path: The folder, which must be empty or not exist.

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

    A second call adds nothing: an equal model in the same run is reused, and so is its version.

    Args:
        estimator: A fitted estimator.
        name: Name of the model in its run.
        registered_model_name: Register the model under this name.
        alias: Alias of the new version of the registered model, as in ``models:/<name>@champion``.
        run_id: The run; by default the active run, otherwise a new one.
        description: Description of a new version of the registered model; by default the model and its training data.
        tags: Tags of a new version, beside ``task``, ``model`` and ``data_digest``.
        tracking_uri: MLflow store; by default MLflow's current one, otherwise ``mlflow.db`` in the working directory.

    Returns:
        The result of ``mlflow.pyfunc.log_model``.

    Raises:
        NotFittedError: If the estimator is not fitted.
        ConfigError: If MLflow does not accept the registered name or the alias.
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
    """Log the winner of a search to the search's run, and register it. If MLflow is away, a warning is logged.

    Args:
        estimator: The fitted winner.
        parent_run_id: The result of :func:`lstmzoo.mlflow.log_search`; with None, nothing is done.
        registered_model_name: Register the model under this name.
        alias: Alias of the new version.
        description: As for :func:`log_model`.
        tags: As for :func:`log_model`.
        tracking_uri: As for :func:`log_model`.

    Returns:
        The model's URI, or None if MLflow was away.

    Raises:
        ConfigError: If MLflow does not accept the registered name or the alias.
    """
    check_registered_name(registered_model_name)
    check_alias(alias)
    if parent_run_id is None:
        return None
    try:
        with connection(tracking_uri, timeout=5):
            MlflowClient().get_run(parent_run_id)  # fails within seconds if the server is away
        info = log_model(
            estimator,
            registered_model_name=registered_model_name,
            alias=alias,
            run_id=parent_run_id,
            description=description,
            tags=tags,
            tracking_uri=tracking_uri,
        )
    except (
        Exception
    ) as error:  # whatever MLflow, its store or the network raises: the result of the search is not affected
        _logger.warning("the champion was not logged to MLflow: %s", one_line(str(error)))
        return None
    if info.registered_model_version is None:
        return str(info.model_uri)
    return f"models:/{registered_model_name}/{info.registered_model_version}"


def load_model(model_uri: str | Path, *, tracking_uri: str | None = None) -> Any:
    """Return the estimator in an MLflow model. Its files are verified, and nothing is executed or unpickled.

    Args:
        model_uri: A URI such as ``models:/<name>@champion`` or ``runs:/<run_id>/model``, or a folder.
        tracking_uri: MLflow store in which URIs are resolved.

    Raises:
        SavedModelError: If there is no such model, it has another flavor, or it is damaged.
    """
    return fetch_model(model_uri, tracking_uri)


@dataclass(frozen=True)
class _Run:
    id: str
    models: tuple[str, ...]


@contextmanager
def _run(run_id: str | None) -> Iterator[_Run]:
    """Yield the run to log to; an active run stays active."""
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
    """Yield the digest of the saved estimator, and the arguments for MLflow, valid within the context."""
    with tempfile.TemporaryDirectory(prefix="lstmzoo-") as private:
        folder = Path(private) / "model"
        estimator.save(folder)
        example, params = _as_mlflow_has_it(estimator.serving_example()), estimator.serving_params()
        metadata = {**_facts(estimator), "format": saving.FORMAT, "lstmzoo": __version__}
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
    with warnings.catch_warnings():  # about integer columns, which are times or names here and never missing
        warnings.filterwarnings("ignore", "Hint: Inferred schema contains integer column", UserWarning)
        whole = example.ffill()  # MLflow cannot infer the type of text with missing values
        signature = infer_signature(whole, _as_mlflow_has_it(answer))
    inputs = Schema([ColSpec(spec.type, spec.name, required=spec.name not in nullable) for spec in signature.inputs])
    return ModelSignature(
        inputs, signature.outputs, ParamSchema([_spec(param) for param in estimator.serving_schema()])
    )


def _spec(param: ServingParam) -> ParamSpec:
    return ParamSpec(param.name, _TYPES[param.type], param.default, (-1,) if param.type is list else None)


def _as_mlflow_has_it(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert times to UTC without a time zone, the only kind that a signature supports."""
    zoned = frame.select_dtypes("datetimetz")
    naive = {str(name): zoned[name].dt.tz_convert("UTC").dt.tz_localize(None) for name in zoned}
    return frame.assign(**naive)


def pip_requirements() -> list[str]:
    """Return lstmzoo and the packages that its predictions depend on, in their installed versions.

    Examples:
        >>> pip_requirements()
        ['lstmzoo==...', 'keras==...', ..., 'tensorflow==...']
    """
    pinned = [f"lstmzoo=={__version__}"]
    for name in _PINNED:
        try:
            pinned.append(f"{name}=={version(name)}")
        except PackageNotFoundError:  # another distribution of the package, such as tensorflow-cpu
            continue
    return pinned


def _logged_before(run: _Run, digest: str) -> ModelInfo | None:
    client = MlflowClient()
    for model_id in run.models:
        model = client.get_logged_model(model_id)
        if model.tags.get(_DIGEST) == digest and model.status == LoggedModelStatus.READY:
            return mlflow.models.get_model_info(model.model_uri)
    return None


def _config(estimator: Trackable) -> ModelConfig | None:
    return getattr(estimator, "config_", None)  # of networks


def _facts(estimator: Trackable) -> dict[str, str]:
    """Return the task, model and data of a fitted estimator."""
    config = _config(estimator)
    model = config.name if config is not None else type(estimator).__name__
    return {"task": estimator.task, "model": model, "data_digest": estimator.data_digest_}


def _params(estimator: Trackable) -> dict[str, Any]:
    """Return the parameters of a fitted estimator, and the resolved settings of its entry."""
    params = {key: value for key, value in estimator.get_params(deep=False).items() if key != "hyperparameters"}
    config = _config(estimator)
    return params if config is None else {**params, **config.settings, "model": config.name}


def _description(estimator: Trackable) -> str:
    facts = _facts(estimator)
    size, data = f"{estimator.num_parameters_:,} parameters", facts["data_digest"][:12]
    return (
        f"{type(estimator).__name__} {facts['model']} of {size}, trained on the data {data}, by lstmzoo {__version__}"
    )


def _register(info: ModelInfo, name: str, alias: str | None, about: dict[str, Any]) -> str:
    """Return this model's version of the registered model, created if there is none."""
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
    """Find the version by run, since a filter of MLflow cannot express every name."""
    for known in client.search_model_versions(f"run_id = '{info.run_id}'"):
        if known.name == name and known.source == info.model_uri:
            return str(known.version)
    made = client.create_model_version(name, info.model_uri, info.run_id, model_id=info.model_id, **about)
    return str(made.version)
