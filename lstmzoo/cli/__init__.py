"""The command line ``lstmzoo``. Commands import what they need when they run: ``list`` does not import Keras."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from lstmzoo._version import __version__
from lstmzoo.cli import benchmark, demo, evaluate, export, fit, serve, tune, update, zoo
from lstmzoo.cli._base import TASKS
from lstmzoo.cli._group import ZooGroup
from lstmzoo.cli._options import TaskCommand, WithTaskOptions
from lstmzoo.plugins import import_modules

import_modules("lstmzoo.cli.tasks")

_EPILOG = (
    "Errors are one line on stderr. Exit codes: 0 done; 1 unexpected error (--debug shows the traceback); "
    "2 wrong usage, setting or data; 3 saved model missing or damaged; 130 interrupted."
)
_COMMANDS: dict[str, Callable[..., Any]] = {
    "list": zoo.list_entries,
    "show": zoo.show,
    "demo": demo.demo,
    "fit": fit.fit,
    "update": update.update,
    "tune": tune.tune,
    "benchmark": benchmark.benchmark,
    **{name: command for task in TASKS.values() for name, command in task.commands.items()},
    "evaluate": evaluate.evaluate,
    "export": export.export,
    "serve": serve.serve,
}

app = typer.Typer(
    name="lstmzoo",
    cls=ZooGroup,
    help="Recurrent networks for your sequences: list, search, fit, update, predict, export, serve.",
    epilog=_EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=TaskCommand if isinstance(_command, WithTaskOptions) else None)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"lstmzoo {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's log; allowed anywhere on the line.")
]


@app.callback(invoke_without_command=True)
def _root(context: typer.Context, version: Version = False, debug: Debug = False) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(args: list[str] | None = None) -> None:
    """Run the command line, and exit with its code."""
    app(args)
