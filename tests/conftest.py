"""What all tests share."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles faster, runs slower

if "PYTEST_XDIST_WORKER" in os.environ:  # workers that share the cores take one thread each
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import sys

import absl.logging
import keras
import numpy as np
import pandas as pd
import pytest

collect_ignore = [
    "_toy_task.py"
]  # whatever looks for examples in it would register its task in the process of the tests

# When MLflow or uvicorn configure logging, handlers are closed, and absl closes its stream if that is not sys.stderr
# itself: within a capture it would close pytest's.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_configure(config):
    config.addinivalue_line("markers", "traced: of a module whose tests run eagerly, one that trains for many steps")
    config.addinivalue_line(  # of Keras' own variables
        "filterwarnings", "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    )


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture(scope="module", autouse=True)
def _what_other_modules_left():
    """TensorFlow never lets go of some graphs: collecting garbage among all of them would take a third of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def hourly() -> pd.DataFrame:
    """Three hourly series of a day's period, 240 observations each."""
    rng = np.random.default_rng(0)
    steps = np.arange(240)
    frames = []
    for k in range(3):
        y = 20 * k + 50 + 10 * np.sin(2 * np.pi * steps / 24 + k) + rng.normal(size=len(steps))
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": f"s{k}",
                    "ds": pd.date_range("2024-01-01", periods=len(steps), freq="h"),
                    "y": y,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _leave_xla_out(monkeypatch):
    for module in (
        "lstmzoo.training.loop",
        "lstmzoo.training.prediction",
        "lstmzoo.programs",
        "lstmzoo.checks._base",
        "lstmzoo.tuning.hypermodel",
    ):
        monkeypatch.setattr(
            f"{module}.jit_compile", lambda *_, **__: "auto" if keras.backend.backend() == "jax" else False
        )


@pytest.fixture
def without_xla(monkeypatch):
    """For tests of every entry, where compiling would take most of the time; others run what is compiled."""
    _leave_xla_out(monkeypatch)


@pytest.fixture(scope="module")
def module_without_xla():
    """The same for fixtures of a module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _leave_xla_out(monkeypatch)
        yield


def _leave_tracing_out(monkeypatch):
    compiled = keras.Model.compile
    options = {"run_eagerly": True} if keras.backend.backend() == "tensorflow" else {}
    monkeypatch.setattr(keras.Model, "compile", lambda *args, **kwargs: compiled(*args, **{**kwargs, **options}))


@pytest.fixture
def eagerly(without_xla, monkeypatch, request):
    """For fits of a few steps, where tracing would take most of the time; what fixtures of modules fitted is traced."""
    if "traced" not in request.keywords:
        _leave_tracing_out(monkeypatch)


@pytest.fixture(scope="module")
def module_eagerly(module_without_xla):
    """The same for a whole module, its fixtures included."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _leave_tracing_out(monkeypatch)
        yield


@pytest.fixture(scope="session")
def tiny() -> dict:
    """Parameters of a forecaster that fits in seconds."""
    return {
        "model": "segment_gru",
        "horizon": 6,
        "lookback": 24,
        "random_state": 0,
        "verbose": 0,
        "hyperparameters": {"units": 8, "epochs": 2, "steps_per_epoch": 5},
    }
