"""Windows over a panel: their sizes and inputs, and the windows of a training set by number."""

from lstmzoo.preprocessing.windows.numbered import Windows
from lstmzoo.preprocessing.windows.preprocessor import WindowPreprocessor

__all__ = ["WindowPreprocessor", "Windows"]
