"""Baselines of language modelling, without a network."""

from lstmzoo.estimators.language_modelling.baselines.estimator import METHODS, BaselineLanguageModel

__all__ = ["METHODS", "BaselineLanguageModel"]
