"""Translation on the command line: pairs of sentences from files."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmzoo.cli._base import Evaluation, Measure, Source, Task, register_task
from lstmzoo.cli._parsing import TOKENIZER, VALIDATION, VALIDATION_SIZE, option, text_params
from lstmzoo.cli.tasks.translation import translate
from lstmzoo.errors import ConfigError

if TYPE_CHECKING:
    from lstmzoo.datasets import Pairs

_option = partial(option, panel="Translation")
_TARGET = _option(Path | None, "File of translations, one line for each line of the file of sources.")
_OPTIONS = {
    "target": _TARGET,
    "tokenizer": TOKENIZER,
    "validation": VALIDATION,
    "validation_target": _option(Path | None, "File of the translations of the lines of --validation."),
    "validation_size": VALIDATION_SIZE,
}
_SUFFIXES = (".tsv", ".tsv.gz")
_TITLES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}


def _read_sides(path: Path, target: Path | None, option: str = "--target") -> "Pairs":
    """Read sentences and their translations.

    Args:
        path: File of pairs with a tab between, if its suffix says so; otherwise a file of sentences, one per line.
        target: File of translations, one per line.
        option: Option that the second file was given by.

    Raises:
        ConfigError: If there is one file too few or too many.
        DataError: If a file cannot be read, or the two files differ in their number of lines.
    """
    from lstmzoo.datasets import read_pairs

    whole = path.name.lower().endswith(_SUFFIXES)
    if whole and target is not None:
        raise ConfigError(f"{path} has the translations in its second column: leave out {option}")
    if not whole and target is None:
        raise ConfigError(f"{path}: pass a file that ends in {' or '.join(_SUFFIXES)}, or its translations as {option}")
    return read_pairs(path, target)


def _read(path: Path, options: dict[str, Any]) -> Source:
    """Read pairs from files, and the estimator's parameters from options.

    Raises:
        ConfigError: If an option cannot be parsed, or lacks another one.
        DataError: If a file cannot be read.
    """
    params, fit_params = text_params(options, "pairs"), {}
    second = options.get("validation_target")
    if "validation" in options:
        fit_params["validation"] = tuple(_read_sides(options["validation"], second, "--validation-target"))
    elif second is not None:
        raise ConfigError("--validation-target has the translations of the lines of --validation: give both")
    return Source(tuple(_read_sides(path, options.get("target"))), params, fit_params)


def _about(estimator: Any) -> dict[str, Any]:
    spec = estimator.spec_
    return {
        "tokenizer": estimator.config_.data.tokenizer,
        "source_vocab_size": spec.source_vocab_size,
        "target_vocab_size": spec.target_vocab_size,
        "left_out": estimator.left_out_,
    }


def _unit(estimator: Any) -> str:
    by_bleu = estimator.config_.data.validate_by == "bleu" and "val_loss" in estimator.history_[0]
    return ", which is 100 less BLEU," if by_bleu else " nats per token"


def _evaluate(estimator: Any, path: Path, options: dict[str, Any]) -> Evaluation:
    scores = estimator.evaluate(*_read_sides(path, options.get("target")))
    rows = [(_TITLES.get(name, name), value) for name, value in scores.items() if name != "signature"]
    note = f"lower is better for TER; signature of BLEU: {scores['signature']}"
    return Evaluation(scores, ("score", "value"), rows, (note,))


register_task(
    Task(
        name="translation",
        holds="pairs of sentences",
        suffixes=_SUFFIXES,
        read=_read,
        read_more=lambda path, options, _: tuple(_read_sides(path, options.get("target"))),
        evaluate=_evaluate,
        score="BLEU of a tenth of the pairs",
        measure=Measure("bleu", "BLEU", higher=True),
        reference="lexicon",
        use=("translate", "translates lines of text"),
        options=_OPTIONS,
        evaluation_options={"target": _TARGET},
        update_options={"target": _TARGET},
        commands={"translate": translate.translate},
        about=_about,
        unit=_unit,
        claimed_by="target",
        otherwise=", or two files of lines, the second as --target",
    )
)
