"""MLflow: the flavor, tracking of searches, and serving. Names are imported at their first use."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmzoo.limits import ServingLimits as ServingLimits
    from lstmzoo.mlflow._base import resolve_tracking_uri as resolve_tracking_uri
    from lstmzoo.mlflow.autologging import autolog as autolog
    from lstmzoo.mlflow.flavor import load_model as load_model
    from lstmzoo.mlflow.flavor import log_champion as log_champion
    from lstmzoo.mlflow.flavor import log_model as log_model
    from lstmzoo.mlflow.flavor import save_model as save_model
    from lstmzoo.mlflow.serving import build_app as build_app
    from lstmzoo.mlflow.serving import serve as serve
    from lstmzoo.mlflow.serving import serve_in_background as serve_in_background
    from lstmzoo.mlflow.tracking import log_search as log_search

_MODULES = {
    "ServingLimits": "serving",
    "autolog": "autologging",
    "build_app": "serving",
    "load_model": "flavor",
    "log_champion": "flavor",
    "log_model": "flavor",
    "log_search": "tracking",
    "resolve_tracking_uri": "_base",
    "save_model": "flavor",
    "serve": "serving",
    "serve_in_background": "serving",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"lstmzoo.mlflow.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
