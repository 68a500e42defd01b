"""How a search judges: by which score, on which windows, and when a network beats a baseline."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, TimeSeriesSplit

from lstmzoo import BaselineForecaster, BaselineTranslator, Forecaster, ForecastScorer, LanguageModel, ZooSearchCV
from lstmzoo.errors import ConfigError, DataError, LstmzooError, TrainingError, UnknownNameError
from lstmzoo.estimators import BaselineLanguageModel, Translator
from lstmzoo.model_selection import RollingOriginSplit
from lstmzoo.preprocessing.seasonality import Season
from lstmzoo.records import best_record, equal_networks, margin_between, scores_of_series, winning_record
from lstmzoo.tuning.folds import make_folds
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


def test_of_networks_that_differ_by_chance_the_smallest_wins():
    best = record(2, -1.0, -1.1, -1.2, weights=1000)
    by_chance, always = record(3, -1.2, -0.9, -1.3, weights=50), record(4, -1.11, -1.2, -1.31, weights=10)
    assert winning_record([best, by_chance, always]) is by_chance
    assert equal_networks([best, by_chance, always]) == [best, by_chance]
    assert winning_record([best, {**by_chance, "rungs": [-1.1]}]) is best, "the other was not trained as long"
    assert winning_record([best, {**by_chance, "params": {"epochs": 3}}]) is best
    assert winning_record([best, {**by_chance, "num_parameters": 1001}]) is best
    ensemble = {**record(5, -1.0, -1.1, -1.1), "members": {"2": 0.5, "3": 0.5}}
    assert winning_record([best, by_chance, ensemble]) is ensemble
    baseline = record(1, -1.2, -1.2, -1.3, baseline=True, weights=0)
    assert winning_record([baseline, best, by_chance]) is best, "the smaller one does not beat the baseline"
    assert winning_record([baseline, best, by_chance], allow_worse_than_baseline=True) is by_chance


@pytest.mark.parametrize(("differences", "wins"), [
    ([0.1, 0.2, 0.1, 0.2], True),  # the windows differ more than the series
    ([0.9, -0.5, 0.7, -0.5], False),  # better on average, but by chance, whatever the windows say
])  # fmt: skip
def test_a_panel_is_compared_by_its_series(differences, wins):
    by_window = (-1.5, -1.9, -2.15) if wins else (-0.85, -1.85, -2.85)
    baseline = {**BASELINE, "series_scores": [-1.0, -2.0, -3.0, -2.0]}
    network = record(2, *by_window)
    margin = float(np.mean(differences))
    assert network["score"] - BASELINE["score"] == pytest.approx(margin)
    network["series_scores"] = [s + d for s, d in zip(baseline["series_scores"], differences, strict=True)]
    error = np.std(differences, ddof=1) / 2
    assert margin_between(network, baseline) == pytest.approx((margin, error))
    assert (winning_record([baseline, network]) is network) is wins
    assert (winning_record([BASELINE, {**network, "series_scores": []}])["number"] == 2) is not wins, "by windows"


def test_the_scores_of_many_series_are_those_of_groups():
    windows = [np.arange(1000.0), np.arange(1000.0) + 2]
    groups = scores_of_series(windows)
    assert len(groups) == 200
    assert groups[:2] == [3.0, 8.0]
    assert np.mean(groups) == np.mean(windows)
    assert scores_of_series([np.arange(3.0), np.arange(2.0)]) == []
    assert scores_of_series([np.array([-1.0]), np.array([-2.0])]) == []


@pytest.mark.parametrize("options", [{}, {"ensemble_size": 1, "scoring": "rmse"}, {"oracle": "random"}])
def test_a_search_knows_the_scores_of_each_series(options):
    data = panel(60, 61, 72)
    data.loc[data["unique_id"] == "s061", "y"] = 5.0  # its MASE is undefined
    found = search(cv=2, refit=False, **options).fit(data)
    networks = [r for r in found.records_ if not r["baseline"] and not r["members"]]
    assert networks
    for made in found.records_:
        assert len(made["series_scores"]) == (3 if "scoring" in options else 2)
        assert np.mean(made["series_scores"]) == pytest.approx(made["score"], rel=1e-6)
    naive = next(r for r in found.records_ if r["model"] == "naive")
    last = data[data["unique_id"] == "s072"]
    fitted = BaselineForecaster("naive", horizon=6, season_length=12).fit(data.groupby("unique_id").head(48))
    expected = [fitted.score(last.head(n), metric=options.get("scoring", "mase")) for n in (66, 72)]
    assert naive["series_scores"][-1] == pytest.approx(np.mean(expected))


def test_one_series_is_compared_by_windows():
    assert all(r["series_scores"] == [] for r in search(refit=False).fit(Y).records_)


def test_of_equal_networks_the_smaller_one_wins_and_then_the_earlier_one():
    assert best_record([record(1, -1.0, weights=20), record(2, -1.0), record(3, -1.0)])["number"] == 2
    assert best_record([record(1, -1.0), record(2, -0.99, weights=10**6)])["number"] == 2


def test_an_ensemble_just_has_to_beat_the_best_baseline():
    baseline, network = record(1, -1.0, -3.0, baseline=True), record(2, -2.0, -1.8)
    assert winning_record([baseline, network]) is baseline
    members = {"members": {"1": 0.5, "3": 0.5}}
    assert winning_record([baseline, {**network, **members}])["number"] == 2
    assert winning_record([baseline, {**record(2, -2.0, -2.2), **members}]) is baseline


def test_an_ensemble_of_baselines_is_a_baseline():
    first, second, network = (record(n, -2.0, -2.0, baseline=n < 3) for n in (1, 2, 3))
    ensemble = {**record(4, -1.0, -1.0), "members": {"1": 0.5, "2": 0.5}}
    assert winning_record([first, second, network, ensemble]) is ensemble
    assert winning_record([first, second, network, ensemble], allow_worse_than_baseline=True) is network


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


@pytest.mark.parametrize("oracle", ["halving", "random"])
def test_the_winner_has_the_seasons_of_the_trials_on_all_data(oracle, monkeypatch):
    found = lambda panel, usual: [Season(6 if len(panel.values) < 110 else 5, 0.9, 0.1, 1.0)]  # noqa: E731
    monkeypatch.setattr("lstmzoo.estimators.forecasting._base.find_seasons", found)
    fitted = search(forecaster(season_length=None), oracle=oracle, allow_worse_than_baseline=True).fit(Y)
    assert fitted.estimator.season_length is None
    assert not any(r["error"] for r in fitted.records_)
    members = getattr(fitted.best_estimator_, "members_", [fitted.best_estimator_])
    assert [member.seasons_ for member in members] == [[6]] * len(members)
    assert members[0].tail_.times[-1] == 119


# the windows


def panel(*lengths):
    frames = [
        pd.DataFrame({"unique_id": f"s{n:03}", "ds": np.arange(n), "y": 10 + np.sin(np.arange(n) * np.pi / 6)})
        for n in lengths
    ]
    return pd.concat(frames, ignore_index=True)


def steps(read):
    """The lengths of series, and their last times."""
    series = read[0].panel
    return series.lengths.tolist(), series.times[series.offsets[1:] - 1].tolist()


def test_time_steps_are_split_from_the_end_of_each_series():
    data, estimator = panel(60, 100), forecaster()
    folds, _ = make_folds(estimator, TimeSeriesSplit(n_splits=2, test_size=12), estimator.read_once(data), rolling=True)
    told = [(steps(train), [steps(window) for window in windows]) for train, windows in folds]
    assert told == [
        (([36, 76], [35, 75]), [([42, 82], [41, 81]), ([48, 88], [47, 87])]),
        (([48, 88], [47, 87]), [([54, 94], [53, 93]), ([60, 100], [59, 99])]),
    ]
    sliding = TimeSeriesSplit(n_splits=2, test_size=6, max_train_size=20, gap=3)
    (_, (train, (window,))), _ = make_folds(estimator, sliding, estimator.read_once(data), rolling=True)
    assert (steps(train), steps(window)) == (([20, 20], [50, 90]), ([60, 100], [59, 99]))
    ours = RollingOriginSplit(n_splits=2, horizon=6)
    told = [
        (steps(train), *map(steps, windows)) for train, windows in make_folds(estimator, ours, (data,), rolling=True)[0]
    ]
    assert told == [
        (([48, 88], [47, 87]), ([54, 94], [53, 93])),
        (([54, 94], [53, 93]), ([60, 100], [59, 99])),
    ]


def test_texts_and_pairs_are_split_by_items():
    texts = [f"text {i}" for i in range(6)]
    folds, _ = make_folds(LanguageModel(), KFold(3), LanguageModel().read_once(iter(texts)), rolling=True)
    assert [list(windows[0][0]) for _, windows in folds] == [texts[:2], texts[2:4], texts[4:]]
    assert list(folds[1][0][0]) == texts[:2] + texts[4:]
    pairs = texts, [text.upper() for text in texts]
    (fold,), identity = make_folds(Translator(), [([0, 1, 2], [5])], pairs, rolling=True)
    assert fold == ((texts[:3], pairs[1][:3]), [(["text 5"], ["TEXT 5"])])
    assert identity.startswith("1 pairs of indices, ")


@pytest.mark.parametrize("oracle", ["halving", "random"])
def test_each_fold_has_a_training_of_its_own(oracle, monkeypatch):
    monkeypatch.setattr("lstmzoo.tuning.halving.RUNGS", (1.0,))  # whole trainings, not the best of three rungs
    found = search(oracle=oracle, cv=TimeSeriesSplit(n_splits=2, test_size=6)).fit(Y)
    assert found.n_splits_ == 2
    network = next(r for r in found.records_ if not r["baseline"])
    settings = {**TINY, **network["params"]}
    more = {"validation_size": 0} if oracle == "halving" else {}
    estimator = forecaster(hyperparameters=settings, random_state=network["seed"], **more)
    expected = [clone(estimator).fit(Y[: end - 6]).score(Y[:end]) for end in (114, 120)]
    assert network["window_scores"] == pytest.approx(expected, rel=1e-5)
    assert found.cv_results_["split1_test_score"][network["number"] - 1] == network["window_scores"][1]
    drift = next(r for r in found.records_ if r["model"] == "drift")
    own = BaselineForecaster("drift", horizon=6, season_length=12)
    assert drift["window_scores"] == pytest.approx([own.fit(Y[: end - 6]).score(Y[:end]) for end in (114, 120)])
    assert found.predict().shape == (6,)


def test_several_windows_for_every_oracle():
    found = search(oracle="random", cv=2, refit=False).fit(Y)
    assert {len(r["window_scores"]) for r in found.records_} == {found.n_splits_} == {2}


@pytest.mark.parametrize(("cv", "message"), [
    (0, "cv: expected a number of windows, a splitter with split .* got 0"),
    (True, "cv: expected a number"),
    (2.0, "cv: expected a number"),
    ("3", "cv: expected a number"),
    (object(), "cv: expected a number of windows"),
    ([], "cv: there are no folds"),
    ([1, 2], "cv: fold 1: expected .* got 1"),
    ([([0, 1], [2.5])], "cv: fold 1: expected test indices, got"),
    ([([0, 1], [2]), ([0], [500])], "cv: fold 2: test index 500 is not between 0 and 119"),
    (KFold(3), "cv: fold 1: a forecaster is trained on steps in a row, .* split with TimeSeriesSplit"),
    (TimeSeriesSplit(3), "cv: fold 1: there are 30 test steps, which are not whole horizons of 7 steps: pass test_size=7"),
    (TimeSeriesSplit(30, test_size=7), "cv: a TimeSeriesSplit cannot split 120 items: Too many splits"),
    (GroupKFold(2), "cv: GroupKFold.* cannot split 120 items: The 'groups' parameter should not be None"),
])  # fmt: skip
def test_a_wrong_splitter_is_one_clear_error(cv, message):
    with pytest.raises(ConfigError, match=message):
        search(forecaster(horizon=7), cv=cv).fit(Y)


def test_texts_have_one_window_without_a_splitter():
    with pytest.raises(
        ConfigError, match=r"cv: LanguageModel has one held-out window: pass a splitter, such as KFold\(3\)"
    ):
        ZooSearchCV(LanguageModel(), max_trials=1, cv=3).fit(["some text"] * 9)


def test_another_splitter_is_another_search(tmp_path):
    settings = {"directory": tmp_path, "refit": False}
    search(cv=[(np.arange(100), np.arange(100, 106))], **settings).fit(Y)
    search(cv=iter([(np.arange(100), np.arange(100, 106))]), **settings).fit(Y)
    with pytest.raises(ConfigError, match=r'cv \("1 pairs of indices, [0-9a-f]+" there, "1 pairs'):
        search(cv=[(np.arange(101), np.arange(101, 107))], **settings).fit(Y)


# as scikit-learn's searches


class Broken(Forecaster):
    """A forecaster that cannot be trained."""

    def fit(self, y):
        raise TrainingError("the loss is not finite")


def test_a_failing_network_is_a_row_or_ends_the_search(tmp_path):
    broken = Broken(horizon=6, hyperparameters=TINY, season_length=12, verbose=0)
    found = search(broken, oracle="random", directory=tmp_path)
    with pytest.raises(LstmzooError, match="every trial failed"):
        found.fit(Y)
    assert np.isnan(found.cv_results_["mean_test_score"][-1])
    with pytest.raises(TrainingError, match="not finite") as caught:
        search(broken, oracle="random", error_score="raise").fit(Y)
    assert any("segment_gru failed with" in note for note in caught.value.__notes__)
    with pytest.raises(ConfigError, match="error_score: expected 'raise' or nan, got 0.0"):
        search(error_score=0.0).fit(Y)


def test_the_attributes_of_scikit_learn_s_searches():
    found = search(cv=2, refit=False).fit(Y)
    results, best = found.cv_results_, found.best_index_
    names = ["mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time", "params", "mean_test_score"]
    assert {*names, "std_test_score", "rank_test_score", "split0_test_score", "split1_test_score"} <= set(results)
    by_split = np.array([results["split0_test_score"], results["split1_test_score"]])
    np.testing.assert_allclose(results["mean_test_score"], by_split.mean(axis=0))
    np.testing.assert_allclose(results["std_test_score"], by_split.std(axis=0))
    assert (found.n_splits_, found.multimetric_) == (2, False)
    assert found.best_score_ == results["mean_test_score"][best]
    assert found.best_params_ == results["params"][best]


# bad input


@pytest.mark.parametrize("oracle", ["halving", "random"])
def test_data_that_no_network_can_be_trained_on_are_refused_before_any_trial(oracle, monkeypatch):
    monkeypatch.setattr(BaselineForecaster, "fit", lambda *_: pytest.fail("a baseline was fitted"))
    found = search(forecaster(lookback=500), oracle=oracle).set_params(models=["segment_gru", "gru"])
    with pytest.raises(DataError, match="has 120 observations, but 506 are needed .*lower lookback") as caught:
        found.fit(Y)
    assert not hasattr(found, "records_")
    assert not hasattr(caught.value, "__notes__"), "there is nothing to resume"


@pytest.mark.parametrize(("space", "message"), [
    ({"units": {"type": "categorical", "values": []}}, "search_space: units.values: .*at least 1 item"),
    ({"units": {"type": "float", "min": 0.5, "max": 2.5}}, "search_space: .*units must be int, as 4 is; got 0.5"),
    ({"units": {"type": "int", "min": "a", "max": 3}}, "search_space: units.min: .*valid integer, got 'a'"),
    ({"units": {"type": "int", "min": 9, "max": 3}}, "search_space: units: .*min 9 must be below max 3"),
    ({"units": {"type": "integer"}}, "search_space: units: expected a range with the type int, float, categorical"),
    ({"units": [8, 16]}, r"search_space: units: expected a range .*got \[8, 16\]"),
    ({"learning_rate": {"type": "float", "min": -1.0, "max": 1.0}}, "learning_rate.*greater than 0, got -1.0"),
    ({"patience": {"type": "int", "min": 1, "max": 3}}, "'patience' has no effect with oracle='halving'.*pass another oracle"),
    (["units"], "search_space: Input should be a valid dictionary"),
])  # fmt: skip
def test_wrong_ranges_are_named(space, message):
    with pytest.raises(ConfigError, match=message):
        search(search_space=space).fit(Y)


def test_without_time_for_any_trial_the_best_baseline_is_the_result(caplog):
    found = search(max_trials=None, time_limit=0.001).fit(Y)
    assert isinstance(found.best_estimator_, BaselineForecaster)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings == ["time_limit is too short for a single network: the best baseline is the winner"]


def test_constant_series_are_scored_by_the_mean_absolute_error(caplog):
    constant = np.ones(60)
    found = search(forecaster(season_length=None)).fit(constant)
    assert "scores by the mean absolute error" in caplog.text
    assert found.scorer_.scoring == "mae"
    assert not any(r["error"] for r in found.records_)
    assert found.best_score_ == 0.0
    np.testing.assert_allclose(found.predict(), 1.0, atol=1e-5)
    with pytest.raises(DataError, match="MASE is undefined: no series varies.*; score by mae instead"):
        found.set_params(scoring="mase").fit(constant)
    with pytest.raises(DataError, match="WAPE is undefined: all values of the forecast steps are zero"):
        found.set_params(scoring="wape").fit(0 * constant)
    assert not hasattr(found, "records_"), "there were no trials"


def test_constant_series_beside_others_do_not_count_in_the_score(caplog):
    data = panel(60, 61, 62)
    constant = data["unique_id"] == "s061"
    data.loc[constant, "y"] = 5.0
    found = search().fit(data)
    assert found.scorer_.scoring is None
    messages = [r.getMessage() for r in caplog.records if "undefined" in r.getMessage()]
    assert len(messages) == 1
    assert "MASE is undefined for 1 of 3 series, which do not count in the score" in messages[0]
    without = search().fit(data[~constant])
    naive, other = (next(r for r in s.records_ if r["model"] == "naive") for s in (found, without))
    assert naive["window_scores"] == pytest.approx(other["window_scores"])
    forecast = found.predict()
    assert forecast.loc[forecast["unique_id"] == "s061", "y_hat"].to_numpy() == pytest.approx(5.0, abs=1e-3)


def test_zeros_and_negative_values_and_constant_series_beside_others():
    rng = np.random.default_rng(0)
    data = panel(40, 60, 61)
    data.loc[data["unique_id"] == "s040", "y"] = 0.0
    data.loc[data["unique_id"] == "s060", "y"] = rng.poisson(0.3, 60)
    data.loc[data["unique_id"] == "s061", "y"] = rng.normal(size=61)
    found = search(forecaster(season_length=None)).fit(data)
    assert not any(r["error"] for r in found.records_)
    forecast = found.predict()
    assert np.isfinite(forecast["y_hat"]).all()
    assert (forecast.loc[forecast["unique_id"] != "s061", "y_hat"] >= 0).all()
