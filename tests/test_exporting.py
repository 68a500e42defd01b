"""Exports: their runtimes compute what the network computes; otherwise nothing is written."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from lstmzoo import Forecaster, exporting
from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.exporting import FORMATS, export_model

NAMES = {"litert": "model.tflite", "onnx": "model.onnx", "saved_model": "model", "keras": "model.keras"}


def needs(format):
    """Skip if the format is not available."""
    if format != "keras" and keras.backend.backend() != "tensorflow":
        pytest.skip(f"{format} is written by the backend tensorflow")
    for package in exporting._PACKAGES.get(format, ()):
        pytest.importorskip(package, reason=f"{format} needs lstmzoo[export]")


@pytest.fixture(scope="module")
def fitted(tiny, hourly):
    """A forecaster whose weights are all far from 0, so that each changes the outputs."""
    forecaster = Forecaster(**{**tiny, "model": "lstm", "quantiles": [0.1, 0.9]}).fit(hourly)
    rng = np.random.default_rng(0)
    for weight in forecaster.model_.trainable_weights:
        weight.assign_add(0.3 * rng.normal(size=weight.shape))
    return forecaster


@pytest.fixture(scope="module")
def small():
    """A network and five items of input."""
    window = keras.Input((6, 2), name="window")
    model = keras.Model({"window": window}, keras.layers.GRU(3, name="rnn")(window), name="small")
    return model, {"window": np.random.default_rng(0).normal(size=(5, 6, 2))}


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(format, fitted, tmp_path):
    needs(format)
    path = tmp_path / "deep" / NAMES[format]
    inputs, _ = fitted.preprocessor_.last_windows(fitted.tail_)
    report = export_model(fitted.model_, path, format, inputs, {"quantiles": fitted.preprocessor_.quantiles})
    assert (report.path, report.format) == (path, format)
    assert report.difference < 1e-5
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    assert report.num_bytes == sum(file.stat().st_size for file in files) > 1000
    side = path.with_name(f"{path.name}.json")
    assert {entry.name for entry in path.parent.iterdir()} == {path.name, side.name}
    document = json.loads(side.read_text())
    batch = 1 if format == "litert" else None
    assert document["inputs"]["window"] == {"shape": [batch, *inputs["window"].shape[1:]], "dtype": "float32"}
    assert [described["shape"] for described in document["outputs"].values()] == [[batch, 6, 3]]
    assert document["metadata"] == {"quantiles": [0.1, 0.5, 0.9]}


def test_onnx_takes_any_batch(fitted, tmp_path):
    needs("onnx")
    import onnxruntime

    inputs, _ = fitted.preprocessor_.last_windows(fitted.tail_)
    export_model(fitted.model_, tmp_path / "m.onnx", "onnx", {name: array[:2] for name, array in inputs.items()})
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        given = {tensor.name: inputs[tensor.name][:count].astype("float32") for tensor in session.get_inputs()}
        expected = np.asarray(fitted.model_.predict_on_batch({n: inputs[n][:count] for n in fitted.model_.input}))
        np.testing.assert_allclose(session.run(None, given)[0], expected, rtol=1e-4, atol=1e-5)


def test_litert_needs_no_tensorflow_operations(fitted, tmp_path):
    needs("litert")
    inputs, _ = fitted.preprocessor_.last_windows(fitted.tail_)
    report = export_model(fitted.model_, tmp_path / "m.tflite", "litert", inputs)
    assert b"Flex" not in report.path.read_bytes()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_litert_adds_along_the_right_axis(channels, tmp_path):
    needs("litert")
    x, y = keras.Input((4, channels), name="x"), keras.Input((4, 1), name="y")
    model = keras.Model({"x": x, "y": y}, x + y + 1.0)
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(3, 4, channels)), "y": rng.normal(size=(3, 4, 1))}
    assert export_model(model, tmp_path / "m.tflite", "litert", inputs).difference < 1e-6


def test_an_export_leaves_the_model_as_it_was(small, tmp_path):
    model, inputs = small
    before = model.predict_on_batch(inputs)
    needs("litert")
    export_model(model, tmp_path / "m.tflite", "litert", inputs)
    assert np.array_equal(model.predict_on_batch(inputs), before)
    assert model.input["window"].shape == (None, 6, 2)


@pytest.mark.parametrize("change", [lambda y: y + 0.01, lambda y: y * np.nan, lambda y: y[:, :1]])
def test_other_numbers_are_not_written(small, tmp_path, monkeypatch, change):
    run = exporting._RUNNERS["keras"]

    def changed(path, inputs):
        taken, outputs = run(path, inputs)
        return taken, {name: change(array) for name, array in outputs.items()}

    monkeypatch.setitem(exporting._RUNNERS, "keras", changed)
    with pytest.raises(SavedModelError, match="m.keras was not written"):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert not os.listdir(tmp_path)


def test_an_interruption_leaves_nothing(small, tmp_path, monkeypatch):
    def interrupted(model, path):
        path.write_bytes(b"half a model")
        raise KeyboardInterrupt

    monkeypatch.setitem(exporting._WRITERS, "keras", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert not os.listdir(tmp_path)


def test_an_interruption_between_the_files_leaves_nothing(small, tmp_path, monkeypatch):
    rename = Path.rename

    def interrupted(self, target):
        if target.suffix == ".keras":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert not os.listdir(tmp_path)


def test_what_cannot_be_converted_says_why(small, tmp_path, monkeypatch):
    def refuse(model, path):
        raise ValueError("no such operation: Foo\nand much more")

    monkeypatch.setitem(exporting._WRITERS, "keras", refuse)
    with pytest.raises(ConfigError, match="small cannot be exported to keras: ValueError: no such operation: Foo$"):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("taken", ["m.keras", "m.keras.json"])
def test_nothing_is_replaced(small, tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(SavedModelError, match=f"{taken} exists"):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert os.listdir(tmp_path) == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_path_that_appears_meanwhile_is_kept(small, tmp_path, monkeypatch):
    run = exporting._RUNNERS["keras"]

    def slow(path, inputs):
        (tmp_path / "m.keras").write_text("another's")
        return run(path, inputs)

    monkeypatch.setitem(exporting._RUNNERS, "keras", slow)
    with pytest.raises(SavedModelError, match="m.keras exists"):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])
    assert os.listdir(tmp_path) == ["m.keras"]
    assert (tmp_path / "m.keras").read_text() == "another's"


def test_wrong_arguments(small, tmp_path):
    model, inputs = small
    with pytest.raises(
        UnknownNameError,
        match="unknown export format 'tflite' .did you mean 'litert'.*; valid: keras, litert, onnx, saved_model",
    ):
        export_model(model, tmp_path / "m", "tflite", inputs)
    with pytest.raises(ConfigError, match=r"the path of a keras export must end in \.keras, got"):
        export_model(model, tmp_path / "m.h5", "keras", inputs)
    with pytest.raises(ConfigError, match="must be that of a folder"):
        export_model(model, tmp_path / "m.pb", "saved_model", inputs)
    with pytest.raises(DataError, match="needs an input 'window'"):
        export_model(model, tmp_path / "m.keras", "keras", {"x": inputs["window"]})
    x = keras.Input((2,), name="x")
    with pytest.raises(ConfigError, match="must be a dict"):
        export_model(keras.Model(x, keras.layers.Dense(1, name="d")(x)), tmp_path / "m.keras", "keras", inputs)
    assert not os.listdir(tmp_path)


def test_a_missing_package_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting._PACKAGES, "keras", ("a_package_that_is_not_there",))
    with pytest.raises(ConfigError, match=r"a_package_that_is_not_there: pip install 'lstmzoo\[export\]'"):
        export_model(small[0], tmp_path / "m.keras", "keras", small[1])


def test_another_backend_is_told(small, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match="needs the Keras backend tensorflow, not jax"):
        export_model(small[0], tmp_path / "m.onnx", "onnx", small[1])
