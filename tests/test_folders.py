"""Folders are replaced as a whole, whatever other processes do at the same time."""

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from _savers import number_of, read, repeat, write

from lstmzoo import BaselineForecaster, folders
from lstmzoo.cli._saved import load_any
from lstmzoo.errors import SavedModelError
from lstmzoo.mlflow._base import fetch_model
from lstmzoo.saving import read_bundle

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders that are open cannot be renamed there")


@pytest.fixture(params=["exchange", "rename"])
def system(request, monkeypatch):
    """A system with atomic exchange, if this one has it, and one that must rename twice."""
    if request.param == "rename":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    return request.param


def test_two_savers_and_two_readers(system, tmp_path):
    """A reader always gets one of the models, complete."""
    path = tmp_path / "model"
    write(path, 0)
    context = multiprocessing.get_context("spawn")
    found, begin = context.Queue(), context.Barrier(4)
    jobs = [(write, (1,)), (write, (2,)), (read, ()), (read, ())]
    workers = [
        context.Process(target=repeat, args=(action, path, argument, begin, 1.0, system == "rename", found))
        for action, argument in jobs
    ]
    for worker in workers:
        worker.start()
    results = [found.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert [errors for *_, errors in results] == [[]] * 4
    assert min(count for _, count, _ in results) > 5
    assert os.listdir(tmp_path) == ["model"]


def test_a_reader_waits_while_the_old_model_is_aside(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write(path, 1)
    path.rename(tmp_path / ".model.lstmzoo-old-abc")
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        if len(sleeps) == 3:
            shutil.copytree(tmp_path / ".model.lstmzoo-old-abc", path)

    monkeypatch.setattr(time, "sleep", sleep)
    assert number_of(path) == 1
    assert len(sleeps) == 3


def test_a_save_that_died_between_two_renames_says_where_the_model_is(tmp_path, monkeypatch):
    write(tmp_path / "model", 1)
    (tmp_path / "model").rename(tmp_path / ".model.lstmzoo-old-abc")
    monkeypatch.setattr(folders, "_SECONDS_ASIDE", 0.05)
    with pytest.raises(SavedModelError, match=r"model is missing because a save.*rename .*\.model\.lstmzoo-old-abc"):
        read_bundle(tmp_path / "model")
    write(tmp_path / "model", 2)
    assert number_of(tmp_path / "model") == 2
    write(tmp_path / "model", 3)
    assert os.listdir(tmp_path) == ["model"]


def test_whoever_looks_for_a_model_waits_while_it_is_aside(tmp_path, monkeypatch):
    for number, load in enumerate((load_any, fetch_model)):
        path = tmp_path / f"model{number}"
        BaselineForecaster("naive", horizon=2).fit(np.arange(9.0)).save(path)
        aside = path.rename(tmp_path / f".model{number}.lstmzoo-old-abc")
        with monkeypatch.context() as patch:
            patch.setattr(time, "sleep", lambda seconds, aside=aside, path=path: shutil.copytree(aside, path))
            assert load(str(path), None).horizon == 2
        shutil.rmtree(path)
        monkeypatch.setattr(folders, "_SECONDS_ASIDE", 0.05)
        with pytest.raises(SavedModelError, match=r"is missing because a save.*rename .*lstmzoo-old-abc"):
            load(str(path), None)


def test_damage_is_told_of_once_and_not_waited_for(tmp_path, monkeypatch):
    write(tmp_path / "model", 1)
    (tmp_path / "model" / "params.json").write_text("{}")
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    with pytest.raises(SavedModelError, match=r"params\.json is damaged"):
        read_bundle(tmp_path / "model")


def test_an_interrupted_replacement_leaves_the_old_model(system, tmp_path, monkeypatch):
    path, rename = tmp_path / "model", os.rename
    write(path, 1)

    def interrupted(source, target, *rest):
        if Path(target) == path and ".lstmzoo-saving-" in str(source):
            raise KeyboardInterrupt
        return rename(source, target, *rest)

    monkeypatch.setattr(os, "rename", interrupted)
    if system == "exchange":
        monkeypatch.setattr(folders, "_exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(path, 2)
    assert number_of(path) == 1
    assert os.listdir(tmp_path) == ["model"]


def test_what_came_to_the_place_meanwhile_is_left_alone(system, tmp_path, monkeypatch):
    """Another folder appears between the check and the replacement."""
    path, sync = tmp_path / "model", folders.sync_folder
    write(path, 1)

    def meanwhile(folder):
        if ".lstmzoo-saving-" in str(folder):
            shutil.rmtree(path)
            path.mkdir()
            (path / "thesis.txt").write_text("three years of work")
        sync(folder)

    monkeypatch.setattr(folders, "sync_folder", meanwhile)
    with pytest.raises(SavedModelError, match="exists and is not a saved model: choose another folder"):
        write(path, 2)
    assert os.listdir(tmp_path) == ["model"]
    assert (path / "thesis.txt").read_text() == "three years of work"


def test_left_over_folders_of_killed_savers_are_removed(tmp_path):
    """Folders of running saves, and folders with similar names, stay."""
    code = (
        "import os, sys; from pathlib import Path; from lstmzoo import folders\n"
        "with folders.staged(Path(sys.argv[1])) as staging:\n"
        "    (staging / 'params.json').write_text('{}')\n"
        "    print('ready', flush=True); sys.stdin.read()\n"
    )

    def saver():
        worker = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "model")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert worker.stdout.readline() == b"ready\n"
        return worker

    (tmp_path / ".model-original").mkdir()
    dead = saver()
    dead.kill()
    dead.communicate()
    assert len(os.listdir(tmp_path)) == 2
    alive = saver()
    write(tmp_path / "model", 1)
    names = set(os.listdir(tmp_path)) - {"model", ".model-original"}
    assert len(names) == 1
    assert (tmp_path / names.pop() / "model" / "params.json").exists()
    alive.communicate()
    assert set(os.listdir(tmp_path)) == {"model", ".model-original"}


def full_disk(monkeypatch):
    def fsync(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_leaves_the_old_model_and_says_so(tmp_path, monkeypatch):
    write(tmp_path / "model", 1)
    full_disk(monkeypatch)
    with pytest.raises(
        SavedModelError, match=r"model was not saved: No space left on device; the existing model is unch"
    ):
        write(tmp_path / "model", 2)
    assert number_of(tmp_path / "model") == 1
    assert os.listdir(tmp_path) == ["model"]


def test_a_model_that_is_in_its_place_was_saved_though_the_parent_cannot_be_synced(system, tmp_path, monkeypatch):
    write(tmp_path / "model", 1)
    sync = folders.sync_folder

    def failing(folder):
        if folder == tmp_path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(folder)

    monkeypatch.setattr(folders, "sync_folder", failing)
    with pytest.raises(
        SavedModelError, match="model was saved, but may not outlast a power failure: .* cannot be synced"
    ):
        write(tmp_path / "model", 2)
    assert number_of(tmp_path / "model") == 2
    assert os.listdir(tmp_path) == ["model"]


def test_a_first_save_on_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(SavedModelError, match="model was not saved: No space left on device; nothing was written"):
        write(tmp_path / "model", 1)
    assert not list(tmp_path.iterdir())


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SavedModelError, match="was not saved: .*; nothing was written"):
        write(tmp_path / "file" / "model", 1)


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    write(tmp_path / "real", 1)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", 2)
    assert (tmp_path / "link").is_symlink()
    assert number_of(tmp_path / "real") == 2


def test_a_folder_that_is_always_replaced_is_not_read_for_ever(tmp_path, monkeypatch):
    identities = iter(range(1000))
    monkeypatch.setattr(folders, "identity", lambda path: next(identities))

    def read():
        raise SavedModelError("damaged")

    with pytest.raises(SavedModelError, match="was replaced 100 times"):
        folders.consistently(tmp_path, read)
