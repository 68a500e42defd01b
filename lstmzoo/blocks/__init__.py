"""Combinations of layers that topologies share. Each makes its layers once, so that all calls have the same weights."""

from lstmzoo.blocks.cells import Cell, Count, GatedCell, MaskedCell, Rate, recurrent
from lstmzoo.blocks.heads import DirectHead, StepHead, small_dense
from lstmzoo.blocks.stacks import (
    BidirectionalEncoder,
    BidirectionalStack,
    DilatedStack,
    MaskedStack,
    RecurrentStack,
    ResidualStack,
    residual_encoder,
    run_stack,
)  # fmt: skip

__all__ = [
    "BidirectionalEncoder", "BidirectionalStack", "Cell", "Count", "DilatedStack", "DirectHead", "GatedCell", "MaskedCell",
    "MaskedStack", "Rate", "RecurrentStack", "ResidualStack", "StepHead", "recurrent", "residual_encoder", "run_stack",
    "small_dense",
]  # fmt: skip
