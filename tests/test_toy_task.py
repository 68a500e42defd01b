"""A task is added without a change to the package: a module that a user names brings it through search, storage, serving, CLI."""

import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from _cli import IGNORED_WARNINGS, assert_refused, run, run_json

import lstmzoo
from lstmzoo import checks
from lstmzoo.cli._base import TASKS
from lstmzoo.config._base import SCHEMAS
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.estimators import network_estimator
from lstmzoo.estimators._base import CLASSES
from lstmzoo.plugins import import_plugins
from lstmzoo.registry import _BUILDERS

pytestmark = [IGNORED_WARNINGS, pytest.mark.usefixtures("toy", "eagerly")]
REGISTRIES = (SCHEMAS, _BUILDERS, CLASSES, TASKS, checks.TOYS)
MODULE = Path(__file__).parent / "_toy_task.py"
ENTRY = """
builder: recurrent_summer
summary: Reads numbers one by one.
reference: Elman, "Finding Structure in Time", Cognitive Science 1990
tags: [quick]
hyperparameters: {units: 4, dropout: 0.2}
data: {scaled: true}
training: {optimizer: adam, learning_rate: 1.0e-2, beta_2: 0.999, schedule: constant, warmup: 0.0, clipnorm: null,
  batch_size: 8, epochs: 1, steps_per_epoch: 4, patience: 1, average_epochs: 1}
search_space:
  units: {type: int, min: 2, max: 6}
"""
X = np.random.default_rng(0).integers(1, 9, (40, 3)).astype("float32")
Y = X.sum(axis=1)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Names the module and a directory with its entry; what it registered is taken out again."""
    before = [dict(registry) for registry in REGISTRIES]
    modules = set(sys.modules)
    (tmp_path / "zoo" / "summing").mkdir(parents=True)
    (tmp_path / "zoo" / "summing" / "rnn.yaml").write_text(ENTRY)
    (tmp_path / "data.sums").write_text("".join(f"{' '.join(map(str, x))} = {y}\n" for x, y in zip(X, Y, strict=True)))
    monkeypatch.setenv("LSTMZOO_CONFIGS", str(tmp_path / "zoo"))
    monkeypatch.setenv("LSTMZOO_MODULES", str(MODULE))
    monkeypatch.chdir(tmp_path)
    yield
    for registry, content in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(content)
    for name in set(sys.modules) - modules:
        if name.startswith("_lstmzoo_"):
            del sys.modules[name]


@pytest.mark.parametrize("check", checks.ENTRY_CHECKS, ids=lambda c: c.__name__)
def test_its_entry_passes_the_checks(check):
    check("summing/rnn")


def test_search_storage_and_serving():
    from lstmzoo.mlflow import save_model

    summer = network_estimator("summing")("rnn", random_state=0, verbose=0)
    search = lstmzoo.ZooSearchCV(summer, max_trials=2, random_state=0, verbose=0).fit(X, Y)
    assert set(search.leaderboard_["model"]) == {"rnn", "mean"}
    fitted = summer.fit(X, Y)
    for estimator in (fitted, search.best_estimator_):
        estimator.save("model")
        np.testing.assert_array_equal(lstmzoo.load("model").predict(X), estimator.predict(X))
        save_model(estimator, "served")
        served = mlflow.pyfunc.load_model("served").predict(estimator.serving_example())
        np.testing.assert_allclose(served["sum"], estimator.predict([[1, 2, 3]]), rtol=1e-6)
        (Path.cwd() / "served").rename(f"served-{type(estimator).__name__}-{id(estimator)}")


def test_the_estimator_passes_the_checks():
    import_plugins()
    for check in (checks.check_params_are_stored, checks.check_unfitted_refuses, checks.check_serves):
        check(CLASSES["Summer"](random_state=0, verbose=0), (X, Y))


def test_the_command_line():
    assert [entry["name"] for entry in run_json("list", "summing/*")] == ["summing/rnn"]
    assert "--skip" in run("fit", "--help").stdout
    report = run_json(
        "fit", "rnn", "data.sums", "--skip", "10", "--set", "units=3", "--random-state", "0", "--out", "model"
    )
    assert (report["model"], report["length"]) == ("summing/rnn", 3)
    fitted = lstmzoo.load("model")
    assert fitted.config_.hyperparameters == {"units": 3, "dropout": 0.2}
    assert run_json("evaluate", "model", "data.sums", "--skip", "10") == {"mae": -fitted.score(X[10:], Y[10:])}
    assert run_json("update", "model", "data.sums")["epochs"] == 1
    assert_refused(run("predict", "model"), 2, "model is a Summer: 'lstmzoo evaluate model' scores sums")
    assert_refused(run("fit", "rnn", "data.sums", "--horizon", "3"), 2, "--horizon is for forecasting", "--skip")
    assert_refused(run("fit", "forecasting/gru", "data.sums"), 2, "forecasting/gru is not for sums")
    assert_refused(run("evaluate", "model", "book.txt"), 2, "book.txt holds text: pass a file that ends in .sums")


def test_tune_and_benchmark():
    found = run_json("tune", "data.sums", "--max-trials", "1", "--random-state", "0", "--out", "best")
    assert {row["model"] for row in found["leaderboard"]} == {"rnn", "mean"}
    rows = run_json("benchmark", "data.sums", "--time-limit-per-model", "1")
    assert {row["model"] for row in rows} == {"summing/rnn", "mean"}
    assert all(row["mae"] > 0 for row in rows)


def test_a_network_of_a_spec():
    import_plugins()
    model = lstmzoo.build_model("summing/rnn", SCHEMAS["summing"].spec(length=5))
    assert (model.input_shape, model.output_shape) == ((None, 5, 1), (None, 1))


def test_without_the_module_everything_says_what_to_do(monkeypatch):
    network_estimator("summing")(random_state=0, verbose=0).fit(X, Y).save("model")
    for registry in REGISTRIES:
        for name in ("summing", "Summer", "MeanSum", "recurrent_summer"):
            registry.pop(name, None)
    monkeypatch.delenv("LSTMZOO_MODULES")
    Path("zoo/summing/rnn.yaml").write_text(ENTRY + "# read again\n")
    with pytest.raises(ConfigError, match=r"rnn\.yaml: unknown task 'summing'.*LSTMZOO_MODULES"):
        lstmzoo.load_config("summing/rnn")
    with pytest.raises(SavedModelError, match="unknown class 'Summer'.*LSTMZOO_MODULES"):
        lstmzoo.load("model")
    listed = run("list", "*")
    assert listed.exit_code == 0
    assert "summing/rnn is left out" in listed.stderr
