"""Keras layers that Keras itself lacks."""

from lstmzoo.layers.attention import SCORES, Attention
from lstmzoo.layers.distributions import DISTRIBUTIONS, Distribution, DistributionHead, distribution_loss
from lstmzoo.layers.gating import GatedResidual, GatedSkip, InterpretableAttention, VariableSelection
from lstmzoo.layers.quantiles import OrderedQuantiles, pinball_loss
from lstmzoo.layers.smoothing import ExponentialSmoothing

__all__ = [
    "DISTRIBUTIONS",
    "SCORES",
    "Attention",
    "Distribution",
    "DistributionHead",
    "ExponentialSmoothing",
    "GatedResidual",
    "GatedSkip",
    "InterpretableAttention",
    "OrderedQuantiles",
    "VariableSelection",
    "distribution_loss",
    "pinball_loss",
]
