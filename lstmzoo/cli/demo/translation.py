"""A demo of translation: dates and amounts, from English to Hungarian."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmzoo.cli._output import print_table
from lstmzoo.cli.demo._base import Stage, fitted, print_next, print_test, say, search, serve

if TYPE_CHECKING:
    from lstmzoo.datasets import Pairs

REGISTERED = "date-translator"
_PAIRS = 2800
_SHOWN = 5
_SENTENCE = "Wednesday, March 3, 2027, 2:05 PM"
_MODELS = ("seq2seq_gru", "conditional_gru_mini")
_SETTINGS = {  # few tokens and small networks, to learn something from few pairs in little time
    "vocab_size": 500, "units": 96, "embedding_dim": 64, "label_smoothing": 0.0, "learning_rate": 1e-2,
}  # fmt: skip


def show(stage: Stage) -> None:
    """Translate English dates, times and amounts into Hungarian, with and without attention."""
    from lstmzoo import Translator
    from lstmzoo.datasets import load_dates

    data = load_dates(num_pairs=_PAIRS)
    train, test = data.train, data.test
    say(f"data: dates, times and amounts in English and Hungarian, {len(train.source):,} pairs; "
        f"{len(test.source):,} more are set aside")  # fmt: skip
    say(f"search: {', '.join(_MODELS)}, without and with attention; {stage.time_limit:g} s")
    found = search(stage, Translator(hyperparameters=dict(_SETTINGS)), _MODELS, tuple(train))
    _print_scores(stage, found, train, test)
    _draw(found, stage.out / "alignment.png")
    request = {"dataframe_split": {"columns": ["text"], "data": [[_SENTENCE]]}, "params": {"beam_size": 4}}
    serve(stage, found, request, f"the text {_SENTENCE!r}")
    pairs, lines = stage.out / "test.tsv", stage.out / "test.txt"
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(*test, strict=True)), encoding="utf-8")
    lines.write_text("".join(f"{sentence}\n" for sentence in test.source), encoding="utf-8")
    commands = [
        ["translate", str(stage.folder), str(lines), "--out", str(stage.out / "test.hu")],
        ["evaluate", str(stage.folder), str(pairs)],
    ]
    print_next(stage, found.model_uri_, [["lstmzoo", *command] for command in commands])


def _print_scores(stage: Stage, found: Any, train: "Pairs", test: "Pairs") -> None:
    from lstmzoo.metrics import translation_scores

    say("test: the pairs that were set aside")
    written = {name: model.predict(test.source) for name, model in fitted(found, tuple(train)).items()}
    values = {}
    for name, texts in written.items():
        right = sum(a == b for a, b in zip(texts, test.target, strict=True)) / len(texts)
        scores = translation_scores(test.target, texts)
        values[name] = (f"{right:.1%}", scores["chrf"], scores["bleu"])
    print_test(stage, found, values, ("exactly right", "chrF"))
    rows = list(zip(test.source, written["winner"], test.target, strict=True))
    print_table(("sentence", "the winner's translation", "the right one"), rows[:_SHOWN])


def _draw(found: Any, path: Path) -> None:
    """Draw the alignment of a sentence, if the winner has attention."""
    winner = found.best_estimator_
    if "attention" in (winner.config_.tags if hasattr(winner, "config_") else ()):
        winner.plot_alignment(_SENTENCE, path=path)
        say(f"picture: {path}")
    else:
        say(f"no picture of an alignment: {found.best_params_['model']} has no attention")
