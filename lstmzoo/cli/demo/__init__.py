"""``lstmzoo demo``: a complete example on bundled data, from a search to an answer over HTTP."""

import importlib
import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import get_task
from lstmzoo.cli.demo._base import Stage
from lstmzoo.errors import UnknownNameError
from lstmzoo.quiet import import_keras

DEMOS = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]

Name = Annotated[str, typer.Argument(help=f"Task to demonstrate: {' or '.join(DEMOS)}.", show_default=False)]
Out = Annotated[Path | None, typer.Option(help="Folder for all output; default: lstmzoo-demo/ and the task's name.")]
Limit = Annotated[float, typer.Option(min=1, help="Seconds of the search, its final training included.")]


def demo(
    task: Name,
    *,
    out: Out = None,
    time_limit: Limit = 120.0,
    random_state: o.RandomState = 0,
) -> None:
    """Run a complete example on bundled data: search, score, track, register and serve."""
    if task not in DEMOS:
        raise UnknownNameError("demo", task, DEMOS)
    module = importlib.import_module(f"{__name__}.{task}")
    folder = Path("lstmzoo-demo") / task if out is None else out
    stage = Stage(folder, time_limit, random_state, module.REGISTERED, get_task(task))
    stage.out.mkdir(parents=True, exist_ok=True)
    import_keras()
    module.show(stage)
