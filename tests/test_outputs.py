"""Outputs that cannot be written are refused before any work; results of a search survive a failure at its end."""

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _cli import IGNORED_WARNINGS, assert_refused, run, run_json

import lstmzoo
from lstmzoo import Forecaster, ZooSearchCV, saving
from lstmzoo.errors import ConfigError
from lstmzoo.outputs import check_file, check_folder

pytestmark = IGNORED_WARNINGS
TINY = ["--set", "epochs=1", "--set", "steps_per_epoch=2", "--set", "units=4"]
NOWHERE = "/proc/lstmzoo/new"  # which not even root can make
BLOCKED = ["/proc cannot be written"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    times = pd.date_range("2020-01-01", periods=60, freq="MS").strftime("%Y-%m-%d")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": 10 + np.sin(np.arange(60) * np.pi / 6)})
    frame.to_csv("sales.csv", index=False)
    Path("file").write_text("")
    return tmp_path


@pytest.fixture
def nothing_is_done(monkeypatch):
    """Make any training, even of a baseline, fail the test."""

    def fail(*_, **__):
        pytest.fail("work began before the outputs were checked")

    monkeypatch.setattr(lstmzoo.BaselineForecaster, "fit", fail)
    monkeypatch.setattr("lstmzoo.estimators._base.network.Training.run", fail)


@pytest.mark.parametrize(("args", "fragments"), [
    (["fit", "gru", "--out", NOWHERE], ["--out", *BLOCKED]),
    (["fit", "gru", "--out", "file/model"], ["--out", "file is not a folder"]),
    (["fit", "gru", "--out", "x" * 300], ["--out", "too long"]),
    (["fit", "gru", "--random-state", "0", "--checkpoint-dir", NOWHERE], ["--checkpoint-dir", *BLOCKED]),
    (["fit", "gru", "--random-state", "0", "--checkpoint-dir", "file"], ["--checkpoint-dir", "file is not a folder"]),
    (["tune", "--models", "gru", "--out", NOWHERE], ["--out", *BLOCKED]),
    (["tune", "--models", "gru", "--directory", "file"], ["--directory", "file is not a folder"]),
    (["tune", "--models", "gru", "--directory", NOWHERE], ["--directory", *BLOCKED]),
    (["tune", "--models", "gru", "--plot", "/proc/search.png"], BLOCKED),
    (["tune", "--models", "gru", "--register", "a/b"], ["--register: ", "a/b"]),
    (["tune", "--models", "gru", "--register", ""], ["--register: the name is empty"]),
    (["tune", "--models", "gru", "--experiment", ""], ["--experiment: the name is empty"]),
])  # fmt: skip
def test_commands_that_train_refuse_outputs_at_once(args, fragments, nothing_is_done):
    name, *rest = args
    first = [rest.pop(0)] if name == "fit" else []
    assert_refused(run(name, *first, "sales.csv", "--horizon", "4", *TINY, *rest), 2, *fragments)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    y = 10 + np.sin(np.arange(60) * np.pi / 6)
    folder = tmp_path_factory.mktemp("model") / "model"
    lstmzoo.BaselineForecaster("naive", horizon=4).fit(y).save(folder)
    return folder


@pytest.mark.parametrize(("args", "fragments"), [
    (["predict", "--out", "/proc/forecast.csv"], ["--out", *BLOCKED]),
    (["predict", "--plot", "/proc/forecast.png"], BLOCKED),
    (["export", "--format", "onnx", "--out", "/proc/model.onnx"], ["--out", *BLOCKED]),
])  # fmt: skip
def test_commands_that_use_a_model_refuse_outputs(args, fragments, model):
    assert_refused(run(args[0], model, *args[1:]), 2, *fragments)


def test_a_translation_is_not_begun_that_cannot_be_written(model):
    Path("lines.txt").write_text("hello\n")
    assert_refused(run("translate", model, "lines.txt", "--out", "/proc/lines.de"), 2, "--out", *BLOCKED)


def test_python_refuses_outputs_before_training(workplace, nothing_is_done):
    y = 10 + np.sin(np.arange(60) * np.pi / 6)
    with pytest.raises(ConfigError, match="checkpoint_dir: /proc cannot be written"):
        Forecaster("gru", horizon=4, random_state=0, verbose=0).fit(y, checkpoint_dir=NOWHERE)
    for directory, message in ((NOWHERE, "directory: /proc cannot"), (workplace / "file", "file is not a folder")):
        with pytest.raises(ConfigError, match=message):
            ZooSearchCV(Forecaster(horizon=4), "gru", max_trials=1, directory=directory).fit(y)


def test_checks_make_nothing(workplace):
    check_folder(workplace / "new" / "folder", "out")
    check_file(workplace / "new" / "file.csv", "out")
    check_file(workplace / "file", "out")
    assert not (workplace / "new").exists()
    with pytest.raises(ConfigError, match="out: .*tmp is not a file"):
        check_file(workplace / "tmp", "out")


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_search_whose_winner_cannot_be_saved_is_resumed(workplace, monkeypatch):
    args = ["tune", "sales.csv", "--horizon", "4", "--models", "gru", *TINY, "--max-trials", "1", "--random-state", "1"]
    write = saving._write_synced

    def write_no_winner(path, *raw):
        (full if path.parent.name.lstrip(".").startswith("winner") else write)(path, *raw)

    with monkeypatch.context() as patch:
        patch.setattr(saving, "_write_synced", write_no_winner)
        result = run(*args)
    assert result.exit_code != 0
    kept = next(iter((workplace / "tmp").glob("lstmzoo-search-*")))
    assert f"the trials are kept; the same command with --directory {kept} resumes" in result.stderr
    trials = (kept / "search.jsonl").read_text()
    report = run_json(*args, "--directory", kept)
    assert (kept / "search.jsonl").read_text() == trials
    assert report["directory"] == str(kept)
    assert Path("winner", "manifest.json").exists()


def test_a_search_that_ended_well_leaves_its_winner_alone(workplace):
    args = ["tune", "sales.csv", "--horizon", "4", "--models", "gru", *TINY, "--max-trials", "1", "--random-state", "1"]
    assert run_json(*args)["directory"] is None
    assert sorted(p.name for p in workplace.iterdir()) == ["file", "sales.csv", "tmp", "winner"]
    assert not list((workplace / "tmp").glob("lstmzoo-*"))


def test_a_search_whose_refit_fails_says_where_its_trials_are(monkeypatch):
    y = 10 + np.sin(np.arange(60) * np.pi / 6)
    search = ZooSearchCV(
        Forecaster(horizon=4, hyperparameters={"epochs": 1, "steps_per_epoch": 2, "units": 4}),
        "gru", max_trials=1, random_state=0, verbose=0,
    )  # fmt: skip
    monkeypatch.setattr(ZooSearchCV, "_refit", full)
    with pytest.raises(OSError, match="No space left") as caught:
        search.fit(y)
    (note,) = caught.value.__notes__
    assert note == f"The trials are kept: fit with directory={str(search.directory_)!r} resumes the search."
    assert (search.directory_ / "search.jsonl").exists()
