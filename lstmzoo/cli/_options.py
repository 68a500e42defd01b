"""Options that several commands have, and options of the tasks."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import yaml
from typer.core import TyperCommand

from lstmzoo import outputs
from lstmzoo.cli._base import TASKS, Task, flag
from lstmzoo.config import load_config
from lstmzoo.errors import ConfigError
from lstmzoo.plugins import import_plugins

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
    typer.Argument(
        help="Zoo entry, such as forecasting/lstm; or lstm, and the file decides the task.", show_default=False
    ),
]
Models = Annotated[
    str | None,
    typer.Option(help="Entries: names or shell patterns, separated by commas; default: all of the task."),
]
RandomState = Annotated[int | None, typer.Option(min=0, help="Seed; the same seed gives the same result.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Setting of the entry, such as units=64; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
Saved = Annotated[str, typer.Argument(metavar="FOLDER", help="Saved model, or its MLflow URI.", show_default=False)]
TrackingUri = Annotated[str | None, typer.Option(help="MLflow store: sqlite:///mlflow.db, or a server's URL.")]


def parse_settings(settings: Iterable[str] | None) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` pairs, each value as in a zoo entry's YAML file.

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
    """Refuse settings that an entry does not have, before Keras is imported.

    Raises:
        ConfigError: If a setting is unknown or of the wrong type.
    """
    load_config(model).override(settings)


def check_folder(path: Path) -> None:
    """Refuse a folder that a model cannot be saved to, before any work is done.

    Raises:
        ConfigError: If the path exists and is not a saved model, or cannot be written.
    """
    from lstmzoo.saving import is_bundle

    outputs.check_place(path, "--out")
    if path.exists() and not is_bundle(path):
        raise ConfigError(f"--out {path}: exists and is not a saved model; choose another folder")


class Options:
    """Options of tasks that were given to a command.

    Args:
        given: Values by parameter.
        offered: Parameters that each task takes.
    """

    def __init__(self, given: dict[str, Any], offered: dict[str, list[str]]) -> None:
        self._given, self._offered = given, offered

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def of(self, task: Task) -> dict[str, Any]:
        """Return the values, if all are options of one task.

        Raises:
            ConfigError: If one is not an option of the task.
        """
        for name in self._given:
            if name not in self._offered[task.name]:
                owners = " and ".join(other for other, names in self._offered.items() if name in names)
                own = ", ".join(map(flag, self._offered[task.name]))
                raise ConfigError(
                    f"{flag(name)} is for {owners}, and this is {task.name}: leave it out{own and f'; options of its own: {own}'}"
                )
        return self._given


class WithTaskOptions:
    """A command whose parameter ``options`` stands for the options of every known task.

    The signature is made when it is asked for, so that it has the options of tasks that plugins have registered by then.
    """

    def __init__(self, command: Callable[..., None], options_of: Callable[[Task], Mapping[str, Any]]) -> None:
        self.__name__, self.__doc__ = command.__name__, command.__doc__
        self.__annotations__: dict[str, Any] = {}  # typer asks for them, and reads the signature's
        self._command, self._options_of = command, options_of

    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(self._command)
        kinds = {name: kind for task in TASKS.values() for name, kind in self._options_of(task).items()}
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=kind,
                default=False if get_args(kind)[0] is bool else None,
            )
            for name, kind in kinds.items()
        ]
        parameters = signature.parameters.values()
        return signature.replace(
            parameters=[p for old in parameters for p in (added if old.name == "options" else [old])]
        )

    def __call__(self, **arguments: Any) -> None:
        offered = {task.name: list(self._options_of(task)) for task in TASKS.values()}
        typed = {name: arguments.pop(name) for name in {n for names in offered.values() for n in names}}
        given = {name: value for name, value in typed.items() if value is not None and value is not False}
        self._command(**arguments, options=Options(given, offered))


class TaskCommand(TyperCommand):
    """A command with the options of every task. Plugins are imported when its options are first needed."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """Return the options and arguments, with those of tasks that plugins register."""
        known = len(TASKS)
        import_plugins()
        if len(TASKS) > known:
            fresh = typer.Typer(add_completion=False)
            fresh.command(cls=TyperCommand)(self.callback.__wrapped__)  # type: ignore[union-attr]
            command = typer.main.get_command(fresh)
            self.params, self.callback = command.params, command.callback
        return super().get_params(ctx)


def with_training_options(*left_out: str) -> Callable[[Callable[..., None]], WithTaskOptions]:
    """Let a command take the training options of all tasks, except some, in place of its parameter ``options``."""
    return lambda command: WithTaskOptions(
        command, lambda task: {name: kind for name, kind in task.options.items() if name not in left_out}
    )


def with_evaluation_options(command: Callable[..., None]) -> WithTaskOptions:
    """Let a command take the evaluation options of all tasks, in place of its parameter ``options``."""
    return WithTaskOptions(command, lambda task: task.evaluation_options)


def with_update_options(command: Callable[..., None]) -> WithTaskOptions:
    """Let a command take the update options of all tasks, in place of its parameter ``options``."""
    return WithTaskOptions(command, lambda task: task.update_options)
