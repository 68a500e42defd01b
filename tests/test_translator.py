"""The translator as an estimator: translations, likelihoods, what it refuses, and its baselines."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest

from lstmzoo import BaselineTranslator, Translator, ZooSearchCV, checks, load
from lstmzoo.config import list_models, load_config
from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.estimators import Networks, hand_over
from lstmzoo.estimators._base.sharing import PREDICTIONS
from lstmzoo.estimators.translation.network import batches
from lstmzoo.estimators.translation.network.writer import Writer
from lstmzoo.metrics import bleu
from lstmzoo.mlflow.loader import ServedModel
from lstmzoo.models._translation import TranslationStepper
from lstmzoo.preprocessing import PairBatches
from lstmzoo.registry import build_model
from lstmzoo.spec import TranslationSpec
from lstmzoo.training import loop

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven"]
ZIFFERN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"]
SMALL = {"epochs": 1, "units": 16, "embedding_dim": 16, "batch_size": 32, "vocab_size": None, "output_dropout": 0.0}

pytestmark = pytest.mark.usefixtures("without_xla")


def numbers(count, seed):
    """Digits, and the same in German from right to left."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, 8, rng.integers(1, 5)) for _ in range(count)]
    return [" ".join(DIGITS[i] for i in row) for row in rows], [" ".join(ZIFFERN[i] for i in row[::-1]) for row in rows]


PAIRS = numbers(400, seed=0)
FEW = tuple(side[:60] for side in PAIRS)


def small(model="conditional_gru_mini", **kwargs):
    settings = {**SMALL, **kwargs.pop("hyperparameters", {})}
    options = {"tokenizer": "word", "random_state": 0, "verbose": 0, **kwargs}
    known = load_config(f"translation/{model}").settings
    return Translator(model, hyperparameters={k: v for k, v in settings.items() if k in known}, **options)


@pytest.fixture(scope="module")
def fitted():
    """A translator that has learned something."""
    return small(
        hyperparameters={
            "epochs": 20, "learning_rate": 2e-2, "units": 32, "embedding_dropout": 0.0, "encoder_dropout": 0.0,
        }
    ).fit(*PAIRS)  # fmt: skip


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS, ids=lambda c: c.__name__)
def test_estimator(check):
    check(small(tokenizer="bpe", hyperparameters={"vocab_size": 400}), FEW)


@pytest.mark.parametrize("check", checks.ESTIMATOR_CHECKS[:-1], ids=lambda c: c.__name__)
@pytest.mark.parametrize("method", ["copy", "lexicon"])
def test_baseline(method, check):
    """But for the last check: a baseline is not searched."""
    check(BaselineTranslator(method), PAIRS)


def test_it_learns_what_words_alone_do_not_tell(fitted):
    source, target = numbers(60, seed=1)
    lexicon = BaselineTranslator("lexicon").fit(*PAIRS)
    assert fitted.score(source, target) > 60 > lexicon.score(source, target)
    assert fitted.history_[-1]["val_loss"] < 0.5 * fitted.history_[0]["val_loss"]


# Decoding.


def test_a_beam_is_the_same_for_each_sentence_alone(fitted):
    sentences = numbers(40, seed=2)[0]
    together, scores = fitted.predict(sentences, beam_size=4, n_best=3, return_score=True)
    for i in (0, 7, 39):
        alone, its_scores = fitted.predict([sentences[i]], beam_size=4, n_best=3, return_score=True)
        assert alone[0] == together[i]
        np.testing.assert_allclose(its_scores[0], scores[i], rtol=1e-4)
    assert all(best == sorted(best, reverse=True) for best in scores)


def test_a_beam_of_one_is_greedy(fitted):
    sentences = numbers(30, seed=3)[0]
    greedy = fitted.predict(sentences, beam_size=1)
    assert greedy == fitted.predict(sentences, beam_size=1, return_score=True)[0]
    assert greedy == fitted.sample(sentences, temperature=0)


def test_scores_are_log_likelihoods_with_penalties(fitted):
    sentences = numbers(20, seed=4)[0]
    texts, scores = fitted.predict(sentences, length_penalty=0.0, return_score=True)
    np.testing.assert_allclose(scores, fitted.score_samples(sentences, texts), rtol=1e-3, atol=1e-4)
    texts, scores = fitted.predict(sentences, length_penalty=0.7, return_score=True)
    lengths = np.array([1 + len(text.split()) for text in texts])
    expected = fitted.score_samples(sentences, texts) / ((5 + lengths) / 6) ** 0.7
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)


def test_coverage_is_part_of_the_score(fitted):
    """By hand, from the alignment of the translation that is found."""
    options = {"length_penalty": 0.0, "return_score": True, "beam_size": 3}
    sentences = ["one two three four"]
    texts, scores, (alignment,) = fitted.predict(sentences, coverage_penalty=0.3, return_alignment=True, **options)
    coverage = 0.3 * np.log(np.minimum(alignment.weights.sum(axis=0), 1)).sum()
    assert scores[0] == pytest.approx(fitted.score_samples(sentences, texts)[0] + coverage, rel=1e-3, abs=1e-3)


def test_no_n_gram_comes_twice(fitted):
    sentences = ["one one one one", "two two two two"]
    free, ruled = (fitted.predict(sentences, no_repeat_ngram=n) for n in (0, 1))
    assert all(len(set(text.split())) < len(text.split()) for text in free)
    assert all(len(set(text.split())) == len(text.split()) for text in ruled)


def test_samples_depend_on_the_seed(fitted):
    sentences = numbers(12, seed=5)[0]
    options = {"temperature": 1.5, "n": 3, "random_state": 1}
    assert fitted.sample(sentences, **options) == fitted.sample(sentences, **options)
    assert fitted.sample(sentences, **options) != fitted.sample(sentences, **{**options, "random_state": 2})
    several = fitted.sample(sentences, temperature=1.5, random_state=1)
    assert several == [drawn[0] for drawn in fitted.sample(sentences, **options)]
    together = fitted.sample([*sentences, " ".join(DIGITS * 3)], temperature=50.0, random_state=1)
    assert together[:12] == fitted.sample(sentences, temperature=50.0, random_state=1)
    assert fitted.sample(sentences, top_k=1, random_state=1) == fitted.predict(sentences, beam_size=1)
    assert fitted.sample(sentences, top_p=1e-6, random_state=1) == fitted.predict(sentences, beam_size=1)


def test_empty_lines_keep_their_place(fitted):
    texts, scores, alignments = fitted.predict(
        ["", "one two", " \t", "three"], return_score=True, return_alignment=True
    )
    assert [bool(text) for text in texts] == [False, True, False, True]
    assert scores[0] == scores[2] == 0
    assert fitted.score_samples(["", "one"], ["", " "]).shape == (2,)
    assert alignments[0].target == ["<eos>"]
    assert texts[1] == fitted.predict(["one two"])[0]


def test_sentences_longer_than_any_in_training_are_translated_whole(fitted):
    long = " ".join(DIGITS * 8)
    texts, alignments = fitted.predict([long, "one"], return_alignment=True)
    assert alignments[0].weights.shape == (1 + len(texts[0].split()), 65)
    assert texts[1] == fitted.predict(["one"])[0]
    with pytest.raises(DataError, match=r"sentence 1 has 8,000 tokens; at most 1,024"):
        fitted.predict(["one", "one " * 8000])


@pytest.mark.parametrize("sentence", ["Ω 🙂 שלום", "one\x00two", "\ud800", "<eos>", "eins zwei", "<unk> one"])
def test_what_was_never_seen_is_translated_too(fitted, sentence):
    (text,) = fitted.predict([sentence])
    assert "<unk>" not in text
    assert np.isfinite(fitted.score_samples([sentence], [sentence])).all()


def test_alignments_are_shares(fitted):
    (text,), (alignment,) = fitted.predict(["one two three"], return_alignment=True)
    assert alignment.source == ["one", "two", "three", "<eos>"]
    assert alignment.target == [*text.split(), "<eos>"]
    np.testing.assert_allclose(alignment.weights.sum(axis=1), 1, rtol=1e-5)


def test_alignments_are_drawn(fitted, tmp_path):
    figure = fitted.plot_alignment("one two", path=tmp_path / "alignment.png")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["one", "two", "<eos>"]
    assert (tmp_path / "alignment.png").stat().st_size > 1000
    figure = fitted.plot_alignment("one $two", "zwei eins eins")
    assert len(figure.axes[0].get_yticklabels()) == 4


def test_likelihoods_are_those_of_tokens_in_turn(fitted):
    """By hand: the product of what each step says."""
    source, target = fitted.preprocessor_.encode_source(["two one"]), fitted.preprocessor_.encode_target(["eins null"])
    stepper = fitted.model_.stepper
    memory, state = stepper.encode({"source": np.array([[*source[0], 0, 0]], "int32")}, calls=1)
    total, last = 0.0, 0
    for token in [*target[0], 0]:
        log_probs, state = stepper.step({"tokens": np.array([last], "int32")}, state, memory, calls=1)
        total, last = total + float(log_probs[0, token]), token
    assert fitted.score_samples(["two one"], ["eins null"])[0] == pytest.approx(total, rel=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_probabilities_of_all_translations_sum_to_one():
    """Of a network that has hardly learned: those of up to two of three words, and of what goes on."""
    model = small().fit(["a b", "b a"] * 8, ["x y", "y x"] * 8)
    stepper, size = model.model_.stepper, model.spec_.target_vocab_size
    memory, state = stepper.encode({"source": np.array([[2, 3, 0]], "int32")}, calls=1)
    first, state = stepper.step({"tokens": np.array([0], "int32")}, state, memory, calls=1)
    assert np.exp(first).sum() == pytest.approx(1, rel=1e-5)
    ended = np.exp(first[0, 0])
    for token in range(1, size):
        after, _ = stepper.step({"tokens": np.array([token], "int32")}, state, memory, calls=1)
        ended += np.exp(first[0, token]) * np.exp(after[0]).sum()
    assert ended == pytest.approx(1, rel=1e-5)


@pytest.mark.usefixtures("eagerly")
def test_an_ensemble_averages_probabilities(fitted):
    """By hand: the mean of what both say at each step."""
    sentences = numbers(10, seed=6)[0]
    assert fitted.predict(sentences, ensemble=[fitted]) == fitted.predict(sentences)
    other = small("luong_gru").fit(*PAIRS)
    one = ["three four"]
    (text,), (score,) = fitted.predict(one, ensemble=[other], beam_size=1, length_penalty=0.0, return_score=True)
    source, target = fitted.preprocessor_.encode_source(one)[0], fitted.preprocessor_.encode_target([text])[0]
    steppers = [model.model_.stepper for model in (fitted, other)]
    begun = [stepper.encode({"source": np.array([[*source, 0]], "int32")}, calls=1) for stepper in steppers]
    memories, states = (list(parts) for parts in zip(*begun, strict=True))
    total, last = 0.0, 0
    for token in [*target, 0]:
        probabilities = []
        for i, stepper in enumerate(steppers):
            log_probs, states[i] = stepper.step({"tokens": np.array([last], "int32")}, states[i], memories[i], calls=1)
            probabilities.append(np.exp(float(log_probs[0, token])))
        total, last = total + np.log(np.mean(probabilities)), token
    assert score == pytest.approx(total, rel=1e-4)
    assert all(abs(score - model.score_samples(one, [text])[0]) > 1e-2 for model in (fitted, other))


@pytest.mark.usefixtures("eagerly")
def test_epochs_that_were_averaged_can_be_ensembled(tmp_path):
    averaged = small(hyperparameters={"epochs": 3, "average_epochs": 2}).fit(*FEW)
    assert averaged.best_epoch_ == 3, "the loss falls throughout"
    epochs = averaged.averaged_epochs()
    assert [one.best_epoch_ for one in epochs] == [len(one.history_) for one in epochs] == [2, 3]
    assert epochs[-1].history_ == averaged.history_
    for mean, *several in zip(*(one.model_.get_weights() for one in (averaged, *epochs)), strict=True):
        np.testing.assert_allclose(mean, np.mean(several, axis=0), rtol=1e-5, atol=1e-7)
        assert not np.array_equal(*several)
    first, second = epochs
    assert len(first.predict(FEW[0][:3], ensemble=[second])) == 3
    first.save(tmp_path / "first")
    np.testing.assert_array_equal(load(tmp_path / "first").score_samples(*FEW), first.score_samples(*FEW))
    for copied in (load(tmp_path / "first"), first, pickle.loads(pickle.dumps(averaged))):
        with pytest.raises(
            ConfigError,
            match="this one was loaded, copied or updated: only a translator fitted with average_epochs above 1",
        ):
            copied.averaged_epochs()


def test_without_averages_there_are_no_such_epochs(fitted):
    with pytest.raises(ConfigError, match="average_epochs is 1: only a translator"):
        fitted.averaged_epochs()


@pytest.mark.usefixtures("eagerly")
def test_seeds_are_ensembled_with_the_same_validation_pairs():
    one, other = (small(random_state=seed).fit(*FEW, validation=numbers(20, seed=8)) for seed in (0, 1))
    (text,), (score,) = one.predict(["one two"], ensemble=[other], return_score=True)
    assert isinstance(text, str)
    assert score != one.predict(["one two"], return_score=True)[1][0]


def test_embeddings_begin_large_enough_to_be_told_apart():
    """Deep encoders learned nothing with a tenth of it."""
    config = load_config("translation/gnmt")
    model = build_model(
        config.builder, TranslationSpec(50, 60, joint=False), {**config.hyperparameters, "tied": "two_way"}
    )
    for name in ("source_embedding", "target_embedding"):
        (weights,) = model.get_layer(name).get_weights()
        assert 0.45 < np.abs(weights).max() <= 0.5
        assert abs(weights.mean()) < 0.02


@pytest.mark.usefixtures("eagerly")
def test_ensembles_that_are_refused(fitted):
    foreign = small().fit(*numbers(20, seed=9))
    with pytest.raises(ConfigError, match="number 0 has different vocabularies: fit all on the same pairs"):
        fitted.predict(["one"], ensemble=[foreign])
    with pytest.raises(ConfigError, match="number 0 is a str, not a Translator"):
        fitted.predict(["one"], ensemble=["me"])


@pytest.mark.usefixtures("eagerly")
def test_without_attention_there_are_no_alignments():
    model = small("seq2seq_gru").fit(*FEW)
    for call, what in [
        (lambda: model.predict(["one"], return_alignment=True), "return_alignment"),
        (lambda: model.predict(["one"], coverage_penalty=0.1), "coverage_penalty"),
        (lambda: model.plot_alignment("one"), "plot_alignment"),
    ]:
        with pytest.raises(ConfigError, match=f"{what}: translation/seq2seq_gru has no attention"):
            call()
    assert len(model.predict(["one", "two one"], n_best=2)[0]) == 2


# Training.


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("time_limit", "most"), [(20, 2), (95, 3), (1000, 6), (math.inf, 6), (None, 6)])
def test_short_trainings_have_few_shapes(monkeypatch, time_limit, most):
    """For each is compiled."""
    allowed = []

    def noted(*ids, most_buckets, **options):
        allowed.append(most_buckets)
        return PairBatches(*ids, most_buckets=most_buckets, **options)

    monkeypatch.setattr("lstmzoo.estimators.translation.translator.PairBatches", noted)
    small(time_limit=time_limit).fit(*FEW)
    assert allowed == [most]


@pytest.mark.usefixtures("eagerly")
def test_validation_by_bleu():
    source, target = FEW[0], ["ja und nein"] * 60
    options = {"validate_by": "bleu", "epochs": 2, "learning_rate": 1e-2}
    model = small(hyperparameters=options).fit(source, target, validation=(source, target))
    reached = bleu(target, model.predict(source, beam_size=1))
    assert 0 < reached < 100
    assert model.history_[model.best_epoch_ - 1]["val_loss"] == pytest.approx(100 - reached)


@pytest.mark.usefixtures("eagerly")
def test_pieces_that_are_cut_otherwise_each_epoch():
    def weights(rate):
        settings = {"vocab_size": 400, "bpe_dropout": rate}
        return small(tokenizer="bpe", hyperparameters=settings, validation_size=0).fit(*FEW).model_.get_weights()

    first, second, whole = map(weights, (0.3, 0.3, 0.0))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, whole, strict=True))
    with pytest.raises(ConfigError, match=r"'bpe_dropout': 0.3.* needs tokenizer='bpe', got 'word'"):
        small(hyperparameters={"bpe_dropout": 0.3}).fit(*FEW)


@pytest.mark.usefixtures("eagerly")
def test_pairs_that_cannot_be_trained_on_are_told_of(caplog):
    source, target = (list(side[:50]) for side in PAIRS)
    model = small(validation_size=0, hyperparameters={"max_length": 4}).fit(
        [*source, "", "one " * 9], [*target, "null", "eins"]
    )
    assert model.left_out_ == {"empty": 1, "long": 1}
    assert "2 of 52 pairs are not trained on: 1 have an empty side, 1 more than max_length=4" in caplog.text
    with pytest.raises(DataError, match=r"none of 2 pairs is left"):
        small(validation_size=0).fit(["", " "], ["a", "b"])


def weights_of(translator):
    """Its own, and those of its epochs."""
    return [w for one in (translator, *translator.averaged_epochs()) for w in one.model_.get_weights()]


def test_an_interrupted_fit_goes_on(tmp_path, monkeypatch):
    """With words that are cut otherwise in each epoch, and with averaged weights."""
    settings = {"epochs": 3, "average_epochs": 2, "vocab_size": 300, "bpe_dropout": 0.2}
    estimator = small(tokenizer="bpe", hyperparameters=settings)
    whole = weights_of(estimator.fit(*FEW))
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    steps, learning_rate = iter(range(10**9)), loop._learning_rate

    def interrupted(*args):
        if next(steps) == 3:
            raise KeyboardInterrupt
        return learning_rate(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_learning_rate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(*FEW, checkpoint_dir=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "checkpoint-0000000003"
    resumed = weights_of(estimator.fit(*FEW, checkpoint_dir=tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))
    with pytest.raises(ConfigError, match="checkpoint of another fit"):
        estimator.fit(*FEW[::-1], checkpoint_dir=tmp_path)
    with pytest.raises(ConfigError, match="checkpoint of another fit"):
        estimator.set_params(time_limit=100).fit(*FEW, checkpoint_dir=tmp_path)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("options", [{"joint": False, "tied": "two_way"}, {"tied": "none"}])
def test_vocabularies(options):
    model = small(hyperparameters=options).fit(*FEW)
    assert (model.preprocessor_.source is model.preprocessor_.target) == options.get("joint", True)
    assert model.spec_.source_vocab_size == (10 if "joint" in options else 18)


def test_three_way_tying_needs_one_vocabulary():
    with pytest.raises(ConfigError, match=r"tied='three_way' needs one vocabulary"):
        small(hyperparameters={"joint": False}).fit(*PAIRS)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("options", [{"score": "dot"}, {"score": "concat", "input_feeding": True}, {"local_window": 2}])
def test_luong_s_attentions(options):
    model = small("luong_lstm", hyperparameters={"num_layers": 2, **options}).fit(*FEW)
    (text,), (alignment,) = model.predict([" ".join(DIGITS)], return_alignment=True)
    assert alignment.weights.shape == (1 + len(text.split()), 9)
    looked_at = (alignment.weights > 0).sum(axis=1)
    assert (looked_at <= 2 * 2 + 1).all() if "local_window" in options else (looked_at == 9).all()
    weights = {weight.path.rsplit("/", 1)[-1] for weight in model.model_.weights}
    assert ("feed_kernel" in weights) == options.get("input_feeding", False)
    assert ("key_kernel" in weights, "energy" in weights) == {
        "dot": (False, False), "concat": (True, True), "general": (True, False),
    }[options.get("score", "general")]  # fmt: skip


def test_labels_are_smoothed():
    """By hand: the share of the target is less, and the rest is even."""
    config = load_config("translation/conditional_gru_mini").override(
        {"label_smoothing": 0.2, "embedding_dropout": 0.0, "encoder_dropout": 0.0, "output_dropout": 0.0}
    )
    stepper = build_model(config.builder, TranslationSpec(9, 9, True), config.hyperparameters).stepper
    source, targets = np.array([[3, 4, 0]], "int32"), np.array([[5, 0, 0]], "int32")
    inputs = {"source": source, "previous": np.array([[0, 5, 0]], "int32"), "targets": targets}
    memory, state = stepper.encode({"source": source}, calls=1)
    first, state = stepper.step({"tokens": np.array([0], "int32")}, state, memory, calls=1)
    second, _ = stepper.step({"tokens": np.array([5], "int32")}, state, memory, calls=1)
    expected = [-(0.8 * row[token] + 0.2 * row.mean()) for row, token in ((first[0], 5), (second[0], 0))]
    loss = np.asarray(stepper.trainer()(inputs, training=True))
    assert loss.mean() == pytest.approx(np.mean(expected), rel=1e-4)
    np.testing.assert_allclose(loss[0], [*np.array(expected) * 1.5, 0], rtol=1e-4)


def test_more_padding_changes_nothing(fitted):
    source = fitted.preprocessor_.encode_source(["one two three"])[0]
    target = fitted.preprocessor_.encode_target(["drei zwei"])[0]
    found = []
    for extra in (1, 6):
        rows = {
            "source": [*source, *[0] * extra],
            "previous": [0, *target, *[0] * (extra - 1)],
            "targets": [*target, *[0] * extra],
        }
        nll = fitted.model_.stepper.score(**{name: np.array([row], "int32") for name, row in rows.items()})
        found.append(nll[0, :3])
        assert not nll[0, 3:].any()
    np.testing.assert_allclose(*found, rtol=1e-5)


# Storage, search and serving.


def test_it_is_stored_with_its_beam(fitted, tmp_path):
    sentences = numbers(8, seed=7)[0]
    expected = fitted.predict(sentences, n_best=2, return_score=True)
    fitted.save(tmp_path / "model")
    learned = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        assert learned <= set(vars(other))
        assert other.predict(sentences, n_best=2, return_score=True) == expected


@pytest.mark.usefixtures("eagerly")
def test_a_search_has_the_baselines_beside_it():
    estimator = Translator(
        tokenizer="word", hyperparameters={"epochs": 1, "vocab_size": None, "units": 16, "embedding_dim": 16}
    )
    search = ZooSearchCV(estimator, ["seq2seq_gru", "gnmt_mini"], max_trials=2, random_state=0, verbose=0).fit(*FEW)
    assert {"copy", "lexicon", "gnmt_mini", "seq2seq_gru"} == set(search.leaderboard_["model"])
    assert len(search.predict(["one two"])) == 1


def test_a_refit_is_of_all_pairs(fitted):
    clone = fitted.refit_clone()
    assert clone.validation_size == 0
    assert clone.hyperparameters["epochs"] == fitted.best_epoch_


@pytest.mark.parametrize(
    ("rows", "params", "error"),
    [
        (["one"], {"beam_size": 0}, "beam_size: expected a whole number above 0, at most 50"),
        (["one"], {"beam_size": "5"}, "beam_size: expected a whole number above 0, at most 50, got '5'"),
        (["one"], {"no_repeat_ngram": 11}, "no_repeat_ngram: expected a whole number from 0 to 10, got 11"),
        (["one"], {"beam_size": 1000}, "beam_size: expected a whole number above 0, at most 50, got 1000"),
        (["one"], {"length_penalty": -1.0}, "length_penalty: expected a number from 0"),
        (["one"], {"beams": 3}, "unknown parameter 'beams'"),
        ([3], {}, r"text\[0\] is 3"),
        ([], {}, "there are no sentences"),
        (["one " * 250_000], {}, "at most 10,000 are served"),
    ],
)
def test_requests_that_are_refused(fitted, rows, params, error):
    with pytest.raises((ConfigError, DataError, UnknownNameError), match=error):
        fitted.serve(pd.DataFrame({"text": pd.Series(rows, dtype=object)}), params)


def test_it_is_served(fitted):
    served = ServedModel(fitted)
    answer = served.predict(pd.DataFrame({"text": ["one two", ""]}), params={"beam_size": 2})
    assert list(answer["text"]) == [fitted.predict(["one two"], beam_size=2)[0], ""]


@pytest.mark.usefixtures("eagerly")
def test_requests_of_any_size_and_options_share_few_programs(fitted):
    """And are answered as by programs of their own. A new program is seconds of compiling, in which nothing else happens."""
    sentences = [*numbers(3, seed=3)[0], ""]
    rows, served = pd.DataFrame({"text": sentences}), ServedModel(copy.copy(fitted))
    for size, ngram, coverage in [(1, 0, 0.0), (3, 2, 0.3), (7, 1, 0.0)]:
        options = {"beam_size": size, "no_repeat_ngram": ngram, "coverage_penalty": coverage}
        assert served.predict(rows, options)["text"].tolist() == fitted.predict(sentences, **options)
    (writer,) = served.estimator._writers.values()
    programs = writer._programs._programs
    assert {dict(key[-2])["source"] for key in programs} == {(8, 32)}
    assert {key[2] for key in programs} == {5, 12}
    before = len(programs)
    served.predict(rows, {"beam_size": 4, "no_repeat_ngram": 3})
    served.predict(pd.DataFrame({"text": [" ".join(DIGITS)] * 2}), {"beam_size": 2, "no_repeat_ngram": 4})
    assert len(programs) == before
    sizes = [SERVED.places(size) for size in (1, 5, 6, 12, 13, 50)]
    assert sizes == [5, 5, 12, 12, 50, 50]


@pytest.mark.usefixtures("eagerly")
def test_what_was_compiled_to_translate_is_kept_when_training_goes_on():
    translator = small(validation_size=0, hyperparameters={"epochs": 3})
    fit, programs = translator.begin_fit(*FEW), []
    for until in (1 / 3, 1.0):
        fit.run(until)
        fit.keep()
        assert translator.predict(FEW[0]) == copy.copy(translator).predict(FEW[0])
        programs.append(list(translator.model_.stepper.programs._programs.values()))
    assert len(programs[0]) > 0
    assert programs[0] == programs[1]


@pytest.mark.usefixtures("eagerly")
def test_translators_of_a_search_translate_few_batches_until_they_are_handed_over(monkeypatch):
    """XLA does not pay for few."""
    asked = []
    monkeypatch.setattr("lstmzoo.programs.jit_compile", lambda calls: asked.append(calls) or False)
    translator = small(validation_size=0, hyperparameters={"epochs": 1})
    translator.begin_fit(*FEW, networks=Networks()).keep()
    translator.predict(FEW[0][:2])
    assert set(asked) == {PREDICTIONS}
    hand_over(translator)
    asked.clear()
    translator.predict(FEW[0][:2])
    assert set(asked) == {math.inf}


# Bad input.


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        (["a", "b", "c"], ["x", "y"], "source has 3 sentences and target has 2"),
        (["a", 3], ["x", "y"], "source"),
        ([], [], "there are no sentences"),
        ("a b", "x y", "one string: put it in a list"),
        (["a", "a"], ["x", "y"], "cannot split 1 distinct sentences into two parts"),
    ],
)
def test_pairs_that_are_refused(source, target, error):
    with pytest.raises(DataError, match=error):
        small().fit(source, target)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"beam_size": 0}, "beam_size: expected a whole number above 0, got 0"),
        ({"beam_size": 2, "n_best": 3}, "n_best: at most beam_size, which is 2, got 3"),
        ({"length_penalty": math.nan}, "length_penalty"),
        ({"coverage_penalty": -0.1}, "coverage_penalty"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram"),
    ],
)
def test_options_that_are_refused(fitted, options, error):
    with pytest.raises(ConfigError, match=error):
        fitted.predict(["one"], **options)


def test_more_options_that_are_refused(fitted):
    with pytest.raises(ConfigError, match="ensemble: expected a list of translators, got a Translator"):
        fitted.predict(["one"], ensemble=fitted)
    with pytest.raises(ConfigError, match="n_best: evaluate needs one translation"):
        fitted.evaluate(["one"], ["eins"], n_best=2)
    with pytest.raises(DataError, match="cannot be drawn: at most 200 of each"):
        fitted.plot_alignment("one " * 300, "eins")


@pytest.mark.parametrize("name", list_models("translation/*"))
def test_every_entry_reads_its_source(name):
    config = load_config(name).override({"units": 8, "embedding_dim": 8})
    stepper = build_model(config.builder, TranslationSpec(9, 9, True), config.hyperparameters).stepper
    answers = []
    for source in ([3, 4, 0], [5, 4, 0]):
        memory, state = stepper.encode({"source": np.array([source], "int32")}, calls=1)
        answers.append(stepper.step({"tokens": np.array([0], "int32")}, state, memory, calls=1)[0])
    assert abs(answers[0] - answers[1]).max() > 1e-6
    if "decoder_layers" in config.hyperparameters and config.builder == "deep_translator":
        with pytest.raises(ConfigError, match="decoder_layers"):
            build_model(config.builder, TranslationSpec(9, 9, True), {**config.hyperparameters, "decoder_layers": 1})


def test_validation_pairs_are_checked():
    with pytest.raises(DataError, match="validation source has 1 sentence and validation target has 2"):
        small().fit(*PAIRS, validation=(["one"], ["eins", "zwei"]))
    with pytest.raises(DataError, match="validation: expected two lists"):
        small().fit(*PAIRS, validation=["one", "two", "three"])


@pytest.mark.usefixtures("eagerly")
def test_long_sentences_are_decoded_a_few_at_a_time(fitted, monkeypatch):
    """So that memory is bounded; the answers are the same."""
    sentences = [*numbers(16, seed=8)[0], " ".join([*DIGITS, *DIGITS[:4]])]
    expected, scores = fitted.predict(sentences, return_score=True), fitted.score_samples(sentences, sentences)
    monkeypatch.setattr(batches, "_HYPOTHESES", 8 * 5 * 8)
    monkeypatch.setattr(batches, "_PAIRS", 8**3)
    searched, scored = noted(monkeypatch, Writer, "search"), noted(monkeypatch, TranslationStepper, "score")
    again, its_scores = fitted.predict(sentences, return_score=True)
    assert again == expected[0]
    np.testing.assert_allclose(its_scores, expected[1], rtol=1e-4)
    np.testing.assert_allclose(fitted.score_samples(sentences, sentences), scores, rtol=1e-4)
    # rows * length * 5 <= 320 and rows * length**2 <= 512, or it is one row
    assert searched == scored == [(8, 8), (8, 8), (1, 16)]


def noted(monkeypatch, owner, name):
    """The shapes of the sources that a method is called with from now on."""
    shapes, method = [], getattr(owner, name)

    def call(self, source, *args, **kwargs):
        shapes.append(source.shape)
        return method(self, source, *args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return shapes


def test_all_entries_can_step():
    assert all("streaming" in load_config(name).tags for name in list_models("translation/*"))
