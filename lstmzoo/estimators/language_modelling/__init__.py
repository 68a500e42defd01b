"""Language models: networks and counts."""

from lstmzoo.estimators.language_modelling.baselines import BaselineLanguageModel
from lstmzoo.estimators.language_modelling.language_model import LanguageModel

__all__ = ["BaselineLanguageModel", "LanguageModel"]
