"""Small pictures for the repository."""

import io

from PIL import Image


def small(png: bytes) -> bytes:
    """Return a PNG of 64 colours, about a third as large as one of all colours."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(file, format="png", optimize=True)
    return file.getvalue()
