"""Checkpoints of a training on disk, and the state that they hold."""

import contextlib
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from lstmzoo.backend import model_variables
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.folders import sync_folder
from lstmzoo.saving import Bundle, check_arrays, read_bundle, write_bundle

if TYPE_CHECKING:
    import torch

Weights = list[np.ndarray]  # of a network, in its own order

_LAYOUT = 3  # goes up when the contents of a checkpoint change
_NAME = re.compile(r"checkpoint-\d{10}")


@dataclass(frozen=True)
class Checkpoint:
    """Where one fit keeps its state, so that it can be resumed after it was killed.

    The state is written after each epoch, and every 30 seconds within a long one, to a new folder in ``directory``, in the
    form of a saved model. The older checkpoint is deleted only then, so that a complete one exists at any moment. The
    checkpoint of a fit that ended stays: the same fit, called again, ends at once with the same weights.

    Args:
        directory: Directory of one fit at a time; made if missing.
        fingerprint: Identity of the fit: a digest of its data, parameters and seed.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     Checkpoint(directory, "data 1").write(7, {"params.json": {"epoch": 1}})
        ...     files = Checkpoint(directory, "data 1").read()
        ...     Checkpoint(directory, "data 2").read()
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: ... is the checkpoint of another fit: its data, parameters or seed differ; ...
        >>> files["params.json"]["epoch"]
        1
    """

    directory: str | Path
    fingerprint: str

    def write(self, step: int, files: Bundle) -> None:
        """Write the state after ``step`` steps, then delete older checkpoints. ``files`` must include ``params.json``."""
        folder = Path(self.directory) / f"checkpoint-{step:010d}"
        params = {**files["params.json"], "fingerprint": self.fingerprint}
        write_bundle(folder, {"class": "Checkpoint", "layout": _LAYOUT}, {**files, "params.json": params})
        sync_folder(folder)
        for other in Path(self.directory).iterdir():
            if _NAME.match(other.name.lstrip(".")) and other.is_dir() and other != folder:
                shutil.rmtree(other)  # an older checkpoint, or the remains of a write that was killed

    def read(self) -> Bundle | None:
        """Return the files of the newest checkpoint, or None if there is none.

        Raises:
            ConfigError: If the checkpoint belongs to another fit.
            SavedModelError: If the checkpoint is damaged, or of another version.
        """
        folders = sorted(folder for folder in Path(self.directory).glob("checkpoint-*") if _NAME.fullmatch(folder.name))
        if not folders:
            return None
        with self.explained():
            manifest, files = read_bundle(folders[-1])
            if manifest.get("class") != "Checkpoint" or "params.json" not in files:
                raise SavedModelError(f"{folders[-1]} is not a checkpoint")
            if manifest.get("layout") != _LAYOUT:
                raise SavedModelError(f"{folders[-1]} was written by another version of lstmzoo")
        if files["params.json"].pop("fingerprint") != self.fingerprint:
            raise ConfigError(f"{folders[-1]} is the checkpoint of another fit: its data, parameters or seed differ; "
                              "choose another directory, or delete it")  # fmt: skip
        return files

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Add to errors about a damaged checkpoint how to start again without it."""
        try:
            yield
        except SavedModelError as error:
            raise SavedModelError(
                f"{error.message}; delete the checkpoint in {self.directory} to train from the beginning"
            ) from None


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
        first_seconds: Seconds of the first step, most of them for compilation.
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
    first_seconds: float = 0.0
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
        arrays = {name: np.atleast_1d(np.asarray(variable)) for name, variable in model_variables(model).items()}
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
        for name, variable in model_variables(model).items():
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


def _torch_generators() -> "list[torch.Generator]":
    """On torch, the generators that Keras' dropout uses instead of the layers' seed generators; elsewhere none."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [torch.default_generator, *torch.cuda.default_generators]
