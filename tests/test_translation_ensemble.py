"""Ensembles of translators: they write, score, and are saved and served as one model."""

import pickle

import numpy as np
import pytest
from _cli import assert_refused, run, run_json

import lstmzoo
from lstmzoo import TranslationEnsemble, Translator
from lstmzoo.errors import ConfigError

SOURCE = ["one dog", "two dogs", "one cat", "two cats"] * 8
TARGET = ["ein Hund", "zwei Hunde", "eine Katze", "zwei Katzen"] * 8
pytestmark = pytest.mark.usefixtures("module_eagerly")
TINY = {"epochs": 4, "units": 8, "embedding_dim": 8, "vocab_size": None, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def members(module_eagerly):
    unfitted = [
        Translator(name, tokenizer="word", hyperparameters=TINY, validation_size=0, random_state=seed, verbose=0)
        for seed, name in enumerate(("conditional_gru_mini", "seq2seq_gru"))
    ]
    return [member.fit(SOURCE, TARGET) for member in unfitted]


@pytest.fixture(scope="module")
def ensemble(members):
    return TranslationEnsemble.of(members, [3, 1])


def test_probabilities_are_the_weighted_mean(ensemble, members):
    pairs = SOURCE[:3], TARGET[:3]
    parts = [member.held_out_predictions(*pairs) for member in members]
    np.testing.assert_allclose(ensemble.held_out_predictions(*pairs), 0.75 * parts[0] + 0.25 * parts[1])
    for model in (*members, ensemble):
        logs = np.log(model.held_out_predictions(*pairs))
        np.testing.assert_allclose(model.score_samples(*pairs), logs.reshape(3, 3).sum(axis=1), rtol=1e-5)
        assert model.prediction_scorer(*pairs)(np.exp(logs)) == pytest.approx(logs.mean())


def test_translations_are_of_the_mixture(ensemble, members):
    texts, scores = ensemble.predict(SOURCE[:2], beam_size=2, n_best=2, length_penalty=0.0, return_score=True)
    assert [len(several) for several in texts] == [2, 2]
    whole = [
        (text, score)
        for several, found in zip(texts, scores, strict=True)
        for text, score in zip(several, found, strict=True)
    ]
    likelihoods = ensemble.score_samples([SOURCE[i // 2] for i in range(4)], [text for text, _ in whole])
    ended = [len(text.split()) < 8 for text, _ in whole]
    np.testing.assert_allclose(likelihoods[ended], np.array([score for _, score in whole])[ended], rtol=1e-3)
    equal = TranslationEnsemble.of(members)
    greedy = {"beam_size": 1}
    assert equal.predict(SOURCE[:4], **greedy) == members[0].predict(SOURCE[:4], ensemble=members[1:], **greedy)
    alone = TranslationEnsemble.of(members, [1, 0])
    assert alone.predict(SOURCE[:4], **greedy) == members[0].predict(SOURCE[:4], **greedy)
    assert len(ensemble.sample(SOURCE[:2], n=2, random_state=0)) == 2
    assert ensemble.evaluate(SOURCE[:4], TARGET[:4])["bleu"] == pytest.approx(ensemble.score(SOURCE[:4], TARGET[:4]))


def test_saved_served_and_used_on_the_command_line(ensemble, tmp_path):
    folder, lines, truth = tmp_path / "model", tmp_path / "a.txt", tmp_path / "b.txt"
    ensemble.save(folder)
    expected = ensemble.predict(SOURCE[:4])
    assert lstmzoo.load(folder).predict(SOURCE[:4]) == expected
    assert pickle.loads(pickle.dumps(ensemble)).predict(SOURCE[:4]) == expected
    assert len(ensemble.serve(ensemble.serving_example(), {"beam_size": 2})) == 1
    lines.write_text("\n".join(SOURCE[:4]) + "\n")
    truth.write_text("\n".join(TARGET[:4]) + "\n")
    assert run("translate", folder, lines, "--beam-size", 5).stdout.splitlines() == expected
    scores = run_json("evaluate", folder, lines, "--target", truth)
    assert scores["bleu"] == pytest.approx(ensemble.score(SOURCE[:4], TARGET[:4]))
    refused = run("translate", folder, lines, "--ensemble", folder)
    assert_refused(refused, 2, "TranslationEnsemble", "leave out --ensemble")
    refused = run("export", folder, "--format", "keras", "--out", tmp_path / "m.keras")
    assert_refused(refused, 2, "TranslationEnsemble, which cannot be exported yet", "lstmzoo translate")


def test_members_have_the_same_vocabularies(members):
    other = Translator(
        "seq2seq_gru", tokenizer="word", hyperparameters=TINY, validation_size=0, random_state=0, verbose=0
    )
    with pytest.raises(ConfigError, match="member 2 has other vocabularies than member 1"):
        TranslationEnsemble.of([members[0], other.fit(["a b"], ["c"])])
