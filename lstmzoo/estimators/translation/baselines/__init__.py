"""Baselines of translation, without a network."""

from lstmzoo.estimators.translation.baselines.estimator import METHODS, BaselineTranslator

__all__ = ["METHODS", "BaselineTranslator"]
