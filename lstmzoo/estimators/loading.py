"""Loading a saved estimator, and finding the class that a saved model or an entry is of."""

from pathlib import Path
from typing import Any

from lstmzoo import saving
from lstmzoo.config import schema_of
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.estimators._base import CLASSES, ZooEstimator, ZooNetworkEstimator, class_named
from lstmzoo.plugins import WAY_OUT, look_for


def load(path: str | Path, *, key: str | bytes | None = None) -> ZooEstimator:
    """Load the estimator that ``save`` wrote into a folder. Nothing in the folder is executed or unpickled.

    Args:
        path: The folder.
        key: Key that the folder must be signed with. If None, the content of the file that the environment variable
            ``LSTMZOO_KEY_FILE`` names; without that variable, signatures are neither needed nor checked.

    Raises:
        ConfigError: If the key is empty or cannot be read.
        SavedModelError: If the folder is missing, incomplete, damaged, of a newer format, inconsistent, or not signed with the
            key.
    """
    manifest, files = saving.read_bundle(path, saving.signing_key(key))
    name = str(manifest.get("class"))
    try:
        cls = class_named(name)
        cls._migrate(files, manifest["format"])
        estimator = cls._unfitted(files)
        estimator._from_bundle(files)
    except SavedModelError as error:
        raise SavedModelError(f"{path}: {error}") from error
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(f"{path} does not hold a consistent {name}: {error}") from error
    return estimator


def network_estimator(task: str) -> type[Any]:
    """Return the estimator that trains the entries of a task.

    Raises:
        UnknownNameError: If there is no such task; the message lists the tasks.
        ConfigError: If the module that defines the estimator is not imported, or the class trains no networks.
    """
    name = schema_of(task).estimators[0]
    look_for(name, CLASSES, "lstmzoo.estimators")
    cls = CLASSES.get(name)
    if cls is None or not issubclass(cls, ZooNetworkEstimator):
        raise ConfigError(
            f"the task {task!r} names {name!r}, which is no estimator of networks that is known here: {WAY_OUT}"
        )
    return cls
