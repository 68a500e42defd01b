"""What MLflow imports to load a model: ``mlflow models serve``, ``mlflow.pyfunc.load_model`` and ``spark_udf`` come here."""

from collections.abc import Mapping
from typing import Any

from lstmzoo.estimators import load
from lstmzoo.mlflow._base import ServedModel, refusal


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any] | None = None) -> ServedModel:
    """The saved model in a folder, as an object with MLflow's ``predict``.

    Raises:
        SavedModelError: If the folder is damaged or of a newer format.
        MlflowException: If there is a ``model_config``; these models take none.
    """
    if model_config:
        raise refusal(f"lstmzoo models take no model_config, got {', '.join(map(str, model_config))}")
    return ServedModel(load(data_path))
