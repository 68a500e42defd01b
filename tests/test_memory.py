"""What fits leave behind in a process."""

import gc

import keras
import numpy as np
import pytest

from lstmzoo import Forecaster, LanguageModel, Translator

TEXTS = [f"sentence {i} is about the number {i * i}" for i in range(40)]
SETTINGS = {"epochs": 1, "steps_per_epoch": 2, "units": 8}


def forecast():
    model = Forecaster("gru", horizon=6, hyperparameters=SETTINGS, random_state=0, verbose=0)
    model.fit(10 + np.sin(np.arange(120) * np.pi / 6)).predict()


def write():
    settings = {**SETTINGS, "embedding_dim": 8, "bptt": 16, "batch_size": 4}
    model = LanguageModel("char_lstm", hyperparameters=settings, random_state=0, verbose=0).fit(TEXTS)
    model.generate("sentence", max_tokens=2, random_state=0)


def translate():
    settings = {**SETTINGS, "embedding_dim": 8, "vocab_size": None}
    model = Translator("conditional_gru_mini", tokenizer="word", hyperparameters=settings, random_state=0, verbose=0)
    model.fit(TEXTS, TEXTS).predict(TEXTS[:2], beam_size=1)


def alive():
    """Models, layers and optimizers of Keras that something holds on to."""
    gc.unfreeze()
    gc.collect()
    kinds = (keras.Model, keras.layers.Layer, keras.optimizers.Optimizer)
    return sum(isinstance(thing, kinds) for thing in gc.get_objects())


@pytest.mark.parametrize(("use", "how"), [(forecast, "without_xla"), (write, "eagerly"), (translate, "eagerly")])
def test_nothing_of_a_fit_is_held_on_to(use, how, request):
    """What TensorFlow keeps of compiled functions is TensorFlow's: see docs/limits.md."""
    request.getfixturevalue(how)
    use()
    before = alive()
    use()
    assert alive() == before
