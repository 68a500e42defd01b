"""The progress bar of a training."""

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lstmzoo.live import live


@contextlib.contextmanager
def progress_bar(epochs: int, title: str, verbose: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """Show a progress bar, unless ``verbose`` is 0. Yields a function that takes the row of each finished epoch."""
    if not verbose:
        yield lambda row: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}{task.fields[losses]}"),
    )
    bar = Progress(*columns, TimeElapsedColumn())
    task = bar.add_task(title, total=epochs, losses="")
    with live(bar.get_renderable) as refresh:

        def report(row: dict[str, float]) -> None:
            losses = "".join(f"  {name} {row[name]:.4f}" for name in ("loss", "val_loss") if name in row)
            bar.update(task, completed=row["epoch"], losses=losses)
            refresh()

        yield report
