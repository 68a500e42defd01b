"""What the tables share whose entries are trained for the same seconds."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lstmzoo import load_config
from lstmzoo.registry import build_model

ENDLESS = {"epochs": 1_000_000, "patience": 1_000_000}  # so that ``time_limit`` ends a fit


def sizes(name: str, spec: Any, wanted: int, step: int) -> dict[str, int]:
    """Settings with which an entry has about so many parameters: ``units``, and ``embedding_dim`` if it has one.

    Args:
        name: Of the entry.
        spec: What it is built for.
        wanted: Parameters.
        step: What ``units`` is a multiple of.
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
    """The mean, and the standard deviation if there are several."""
    deviation = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{deviation}"
