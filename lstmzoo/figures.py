"""Figures that notebooks show. Matplotlib is imported with this module, which is imported when something is drawn."""

import io

from matplotlib.figure import Figure as _Figure


class Figure(_Figure):
    """A figure without pyplot: a notebook shows it once, as the value of its cell, whether pyplot is in use or not."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
