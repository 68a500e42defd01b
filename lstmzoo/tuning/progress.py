"""The progress of a search: a live table on a terminal or in a notebook, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.table import Table

from lstmzoo.live import in_notebook, live
from lstmzoo.records import Record, best_record, is_network

_ROWS = 12


@dataclass
class Progress:
    """The state of a search.

    Attributes:
        elapsed: Returns the seconds since the search started.
        time_limit: Limit of seconds, if there is one.
        max_trials: Limit of trials, if there is one.
        records: Trials that have ended.
        best: Returns the best of the trials.
        running: The trial in training, and the seconds at its start.
        refresh: Updates the display.
    """

    elapsed: Callable[[], float]
    time_limit: float | None
    max_trials: int | None
    records: list[Record] = field(default_factory=list)
    best: Callable[[list[Record]], Record | None] = best_record
    running: tuple[Record, float] | None = None
    refresh: Callable[[], None] = lambda: None

    def begin(self, record: Record) -> None:
        """Show that a trial has started, or is continued."""
        self.running = record, self.elapsed()
        self.refresh()

    def end(self, record: Record) -> None:
        """Show that a trial, or a part of it, has ended."""
        self.running = None
        if not any(r is record for r in self.records):
            self.records.append(record)
        self.refresh()

    def __rich__(self) -> RenderableType:
        return _table(self)


class _Lines(Progress):
    console: Console

    def end(self, record: Record) -> None:
        super().end(record)
        result = record["error"] if record["score"] is None else f"{record['score']:.4g}"
        best = "  best so far" if self.best(self.records) is record else ""
        line = f"trial {record['number']}  {record['model']}  {result}  {record['seconds']:.1f} s  ({_summary(self)}){best}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def show_progress(
    elapsed: Callable[[], float],
    *,
    time_limit: float | None,
    max_trials: int | None,
    records: list[Record],
    best: Callable[[list[Record]], Record | None],
    verbose: int,
) -> Iterator[Progress]:
    """Show a search until the context ends, or nothing if ``verbose`` is 0."""
    console = Console()
    if not verbose:
        yield Progress(elapsed, time_limit, max_trials, records, best)
    elif console.is_terminal or in_notebook():
        progress = Progress(elapsed, time_limit, max_trials, records, best)
        with live(lambda: progress) as progress.refresh:
            yield progress
    else:
        lines = _Lines(elapsed, time_limit, max_trials, records, best)
        lines.console = console
        yield lines


def _table(progress: Progress) -> Table:
    best = progress.best(progress.records)
    table = Table(caption=_summary(progress), caption_justify="left", box=None, header_style="bold")
    for name in ("trial", "model", "score", "seconds", "status"):
        table.add_column(name, justify="left" if name in ("model", "status") else "right", no_wrap=True)
    running = progress.running and progress.running[0]
    shown = [r for r in progress.records if r is not running][-_ROWS:]
    if best is not None and best is not running and not any(r is best for r in shown):
        shown = [best, *shown[1:]]
    for r in shown:
        status = "best" if r is best else r["error"] or ("baseline" if r["baseline"] else "")
        style = "bold green" if r is best else "red" if r["error"] else "dim" if r["baseline"] else None
        table.add_row(str(r["number"]), r["model"], _score(r), f"{r['seconds']:.1f}", _cut(status), style=style)
    if progress.running is not None:
        r, since = progress.running
        seconds = r["seconds"] + progress.elapsed() - since
        table.add_row(str(r["number"]), r["model"], _score(r), f"{seconds:.0f}", "training")
    return table


def _score(record: Record) -> str:
    return "" if record["score"] is None else f"{record['score']:.4g}"


def _summary(progress: Progress) -> str:
    networks = sum(map(is_network, progress.records))
    most = f" of {progress.max_trials}" if progress.max_trials else ""
    of_time = f" of {_clock(progress.time_limit)}" if progress.time_limit else ""
    noun = "network" if networks == 1 and not most else "networks"
    return f"{networks}{most} {noun}, {_clock(progress.elapsed())}{of_time}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _cut(text: str, width: int = 60) -> str:
    line = " ".join(text.split()).replace("[", r"\[")
    return line if len(line) <= width else f"{line[: width - 3]}..."
