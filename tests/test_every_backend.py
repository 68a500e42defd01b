"""Short training of every task on the backend that runs; `make test` runs this on JAX too."""

import keras
import numpy as np
import pytest

from lstmzoo import Forecaster, LanguageModel, Translator, checks
from lstmzoo.config import list_models, load_config

LINES = ["the cat sat on the mat and the dog sat on the log "] * 12
PAIRS = ["a small cat", "the big dog runs", "a cat runs"] * 8, ["eine kleine katze", "der große hund", "eine katze"] * 8
SMALL = {"units": 8, "embedding_dim": 8, "epochs": 1, "steps_per_epoch": 2}
LANGUAGE = {**SMALL, "num_layers": 1, "batch_size": 4, "bptt": 8}


@pytest.fixture
def policy(request):
    """A dtype policy for one test."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


both = pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"], indirect=True)


@both
@pytest.mark.usefixtures("without_xla")
def test_a_forecaster(policy):
    y = np.sin(np.arange(60) / 3)
    settings = {"units": 8, "epochs": 1, "steps_per_epoch": 2}
    forecaster = Forecaster("lstm", horizon=3, lookback=12, hyperparameters=settings, random_state=0, verbose=0).fit(y)
    first = np.asarray(forecaster.predict())
    assert np.isfinite(first).all()
    assert np.array_equal(first, np.asarray(forecaster.predict()))


@both
@pytest.mark.usefixtures("without_xla")
def test_a_language_model(policy):
    """The model also adapts to what it reads. The losses, in float32, of both policies agree to three digits."""
    model = LanguageModel(
        "awd_lstm", tokenizer="char", hyperparameters=LANGUAGE, random_state=0, verbose=0, validation_size=0
    )
    model.fit(LINES)
    weights = model.model_.get_weights()
    plain, dynamic = (model.perplexity(LINES, per="token", adapt=how) for how in (None, "dynamic"))
    assert plain == model.perplexity(LINES, per="token")
    assert dynamic == pytest.approx(plain, rel=0.05)
    assert dynamic != plain
    assert all(np.array_equal(a, b) for a, b in zip(weights, model.model_.get_weights(), strict=True))
    assert model.generate(["the"], max_tokens=4, random_state=1) == model.generate(
        ["the"], max_tokens=4, random_state=1
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
@pytest.mark.usefixtures("without_xla")
def test_a_translator(policy):
    """In float32, the test of dropout trains them on every backend."""
    model = Translator("bahdanau_gru", hyperparameters=SMALL, random_state=0, verbose=0, validation_size=0)
    model.fit(*PAIRS)
    options = {"beam_size": 2, "coverage_penalty": 0.2}
    assert model.predict(PAIRS[0][:2], **options) == model.predict(PAIRS[0][:2], **options)
    assert np.isfinite(model.score_samples(PAIRS[0][:2], PAIRS[1][:2])).all()


def entries_of_text():
    """The first by name of each builder of a subclassed model, and one entry of the others."""
    found = {"recurrent_forecaster": "forecasting/lstm"}
    for name in list_models(["language_modelling/*", "translation/*"]):
        found.setdefault(load_config(name).builder, name)
    return list(found.values())


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("name", entries_of_text())
def test_dropout_is_of_training(name):
    checks.check_dropout_is_of_training(name)
