"""Private parts of other packages that lstmzoo relies on: a release without one of them fails here, with the place to mend."""

import logging
import threading
from importlib.metadata import version

import keras
import keras_tuner
import pytest
from mlflow.data.dataset import Dataset
from mlflow.store.db import utils
from mlflow.tracking import fluent
from mlflow.utils import validation

PRIVATE = [
    ("keras", keras.Model, "_flatten_layers", "backend.py", "to see how long recurrent layers loop"),
    ("keras-tuner", keras_tuner.Oracle, "_random_values", "tuning/oracles.py", "to give Hyperband its first values"),
    ("keras-tuner", keras_tuner.Oracle, "_save_trial", "tuning/oracles.py", "to write no files"),
    ("mlflow", validation, "_validate_model_name", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_model_alias_name", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_model_alias_name_reserved", "mlflow/names.py", "to check names early"),
    ("mlflow", validation, "_validate_experiment_name", "mlflow/names.py", "to check names early"),
    ("mlflow", fluent, "_get_experiment_id", "mlflow/autologging.py", "to find the active experiment"),
    ("mlflow", Dataset, "_compute_digest", "mlflow/provenance.py", "to name data by the digest of a fit"),
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


@pytest.mark.parametrize(("make", "shape"), [
    (lambda: keras.layers.Dense(2), (None, 3)),
    (lambda: keras.layers.Embedding(4, 2), (None, 3)),
    (keras.layers.LayerNormalization, (None, 3)),
    (lambda: keras.layers.LSTM(2), (None, 5, 3)),
    (lambda: keras.layers.Bidirectional(keras.layers.GRU(2)), (None, 5, 3)),
], ids=["dense", "embedding", "normalization", "lstm", "bidirectional"])  # fmt: skip
def test_the_guard_of_saved_models_sees_all_layers_and_weights(monkeypatch, make, shape):
    """lstmzoo/rebuilding.py wraps ``Layer.__new__`` and ``Layer.add_weight``; Keras has to make layers and weights by them."""
    made, weights = [], []
    new, add_weight = keras.layers.Layer.__new__, keras.layers.Layer.add_weight
    monkeypatch.setattr(
        keras.layers.Layer, "__new__", staticmethod(lambda cls, *a, **k: made.append(cls) or new(cls, *a, **k))
    )
    monkeypatch.setattr(
        keras.layers.Layer, "add_weight", lambda *a, **k: weights.append(add_weight(*a, **k)) or weights[-1]
    )
    layer = make()
    layer.build(shape)
    assert type(layer) in made, (
        f"keras {version('keras')} makes layers without Layer.__new__; see lstmzoo/rebuilding.py"
    )
    unseen = {w.path for w in layer.weights} - {w.path for w in weights}
    assert not unseen, f"keras {version('keras')} makes {unseen} without Layer.add_weight; see lstmzoo/rebuilding.py"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a warning of TensorFlow")
def test_tensorflow_warns_of_retracing_as_the_filter_expects(caplog, monkeypatch):
    """lstmzoo/backend.py filters these warnings by their logger, their thread and three of their words."""
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    function = tf.function(lambda number: number)
    for number in range(8):
        function(number)
    here = [r for r in caplog.records if r.name == "tensorflow" and r.thread == threading.get_ident()]
    words = "tf.function retracing"
    problem = f"tensorflow {version('tensorflow')} words its warning of retracing otherwise; see lstmzoo/backend.py"
    assert any(words in record.getMessage() for record in here), problem
