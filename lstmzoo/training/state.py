"""The state of a training between two steps, and the files of a checkpoint that hold it."""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import keras
import numpy as np

from lstmzoo.saving import Bundle, check_arrays

if TYPE_CHECKING:
    import torch

Weights = list[np.ndarray]  # of a network, in its own order


@dataclass
class State:
    """The progress of a training, beside the variables of its model and optimizer.

    Attributes:
        history: One row for each finished epoch.
        step: Finished steps of the current epoch.
        sums: Sums of loss and metrics over the batches of the current epoch, by name.
        rate_factor: Factor by which callbacks have changed the schedule's learning rate.
        best_epoch: The best epoch, counted from 1; 0 before the first one.
        best: Weights whose mean is the model of the best epoch; the same list object as ``recent`` if they are equal.
        recent: Weights at the ends of the last epochs, if these are averaged.
        seconds: Seconds of training at the last checkpoint.
        stopped: Whether training ended before its last epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    rate_factor: float = 1.0
    best_epoch: int = 0
    best: list[Weights] = field(default_factory=list)
    recent: list[Weights] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def best_loss(self) -> float:
        """The validation loss of the best epoch; infinite before the first one."""
        return self.history[self.best_epoch - 1]["val_loss"] if self.best_epoch else math.inf

    @property
    def begun(self) -> bool:
        """Whether a step was taken."""
        return bool(self.history or self.step)

    def to_files(self, model: keras.Model) -> Bundle:
        """Return the contents of a checkpoint."""
        arrays = {name: np.atleast_1d(np.asarray(variable)) for name, variable in _variables(model).items()}
        for kind, weights in self._kept().items():
            arrays |= {f"{kind}.{i}": np.atleast_1d(array) for i, array in enumerate(weights)}
        arrays |= {f"generator.{i}": generator.get_state().numpy() for i, generator in enumerate(_torch_generators())}
        progress = asdict(replace(self, best=[], recent=[]))
        counts = {"best": None if self.best is self.recent else len(self.best), "recent": len(self.recent)}
        return {"params.json": {**progress, **counts}, "state.safetensors": arrays}

    @classmethod
    def from_files(cls, files: Bundle, model: keras.Model, source: str) -> "State":
        """Restore the state, and the variables of model and optimizer, from the contents of a checkpoint.

        Args:
            files: Contents that :meth:`to_files` returned.
            model: Compiled model, of the same architecture.
            source: Name of the checkpoint, for messages.

        Raises:
            SavedModelError: If the arrays do not fit the model.
        """
        arrays, params = files["state.safetensors"], files["params.json"]
        now = model.get_weights()
        recent = [now] * params["recent"]
        best = recent if params["best"] is None else [now] * params["best"]
        state = cls(**{**params, "best": best, "recent": recent})
        present = state.to_files(model)["state.safetensors"]
        check_arrays(arrays, {name: (array.shape, str(array.dtype)) for name, array in present.items()}, source)
        for name, variable in _variables(model).items():
            variable.assign(arrays[name].reshape(variable.shape))
        for i, generator in enumerate(_torch_generators()):
            position = generator.get_state()
            position.numpy()[:] = arrays[f"generator.{i}"]
            generator.set_state(position)
        kept = {
            name: [arrays[f"{name}.{i}"].reshape(weight.shape) for i, weight in enumerate(weights)]
            for name, weights in state._kept().items()
        }
        state.recent = [kept[f"recent.{i}"] for i in range(params["recent"])]
        state.best = state.recent if params["best"] is None else [kept[f"best.{i}"] for i in range(params["best"])]
        return state

    def _kept(self) -> dict[str, Weights]:
        """The sets of weights that the state holds, by their names in a checkpoint."""
        kinds = {"best": [] if self.best is self.recent else self.best, "recent": self.recent}
        return {
            f"{kind}.{number}": weights for kind, several in kinds.items() for number, weights in enumerate(several)
        }


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All variables that a step changes: weights, seed generators and the optimizer's, by number, as names vary by process."""
    kinds = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{kind}.{i}": variable for kind, variables in kinds.items() for i, variable in enumerate(variables)}


def _torch_generators() -> "list[torch.Generator]":
    """On torch, the generators that Keras' dropout uses instead of the layers' seed generators; elsewhere none."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [torch.default_generator, *torch.cuda.default_generators]
