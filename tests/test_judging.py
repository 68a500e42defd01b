"""How a search judges: by which score, on which windows, and when a network beats a baseline."""

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineForecaster, BaselineTranslator, Forecaster, ForecastScorer, LanguageModel, ZooSearchCV
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.estimators import BaselineLanguageModel, Translator
from lstmzoo.records import best_record, winning_record
from lstmzoo.tuning.trials import blank_record

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


# the winner


def record(number, *scores, baseline=False, weights=10):
    made = blank_record(number, f"model{number}", {}, baseline=baseline, seed=1)
    return {**made, "window_scores": list(scores), "score": float(np.mean(scores)), "num_parameters": weights}


BASELINE = record(1, -1.0, -2.0, -3.0, baseline=True, weights=0)


@pytest.mark.parametrize(("scores", "wins"), [
    ((-0.9, -1.9, -2.9), True),  # always a little better
    ((-0.5, -2.1, -2.9), False),  # better on average, but by chance
    ((-1.1, -2.1, -3.1), False),
    ((-1.0, -2.0, -3.0), False),
])  # fmt: skip
def test_a_network_has_to_beat_the_best_baseline_by_more_than_chance(scores, wins):
    worse = record(2, -9.0, -9.0, -9.0, baseline=True)
    network, loser = record(3, *scores), record(4, -9.0, -9.0, -9.0)
    records = [BASELINE, worse, network, loser]
    assert winning_record(records)["number"] == (3 if wins else 1)
    assert winning_record(records, allow_worse_than_baseline=True) is network
    assert winning_record([network, loser], allow_worse_than_baseline=False) is network
    assert winning_record([]) is None


def test_with_one_window_the_higher_score_wins():
    baseline = record(1, -1.0, baseline=True, weights=0)
    assert winning_record([baseline, record(2, -0.999)])["number"] == 2
    assert winning_record([baseline, record(2, -1.0)])["number"] == 1


def test_of_equal_networks_the_smaller_one_wins_and_then_the_earlier_one():
    assert best_record([record(1, -1.0, weights=20), record(2, -1.0), record(3, -1.0)])["number"] == 2
    assert best_record([record(1, -1.0), record(2, -0.99, weights=10**6)])["number"] == 2


class Scored(Forecaster):
    """A forecaster with given scores."""

    def score(self, y):
        return (-0.5, -2.1, -2.9)[(len(y.panel.values) - 108) // 6]

    def baselines(self):
        return {"naive": Given("naive", horizon=6)}


class Given(BaselineForecaster):
    """A baseline with given scores."""

    def score(self, y):
        return (-1.0, -2.0, -3.0)[(len(y.panel.values) - 108) // 6]


@pytest.mark.parametrize("allowed", [False, True])
def test_all_that_a_search_has_learned_agrees_on_the_winner(allowed, caplog):
    estimator = Scored(horizon=6, hyperparameters=TINY, season_length=12, verbose=0)
    found = search(estimator, allow_worse_than_baseline=allowed).fit(Y)
    winner = "segment_gru" if allowed else "naive"
    best = found.records_[found.best_index_]
    assert [best["model"], found.best_params_["model"], found.leaderboard_["model"][0]] == [winner] * 3
    assert found.leaderboard_["rank"].tolist() == [1, 2]
    assert found.best_score_ == best["score"] == found.leaderboard_["score"][0]
    assert found.best_estimator_.model == winner if allowed else isinstance(found.best_estimator_, Given)
    said = "segment_gru beats the baseline naive by 0.167, but the standard error of that difference is 0.176"
    assert (said in caplog.text) is not allowed
