"""Annotations of options that several tasks have, and the parsing of their values."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lstmzoo.errors import ConfigError

VALIDATION_SIZE = Annotated[
    str | None,
    typer.Option(
        help="Size of the validation set: steps at the end of each series, default: the horizon; or a share of the text or "
        "the pairs, default: 0.1."
    ),
]
TOKENIZER = Annotated[
    str | None,
    typer.Option(
        help="Tokenizer of text: word, bpe, unigram, char, byte, or a tokenizer.json of the tokenizers library; default: the "
        "entry's own."
    ),
]
VALIDATION = Annotated[
    Path | None, typer.Option(help="File of text or pairs to validate on, instead of a part of the data.")
]


def option(kind: Any, help: str, *, panel: str, **more: Any) -> Any:
    """Return the annotation of an option, which ``--help`` lists in a panel."""
    names = more.pop("names", ())
    return Annotated[kind, typer.Option(*names, help=help, rich_help_panel=panel, **more)]


def text_params(options: dict[str, Any], of: str) -> dict[str, Any]:
    """Return the parameters of an estimator that splits text into tokens.

    Args:
        options: Options that were given.
        of: Name of the whole that ``--validation-size`` is a share of.

    Raises:
        ConfigError: If an option cannot be parsed, or two options contradict each other.
    """
    params = {"tokenizer": _tokenizer(options["tokenizer"])} if "tokenizer" in options else {}
    if "validation_size" in options:
        if "validation" in options:
            raise ConfigError("--validation and --validation-size both say what to validate on: give one of them")
        size = parse_number(options["validation_size"], float, "--validation-size", f"a share of the {of}, such as 0.1")
        params["validation_size"] = size
    return params


def parse_number(text: str, kind: type, option: str, expected: str) -> Any:
    """Parse one number.

    Raises:
        ConfigError: If the text is not a number of that kind.

    Examples:
        >>> parse_number("24", int, "--validation-size", "steps")
        24
    """
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{option}: expected {expected}, got {text!r}") from None


def parse_numbers(text: str | None, kind: type, option: str) -> list[Any] | None:
    """Parse numbers separated by commas; an empty text gives an empty list.

    Raises:
        ConfigError: If one is not a number of that kind.
    """
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(f"{option}: expected numbers separated by commas, got {text!r}") from None


def parse_names(text: str | None, option: str) -> list[str] | None:
    """Parse names separated by commas; an empty text gives an empty list.

    Raises:
        ConfigError: If one is empty.

    Examples:
        >>> parse_names("price, visitors", "--past-covariates"), parse_names("", "--calendar")
        (['price', 'visitors'], [])
    """
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(names):
        raise ConfigError(f"{option}: expected names separated by commas, got {text!r}")
    return names


def _tokenizer(given: str) -> Any:
    """Return the name of a tokenizer, or the tokenizer in a file whose name ends in ``.json``.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If the file holds no tokenizer.
    """
    if not given.lower().endswith(".json"):
        return given
    from tokenizers import Tokenizer

    text = Path(given).read_bytes()
    try:
        return Tokenizer.from_buffer(text)
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(f"--tokenizer {given} is not a file of the tokenizers library: {error}") from None
