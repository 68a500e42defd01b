"""Decoding: functions that know a step, not a model."""

from lstmzoo.decoding.sampling import sample_sequences

__all__ = ["sample_sequences"]
