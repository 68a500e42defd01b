"""Temporary environment variables, also in several threads."""

import os
import threading

import pytest

from lstmzoo.environ import environment

NAME = "LSTMZOO_OF_A_TEST"


@pytest.mark.parametrize("before", [None, "0"])
def test_the_last_of_the_threads_restores_the_value(monkeypatch, before):
    monkeypatch.delenv(NAME, raising=False)
    if before is not None:
        monkeypatch.setenv(NAME, before)
    entered, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with environment(**{NAME: "1"}):
            entered.set()
            leave.wait(10)
            seen.append(os.environ.get(NAME))

    with environment(**{NAME: "1"}):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait(10)
    assert os.environ[NAME] == "1"  # the other thread still needs it
    leave.set()
    thread.join()
    assert seen == ["1"]
    assert os.environ.get(NAME) == before


def test_kept_variables_are_restored_after_an_exception(monkeypatch):
    monkeypatch.setenv(NAME, "0")

    def change():
        with environment(NAME):
            os.environ[NAME] = "changed by a library"
            raise KeyError

    with pytest.raises(KeyError):
        change()
    assert os.environ[NAME] == "0"
