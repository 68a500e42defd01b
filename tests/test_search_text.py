"""What a search does otherwise for texts: small held-out parts, vocabularies learned once, and no refit without time to spare."""

import pytest

from lstmzoo import BaselineLanguageModel, LanguageModel, Translator, ZooSearchCV
from lstmzoo.preprocessing import Corpus

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
def test_the_winner_is_trained_again_only_with_time_to_spare(spare):
    settings = {
        "units": 8,
        "embedding_dim": 8,
        "bptt": 16,
        "batch_size": 4,
        "steps_per_epoch": 5,
        "epochs": 3 if spare else 10**5,
    }
    estimator = LanguageModel(tokenizer="char", hyperparameters=settings, verbose=0)
    search = ZooSearchCV(
        estimator,
        "gru",
        max_trials=1,
        time_limit=None if spare else 4,
        allow_worse_than_baseline=True,
        random_state=0,
        verbose=0,
    ).fit(TEXT)
    assert (search.best_estimator_.data_digest_ == estimator.data_digest(TEXT)) == spare
