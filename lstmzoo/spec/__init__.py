"""Sizes of the data that a builder needs: one frozen dataclass per task, learned by the task's preprocessor."""

from lstmzoo.spec._base import DataSpec
from lstmzoo.spec.forecasting import ForecastingSpec
from lstmzoo.spec.language_modelling import LanguageModellingSpec
from lstmzoo.spec.translation import TranslationSpec

__all__ = ["DataSpec", "ForecastingSpec", "LanguageModellingSpec", "TranslationSpec"]
