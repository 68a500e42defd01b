"""Language modelling on the command line: texts from files."""

from functools import partial
from pathlib import Path
from typing import Any

from lstmzoo.cli._tasks._base import VALIDATION_SIZE, Source, Task, option, parse_number
from lstmzoo.cli._tasks.text import SUFFIXES, read_texts
from lstmzoo.errors import ConfigError

_option = partial(option, panel="Language modelling")
_LINES = _option(bool, "Each line of a file is a text of its own; else the whole file is one.", names=("--lines",))
_OPTIONS = {
    "tokenizer": _option(str | None, "word, bpe, unigram, char or byte; else the entry's own."),
    "lines": _LINES,
    "validation": _option(Path | None, "Text file that chooses the best epoch, instead of the end of the text."),
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
    params = {"tokenizer": options["tokenizer"]} if "tokenizer" in options else {}
    if "validation_size" in options:
        if "validation" in options:
            raise ConfigError("--validation and --validation-size both say what to validate on: give one of them")
        size = parse_number(options["validation_size"], float, "--validation-size", "a share of the text, such as 0.1")
        params["validation_size"] = size
    fit_params = {"validation": read_texts(options["validation"], lines=lines)} if "validation" in options else {}
    return Source(read_texts(path, lines=lines), params, fit_params)


def _about(estimator: Any) -> dict[str, Any]:
    return {"tokenizer": estimator.config_.data.tokenizer, "vocab_size": estimator.preprocessor_.vocab_size_}


TASK = Task(
    name="language_modelling",
    estimator="LanguageModel",
    holds="text",
    suffixes=SUFFIXES,
    options=_OPTIONS,
    evaluation=_EVALUATION,
    read=_read,
    about=_about,
    score="mean log-likelihood of a character, in nats, in the last tenth of the text",
    loss=("nats_per_char", "nats per character"),
    reference="kneser_ney",
    use=("generate", "continues texts"),
    unit=" nats per token",
    stdin=True,
)
