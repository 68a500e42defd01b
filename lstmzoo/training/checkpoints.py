"""Checkpoints on disk, from which a killed fit is resumed."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.folders import sync_folder
from lstmzoo.saving import Bundle, read_bundle, write_bundle

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
