"""Ensembles of language models: the weighted mean of the members' probabilities, used, saved and served as one model."""

import pickle

import numpy as np
import pandas as pd
import pytest
from _cli import run_json

import lstmzoo
from lstmzoo import BaselineLanguageModel, LanguageEnsemble, LanguageModel
from lstmzoo.errors import ConfigError

TEXT = "the quick brown fox jumps over the lazy dog. " * 20
OTHER = ["a lazy fox", "the dog jumps over the brown fox"]
TINY = {"epochs": 1, "units": 8, "embedding_dim": 8, "bptt": 16, "steps_per_epoch": 5}


@pytest.fixture(scope="module")
def members():
    networks = [
        LanguageModel(name, tokenizer="char", hyperparameters=TINY, validation_size=0, random_state=0, verbose=0)
        for name in ("lstm", "gru")
    ]
    ngrams = BaselineLanguageModel(tokenizer="char", order=2)
    return [member.fit(TEXT) for member in (*networks, ngrams)]


@pytest.fixture(scope="module", params=["networks", "with n-grams"])
def ensemble(request, members):
    return LanguageEnsemble.of(members[:2] if request.param == "networks" else members, None)


def mean(ensemble, answer):
    parts = [np.exp(answer(member)) for member in ensemble.members_]
    return np.tensordot(ensemble.weights_, parts, axes=1)


def test_probabilities_are_the_weighted_mean(ensemble):
    np.testing.assert_allclose(ensemble.predict_proba(OTHER), mean(ensemble, lambda m: np.log(m.predict_proba(OTHER))))
    tokens = mean(ensemble, lambda m: m.score_tokens(OTHER)["log_likelihood"])
    frame = ensemble.score_tokens(OTHER)
    np.testing.assert_allclose(np.exp(frame["log_likelihood"]), tokens)
    np.testing.assert_allclose(ensemble.score_samples(OTHER), [np.log(tokens[:11]).sum(), np.log(tokens[11:]).sum()])
    held_out = [member.held_out_predictions(OTHER) for member in ensemble.members_]
    np.testing.assert_allclose(ensemble.held_out_predictions(OTHER), np.tensordot(ensemble.weights_, held_out, axes=1))


def test_the_scorer_of_predictions_gives_the_score(ensemble):
    for metric in ("log_likelihood", "perplexity_word", "perplexity_token"):
        scorer = ensemble.members_[0].prediction_scorer(OTHER, metric=metric)
        for model in (*ensemble.members_, ensemble):
            assert scorer(model.held_out_predictions(OTHER)) == pytest.approx(model.score(OTHER, metric=metric))


def test_text_is_sampled_from_the_mixture(ensemble, members):
    greedy = ensemble.generate("the q", max_tokens=5, temperature=0)
    prompt = "the q"
    for _ in range(5):
        prompt += ensemble.next_tokens(prompt, n=3).query("id > 1")["token"].iloc[0]
    assert prompt == "the q" + greedy
    options = {"max_tokens": 20, "top_k": 5, "random_state": 1}
    assert ensemble.generate(["the", "a"], **options) == ensemble.generate(["the", "a"], **options)
    assert "".join(ensemble.stream("the", **options)) == ensemble.generate("the", **options)
    single = LanguageEnsemble.of(members, [1, 0, 0])
    assert single.generate("the", **options) == members[0].generate("the", **options)


@pytest.mark.usefixtures("without_xla")
def test_what_a_language_model_does_an_ensemble_does(ensemble, tmp_path):
    assert ensemble.perplexity(OTHER, "char") == pytest.approx(np.exp(-ensemble.score(OTHER)))
    served = ensemble.serve(ensemble.serving_example(), {"mode": "score"})
    np.testing.assert_allclose(served["log_likelihood"], ensemble.score_samples([ensemble._example]))
    ensemble.save(tmp_path / "model", key="secret")
    for again in (lstmzoo.load(tmp_path / "model", key="secret"), pickle.loads(pickle.dumps(ensemble))):
        pd.testing.assert_frame_equal(again.score_tokens(OTHER), ensemble.score_tokens(OTHER))
        assert again.generate("the", max_tokens=5, random_state=0) == ensemble.generate(
            "the", max_tokens=5, random_state=0
        )
    (tmp_path / "a.txt").write_text(OTHER[0])
    assert run_json("evaluate", tmp_path / "model", tmp_path / "a.txt") == pytest.approx(ensemble.evaluate(OTHER[0]))
    options = {"max_tokens": 5, "random_state": 0}
    generated = run_json("generate", tmp_path / "model", "the", "--max-tokens", 5, "--random-state", 0)
    assert generated["texts"] == [ensemble.generate("the", **options)]
    with pytest.raises(ConfigError, match="adapt: a LanguageEnsemble does not adapt"):
        ensemble.perplexity(OTHER, adapt="cache")


def test_members_have_one_vocabulary(members):
    other = BaselineLanguageModel(tokenizer="char").fit("xyz")
    with pytest.raises(ConfigError, match="member 2 has another vocabulary than member 1"):
        LanguageEnsemble.of([members[2], other])
    with pytest.raises(ConfigError, match="member 2 is a LanguageEnsemble"):
        LanguageEnsemble.of([members[2], LanguageEnsemble.of(members)])
    fitted = LanguageEnsemble([BaselineLanguageModel(tokenizer="char", order=n) for n in (1, 2)], [1, 3]).fit(TEXT)
    assert fitted.weights_ == [0.25, 0.75]
