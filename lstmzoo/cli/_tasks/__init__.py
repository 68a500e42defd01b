"""The tasks: which of them a file is for, its entries, and its options."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from lstmzoo.cli._tasks._base import Measure, Source, Task, flag
from lstmzoo.cli._tasks.forecasting import TASK as FORECASTING
from lstmzoo.cli._tasks.language_modelling import TASK as LANGUAGE_MODELLING
from lstmzoo.cli._tasks.translation import TASK as TRANSLATION
from lstmzoo.config import full_name, list_models
from lstmzoo.errors import ConfigError, DataError

__all__ = [
    "FORECASTING", "LANGUAGE_MODELLING", "TASKS", "TRANSLATION", "Measure", "Options", "Source", "Task", "check_data",
    "check_task", "find_model", "find_models", "make_estimator", "task_of", "with_evaluation_options",
    "with_training_options", "with_update_options",
]  # fmt: skip
TASKS: dict[str, Task] = {task.name: task for task in (FORECASTING, LANGUAGE_MODELLING, TRANSLATION)}


class Options:
    """What was given of the tasks' options.

    Args:
        given: By parameter.
        offered: The parameters of each task.
    """

    def __init__(self, given: dict[str, Any], offered: dict[str, list[str]]) -> None:
        self._given, self._offered = given, offered

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def of(self, task: Task) -> dict[str, Any]:
        """Those of one task, none of another one having been given.

        Raises:
            ConfigError: If one has.
        """
        for name in self._given:
            if name not in self._offered[task.name]:
                owners = " and ".join(other for other, names in self._offered.items() if name in names)
                own = ", ".join(map(flag, self._offered[task.name]))
                raise ConfigError(
                    f"{flag(name)} is for {owners}, and this is {task.name}: leave it out{own and f'; options of its own: {own}'}"
                )
        return self._given


def task_of(path: Path, options: Options | None = None) -> Task:
    """The task that a file is for, by its name; with ``--target``, lines of a file that holds no series are sentences.

    Raises:
        DataError: If it is for none.
    """
    found = next((task for task in TASKS.values() if task.takes(path)), None)
    if options is not None and "target" in options and found is not FORECASTING:
        return TRANSLATION
    if found is None:
        kinds = "; ".join(f"{', '.join(task.suffixes)} for {task.name}" for task in TASKS.values())
        raise DataError(f"{path}: expected a name that ends in {kinds}")
    return found


def find_model(name: str, path: Path | None = None, options: Options | None = None) -> str:
    """The full name of an entry that may be named without its task.

    Args:
        name: Of the entry.
        path: What it is to be trained on, which decides between the tasks.
        options: That say more of the file.

    Raises:
        UnknownNameError: If there is none; the message lists the names.
        ConfigError: If it is one of several tasks, or not of the file's.
        DataError: If the file is for no task.

    Examples:
        >>> find_model("lstm", Path("book.txt")), find_model("lstm", Path("sales.csv"))
        ('language_modelling/lstm', 'forecasting/lstm')
    """
    if path is None:
        return full_name(name)
    task = task_of(path, options)
    found = [n for n in list_models() if name in (n, n.split("/", 1)[1])]
    if found and not any(_is_of(n, task) for n in found):
        raise _other_task(found[0], path, task)
    return full_name(name, task.name)


def find_models(text: str | None, path: Path, options: Options | None = None) -> list[str]:
    """The entries of a file's task that names and patterns, separated by commas, stand for; all of them if there are none.

    Raises:
        UnknownNameError: If one matches nothing; the message lists the names.
        ConfigError: If one is of another task.
        DataError: If the file is for no task.

    Examples:
        >>> find_models("lstm, forecasting/seq2seq_g*", Path("sales.csv"))
        ['forecasting/lstm', 'forecasting/seq2seq_gru']
    """
    task = task_of(path, options)
    parts = ["*"] if text is None else [part.strip() for part in text.split(",")]
    return list_models(
        (part if set(part) & set("*?[") else find_model(part, path, options) for part in parts), task=task.name
    )


def _is_of(model: str, task: Task) -> bool:
    return model.startswith(f"{task.name}/")


def _other_task(model: str, path: Path, task: Task) -> ConfigError:
    """What is said of an entry that a file, of another task, is not for."""
    own = TASKS.get(model.split("/", 1)[0])
    return ConfigError(
        f"{model} is not for {task.holds}, which {path} holds: pass {own.files if own else 'another file'}, or an entry for "
        f"{task.holds} (lstmzoo list '{task.name}/*')"
    )


def check_task(estimator: Any, model: str, wanted: Task) -> None:
    """Refuse a saved model of another task.

    Raises:
        ConfigError: Naming the command that it is for.
    """
    if estimator.task != wanted.name:
        command, does = TASKS[estimator.task].use
        raise ConfigError(f"{model} is a {type(estimator).__name__}: 'lstmzoo {command} {model}' {does}")


def check_data(estimator: Any, model: str, path: Path, options: Options) -> None:
    """Refuse a file that is not for a saved model.

    Raises:
        ConfigError: Naming the files that are.
        DataError: If it is for no task.
    """
    task, own = task_of(path, options), TASKS[estimator.task]
    if task is not own:
        raise ConfigError(f"{model} is a {type(estimator).__name__}, and {path} holds {task.holds}: pass {own.files}")


def with_training_options(*left_out: str) -> Callable:
    """Add the options of all tasks, but some, to a command, in the place of its parameter ``options``."""
    return functools.partial(
        _with_options, {t.name: {k: v for k, v in t.options.items() if k not in left_out} for t in TASKS.values()}
    )


def with_evaluation_options(command: Callable) -> Callable:
    """Add the options of evaluation, of all tasks, to a command, in the place of its parameter ``options``."""
    return _with_options({task.name: task.evaluation for task in TASKS.values()}, command)


def with_update_options(command: Callable) -> Callable:
    """Add the options of updates, of all tasks, to a command, in the place of its parameter ``options``."""
    return _with_options({task.name: task.updating for task in TASKS.values()}, command)


def _with_options(by_task: dict[str, dict[str, Any]], command: Callable) -> Callable:
    """A command whose signature has the options; it gets those that were given as ``options``."""
    every = {name: kind for options in by_task.values() for name, kind in options.items()}
    offered = {task: list(options) for task, options in by_task.items()}

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        typed = {name: arguments.pop(name) for name in every}
        given = {name: value for name, value in typed.items() if value is not None and value is not False}
        command(**arguments, options=Options(given, offered))

    signature = inspect.signature(command)
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=False if get_args(kind)[0] is bool else None,
        )
        for name, kind in every.items()
    ]
    parameters = [p for old in signature.parameters.values() for p in (added if old.name == "options" else [old])]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def make_estimator(task: Task, model: str, source: Source, **common: Any) -> Any:
    """The unfitted estimator of an entry, from what options and a file say; what is None of the others is its own."""
    import lstmzoo

    given = {name: value for name, value in common.items() if value is not None}
    return getattr(lstmzoo, task.estimator)(model, **source.params, **given)
