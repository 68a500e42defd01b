"""Keras layers that Keras itself lacks."""

from lstmzoo.layers._base import LOG_ZERO
from lstmzoo.layers.attention import SCORES, Attention, LocalAttention
from lstmzoo.layers.attentive import AttentiveRNN, ConditionalRNN, InputFeedingRNN
from lstmzoo.layers.dilated import DilatedLSTM
from lstmzoo.layers.distributions import DISTRIBUTIONS, Distribution, DistributionHead, distribution_loss
from lstmzoo.layers.dropout import Dropout, EmbeddingDropout, LockedDropout, WeightDrop, gumbel
from lstmzoo.layers.gating import GatedResidual, GatedSkip, InterpretableAttention, VariableSelection
from lstmzoo.layers.minimal import MinGRU, MinLSTM
from lstmzoo.layers.mogrifier import MogrifierLSTM
from lstmzoo.layers.quantiles import OrderedQuantiles, pinball_loss
from lstmzoo.layers.recurrence import GRU, LSTM, LayerNormLSTM, SimpleRNN
from lstmzoo.layers.smoothing import ExponentialSmoothing
from lstmzoo.layers.vocabulary import ActivationPenalty, TokenSoftmax
from lstmzoo.layers.window_attention import WindowAttention
from lstmzoo.layers.xlstm import MLSTM, SLSTM

__all__ = [
    "DISTRIBUTIONS", "GRU", "LOG_ZERO", "LSTM", "MLSTM", "SCORES", "SLSTM", "ActivationPenalty", "Attention", "AttentiveRNN",
    "ConditionalRNN", "DilatedLSTM", "Distribution", "DistributionHead", "Dropout", "EmbeddingDropout", "ExponentialSmoothing",
    "GatedResidual", "GatedSkip", "InputFeedingRNN", "InterpretableAttention", "LayerNormLSTM", "LocalAttention",
    "LockedDropout", "MinGRU", "MinLSTM", "MogrifierLSTM", "OrderedQuantiles", "SimpleRNN", "TokenSoftmax", "VariableSelection",
    "WeightDrop", "WindowAttention", "distribution_loss", "gumbel", "pinball_loss",
]  # fmt: skip
