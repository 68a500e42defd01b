"""What a saved model says is compared with what is stored, before anything is built; and signatures."""

import hashlib
import json
import os
import shutil
import threading
import time

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import lstmzoo
from lstmzoo import BaselineForecaster, Forecaster, LanguageModel, Translator, saving
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.rebuilding import build_like

SHORT = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 4}
TEXTS = ["the river runs under the old bridge", "a stone lies in the river and the river runs"] * 10
OTHER_TEXTS = ["Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich"] * 20
PAIRS = ["one two three", "two three four", "three one"] * 8, ["eins zwei drei", "zwei drei vier", "drei eins"] * 8


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    settings = {"units": 4, **SHORT}
    folder = tmp_path_factory.mktemp("forecaster") / "model"
    y = 50 + np.sin(np.arange(90.0))
    model = Forecaster(
        "lstm", horizon=4, lookback=12, quantiles=[0.1, 0.9], conformal=True, validation_size=12, hyperparameters=settings,
        random_state=0, verbose=0,
    )  # fmt: skip
    model.fit(y).save(folder)
    return folder


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language-model") / "model"
    settings = {"units": 4, "embedding_dim": 4, "bptt": 8, **SHORT}
    for name, texts in (("model", TEXTS), ("other", OTHER_TEXTS)):
        model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit(texts)
        model.save(folder.with_name(name))
    return folder


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator") / "model"
    settings = {"units": 4, "embedding_dim": 4, "vocab_size": None, "joint": False, "tied": "two_way", **SHORT}
    Translator("luong_gru", tokenizer="word", hyperparameters=settings, random_state=0, verbose=0).fit(*PAIRS).save(
        folder
    )
    return folder


@pytest.fixture
def copied(tmp_path):
    """Copies of a saved model, to be changed."""

    def copy(folder):
        return shutil.copytree(folder, tmp_path / "copy")

    return copy


def rehash(folder, *names):
    """Let the manifest fit changed files, as who tampers would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in names:
        raw = (folder / name).read_bytes()
        manifest["files"][name] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    path.write_text(json.dumps(manifest))


def edit(folder, name, change):
    path = folder / name
    if name.endswith(".json"):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
    else:
        arrays = load_file(path)
        change(arrays)
        save_file(arrays, path)
    rehash(folder, name)


def refused(folder, match):
    began = time.monotonic()
    with pytest.raises(SavedModelError, match=match):
        lstmzoo.load(folder)
    assert time.monotonic() - began < 20  # building what is described would take minutes, or all of the memory


@pytest.mark.parametrize(("change", "match"), [
    ({"units": 10**9}, "units = 1000000000 is more than"),
    ({"units": 60_000}, r"a variable of shape \(.*\) for which nothing is stored"),
    ({"num_layers": 2000}, "more layers than the stored weights can have|for which nothing is stored"),
    ({"num_layers": 10**8}, "num_layers = 100000000 is more than"),
])  # fmt: skip
def test_sizes_are_refused_before_a_network_is_built(forecaster, copied, change, match):
    folder = copied(forecaster)

    def tamper(document):
        document["config"]["hyperparameters"].update(change)
        document["config"]["search_space"] = {}

    edit(folder, "params.json", tamper)
    refused(folder, match)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(forecaster, copied, value):
    folder = copied(forecaster)

    def spoil(arrays):
        name = sorted(arrays)[0]
        arrays[name] = np.full_like(arrays[name], value)

    edit(folder, "weights.safetensors", spoil)
    refused(folder, r"weights\.safetensors: .* has values that are not finite")


def test_conformal_offsets_that_are_not_finite(forecaster, copied):
    folder = copied(forecaster)
    edit(folder, "state.safetensors", lambda a: a.update(conformal_offsets=a["conformal_offsets"] * np.nan))
    refused(folder, r"state\.safetensors: .*conformal")


@pytest.mark.parametrize("change", [
    lambda d: d["params"].update(horizon=7),
    lambda d: d["params"].update(quantiles=[0.1, 0.2, 0.9]),
])  # fmt: skip
def test_a_horizon_or_levels_of_another_model(forecaster, copied, change):
    folder = copied(forecaster)
    edit(folder, "params.json", change)
    try:
        model = lstmzoo.load(folder)
    except SavedModelError:
        return
    assert model.predict().shape == lstmzoo.load(forecaster).predict().shape  # parameters are not what predictions read


@pytest.mark.parametrize(("key", "value"), [("horizon", 7), ("lookback", 10**9), ("quantiles", [0.3, 0.5])])
def test_a_preprocessor_of_windows_of_another_model(forecaster, copied, key, value):
    folder = copied(forecaster)

    def change(document):
        assert key in document["windows"]
        document["windows"][key] = value

    edit(folder, "preprocessor.json", change)
    refused(folder, ".")


def test_a_vocabulary_of_another_model(language_model, copied):
    folder = copied(language_model)
    shutil.copy(language_model.with_name("other") / "preprocessor.json", folder)
    rehash(folder, "preprocessor.json")
    refused(folder, r"preprocessor\.json is of another model: its ids of the vocabulary: \d+, expected \d+")


def test_a_vocabulary_without_one_of_its_tokens(language_model, copied):
    folder = copied(language_model)
    tokens = json.loads((folder / "preprocessor.json").read_text())["text"]
    (name,) = [key for key, value in tokens.items() if isinstance(value, list | str) and len(value) > 8]
    edit(folder, "preprocessor.json", lambda d: d["text"].update({name: tokens[name][:-1]}))
    refused(folder, "of another model: its ids of the vocabulary")


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_translators_vocabulary_without_one_of_its_tokens(translator, copied, side):
    folder = copied(translator)
    tokens = json.loads((folder / "preprocessor.json").read_text())["pairs"][side]
    (name,) = [key for key, value in tokens.items() if isinstance(value, list) and len(value) > 2]
    edit(folder, "preprocessor.json", lambda d: d["pairs"][side].update({name: tokens[name][:-1]}))
    refused(folder, f"of another model: its {side} ids")


@pytest.mark.parametrize("name", ["manifest.json", "params.json", "weights.safetensors"])
def test_a_directory_in_a_files_place(forecaster, copied, name):
    folder = copied(forecaster)
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(folder, f"{name} is not a regular file")


def test_a_file_larger_than_the_manifest_says_is_not_read(forecaster, copied, monkeypatch):
    folder = copied(forecaster)
    with open(folder / "weights.safetensors", "r+b") as file:
        file.truncate(3 << 30)  # of holes
    monkeypatch.setattr(
        saving, "_decode", lambda name, raw: pytest.fail("read") if len(raw) > 1 << 20 else json.loads("{}")
    )
    refused(folder, r"weights\.safetensors is damaged or was changed: it has 3221225472 bytes, more than")


@pytest.mark.parametrize(
    ("name", "size"), [("params.json", 300 << 20), ("weights.safetensors", 5 << 30), ("params.json", -1)]
)
def test_a_manifest_of_sizes_beyond_the_limits(forecaster, copied, name, size):
    folder = copied(forecaster)
    edit_manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest["files"][name]["bytes"] = size
    (folder / "manifest.json").write_text(json.dumps(edit_manifest))
    refused(folder, f"{name} has {size} bytes, more than the limit")


def test_a_guard_is_of_its_own_thread_alone():
    def dense(units):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

    stored = {v.path: np.asarray(v) for v in dense(2).weights}
    within, done, made = threading.Event(), threading.Event(), []

    def slow():
        within.set()
        assert done.wait(30)
        return dense(2)

    loader = threading.Thread(target=lambda: made.append(build_like(stored, slow)))
    loader.start()
    assert within.wait(30)
    assert dense(50).count_params() == 200
    done.set()
    loader.join()
    assert made[0].count_params() == 8
    assert "checked" not in keras.layers.Layer.add_weight.__qualname__


def test_a_builder_may_load_another_model():
    """In its own thread or in another one; each network is held to its own weights."""

    def dense(units):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])

    small, large = ({v.path: np.asarray(v) for v in dense(units).weights} for units in (2, 5))

    def nested():
        sizes = [build_like(large, lambda: dense(5)).count_params()]
        other = threading.Thread(target=lambda: sizes.append(build_like(large, lambda: dense(5)).count_params()))
        other.start()
        other.join()
        assert sizes == [20, 20]
        with pytest.raises(SavedModelError, match=r"variable of shape \(3, 5\) for which nothing is stored"):
            build_like(small, lambda: dense(5))
        return dense(2)

    made = []
    loader = threading.Thread(target=lambda: made.append(build_like(small, nested)), daemon=True)
    loader.start()
    loader.join(30)
    assert [model.count_params() for model in made] == [8]
    assert "checked" not in keras.layers.Layer.__new__.__qualname__


@pytest.fixture
def signed(tmp_path):
    model = BaselineForecaster("naive", horizon=2).fit(np.arange(9.0))
    model.save(tmp_path / "signed", key="a secret")
    model.save(tmp_path / "plain")
    return tmp_path / "signed"


def test_a_signed_model_loads_with_its_key_and_without(signed):
    assert lstmzoo.load(signed, key="a secret").predict().tolist() == [8.0, 8.0]
    assert lstmzoo.load(signed, key=b"a secret").predict().tolist() == [8.0, 8.0]
    assert lstmzoo.load(signed).predict().tolist() == [8.0, 8.0]
    assert b"a secret" not in b"".join(file.read_bytes() for file in signed.iterdir())
    assert saving.is_bundle(signed)


@pytest.mark.parametrize(("name", "key", "match"), [
    ("signed", "another", "was not signed with this key, or was changed since"),
    ("plain", "a secret", "is not signed: load it without a key if you trust its source"),
])  # fmt: skip
def test_a_model_of_another_key_or_none_is_refused(signed, name, key, match):
    with pytest.raises(SavedModelError, match=match):
        lstmzoo.load(signed.with_name(name), key=key)


def test_a_signed_model_that_was_changed_and_hashed_anew_is_refused(signed):
    edit(signed, "params.json", lambda d: d["params"].update(horizon=3))
    assert lstmzoo.load(signed).horizon == 3  # the hashes alone do not show it
    with pytest.raises(SavedModelError, match="was not signed with this key"):
        lstmzoo.load(signed, key="a secret")


def test_saving_without_a_key_removes_the_signature(signed):
    lstmzoo.load(signed).save(signed)
    assert "signature" not in os.listdir(signed)


@pytest.mark.parametrize("key", ["", b"", 7])
def test_a_key_that_is_none(signed, key):
    with pytest.raises(ConfigError, match="key"):
        lstmzoo.load(signed, key=key)


def test_a_key_in_a_file_signs_and_verifies_everything(signed, tmp_path, monkeypatch):
    (tmp_path / "key").write_text("a secret\n")
    monkeypatch.setenv("LSTMZOO_KEY_FILE", str(tmp_path / "key"))
    lstmzoo.load(signed).save(tmp_path / "again")
    with pytest.raises(SavedModelError, match="is not signed"):
        lstmzoo.load(tmp_path / "plain")
    monkeypatch.delenv("LSTMZOO_KEY_FILE")
    assert lstmzoo.load(tmp_path / "again", key="a secret").horizon == 2


def test_a_key_file_without_a_name_does_not_turn_signatures_off(signed, monkeypatch):
    monkeypatch.setenv("LSTMZOO_KEY_FILE", "")
    with pytest.raises(ConfigError, match="LSTMZOO_KEY_FILE is empty: name a file, or unset it"):
        lstmzoo.load(signed)
    assert lstmzoo.load(signed, key="a secret").horizon == 2


@pytest.mark.parametrize(("content", "match"), [(None, "cannot be read: No such file"), (" \n", "is empty")])
def test_a_key_file_that_is_missing_or_empty(signed, tmp_path, monkeypatch, content, match):
    if content is not None:
        (tmp_path / "key").write_text(content)
    monkeypatch.setenv("LSTMZOO_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match=f"LSTMZOO_KEY_FILE=.*key {match}"):
        lstmzoo.load(signed)
