"""Fits and predictions in threads give the same bits as alone."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from lstmzoo import Forecaster, LanguageModel, Translator
from lstmzoo.programs import MOST_PROGRAMS, Programs
from lstmzoo.seeding import seeded

THREADS = 3
Y = np.sin(np.arange(60) / 3)
LINES = ["the cat sat on the mat and the dog sat on the log "] * 12
PAIRS = ["a small cat", "the big dog runs", "a cat runs"] * 8, ["eine kleine katze", "der große hund", "eine katze"] * 8
SMALL = {"units": 8, "epochs": 1, "steps_per_epoch": 3}
QUICK = {"validation_size": 0, "verbose": 0}
TEXT = {**SMALL, "embedding_dim": 8}


def forecaster(seed):
    return Forecaster("lstm", horizon=3, lookback=12, hyperparameters=SMALL, random_state=seed, **QUICK).fit(Y)


def language_model(seed):
    settings = {**TEXT, "num_layers": 1, "batch_size": 4, "bptt": 8}
    return LanguageModel("lstm", tokenizer="char", hyperparameters=settings, random_state=seed, **QUICK).fit(LINES)


def translator(seed):
    settings = {**TEXT, "num_layers": 1}
    return Translator("seq2seq_gru", hyperparameters=settings, random_state=seed, **QUICK).fit(*PAIRS)


def in_threads(call, arguments):
    """The answers for several arguments, with all calls started together."""
    ready = threading.Barrier(len(arguments))

    def run(argument):
        ready.wait()
        return call(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(run, arguments))


@pytest.mark.parametrize("fit", [forecaster, language_model, translator])
def test_fits_in_threads_give_the_bits_of_fits_alone(fit):
    """Compiled; the second and third have one seed."""
    other, *together = (estimator.model_.get_weights() for estimator in in_threads(fit, [0, 1, 1]))
    alone = fit(1).model_.get_weights()
    for weights in together:
        for expected, found in zip(alone, weights, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert not all(np.array_equal(a, b) for a, b in zip(alone, other, strict=True))


def test_predictions_in_threads_are_those_alone():
    """The first calls of a model, which compile, run at once; samples are the same too."""
    model, other = language_model(0), language_model(0)
    seeds = list(range(THREADS))
    alone = [other.generate(["the cat"], max_tokens=20, random_state=seed) for seed in seeds]
    assert in_threads(lambda seed: model.generate(["the cat"], max_tokens=20, random_state=seed), seeds) == alone
    assert set(in_threads(lambda _: model.perplexity(LINES), seeds)) == {other.perplexity(LINES)}


def test_building_leaves_the_global_generators_alone():
    """Python's goes on as if nothing had been drawn; NumPy's and the backend's are not touched."""
    random.seed(5)
    expected = random.Random(5).random()
    state = np.random.get_state(legacy=True)[1].copy()  # noqa: NPY002
    with seeded(1):
        first = keras.layers.Dense(2)
        first.build((None, 2))
    assert random.random() == expected
    assert np.array_equal(state, np.random.get_state(legacy=True)[1])  # noqa: NPY002
    with seeded(1):
        second = keras.layers.Dense(2)
        second.build((None, 2))
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_programs_are_kept_up_to_a_bound(monkeypatch):
    """The least recently run program is dropped first, and compiled again with the same answer."""
    monkeypatch.setattr("lstmzoo.programs.MOST_PROGRAMS", 3)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="one")])
    programs, traced = Programs(network), []

    def run(times):
        def function(given):
            traced.append(times)
            return {"y": times * network(given["x"])}

        return float(programs.run((times,), function, {"x": np.ones((1, 1), "float32")}, calls=1)["y"][0, 0])

    assert [run(times) for times in (1, 2, 3, 1, 4)] == [1, 2, 3, 1, 4]  # now 2 is gone, and 1 is not
    assert len(programs) == 3
    traced.clear()
    assert [run(1), run(4), run(2)] == [1, 4, 2]
    assert set(traced) == {2}
    assert len(programs) == 3 < MOST_PROGRAMS
