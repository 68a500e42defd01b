"""The language model as an estimator: likelihoods, texts, what it refuses, and its baselines."""

import itertools
import pickle

import keras
import numpy as np
import pytest

from lstmzoo import BaselineLanguageModel, LanguageModel, ZooSearchCV, checks, load
from lstmzoo.config import list_models, load_config
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.estimators.language_modelling import adaptation, language_model
from lstmzoo.estimators.language_modelling.adaptation import DynamicEvaluation, NeuralCache
from lstmzoo.estimators.language_modelling.continuation import Continuation
from lstmzoo.estimators.language_modelling.reading import carried_nll
from lstmzoo.mlflow.loader import ServedModel
from lstmzoo.preprocessing import (
    StreamBatches,
    TextPreprocessor,
    in_rows,
    most_members,
    pad_window,
    softmax_cutoffs,
    token_counts,
)
from lstmzoo.registry import build_model
from lstmzoo.spec import LanguageModellingSpec
from lstmzoo.training import loop

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "the", "dog", "that", "sat", "on", "the", "log"]
TEXTS = [" ".join(np.random.default_rng(i).permutation(WORDS)) + ".\n" for i in range(40)]
SMALL = {"epochs": 2, "steps_per_epoch": 4, "units": 16, "embedding_dim": 16, "bptt": 16, "batch_size": 8}


def small(model="char_lstm", **kwargs):
    settings = {**SMALL, **kwargs.pop("hyperparameters", {})}
    return LanguageModel(model, hyperparameters=settings, **{"random_state": 0, "verbose": 0, **kwargs})


pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def fitted():
    """A model of characters that has learned something."""
    return small(hyperparameters={"epochs": 8, "steps_per_epoch": 10, "learning_rate": 2e-2}).fit(TEXTS)


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS, ids=lambda c: c.__name__)
def test_estimator(check):
    check(small(tokenizer="bpe", hyperparameters={"vocab_size": 300, "epochs": 1}), (TEXTS,))


@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS[:-1], ids=lambda c: c.__name__)
@pytest.mark.parametrize("method", ["uniform", "unigram", "kneser_ney"])
def test_baseline(method, check):
    """But for the last check: a baseline is not searched."""
    check(BaselineLanguageModel(method), (TEXTS,))


def test_it_learns_more_than_frequencies(fitted):
    unigram = BaselineLanguageModel("unigram", tokenizer="char").fit(TEXTS)
    held_out = [" ".join(reversed(WORDS))]
    assert fitted.perplexity(held_out, "char") < 0.7 * unigram.perplexity(held_out, "char")
    assert len(fitted.history_) == 8
    assert fitted.history_[-1]["val_loss"] < fitted.history_[0]["val_loss"]


def test_perplexities_are_of_one_likelihood(fitted):
    texts = ["the cat", "", "sat on\na mat 🙂"]
    total = -fitted.score(texts) * (7 + 0 + 14 + 3)
    assert np.log(fitted.perplexity(texts)) * (2 + 0 + 5 + 3) == pytest.approx(total)
    assert np.log(fitted.perplexity(texts, "token")) * (7 + 0 + 14 + 3) == pytest.approx(total)
    assert np.log(fitted.perplexity(texts, "byte")) * (7 + 0 + 17 + 3) == pytest.approx(total)
    assert fitted.perplexity(texts[0], "char") == fitted.perplexity([texts[0]], "char")


def test_the_state_is_carried_over_all_texts(fitted):
    """By hand: one window of all tokens at once."""
    texts = TEXTS[:6]
    stream = fitted.preprocessor_.encode_stream(texts, opened=True)
    stepper = fitted.model_.stepper
    nll, _, _ = stepper.score(stream[None, :-1], stream[None, 1:], stepper.begin(1))
    assert len(stream) > 2 * 128  # several windows
    assert fitted.perplexity(texts, "token") == pytest.approx(np.exp(nll.mean()), rel=1e-5)


def test_rows_side_by_side_are_streams_of_their_own(fitted):
    stream = fitted.preprocessor_.encode_stream(TEXTS[:6], opened=True)
    tokens, targets = in_rows(stream, 3)
    stepper, parts = fitted.model_.stepper, []
    for row in range(3):
        wanted = targets[row] >= 0
        nll, _, _ = stepper.score(tokens[[row]], np.maximum(targets[[row]], 0), stepper.begin(1))
        parts.append(nll[0, wanted])
    np.testing.assert_allclose(
        carried_nll(stepper, stream, rows=3, window=50), np.concatenate(parts), rtol=1e-4, atol=1e-5
    )


def test_samples_are_scored_by_themselves(fitted):
    texts = [*TEXTS[:5], "", "a", "the cat " * 100]
    together = fitted.score_samples(texts)
    alone = [fitted.score_samples(text)[0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    units = np.array([len(text) + 1 for text in texts])
    by_char = [np.log(fitted.perplexity(text, "char")) if text else -together[5] for text in texts]
    np.testing.assert_allclose(-together, by_char * units, rtol=1e-4)


def test_unseen_characters_are_unknown(fitted):
    assert np.isfinite(fitted.perplexity("Ω ≠ 🙂", "char"))


def test_what_is_unknown_is_never_generated():
    model = small("lstm", tokenizer="word", hyperparameters={"vocab_size": 4, "epochs": 1, "steps_per_epoch": 2}).fit(
        TEXTS
    )
    for options in ({"temperature": 50.0}, {"temperature": 0}, {"top_k": 2}, {"repetition_penalty": 3.0}):
        words = " ".join(model.generate("the", n=8, max_tokens=40, random_state=0, **options)).split()
        assert "<unk>" not in words
    ngrams = BaselineLanguageModel("unigram", vocab_size=4).fit(TEXTS)
    assert "<unk>" not in ngrams.generate("the", max_tokens=60, random_state=0).split()


# Generation.


def test_texts_depend_on_random_state_and_row_alone(fitted):
    options = {"max_tokens": 40, "temperature": 1.2}
    both = fitted.generate(["the ", "a cat "], random_state=3, **options)
    assert both == fitted.generate(["the ", "a cat "], random_state=3, **options)
    assert both[0] == fitted.generate("the ", random_state=3, **options)
    assert both != fitted.generate(["the ", "a cat "], random_state=4, **options)
    assert fitted.generate("the ", **options) != fitted.generate("the ", **options)
    several = fitted.generate(["the ", "the "], n=3, random_state=3, **options)
    assert several[0][0] == both[0]
    assert len({text for row in several for text in row}) == 6


def test_a_stream_is_the_same_text_in_pieces(fitted):
    options = {"max_tokens": 50, "random_state": 1, "stop": "at "}
    pieces = list(fitted.stream("the ", **options))
    assert "".join(pieces) == fitted.generate("the ", **options)
    pieces = list(fitted.stream(max_tokens=50, random_state=2))
    assert len(pieces) > 1
    assert "".join(pieces) == fitted.generate(max_tokens=50, random_state=2)


def test_at_temperature_zero_the_most_probable_is_taken(fitted):
    text, expected = "the cat ", ""
    for _ in range(10):
        stream = np.concatenate([[0], fitted.preprocessor_.encode(text + expected)]).astype("int32")
        best = [
            fitted.model_.stepper.score(
                stream[None], np.append(stream[1:], token)[None], fitted.model_.stepper.begin(1)
            )[0][0, -1]
            for token in range(fitted.spec_.vocab_size)
        ]
        expected += fitted.preprocessor_.decode([int(np.argmin(best))])
    assert fitted.generate(text, max_tokens=10, temperature=0) == expected
    assert fitted.generate([text, "a mat "], max_tokens=10, temperature=0)[0] == expected


@pytest.mark.parametrize("prompt", ["t", "the cat sat", "the cat sat on the mat " * 4])
def test_prompts_of_any_length_are_read_whole(fitted, prompt):
    """63 and 64 tokens and more: pieces and single steps."""
    alone = fitted.generate(prompt, max_tokens=12, temperature=0)
    assert fitted.generate(["a " * 70, prompt, "x"], max_tokens=12, temperature=0)[1] == alone


@pytest.mark.parametrize("pieces", [[6], [4, 2], [1] * 6, [2, 4]])
def test_the_stop_that_is_complete_first_ends_a_text(pieces):
    preprocessor = TextPreprocessor("char").fit(["abcdef"])
    row = Continuation(preprocessor, ["abcdef", "cd"], 100)
    ids = np.split(preprocessor.encode("abcdef"), np.cumsum(pieces)[:-1])
    assert "".join(row.feed(part) for part in ids) == "ab"
    assert row.ended


def test_a_text_ends_where_it_should(fitted):
    seed, long = next(
        (s, t) for s in range(50) if len(t := fitted.generate("the ", max_tokens=80, random_state=s)) > 30
    )
    assert fitted.generate("the ", max_tokens=7, random_state=seed) == long[:7]
    stop = long[20:22]
    assert fitted.generate("the ", max_tokens=80, random_state=seed, stop=[stop, "never"]) == long[: long.index(stop)]
    ended = fitted.generate(n=8, max_tokens=300, random_state=0)
    assert any(len(text) < 300 for text in ended)  # each text of the training ends after a line


def test_a_penalty_makes_texts_repeat_themselves_less(fitted):
    plain, shy = (
        fitted.generate("the ", max_tokens=60, temperature=0.3, random_state=0, repetition_penalty=p)
        for p in (1.0, 5.0)
    )
    assert len(set(shy)) / len(shy) > len(set(plain)) / len(plain)


@pytest.mark.parametrize(("options", "message"), [
    ({"temperature": -1}, "temperature: expected a number from 0 to 1,000,000, got -1"),
    ({"temperature": float("nan")}, "temperature: expected"),
    ({"top_p": 0}, "top_p: expected a number above 0, at most 1, got 0"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_k": 0}, "top_k: expected a whole number above 0, or None"),
    ({"top_k": 2.5}, "top_k"),
    ({"max_tokens": 0}, "max_tokens: expected a whole number above 0"),
    ({"max_tokens": True}, "max_tokens"),
    ({"repetition_penalty": 0}, "repetition_penalty: expected a number above 0"),
    ({"n": 0}, "n: expected"),
    ({"random_state": -1}, "random_state: expected a whole number of at least 0, or None"),
    ({"stop": ""}, "stop: expected strings of at least one character"),
    ({"stop": [3]}, "stop: expected strings of at least one character"),
    ({"stop": 5}, "stop: expected strings of at least one character"),
])  # fmt: skip
def test_generation_refuses_what_is_out_of_range(fitted, options, message):
    with pytest.raises(ConfigError, match=message):
        fitted.generate("a", **options)
    if "n" not in options:
        with pytest.raises(ConfigError, match=message):
            fitted.stream("a", **options)


@pytest.mark.parametrize(("prompts", "message"), [
    ("", "the prompt is empty: pass .* prompts=None"),
    (["a", ""], "prompt 1 is empty"),
    ([], "the list is empty"),
    (["a", None], "prompt 1 must be text, got NoneType"),
    (3, "prompts: expected a text, or a list of texts, got int"),
    ([b"a"], "prompt 0 must be text, got bytes"),
])  # fmt: skip
def test_prompts_that_are_refused(fitted, prompts, message):
    with pytest.raises(DataError, match=message):
        fitted.generate(prompts)


def test_a_stream_is_of_one_prompt(fitted):
    with pytest.raises(DataError, match="prompt: expected one text"):
        fitted.stream(["a", "b"])


# Adaptation.


def test_the_cache_is_that_of_its_equation(fitted):
    cache = NeuralCache(window=20, theta=0.7, weight=0.25)
    stream = fitted.preprocessor_.encode_stream(TEXTS[:4], opened=True)
    stepper = fitted.model_.stepper
    nll, hidden, _ = stepper.score(stream[None, :-1], stream[None, 1:], stepper.begin(1), with_hidden=True)
    expected = []
    for t in range(len(stream) - 1):
        probs = np.exp(-nll[0, t].astype(float))
        before = range(max(0, t - 20), t)
        if before:
            weights = np.array([np.exp(0.7 * hidden[0, t] @ hidden[0, i]) for i in before])
            found = sum(w for w, i in zip(weights, before, strict=True) if stream[i + 1] == stream[t + 1])
            probs = 0.75 * probs + 0.25 * found / weights.sum()
        expected.append(-np.log(probs))
    assert len(expected) > 128  # a piece and more
    found = adaptation.cached_nll(stepper, stream, [cache, NeuralCache(window=20, theta=0.7, weight=0.0)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
    np.testing.assert_allclose(found[1], nll[0], rtol=1e-5)


def test_without_a_step_dynamic_evaluation_changes_nothing(fitted, monkeypatch):
    plain = fitted.perplexity(TEXTS[:4], "token")
    still = DynamicEvaluation(tokens=16, learning_rate=0.0, decay=0.0)
    monkeypatch.setattr(fitted, "adaptation_", {**fitted.adaptation_, "dynamic": still})
    assert fitted.perplexity(TEXTS[:4], "token", adapt="dynamic") == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("model", ["min_gru", "lstm_attention"])
def test_texts_of_any_length_are_adapted_to(model):
    """The last piece is shorter, for which these layers would be traced with a time that is not known."""
    settings = {"epochs": 1, "steps_per_epoch": 2, "units": 8, "bptt": 16}
    estimator = LanguageModel(model, tokenizer="char", hyperparameters=settings, random_state=0, verbose=0).fit(TEXTS)
    assert np.isfinite(estimator.perplexity("the cat sat on a mat", adapt="dynamic"))


def test_dynamic_evaluation_learns_what_it_reads_and_forgets_it(fitted):
    before, text = fitted.model_.get_weights(), "zyx wvu " * 40
    adapted = fitted.perplexity(text, "char", adapt="dynamic")
    assert adapted < 0.8 * fitted.perplexity(text, "char")
    assert all(np.array_equal(a, b) for a, b in zip(fitted.model_.get_weights(), before, strict=True))


def test_a_way_back_keeps_the_weights_near(fitted):
    stream = fitted.preprocessor_.encode_stream(["zyx wvu " * 40], opened=True)
    free, held = (
        adaptation.dynamic_nll(fitted.model_.stepper, stream, DynamicEvaluation(16, 0.3, decay)).mean()
        for decay in (0.0, 0.9)
    )
    assert free < held - 0.1


def test_adaptations_are_tuned_and_kept(fitted, tmp_path):
    model = pickle.loads(pickle.dumps(fitted))
    settings = model.tune_adaptation(TEXTS[:8], "cache")
    default = pickle.loads(pickle.dumps(fitted)).perplexity(TEXTS[:8], adapt="cache")
    tuned = model.perplexity(TEXTS[:8], adapt="cache")
    assert tuned < default
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.adaptation_["cache"] == NeuralCache(**settings)
    assert loaded.perplexity(TEXTS[:8], adapt="cache") == tuned


def test_unknown_names_list_the_valid_ones(fitted):
    with pytest.raises(UnknownNameError, match="unknown adapt 'cash'.*cache, dynamic"):
        fitted.perplexity("a", adapt="cash")
    with pytest.raises(UnknownNameError, match="unknown per 'line'.*byte, char, token, word"):
        fitted.perplexity("a", per="line")
    with pytest.raises(ConfigError, match="does not adapt"):
        BaselineLanguageModel("unigram").fit(TEXTS).perplexity("a", adapt="cache")


# Fitting.


def test_lines_of_an_iterator_are_texts():
    lines = [text.rstrip("\n") for text in TEXTS]
    first = small().fit(lines)
    second = small().fit(line + "\n" for line in lines)
    assert first.data_digest_ == second.data_digest_
    assert all(
        np.array_equal(a, b) for a, b in zip(first.model_.get_weights(), second.model_.get_weights(), strict=True)
    )


@pytest.mark.traced
def test_validation_text_chooses_the_epoch_and_is_not_learned_from():
    model = small().fit(TEXTS, validation=["qqq zzz"] * 30)
    assert "q" not in {model.preprocessor_.token(i) for i in range(model.spec_.vocab_size)}
    assert all(row["val_loss"] is not None for row in model.history_)
    split = small().fit([*TEXTS, "qqq zzz " * 40])
    assert "q" not in {split.preprocessor_.token(i) for i in range(split.spec_.vocab_size)}
    whole = small(validation_size=0).fit(TEXTS)
    assert "val_loss" not in whole.history_[0]
    again = model.refit_clone()
    assert (again.validation_size, again.hyperparameters["epochs"]) == (0, model.best_epoch_)


class Interrupted(Exception):
    pass


def test_a_fit_that_was_interrupted_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """In the middle of an epoch: the carried state has to come back, too, and every dropout's place."""
    estimator = small("awd_lstm", tokenizer="char", hyperparameters={"num_layers": 2})
    whole = estimator.fit(TEXTS).model_.get_weights()
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    class Breaks(StreamBatches):
        taken = itertools.count()

        def __getitem__(self, step):
            if next(self.taken) == 6:
                raise Interrupted
            return super().__getitem__(step)

    with monkeypatch.context() as patch:
        patch.setattr(language_model, "StreamBatches", Breaks)
        with pytest.raises(Interrupted):
            estimator.fit(TEXTS, checkpoint_dir=tmp_path)
    resumed = estimator.fit(TEXTS, checkpoint_dir=tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(resumed.model_.get_weights(), whole, strict=True))
    with pytest.raises(ConfigError, match="checkpoint of another fit"):
        estimator.fit(TEXTS[:-1], checkpoint_dir=tmp_path)


@pytest.mark.parametrize(("texts", "error", "message"), [
    ("", DataError, "empty"),
    (["", ""], DataError, "empty"),
    ([], DataError, "empty"),
    (["a", None], DataError, "1"),
    (7, DataError, "int"),
    ("   ", DataError, "tokens.*fewer than a window of 16"),
    ("short", DataError, "tokens.*fewer than a window of 16: pass more text, or lower .*bptt"),
])  # fmt: skip
def test_texts_that_are_refused(texts, error, message):
    with pytest.raises(error, match=message):
        small().fit(texts)


@pytest.mark.parametrize(("params", "message"), [
    ({"tokenizer": "syllable"}, "tokenizer"),
    ({"validation_size": 1.0}, "validation_size"),
    ({"model": "forecasting/lstm"}, "is of the task forecasting"),
    ({"tokenizer": "char", "hyperparameters": {"tokenizer": "word"}}, "set the same"),
    ({"hyperparameters": {"unit": 3}}, "unknown hyperparameter 'unit'"),
    ({"tokenizer": "bpe", "hyperparameters": {"vocab_size": 5}}, "vocab_size"),
])  # fmt: skip
def test_parameters_that_are_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        LanguageModel(**{"verbose": 0, **params}).fit(TEXTS)


def test_a_matrix_memory_needs_windows_of_one_length():
    with pytest.raises(ConfigError, match="mlstm needs windows of a fixed length"):
        LanguageModel("mlstm", tokenizer="char", hyperparameters={"variable_bptt": True, "units": 16}).fit(TEXTS)


@pytest.mark.traced
@pytest.mark.parametrize("tokenizer", ["byte", "bpe"])
def test_any_text_is_learned_and_scored(tokenizer):
    odd = ["NUL \0 here", "lone \ud800 surrogate", "שלום עולם", "🙂🏳️‍🌈", "x" * 5000, *TEXTS]
    model = small(
        "lstm", tokenizer=tokenizer, hyperparameters={"vocab_size": 400, "epochs": 1, "steps_per_epoch": 2}
    ).fit(odd)
    assert np.isfinite(model.score_samples(odd)).all()
    assert isinstance(model.generate("🙂 \ud800", max_tokens=5, random_state=0), str)


def test_a_search_has_the_baselines_on_its_leaderboard():
    estimator = small(hyperparameters={"epochs": 1}, tokenizer="char")
    search = ZooSearchCV(estimator, ["gru"], max_trials=1, random_state=0, verbose=0).fit(TEXTS)
    board = search.leaderboard_
    assert set(board.loc[board["status"] == "baseline", "model"]) == {"uniform", "unigram", "kneser_ney"}
    assert set(board.loc[board["status"] == "completed", "model"]) == {"gru"}
    assert isinstance(search.best_estimator_.generate("the ", max_tokens=5, random_state=0), str)


# Serving.


def test_a_served_model_generates_and_scores(fitted):
    served = ServedModel(fitted)
    example = fitted.serving_example()
    answer = served.predict(example, {"max_tokens": 12, "random_state": 3, "stop": "zzz", "top_k": 5})
    expected = fitted.generate(list(example["text"]), max_tokens=12, random_state=3, stop="zzz", top_k=5)
    assert answer["text"].tolist() == expected
    scores = served.predict(example, {"mode": "score"})
    assert scores["log_likelihood"].tolist() == fitted.score_samples(list(example["text"])).tolist()


@pytest.mark.parametrize(("params", "message"), [
    ({"max_tokens": 10**9}, "max_tokens: expected a whole number above 0, at most 4,096"),
    ({"max_tokens": -1}, "max_tokens: expected"),
    ({"temperature": -0.5}, "temperature: expected"),
    ({"mode": "sing"}, "unknown mode 'sing'.*generate, score"),
    ({"beam": 3}, "unknown parameter 'beam'"),
])  # fmt: skip
def test_requests_that_are_refused(fitted, params, message):
    with pytest.raises(Exception, match=message):
        ServedModel(fitted).predict(fitted.serving_example(), params)


def test_an_empty_text_in_a_request_is_refused(fitted):
    with pytest.raises(Exception, match="prompt 0 is empty"):
        ServedModel(fitted).predict(fitted.serving_example().assign(text=""), {})


# Streams.


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("steps", [3, 1000])
def test_windows_follow_each_other(variable, steps):
    """The tokens of each row, window after window and epoch after epoch, until a pass is over."""
    options = {"batch_size": 3, "window": 8, "steps_per_epoch": steps, "variable": variable, "seed": 0}
    batches = StreamBatches(np.arange(601), **options)
    last, begins, lengths = None, 0, set()
    for epoch in range(40 if steps == 3 else 4):
        batches.set_epoch(epoch)
        for step in range(len(batches)):
            inputs, zeros = batches[step]
            tokens, targets = inputs["tokens"], inputs["targets"]
            assert zeros.shape == tokens.shape == targets.shape
            np.testing.assert_array_equal(targets, tokens + 1)
            np.testing.assert_array_equal(tokens - tokens[0], np.array([[0], [200], [400]]) + 0 * tokens)
            begins += int(inputs["begin"][0, 0])
            assert inputs["begin"][0, 0] == 1 or tokens[0, 0] == last
            assert inputs["begin"][0, 0] == 0 or tokens[0, 0] < 8
            last = targets[0, -1]
            lengths.add(tokens.shape[1])
    assert begins > 1
    assert lengths == ({8, 4} if variable else {8})


def test_the_last_window_of_a_row_is_filled_up():
    tokens, targets = pad_window(np.array([[3, 4]]), np.array([[4, -1]]), 3)
    assert tokens.tolist() == [[3, 4, 0]]
    assert targets.tolist() == [[4, 0, 0]]


def test_members_are_counted_window_by_window():
    targets = np.array([[1, 5, 5, 9], [5, 1, 9, 1]])
    assert most_members(targets, (5, 9), window=3) == (3, 2)  # three in one window, where six fit; one
    assert most_members(np.full((1, 16), 9), (5, 9), window=16) == (16, 16)
    assert most_members(np.full((1, 16), 1), (5, 9), window=16) == (2, 1)


def test_texts_of_any_content_are_scored_by_few_programs():
    """By an adaptive softmax, whose sizes depend on the text: the answers are those of a softmax that computes all."""
    spec = LanguageModellingSpec(vocab_size=60, bptt=8, cutoffs=(10, 25, 40))
    config = load_config("language_modelling/lstm").override({"units": 8, "embedding_dim": 8, "num_layers": 1})
    model = build_model(config.builder, spec, {**config.hyperparameters, "softmax": "adaptive"})
    stepper, rng = model.stepper, np.random.default_rng(0)
    for number in range(20):
        shares = rng.dirichlet(np.full(4, 0.5))
        clusters = rng.choice(4, 40, p=shares)
        stream = np.array([0, *rng.integers(np.array([0, 10, 25, 40])[clusters], np.array([10, 25, 40, 60])[clusters])])
        found = carried_nll(stepper, stream, rows=1, window=16)
        if number < 3:
            whole, _, _ = stepper.score(stream[None, :-1], stream[None, 1:], stepper.begin(1), calls=1)
            np.testing.assert_allclose(found, whole[0], rtol=1e-4, atol=1e-5)
    assert len(stepper.programs) <= 7  # one for whole softmaxes, and at most six


def test_an_epoch_can_be_gone_to_at_once():
    options = {"batch_size": 2, "window": 4, "steps_per_epoch": 5, "variable": True, "seed": 3}
    walked, jumped = (StreamBatches(np.arange(90), **options) for _ in range(2))
    for epoch in range(7):
        walked.set_epoch(epoch)
    jumped.set_epoch(6)
    for step in range(len(walked)):
        np.testing.assert_array_equal(walked[step][0]["tokens"], jumped[step][0]["tokens"])


def test_white_space_is_text_too():
    blank = " \n\t" * 60
    assert np.isfinite(small().fit(blank).perplexity(blank, "char"))
    assert np.isfinite(BaselineLanguageModel("kneser_ney", tokenizer="char").fit(blank).perplexity(blank, "char"))


def test_a_cluster_that_a_short_window_could_not_hold_has_no_capacity():
    stream = np.full(200, 7)
    options = {"batch_size": 2, "window": 8, "steps_per_epoch": 9, "seed": 0}
    assert StreamBatches(stream, variable=False, **options).capacities((5,)) == [16]
    assert StreamBatches(stream, variable=True, **options).capacities((5,)) == [None]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_capacities_hold_in_every_window(batch_size):
    stream = np.random.default_rng(0).zipf(1.4, 500) % 50
    batches = StreamBatches(stream, batch_size=batch_size, window=7, steps_per_epoch=10**6, variable=False, seed=0)
    most = np.zeros(2, int)
    for epoch in range(60):
        batches.set_epoch(epoch)
        for step in range(len(batches)):
            targets = batches[step][0]["targets"]
            most = np.maximum(most, [((targets >= a) & (targets < b)).sum() for a, b in [(3, 10), (10, 50)]])
    capacities = batches.capacities((3, 10))
    assert (most <= capacities).all()
    assert (np.array(capacities) <= most + 3).all()


def test_the_trainer_s_losses_are_the_model_s():
    """Without a step: pieces with the state carried are one pass, and an adaptive softmax leaves nothing out."""
    rng = np.random.default_rng(0)
    stream = rng.integers(0, 30, 400)
    config = load_config("language_modelling/lstm").override({"units": 8, "embedding_dim": 8, "dropout": 0.0})
    model = build_model(config.builder, LanguageModellingSpec(30, 10, (5, 12)), config.hyperparameters)
    batches = StreamBatches(stream, batch_size=4, window=10, steps_per_epoch=100, variable=False, seed=0)
    trainer = model.stepper.trainer(4, batches.capacities((5, 12)))
    trainer.compile(optimizer=keras.optimizers.SGD(0.0), loss=lambda _, nll: nll)
    losses = [trainer.train_on_batch(*batches[step]) for step in range(len(batches))]
    inputs = [batches[step][0] for step in range(len(batches))]
    tokens, targets = (np.concatenate([i[part] for i in inputs], axis=1) for part in ("tokens", "targets"))
    nll, _, _ = model.stepper.score(tokens, targets, model.stepper.begin(4))
    np.testing.assert_allclose(losses, [part.mean() for part in np.split(nll, len(batches), axis=1)], rtol=1e-4)


def test_cutoffs_are_where_they_save_work():
    counts = 1e6 / np.arange(1, 33_279)
    share = counts / counts.sum()

    def cost(cutoffs):
        edges = [*cutoffs, len(counts)]
        return cutoffs[0] + len(cutoffs) + sum(share[a:b].sum() * (b - a) for a, b in itertools.pairwise(edges))

    assert token_counts(np.array([0, 2, 2]), 4).tolist() == [1, 0, 2, 0]
    first, second, third = best = softmax_cutoffs(counts)
    assert cost(best) < len(counts) / 7
    others = [
        (first // 2, second, third),
        (first * 2, second, third),
        (first, second * 2, third),
        (first, second, third * 2),
    ]
    assert all(cost(best) < cost(other) for other in [*others, (first, second), (second,)])
    assert softmax_cutoffs(counts[:4000]) == ()


# Baselines.


def test_baselines_are_what_they_say():
    texts, held_out = TEXTS[:30], TEXTS[30:]
    uniform, unigram, ngrams = (BaselineLanguageModel(m).fit(texts) for m in ("uniform", "unigram", "kneser_ney"))
    assert uniform.perplexity(held_out, "token") == pytest.approx(uniform.preprocessor_.vocab_size_)
    assert ngrams.perplexity(held_out) < unigram.perplexity(held_out) < uniform.perplexity(held_out)
    assert ngrams.score_samples([TEXTS[0], "mat mat mat"]).argmax() == 0
    assert ngrams.generate(TEXTS[0].rsplit(" ", 1)[0], max_tokens=1, temperature=0) == TEXTS[0].split()[-1]
    assert "".join(ngrams.stream("a", random_state=0, max_tokens=4)) == ngrams.generate(
        "a", random_state=0, max_tokens=4
    )


def test_baselines_have_the_tokens_of_the_network():
    model = LanguageModel("lstm", tokenizer="char", hyperparameters={"vocab_size": 30})
    assert {(b.tokenizer, b.vocab_size) for b in model.baselines().values()} == {("char", 30)}
    assert all("streaming" in load_config(name).tags for name in list_models("language_modelling/*"))
