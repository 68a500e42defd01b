"""``lstmzoo fit``: one entry, trained and saved."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lstmzoo.cli import _base as t
from lstmzoo.cli import _options as o
from lstmzoo.cli._output import print_json, progress_to_stderr
from lstmzoo.contracts import NetworkEstimator
from lstmzoo.outputs import check_folder
from lstmzoo.quiet import import_keras

Out = Annotated[
    Path | None, typer.Option(help="Folder to save to, replacing a model there; default: the entry's name.")
]
Limit = Annotated[float | None, typer.Option(min=0.001, help="Maximum seconds of training.")]
Checkpoints = Annotated[
    Path | None,
    typer.Option(help="Folder of checkpoints: the same command, given again, resumes there; needs --random-state."),
]


@o.with_training_options()
def fit(
    model: o.Entry, data: o.Data, *, out: Out = None, hyperparameters: o.Settings = None, options: o.Options,
    time_limit: Limit = None, checkpoint_dir: Checkpoints = None, random_state: o.RandomState = None, json: o.Json = False,
) -> None:  # fmt: skip
    """Train one entry on series, text or pairs of sentences, and save it."""
    name, settings = t.find_model(model, data, options), o.parse_settings(hyperparameters)
    task = t.task_of(data, options)
    o.check_settings(name, settings)
    folder = Path(name.split("/", 1)[1]) if out is None else out
    o.check_folder(folder)
    if checkpoint_dir is not None:
        check_folder(checkpoint_dir, "--checkpoint-dir")
    source = task.read(data, options.of(task))
    import_keras()
    estimator = t.make_estimator(
        task, name, source, hyperparameters=settings, time_limit=time_limit, random_state=random_state
    )
    with progress_to_stderr():
        estimator.fit(*source.data, checkpoint_dir=checkpoint_dir, **source.fit_params)
    estimator.save(folder)
    report = {"model": name, "folder": str(folder), **_learned(estimator), **task.about(estimator)}
    if json:
        print_json(report)
    else:
        _print_report(report, task.use[0], task.unit(estimator))


def _learned(estimator: NetworkEstimator) -> dict[str, Any]:
    best = estimator.history_[estimator.best_epoch_ - 1]
    return {
        "epochs": len(estimator.history_),
        "best_epoch": estimator.best_epoch_,
        "loss": best["loss"],
        "val_loss": best.get("val_loss"),
        "parameters": estimator.num_parameters_,
        "seconds": estimator.seconds_,
        "data_digest": estimator.data_digest_,
    }


def _print_report(report: dict[str, Any], command: str, unit: str) -> None:
    print("{model}: {parameters:,} parameters, epochs: {epochs}, the best: {best_epoch}".format(**report))
    name, loss = ("training", report["loss"]) if report["val_loss"] is None else ("validation", report["val_loss"])
    print(f"{name} loss {loss:.4g}{unit} after {report['seconds']:.1f} s")
    print(f"saved to {report['folder']}; next: lstmzoo {command} {report['folder']}")
