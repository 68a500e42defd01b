"""Live displays in a terminal or in a notebook."""

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console, RenderableType
from rich.live import Live

_SECONDS = 0.5  # between updates


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return type(shell).__name__ == "ZMQInteractiveShell"


@contextlib.contextmanager
def live(render: Callable[[], RenderableType]) -> Iterator[Callable[[], None]]:
    """Show what a function renders until the context ends. Yields a function that updates the display.

    A notebook shows text, which needs no widgets. A terminal is also updated automatically.

    Args:
        render: Function that returns the present state.
    """
    if not in_notebook():
        with Live(get_renderable=render, console=Console(), refresh_per_second=1 / _SECONDS) as shown:
            yield shown.refresh
        return
    from IPython.display import display

    handle = display({"text/plain": _text(render())}, raw=True, display_id=True)
    last = time.monotonic()

    def refresh() -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS:
            last = time.monotonic()
            handle.update({"text/plain": _text(render())}, raw=True)

    try:
        yield refresh
    finally:
        handle.update({"text/plain": _text(render())}, raw=True)


def _text(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), force_jupyter=False, force_terminal=False, width=100)
    with console.capture() as captured:
        console.print(what)
    return captured.get().rstrip()
