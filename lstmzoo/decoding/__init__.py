"""Decoding: functions that know a step, not a model."""

from lstmzoo.decoding.sampling import sample_sequences
from lstmzoo.decoding.tokens import NEVER, Sampling, generate_tokens

__all__ = ["NEVER", "Sampling", "generate_tokens", "sample_sequences"]
