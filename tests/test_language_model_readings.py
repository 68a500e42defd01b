"""What a language model says beside scores and texts: tokens' likelihoods, next tokens, vectors."""

import numpy as np
import pytest

from lstmzoo import BaselineLanguageModel, LanguageModel
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.preprocessing import most_calls, pad_streams, side_by_side

TEXTS = [f"sentence {i} is about the number {i * i}, and about nothing else at all.\n" for i in range(30)]
SETTINGS = {"epochs": 2, "steps_per_epoch": 4, "units": 16, "embedding_dim": 12, "bptt": 16, "batch_size": 8}
SHORT_AND_LONG = ["", "a", "the number 9", "x " * 90, TEXTS[3] * 5]

pytestmark = pytest.mark.usefixtures("without_xla")


@pytest.fixture(scope="module")
def network():
    return LanguageModel("char_lstm", hyperparameters=SETTINGS, random_state=0, verbose=0).fit(TEXTS)


@pytest.fixture(scope="module", params=["network", "kneser_ney", "uniform"])
def model(request):
    if request.param == "network":
        return request.getfixturevalue("network")
    return BaselineLanguageModel(request.param, tokenizer="char", order=3).fit(TEXTS)


def test_tokens_add_up_to_their_texts(model):
    tokens = model.score_tokens(SHORT_AND_LONG)
    sums = tokens.groupby("text")["log_likelihood"].sum()
    np.testing.assert_allclose(sums, model.score_samples(SHORT_AND_LONG), rtol=1e-6)
    assert tokens.groupby("text").size().tolist() == [len(text) + 1 for text in SHORT_AND_LONG]
    second = tokens[tokens["text"] == 2]
    assert "".join(second["token"][:-1]) == "the number 9"
    assert second["token"].iloc[-1] == "<eos>"
    assert second["position"].tolist() == list(range(13))


def test_the_probabilities_of_next_tokens_are_those_that_texts_are_scored_by(model):
    prompts = ["the number", "the number ", "the number 9"]
    probs = model.predict_proba(prompts)
    assert probs.shape == (3, model.preprocessor_.vocab_size_)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    scored = model.score_tokens(["the number 9"])
    for prompt, row, position in zip(prompts, probs, (10, 11, 12), strict=True):
        line = scored.iloc[position]
        assert len(prompt) == position
        np.testing.assert_allclose(np.log(row[line["id"]]), line["log_likelihood"], rtol=1e-4)
    np.testing.assert_allclose(
        np.log(model.predict_proba()[0, scored["id"][0]]), scored["log_likelihood"][0], rtol=1e-4
    )


def test_next_tokens_are_the_most_probable(model):
    found, probs = model.next_tokens("the numb", n=4), model.predict_proba("the numb")[0]
    assert found.columns.tolist() == ["token", "id", "probability"]
    assert found["probability"].tolist() == sorted(probs, reverse=True)[:4]
    assert [model.preprocessor_.token(i) for i in found["id"]] == found["token"].tolist()
    assert len(model.next_tokens(n=10**6)) == len(probs)


def test_what_is_refused(network):
    with pytest.raises(ConfigError, match="n: expected a whole number above 0"):
        network.next_tokens("a", n=0)
    with pytest.raises(DataError, match="expected one prompt, a text, got list"):
        network.next_tokens(["a"])
    with pytest.raises(DataError, match="the prompt is empty"):
        network.predict_proba("")
    with pytest.raises(UnknownNameError, match="unknown pooling 'sum'"):
        network.embed(TEXTS, "sum")


@pytest.mark.parametrize("pooling", ["mean", "max", "last"])
def test_vectors_are_pooled_states_whatever_the_company(network, pooling):
    vectors = network.embed(SHORT_AND_LONG, pooling)
    for text, vector in zip(SHORT_AND_LONG, vectors, strict=True):
        tokens = np.append(0, network.preprocessor_.encode(text))[None].astype(np.int32)
        states = network.model_.stepper.hidden(tokens, network.model_.stepper.begin(1))[0][0]
        states = states[1:] if text else states
        expected = {"mean": states.mean(axis=0), "max": states.max(axis=0), "last": states[-1]}[pooling]
        np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-5)


def test_vectors_tell_texts_apart(network):
    one, same, other = network.embed([TEXTS[0], TEXTS[0], "0 1 2 3 4 5 6 7"])
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_streams_are_read_side_by_side_with_others_of_like_length():
    streams = [np.arange(length) for length in [3, 900, 5, 40, 41, 10, *[7] * 70]]
    groups = list(side_by_side(streams, window=8))
    assert sorted(i for group in groups for i in group) == list(range(76))
    for group in groups:
        lengths = [len(streams[i]) for i in group]
        assert len(group) <= 64
        assert max(lengths) <= 4 * max(min(lengths), 8)
    assert most_calls([np.zeros(80)] * 128, window=8) == 20


def test_streams_are_filled_up_to_the_longest_and_to_a_power_of_four():
    tokens, targets = pad_streams([np.array([0, 5, 0]), np.array([0, 7, 8, 9, 0])])
    assert tokens.tolist() == [[0, 5, 0, 0], [0, 7, 8, 9], [0] * 4, [0] * 4]
    assert targets.tolist() == [[5, 0, -1, -1], [7, 8, 9, 0], [-1] * 4, [-1] * 4]
