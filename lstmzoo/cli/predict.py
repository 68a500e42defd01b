"""``lstmzoo predict``: what a saved model says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import import_networks
from lstmzoo.cli._frames import as_frame, check_output, read_frame, write_frame
from lstmzoo.cli._output import as_records, print_json, print_table, with_text_times
from lstmzoo.errors import SavedModelError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 40
Model = Annotated[str, typer.Argument(metavar="FOLDER", help="Saved model, or its MLflow URI.", show_default=False)]
History = Annotated[
    Path | None,
    typer.Argument(metavar="[DATA]", help="CSV or Parquet file of the history; else that of the training."),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps to forecast; else as many as were trained for.")]
Levels = Annotated[str | None, typer.Option(help="Levels to forecast, of those trained for; else all of them.")]
Out = Annotated[Path | None, typer.Option(help="File to write: .csv, .csv.gz or .parquet.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to draw: .png, .svg or .pdf.")]


def predict(
    model: Model,
    data: History = None,
    *,
    horizon: Steps = None,
    quantiles: Levels = None,
    out: Out = None,
    plot: Plot = None,
    tracking_uri: o.TrackingUri = None,
    json: o.Json = False,
) -> None:
    """Forecast with a saved model."""
    levels = o.parse_numbers(quantiles, float, "--quantiles")
    if out is not None:
        check_output(out)
    estimator = load_any(model, tracking_uri)
    history = None if data is None else _read_history(data, estimator)
    if levels is None:
        levels = sorted(estimator.quantiles or [])
    forecast = as_frame(estimator.predict(horizon, history, levels), levels)
    if out is not None:
        write_frame(forecast, out)
    if plot is not None:
        estimator.plot(plot, history=history)
    if json:
        print_json(as_records(forecast))
        return
    if out is None:
        print_forecast(forecast)
    for file in filter(None, (out, plot)):
        print(f"wrote {file}")


def load_any(model: str, tracking_uri: str | None) -> Any:
    """The estimator in a folder that it was saved to, an MLflow model's folder, or at an MLflow URI.

    Raises:
        SavedModelError: If there is none, or it is damaged.
    """
    if not Path(model).exists() and ":" not in model:
        raise SavedModelError(f"{model}: no such folder, and not a URI such as models:/name@champion")
    import_networks()
    if Path(model).is_dir() and not (Path(model) / "MLmodel").exists():
        from lstmzoo import load

        return load(model)
    from lstmzoo.mlflow import load_model

    return load_model(model, tracking_uri=tracking_uri)


def _read_history(path: Path, estimator: Any) -> "pd.DataFrame":
    names = {"time_col": estimator.time_col, "target_col": estimator.target_col}
    return read_frame(path, id_col=estimator.id_col or "", **names)[0]


def print_forecast(forecast: "pd.DataFrame") -> None:
    """Print a forecast's first rows."""
    print_table(forecast.columns, with_text_times(forecast.head(_SHOWN), " ").itertuples(index=False))
    if len(forecast) > _SHOWN:
        print(f"and {len(forecast) - _SHOWN} more rows: --out FILE.csv writes them all")
