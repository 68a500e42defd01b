"""``lstmzoo demo``: the whole way on small data, from a search to an answer over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli.demo import forecasting, language_modelling, translation
from lstmzoo.cli.demo._base import Stage
from lstmzoo.errors import UnknownNameError
from lstmzoo.quiet import import_keras

DEMOS: dict[str, tuple[Callable[[Stage], None], str]] = {
    "forecasting": (forecasting.forecast_climate, forecasting.REGISTERED),
    "language_modelling": (language_modelling.model_python_reference, language_modelling.REGISTERED),
    "translation": (translation.translate_dates, translation.REGISTERED),
}

Task = Annotated[str, typer.Argument(help=f"Task to demonstrate: {' or '.join(DEMOS)}.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option(help="Folder for all that the demo writes; else lstmzoo-demo, and in it the task's name.")
]
Limit = Annotated[float, typer.Option(min=1, help="Seconds of the search, its final training included.")]


def demo(
    task: Task,
    *,
    out: Out = None,
    time_limit: Limit = 120.0,
    random_state: o.RandomState = 0,
) -> None:
    """Search, score, track, register and serve on small data that is already here."""
    if task not in DEMOS:
        raise UnknownNameError("demo", task, DEMOS)
    show, registered = DEMOS[task]
    stage = Stage(Path("lstmzoo-demo") / task if out is None else out, time_limit, random_state, registered)
    stage.out.mkdir(parents=True, exist_ok=True)
    import_keras()
    show(stage)
