"""Language modelling on the command line: texts from files."""

from functools import partial
from pathlib import Path
from typing import Any

from lstmzoo.cli._tasks._base import TOKENIZER, VALIDATION, VALIDATION_SIZE, Measure, Source, Task, option, text_params
from lstmzoo.cli._tasks.text import SUFFIXES, read_texts

_option = partial(option, panel="Language modelling")
_LINES = _option(bool, "Each line of a file is a text of its own; else the whole file is one.", names=("--lines",))
_OPTIONS = {
    "tokenizer": TOKENIZER,
    "lines": _LINES,
    "validation": VALIDATION,
    "validation_size": VALIDATION_SIZE,
}
_EVALUATION = {
    "lines": _LINES,
    "adapt": _option(str | None, "Go on learning from what has been read: cache or dynamic."),
}


def _read(path: Path, options: dict[str, Any]) -> Source:
    """Texts from files, and the estimator's parameters.

    Raises:
        ConfigError: If an option cannot be read.
        DataError: If a file cannot be.
    """
    lines = options.get("lines", False)
    params = text_params(options, "text")
    fit_params = {"validation": read_texts(options["validation"], lines=lines)} if "validation" in options else {}
    return Source((read_texts(path, lines=lines),), params, fit_params)


def _about(estimator: Any) -> dict[str, Any]:
    return {"tokenizer": estimator.config_.data.tokenizer, "vocab_size": estimator.preprocessor_.vocab_size_}


TASK = Task(
    name="language_modelling",
    estimator="LanguageModel",
    holds="text",
    suffixes=SUFFIXES,
    options=_OPTIONS,
    evaluation=_EVALUATION,
    updating={"lines": _LINES},
    read=_read,
    about=_about,
    score="mean log-likelihood of a character, in nats, in the last tenth of the text",
    measure=Measure("nats_per_char", "nats per character"),
    reference="kneser_ney",
    use=("generate", "continues texts"),
    further=lambda path, options, estimator: (read_texts(path, lines=options.get("lines", False)),),
    unit=lambda _: " nats per token",
    stdin=True,
)
