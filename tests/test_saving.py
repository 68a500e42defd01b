"""A saved model is complete and unchanged, or refused."""

import json
import os

import keras
import numpy as np
import pandas as pd
import pytest

import lstmzoo
from lstmzoo import BaselineForecaster, ForecastEnsemble, Forecaster
from lstmzoo.errors import SavedModelError


@pytest.fixture(scope="module")
def network(hourly, tiny):
    return Forecaster(**tiny).fit(hourly)


@pytest.fixture
def folder(network, tmp_path):
    network.save(tmp_path / "model")
    return tmp_path / "model"


def rewrite_manifest(folder, **changes):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, **changes}))


def resign(folder, name):
    """Update the manifest for a changed file, as an attacker would."""
    import hashlib

    raw = (folder / name).read_bytes()
    files = json.loads((folder / "manifest.json").read_text())["files"]
    rewrite_manifest(folder, files={**files, name: {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}})


def edit_json(folder, name, edit):
    document = json.loads((folder / name).read_text())
    edit(document)
    (folder / name).write_text(json.dumps(document))
    resign(folder, name)


def test_files_are_json_and_safetensors(folder):
    assert {p.name for p in folder.iterdir()} == {
        "manifest.json", "params.json", "preprocessor.json", "state.safetensors", "weights.safetensors"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["params.json", "preprocessor.json", "state.safetensors", "weights.safetensors"])
def test_each_flipped_bit_is_found(folder, name):
    raw = bytearray((folder / name).read_bytes())
    for position in np.random.default_rng(0).integers(0, len(raw) * 8, size=10):
        flipped = raw.copy()
        flipped[position // 8] ^= 1 << (position % 8)
        (folder / name).write_bytes(flipped)
        with pytest.raises(SavedModelError, match=f"{name} is damaged"):
            lstmzoo.load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "params.json", "weights.safetensors"])
def test_truncated(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SavedModelError, match=name):
        lstmzoo.load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "params.json", "weights.safetensors"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(SavedModelError, match=name):
        lstmzoo.load(folder)


def test_extra_file(folder):
    (folder / "run.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(SavedModelError, match=r"run\.pkl"):
        lstmzoo.load(folder)


def test_links_are_refused(folder, tmp_path):
    (folder / "params.json").rename(tmp_path / "elsewhere.json")
    os.symlink(tmp_path / "elsewhere.json", folder / "params.json")
    with pytest.raises(SavedModelError, match=r"params\.json"):
        lstmzoo.load(folder)


def test_a_newer_format_says_what_to_do(folder):
    rewrite_manifest(folder, format=9, min_reader=9, lstmzoo="9.0")
    with pytest.raises(SavedModelError, match=r"saved by lstmzoo 9\.0 in format 9.*upgrade lstmzoo"):
        lstmzoo.load(folder)


def test_nothing_there(tmp_path):
    with pytest.raises(SavedModelError, match=r"is not a saved model: it has no manifest\.json"):
        lstmzoo.load(tmp_path / "nowhere")


def test_an_unknown_class(folder):
    rewrite_manifest(folder, **{"class": "os.system"})
    with pytest.raises(SavedModelError, match=r"unknown class 'os\.system'; valid: BaselineForecaster, .*Forecaster"):
        lstmzoo.load(folder)


def test_another_class(folder):
    rewrite_manifest(folder, **{"class": "BaselineForecaster"})
    with pytest.raises(SavedModelError, match="does not hold a consistent BaselineForecaster"):
        lstmzoo.load(folder)


@pytest.mark.parametrize(("name", "edit"), [
    ("params.json", lambda d: d["params"].update(horizon="six")),
    ("params.json", lambda d: d["params"].update(surprise=1)),
    ("params.json", lambda d: d["params"].pop("horizon")),
    ("params.json", lambda d: d["config"].update(builder="eval")),
    ("params.json", lambda d: d["config"]["hyperparameters"].update(units=9)),
    ("params.json", lambda d: d.pop("learned")),
    ("preprocessor.json", lambda d: d["windows"].update(horizon=3)),
    ("preprocessor.json", lambda d: d.pop("panel")),
])  # fmt: skip
def test_tampering_that_keeps_the_hashes_right(folder, name, edit):
    edit_json(folder, name, edit)
    with pytest.raises(SavedModelError):
        lstmzoo.load(folder)


def test_saving_again_replaces_the_whole(network, folder, hourly):
    BaselineForecaster("naive", horizon=3).fit(hourly).save(folder)
    assert isinstance(lstmzoo.load(folder), BaselineForecaster)
    assert not (folder / "weights.safetensors").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_folder_of_something_else_is_left_alone(network, tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(SavedModelError, match="is not a saved model: choose another folder"):
        network.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_manifest_of_something_else_is_left_alone(network, tmp_path):
    """The folder of a web application also has a file of that name."""
    (tmp_path / "manifest.json").write_text('{"name": "app", "files": ["index.html"]}')
    (tmp_path / "index.html").write_text("hello")
    with pytest.raises(SavedModelError, match="choose another folder"):
        network.save(tmp_path)
    assert (tmp_path / "index.html").read_text() == "hello"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes by name")
def test_a_pipe_does_not_hang(folder):
    (folder / "state.safetensors").unlink()
    os.mkfifo(folder / "state.safetensors")
    with pytest.raises(SavedModelError, match="not a regular file"):
        lstmzoo.load(folder)


@pytest.mark.parametrize("edit", [
    lambda a: a.update(offsets=np.array([0, 10**6])),
    lambda a: a.update(values=a["values"] * np.nan),
    lambda a: a.update(values=a["values"].astype("float32")),
    lambda a: a.pop("times"),
])  # fmt: skip
def test_series_that_do_not_fit_are_refused(folder, edit):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "state.safetensors")
    edit(arrays)
    save_file(arrays, folder / "state.safetensors")
    resign(folder, "state.safetensors")
    with pytest.raises(SavedModelError):
        lstmzoo.load(folder)


def test_a_class_that_is_no_name(folder):
    rewrite_manifest(folder, **{"class": []})
    with pytest.raises(SavedModelError, match="unknown class"):
        lstmzoo.load(folder)


def test_a_subclass_comes_back_as_itself(hourly, tmp_path):
    class Mine(BaselineForecaster):
        """A user's class."""

    Mine("naive", horizon=3).fit(hourly).save(tmp_path / "mine")
    assert type(lstmzoo.load(tmp_path / "mine")) is Mine
    with pytest.raises(ValueError, match="already defined by lstmzoo"):
        type("BaselineForecaster", (BaselineForecaster,), {})


def test_a_model_that_diverged_after_its_best_epoch_is_saved(hourly, tiny, tmp_path, monkeypatch):
    step, losses = keras.Model.train_on_batch, iter([1.0] * 5 + [float("inf")] * 5)
    monkeypatch.setattr(
        keras.Model, "train_on_batch", lambda *args, **kwargs: step(*args, **kwargs) | {"loss": next(losses)}
    )
    forecaster = Forecaster(**tiny).fit(hourly, checkpoint_dir=tmp_path / "checkpoint")
    assert [row["loss"] for row in forecaster.history_] == [1.0, None]
    forecaster.save(tmp_path / "model")
    assert lstmzoo.load(tmp_path / "model").history_ == forecaster.history_


def test_a_fresh_process_predicts_the_same_bits(network, folder, tmp_path):
    import subprocess
    import sys

    ensemble = ForecastEnsemble.of([network])
    ensemble.save(tmp_path / "ensemble")  # a class that is imported when it is loaded
    code = "import lstmzoo, sys; {}.to_pickle(sys.argv[1]); {}.to_pickle(sys.argv[1] + '2')".format(
        *(f"lstmzoo.load({str(path)!r}).predict()" for path in (tmp_path / "ensemble", folder))
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "y")], check=True, timeout=120, capture_output=True)
    for name, model in (("y", ensemble), ("y2", network)):
        pd.testing.assert_frame_equal(pd.read_pickle(tmp_path / name), model.predict(), check_exact=True)
