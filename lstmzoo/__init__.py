"""lstmzoo: a model zoo and AutoML for recurrent networks, on Keras.

The public names are imported when they are first touched: ``import lstmzoo`` itself loads neither Keras nor MLflow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lstmzoo._version import __version__ as __version__
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
    from lstmzoo.estimators import ForecastEnsemble as ForecastEnsemble
    from lstmzoo.estimators import Forecaster as Forecaster
    from lstmzoo.estimators import ForecastScorer as ForecastScorer
    from lstmzoo.estimators import LanguageEnsemble as LanguageEnsemble
    from lstmzoo.estimators import LanguageModel as LanguageModel
    from lstmzoo.estimators import TranslationEnsemble as TranslationEnsemble
    from lstmzoo.estimators import Translator as Translator
    from lstmzoo.estimators import load as load
    from lstmzoo.model_selection import RollingOriginSplit as RollingOriginSplit
    from lstmzoo.networks import build_model as build_model
    from lstmzoo.registry import register_model as register_model
    from lstmzoo.tuning import HyperModel as HyperModel
    from lstmzoo.tuning import ZooSearchCV as ZooSearchCV
    from lstmzoo.tuning import benchmark as benchmark

_PLACES = {
    "HyperModel": "lstmzoo.tuning",
    "RollingOriginSplit": "lstmzoo.model_selection",
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


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    place = _PLACES.get(name) or _estimators().get(name)
    if place is None:
        raise AttributeError(f"module 'lstmzoo' has no attribute {name!r}; it has {', '.join(__dir__())}")
    if place not in _WITHOUT_KERAS:
        import_keras()
    module = importlib.import_module(place)
    value = module if place == f"lstmzoo.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def _estimators() -> dict[str, str]:
    from lstmzoo.config import shipped_estimators

    return shipped_estimators()


def __dir__() -> list[str]:
    return [*sorted([*_PLACES, *_estimators()]), "__version__"]
