"""Language modelling without a network: the baselines that a language model has to beat."""

from lstmzoo.estimators.language_modelling.baselines.estimator import METHODS, BaselineLanguageModel

__all__ = ["METHODS", "BaselineLanguageModel"]
