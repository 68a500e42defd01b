"""Functions of the tables that train all entries for the same number of seconds."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lstmzoo import load_config
from lstmzoo.registry import build_model

ENDLESS = {"epochs": 1_000_000, "patience": 1_000_000}  # ``time_limit`` ends a fit


def sizes(name: str, spec: Any, wanted: int, step: int) -> dict[str, int]:
    """Find the ``units`` (and ``embedding_dim``) with which an entry has about this many parameters.

    Args:
        name: The entry.
        spec: The sizes of the data.
        wanted: The number of parameters.
        step: ``units`` is a multiple of it.
    """
    config = load_config(name)
    candidates = []
    for units in range(16, 1025, step):
        changed = {"units": units} | ({"embedding_dim": units} if "embedding_dim" in config.hyperparameters else {})
        found = build_model(config.builder, spec, config.override(changed).hyperparameters).count_params()
        candidates.append((abs(found - wanted), changed))
        keras.utils.clear_session()
        if found > wanted:
            break
    return min(candidates, key=lambda pair: pair[0])[1]


def averaged(values: Sequence[float], digits: int) -> str:
    """Format the mean, and the standard deviation if there are several values."""
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"
