"""What a search does otherwise for texts: small held-out parts, vocabularies learned once, and no refit without time to spare."""

import pytest

from lstmzoo import BaselineLanguageModel, LanguageEnsemble, LanguageModel, TranslationEnsemble, Translator, ZooSearchCV
from lstmzoo.contracts import can_be_averaged
from lstmzoo.preprocessing import Corpus
from lstmzoo.tuning import ensembling, halving

TEXT = "the quick brown fox jumps over the lazy dog. " * 20


def test_held_out_parts_are_no_larger_than_scoring_needs():
    (train,), [(valid,)] = LanguageModel().rolling_holdout(["word " * 1000] * 600)
    assert (train.sizes().chars, valid.sizes().chars) == (2_800_000, 200_000)
    (train,), [(valid,)] = LanguageModel().rolling_holdout(["word " * 10] * 20)
    assert (train.sizes().chars, valid.sizes().chars) == (900, 100)
    source = [f"sentence {i}" for i in range(10_000)]
    train, [valid] = Translator().rolling_holdout(source, source)
    assert (len(train[0]), len(valid[0])) == (9_500, 500)


def test_trials_learn_a_vocabulary_once():
    corpus = Corpus(TEXT)
    first, second = (BaselineLanguageModel(tokenizer="char", order=order).fit(corpus) for order in (1, 2))
    assert first.preprocessor_ is second.preprocessor_
    other = BaselineLanguageModel(tokenizer="word").fit(corpus)
    assert other.preprocessor_ is not first.preprocessor_
    assert BaselineLanguageModel(tokenizer="char").fit(TEXT).preprocessor_ is not first.preprocessor_


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("spare", [True, False])
def test_the_winner_is_trained_again_only_with_time_to_spare(spare, monkeypatch):
    def at_the_end(run, own):
        run.began -= 0 if spare else run.time_limit

    monkeypatch.setattr(halving, "add_ensemble", at_the_end)
    settings = {"units": 8, "embedding_dim": 8, "bptt": 16, "batch_size": 4, "steps_per_epoch": 5, "epochs": 3}
    estimator = LanguageModel(tokenizer="char", hyperparameters=settings, verbose=0)
    search = ZooSearchCV(
        estimator,
        "gru",
        max_trials=1,
        time_limit=1000,
        allow_worse_than_baseline=True,
        random_state=0,
        verbose=0,
    ).fit(TEXT)
    assert (search.best_estimator_.data_digest_ == estimator.data_digest(TEXT)) == spare


def evenly(predictions, score, most, in_time):
    first, last = min(predictions), max(predictions)  # a baseline and a network
    assert first != last, "only one trial has predictions of this vocabulary"
    return {first: 0.5, last: 0.5}


@pytest.mark.usefixtures("without_xla")
def test_an_ensemble_of_a_network_and_n_grams_wins(monkeypatch):
    monkeypatch.setattr(ensembling, "choose_members", evenly)
    settings = {"units": 8, "embedding_dim": 8, "bptt": 16, "batch_size": 4, "steps_per_epoch": 5, "epochs": 3}
    estimator = LanguageModel(tokenizer="char", hyperparameters=settings, verbose=0)
    assert can_be_averaged(estimator)
    texts = ["to be or not to be", "zebra"] * 20 + ["quince"]
    options = {"max_trials": 1, "allow_worse_than_baseline": True, "random_state": 0, "verbose": 0}
    search = ZooSearchCV(estimator, "gru", **options).fit(texts)
    (row,) = [record for record in search.records_ if record["members"]]
    (_,), [window] = estimator.rolling_holdout(texts)
    singles = [record for record in search.records_ if not record["members"]]
    assert row["score"] > min(record["score"] for record in singles)
    assert isinstance(search.best_estimator_, LanguageEnsemble)
    assert search.best_estimator_.score(*window) == pytest.approx(row["score"], rel=1e-4)


@pytest.mark.usefixtures("without_xla")
def test_an_ensemble_of_translators_is_scored_by_its_translations(monkeypatch):
    monkeypatch.setattr(ensembling, "choose_members", evenly)
    settings = {"epochs": 4, "embedding_dim": 8, "vocab_size": None, "learning_rate": 0.02}
    estimator = Translator(tokenizer="word", hyperparameters=settings, verbose=0)
    assert can_be_averaged(estimator)
    source = [f"{number} {noun}" for number in ("one", "two", "three") for noun in ("dog", "cat", "fox", "cow")] * 4
    target = [f"{word} eins" for word in source]
    space = {"units": {"type": "int", "min": 8, "max": 16, "step": 8}}

    def score(fitted, source, target):
        """An ensemble wins by 100 points, which tell that the ensemble itself was scored."""
        return fitted.score(source, target) + 100 * isinstance(fitted, TranslationEnsemble)

    search = ZooSearchCV(
        estimator,
        "seq2seq_gru",
        scoring=score,
        max_trials=2,
        search_space=space,
        allow_worse_than_baseline=True,
        random_state=0,
        verbose=0,
    ).fit(source, target)
    (row,) = [record for record in search.records_ if record["members"]]
    _, [window] = estimator.rolling_holdout(source, target)
    assert isinstance(search.best_estimator_, TranslationEnsemble)
    assert search.best_estimator_.score(*window) == pytest.approx(row["score"] - 100)
    assert row["error"] is None
