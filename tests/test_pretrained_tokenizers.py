"""Tokenizers of the tokenizers library."""

import pickle

import numpy as np
import pytest
from _cli import assert_refused, run
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from lstmzoo import BaselineLanguageModel, LanguageModel, Translator, load
from lstmzoo.errors import ConfigError, DataError, SavedModelError
from lstmzoo.preprocessing import PairPreprocessor, TextPreprocessor, tokenizer_name

TEXTS = [f"the quick brown fox number {i} jumps over the lazy naïve dog 😀" for i in range(30)]
SETTINGS = {"epochs": 1, "steps_per_epoch": 2, "units": 8, "embedding_dim": 8, "bptt": 8, "batch_size": 4}
KINDS = ["wordpiece", "bpe", "unigram", "wordlevel"]

pytestmark = pytest.mark.usefixtures("eagerly")


def trained(kind):
    """A tokenizer of the library, by its kind."""
    quiet = {"show_progress": False}
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=80, special_tokens=["[PAD]", "[UNK]", "[CLS]"], **quiet)
    elif kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=290, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|end|>"], **quiet
        )
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=60, unk_token="<unk>", special_tokens=["<unk>"], **quiet)
    else:
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]"], **quiet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return trained(request.param)


def test_ids_are_the_tokenizer_s_plus_one(tokenizer):
    pre = TextPreprocessor(tokenizer).fit(["these texts teach nothing"])
    np.testing.assert_array_equal(pre.encode(TEXTS[0]), np.array(tokenizer.encode(TEXTS[0]).ids) + 1)
    assert pre.vocab_size_ == tokenizer.get_vocab_size() + 1
    assert pre.tokenizer == tokenizer_name(tokenizer) == "pretrained"
    assert pre.encode_stream(TEXTS[:2]).tolist().count(0) == 2
    assert pre.token(int(pre.encode(TEXTS[0])[0])) == tokenizer.encode(TEXTS[0]).tokens[0]


def test_special_and_unknown_tokens_are_never_generated(tokenizer):
    pre = TextPreprocessor(tokenizer).fit([])
    special = [i + 1 for i, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    assert np.flatnonzero(pre.banned).tolist() == special
    unknown = {"<unk>", "[UNK]"} & tokenizer.get_vocab().keys()
    assert pre.unk_id == (tokenizer.token_to_id(unknown.pop()) + 1 if unknown else None)


@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.sampled_from([*TEXTS[0].split(), "日本", "zebra", "\ud800"]), min_size=1), data=st.data())
def test_pieces_decode_to_what_the_whole_does(tokenizer, words, data):
    pre = TextPreprocessor(tokenizer).fit([])
    ids = pre.encode(" ".join(words))
    decoder, cuts = pre.decoder(), sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=4)))
    pieces = [decoder.feed(part) for part in np.split(ids, cuts)]
    assert "".join(pieces) + decoder.flush() == pre.decode(ids) == tokenizer.decode((ids - 1).tolist())


def test_truncation_padding_and_templates_are_left_out(tokenizer):
    changed = Tokenizer.from_str(tokenizer.to_str())
    changed.enable_truncation(3)
    changed.enable_padding(length=50)
    one, other = (TextPreprocessor(kind).fit([]) for kind in (tokenizer, changed))
    np.testing.assert_array_equal(one.encode(TEXTS[0]), other.encode(TEXTS[0]))
    assert changed.truncation is not None  # the user's own stays as it was


def test_a_round_trip_through_json(tokenizer):
    pre = TextPreprocessor(tokenizer).fit([])
    again = TextPreprocessor.from_json(pre.to_json())
    np.testing.assert_array_equal(again.encode(TEXTS[3]), pre.encode(TEXTS[3]))
    assert again.to_json() == pre.to_json()
    with pytest.raises(SavedModelError, match="library cannot be read"):
        TextPreprocessor.from_json({**pre.to_json(), "library": "{}"})


def test_what_is_refused():
    with pytest.raises(DataError, match="it has no tokens: train it"):
        TextPreprocessor(Tokenizer(models.BPE())).fit([])
    with pytest.raises(ConfigError, match="vocab_size: a tokenizer of your own has its own vocabulary"):
        TextPreprocessor(trained("bpe"), 300).fit([])
    with pytest.raises(ConfigError, match="pass a tokenizers.Tokenizer"):
        LanguageModel("gru", tokenizer="pretrained", hyperparameters={"vocab_size": None}).fit(TEXTS)
    with pytest.raises(ConfigError, match="leave vocab_size out"):
        LanguageModel("gru", tokenizer=trained("bpe"), hyperparameters={"vocab_size": 300}).fit(TEXTS)


@pytest.fixture(scope="module")
def model():
    return LanguageModel("char_lstm", tokenizer=trained("bpe"), hyperparameters=SETTINGS, random_state=0, verbose=0)


def test_a_language_model_of_it_is_saved_pickled_and_cloned(model, tmp_path):
    fitted = clone(model).fit(TEXTS)
    assert fitted.spec_.vocab_size == 291
    text = fitted.generate("the quick", max_tokens=5, random_state=0)
    assert isinstance(text, str)
    fitted.save(tmp_path / "model")
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_allclose(other.score_samples(TEXTS[:3]), fitted.score_samples(TEXTS[:3]), rtol=1e-5)
        assert other.generate("the quick", max_tokens=5, random_state=0) == text
        assert isinstance(other.tokenizer, Tokenizer)
        assert other.tokenizer.get_vocab() == model.tokenizer.get_vocab()


def test_another_tokenizer_is_another_fit(model, tmp_path):
    clone(model).fit(TEXTS, checkpoint_dir=tmp_path)
    clone(model).fit(TEXTS, checkpoint_dir=tmp_path)
    with pytest.raises(ConfigError, match="checkpoint of another fit"):
        clone(model).set_params(tokenizer=trained("unigram")).fit(TEXTS, checkpoint_dir=tmp_path)


def test_its_baselines_and_search_space_have_the_same_tokens(model):
    baseline = model.baselines()["unigram"].fit(TEXTS)
    assert isinstance(baseline, BaselineLanguageModel)
    assert baseline.preprocessor_.vocab_size_ == 291
    assert baseline.evaluate(TEXTS)["perplexity_token"] < 291
    assert set(model.restrict({"vocab_size": 1, "tokenizer": 2, "dropout": 3})) == {"dropout"}


def test_a_translator_uses_it_for_both_languages(tmp_path):
    hyper = {"epochs": 1, "steps_per_epoch": 2, "units": 8, "embedding_dim": 8}
    translator = Translator(
        "conditional_gru_mini", tokenizer=trained("bpe"), hyperparameters=hyper, random_state=0, verbose=0
    ).fit(TEXTS, [text.upper() for text in TEXTS])
    assert translator.spec_.source_vocab_size == translator.spec_.target_vocab_size == 291
    translator.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(TEXTS[:2], beam_size=1) == translator.predict(TEXTS[:2], beam_size=1)
    pre = PairPreprocessor(trained("bpe"), None, joint=False).fit(["a dog"], ["the fox"])
    assert pre.decode(pre.encode_target(["the fox"])[0]) == "the fox"


def test_the_command_line_takes_a_tokenizer_json(tmp_path):
    trained("bpe").save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    sets = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    arguments = ["fit", "char_lstm", tmp_path / "texts.txt", "--tokenizer", tmp_path / "tokenizer.json"]
    result = run(*arguments, *sets, "--out", tmp_path / "model")
    assert result.exit_code == 0, result.stderr
    assert load(tmp_path / "model").preprocessor_.vocab_size_ == 291
    (tmp_path / "tokenizer.json").write_text("{}")
    assert_refused(run(*arguments, "--out", tmp_path / "other"), 2, "is not a file of the tokenizers library")
