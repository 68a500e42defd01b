"""lstmzoo: a model zoo and AutoML for recurrent networks, on Keras.

The public names are imported when they are first touched: ``import lstmzoo`` itself loads neither Keras nor MLflow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lstmzoo._version import __version__
from lstmzoo.quiet import import_keras

if TYPE_CHECKING:
    from lstmzoo import checks as checks
    from lstmzoo import datasets as datasets
    from lstmzoo import mlflow as mlflow
    from lstmzoo.config import list_models as list_models
    from lstmzoo.config import load_config as load_config
    from lstmzoo.estimators import BaselineForecaster as BaselineForecaster
    from lstmzoo.estimators import BaselineLanguageModel as BaselineLanguageModel
    from lstmzoo.estimators import BaselineTranslator as BaselineTranslator
    from lstmzoo.estimators import Forecaster as Forecaster
    from lstmzoo.estimators import ForecastScorer as ForecastScorer
    from lstmzoo.estimators import LanguageModel as LanguageModel
    from lstmzoo.estimators import Translator as Translator
    from lstmzoo.estimators import load as load
    from lstmzoo.model_selection import RollingOriginSplit as RollingOriginSplit
    from lstmzoo.networks import build_model as build_model
    from lstmzoo.registry import register_model as register_model
    from lstmzoo.tuning import HyperModel as HyperModel
    from lstmzoo.tuning import ZooSearchCV as ZooSearchCV
    from lstmzoo.tuning import benchmark as benchmark

_PLACES = {
    "BaselineForecaster": "lstmzoo.estimators",
    "BaselineLanguageModel": "lstmzoo.estimators",
    "BaselineTranslator": "lstmzoo.estimators",
    "ForecastScorer": "lstmzoo.estimators",
    "Forecaster": "lstmzoo.estimators",
    "HyperModel": "lstmzoo.tuning",
    "LanguageModel": "lstmzoo.estimators",
    "RollingOriginSplit": "lstmzoo.model_selection",
    "Translator": "lstmzoo.estimators",
    "ZooSearchCV": "lstmzoo.tuning",
    "benchmark": "lstmzoo.tuning",
    "build_model": "lstmzoo.networks",
    "checks": "lstmzoo.checks",
    "datasets": "lstmzoo.datasets",
    "list_models": "lstmzoo.config",
    "load": "lstmzoo.estimators",
    "load_config": "lstmzoo.config",
    "mlflow": "lstmzoo.mlflow",
    "register_model": "lstmzoo.registry",
}

_WITHOUT_KERAS = {"lstmzoo.config", "lstmzoo.datasets", "lstmzoo.model_selection", "lstmzoo.registry"}

__all__ = [*sorted(_PLACES), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'lstmzoo' has no attribute {name!r}; it has {', '.join(__all__)}")
    if _PLACES[name] not in _WITHOUT_KERAS:
        import_keras()
    module = importlib.import_module(_PLACES[name])
    value = module if _PLACES[name] == f"lstmzoo.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
