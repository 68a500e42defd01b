"""Search: which model and which hyperparameters are best for these data, within this time."""

from lstmzoo.estimators import mean_nll
from lstmzoo.tuning import halving, whole  # register the algorithms
from lstmzoo.tuning.benchmarking import benchmark
from lstmzoo.tuning.hypermodel import HyperModel
from lstmzoo.tuning.search import ZooSearchCV

__all__ = ["HyperModel", "ZooSearchCV", "benchmark", "halving", "mean_nll", "whole"]
