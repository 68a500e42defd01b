"""The table in CONTRIBUTING: an entry, a topology and a metric are added by as few files as it says. See also test_toy_task.py."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_layering import LAYERS

import lstmzoo
from lstmzoo import BaselineForecaster, ForecastScorer, checks
from lstmzoo.config import config_directories
from lstmzoo.estimators.forecasting.scoring import by_name
from lstmzoo.registry import _BUILDERS, unregister_model

HERE = Path(__file__).parent
QUICK = (checks.check_keys_match_builder, checks.check_layers_are_named, checks.check_search_space_builds)
TOPOLOGY = '''
import keras

from lstmzoo.blocks import Count
from lstmzoo.models._forecasting import forecaster, output_size
from lstmzoo.registry import register_model
from lstmzoo.spec import ForecastingSpec


@register_model
def contributed_forecaster(spec: ForecastingSpec, *, units: Count) -> keras.Model:
    """The last state of a GRU, repeated."""
    reader, head = keras.layers.GRU(units, name="reader"), keras.layers.Dense(output_size(spec), name="head")

    def encode(inputs, states):
        return reader(inputs.window), states

    def decode(inputs, memory, states):
        steps = keras.layers.RepeatVector(spec.horizon, name="steps")(memory)
        return head(keras.layers.Concatenate(name="joined")([steps, inputs.future]))

    return forecaster(spec, encode, decode, name="contributed_forecaster", streaming=False)
'''


@pytest.fixture
def write_entry(tmp_path, monkeypatch):
    """Writes a forecasting entry, that of the LSTM with changes, to a directory that LSTMZOO_CONFIGS names."""
    (tmp_path / "forecasting").mkdir()
    monkeypatch.setenv("LSTMZOO_CONFIGS", str(tmp_path))

    def write(**changes):
        text = (config_directories()[0] / "forecasting" / "lstm.yaml").read_text(encoding="utf-8")
        for key, value in changes.items():
            text = re.sub(rf"^{key}:.*\n(  .*\n)*", f"{key}: {value}\n", text, flags=re.MULTILINE)
        (tmp_path / "forecasting" / "contributed.yaml").write_text(text, encoding="utf-8")

    return write


def test_an_entry_is_one_file(write_entry):
    write_entry(summary="A contribution.")
    assert "forecasting/contributed" in lstmzoo.list_models("contrib*")
    assert lstmzoo.load_config("contributed").summary == "A contribution."
    for check in QUICK:
        check("forecasting/contributed")


def test_a_topology_is_two_files(write_entry, tmp_path, monkeypatch):
    space = "{units: {type: int, min: 2, max: 4}}"
    write_entry(builder="contributed_forecaster", hyperparameters="{units: 3}", search_space=space, tags="[gru]")
    (tmp_path / "contributed.py").write_text(TOPOLOGY, encoding="utf-8")
    monkeypatch.setenv("LSTMZOO_MODULES", str(tmp_path / "contributed.py"))
    try:
        for check in QUICK:
            check("forecasting/contributed")
    finally:
        if "contributed_forecaster" in _BUILDERS:
            unregister_model("contributed_forecaster")


def test_a_metric_is_found_by_its_name(monkeypatch):
    """A function, and its name in one table: evaluation and scikit-learn's scoring know it."""

    def largest_error(actual, forecast):
        return np.nanmax(np.abs(actual - forecast), axis=1)

    monkeypatch.setitem(by_name._POINT, "largest_error", largest_error)
    monkeypatch.setattr(by_name, "METRICS", (*by_name._POINT, *by_name._SCALED))
    naive = BaselineForecaster("naive", horizon=2).fit([1.0, 2.0])
    assert naive.evaluate([1.0, 2.0, 3.0, 5.0], metrics=["largest_error"])["largest_error"].tolist() == [3.0]
    assert ForecastScorer("largest_error")(naive, [1.0, 2.0, 3.0, 5.0]) == -3.0


def test_the_table_names_tests_and_files_that_exist():
    page = (HERE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    tests = re.findall(r"`(test_\w+)`", page)
    assert tests
    for name in tests:
        assert f"def {name}(" in code
    for path in re.findall(r"`((?:lstmzoo|tests|docs)/[\w/.]+)`", page):
        assert (HERE.parent / path).exists(), path


def test_the_layers_are_those_that_are_tested():
    page = (HERE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `([^`]*)` \|$", page, flags=re.MULTILINE)
    listed = {name: int(layer) for layer, names in rows for name in names.split()}
    assert listed == {name: layer for name, layer in LAYERS.items() if name not in ("_version", "demo")}
