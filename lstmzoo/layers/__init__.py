"""Keras layers that Keras itself lacks."""

from lstmzoo.layers.attention import SCORES, Attention
from lstmzoo.layers.dilated import DilatedLSTM
from lstmzoo.layers.distributions import DISTRIBUTIONS, Distribution, DistributionHead, distribution_loss
from lstmzoo.layers.dropout import Dropout
from lstmzoo.layers.gating import GatedResidual, GatedSkip, InterpretableAttention, VariableSelection
from lstmzoo.layers.minimal import MinGRU, MinLSTM
from lstmzoo.layers.quantiles import OrderedQuantiles, pinball_loss
from lstmzoo.layers.smoothing import ExponentialSmoothing
from lstmzoo.layers.xlstm import MLSTM, SLSTM

__all__ = [
    "DISTRIBUTIONS",
    "MLSTM",
    "SCORES",
    "SLSTM",
    "Attention",
    "DilatedLSTM",
    "Distribution",
    "DistributionHead",
    "Dropout",
    "ExponentialSmoothing",
    "GatedResidual",
    "GatedSkip",
    "InterpretableAttention",
    "MinGRU",
    "MinLSTM",
    "OrderedQuantiles",
    "VariableSelection",
    "distribution_loss",
    "pinball_loss",
]
