"""A demo of language modelling: Python's language reference."""

import itertools
from typing import Any

from lstmzoo.cli._output import print_stream
from lstmzoo.cli.demo._base import Stage, fitted, print_next, print_test, say, search, serve

REGISTERED = "python-reference"
_PROMPT = "The return statement"
_MODELS = ("min_gru", "gru")
_SETTINGS = {  # few pieces, one layer and short windows, to learn something from little text in little time
    "vocab_size": 2000, "num_layers": 1, "bptt": 32, "dropout": 0.1, "learning_rate": 8e-3, "steps_per_epoch": 100,
}  # fmt: skip
_TOKENS = 60


def show(stage: Stage) -> None:
    """Read Python's language reference, but for a tenth, which neither the search nor the training saw, and continue it."""
    from lstmzoo import LanguageModel
    from lstmzoo.datasets import load_python_reference
    from lstmzoo.preprocessing import Corpus

    train, test = Corpus(load_python_reference()).split(0.1)
    sizes = train.sizes()
    say(
        f"data: Python's language reference, {sizes.texts} texts, {sizes.words:,} words; {len(test)} more are set aside"
    )
    say(f"search: {', '.join(_MODELS)}, of {_SETTINGS['vocab_size']:,} pieces of words; {stage.time_limit:g} s")
    estimator = LanguageModel(tokenizer="bpe", hyperparameters=dict(_SETTINGS))
    found = search(stage, estimator, _MODELS, (train,))
    _print_perplexities(stage, found, train, test)
    say("a text that it continues, token by token:")
    sampling = {"max_tokens": _TOKENS, "temperature": 0.7, "random_state": stage.random_state}
    print_stream(itertools.chain([_PROMPT], found.best_estimator_.stream(_PROMPT, **sampling)))
    request = {"dataframe_split": {"columns": ["text"], "data": [[_PROMPT]]}, "params": {"max_tokens": 20}}
    serve(stage, found, request, f"the text {_PROMPT!r} and max_tokens 20")
    unseen = stage.out / "test.txt"
    unseen.write_text("\n\n".join(test), encoding="utf-8")
    commands = [
        ["generate", str(stage.folder), "The class", "--temperature", "0.7"],
        ["evaluate", str(stage.folder), str(unseen)],
    ]
    print_next(stage, found.model_uri_, [["lstmzoo", *command] for command in commands])


def _print_perplexities(stage: Stage, found: Any, train: Any, test: Any) -> None:
    say("test: the texts that were set aside")
    scores = {name: model.evaluate(test) for name, model in fitted(found, (train,)).items()}
    losses = {
        name: (score["perplexity_word"], score["perplexity_char"], -score["log_likelihood"])
        for name, score in scores.items()
    }
    print_test(stage, found, losses, ("perplexity per word", "per character"))
