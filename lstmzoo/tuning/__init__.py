"""Search: which model and which hyperparameters are best for these data, within this time."""

from lstmzoo.tuning.benchmarking import benchmark
from lstmzoo.tuning.search import ZooSearchCV

__all__ = ["ZooSearchCV", "benchmark"]
