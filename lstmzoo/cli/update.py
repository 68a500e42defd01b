"""``lstmzoo update``: further training of a saved model on new data."""

from pathlib import Path
from typing import Annotated

import typer

from lstmzoo.cli import _base as t
from lstmzoo.cli import _options as o
from lstmzoo.cli._output import print_json, progress_to_stderr
from lstmzoo.cli._saved import load_any
from lstmzoo.errors import ConfigError
from lstmzoo.folders import is_folder

Out = Annotated[Path | None, typer.Option(help="Folder to save to, replacing a model there; default: the model's own.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the new data.")]


@o.with_update_options
def update(
    model: o.Saved, data: o.Data, *, out: Out = None, epochs: Epochs = 1, options: o.Options, tracking_uri: o.TrackingUri = None,
    json: o.Json = False,
) -> None:  # fmt: skip
    """Train a saved model further on new data, and save it: rows that follow the series, more text, or more pairs."""
    folder = _folder(model, out)
    o.check_folder(folder)
    estimator = load_any(model, tracking_uri)
    task = t.check_data(estimator, model, data, options)
    if not hasattr(estimator, "update"):
        raise ConfigError(
            f"{model} is a {type(estimator).__name__}, which cannot be updated: fit or search again on all data"
        )
    before = len(estimator.history_)
    with progress_to_stderr():
        estimator.update(*task.read_more(data, options.of(task), estimator), epochs=epochs)
    estimator.save(folder)
    rows = estimator.history_[before:]
    report = {
        "model": estimator.config_.name, "folder": str(folder), "epochs": len(rows), "loss": rows[-1]["loss"] if rows else None,
        "seconds": estimator.seconds_, "data_digest": estimator.data_digest_,
    }  # fmt: skip
    if json:
        print_json(report)
        return
    loss = f", training loss {report['loss']:.4g}{task.unit(estimator)}" if rows else ": too few rows to train on"
    print(f"{report['model']}: {len(rows)} more epochs{loss}")
    print(f"saved to {folder}; next: lstmzoo {task.use[0]} {folder}")


def _folder(model: str, out: Path | None) -> Path:
    """Return the folder to save the updated model to.

    Raises:
        ConfigError: If the model has no folder of its own.
    """
    if out is not None:
        return out
    if not is_folder(Path(model)) or (Path(model) / "MLmodel").exists():
        raise ConfigError(f"{model} is not a folder that 'lstmzoo fit' saved: pass --out, the folder to save to")
    return Path(model)
