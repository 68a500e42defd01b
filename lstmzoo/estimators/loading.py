"""Loading a saved estimator."""

from pathlib import Path

from lstmzoo import saving
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.estimators import forecasting, language_modelling, translation
from lstmzoo.estimators._base import CLASSES, ZooEstimator
from lstmzoo.migrations import migrate

TASKS = (forecasting, language_modelling, translation)  # importing a task's package registers its classes


def load(path: str | Path) -> ZooEstimator:
    """The estimator that ``save`` wrote into a folder. Nothing in the folder is executed or unpickled.

    Raises:
        SavedModelError: If the folder is missing, incomplete, damaged, was tampered with, or is of a newer format.
    """
    manifest, files = saving.read_bundle(path)
    cls = CLASSES.get(str(manifest.get("class")))
    if cls is None:
        raise SavedModelError(f"{path}: unknown class {manifest.get('class')!r}; valid: {', '.join(sorted(CLASSES))}")
    try:
        migrate(files, manifest["format"], [base.__name__ for base in cls.__mro__])
        estimator = cls(**files["params.json"]["params"])
        estimator._check_params()
        estimator._from_bundle(files)
    except SavedModelError:
        raise
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise SavedModelError(f"{path} does not hold a consistent {cls.__name__}: {error}") from error
    return estimator
