"""Estimators in scikit-learn's manner, one package per task. A task's package is found by itself."""

from typing import TYPE_CHECKING

from lstmzoo.estimators._base import ZooEstimator
from lstmzoo.estimators.loading import load, network_estimator, task_packages
from lstmzoo.outputs import check_picture

if TYPE_CHECKING:
    from lstmzoo.estimators.forecasting import BaselineForecaster as BaselineForecaster
    from lstmzoo.estimators.forecasting import Forecaster as Forecaster
    from lstmzoo.estimators.forecasting import ForecastScorer as ForecastScorer
    from lstmzoo.estimators.language_modelling import BaselineLanguageModel as BaselineLanguageModel
    from lstmzoo.estimators.language_modelling import LanguageModel as LanguageModel
    from lstmzoo.estimators.translation import Alignment as Alignment
    from lstmzoo.estimators.translation import BaselineTranslator as BaselineTranslator
    from lstmzoo.estimators.translation import Translator as Translator

__all__ = ["ZooEstimator", "check_picture", "load", "network_estimator"]
for _package in task_packages():
    globals().update({name: getattr(_package, name) for name in _package.__all__})
    __all__ += _package.__all__
