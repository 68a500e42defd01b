"""How a network learns from windows: its loss, its batches, its validation, and the errors that it still makes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lstmzoo.config import TrainingConfig
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators.forecasting.network.conformal import conformal_offsets
from lstmzoo.estimators.forecasting.network.outlook import Outlook, is_autoregressive, step_correlation
from lstmzoo.layers import distribution_loss, pinball_loss
from lstmzoo.overrides import Overrides, measured
from lstmzoo.preprocessing import Scale, Windows
from lstmzoo.training import Batches, Validate, predict_padded

_JUDGED = 4096  # windows at most, by whose errors a network is judged
_JUDGED_BY_SAMPLES = 512  # the same, if forecasts are sampled

Loss = Callable[[Any, Any], Any]


def forecast_loss(distribution: str, levels: list[float]) -> Loss:
    """Return the loss of quantiles or of a distribution's parameters."""
    return pinball_loss(levels) if distribution == "quantiles" else distribution_loss(distribution)


def checked_overrides(distribution: str, levels: list[float], **given: Any) -> Overrides:
    """Return the caller's callbacks, optimizer, loss and metrics; the metrics are of the median.

    Raises:
        ConfigError: If there is a loss without point forecasts, or there are metrics without a median.
    """
    overrides = Overrides(**given, point=levels.index(0.5))
    if overrides.loss is not None and (distribution != "quantiles" or len(levels) > 1):
        raise ConfigError(f"{arg('loss')}: one of your own needs point forecasts: leave out {arg('quantiles')}, and pass "
                          f"{arg(distribution='quantiles')}")  # fmt: skip
    if overrides.metrics is not None and distribution != "quantiles":
        raise ConfigError(
            f"{arg('metrics')}: they need quantiles or point forecasts: pass {arg(distribution='quantiles')}"
        )
    return overrides


def window_batches(model: keras.Model, windows: Windows, training: TrainingConfig, seed: int) -> Batches:
    """Return the batches of an epoch, with the inputs that the network has."""
    names = set(model.input)

    def make(numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        inputs, target, _ = windows.batch(numbers)
        return {name: inputs[name] for name in names}, target

    return Batches(
        make,
        num_items=len(windows),
        batch_size=training.batch_size,
        steps_per_epoch=training.steps_per_epoch,
        seed=seed,
    )


def window_validation(model: keras.Model, windows: Windows, loss: Loss, overrides: Overrides) -> Validate:
    """Return what computes the loss and the caller's metrics on windows of the validation set."""
    inputs, target, _ = windows.batch(windows.spread())
    inputs = {name: inputs[name] for name in set(model.input)}

    def validate() -> dict[str, float]:
        output = predict_padded(model, inputs)
        own = measured(overrides.make_metrics(), target, output)
        return {"loss": float(np.mean(np.asarray(loss(target, output)))), **own}

    return validate


def judged(model: keras.Model, windows: Windows) -> tuple[dict[str, np.ndarray], np.ndarray, Scale, np.ndarray]:
    """Return inputs, targets ``(B, H)``, scales and numbers of the windows by which a network is judged.

    Targets are NaN if they were not observed, or if the window does not vary, so that errors would have no unit.
    """
    numbers = windows.spread(_JUDGED_BY_SAMPLES if is_autoregressive(model) else _JUDGED)
    inputs, target, scale = windows.batch(numbers)
    return inputs, np.where(scale.scale > 0, target[..., 0].astype(float), np.nan), scale, numbers


def learned_errors(
    outlook: Outlook, windows: Windows, levels: list[float], *, conformal: bool
) -> tuple[float, np.ndarray | None]:
    """Return the correlation of neighbouring steps' errors, and the conformal offsets ``(H, L)`` or None.

    Args:
        outlook: The trained network.
        windows: Windows of the validation set, or of the training set if nothing is held out.
        levels: L levels to forecast.
        conformal: Whether quantiles are corrected.
    """
    spread = len(levels) > 2 or outlook.spec.distribution != "quantiles"
    correlated = spread and not is_autoregressive(outlook.model)
    if not (correlated or conformal):
        return 0.0, None
    inputs, target, scale, numbers = judged(outlook.model, windows)
    quantiles = outlook.quantiles(inputs, scale.scale, levels, numbers)
    offsets = conformal_offsets(target, quantiles, levels) if conformal else None
    return step_correlation(target - quantiles[..., levels.index(0.5)]), offsets
