"""Loading of saved models from folders and MLflow."""

from pathlib import Path
from typing import Any

from lstmzoo.errors import SavedModelError
from lstmzoo.folders import is_folder
from lstmzoo.quiet import import_keras


def load_any(model: str, tracking_uri: str | None) -> Any:
    """Load an estimator from its folder, from the folder of an MLflow model, or from an MLflow URI.

    Raises:
        SavedModelError: If there is no model, or it is damaged.
    """
    here = is_folder(Path(model))
    if not here and ":" not in model:
        raise SavedModelError(f"{model}: no such folder, and not a URI such as models:/name@champion")
    import_keras()
    if here and not (Path(model) / "MLmodel").exists():
        from lstmzoo import load

        return load(model)
    from lstmzoo.mlflow import load_model

    return load_model(model, tracking_uri=tracking_uri)
