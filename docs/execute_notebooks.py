"""Execute the notebooks of docs/notebooks in place, and write their pictures to docs/pictures.

python docs/execute_notebooks.py               all of them, some minutes
python docs/execute_notebooks.py translation   one of them

A cell whose metadata has ``picture`` gives the picture of that name. Trainings are limited by steps, not by seconds, so that the
outputs are the same on the same machine.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

DOCS = Path(__file__).parent


def execute(path: Path) -> None:
    """Run the cells of a notebook in an empty directory, and write it with their outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=600, record_timing=False, coalesce_streams=True, resources=where).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                picture = small(base64.b64decode(data["image/png"]))
                data["image/png"] = base64.b64encode(picture).decode()
                if "picture" in cell.metadata:
                    (DOCS / "pictures" / f"{cell.metadata.picture}.png").write_bytes(picture)
    nbformat.write(notebook, path)


def small(png: bytes) -> bytes:
    """Return a PNG of 64 colours, a third as large as one of all colours."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(file, format="png", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    for notebook in sorted((DOCS / "notebooks").glob("*.ipynb")):
        if notebook.stem in sys.argv[1:] or len(sys.argv) == 1:
            execute(notebook)
