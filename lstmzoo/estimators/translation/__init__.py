"""Translation: networks, and baselines without one."""

from lstmzoo.estimators.translation.baselines import BaselineTranslator
from lstmzoo.estimators.translation.ensemble import TranslationEnsemble
from lstmzoo.estimators.translation.network import Alignment
from lstmzoo.estimators.translation.translator import Translator

__all__ = ["Alignment", "BaselineTranslator", "TranslationEnsemble", "Translator"]
