"""Combinations of layers that topologies share. Each makes its layers once, so that all calls have the same weights."""

from lstmzoo.blocks.cells import Cell, GatedCell, MaskedCell, recurrent
from lstmzoo.blocks.encoders import BidirectionalEncoder, MaskedStack, residual_encoder
from lstmzoo.blocks.heads import DirectHead, StepHead, small_dense
from lstmzoo.blocks.hyperparameters import Count, Rate
from lstmzoo.blocks.masks import length_mask, lengths_with_end
from lstmzoo.blocks.stacks import BidirectionalStack, DilatedStack, RecurrentStack, ResidualStack, run_stack

__all__ = [
    "BidirectionalEncoder", "BidirectionalStack", "Cell", "Count", "DilatedStack", "DirectHead", "GatedCell", "MaskedCell",
    "MaskedStack", "Rate", "RecurrentStack", "ResidualStack", "StepHead", "length_mask", "lengths_with_end", "recurrent",
    "residual_encoder", "run_stack", "small_dense",
]  # fmt: skip
