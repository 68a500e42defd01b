"""Look-up of zoo entries: which files there are, and what they say."""

import fnmatch
import logging
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lstmzoo.config._base import SCHEMAS, ModelConfig, first_problem, worst
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.plugins import WAY_OUT, import_modules, look_for
from lstmzoo.yaml_files import read_yaml

_logger = logging.getLogger(__name__)


def list_models(pattern: str | Iterable[str] = "*", *, task: str | None = None, tag: str | None = None) -> list[str]:
    """List the names of the zoo's entries.

    Args:
        pattern: One or more names or shell patterns, with the task (``forecasting/*gru``) or without (``*gru``).
        task: Only entries of this task.
        tag: Only entries with this tag. An entry whose file is broken has no tags; a logged warning names it.

    Raises:
        UnknownNameError: If a pattern matches nothing; the message lists the task's names, or all.
        ConfigError: If a pattern matches only entries of tasks other than ``task``.

    Examples:
        >>> list_models("forecasting/s*_gru")
        ['forecasting/segment_gru', 'forecasting/seq2seq_gru']
        >>> list_models(["segment_*", "gru"], task="forecasting")
        ['forecasting/gru', 'forecasting/segment_gru', 'forecasting/segment_lstm']
    """
    names = {name for one in ([pattern] if isinstance(pattern, str) else pattern) for name in _matching(one, task)}
    return sorted(n for n in names if tag is None or _has_tag(n, tag))


def _has_tag(name: str, tag: str) -> bool:
    try:
        return tag in load_config(name).tags
    except ConfigError as error:
        _logger.warning("%s is left out: %s", name, error)
        return False


def _matching(pattern: str, task: str | None) -> list[str]:
    """Return the entries of a task, or of all tasks, that match one pattern; at least one."""
    files = _config_files()
    own = [name for name in files if task is None or task_of(name) == task]
    found = [name for name in files if fnmatch.fnmatchcase(name, pattern)]
    found += [name for name in own if name not in found and fnmatch.fnmatchcase(name.split("/", 1)[1], pattern)]
    matched = [name for name in found if name in own]
    if found and not matched:
        raise _of_another_task(found[0], str(task))
    if not matched:
        raise UnknownNameError("model", pattern, own)
    return matched


def _of_another_task(name: str, task: str) -> ConfigError:
    return ConfigError(f"{name} is of the task {task_of(name)}: name entries of {task} (lstmzoo list '{task}/*')")


def task_of(name: str) -> str:
    """Return the task of an entry, the first part of its name."""
    return name.split("/", 1)[0]


def full_name(name: str, task: str | None = None) -> str:
    """Return the name ``<task>/<name>`` of an entry.

    Args:
        name: Name of the entry, with or without the task.
        task: Task of a name without one. If None, the only task that has such an entry.

    Raises:
        UnknownNameError: If there is no such entry; the message lists the task's names, or all.
        ConfigError: If the entry is of another task, or several tasks have one of this name.

    Examples:
        >>> full_name("segment_gru"), full_name("gru", "language_modelling")
        ('forecasting/segment_gru', 'language_modelling/gru')
    """
    files = _config_files()
    found = [n for n in files if name == n or (name == n.split("/", 1)[1] and task in (None, task_of(n)))]
    if not found:
        raise UnknownNameError("model", name, [n for n in files if task is None or task_of(n) == task])
    if task is not None and task_of(found[0]) != task:
        raise _of_another_task(name, task)
    if len(found) > 1:
        raise ConfigError(f"{name!r} is the name of several entries: {', '.join(sorted(found))}")
    return found[0]


def load_config(name: str) -> ModelConfig:
    """Read a zoo entry.

    Args:
        name: ``<task>/<name>``, or the name alone if only one task has such an entry.

    Raises:
        UnknownNameError: If there is no such entry; the message lists the names.
        ConfigError: If its file is broken; the message names file, line and key. Or if several tasks have such an entry.
    """
    files = _config_files()
    name = name if name in files else full_name(name)
    path = files[name]
    try:
        modified = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return _read_config(name, path, modified)


def config_directories() -> list[Path]:
    """Return the directories of entries: the shipped one first, then those of ``LSTMZOO_CONFIGS``."""
    package = Path(__file__).resolve().parents[1]
    shipped = next(d for d in (package / "zoo_configs", package.parent / "zoo_configs") if d.is_dir())
    user = [Path(d) for d in os.environ.get("LSTMZOO_CONFIGS", "").split(os.pathsep) if d]
    for directory in user:
        if not directory.is_dir():
            raise ConfigError(f"LSTMZOO_CONFIGS names {str(directory)!r}, which is not a directory")
    return [shipped, *user]


def _config_files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for directory in config_directories():
        for path in sorted(directory.glob("*/[!_]*.yaml")):
            name = f"{path.parent.name}/{path.stem}"
            if name in files:
                raise ConfigError(f"{name} is defined twice: {files[name]} and {path}")
            files[name] = path
    return files


@cache
def _read_config(name: str, path: Path, mtime: int) -> ModelConfig:
    del mtime  # part of the cache's key, so that an edited file is read again
    file = read_yaml(path)
    document = file.document
    if "name" in document:
        raise ConfigError(f"{path}: key 'name': an entry's name is its file's place")
    schema = _schema(name, path)
    try:
        config = schema.model_validate({"name": name, **document})
    except ValidationError as error:
        line = file.line_of(worst(error)["loc"])
        raise ConfigError(f"{path}, line {line}: {first_problem(error, schema)}") from None
    for key, space in config.search_space.items():
        for value in space.extremes:
            try:
                config.override({key: value})
            except ConfigError as error:
                line = file.line_of(("search_space", key))
                raise ConfigError(f"{path}, line {line}: key 'search_space.{key}': {error}") from None
    return config


def parse_config(document: dict[str, Any]) -> ModelConfig:
    """Return the config that :meth:`ModelConfig.model_dump` wrote.

    Raises:
        ConfigError: If the document is not a config.
    """
    schema = _schema(str(document.get("name")), "config")
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        raise ConfigError(first_problem(error, schema)) from None


def schema_of(task: str) -> type[ModelConfig]:
    """Return the class of a task's entries.

    Raises:
        UnknownNameError: If there is no such task; the message lists the tasks.
    """
    look_for(task, SCHEMAS, "lstmzoo.config")
    if task not in SCHEMAS:
        raise UnknownNameError("task", task, SCHEMAS, hint=f"for one of your own, {WAY_OUT}")
    return SCHEMAS[task]


def shipped_estimators() -> dict[str, str]:
    """Return the estimators of the package's own tasks, by name, with their packages."""
    import_modules("lstmzoo.config")
    own = [schema for schema in SCHEMAS.values() if schema.__module__.startswith("lstmzoo.config.")]
    return {name: f"lstmzoo.estimators.{schema.task}" for schema in own for name in schema.estimators}


def _schema(name: str, where: Path | str) -> type[ModelConfig]:
    try:
        return schema_of(task_of(name))
    except UnknownNameError as error:
        raise ConfigError(f"{where}: {error}") from None
