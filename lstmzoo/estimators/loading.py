"""Loading a saved estimator."""

from pathlib import Path

from lstmzoo import saving
from lstmzoo.errors import ConfigError, SavedModelError, unknown_name
from lstmzoo.estimators import forecasting, language_modelling, translation
from lstmzoo.estimators._base import CLASSES, ZooEstimator
from lstmzoo.migrations import migrate
from lstmzoo.plugins import WAY_OUT, import_plugins

TASKS = (forecasting, language_modelling, translation)  # importing a task's package registers its classes


def load(path: str | Path, *, key: str | bytes | None = None) -> ZooEstimator:
    """The estimator that ``save`` wrote into a folder. Nothing in the folder is executed or unpickled.

    Args:
        path: The folder.
        key: What the folder has to be signed with. If None, the content of the file that the environment variable
            ``LSTMZOO_KEY_FILE`` names; without that variable a signature is neither needed nor looked at.

    Raises:
        ConfigError: If the key is empty or cannot be read.
        SavedModelError: If the folder is missing, incomplete, damaged, of a newer format, inconsistent, or not signed with the
            key.
    """
    manifest, files = saving.read_bundle(path, saving.signing_key(key))
    cls = _class_of(path, str(manifest.get("class")))
    try:
        migrate(files, manifest["format"], [base.__name__ for base in cls.__mro__])
        estimator = cls(**files["params.json"]["params"])
        estimator._check_params()
        estimator._from_bundle(files)
    except SavedModelError as error:
        raise SavedModelError(f"{path}: {error}") from error
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(f"{path} does not hold a consistent {cls.__name__}: {error}") from error
    return estimator


def _class_of(path: str | Path, name: str) -> type[ZooEstimator]:
    if name not in CLASSES:
        import_plugins()
    if name not in CLASSES:
        raise SavedModelError(f"{path}: {unknown_name('class', name, CLASSES)}; for one of your own, {WAY_OUT}")
    return CLASSES[name]
