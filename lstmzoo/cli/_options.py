"""The commands' options, and what they mean."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lstmzoo import outputs
from lstmzoo.config import load_config
from lstmzoo.errors import ConfigError

Data = Annotated[
    Path,
    typer.Argument(
        help="CSV or Parquet file of series, a row per series and time; text: .txt, .txt.gz, .md, or - for stdin; "
        "or pairs of sentences, .tsv, .tsv.gz.",
        show_default=False,
    ),
]
Entry = Annotated[
    str,
    typer.Argument(help="Zoo entry, such as forecasting/lstm, or lstm, where the file decides.", show_default=False),
]
Models = Annotated[
    str | None, typer.Option(help="Entries: names or shell patterns, separated by commas; else all that suit the file.")
]
RandomState = Annotated[int | None, typer.Option(min=0, help="Seed: the same one gives the same result.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as units=64; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout; anything else goes to stderr.")]
Saved = Annotated[str, typer.Argument(metavar="FOLDER", help="Saved model, or its MLflow URI.", show_default=False)]
TrackingUri = Annotated[str | None, typer.Option(help="MLflow store: sqlite:///mlflow.db, or a server's URL.")]


def parse_settings(settings: Iterable[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` pairs, each value read as in a zoo entry's YAML file.

    Raises:
        ConfigError: If one is not a pair.

    Examples:
        >>> parse_settings(["units=8", "learning_rate=1e-3", "residual=none", "clipnorm=null"])
        {'units': 8, 'learning_rate': 0.001, 'residual': 'none', 'clipnorm': None}
    """
    pairs = [pair.partition("=") for pair in settings or ()]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise ConfigError(f"--set {key}{equals}{value}: expected key=value, such as units=64")
    return {key.strip(): _parse_value(value.strip()) for key, _, value in pairs}


def _parse_value(text: str) -> Any:
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text):  # which YAML takes for text
        return float(text)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # such as 2024-13-45
        return text


def check_settings(model: str, settings: dict[str, Any]) -> None:
    """Refuse, before any network is loaded, settings that an entry does not have.

    Raises:
        ConfigError: If one is unknown or of the wrong type.
    """
    load_config(model).override(settings)


def check_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder that a model cannot be saved to.

    Raises:
        ConfigError: If there is something else in its place, or nothing can be written there.
    """
    from lstmzoo.saving import is_bundle

    outputs.check_place(path, "--out")
    if path.exists() and not is_bundle(path):
        raise ConfigError(f"--out {path}: exists and is not a saved model; choose another folder")
