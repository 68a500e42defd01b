"""Private parts of other packages that lstmzoo relies on: a release without one of them fails here, with the place to mend."""

from importlib.metadata import version

import keras_tuner
import pytest
from mlflow.store.db import utils
from mlflow.tracking import fluent
from mlflow.utils import validation

PRIVATE = [
    ("keras-tuner", keras_tuner.Oracle, "_random_values", "tuning/oracles.py", "to give Hyperband its first values"),
    ("keras-tuner", keras_tuner.Oracle, "_save_trial", "tuning/oracles.py", "to write no files"),
    ("mlflow", validation, "_validate_model_name", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_model_alias_name", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_model_alias_name_reserved", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_experiment_name", "mlflow/names.py", "to check names early"),
    ("mlflow", fluent, "_get_experiment_id", "mlflow/autologging.py", "to find the active experiment"),
    ("mlflow", utils, "MAX_RETRY_COUNT", "mlflow/_stores.py", "to try a database once"),
]


@pytest.mark.parametrize(("package", "owner", "name", "place", "purpose"), PRIVATE, ids=[part[2] for part in PRIVATE])
def test_private_parts_of_other_packages_exist(package, owner, name, place, purpose):
    problem = f"{package} {version(package)} no longer has {owner.__name__}.{name}; lstmzoo/{place} needs it {purpose}"
    assert hasattr(owner, name), problem


def test_hyperband_takes_first_values_where_it_draws_them():
    """lstmzoo/tuning/oracles.py overrides ``_random_values``; keras-tuner has to call it for a bracket's first round."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Int("units", 1, 100)
    oracle = keras_tuner.oracles.HyperbandOracle("val_loss", hyperparameters=hyperparameters)
    oracle._random_values = lambda: {"units": 7}
    assert oracle.populate_space("0")["values"]["units"] == 7
