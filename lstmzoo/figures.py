"""Figures that notebooks show. This module imports Matplotlib, so it is imported only when something is drawn."""

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as _Figure


class Figure(_Figure):
    """A figure without pyplot. A notebook shows it once, as the value of its cell."""

    def savefig(self, fname: Any, *args: Any, **kwargs: Any) -> None:
        """Save the figure as Matplotlib does; make missing folders."""
        if isinstance(fname, str | Path):
            Path(fname).parent.mkdir(parents=True, exist_ok=True)
        super().savefig(fname, *args, **kwargs)

    def saved(self, path: str | Path | None) -> "Figure":
        """Save the figure, unless the path is None, and return it."""
        if path is not None:
            self.savefig(path)
        return self

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
