"""Functions of processes that save and read a folder at the same time; they import little, so that they start at once."""

import time

import numpy as np

from lstmzoo import folders
from lstmzoo.saving import is_bundle, read_bundle, write_bundle


def write(path, number):
    files = {"params.json": {"number": number}, "state.safetensors": {"a": np.full(20_000, float(number))}}
    write_bundle(path, {"class": "X"}, files)


def number_of(path):
    _, files = read_bundle(path)
    assert (files["state.safetensors"]["a"] == files["params.json"]["number"]).all()
    return files["params.json"]["number"]


def repeat(action, path, argument, begin, seconds, rename, found):
    if rename:
        folders._exchange = lambda one, other: False
    begin.wait(60)
    count, errors, until = 0, [], time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            action(path, *argument)
            count += 1
        except Exception as error:
            errors.append(repr(error))
    found.put((action.__name__, count, errors[:3]))


def read(path):
    assert is_bundle(path)
    assert number_of(path) in (0, 1, 2)
