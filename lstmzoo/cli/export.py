"""``lstmzoo export``: a saved model's network for other runtimes."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import get_task
from lstmzoo.cli._output import print_json, progress_to_stderr
from lstmzoo.cli._saved import load_any
from lstmzoo.errors import ConfigError
from lstmzoo.outputs import check_place

Format = Annotated[str, typer.Option(help="Format to write: litert, onnx, saved_model or keras.", show_default=False)]
Out = Annotated[
    Path,
    typer.Option(help="File to write (a folder for saved_model); OUT.json is written beside it.", show_default=False),
]


def export(
    model: o.Saved, *, format: Format, out: Out, tracking_uri: o.TrackingUri = None, json: o.Json = False
) -> None:
    """Write a saved model's network for another runtime, and check that it computes the same there."""
    check_place(out, "--out")
    for path in (out, out.with_name(f"{out.name}.json")):
        if os.path.lexists(path):
            raise ConfigError(f"--out {out}: {path} exists; choose another name, or remove it")
    estimator = load_any(model, tracking_uri)
    if not hasattr(estimator, "export"):
        if not hasattr(estimator, "model_") and not hasattr(estimator, "members_"):
            raise ConfigError(f"{model} is a {type(estimator).__name__}, which has no network to export")
        command, does = get_task(estimator.task).use
        raise ConfigError(f"{model} is a {type(estimator).__name__}, which cannot be exported yet: lstmzoo {command} {model} "
                          f"{does}, and lstmzoo serve answers over HTTP")  # fmt: skip
    with progress_to_stderr():
        report = estimator.export(format, out)
    if json:
        print_json({**vars(report), "path": str(report.path)})
        return
    print(
        f"wrote {report.path}: {report.num_bytes:,} bytes, and {report.path.name}.json with names of inputs and outputs"
    )
    print(f"largest difference from the network's outputs: {report.difference:.2g}")
