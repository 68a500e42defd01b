"""Translation without a network: the baselines that a translator has to beat."""

from lstmzoo.estimators.translation.baselines.estimator import METHODS, BaselineTranslator

__all__ = ["METHODS", "BaselineTranslator"]
