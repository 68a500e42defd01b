"""Reading YAML files; errors are ConfigErrors that name file and line."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.text_files import decoded_lines

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BYTES = 1 << 20
_DEEPEST = 20
_COLLECTIONS = {"tag:yaml.org,2002:map": dict, "tag:yaml.org,2002:seq": list}


class YamlFile(NamedTuple):
    """The content of a YAML file.

    Attributes:
        path: Path of the file.
        document: Keys and values.
        root: Root node, which knows its lines.
    """

    path: Path
    document: dict[str, Any]
    root: yaml.Node

    def line_of(self, location: tuple[object, ...]) -> int:
        """Return the line of a key, given by the keys that lead to it; if it is missing, that of its nearest parent."""
        line, node = 1, self.root
        for part in location:
            if not isinstance(node, yaml.MappingNode):
                break
            pair = next(((k, v) for k, v in node.value if k.value == part), None)
            if pair is not None:
                line, node = _line(pair[0]), pair[1]
        return line


def read_yaml(path: Path) -> YamlFile:
    """Read a file of keys and values.

    It may hold mappings with text keys, lists, text, numbers, booleans, null and dates. Anchors and aliases are refused, because
    they can make a small file a large document.

    Raises:
        ConfigError: If the file cannot be read, is not UTF-8 or not YAML, or holds something else; the message names file and
            line.
    """
    text = _text_of(path)
    try:
        _check_events(path, text)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.reader.ReaderError as error:
        raise _problem(path, _line_at(text, error), f"not valid YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _problem(path, line, f"not valid YAML: {error.problem}") from None
    if not isinstance(root, yaml.MappingNode):
        raise _problem(path, 1, "expected keys and values, such as 'builder: recurrent_forecaster'")
    loader = _LOADER("")
    try:
        return YamlFile(path, _constructed(path, root, loader), root)
    finally:
        loader.dispose()


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            raise ConfigError(f"{path} is not a file")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes")
    try:
        return "".join(decoded_lines(io.BytesIO(raw), str(path)))
    except DataError as error:
        raise ConfigError(error.message) from None


def _check_events(path: Path, text: str) -> None:
    """Refuse aliases and deep nesting before anything recurses."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _problem(path, _line(event), "anchors and aliases are not supported: write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _problem(path, _line(event), f"nested more than {_DEEPEST} deep")


def _constructed(path: Path, node: yaml.Node, loader: Any) -> Any:
    kind = _COLLECTIONS.get(node.tag)
    if isinstance(node, yaml.MappingNode) and kind is dict:
        return dict(_pairs(path, node, loader))
    if isinstance(node, yaml.SequenceNode) and kind is list:
        return [_constructed(path, item, loader) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        raise _problem(path, _line(node), f"the tag {_short_tag(node)} is not supported")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
        value = node.value if len(node.value) <= 40 else f"{node.value[:37]}..."
        raise _problem(path, _line(node), f"{value!r} is not a valid {_short_tag(node)}") from None


def _pairs(path: Path, node: yaml.MappingNode, loader: Any) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = _constructed(path, key, loader)
        if not isinstance(name, str):
            raise _problem(path, _line(key), f"key {name!r} is not text: put it in quotes")
        if name in seen:
            raise _problem(path, _line(key), f"key {name!r} occurs twice")
        seen.add(name)
        yield name, _constructed(path, value, loader)


def _short_tag(node: yaml.Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


def _line(marked: Any) -> int:
    return int(marked.start_mark.line) + 1


def _line_at(text: str, error: yaml.reader.ReaderError) -> int:
    """Return the line of a character that YAML does not allow. libyaml counts bytes, Python's reader counts characters."""
    character = error.character if isinstance(error.character, str) else chr(error.character)
    place = text.find(character)
    return text[: place if place >= 0 else error.position].count("\n") + 1


def _problem(path: Path, line: int, message: str) -> ConfigError:
    return ConfigError(f"{path}, line {line}: {message}")
