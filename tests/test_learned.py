"""Predictions use the parameters of the fit; parameters that are changed later are for the next fit."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

import lstmzoo
from lstmzoo import (
    BaselineForecaster,
    BaselineLanguageModel,
    BaselineTranslator,
    Forecaster,
    LanguageModel,
    Translator,
)
from lstmzoo.errors import ConfigError

CHANGED = {
    "model": "lstm", "horizon": 3, "lookback": 7, "season_length": [5, 11], "freq": "D", "quantiles": [0.05, 0.95],
    "hyperparameters": {"epochs": 9, "units": 3}, "distribution": "normal", "conformal": True, "past_covariates": ["a"],
    "future_covariates": ["b"], "static_covariates": ["c"], "calendar": ["month"], "missing": "interpolate", "irregular": True,
    "validation_size": 0, "pad_short": True, "allow_negative": True, "id_col": None, "time_col": "t", "target_col": "v", "time_limit": 0.5,
    "random_state": 8, "verbose": 0, "method": "drift", "tokenizer": "byte", "vocab_size": 3, "order": 1,
}  # fmt: skip
OTHER = {"BaselineLanguageModel": {"method": "uniform"}, "BaselineTranslator": {"method": "copy"}}
OTHER |= {"LanguageModel": {"validation_size": 0.3}, "Translator": {"validation_size": 0.3}}
COLUMNS = {"id_col": "shop", "time_col": "day", "target_col": "sales"}
TINY = {"epochs": 1, "units": 4, "embedding_dim": 4}
TEXT = "the quick brown fox jumps over the lazy dog. " * 12
PAIRS = ["one dog", "two dogs", "one cat", "two cats"] * 4, ["ein Hund", "zwei Hunde", "eine Katze", "zwei Katzen"] * 4


@pytest.fixture(scope="module", autouse=True)
def _eager_for_all():
    """Loaded models must compute as those that a fixture of the module fitted."""
    compiled = keras.Model.compile
    options = {"run_eagerly": True, "jit_compile": False} if keras.backend.backend() == "tensorflow" else {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "compile", lambda *args, **kwargs: compiled(*args, **{**kwargs, **options}))
        yield


@pytest.fixture(scope="module")
def sales(hourly):
    frame = hourly.rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    return frame.assign(price=np.arange(len(frame)) % 5, region=np.where(frame["shop"] == "s0", "north", "south"))


def asked_of_a_forecaster(model, sales):
    future = model.make_future_frame().assign(price=1.0)
    longer = model.make_future_frame(horizon=15).assign(price=2.0)
    holes = sales.assign(sales=sales["sales"].mask(sales.index % 17 == 3))
    answers = [
        future, model.predict(future=future), model.predict(holes, future=future), model.predict(horizon=15, future=longer),
        model.predict(future=future, quantiles=[0.1], ids=["s1"]), model.score(sales), model.evaluate(sales),
        model.serving_example(), model.serving_params(), model.serving_nullable(),
        model.serve(model.serving_example(), {"horizon": 6}), model.horizon_, model.levels_,
        len(model.plot(future=future).axes),
    ]  # fmt: skip
    if hasattr(model, "sample_paths"):
        answers.append(model.sample_paths(3, future=future, random_state=1))
    if hasattr(model, "stream"):
        stream = model.stream(history=sales[sales["shop"] == "s1"])
        answers += [
            stream.update(value, known={"price": 1.0}, future=np.ones((6, 1))) for value in (50.0, np.nan, 51.0)
        ]
    return answers


def asked_of_a_language_model(model, _):
    texts, served = [TEXT[:30], "a dog"], model.serving_example()
    options = {"max_tokens": 3, "random_state": 3}
    return [
        model.score_samples(texts), model.evaluate(texts), model.generate("a", **options), list(model.stream("a", **options)),
        model.serving_params(), served, model.serve(served, {"mode": "score"}),
    ]  # fmt: skip


def asked_of_a_translator(model, _):
    source, target = PAIRS
    served = model.serving_example()
    answers = [model.predict(source[:2]), model.evaluate(source[:2], target[:2]), model.serving_params(), served]
    answers += [model.serve(served, {"beam_size": 2}), model.score_samples(source[:3], target[:3])]
    if hasattr(model, "sample"):
        answers.append(model.sample(source[:2], n=2, random_state=1))
    return answers


def forecaster(**more):
    covariates = {"future_covariates": ["price"], "static_covariates": ["region"]}
    return {"horizon": 6, "quantiles": [0.1, 0.9], "missing": "mask", **COLUMNS, **covariates, **more}


NETWORK = {"random_state": 0, "verbose": 0}
CASES = {
    "Forecaster": (
        lambda: Forecaster("gru", lookback=12, hyperparameters={"units": 4, "epochs": 1, "steps_per_epoch": 2}, **NETWORK,
                           **forecaster()),
        asked_of_a_forecaster,
    ),
    "BaselineForecaster": (lambda: BaselineForecaster("window_average", **forecaster()), asked_of_a_forecaster),
    "LanguageModel": (
        lambda: LanguageModel("char_lstm", hyperparameters={**TINY, "bptt": 64}, **NETWORK), asked_of_a_language_model,
    ),
    "BaselineLanguageModel": (lambda: BaselineLanguageModel(tokenizer="char", order=4), asked_of_a_language_model),
    "Translator": (
        lambda: Translator("conditional_gru_mini", tokenizer="word", hyperparameters={**TINY, "vocab_size": None}, **NETWORK),
        asked_of_a_translator,
    ),
    "BaselineTranslator": (lambda: BaselineTranslator("lexicon"), asked_of_a_translator),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def case(request, sales):
    make, ask = CASES[request.param]
    data = {"asked_of_a_forecaster": (sales,), "asked_of_a_language_model": (TEXT,)}.get(ask.__name__, PAIRS)
    model = make().fit(*data)
    expected = ask(model, sales)
    changes = {**CHANGED, **OTHER.get(request.param, {})}
    changes = {name: changes[name] for name in model.get_params(deep=False)}
    assert all(changes[name] != value for name, value in model.get_params(deep=False).items() if name != "verbose")
    return model.set_params(**changes), ask, expected, changes


def assert_same(answers, expected):
    for one, other in zip(answers, expected, strict=True):
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other, check_exact=True)
        else:
            np.testing.assert_equal(one, other)


def test_no_parameter_that_is_changed_after_fit_reaches_predictions(case, sales):
    model, ask, expected, _ = case
    assert_same(ask(model, sales), expected)


@pytest.mark.parametrize("copied", ["saved", "pickled"])
def test_nor_after_storage(case, sales, copied, tmp_path):
    model, ask, expected, changes = case
    if copied == "saved":
        model.save(tmp_path / "m")
        other = lstmzoo.load(tmp_path / "m")
    else:
        other = pickle.loads(pickle.dumps(model))
    assert other.get_params(deep=False) == changes
    assert_same(ask(other, sales), expected)


def test_what_could_not_be_loaded_is_not_saved(hourly, tmp_path):
    model = BaselineForecaster(horizon=6).fit(hourly).set_params(horizon="six")
    assert len(model.predict()) == 18
    with pytest.raises(ConfigError, match="horizon"):
        model.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_tokenizer_that_was_not_fitted_is_not_saved(tmp_path):
    model = BaselineLanguageModel(tokenizer="char").fit(TEXT)
    model.set_params(tokenizer=Tokenizer(WordLevel({"the": 0}, unk_token="the")))
    assert model.perplexity(TEXT) > 1
    with pytest.raises(ConfigError, match="it was changed after fit"):
        model.save(tmp_path / "m")
