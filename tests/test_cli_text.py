"""The command line with text: language models trained, compared, scored and asked to go on."""

import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from _cli import IGNORED_WARNINGS, assert_refused, run, run_json

import lstmzoo
from lstmzoo.cli._base import TASKS, find_model, find_models, task_of
from lstmzoo.cli._text import read_texts

pytestmark = IGNORED_WARNINGS
SETTINGS = {
    "epochs": 1,
    "steps_per_epoch": 4,
    "units": 8,
    "embedding_dim": 8,
    "num_layers": 1,
    "bptt": 8,
    "batch_size": 4,
}
TINY = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "dog", "that", "naïve"]
LINES = [" ".join(np.random.default_rng(i).choice(WORDS, 8)) + "." for i in range(40)]
BOOK = "\n".join(LINES) + "\n"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("book.txt").write_text(BOOK, encoding="utf-8")
    Path("sales.csv").write_text("ds,y\n" + "".join(f"{i},{i % 5}\n" for i in range(40)))
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a saved model of characters, and what its training printed."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "book.txt").write_text(BOOK, encoding="utf-8")
    args = [
        "fit",
        "char_lstm",
        folder / "book.txt",
        *TINY,
        "--lines",
        "--validation-size",
        "0.2",
        "--random-state",
        "0",
    ]
    result = run(*args, "--out", folder / "model")
    assert result.exit_code == 0, result.stderr
    return folder / "model", result


@pytest.fixture(scope="module")
def folder(model):
    return model[0]


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """The folder of a model of words, that counts."""
    folder = tmp_path_factory.mktemp("counts") / "model"
    lstmzoo.BaselineLanguageModel("kneser_ney", order=2).fit(LINES).save(folder)
    return folder


def test_every_task_of_the_zoo_has_a_command_line():
    assert {name.split("/")[0] for name in lstmzoo.list_models()} == set(TASKS)


@pytest.mark.parametrize(("name", "task"), [
    ("a.csv", "forecasting"), ("a.csv.gz", "forecasting"), ("a.PQ", "forecasting"), ("a.txt", "language_modelling"),
    ("a.TXT.gz", "language_modelling"), ("a.text", "language_modelling"), ("README.md", "language_modelling"),
    ("-", "language_modelling"),
])  # fmt: skip
def test_the_file_decides_what_an_entry_is_of(name, task):
    path = Path(name)
    assert task_of(path) is TASKS[task]
    assert find_model("gru", path) == find_model(f"{task}/gru", path) == f"{task}/gru"
    assert find_models(None, path) == lstmzoo.list_models(f"{task}/*")
    assert find_models("lstm, *_gru", path) == lstmzoo.list_models([f"{task}/lstm", f"{task}/*_gru"])


def test_texts_are_read_as_they_say(workplace):
    """Compression, byte-order mark, other ends of lines, a last line without one, and blank lines."""
    Path("a.txt").write_bytes("\ufeffna\u00efve\r\n\r\nlast".encode())
    assert list(read_texts(Path("a.txt"))) == ["na\u00efve\n\nlast"]
    assert list(read_texts(Path("a.txt"), lines=True)) == ["na\u00efve", "", "last"]
    with gzip.open("a.txt.gz", "wb") as file:
        file.write(b"one\ntwo\n")
    texts = read_texts(Path("a.txt.gz"), lines=True)
    assert list(texts) == list(texts) == ["one", "two"]


def test_fit_saves_what_the_options_say(model):
    folder, result = model
    for word in ("language_modelling/char_lstm: ", "nats per token after", f"next: lstmzoo generate {folder}"):
        assert word in result.stdout
    fitted = lstmzoo.load(folder)
    given = {
        "model": "language_modelling/char_lstm",
        "hyperparameters": SETTINGS,
        "validation_size": 0.2,
        "random_state": 0,
    }
    assert fitted.get_params(deep=False) == {**lstmzoo.LanguageModel().get_params(deep=False), **given}
    assert fitted.data_digest_ == lstmzoo.BaselineLanguageModel().data_digest(LINES)


def test_fit_reads_standard_input_and_other_texts_to_validate_on(workplace):
    Path("valid.txt").write_text("the cat saw the naïve dog.\nthe end.\n", encoding="utf-8")
    args = ["fit", "lstm", "-", *TINY, "--tokenizer", "byte", "--set", "vocab_size=null", "--validation", "valid.txt"]
    report = run_json(*args, "--out", "m", stdin=BOOK.encode())
    assert report["model"] == "language_modelling/lstm"
    assert (report["tokenizer"], report["vocab_size"]) == ("byte", 257)
    assert report["val_loss"] > 0
    assert report["data_digest"] == lstmzoo.BaselineLanguageModel().data_digest(BOOK)


def test_evaluate(folder, counts):
    texts = LINES[:5]
    Path("some.md").write_text("\n".join(texts), encoding="utf-8")
    fitted, counted = lstmzoo.load(folder), lstmzoo.load(counts)
    scores = run_json("evaluate", counts, "some.md", "--lines")
    expected = {f"perplexity_{per}": counted.perplexity(texts, per) for per in ("word", "token", "char", "byte")}
    assert scores == {**expected, "log_likelihood": counted.score(texts)}
    assert run_json("evaluate", counts, "-", stdin=Path("some.md").read_bytes()) == counted.evaluate("\n".join(texts))
    adapted = run_json("evaluate", folder, "some.md", "--lines", "--adapt", "cache")
    assert adapted == fitted.evaluate(texts, "cache")
    assert adapted["log_likelihood"] != fitted.evaluate(texts)["log_likelihood"] == fitted.score(texts)
    printed = run("evaluate", counts, "some.md", "--lines").stdout
    for word in ("perplexity per word", "perplexity per byte", f"{scores['perplexity_char']:.4g}", "log_likelihood"):
        assert word in printed


@pytest.mark.parametrize("made_by", ["folder", "counts"])
def test_generate_streams_what_the_model_generates(made_by, request):
    folder = request.getfixturevalue(made_by)
    sampling = ["--max-tokens", "40", "--temperature", "1.5", "--top-k", "9", "--top-p", "0.9",
                "--repetition-penalty", "1.1", "--stop", "q", "--stop", "zz", "--random-state", "3"]  # fmt: skip
    options = {"max_tokens": 40, "temperature": 1.5, "top_k": 9, "top_p": 0.9, "repetition_penalty": 1.1,
               "stop": ["q", "zz"], "random_state": 3}  # fmt: skip
    text = lstmzoo.load(folder).generate("the cat ", **options)
    assert text
    result = run("generate", folder, "the cat ", *sampling)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"the cat {text}\n"


def test_generate_from_standard_input_and_as_json(counts):
    args = ["--max-tokens", "9", "--random-state", "3"]
    result = run("generate", counts, "the cat", *args)
    assert run("generate", counts, "-", *args, stdin="the cat\n").stdout == result.stdout
    answer = run_json("generate", counts, "the cat", *args)
    assert result.stdout == f"the cat {answer['texts'][0]}\n"
    assert answer["prompt"] == "the cat"


def test_generate_prints_pieces_as_they_come(folder, monkeypatch):
    """Each is flushed before the next is made."""
    seen = []

    def stream(self, prompt, **options):
        for piece in ("one", " two"):
            yield piece
            seen.append(sys.stdout.buffer.getvalue().decode())

    monkeypatch.setattr(lstmzoo.LanguageModel, "stream", stream)
    assert run("generate", folder, "zero ").stdout == "zero one two\n"
    assert seen == ["zero one", "zero one two"]


def test_generate_several(counts):
    """Without a prompt, and with one, which a space follows where tokens are words."""
    fitted = lstmzoo.load(counts)
    options = {"max_tokens": 5, "random_state": 1}
    args = ["--max-tokens", "5", "--random-state", "1"]
    texts = fitted.generate(None, n=2, **options)
    assert run_json("generate", counts, "--n", "2", *args) == {"prompt": None, "texts": texts}
    one, two = fitted.generate("the cat", n=2, **options)
    printed = run("generate", counts, "the cat", "--n", "2", *args).stdout
    assert printed == f"--- 1 of 2\nthe cat {one}\n--- 2 of 2\nthe cat {two}\n"
    assert run("generate", counts, *args).stdout == fitted.generate(None, **options) + "\n"


@pytest.mark.parametrize(("args", "fragments"), [
    (["fit", "forecasting/lstm", "book.txt"], ["forecasting/lstm is not for text", ".csv", "language_modelling/*"]),
    (["fit", "char_lstm", "sales.csv"], ["language_modelling/char_lstm is not for series", ".txt", "forecasting/*"]),
    (["fit", "lstm", "book.pdf"], ["book.pdf", ".csv", "for forecasting; .txt", "for language_modelling"]),
    (["fit", "lstm", "absent.txt"], ["absent.txt: no such file"]),
    (["fit", "lstm", "empty.txt"], ["empty.txt is empty"]),
    (["fit", "lstm", "empty.txt", "--lines"], ["empty.txt is empty"]),
    (["fit", "lstm", "latin.txt"], ["latin.txt, line 2: not UTF-8", "byte 3 of the line is 0xf6"]),
    (["fit", "lstm", "latin.txt", "--lines"], ["line 2: not UTF-8"]),
    (["fit", "lstm", "false.txt.gz"], ["false.txt.gz cannot be read as gzip"]),
    (["fit", "lstm", "book.txt", "--validation", "absent.txt"], ["absent.txt: no such file"]),
    (["fit", "lstm", "book.txt", "--validation", "sales.csv"], ["sales.csv: expected a name that ends in .txt"]),
    (["fit", "lstm", "book.txt", "--validation", "book.txt", "--validation-size", "0.2"], ["give one of them"]),
    (["fit", "lstm", "book.txt", "--validation-size", "many"], ["--validation-size", "share", "'many'"]),
    (["fit", "lstm", "book.txt", "--validation-size", "12"], ["--validation-size"]),
    (["fit", "lstm", "sales.csv", "--horizon", "4", "--validation-size", "0.2"], ["--validation-size", "steps", "'0.2'"]),
    (["fit", "lstm", "book.txt", "--tokenizer", "letters"], ["tokenizer", "'letters'"]),
    (["fit", "lstm", "book.txt", "--horizon", "4"], ["--horizon is for forecasting", "--tokenizer"]),
    (["fit", "lstm", "book.txt", "--irregular"], ["--irregular is for forecasting"]),
    (["fit", "lstm", "sales.csv"], ["pass --horizon"]),
    (["fit", "lstm", "sales.csv", "--horizon", "4", "--lines"], ["--lines is for language_modelling", "--lookback"]),
    (["fit", "lstm", "book.txt", "--set", "bptt=4000"], ["fewer than a window of 4000"]),
    (["tune", "book.txt", "--models", "forecasting/*"], ["is of the task forecasting", "language_modelling"]),
    (["tune", "book.txt", "--quantiles", "0.1"], ["--quantiles is for forecasting"]),
    (["tune", "book.txt", "--validation", "book.txt"], ["--validation"]),
    (["benchmark", "sales.csv", "--horizon", "4", "--tokenizer", "char"], ["--tokenizer is for language_modelling"]),
    (["benchmark", "book.txt", "--models", "segment_gru"], ["forecasting/segment_gru is not for text"]),
    (["show", "lstm"], ["several entries: forecasting/lstm, language_modelling/lstm"]),
])  # fmt: skip
def test_wrong_usage_settings_and_texts_exit_with_2(args, fragments):
    Path("empty.txt").touch()
    Path("latin.txt").write_bytes("Aachen\nK\u00f6ln\n".encode("latin-1").replace(b"K", b"Kk"))
    Path("false.txt.gz").write_text("no gzip")
    before = sorted(Path().iterdir())
    assert_refused(run(*args), 2, *fragments)
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(("args", "fragments"), [
    (["generate", "{}", ""], ["PROMPT is empty"]),
    (["generate", "{}", "-"], ["PROMPT is empty"]),
    (["generate", "{}", "a", "--max-tokens", "0"], ["--max-tokens"]),
    (["generate", "{}", "a", "--top-p", "2"], ["--top-p", "at most 1"]),
    (["generate", "{}", "a", "--repetition-penalty", "0"], ["--repetition-penalty", "above 0"]),
    (["generate", "{}", "a", "--stop", ""], ["stop", "''"]),
    (["evaluate", "{}", "book.txt", "--adapt", "x"], ["'x'", "cache, dynamic"]),
    (["evaluate", "{}", "sales.csv"], ["is a LanguageModel", "sales.csv holds series", ".txt"]),
    (["evaluate", "{}", "absent.txt"], ["absent.txt: no such file"]),
    (["predict", "{}"], ["is a LanguageModel", "lstmzoo generate "]),
    (["export", "{}", "--format", "onnx", "--out", "a.onnx"], ["cannot be exported yet", "lstmzoo generate "]),
])  # fmt: skip
def test_wrong_use_of_a_language_model_exits_with_2(folder, args, fragments):
    assert_refused(run(*[arg.format(folder) for arg in args], stdin=""), 2, *fragments)


def test_a_forecaster_is_no_language_model():
    lstmzoo.BaselineForecaster("drift", horizon=2).fit(np.arange(30.0)).save("drift")
    assert_refused(run("generate", "drift", "a"), 2, "drift is a BaselineForecaster", "lstmzoo predict drift")
    assert_refused(run("evaluate", "drift", "book.txt"), 2, "book.txt holds text", ".csv")
    assert_refused(run("evaluate", "drift", "sales.csv", "--lines"), 2, "--lines is for language_modelling")
    assert_refused(run("generate", "absent"), 3, "absent")


def test_tune():
    """One trial of one entry, beside the models that count."""
    args = [
        "book.txt",
        "--models",
        "gru",
        "--lines",
        "--tokenizer",
        "char",
        *TINY,
        "--set",
        "vocab_size=null",
        "--max-trials",
        "1",
        "--random-state",
        "0",
        "--out",
        "best",
    ]
    result = run("tune", *args)
    assert result.exit_code == 0, result.stderr
    for word in ("kneser_ney", "gru", "score: mean log-likelihood of a character, in nats", "higher is better",
                 "saved to best; next: lstmzoo generate best"):  # fmt: skip
        assert word in result.stdout
    assert lstmzoo.load("best").data_digest_ == lstmzoo.BaselineLanguageModel().data_digest(LINES)
    assert run("generate", "best", "the", "--max-tokens", "3").stdout.startswith("the")


def test_benchmark(monkeypatch):
    settings = {**SETTINGS, "vocab_size": None}
    fit = lstmzoo.LanguageModel.fit
    monkeypatch.setattr(
        lstmzoo.LanguageModel, "fit", lambda self, texts: fit(self.set_params(hyperparameters=settings), texts)
    )
    args = ["benchmark", "book.txt", "--models", "language_modelling/gru", "--lines", "--tokenizer", "char"]
    rows = {row["model"]: row for row in run_json(*args, "--time-limit-per-model", "5")}
    assert list(rows) == sorted(rows, key=lambda name: rows[name]["nats_per_char"])
    assert set(rows) == {"uniform", "unigram", "kneser_ney", "language_modelling/gru"}
    assert rows["kneser_ney"]["ratio_to_kneser_ney"] == 1
    assert not any(row["error"] for row in rows.values())
    for row in rows.values():
        assert row["beats_kneser_ney"] == (row["nats_per_char"] < rows["kneser_ney"]["nats_per_char"])


def test_demo(monkeypatch):
    """All of it, with little of everything, and nothing left to search; what it says to type next is what it made."""
    from lstmzoo.datasets import load_python_reference

    demo = "lstmzoo.cli.demo.language_modelling"
    texts = load_python_reference()[:12]
    monkeypatch.setattr("lstmzoo.datasets.load_python_reference", lambda: texts)
    monkeypatch.setattr(f"{demo}._MODELS", ("gru",))
    monkeypatch.setattr(f"{demo}._SETTINGS", {**SETTINGS, "vocab_size": 300, "dropout": 0.0, "learning_rate": 0.01})
    monkeypatch.setattr(f"{demo}._TOKENS", 5)
    result = run("demo", "language_modelling", "--out", "shown", "--time-limit", "60")
    assert result.exit_code == 0, result.stderr
    for word in ("gru", "kneser_ney", "nats per character", "The return statement", '"predictions"', "mlflow ui"):
        assert word in result.stdout
    assert re.search("the winner (beats|does not beat) kneser_ney|the winner is the baseline", result.stdout)
    store = ["--tracking-uri", "sqlite:///shown/mlflow.db"]
    args = ["The class", "--max-tokens", "5", "--random-state", "0"]
    registered = run("generate", "models:/python-reference@champion", *args, *store)
    assert registered.stdout == run("generate", "shown/model", *args).stdout
    assert registered.stdout.startswith("The class")
    assert f"lstmzoo serve models:/python-reference@champion {' '.join(store)}" in result.stdout
    assert "lstmzoo evaluate shown/model shown/test.txt" in result.stdout
    assert Path("shown/test.txt").read_text(encoding="utf-8").endswith(texts[-1])
