"""Decoding: functions that know a step, not a model."""

from lstmzoo.decoding.beam import (
    BeamSearch,
    beam_search,
    begin_search,
    continue_search,
    greedy_search,
    repeat_rows,
    sampled_search,
)
from lstmzoo.decoding.sampling import sample_sequences
from lstmzoo.decoding.tokens import NEVER, Sampling, generate_tokens

__all__ = [
    "NEVER", "BeamSearch", "Sampling", "beam_search", "begin_search", "continue_search", "generate_tokens", "greedy_search",
    "repeat_rows", "sample_sequences", "sampled_search",
]  # fmt: skip
