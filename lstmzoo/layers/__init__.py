"""Keras layers that Keras itself lacks."""

from lstmzoo.layers.attention import SCORES, Attention
from lstmzoo.layers.quantiles import OrderedQuantiles, pinball_loss

__all__ = ["SCORES", "Attention", "OrderedQuantiles", "pinball_loss"]
