"""Builders and estimators of a user's own, on the command line, when loading, and in other processes."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _cli import QUIET

import lstmzoo
from lstmzoo import plugins
from lstmzoo.config import config_directories
from lstmzoo.errors import ConfigError, SavedModelError, UnknownNameError
from lstmzoo.estimators._base import CLASSES
from lstmzoo.registry import _BUILDERS, get_builder, register_model, unregister_model

ROOT = Path(__file__).parent.parent
BUILDER = '''
import keras

from lstmzoo import BaselineForecaster
from lstmzoo.models._forecasting import forecaster, output_size
from lstmzoo.registry import register_model


@register_model
def my_linear_forecaster(spec, *, units):
    summary = keras.layers.Dense(units, name="summary")
    head = keras.layers.Dense(output_size(spec), name="head")

    def encode(inputs, states):
        return summary(keras.layers.Flatten(name="flat")(inputs.window)), states

    def decode(inputs, memory, states):
        steps = keras.layers.RepeatVector(spec.horizon, name="steps")(memory)
        return head(keras.layers.Concatenate(name="joined")([steps, inputs.future]))

    return forecaster(spec, encode, decode, name="my_linear_forecaster", streaming=False)


class MyBaseline(BaselineForecaster):
    """A user's own estimator."""
'''


def entry():
    """A zoo entry over the builder."""
    lines = (config_directories()[0] / "forecasting" / "lstm.yaml").read_text(encoding="utf-8").split("search_space")[0]
    keys = {"builder": "my_linear_forecaster", "hyperparameters": "{units: 4}"}
    kept = [line for line in lines.splitlines() if line.split(":")[0] not in keys]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in keys.items()), "search_space: {}\n"])


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with a module, an entry, data, and a model that the command line fitted."""
    folder = tmp_path_factory.mktemp("workshop")
    (folder / "zoo" / "forecasting").mkdir(parents=True)
    (folder / "zoo" / "forecasting" / "mine.yaml").write_text(entry(), encoding="utf-8")
    (folder / "my_models.py").write_text(BUILDER, encoding="utf-8")
    days = pd.date_range("2024-01-01", periods=80, freq="D")
    pd.DataFrame({"ds": days, "y": 50 + np.sin(np.arange(80.0))}).to_csv(folder / "sales.csv", index=False)
    fitted = command(
        folder, "fit", "mine", "sales.csv", "--horizon", "4", "--id-col", "", "--out", "model",
        "--set", "epochs=1", "--set", "steps_per_epoch=2", LSTMZOO_MODULES=str(folder / "my_models.py"),
    )  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    return folder


def command(folder, *args, **environment):
    return python(folder, "-m", "lstmzoo.cli", *args, **environment)


def python(folder, *args, **environment):
    known = {k: v for k, v in os.environ.items() if not k.startswith("LSTMZOO_")}
    path = os.pathsep.join([str(ROOT), environment.pop("PYTHONPATH", "")])
    environment = {**known, **QUIET, "PYTHONPATH": path, "LSTMZOO_CONFIGS": str(folder / "zoo"), **environment}
    return subprocess.run(
        [sys.executable, *args], cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


def test_the_command_line_trains_and_predicts(workshop):
    done = command(workshop, "predict", "model", LSTMZOO_MODULES="my_models.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2024-03") == 4


def test_a_saved_model_whose_builder_is_unknown_says_what_to_do(workshop):
    done = command(workshop, "predict", "model")
    assert done.returncode == 3
    assert "was built by 'my_linear_forecaster', which is not known here: import the module" in done.stderr
    assert "LSTMZOO_MODULES" in done.stderr
    assert "lstmzoo.models" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_entry_point_and_mlflow(workshop):
    """An installed package is a folder with metadata; what MLflow serves is loaded by its own loader."""
    site = workshop / "site"
    info = site / "workshop-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: workshop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lstmzoo.models]\nmine = installed_models\n")
    (site / "installed_models.py").write_text(BUILDER, encoding="utf-8")
    code = (
        "import lstmzoo, mlflow.pyfunc, json\n"
        "from lstmzoo.mlflow import save_model\n"
        "model = lstmzoo.load('model')\n"
        "save_model(model, 'served')\n"
        "served = mlflow.pyfunc.load_model('served')\n"
        "answer = served.predict(model.serving_example())\n"
        "print(json.dumps([len(model.predict()), len(answer)]))\n"
    )
    done = python(workshop, "-c", code, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [4, 4]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Names a module of a text in LSTMZOO_MODULES; what it registers is taken out again."""

    def write(text, name="theirs.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.setenv("LSTMZOO_MODULES", str(tmp_path / name))
        return tmp_path / name

    yield write
    for name in ("my_linear_forecaster", "another_one"):
        if name in _BUILDERS:
            unregister_model(name)
    CLASSES.pop("MyBaseline", None)


def test_a_module_by_name(tmp_path, monkeypatch, module):
    module(
        "from lstmzoo.registry import register_model\n@register_model\ndef another_one(spec, *, units): ...\n",
        "by_name.py",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LSTMZOO_MODULES", "by_name")
    assert get_builder("another_one").__module__ == "by_name"
    assert "another_one" in sys.modules["by_name"].__dict__


def test_a_file_that_is_imported_under_two_names_registers_once(module):
    path = module(BUILDER.split("class MyBaseline", maxsplit=1)[0])
    builder = get_builder("my_linear_forecaster")
    namespace = {"__name__": "imported_by_hand", "__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    assert get_builder("my_linear_forecaster") is not builder
    with pytest.raises(ValueError, match="'my_linear_forecaster' is already registered by"):

        @register_model
        def my_linear_forecaster(spec, *, units): ...


def test_a_file_is_imported_once_by_threads_at_the_same_time(module):
    register = "@register_model\ndef another_one(spec, *, units): ...\n"
    module(f"import time\nfrom lstmzoo.registry import register_model\ntime.sleep(0.3)\n{register}")
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(get_builder, ["another_one"] * 4))) == 1


def test_an_edited_builder_replaces_the_one_before(module):
    text = "from lstmzoo.registry import register_model\n@register_model\ndef another_one(spec, *, units): ...\n"
    path, namespace = module(text), {"__name__": "edited"}
    get_builder("another_one")
    exec(compile("# moved by a line\n" + text, str(path), "exec"), namespace)
    assert get_builder("another_one") is namespace["another_one"]


def test_a_name_that_is_taken_has_a_way_out():
    class Callable:
        """Has no code, which could be compared."""

        __name__ = "another_one"

        def __call__(self, spec, *, units): ...

    register_model(Callable())
    try:
        with pytest.raises(ValueError, match="already registered by .*: choose another name, or call unregister_model"):
            register_model(Callable())
    finally:
        unregister_model("another_one")


def test_an_estimator_of_one_s_own_is_found(module, tmp_path, monkeypatch):
    module(BUILDER)
    plugins.import_plugins()
    CLASSES["MyBaseline"]("naive", horizon=2).fit(np.arange(9.0)).save(tmp_path / "model")
    assert type(lstmzoo.load(tmp_path / "model")).__name__ == "MyBaseline"
    CLASSES.pop("MyBaseline")
    monkeypatch.delenv("LSTMZOO_MODULES")
    with pytest.raises(
        SavedModelError, match="unknown class 'MyBaseline'.*valid: BaselineForecaster, .*LSTMZOO_MODULES"
    ):
        lstmzoo.load(tmp_path / "model")


@pytest.mark.parametrize(("text", "match"), [
    ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    ("def broken(:", r"SyntaxError: .*theirs\.py, line 1"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
])  # fmt: skip
def test_a_module_that_cannot_be_imported_is_named(module, text, match):
    module(text)
    with pytest.raises(ConfigError, match=rf"LSTMZOO_MODULES names '.*theirs\.py', which cannot be imported: {match}"):
        get_builder("never_heard_of")


@pytest.mark.parametrize("name", ["nowhere.py", "no_such_module_at_all"])
def test_a_module_that_is_not_there_is_named(monkeypatch, name):
    monkeypatch.setenv("LSTMZOO_MODULES", name)
    with pytest.raises(ConfigError, match=f"LSTMZOO_MODULES names '{name}', which cannot be imported"):
        get_builder("never_heard_of")


def test_an_entry_point_that_cannot_be_imported_is_named(monkeypatch):
    points = EntryPoints([EntryPoint("theirs", "no_such_module_at_all:thing", "lstmzoo.models")])
    monkeypatch.setattr(plugins, "entry_points", lambda group: points.select(group=group))
    with pytest.raises(
        ConfigError, match="entry point 'theirs' of the group lstmzoo.models names 'no_such_module_at_all'"
    ):
        get_builder("never_heard_of")


def test_modules_are_not_imported_for_shipped_builders(monkeypatch):
    monkeypatch.setenv("LSTMZOO_MODULES", "no_such_module_at_all")
    assert get_builder("recurrent_forecaster")


def test_an_unknown_builder_says_how_it_becomes_known():
    with pytest.raises(
        UnknownNameError, match="valid: .*recurrent_forecaster.*; for one of your own, import the module"
    ):
        get_builder("never_heard_of")
