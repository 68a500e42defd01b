"""Language models: networks, and baselines that count."""

from lstmzoo.estimators.language_modelling.baselines import BaselineLanguageModel
from lstmzoo.estimators.language_modelling.ensemble import LanguageEnsemble
from lstmzoo.estimators.language_modelling.language_model import LanguageModel

__all__ = ["BaselineLanguageModel", "LanguageEnsemble", "LanguageModel"]
