"""``lstmzoo predict``: forecasts of a saved model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import check_task
from lstmzoo.cli._output import print_json, print_table, with_text_times
from lstmzoo.cli._parsing import parse_numbers
from lstmzoo.cli._saved import load_any
from lstmzoo.cli.tasks.forecasting.frames import as_frame, check_output, read_future, read_history, write_frame
from lstmzoo.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 40
History = Annotated[
    Path | None,
    typer.Argument(metavar="DATA", help="CSV or Parquet file of the history; default: the training data."),
]
Future = Annotated[
    Path | None, typer.Option(help="CSV or Parquet file of the steps ahead: id, time, and the future covariates.")
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, help="Steps to forecast, at most 20 times the horizon of the training, which is the default."),
]
Levels = Annotated[
    str | None,
    typer.Option(help="Levels to forecast: those of the training (default), or any levels of a distribution."),
]
Out = Annotated[Path | None, typer.Option(help="File to write: .csv, .csv.gz or .parquet.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to draw: .png, .svg or .pdf.")]


def predict(
    model: o.Saved,
    history: History = None,
    *,
    future: Future = None,
    horizon: Steps = None,
    quantiles: Levels = None,
    out: Out = None,
    plot: Plot = None,
    tracking_uri: o.TrackingUri = None,
    json: o.Json = False,
) -> None:
    """Forecast with a saved model."""
    levels = parse_numbers(quantiles, float, "--quantiles")
    if out is not None:
        check_output(out)
    estimator = load_any(model, tracking_uri)
    check_task(estimator, model, "forecasting")
    if plot is not None:
        from lstmzoo.estimators import check_picture

        check_picture(plot)
    given = None if history is None else read_history(history, estimator)
    ahead = _read_ahead(future, estimator, given)
    if levels is None:
        levels = sorted(estimator.params_.quantiles)
    forecast = as_frame(estimator.predict(given, horizon=horizon, quantiles=levels, future=ahead), levels)
    if out is not None:
        write_frame(forecast, out)
    if plot is not None:
        estimator.plot(plot, history=given, future=ahead, horizon=horizon, quantiles=levels)
    if json:
        print_json(forecast)
        return
    if out is None:
        print_forecast(forecast)
    for file in filter(None, (out, plot)):
        print(f"wrote {file}")


def _read_ahead(path: Path | None, estimator: Any, history: "pd.DataFrame | None") -> "pd.DataFrame | None":
    columns = estimator.params_.columns
    if path is not None:
        if not columns.known and not estimator.params_.irregular:
            raise DataError(
                f"--future {path}: the model, a {type(estimator).__name__}, has no future covariates: leave it out"
            )
        return read_future(path, estimator, history)
    if columns.known:
        names = [name for name in (columns.id, columns.time, *columns.known) if name]
        raise DataError(
            f"the model needs the future of {', '.join(map(repr, columns.known))}: pass --future, a file with the columns "
            f"{', '.join(names)}"
        )
    return None


def print_forecast(forecast: "pd.DataFrame") -> None:
    """Print a forecast's first rows."""
    print_table(forecast.columns, with_text_times(forecast.head(_SHOWN), " ").itertuples(index=False))
    if len(forecast) > _SHOWN:
        print(f"and {len(forecast) - _SHOWN} more rows: --out FILE.csv writes them all")
