"""Language modelling on the command line: texts from files."""

from functools import partial
from pathlib import Path
from typing import Any

from lstmzoo.cli._base import Evaluation, Measure, Source, Task, register_task
from lstmzoo.cli._parsing import TOKENIZER, VALIDATION, VALIDATION_SIZE, option, text_params
from lstmzoo.cli._text import SUFFIXES, read_texts
from lstmzoo.cli.tasks.language_modelling import generate

_option = partial(option, panel="Language modelling")
_LINES = _option(bool, "Read each line of a file as a text; default: the whole file is one text.", names=("--lines",))
_OPTIONS = {
    "tokenizer": TOKENIZER,
    "lines": _LINES,
    "validation": VALIDATION,
    "validation_size": VALIDATION_SIZE,
}
_EVALUATION = {
    "lines": _LINES,
    "adapt": _option(str | None, "Adapt to the text while reading it: cache or dynamic."),
}


def _read(path: Path, options: dict[str, Any]) -> Source:
    """Read texts from files, and the estimator's parameters from options.

    Raises:
        ConfigError: If an option cannot be parsed.
        DataError: If a file cannot be read.
    """
    lines = options.get("lines", False)
    params = text_params(options, "text")
    fit_params = {"validation": read_texts(options["validation"], lines=lines)} if "validation" in options else {}
    return Source((read_texts(path, lines=lines),), params, fit_params)


def _about(estimator: Any) -> dict[str, Any]:
    return {"tokenizer": estimator.config_.data.tokenizer, "vocab_size": estimator.preprocessor_.vocab_size_}


def _evaluate(estimator: Any, path: Path, options: dict[str, Any]) -> Evaluation:
    scores = estimator.evaluate(read_texts(path, lines=options.get("lines", False)), options.get("adapt"))
    rows = [(name.replace("perplexity_", "perplexity per "), value) for name, value in scores.items()]
    note = "log_likelihood: mean of a character, in nats; the end of each text counts as one more of each"
    return Evaluation(scores, ("score", "value"), rows, (note,))


register_task(
    Task(
        name="language_modelling",
        holds="text",
        suffixes=SUFFIXES,
        read=_read,
        read_more=lambda path, options, _: (read_texts(path, lines=options.get("lines", False)),),
        evaluate=_evaluate,
        score="mean log-likelihood of a character, in nats, in the last tenth of the text",
        measure=Measure("nats_per_char", "nats per character"),
        reference="kneser_ney",
        use=("generate", "continues texts"),
        options=_OPTIONS,
        evaluation_options=_EVALUATION,
        update_options={"lines": _LINES},
        commands={"generate": generate.generate},
        about=_about,
        unit=lambda _: " nats per token",
        plain_text=True,
    )
)
