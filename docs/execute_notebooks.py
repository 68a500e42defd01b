"""Execute the notebooks of docs/notebooks in place: ``python docs/execute_notebooks.py``, some minutes; with a name, one of them.

What differs from run to run without a reason, such as times of execution, is left out.
"""

import base64
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from small_png import small

FOLDER = Path(__file__).parent / "notebooks"


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
                data["image/png"] = base64.b64encode(small(base64.b64decode(data["image/png"]))).decode()
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for notebook in sorted(FOLDER.glob("*.ipynb")):
        if notebook.stem in sys.argv[1:] or len(sys.argv) == 1:
            execute(notebook)
