"""A model saved by any released format loads, and answers as it did.

The folders of the format that is being written are made by ``pytest tests/test_saved_formats.py --update-golden``, once,
before a release. Those of earlier formats are never written again.
"""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from _saved_models import GOLDEN, write

import lstmzoo
from lstmzoo import BaselineForecaster, migrations, saving
from lstmzoo.errors import SavedModelError
from lstmzoo.migrations import Added, constant, migrate, param

SAVED = Path(__file__).parent / "golden" / "saved"
FOLDERS = sorted(folder.parent for folder in SAVED.glob("format-*/*/model"))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if isinstance(values[0], str):
            assert found[name] == values, name
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_model_of_each_format_answers_as_it_did(folder):
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert_same(GOLDEN[folder.name].ask(lstmzoo.load(folder / "model")), expected)


def test_every_class_is_among_them(request):
    if request.config.getoption("--update-golden"):
        write(SAVED / f"format-{saving.FORMAT}")
    for release in SAVED.glob("format-*"):
        assert {folder.name for folder in release.iterdir()} == set(GOLDEN)


OLD = {"params.json": {"params": {"horizon": 6}, "config": {"data": {"bptt": 8}}, "learned": {}}}


def migrated(monkeypatch, *rows, format=1, files=OLD, classes=("Forecaster", "ZooEstimator")):
    files = copy.deepcopy(files)
    monkeypatch.setattr(migrations, "MIGRATIONS", {1: rows, 2: ()})
    monkeypatch.setattr(migrations, "FORMAT", 3)
    migrate(files, format, classes)
    return files["params.json"]


def test_an_added_key_gets_its_value(monkeypatch):
    rows = (
        Added("Forecaster", "params.json", ("learned",), "horizon_", param("horizon")),
        Added("ZooEstimator", "params.json", ("config", "data"), "shift", constant(False)),
    )
    document = migrated(monkeypatch, *rows)
    assert document["learned"] == {"horizon_": 6}
    assert document["config"]["data"] == {"bptt": 8, "shift": False}


def test_a_value_that_is_there_stays(monkeypatch):
    row = Added("Forecaster", "params.json", ("config", "data"), "bptt", constant(1))
    assert migrated(monkeypatch, row)["config"]["data"] == {"bptt": 8}


@pytest.mark.parametrize(("owner", "format"), [("Translator", 1), ("Forecaster", 2), ("Forecaster", 3)])
def test_other_classes_and_later_formats_are_left_alone(monkeypatch, owner, format):
    row = Added(owner, "params.json", ("learned",), "horizon_", constant(1))
    assert migrated(monkeypatch, row, format=format)["learned"] == {}


def test_a_section_that_a_class_lacks_is_passed_over(monkeypatch):
    row = Added("ZooEstimator", "params.json", ("config", "training"), "new", constant(1))
    assert migrated(monkeypatch, row, files={"params.json": {"learned": {}}}) == {"learned": {}}


def test_a_pickle_of_an_older_format_is_migrated(monkeypatch):
    estimator = BaselineForecaster("naive", horizon=2).fit(np.arange(9.0))
    state = estimator.__getstate__()
    assert state.pop("format") == saving.FORMAT
    del state["bundle"]["params.json"]["learned"]["season_length_"]
    row = Added("BaselineForecaster", "params.json", ("learned",), "season_length_", constant(5))
    monkeypatch.setattr(migrations, "MIGRATIONS", {1: (row,), **dict.fromkeys(range(2, saving.FORMAT), ())})
    again = BaselineForecaster.__new__(BaselineForecaster)
    again.__setstate__(state)
    assert again.season_length_ == 5


def test_a_pickle_of_a_newer_format_is_refused():
    state = BaselineForecaster("naive", horizon=2).fit(np.arange(9.0)).__getstate__()
    state["format"] = saving.FORMAT + 1
    again = BaselineForecaster.__new__(BaselineForecaster)
    with pytest.raises(
        SavedModelError, match=rf"pickled in format {saving.FORMAT + 1}.*reads up to {saving.FORMAT}: upgrade"
    ):
        again.__setstate__(state)


@pytest.mark.parametrize("format", [0, -1, True, "1", None])
def test_a_format_that_never_was_is_refused(tmp_path, format):
    BaselineForecaster("naive", horizon=2).fit(np.arange(9.0)).save(tmp_path / "model")
    path = tmp_path / "model" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": format}))
    with pytest.raises(SavedModelError, match="is not a manifest"):
        lstmzoo.load(tmp_path / "model")
