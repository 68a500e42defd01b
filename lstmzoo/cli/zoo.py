"""``lstmzoo list`` and ``lstmzoo show``: the entries of the zoo."""

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lstmzoo.cli._options import Json
from lstmzoo.cli._output import print_json, print_table
from lstmzoo.config import Categorical, ModelConfig, config_directories, list_models, load_config
from lstmzoo.errors import ConfigError

Pattern = Annotated[str, typer.Argument(help="Part of a name, or a shell pattern: 'segment_*', 'forecasting/*gru'.")]
Entry = Annotated[str, typer.Argument(help="Zoo entry, such as forecasting/lstm.", show_default=False)]
Tag = Annotated[str | None, typer.Option(help="Only entries with this tag.")]


def list_entries(pattern: Pattern = "*", *, tag: Tag = None, json: Json = False) -> None:
    """List the zoo's entries."""
    pattern = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    configs = list(_readable(list_models(pattern, tag=tag)))
    if json:
        keys = ("name", "summary", "tags", "reference")
        print_json([{key: getattr(config, key) for key in keys} for config in configs])
        return
    rows = [(c.name, c.summary, ", ".join(c.tags), short_reference(c.reference)) for c in configs]
    print_table(("name", "summary", "tags", "reference"), rows)


def _readable(names: list[str]) -> Iterator[ModelConfig]:
    """Yield the configs of entries; a broken entry is named on stderr and left out."""
    for name in names:
        try:
            yield load_config(name)
        except ConfigError as error:
            print(f"lstmzoo: warning: {name} is left out: {error}", file=sys.stderr)


def show(name: Entry, *, json: Json = False) -> None:
    """Show an entry: its settings, its search space, and its file."""
    config = load_config(name)
    file = next(f for d in config_directories() if (f := d / f"{config.name}.yaml").is_file())
    if json:
        print_json({**config.model_dump(), "file": str(file)})
        return
    print(f"{config.name}\n{config.summary}\n{config.reference}")
    print(f"tags: {', '.join(config.tags)}\nbuilder: {config.builder}\nfile: {file}")
    rows = [row for section in ("hyperparameters", "data", "training") for row in _rows(config, section)]
    print_table(("section", "setting", "default", "search"), rows)


def _rows(config: ModelConfig, section: str) -> list[tuple[str, ...]]:
    values = config.model_dump()[section]
    space = config.search_space
    return [(section, key, _text(value), _range(space.get(key))) for key, value in values.items()]


def _range(space: Any) -> str:
    if space is None:
        return ""
    if isinstance(space, Categorical):
        return ", ".join(map(_text, space.values))
    step = f", step {space.step:g}" if space.step else ""
    return f"{space.min:g} to {space.max:g}{step}{', log' if space.sampling == 'log' else ''}"


def _text(value: Any) -> str:
    """Return a value as YAML text."""
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def short_reference(reference: str) -> str:
    """Return the authors and the year of a reference.

    Examples:
        >>> short_reference('Cho et al., "Learning Phrase Representations", EMNLP 2014')
        'Cho et al., 2014'
    """
    authors, quote, rest = reference.partition('"')
    years = re.findall(r"\b(?:19|20)\d\d\b", rest)
    return f"{authors.strip(' ,')}, {years[-1]}" if quote and years else reference
