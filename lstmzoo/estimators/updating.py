"""Updates: a fitted network that is trained further, on new data."""

import hashlib
from collections.abc import Callable
from typing import Any

from lstmzoo.config import ModelConfig
from lstmzoo.seeding import reseed
from lstmzoo.training import Trained, compile_for_prediction

_SLOWER = 10  # than the fit, whose learning rate is divided by this
_WHOLE = 10**6  # steps of an epoch, so that it is all of the data


def train_further(estimator: Any, epochs: int, train: Callable[[ModelConfig, int], Trained]) -> None:
    """Train a fitted network in place, and append the epochs to ``history_``.

    An update has a tenth of the learning rate, without warm-up or decay, and each of its epochs is one pass over the data. If it
    fails or is interrupted, the network and the history are what they were.

    Args:
        estimator: Fitted, of a network.
        epochs: Passes over the data.
        train: From the config and the seed of the update to what came of it.
    """
    model, history = estimator.model_, estimator.history_
    seed, weights = estimator.seed_ + len(history), model.get_weights()
    try:
        reseed(model, seed)
        trained = train(_of_update(estimator.config_, epochs), seed)
    except BaseException:
        model.set_weights(weights)
        raise
    finally:
        compile_for_prediction(model)
    rows = [{**row, "epoch": len(history) + number} for number, row in enumerate(trained.history, 1)]
    estimator.history_ = [*history, *rows]


def _of_update(config: ModelConfig, epochs: int) -> ModelConfig:
    changes = {
        "learning_rate": config.training.learning_rate / _SLOWER, "schedule": "constant", "warmup": 0.0,
        "epochs": int(epochs), "steps_per_epoch": _WHOLE,
    }  # fmt: skip
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def chained_digest(before: str, new: str) -> str:
    """Digest of data that came in parts: SHA-256 of the digest of what came before and that of the new part.

    Examples:
        >>> chained_digest("ab", "cd")[:8]
        'b09c5477'
    """
    return hashlib.sha256(f"{before} {new}".encode()).hexdigest()
