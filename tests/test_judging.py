"""How a search judges: by which score, on which windows, and when a network beats a baseline."""

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, BaselineTranslator, Forecaster, ForecastScorer, LanguageModel, ZooSearchCV
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.estimators import BaselineLanguageModel, Translator

pytestmark = pytest.mark.usefixtures("without_xla")
Y = 10 + np.sin(np.arange(120) * np.pi / 6)
TINY = {"units": 4, "epochs": 3, "steps_per_epoch": 2, "batch_size": 8}


def forecaster(**params):
    settings = {"horizon": 6, "hyperparameters": TINY, "season_length": 12, "verbose": 0, **params}
    return Forecaster("segment_gru", **settings)


def search(estimator=None, **params):
    settings = {"max_trials": 1, "random_state": 0, "verbose": 0, **params}
    return ZooSearchCV(forecaster() if estimator is None else estimator, "segment_gru", **settings)


# scoring


def test_a_search_scores_by_the_name_of_a_metric():
    found = search(scoring="rmse").fit(Y)
    drift = next(r for r in found.records_ if r["model"] == "drift")
    fitted = BaselineForecaster("drift", horizon=6, season_length=12).fit(Y[:-18])
    expected = [fitted.score(Y[: len(Y) - left], metric="rmse") for left in (12, 6, 0)]
    assert drift["window_scores"] == pytest.approx(expected)
    assert found.score(Y) == found.best_estimator_.score(Y, metric="rmse") == found.scorer_(found.best_estimator_, Y)


def test_a_function_gets_the_fitted_estimator_and_data_as_they_were_given():
    frame, seen = pd.DataFrame({"unique_id": "a", "ds": np.arange(120), "y": Y}), []

    def scoring(estimator, data):
        seen.append(type(data))
        return estimator.score(data, metric="mae")

    found = search(scoring=scoring, refit=False).fit(frame)
    assert set(seen) == {pd.DataFrame}
    same = search(scoring=ForecastScorer("mae"), refit=False).fit(frame)
    assert [r["score"] for r in same.records_] == [r["score"] for r in found.records_]


@pytest.mark.parametrize(("estimator", "scoring", "error", "message"), [
    (forecaster(), "mse", UnknownNameError, "unknown metric 'mse'.*; valid: bias, crps, mae, mape, mase"),
    (forecaster(quantiles=None), "crps", ConfigError, r"crps needs quantiles besides the median: pass quantiles="),
    (LanguageModel(), "bleu", UnknownNameError, "unknown metric 'bleu'.*; valid: log_likelihood, perplexity_byte"),
    (Translator(), "neg_log_loss", UnknownNameError, "valid: bleu, chrf, ter"),
    (forecaster(), ["mae", "mase"], ConfigError, r"scoring: expected the name of one metric.*got \['mae', 'mase'\]"),
])  # fmt: skip
def test_an_unknown_metric_lists_the_valid_ones(estimator, scoring, error, message):
    with pytest.raises(error, match=message):
        ZooSearchCV(estimator, max_trials=1, scoring=scoring).fit(Y)


def test_another_scoring_is_another_search(tmp_path):
    settings = {"directory": tmp_path, "refit": False}
    search(scoring="mae", **settings).fit(Y)
    with pytest.raises(ConfigError, match=r'scoring \("mae" there, null here\)'):
        search(**settings).fit(Y)


def test_metrics_of_texts_and_translations():
    texts = ["to be or not to be", "that is the question"]
    model = BaselineLanguageModel("unigram").fit(texts)
    assert model.score(texts, metric="perplexity_word") == -model.evaluate(texts)["perplexity_word"]
    assert model.score(texts) == model.evaluate(texts)["log_likelihood"]
    with pytest.raises(UnknownNameError, match="unknown metric 'perplexity'.*valid: log_likelihood, perplexity_byte"):
        model.score(texts, metric="perplexity")
    pairs = ["das Haus."] * 2, ["the house.", "the das."]
    translator = BaselineTranslator("copy").fit(*pairs)
    scores = translator.evaluate(*pairs)
    assert [translator.score(*pairs, metric=name) for name in ("bleu", "chrf", "ter")] == pytest.approx(
        [scores["bleu"], scores["chrf"], -scores["ter"]]
    )
