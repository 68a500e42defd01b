"""Decoding: functions that know a step, not a model."""

from lstmzoo.decoding.beam import BeamSearch, beam_search, begin_search, continue_search, repeat_rows
from lstmzoo.decoding.candidates import SearchStep
from lstmzoo.decoding.greedy import greedy_search, sampled_search
from lstmzoo.decoding.sampling import sample_sequences
from lstmzoo.decoding.tokens import Sampling, generate_tokens

__all__ = [
    "BeamSearch", "Sampling", "SearchStep", "beam_search", "begin_search", "continue_search", "generate_tokens", "greedy_search",
    "repeat_rows", "sample_sequences", "sampled_search",
]  # fmt: skip
