"""Export all forecasting entries with their default settings to all formats, and write the table of docs/export.md.

python docs/export_table.py             all entries, about twenty seconds each
python docs/export_table.py lstm gru    print the rows of these entries; the page is not changed
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from lstmzoo import Forecaster, list_models
from lstmzoo.datasets import generate_seasonal
from lstmzoo.errors import ConfigError, SavedModelError
from lstmzoo.exporting import FORMATS, export_model

PAGE = Path(__file__).parent / "export.md"
MARKS = ("<!-- table: written by export_table.py -->\n", "<!-- end of table -->\n")
NAMES = {"litert": "model.tflite", "onnx": "model.onnx", "saved_model": "model", "keras": "model.keras"}


def row(entry: str) -> str:
    """Export an entry; return its row, with the reason where an export is refused."""
    series = generate_seasonal(n_series=3, length=400, freq="h", season_length=24, random_state=0)
    settings = {"epochs": 1, "steps_per_epoch": 1}
    forecaster = Forecaster(entry, horizon=24, lookback=96, hyperparameters=settings, random_state=0, verbose=0)
    model = forecaster.fit(series).model_
    disturb(model)
    cells = [f"`{entry.split('/')[1]}`"]
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                report = export_model(model, Path(folder) / NAMES[name], name, noise(model))
                cells.append(f"{report.num_bytes / 1024:,.0f} KiB, {report.difference:.0e}")
            except (ConfigError, SavedModelError) as error:
                cells.append(f"no: {str(error).replace('|', '/')}")
    return f"| {' | '.join(cells)} |"


def disturb(model) -> None:
    """Change all weights at random: new heads are almost 0, and would hide the outputs of the recurrent layers."""
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(0.1 * rng.normal(size=weight.shape))


def noise(model) -> dict[str, np.ndarray]:
    """Return inputs for a batch of eight: normal, and 0 for numbers of series and categories."""
    rng = np.random.default_rng(0)
    return {
        name: np.zeros((8, *x.shape[1:]), x.dtype) if "int" in x.dtype else rng.normal(size=(8, *x.shape[1:]))
        for name, x in model.input.items()
    }


def main(names: list[str]) -> None:
    """Print the rows; write them into the page if they are of all entries."""
    rows = []
    for entry in [f"forecasting/{name}" for name in names] or list_models("forecasting/*"):
        rows.append(row(entry))
        print(rows[-1], flush=True)
    if not names:
        head = [f"| entry | {' | '.join(f'`{name}`' for name in FORMATS)} |", "| --- " * (1 + len(FORMATS)) + "|"]
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
        PAGE.write_text(before + MARKS[0] + "\n".join([*head, *rows]) + "\n" + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
