"""The zoo's networks as plain Keras models, and as keras-tuner's hypermodels."""

import json
import subprocess
import sys

import keras
import keras_tuner
import numpy as np
import pytest

from lstmzoo import Forecaster, HyperModel, LanguageModel, Translator, build_model, checks
from lstmzoo.config import list_models, load_config
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.layers import pinball_loss
from lstmzoo.networks import Network, build_network
from lstmzoo.spec import ForecastingSpec, LanguageModellingSpec
from lstmzoo.tuning import mean_nll

SPEC = ForecastingSpec(lookback=24, horizon=6, num_references=1, num_outputs=1)
RNG = np.random.default_rng(0)
Y = 10 + np.sin(np.arange(240) * np.pi / 6)


def arrays(n=16):
    window = RNG.normal(size=(n, 24, 1)).astype("float32")
    future = np.repeat(window[:, -1:], 6, axis=1)
    return {"window": window, "future": future}, future + 0.1


RELOAD = """
import json, sys
import numpy as np
import lstmzoo.networks
import keras
worst = {}
for name in json.load(open(sys.argv[1])):
    model = keras.models.load_model(name + ".keras")
    answer = np.asarray(model(dict(np.load(name + "-in.npz"))))
    worst[name] = float(np.abs(answer - np.load(name + "-out.npy")).max())
print(json.dumps(worst))
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
def test_every_builder_s_network_is_reloaded_from_a_keras_file_in_a_fresh_process(tmp_path):
    """One entry of each builder, in one process: the networks differ, not the process."""
    names = []
    for name in {load_config(name).builder: name for name in list_models()}.values():
        config, toys = checks.small(load_config(name)), checks.toys_of(name.split("/")[0])
        spec = toys.spec(config)
        model = build_network(config, spec)
        toy = toys.make(model, spec, RNG)
        place = str(tmp_path / name.replace("/", "-"))
        model.save(f"{place}.keras")
        np.save(f"{place}-out.npy", np.asarray(model(toy.inputs)))
        np.savez(f"{place}-in.npz", **toy.inputs)
        names.append(place)
    (tmp_path / "names.json").write_text(json.dumps(names))
    done = subprocess.run(
        [sys.executable, "-c", RELOAD, str(tmp_path / "names.json")],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    worst = json.loads(done.stdout.splitlines()[-1])
    assert len(worst) == len(names) > 15
    assert {name: error for name, error in worst.items() if error > 1e-6} == {}


def test_a_model_of_a_spec_trains_as_any_keras_model(without_xla):
    keras.utils.set_random_seed(0)
    model = build_model("segment_gru", SPEC, hyperparameters={"units": 4})
    assert isinstance(model, Network)
    assert not model.compiled
    lines = []
    model.summary(print_fn=lines.append)
    assert "future" in "".join(lines)
    inputs, target = arrays()
    model.compile(optimizer="adam", loss="mae", run_eagerly=True)
    losses = model.fit(inputs, target, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


def test_a_head_of_ones_own_on_the_model_and_on_its_output(tmp_path):
    body = build_model("forecasting/lstm", SPEC, hyperparameters={"units": 4, "num_layers": 1})
    inputs, _ = arrays(3)
    for output, name in ((body.output, "flat"), (body(body.input), "nested")):
        model = keras.Model(body.input, keras.layers.Dense(2, name="own_head")(output))
        model.save(tmp_path / f"{name}.keras")
        again = keras.models.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_allclose(again(inputs), model(inputs), atol=1e-6)
        assert again.output_shape == (None, 6, 2)


@pytest.mark.parametrize(
    ("estimator", "data", "name", "params"),
    [
        (Forecaster, (Y,), "forecasting/gru", {"horizon": 6, "quantiles": [0.1, 0.9], "season_length": 12}),
        (LanguageModel, ("the cat sat on the mat. " * 40,), "language_modelling/gru", {"tokenizer": "char"}),
        (Translator, (["a b", "b c"] * 20, ["x y", "y z"] * 20), "translation/seq2seq_gru", {"tokenizer": "char"}),
    ],
)
def test_a_model_of_data_is_the_estimators(estimator, data, name, params, eagerly):
    small = {"units": 4, "epochs": 1, "steps_per_epoch": 1}
    fitted = estimator(name, hyperparameters=small, random_state=0, verbose=0, **params).fit(*data)
    model = build_model(name, *data, hyperparameters=small, random_state=0, **params)
    expected = {weight.path: tuple(weight.shape) for weight in fitted.model_.weights}
    assert {weight.path: tuple(weight.shape) for weight in model.weights} == expected


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: build_model("grru", SPEC), UnknownNameError, "unknown model 'grru' .did you mean 'gru'"),
        (lambda: build_model("forecasting/gru", LanguageModellingSpec(9, 4)), ConfigError, "data: forecasting/gru needs a "
         "ForecastingSpec, got a LanguageModellingSpec"),
        (lambda: build_model("forecasting/gru", SPEC, horizon=3), ConfigError, "horizon: a spec has all sizes already"),
        (lambda: build_model("forecasting/gru", SPEC, hyperparameters={"unit": 3}), ConfigError, "did you mean 'units'"),
        (lambda: HyperModel("gru", SPEC, search_space={"scaling": {"type": "categorical", "values": ["none"]}}), ConfigError,
         "search_space: 'scaling' is a setting of the data"),
        (lambda: HyperModel("gru", SPEC, search_space={"unit": None}), UnknownNameError, "did you mean 'units'"),
        (lambda: HyperModel("gru", ForecastingSpec(24, 6, 1, 3)), ConfigError, "loss: the spec has 3 outputs: pass one"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", list_models())
def test_spaces_are_declared_whole_and_make_models(name):
    """All that a tuner draws is a valid config of the entry, and the network's part of its search space is declared."""
    config = load_config(name)
    toys = checks.toys_of(config.task)
    sizes = {key: size for key, size in toys.sizes.items() if key in config.settings}
    hypermodel = HyperModel(name, toys.spec(config), hyperparameters=sizes, loss="mae")
    network = {*config.hyperparameters, "optimizer", "learning_rate", "beta_2", "clipnorm", "batch_size"}
    assert set(hypermodel.ranges) == {key for key in config.search_space if key in network} - set(sizes)
    hp = keras_tuner.HyperParameters()
    hypermodel._drawn(hp)
    assert set(hp.values) == set(hypermodel.ranges)
    oracle = keras_tuner.oracles.RandomSearchOracle("val_loss", max_trials=20, hyperparameters=hp, seed=1)
    for trial in range(5):
        values = oracle.populate_space(str(trial))["values"]
        drawn = hypermodel._drawn(keras_tuner.HyperParameters.from_config({**hp.get_config(), "values": values}))
        for key, value in drawn.settings.items():
            assert key not in hypermodel.ranges or hypermodel.ranges[key].contains(value)


@pytest.mark.parametrize(("key", "own", "r", "listed", "default"), [
    ("dropout", 0.2, {"type": "float", "min": 0.0, "max": 0.5, "step": 0.3}, [0.0, 0.3], 0.3),
    ("dropout", 0.2, {"type": "float", "min": 0.0, "max": 0.5, "step": 0.1}, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], 0.2),
    ("dropout", 0.45, {"type": "float", "min": 0.0, "max": 0.5, "step": 0.3}, [0.0, 0.3], 0.3),
    ("units", 7, {"type": "int", "min": 2, "max": 10, "step": 3}, None, 8),
])  # fmt: skip
def test_steps_end_at_max_and_begin_at_the_entry_s_own_value(key, own, r, listed, default):
    hypermodel = HyperModel("gru", SPEC, search_space={key: r})
    hypermodel.config = hypermodel.config.override({key: own})
    hp = keras_tuner.HyperParameters()
    assert hypermodel._drawn(hp).settings[key] == default
    (declared,) = [one for one in hp.space if one.name == key]
    assert listed is None or list(declared.values) == listed


@pytest.mark.filterwarnings(r"ignore:(currentThread|getName)\(\):DeprecationWarning")  # keras-tuner's own
@pytest.mark.parametrize("tuner", [keras_tuner.RandomSearch, keras_tuner.Hyperband])
def test_tuners_search(tuner, tmp_path, eagerly):
    space = {
        "units": {"type": "int", "min": 2, "max": 4},
        "dropout": {"type": "float", "min": 0.0, "max": 0.5, "step": 0.1},
    }
    hypermodel = HyperModel("gru", SPEC, hyperparameters={"num_layers": 1, "epochs": 1}, search_space=space)
    limits = {"max_trials": 2} if tuner is keras_tuner.RandomSearch else {"max_epochs": 2, "factor": 2}
    search = tuner(hypermodel, objective="val_loss", seed=1, directory=tmp_path, project_name="x", **limits)
    inputs, target = arrays()
    search.search(inputs, target, validation_split=0.25, verbose=0)
    best = search.get_best_hyperparameters()[0].values
    assert 2 <= best["units"] <= 4
    assert search.get_best_models()[0](inputs).shape == (16, 6, 1)


def test_quantiles_of_data_have_their_loss():
    hypermodel = HyperModel("forecasting/gru", Y, horizon=6, quantiles=[0.1, 0.9], hyperparameters={"units": 4})
    y, forecast = np.ones((2, 6, 1), "float32"), RNG.normal(size=(2, 6, 3)).astype("float32")
    np.testing.assert_allclose(hypermodel._loss(y, forecast), pinball_loss([0.1, 0.5, 0.9])(y, forecast))
    model = hypermodel.build(keras_tuner.HyperParameters())
    assert model.output_shape == (None, 6, 3)
    assert model.optimizer.global_clipnorm == hypermodel.config.training.clipnorm


def test_networks_that_give_likelihoods_train_with_their_mean(eagerly):
    spec = LanguageModellingSpec(vocab_size=9, bptt=4)
    hypermodel = HyperModel("gru", spec, hyperparameters={"units": 4, "embedding_dim": 4, "num_layers": 1})
    model = hypermodel.build(keras_tuner.HyperParameters())
    tokens = RNG.integers(0, 9, (8, 5)).astype("int32")
    inputs = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:]}
    loss = model.evaluate(inputs, inputs["targets"], verbose=0)
    assert loss == pytest.approx(float(np.mean(model.predict_on_batch(inputs))), rel=1e-5)
    np.testing.assert_array_equal(mean_nll(None, tokens), tokens)
