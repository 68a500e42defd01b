"""The command line with pairs of sentences: translators trained, compared, scored and asked for lines."""

import copy
import gzip
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from _cli import IGNORED_WARNINGS, assert_refused, run, run_json

import lstmzoo
from lstmzoo.cli._base import TASKS, find_model, find_models, task_of
from lstmzoo.cli._options import Options
from lstmzoo.cli.demo.translation import _draw as draw_winner
from lstmzoo.cli.tasks.translation.translate import _chunks
from lstmzoo.datasets import load_dates, read_pairs

pytestmark = [IGNORED_WARNINGS, pytest.mark.usefixtures("without_xla")]
SETTINGS = {"epochs": 2, "units": 16, "embedding_dim": 16, "batch_size": 16, "vocab_size": None}
TINY = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value or 'null'}")]
DIGITS = ["zero", "one", "two", "three", "four"]
ZIFFERN = ["null", "eins", "zwei", "drei", "vier"]
ROWS = [np.random.default_rng(i).integers(0, 5, 1 + i % 4) for i in range(80)]
SOURCE = [" ".join(DIGITS[i] for i in row) for row in ROWS]
TARGET = [" ".join(ZIFFERN[i] for i in row) for row in ROWS]
LINES = [*SOURCE[:5], "", "  ", *SOURCE[5:9]]


def write(name, *columns):
    Path(name).write_text("".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)), encoding="utf-8")


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write("pairs.tsv", SOURCE, TARGET)
    write("pairs.en", SOURCE)
    write("pairs.de", TARGET)
    write("lines.txt", LINES)
    Path("book.txt").write_text("the cat sat on the mat.\n", encoding="utf-8")
    Path("sales.csv").write_text("ds,y\n" + "".join(f"{i},{i % 5}\n" for i in range(40)))
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a saved translator, and what its training printed."""
    folder = tmp_path_factory.mktemp("pairs")
    write(folder / "pairs.tsv", SOURCE, TARGET)
    args = [
        "fit",
        "conditional_gru_mini",
        folder / "pairs.tsv",
        *TINY,
        "--tokenizer",
        "word",
        "--validation-size",
        "0.2",
    ]
    result = run(*args, "--random-state", "0", "--out", folder / "model")
    assert result.exit_code == 0, result.stderr
    return folder / "model", result


@pytest.fixture(scope="module")
def folder(model):
    return model[0]


@pytest.fixture(scope="module")
def fitted(folder):
    return lstmzoo.load(folder)


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    """The folder of a translator without a network."""
    folder = tmp_path_factory.mktemp("lexicon") / "model"
    lstmzoo.BaselineTranslator("lexicon").fit(SOURCE, TARGET).save(folder)
    return folder


@pytest.mark.parametrize("name", ["a.tsv", "a.TSV", "a.tsv.gz"])
def test_the_file_decides_what_an_entry_is_of(name):
    path = Path(name)
    assert task_of(path) is TASKS["translation"]
    assert find_model("seq2seq_gru", path) == find_model("translation/seq2seq_gru", path) == "translation/seq2seq_gru"
    assert find_models(None, path) == lstmzoo.list_models("translation/*")
    assert find_models("seq2seq_lstm, *_mini", path) == lstmzoo.list_models(
        ["translation/seq2seq_lstm", "translation/*_mini"]
    )


def test_a_second_file_makes_sentences_of_lines():
    """But not of series."""
    options = Options({"target": Path("b.de")}, {})
    for name in ("a.en", "a.txt", "a.tsv", "-"):
        assert task_of(Path(name), options) is TASKS["translation"]
        assert find_model("seq2seq_gru", Path(name), options) == "translation/seq2seq_gru"
        assert find_models("seq2seq_gru", Path(name), options) == ["translation/seq2seq_gru"]
    assert task_of(Path("a.csv"), options) is TASKS["forecasting"]
    assert task_of(Path("a.txt"), Options({}, {})) is TASKS["language_modelling"]


def test_fit_saves_what_the_options_say(model):
    folder, result = model
    for word in ("translation/conditional_gru_mini: ", "nats per token after", f"next: lstmzoo translate {folder}"):
        assert word in result.stdout
    fitted = lstmzoo.load(folder)
    given = {
        "model": "translation/conditional_gru_mini",
        "tokenizer": "word",
        "hyperparameters": SETTINGS,
        "validation_size": 0.2,
        "random_state": 0,
    }
    assert fitted.get_params(deep=False) == {**lstmzoo.Translator().get_params(deep=False), **given}
    assert fitted.data_digest_ == lstmzoo.BaselineTranslator().data_digest(SOURCE, TARGET)


def test_fit_reads_two_files_and_others_to_validate_on():
    write("valid.en", SOURCE[:6])
    write("valid.de", TARGET[:6])
    write("valid.tsv", SOURCE[:6], TARGET[:6])
    args = ["fit", "seq2seq_gru", "pairs.en", "--target", "pairs.de", *TINY, "--tokenizer", "char", "--set", "num_layers=1",
            "--set", "validate_by=bleu", "--random-state", "1", "--time-limit", "0.1", "--out", "m"]  # fmt: skip
    report = run_json(*args, "--validation", "valid.en", "--validation-target", "valid.de")
    assert (report["model"], report["tokenizer"]) == ("translation/seq2seq_gru", "char")
    assert report["source_vocab_size"] == report["target_vocab_size"] > 10
    assert report["left_out"] == {"empty": 0, "long": 0}
    assert report["data_digest"] == lstmzoo.BaselineTranslator().data_digest(SOURCE, TARGET)
    assert 0 <= report["val_loss"] <= 100
    result = run(*args, "--validation", "valid.tsv")
    assert f"validation loss {report['val_loss']:.4g}, which is 100 less BLEU, after" in result.stdout


def test_evaluate(folder, fitted, lexicon):
    scores = run_json("evaluate", folder, "pairs.tsv")
    assert scores == fitted.evaluate(SOURCE, TARGET)
    Path("other.de.gz").write_bytes(gzip.compress(Path("pairs.de").read_bytes()))
    scores = run_json("evaluate", lexicon, "pairs.en", "--target", "other.de.gz")
    assert scores == lstmzoo.load(lexicon).evaluate(SOURCE, TARGET)
    assert scores["bleu"] > 99
    printed = run("evaluate", lexicon, "pairs.tsv").stdout
    for word in ("BLEU", "chrF", "TER", f"{scores['chrf']:.4g}", scores["signature"]):
        assert word in printed


def test_translate_writes_what_the_model_says(folder, fitted):
    result = run("translate", folder, "lines.txt")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "".join(f"{text}\n" for text in fitted.predict(LINES))


@pytest.mark.parametrize("together", [1000, 4])
def test_translate_writes_a_line_for_each_line(lexicon, together, monkeypatch):
    """From a file, a compressed one, standard input; to standard output, or a file; in parts of any size."""
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate._TOGETHER", together)
    expected = "".join(f"{text}\n" for text in lstmzoo.load(lexicon).predict(LINES))
    assert expected.split("\n")[4:7] == [TARGET[4], "", "  "]
    raw = Path("lines.txt").read_bytes()
    Path("lines.gz").write_bytes(gzip.compress(raw.replace(b"\n", b"\r\n").removesuffix(b"\r\n")))
    for name in ("lines.txt", "lines.gz"):
        assert run("translate", lexicon, name).stdout == expected
    assert run("translate", lexicon, stdin=raw).stdout == run("translate", lexicon, "-", stdin=raw).stdout == expected
    for name, opened in (("out.de", open), ("out.de.gz", gzip.open)):
        result = run("translate", lexicon, "lines.txt", "--out", name)
        assert result.stdout.startswith(f"wrote {name}: {len(LINES)} lines in ")
        with opened(name, "rb") as file:
            assert file.read().decode() == expected
    assert run("translate", lexicon, stdin="").stdout == ""
    assert run("translate", lexicon, "lines.txt", "--out", "lines.txt").exit_code == 0
    assert Path("lines.txt").read_text(encoding="utf-8") == expected


@pytest.fixture
def loaded(fitted, monkeypatch):
    """The translator as it is, with what it has compiled."""
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate.load_any", lambda *_: fitted)
    return fitted


def test_every_option_reaches_the_search(loaded):
    args = ["--beam-size", "3", "--length-penalty", "0.5", "--coverage-penalty", "0.2", "--no-repeat-ngram", "2"]
    options = {"beam_size": 3, "length_penalty": 0.5, "coverage_penalty": 0.2, "no_repeat_ngram": 2}
    texts, scores = loaded.predict(LINES, **options, return_score=True)
    assert run("translate", "any", "lines.txt", *args).stdout == "".join(f"{text}\n" for text in texts)
    expected = "".join(f"{score:.4f}\t{text}\n" for text, score in zip(texts, scores, strict=True))
    assert run("translate", "any", "lines.txt", *args, "--score").stdout == expected


def test_translators_are_ensembled(loaded, lexicon, monkeypatch):
    other = copy.copy(loaded)
    other.model_.set_weights([2 * weight for weight in loaded.model_.get_weights()])
    models = {"one": loaded, "other": other, "lexicon": lstmzoo.load(lexicon)}
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate.load_any", lambda name, _: models[name])
    args = ["translate", "one", "lines.txt", "--score", "--beam-size", "2"]
    texts, scores = loaded.predict(LINES, beam_size=2, ensemble=[other], return_score=True)
    expected = "".join(f"{score:.4f}\t{text}\n" for text, score in zip(texts, scores, strict=True))
    assert run(*args, "--ensemble", "other").stdout == expected != run(*args).stdout
    assert_refused(run(*args, "--ensemble", "other", "--ensemble", "lexicon"), 2, "--ensemble lexicon is a Baseline")
    monkeypatch.setattr(type(other.preprocessor_), "to_json", lambda self: {"id": id(self)})
    assert_refused(
        run(*args, "--ensemble", "other"), 2, "--ensemble other has different vocabularies", "validation pairs"
    )
    assert_refused(run("translate", "lexicon", "lines.txt", "--ensemble", "one"), 2, "leave out --ensemble")


def test_several_translations_of_a_line_are_numbered(loaded, monkeypatch):
    texts, scores = loaded.predict(LINES, n_best=2, return_score=True)
    rows = [(i, *row) for i, both in enumerate(zip(texts, scores, strict=True), 1) for row in zip(*both, strict=True)]
    assert len(rows) > len(LINES)
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate._TOGETHER", len(LINES) - 1)
    plain, scored = (run("translate", "any", "lines.txt", "--n-best", "2", *more).stdout for more in ([], ["--score"]))
    assert plain == "".join(f"{i}\t{text}\n" for i, text, _ in rows)
    assert scored == "".join(f"{i}\t{score:.4f}\t{text}\n" for i, text, score in rows)


def test_a_translation_stays_on_its_line(lexicon, monkeypatch):
    monkeypatch.setattr(lstmzoo.BaselineTranslator, "predict", lambda self, lines: ["a\nb\tc\r" for _ in lines])
    assert run("translate", lexicon, stdin="one\ntwo\n").stdout == "a b c \n" * 2


def test_lines_are_written_before_others_are_read(lexicon, monkeypatch):
    seen = []
    predict = lstmzoo.BaselineTranslator.predict

    def spied(self, lines):
        seen.append(sys.stdout.buffer.getvalue().decode())
        return predict(self, lines)

    monkeypatch.setattr(lstmzoo.BaselineTranslator, "predict", spied)
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate._TOGETHER", 1)
    assert run("translate", lexicon, stdin="one\ntwo two\n").stdout == "eins\nzwei zwei\n"
    assert seen == ["", "eins\n"]


@pytest.mark.parametrize("together", [4, 100])
@pytest.mark.parametrize("args", [[], ["--n-best", "2", "--score"]])
def test_alignments_are_written_beside_translations(fitted, together, args, monkeypatch):
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate.load_any", lambda *_: fitted)
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate._TOGETHER", together)
    plain = run("translate", "any", "lines.txt", *args).stdout
    assert run("translate", "any", "lines.txt", *args, "--alignment", "a.jsonl").stdout == plain
    rows = [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").splitlines()]
    n_best = 2 if args else 1
    expected = fitted.predict(LINES, n_best=n_best, return_alignment=True)[1]
    flat = [(i, one) for i, found in enumerate(expected, 1) for one in (found if args else [found])]
    assert len(rows) == len(flat)
    for row, (number, alignment) in zip(rows, flat, strict=True):
        assert (row["number"], row["source"], row["target"]) == (number, alignment.source, alignment.target)
        np.testing.assert_allclose(row["weights"], alignment.weights, atol=1e-4)


def test_the_alignment_of_one_line_is_drawn(fitted, monkeypatch):
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate.load_any", lambda *_: fitted)
    result = run("translate", "any", "--alignment", "a.png", stdin="one two\n")
    assert result.exit_code == 0, result.stderr
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("terminal", "chunks"), [(True, [["one"], ["two"]]), (False, [["one", "two"]])])
def test_on_a_terminal_each_line_is_answered(terminal, chunks, monkeypatch):
    typed = SimpleNamespace(isatty=lambda: terminal, buffer=io.BytesIO(b"one\ntwo\n"))
    monkeypatch.setattr(sys, "stdin", typed)
    assert list(_chunks(Path("-"))) == chunks


@pytest.mark.parametrize(("args", "fragments"), [
    (["fit", "translation/seq2seq_gru", "book.txt"], ["is not for text", ".tsv", "--target", "language_modelling/*"]),
    (["fit", "char_lstm", "pairs.tsv"], ["language_modelling/char_lstm is not for pairs of sentences", ".txt", "translation/*"]),
    (["fit", "seq2seq_gru", "pairs.pdf"], ["pairs.pdf", ".tsv, .tsv.gz for translation"]),
    (["fit", "gnmt", "absent.tsv"], ["absent.tsv"]),
    (["fit", "gnmt", "absent.en", "--target", "pairs.de"], ["absent.en"]),
    (["fit", "gnmt", "pairs.en", "--target", "absent.de"], ["absent.de"]),
    (["fit", "gnmt", "pairs.en", "--target", "lines.txt"], ["pairs.en has 80 lines and lines.txt has 11"]),
    (["fit", "gnmt", "pairs.tsv", "--target", "pairs.de"], ["leave out --target"]),
    (["fit", "gnmt", "lines.tsv"], ["lines.tsv, line 1, has no tab"]),
    (["fit", "gnmt", "latin.tsv"], ["latin.tsv, line 2: not UTF-8"]),
    (["fit", "gnmt", "pairs.tsv", "--validation", "pairs.en"], ["pairs.en", ".tsv", "--validation-target"]),
    (["fit", "gnmt", "pairs.tsv", "--validation-target", "pairs.de"], ["--validation-target", "give both"]),
    (["fit", "gnmt", "pairs.tsv", "--validation", "pairs.tsv", "--validation-size", "0.2"], ["give one of them"]),
    (["fit", "gnmt", "pairs.tsv", "--validation-size", "many"], ["--validation-size", "a share of the pairs", "'many'"]),
    (["fit", "gnmt", "pairs.tsv", "--tokenizer", "letters"], ["tokenizer", "'letters'"]),
    (["fit", "gnmt", "pairs.tsv", "--lines"], ["--lines is for language_modelling, and this is translation", "--target"]),
    (["fit", "lstm", "sales.csv", "--horizon", "4", "--target", "y"], ["--target is for translation", "--target-col"]),
    (["fit", "lstm", "sales.csv", "--horizon", "4", "--tokenizer", "bpe"],
     ["--tokenizer is for language_modelling and translation"]),
    (["fit", "lstm", "book.txt", "--target", "book.txt"], ["forecasting/lstm is not for pairs of sentences"]),
    (["tune", "pairs.tsv", "--models", "translation/gnmt, forecasting/*"], ["is of the task forecasting"]),
    (["tune", "pairs.tsv", "--validation-target", "pairs.de"], ["--validation-target"]),
    (["benchmark", "pairs.tsv", "--validation-size", "0.2"], ["--validation-size"]),
])  # fmt: skip
def test_wrong_usage_settings_and_pairs_exit_with_2(args, fragments):
    write("lines.tsv", SOURCE)
    Path("latin.tsv").write_bytes("one\teins\nfive\tf\u00fcnf\n".encode("latin-1"))
    before = sorted(Path().iterdir())
    assert_refused(run(*args), 2, *fragments)
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(("args", "fragments"), [
    (["translate", "any", "absent.txt"], ["absent.txt: no such file"]),
    (["translate", "any", "lines.txt", "--alignment", "a.png"], ["--alignment a.png draws one line, and there are 11"]),
    (["translate", "any", "lines.txt", "--alignment", "a.xyz"], ["a.xyz: expected a name that ends in"]),
    (["translate", "any", "latin.txt"], ["latin.txt, line 2: not UTF-8"]),
    (["translate", "any", "false.gz"], ["false.gz cannot be read as gzip"]),
    (["translate", "any", "long.txt", "--out", "x"], ["long.txt, line 12, has 5,000 tokens", "split it"]),
    (["translate", "any", "lines.txt", "--beam-size", "0"], ["--beam-size"]),
    (["translate", "any", "lines.txt", "--n-best", "6"], ["--n-best: at most --beam-size, which is 5, got 6"]),
    (["translate", "any", "lines.txt", "--length-penalty", "-1"], ["--length-penalty", "from 0 to 10"]),
])  # fmt: skip
def test_wrong_lines_and_searches_exit_with_2(loaded, args, fragments, monkeypatch):
    monkeypatch.setattr("lstmzoo.cli.tasks.translation.translate._TOGETHER", len(LINES))
    write("long.txt", [*LINES, "one " * 5000])
    Path("latin.txt").write_bytes("one\nf\u00fcnf\n".encode("latin-1"))
    Path("false.gz").write_text("no gzip")
    before = sorted(Path().iterdir())
    assert_refused(run(*args), 2, *fragments)
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(("args", "fragments"), [
    (["evaluate", "{}", "book.txt"], ["is a Translator", "book.txt holds text", ".tsv", "--target"]),
    (["evaluate", "{}", "pairs.tsv", "--adapt", "cache"], ["--adapt is for language_modelling"]),
    (["generate", "{}", "one"], ["is a Translator", "lstmzoo translate "]),
    (["predict", "{}"], ["is a Translator", "lstmzoo translate "]),
    (["export", "{}", "--format", "onnx", "--out", "a.onnx"], ["cannot be exported yet", "lstmzoo translate "]),
])  # fmt: skip
def test_wrong_use_of_a_translator_exits_with_2(folder, args, fragments):
    before = sorted(Path().iterdir())
    assert_refused(run(*[arg.format(folder) for arg in args], stdin=""), 2, *fragments)
    assert sorted(Path().iterdir()) == before


def test_a_translator_without_a_network_has_no_beam(lexicon, folder):
    assert run("translate", lexicon, stdin="one two\n\n").stdout == "eins zwei\n\n"
    asked = ["--beam-size", "2", "--score"]
    assert_refused(run("translate", lexicon, *asked, stdin="one\n"), 2, "BaselineTranslator", "--beam-size, --score")
    assert_refused(run("translate", "absent", stdin="one\n"), 3, "absent")
    lstmzoo.BaselineForecaster("drift", horizon=2).fit(np.arange(30.0)).save("drift")
    assert_refused(
        run("translate", "drift", stdin="one\n"), 2, "drift is a BaselineForecaster", "lstmzoo predict drift"
    )
    assert_refused(run("evaluate", "drift", "pairs.tsv"), 2, "pairs.tsv holds pairs of sentences", ".csv")


def test_tune():
    """One trial of one entry, beside the baselines."""
    args = ["tune", "pairs.tsv", "--models", "seq2seq_gru", *TINY, "--set", "num_layers=1", "--tokenizer", "word",
            "--max-trials", "1", "--random-state", "0", "--out", "best"]  # fmt: skip
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    for word in ("copy", "lexicon", "seq2seq_gru", "score: BLEU of a tenth of the pairs", "higher is better",
                 "saved to best; next: lstmzoo translate best"):  # fmt: skip
        assert word in result.stdout
    assert lstmzoo.load("best").data_digest_ == lstmzoo.BaselineTranslator().data_digest(SOURCE, TARGET)
    assert run("translate", "best", stdin="one\n").stdout.count("\n") == 1


def test_benchmark(monkeypatch):
    """More is better: the words, which can be translated one by one, are what no network has learned so soon."""
    settings = {**SETTINGS, "num_layers": 1}
    fit = lstmzoo.Translator.fit
    monkeypatch.setattr(
        lstmzoo.Translator, "fit", lambda self, *pairs: fit(self.set_params(hyperparameters=settings), *pairs)
    )
    args = ["benchmark", "pairs.tsv", "--models", "seq2seq_gru", "--tokenizer", "word", "--time-limit-per-model", "5"]
    rows = run_json(*args)
    assert {row["model"] for row in rows} == {"copy", "lexicon", "translation/seq2seq_gru"}
    assert [row["bleu"] for row in rows] == sorted((row["bleu"] for row in rows), reverse=True)
    assert not any(row["error"] for row in rows)
    by_name = {row["model"]: row for row in rows}
    assert by_name["lexicon"]["ratio_to_lexicon"] == 1
    for row in rows:
        assert row["beats_lexicon"] == (row["bleu"] > by_name["lexicon"]["bleu"])
    printed = run(*args).stdout
    assert "against lexicon" in printed
    assert "more BLEU" in printed or "less BLEU" in printed


def test_demo(monkeypatch):
    """All of it, with little of everything; what it says to type next is what it made."""
    demo = "lstmzoo.cli.demo.translation"
    monkeypatch.setattr(f"{demo}._PAIRS", 200)
    monkeypatch.setattr(f"{demo}._MODELS", ("conditional_gru_mini",))
    monkeypatch.setattr(f"{demo}._SETTINGS", {**SETTINGS, "vocab_size": 300, "epochs": 1})
    monkeypatch.setattr(lstmzoo.BaselineTranslator, "score", lambda self, *pairs: -1.0)  # so that the network wins
    result = run("demo", "translation", "--out", "shown", "--time-limit", "14")
    assert result.exit_code == 0, result.stderr
    for word in ("conditional_gru_mini", "lexicon", "BLEU", "exactly right", '"predictions"', "mlflow ui",
                 "picture: shown/alignment.png"):  # fmt: skip
        assert word in result.stdout
    assert re.search("the winner (beats|does not beat) lexicon|the winner is the baseline", result.stdout)
    assert Path("shown/alignment.png").read_bytes().startswith(b"\x89PNG")
    store = ["--tracking-uri", "sqlite:///shown/mlflow.db"]
    registered = run("translate", "models:/date-translator@champion", "shown/test.txt", *store)
    assert registered.stdout == run("translate", "shown/model", "shown/test.txt").stdout
    assert registered.stdout.count("\n") == 10
    assert f"lstmzoo serve models:/date-translator@champion {' '.join(store)}" in result.stdout
    assert "lstmzoo evaluate shown/model shown/test.tsv" in result.stdout
    assert read_pairs("shown/test.tsv") == load_dates(num_pairs=200).test


@pytest.mark.parametrize(
    "winner", [lstmzoo.BaselineTranslator(), SimpleNamespace(config_=lstmzoo.load_config("translation/seq2seq_gru"))]
)
def test_the_demo_draws_no_alignment_without_attention(winner, capsys):
    draw_winner(SimpleNamespace(best_estimator_=winner, best_params_={"model": "one"}), Path("alignment.png"))
    assert "no picture of an alignment: one has no attention" in capsys.readouterr().out
    assert not Path("alignment.png").exists()
