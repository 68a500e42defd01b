"""A training that is resumed from its checkpoint ends with the bits of an uninterrupted one."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from lstmzoo import folders
from lstmzoo.backend import jit_compile, predict_batch, train_batch
from lstmzoo.config import TrainingConfig
from lstmzoo.errors import ConfigError, SavedModelError, TrainingError
from lstmzoo.training import Batches, Checkpoint, checkpoints, loop, predict_padded, train

STEPS = 5


def config(**changes):
    settings = {
        "optimizer": "adam", "learning_rate": 0.01, "beta_2": 0.999, "schedule": "cosine", "warmup": 0.0, "clipnorm": 1.0,
        "batch_size": 8, "epochs": 4, "steps_per_epoch": STEPS, "patience": 10,
        "average_epochs": 1,
    }  # fmt: skip
    return TrainingConfig(**{**settings, **changes})


def network():
    """Two named inputs, dropout, an LSTM."""
    keras.utils.set_random_seed(0)
    window, place = keras.Input((6, 2), name="window"), keras.Input((3,), name="place")
    x = keras.layers.LSTM(4, dropout=0.3, name="lstm")(window)
    x = keras.layers.Concatenate(name="both")([x, keras.layers.Dense(2, name="dense")(place)])
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    return keras.Model({"window": window, "place": place}, keras.layers.Dense(1, name="output")(x))


def squared(target, output):
    return keras.ops.mean((target - output) ** 2, axis=-1)


def fit(directory=None, *, before_step=lambda step: None, validate="loss", time_limit=None, data=1, **changes):
    """Train a network; ``before_step`` gets the number of steps that this call has taken."""
    model = network()
    rng = np.random.default_rng(data)
    x = {name: rng.normal(size=(36, *tensor.shape[1:])).astype("float32") for name, tensor in model.input.items()}
    y = x["window"].mean(axis=(1, 2))[:, None]
    calls = iter(range(10**9))

    def make(numbers):
        before_step(next(calls))
        return {name: array[numbers] for name, array in x.items()}, y[numbers]

    settings = config(**changes)
    batches = Batches(
        make, num_items=36, batch_size=settings.batch_size, steps_per_epoch=settings.steps_per_epoch, seed=7
    )
    if validate == "loss":
        validate = lambda: float(np.mean((predict_padded(model, x) - y) ** 2))  # noqa: E731
    trained = train(
        model, squared, batches, config=settings, validate=validate, time_limit=time_limit, verbose=0, title="test",
        checkpoint=Checkpoint(directory, f"data {data}") if directory else None,
    )  # fmt: skip
    return SimpleNamespace(model=model, steps=next(calls), **trained._asdict())


def at(last, do):
    """Return a function that calls ``do`` before step ``last``."""
    return lambda step: do() if step == last else None


def interrupt():
    raise KeyboardInterrupt


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def assert_same(a, b, seconds=False):
    """Check that weights, generator states and history are equal; ``seconds`` only on request."""
    assert len(a.model.variables) == len(b.model.variables)
    for x, y in zip(a.model.variables, b.model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
    for these, those in zip(a.averaged, b.averaged, strict=True):
        for x, y in zip(these, those, strict=True):
            np.testing.assert_array_equal(x, y)
    rows = [[{k: v for k, v in row.items() if seconds or k != "seconds"} for row in fit.history] for fit in (a, b)]
    assert rows[0] == rows[1]
    assert a.best_epoch == b.best_epoch


@pytest.fixture(scope="module")
def whole():
    return fit()


@pytest.fixture
def started(tmp_path):
    """A directory with the checkpoint of an interrupted fit, and the checkpoint's folder."""
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(2 * STEPS + 2, interrupt))
    (folder,) = tmp_path.iterdir()
    return tmp_path, folder


LONG = {"epochs": 40, "learning_rate": 0.001}  # so many steps that they are compiled by XLA


def test_a_killed_fit_is_resumed(tmp_path):
    killed = subprocess.run([sys.executable, __file__, tmp_path], check=False, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed = fit(tmp_path, **LONG)
    assert resumed.steps == 37 * STEPS, "it was killed in its fourth epoch"
    assert_same(resumed, fit(**LONG))


@pytest.mark.parametrize(("seconds", "kept"), [(30.0, 2 * STEPS), (-1.0, 2 * STEPS + 3)], ids=["epochs", "steps"])
def test_an_interrupted_fit_is_resumed(tmp_path, whole, monkeypatch, seconds, kept):
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", seconds)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(2 * STEPS + 3, interrupt))
    assert [folder.name for folder in tmp_path.iterdir()] == [f"checkpoint-{kept:010d}"]
    with pytest.raises(KeyboardInterrupt):  # a second time, before anything was done
        fit(tmp_path, before_step=at(0, interrupt))
    resumed = fit(tmp_path)
    assert resumed.steps == 4 * STEPS - kept
    assert_same(resumed, whole)


def test_a_fit_without_validation_or_schedule_is_resumed(tmp_path):
    settings = {"optimizer": "rmsprop", "schedule": "constant", "validate": None, "epochs": 3}
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(STEPS + 1, interrupt), **settings)
    assert_same(fit(tmp_path, **settings), fit(**settings))


@pytest.mark.parametrize("validate", ["loss", None])
def test_a_fit_with_averaged_weights_is_resumed(tmp_path, validate):
    options = {"average_epochs": 3, "learning_rate": 0.05, "validate": validate}
    whole = fit(**options)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(3 * STEPS + 2, interrupt), **options)
    assert_same(fit(tmp_path, **options), whole)


def test_the_weights_are_the_mean_of_the_last_epochs():
    options = {"validate": None, "schedule": "constant"}
    ends = [fit(epochs=epochs, **options).model.get_weights() for epochs in (2, 3, 4)]
    averaged = fit(epochs=4, average_epochs=3, **options).model.get_weights()
    for mean, *several in zip(averaged, *ends, strict=True):
        np.testing.assert_allclose(mean, np.mean(several, axis=0), rtol=1e-6, atol=1e-7)
        assert not np.allclose(mean, several[-1])


def test_averaged_weights_are_what_is_validated():
    plain, averaged = validated(average_epochs=1), validated(average_epochs=2)
    for before, end, mean in zip(plain[:-1], plain[1:], averaged[1:], strict=True):
        for *several, found in zip(before, end, mean, strict=True):
            np.testing.assert_allclose(found, np.mean(several, axis=0), rtol=1e-6, atol=1e-7)
            assert not np.allclose(found, several[-1])


def validated(average_epochs):
    """Return the weights that each epoch is validated with; each epoch is better than the one before, so the last is kept."""
    seen, model = [], network()

    def validate():
        seen.append(model.get_weights())
        return 1.0 / len(seen)

    batches = Batches(
        lambda n: ({"window": np.ones((len(n), 6, 2)), "place": np.ones((len(n), 3))}, np.ones((len(n), 1))),
        num_items=16, batch_size=8, steps_per_epoch=STEPS, seed=0,
    )  # fmt: skip
    train(
        model, squared, batches, config=config(average_epochs=average_epochs, schedule="constant"), validate=validate,
        time_limit=None, verbose=0, title="test",
    )  # fmt: skip
    assert all(np.array_equal(a, b) for a, b in zip(seen[-1], model.get_weights(), strict=True))
    return seen


def test_without_the_generators_results_differ(tmp_path, whole, monkeypatch):
    """The comparisons above can fail."""
    every = checkpoints.model_variables
    monkeypatch.setattr(
        checkpoints, "model_variables", lambda model: {k: v for k, v in every(model).items() if "seed" not in v.path}
    )
    monkeypatch.setattr(checkpoints, "_torch_generators", list)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(2 * STEPS, interrupt))
    with pytest.raises(AssertionError):
        assert_same(fit(tmp_path), whole)


def test_early_stopping_is_resumed(tmp_path):
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 0.0, 0.0]
    settings = {"patience": 3, "epochs": 7}
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=at(4 * STEPS + 1, interrupt), validate=iter(losses).__next__, **settings)
    resumed = fit(tmp_path, validate=iter(losses[4:]).__next__, **settings)
    assert (len(resumed.history), resumed.best_epoch) == (5, 2)
    assert_same(resumed, fit(validate=iter(losses).__next__, **settings))


def test_earlier_seconds_count(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now))

    def tick(step):
        nonlocal now
        now += 1

    def tick_or_interrupt(step):
        interrupt() if step == 2 * STEPS + 1 else tick(step)

    expected = fit(before_step=tick, time_limit=12)
    assert [row["seconds"] for row in expected.history] == [5, 5, 3]
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, before_step=tick_or_interrupt, time_limit=12)
    resumed = fit(tmp_path, before_step=tick, time_limit=12)
    assert resumed.steps == 3
    assert_same(resumed, expected, seconds=True)


def test_a_fit_that_ended_ends_at_once(tmp_path, whole):
    assert_same(fit(tmp_path), whole)
    again = fit(tmp_path)
    assert again.steps == 0
    assert_same(again, whole)


@pytest.mark.parametrize("other", [{"data": 2}, {"learning_rate": 0.02}], ids=["data", "config"])
def test_another_fit_is_refused(started, other):
    directory, folder = started
    with pytest.raises(ConfigError, match=r"another fit.*choose another directory, or delete"):
        fit(directory, **other)
    assert folder.is_dir()


@pytest.mark.parametrize("name", ["manifest.json", "params.json", "state.safetensors"])
def test_a_damaged_checkpoint_is_refused(started, name):
    directory, folder = started
    raw = (folder / name).read_bytes()
    for damaged in (raw[: len(raw) // 2], b"", bytes([raw[0] ^ 1]) + raw[1:]):
        (folder / name).write_bytes(damaged)
        with pytest.raises(SavedModelError, match=rf"{name}.* delete the checkpoint in "):
            fit(directory)
    (folder / name).unlink()
    with pytest.raises(SavedModelError, match=rf"{name}.* delete the checkpoint in "):
        fit(directory)


def test_a_checkpoint_of_another_version_is_refused(started, monkeypatch):
    monkeypatch.setattr(checkpoints, "_LAYOUT", checkpoints._LAYOUT + 1)
    with pytest.raises(SavedModelError, match="was written by another version of lstmzoo; delete the checkpoint in "):
        fit(started[0])


def test_a_checkpoint_of_another_network_is_refused(started, monkeypatch):
    every = checkpoints.model_variables
    monkeypatch.setattr(checkpoints, "model_variables", lambda model: dict(list(every(model).items())[1:]))
    with pytest.raises(SavedModelError, match=r"model\.0; delete the checkpoint in "):
        fit(started[0])


def test_the_checkpoint_survives_a_kill_while_the_next_is_written(tmp_path, whole, monkeypatch):
    calls = iter(range(10))
    replace_folder = folders.replace_folder

    def replace_or_die(staging, path, *more):
        if next(calls) == 1:
            (path.parent / f".{path.name}-left").mkdir()
            interrupt()
        replace_folder(staging, path, *more)

    monkeypatch.setattr(folders, "replace_folder", replace_or_die)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    assert (tmp_path / f"checkpoint-{STEPS:010d}").is_dir()
    resumed = fit(tmp_path)
    assert resumed.steps == 3 * STEPS
    assert_same(resumed, whole)
    assert len(list(tmp_path.iterdir())) == 1, "what the kill left is gone"


def test_other_files_in_the_directory_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoint-log.txt").write_text("mine too")
    (tmp_path / "checkpoint-500").mkdir()
    assert Checkpoint(tmp_path, "").read() is None
    Checkpoint(tmp_path, "").write(1, {"params.json": {}})
    Checkpoint(tmp_path, "").write(2, {"params.json": {}})
    assert Checkpoint(tmp_path, "").read() == {"params.json": {}}
    mine = {"notes.txt", "checkpoint-log.txt", "checkpoint-500"}
    assert {path.name for path in tmp_path.iterdir()} == {*mine, "checkpoint-0000000002"}


def test_divergence_is_an_error_and_leaves_the_last_good_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match="loss of test is nan in epoch 1"):
        fit(tmp_path, validate=lambda: float("nan"))
    assert not list(tmp_path.iterdir())
    losses = [1.0, float("nan")]
    history = fit(tmp_path, validate=iter(losses).__next__).history
    assert [row["val_loss"] for row in history] == [1.0, None]
    (folder,) = tmp_path.iterdir()
    assert len(json.loads((folder / "params.json").read_text())["history"]) == 1


def test_what_diverged_within_an_epoch_is_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    losses = iter([1.0] * (STEPS + 2) + [float("nan")] * STEPS)
    monkeypatch.setattr(keras.Model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    history = fit(tmp_path, validate=lambda: 2.0).history
    assert [row["loss"] for row in history] == [1.0, None]
    assert [folder.name for folder in tmp_path.iterdir()] == [f"checkpoint-{STEPS + 2:010d}"]


def test_the_loss_of_an_epoch_is_the_mean_of_its_batches():
    x = np.arange(6, dtype="float32")[:, None]
    tensor = keras.Input((1,), name="x")
    same = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="same")
    model = keras.Model({"x": tensor}, same(tensor))
    batches = Batches(
        lambda numbers: ({"x": x[numbers]}, 0 * x[numbers]), num_items=6, batch_size=4, steps_per_epoch=9, seed=0
    )
    expected = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        expected.append(np.mean([np.mean(batches[step][0]["x"] ** 2) for step in range(2)]))
    settings = config(epochs=3, optimizer="sgd", learning_rate=1e-12)
    history = train(
        model, squared, batches, config=settings, validate=None, time_limit=None, verbose=0, title="squares"
    ).history
    np.testing.assert_allclose([row["loss"] for row in history], expected, rtol=1e-6)


@pytest.mark.parametrize("average_epochs", [1, 2])
def test_it_ends_with_the_weights_of_the_best_epoch(average_epochs):
    settings = {"schedule": "constant", "epochs": 3, "average_epochs": average_epochs}
    best = fit(validate=iter([2.0, 1.0, 3.0]).__next__, **settings)
    second = fit(validate=None, **{**settings, "epochs": 2})
    assert (best.best_epoch, second.best_epoch) == (2, 2)
    assert len(best.averaged) == len(second.averaged) == (average_epochs if average_epochs > 1 else 0)
    pairs = zip([best.model.get_weights(), *best.averaged], [second.model.get_weights(), *second.averaged], strict=True)
    for these, those in pairs:
        for x, y in zip(these, those, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("num_items", "steps"), [(36, 100), (36, 2), (3, 100)])
def test_batches(num_items, steps):
    batches = Batches(
        lambda numbers: numbers.tolist(), num_items=num_items, batch_size=8, steps_per_epoch=steps, seed=1
    )

    def drawn(epoch):
        batches.set_epoch(epoch)
        return [batches[step] for step in range(len(batches))]

    first = [batches[step] for step in range(len(batches))]
    assert {len(batch) for batch in first} == {min(8, num_items)}
    items = [number for batch in first for number in batch]
    assert len(set(items)) == min(num_items, steps * 8), "no item twice before each was there once"
    assert items[num_items:] == items[: len(items[num_items:])]
    assert drawn(1) != first
    assert drawn(0) == first


if __name__ == "__main__":
    fit(sys.argv[1], before_step=at(3 * STEPS + 2, kill), **LONG)


def test_the_users_tensorflow_logger_is_left_alone(monkeypatch):
    """Warnings of retracing are suppressed in the package's own calls only."""
    logger = logging.getLogger("tensorflow")
    assert not logger.filters
    model = network()
    model.compile(optimizer="sgd", loss="mse")
    seen = []
    step = model.train_on_batch
    monkeypatch.setattr(
        model, "train_on_batch", lambda *args, **options: seen.append(len(logger.filters)) or step(*args, **options)
    )
    inputs = {"window": np.ones((2, 6, 2), "float32"), "place": np.ones((2, 3), "float32")}
    train_batch(model, inputs, np.ones((2, 1), "float32"))
    assert seen == [keras.backend.backend() == "tensorflow"]
    assert not logger.filters


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a warning of TensorFlow")
def test_others_are_still_warned_of_retracing(caplog, monkeypatch):
    logger = logging.getLogger("tensorflow")
    monkeypatch.setattr(logger, "propagate", True)
    message = "5 out of the last 5 calls triggered tf.function retracing"

    class Model:
        def predict_on_batch(self, inputs):
            logger.warning(message)
            other = threading.Thread(target=logger.warning, args=["of another thread: " + message])
            other.start()
            other.join()
            return inputs

    predict_batch(Model(), {"x": np.ones(1)})
    logger.warning("of the user: " + message)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["of another thread", "of the user"]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX always compiles, torch never")
def test_xla_compiles_long_trainings_only():
    assert jit_compile(steps=400) is False
    assert jit_compile(steps=1500) is not False
    assert jit_compile() is not False
    short, long = (
        keras.Sequential([keras.Input((length, 1)), keras.layers.Bidirectional(keras.layers.LSTM(2))])
        for length in (6, 200)
    )
    assert jit_compile(1500, short) is False
    assert jit_compile(400, long) is not False
