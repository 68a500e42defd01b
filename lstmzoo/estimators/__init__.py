"""Estimators in scikit-learn's manner, one package per task."""

from lstmzoo.estimators._base import Networks, ZooEstimator, hand_over, mean_nll, unshare
from lstmzoo.estimators.forecasting import BaselineForecaster, ForecastEnsemble, Forecaster, ForecastScorer
from lstmzoo.estimators.language_modelling import BaselineLanguageModel, LanguageEnsemble, LanguageModel
from lstmzoo.estimators.loading import load, network_estimator
from lstmzoo.estimators.translation import Alignment, BaselineTranslator, TranslationEnsemble, Translator
from lstmzoo.outputs import check_picture

__all__ = [
    "Alignment", "BaselineForecaster", "BaselineLanguageModel", "BaselineTranslator", "ForecastEnsemble", "ForecastScorer",
    "Forecaster", "LanguageEnsemble", "LanguageModel", "Networks", "TranslationEnsemble", "Translator", "ZooEstimator",
    "check_picture", "hand_over", "load", "mean_nll", "network_estimator", "unshare",
]  # fmt: skip
