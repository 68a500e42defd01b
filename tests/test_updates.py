"""Updates: training that continues on new data, of every task, and what it leaves consistent."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from _cli import assert_refused, run, run_json

import lstmzoo
from lstmzoo import BaselineForecaster, Forecaster, LanguageModel, Translator
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators._base.network import chained_digest
from lstmzoo.training import loop

OLD, NEW = "the quick brown fox jumps over the lazy dog. " * 40, "zzyzx zax zzyzx zap. " * 60
SETTINGS = {
    "units": 8,
    "embedding_dim": 8,
    "epochs": 1,
    "bptt": 16,
    "warmup": 0.5,
    "batch_size": 4,
    "learning_rate": 0.03,
}
SOURCE = ["one dog", "two dogs", "one cat", "two cats"] * 6
TARGET = ["ein Hund", "zwei Hunde", "eine Katze", "zwei Katzen"] * 6
PAIRS = {
    "units": 8,
    "embedding_dim": 8,
    "epochs": 2,
    "vocab_size": None,
    "average_epochs": 2,
    "warmup": 0.5,
    "batch_size": 8,
    "learning_rate": 0.03,
}


@pytest.fixture(scope="module", autouse=True)
def _without_xla():
    """Compiling would take most of the time; models that are loaded have to compute as those that fixtures fitted."""
    compiled = keras.Model.compile
    options = {"jit_compile": False} if keras.backend.backend() == "tensorflow" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", lambda *args, **kwargs: compiled(*args, **{**kwargs, **options}))
        yield


@pytest.fixture(scope="module")
def language_model():
    return LanguageModel("char_lstm", hyperparameters=SETTINGS, random_state=0, verbose=0).fit(OLD + NEW[:42])


@pytest.fixture(scope="module")
def translator():
    return Translator(
        "conditional_gru_mini", tokenizer="word", hyperparameters=PAIRS, random_state=0, verbose=0, validation_size=0
    ).fit(SOURCE, TARGET)


def copied(estimator, tmp_path):
    estimator.save(tmp_path / "copy")
    return lstmzoo.load(tmp_path / "copy")


def test_the_learning_rate_of_an_update_is_a_tenth_from_its_first_step(hourly, tiny, eagerly, monkeypatch):
    settings = {**tiny["hyperparameters"], "warmup": 0.9, "schedule": "cosine", "learning_rate": 0.01}
    early = hourly[hourly["ds"] < "2024-01-10"]
    forecaster = Forecaster(**{**tiny, "hyperparameters": settings}).fit(early)
    rates = []
    rate = loop._learning_rate
    monkeypatch.setattr(loop, "_learning_rate", lambda *args: rates.append(rate(*args)) or rates[-1])
    forecaster.update(hourly[hourly["ds"] >= "2024-01-10"])
    assert set(rates) == {0.001}
    assert forecaster.history_[-1]["learning_rate"] == pytest.approx(0.001)


def test_the_digest_is_of_all_data_that_was_trained_on(hourly, tiny, eagerly, tmp_path):
    early, late = hourly[hourly["ds"] < "2024-01-10"], hourly[hourly["ds"] >= "2024-01-10"]
    forecaster = Forecaster(**tiny).fit(early)
    before, seconds = forecaster.data_digest_, forecaster.seconds_
    forecaster.update(late)
    assert forecaster.data_digest_ == chained_digest(before, Forecaster(**tiny).data_digest(late))
    assert forecaster.seconds_ > seconds
    assert copied(forecaster, tmp_path).data_digest_ == forecaster.data_digest_
    assert forecaster.best_epoch_ <= 2 < len(forecaster.history_) == 3


def test_a_language_model_learns_another_style(language_model, tmp_path):
    model = copied(language_model, tmp_path)
    before, others = model.perplexity(NEW, per="char"), model.get_params(deep=False)
    digest, vocabulary = model.data_digest_, model.preprocessor_.to_json()
    assert model.update([NEW, NEW], epochs=3) is model
    assert model.perplexity(NEW, per="char") < 0.9 * before
    assert model.preprocessor_.to_json() == vocabulary
    assert model.get_params(deep=False) == others
    assert model.data_digest_ == chained_digest(digest, model.data_digest([NEW, NEW]))
    assert [row["epoch"] for row in model.history_] == [1, 2, 3, 4]
    again = copied(language_model, tmp_path).update([NEW, NEW], epochs=np.int64(3))
    assert again.perplexity(NEW) == model.perplexity(NEW) == copied(model, tmp_path).perplexity(NEW)


def test_a_translator_learns_new_pairs(translator, tmp_path):
    model = copied(translator, tmp_path)
    model._averaged = translator._averaged
    source, target = ["two cats", "one dog", ""] * 8, ["zwei Katzen", "ein Hund", "nichts"] * 8
    before, digest = model.score_samples(source[:2], target[:2]).sum(), model.data_digest_
    model.update(source, target, epochs=5)
    assert model.score_samples(source[:2], target[:2]).sum() > before
    assert model.left_out_["empty"] == translator.left_out_["empty"] + 8
    assert model.data_digest_ == chained_digest(digest, model.data_digest(source, target))
    assert len(model.history_) == 7
    with pytest.raises(ConfigError, match="loaded, copied or updated"):
        model.averaged_epochs()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", ["language_model", "translator"])
def test_an_update_that_ends_early_changes_nothing(name, error, request, monkeypatch):
    model = request.getfixturevalue(name)
    data = (NEW,) if name == "language_model" else (SOURCE, TARGET)
    before = model._to_bundle()[1]
    epochs = []

    def broken(*args):
        epochs.append(args)
        if len(epochs) == 2:
            raise error
        return end(*args)

    end = loop._end_epoch
    monkeypatch.setattr(loop, "_end_epoch", broken)
    with pytest.raises(error):
        model.update(*data, epochs=3)
    after = model._to_bundle()[1]
    np.testing.assert_equal(after, before)
    assert len(epochs) == 2


def test_updates_that_are_refused(language_model, translator):
    for model, data in ((language_model, (NEW,)), (translator, (SOURCE, TARGET))):
        for epochs in (0, 1.5, True):
            with pytest.raises(ConfigError, match="epochs: expected a whole number above 0"):
                model.update(*data, epochs=epochs)
    with pytest.raises(DataError, match="have 4 tokens, fewer than a window of 16: pass more text"):
        language_model.update("the")
    with pytest.raises(DataError):
        translator.update([""], [""])


def test_update_on_the_command_line(language_model, translator, hourly, tmp_path):
    text, pairs = tmp_path / "new.txt", tmp_path / "new.tsv"
    text.write_text(NEW)
    pairs.write_text("".join(f"{one}\t{other}\n" for one, other in zip(SOURCE, TARGET, strict=True)))
    for name, model, file in (("lm", language_model, text), ("translator", translator, pairs)):
        model.save(tmp_path / name)
        report = run_json("update", tmp_path / name, file, "--out", tmp_path / f"{name}-2", "--epochs", 2)
        assert report["epochs"] == 2
        assert report["folder"] == str(tmp_path / f"{name}-2")
        old, new = lstmzoo.load(tmp_path / name), lstmzoo.load(tmp_path / f"{name}-2")
        assert len(new.history_) == len(old.history_) + 2
        assert new.data_digest_ == report["data_digest"] != old.data_digest_
    assert_refused(run("update", tmp_path / "lm", pairs), 2, "holds pairs of sentences")
    assert_refused(run("update", tmp_path / "lm", text, "--target", text), 2, "is a LanguageModel, and")
    assert_refused(run("update", tmp_path / "lm", text, "--out", tmp_path), 2, "exists and is not a saved model")
    assert_refused(run("update", "models:/m@champion", text), 2, "pass --out")


def test_update_of_series_on_the_command_line(hourly, tiny, tmp_path):
    early, late = hourly[hourly["ds"] < "2024-01-10"], hourly[hourly["ds"] >= "2024-01-10"]
    late.to_csv(tmp_path / "late.csv", index=False)
    Forecaster(**tiny).fit(early).save(tmp_path / "m")
    result = run("update", tmp_path / "m", tmp_path / "late.csv")
    assert result.exit_code == 0, result.output
    assert "1 more epochs, training loss" in result.stdout
    expected = Forecaster(**tiny).fit(early).update(late).predict()
    pd.testing.assert_frame_equal(lstmzoo.load(tmp_path / "m").predict(), expected, check_dtype=False)
    saved = json.loads((tmp_path / "m" / "params.json").read_text())
    assert_refused(run("update", tmp_path / "m", tmp_path / "late.csv"), 2, "overlap the known rows")
    assert json.loads((tmp_path / "m" / "params.json").read_text()) == saved
    BaselineForecaster(horizon=6).fit(early).save(tmp_path / "b")
    assert_refused(
        run("update", tmp_path / "b", tmp_path / "late.csv"), 2, "a BaselineForecaster, which cannot be updated"
    )
