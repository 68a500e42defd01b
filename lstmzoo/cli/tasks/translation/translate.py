"""``lstmzoo translate``: translations of lines of text, by a saved translator."""

import contextlib
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import check_task, flag
from lstmzoo.cli._saved import load_any
from lstmzoo.cli._text import file_lines, file_name, writing
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.outputs import check_file

_TOGETHER = 1024  # lines of a chunk
_JSON_LINES = (".jsonl", ".jsonl.gz")
File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Text, a sentence a line, gzipped if it ends in .gz; - reads stdin.")
]
Out = Annotated[Path | None, typer.Option(help="File to write, gzipped if it ends in .gz; default: standard output.")]
BeamSize = Annotated[
    int | None,
    typer.Option(min=1, help="Size of the beam, default: 5; 1 is a greedy search."),
]
LengthPenalty = Annotated[float | None, typer.Option(help="Preference for longer translations; default: 1.")]
CoveragePenalty = Annotated[
    float | None,
    typer.Option(help="Preference for translations that cover the whole source; needs attention."),
]
NoRepeat = Annotated[
    int | None, typer.Option(min=0, help="Length of token sequences that may not repeat in a translation.")
]
NBest = Annotated[
    int | None,
    typer.Option(min=1, help="Translations of each line, one per row: number of the line, tab, translation."),
]
Ensemble = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL",
        help="Another translator, fitted on the same pairs with the same --validation, whose probabilities are averaged "
        "with the first one's; may be repeated.",
    ),
]
Score = Annotated[
    bool,
    typer.Option(
        "--score", help="Write the score, a log-likelihood with the penalties, and a tab before each translation."
    ),
]

Align = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File for the attention of each translation: .jsonl, with number, source, target and weights per row; or a "
        "picture (.png, .pdf, ...) if there is one line. Needs a model with attention.",
    ),
]


def translate(
    model: o.Saved, file: File = Path("-"), *, out: Out = None, beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None, coverage_penalty: CoveragePenalty = None, no_repeat_ngram: NoRepeat = None,
    n_best: NBest = None, return_score: Score = False, alignment: Align = None, ensemble: Ensemble = None,
    tracking_uri: o.TrackingUri = None,
) -> None:  # fmt: skip
    """Translate text with a saved translator, line by line."""
    if out is not None:
        check_file(out, "--out")
    chunks = _chunks(file)
    first = next(chunks, [])  # before any network is loaded
    if alignment is not None:
        _check_alignment(alignment, first)
    options = {
        "beam_size": beam_size, "length_penalty": length_penalty, "coverage_penalty": coverage_penalty,
        "no_repeat_ngram": no_repeat_ngram, "n_best": n_best, "return_score": return_score or None,
        "return_alignment": alignment is not None or None,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    translator = _load_translator(model, tracking_uri)
    names = [*given, *(["ensemble"] if ensemble else [])]
    if names and not hasattr(translator, "sample"):
        flags = ", ".join(flag(name.removeprefix("return_")) for name in names)
        raise ConfigError(f"{model} is a {type(translator).__name__}, which does not search: leave out {flags}")
    if ensemble and not hasattr(translator, "check_ensemble"):
        raise ConfigError(
            f"{model} is a {type(translator).__name__}, which has members of its own: leave out --ensemble"
        )
    if ensemble:
        given["ensemble"] = _load_others(translator, ensemble, tracking_uri)
    began, done = time.perf_counter(), 0
    shown = out is None and sys.stdout.isatty()
    with (
        Console(stderr=True, quiet=shown).status("translating") as status,
        writing(out) as write,
        _writing_alignments(alignment) as align,
    ):
        for lines in itertools.chain([first], chunks):
            rows = _rows(translator, lines, file_name(file), done + 1, given)
            write("".join(map(_text, rows)))
            align(rows)
            done += len(lines)
            status.update(f"translated {done:,} lines")
    if out is not None:
        print(f"wrote {out}: {done:,} lines in {time.perf_counter() - began:.1f} s")


def _load_translator(model: str, tracking_uri: str | None) -> Any:
    translator = load_any(model, tracking_uri)
    check_task(translator, model, "translation")
    return translator


def _load_others(translator: Any, names: list[str], tracking_uri: str | None) -> list[Any]:
    """Load the other translators of an ensemble.

    Raises:
        ConfigError: If one does not fit the first translator.
    """
    others = [_load_translator(name, tracking_uri) for name in names]
    try:
        translator.check_ensemble(others)
    except ConfigError as error:
        where = re.sub(r"^ensemble: number (\d+)", lambda match: f"--ensemble {names[int(match[1])]}", str(error))
        raise ConfigError(where) from None
    return others


def _chunks(path: Path) -> Iterator[list[str]]:
    """Yield lines in chunks, without their ends; on a terminal, one by one, so that each is answered at once."""
    lines = (line.removesuffix("\n") for line in file_lines(path))
    count = 1 if str(path) == "-" and sys.stdin.isatty() else _TOGETHER
    while chunk := list(itertools.islice(lines, count)):
        yield chunk


class _Row(NamedTuple):
    """A translation.

    Attributes:
        number: Number of its line.
        several: Whether a line has several translations.
        text: The translation.
        score: Score, or None if it was not requested.
        alignment: Alignment, or None if it was not requested.
    """

    number: int
    several: bool
    text: str
    score: float | None
    alignment: Any


def _rows(estimator: Any, lines: list[str], name: str, number: int, options: dict[str, Any]) -> list[_Row]:
    """Return the translations of lines; ``number`` is the number of the first line."""
    if not lines:
        return []
    try:
        answer = estimator.predict(lines, **options)
    except DataError as error:
        where = re.sub(r"^sentence (\d+)", lambda match: f"{name}, line {number + int(match[1])},", str(error))
        raise DataError(where) from None
    several = options.get("n_best", 1) > 1
    asked = [name for name in ("return_score", "return_alignment") if name in options]
    parts = dict(zip(["text", *asked], answer if asked else (answer,), strict=True))
    nested = {name: part if several else [[one] for one in part] for name, part in parts.items()}
    nothing = [[None] * len(texts) for texts in nested["text"]]
    columns = (nested["text"], nested.get("return_score", nothing), nested.get("return_alignment", nothing))
    return [
        _Row(i, several, text, score, alignment)
        for i, line in enumerate(zip(*columns, strict=True), number)
        for text, score, alignment in zip(*line, strict=True)
    ]


def _text(row: _Row) -> str:
    """Return the line to write for a translation."""
    number, score = [str(row.number)] * row.several, [] if row.score is None else [f"{row.score:.4f}"]
    return "\t".join([*number, *score, re.sub(r"[\t\r\n]", " ", row.text)]) + "\n"


def _check_alignment(path: Path, lines: list[str]) -> None:
    """Refuse a file that alignments cannot be written to, before any work is done."""
    if path.name.lower().endswith(_JSON_LINES):
        check_file(path, "--alignment")
        return
    from lstmzoo.estimators import check_picture

    check_picture(path)
    if len(lines) != 1:
        raise ConfigError(
            f"--alignment {path} draws one line, and there are {len(lines)}: pass one, or a name in .jsonl"
        )


@contextlib.contextmanager
def _writing_alignments(path: Path | None) -> Iterator[Callable[[list[_Row]], None]]:
    """Yield a function that writes the alignments of translations to a file."""
    if path is None:
        yield lambda rows: None
    elif path.name.lower().endswith(_JSON_LINES):
        with writing(path) as write:
            yield lambda rows: write("".join(map(_json, rows)))
    else:
        yield lambda rows: _drawn(rows[0]).savefig(path) if rows else None


def _json(row: _Row) -> str:
    found = row.alignment
    weights = [[round(float(weight), 4) for weight in weights] for weights in found.weights]
    document = {"number": row.number, "source": found.source, "target": found.target, "weights": weights}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _drawn(row: _Row) -> Any:
    from lstmzoo.estimators.translation.network.fitted import draw_alignment

    return draw_alignment(row.alignment)
