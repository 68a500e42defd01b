"""``lstmzoo fit``: one entry, trained and saved."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import import_networks, progress_to_stderr
from lstmzoo.cli._frames import read_frame
from lstmzoo.cli._output import print_json

Out = Annotated[Path | None, typer.Option(help="Folder to save to, in place of a model there; else the entry's name.")]
Limit = Annotated[float | None, typer.Option(min=0.001, help="Seconds of training, at the most.")]
Checkpoints = Annotated[
    Path | None,
    typer.Option(
        help="Folder of checkpoints: the same command, given again, goes on from there; needs --random-state."
    ),
]


def fit(
    model: o.Entry, data: o.Data, *, horizon: o.Horizon, out: Out = None, settings: o.Settings = None,
    lookback: o.Lookback = None, season_length: o.SeasonLength = None, freq: o.Freq = None,
    quantiles: o.Quantiles = None, id_col: o.IdCol = None, time_col: o.TimeCol = None,
    target_col: o.TargetCol = None,
    past_covariates: o.PastCovariates = None, future_covariates: o.FutureCovariates = None,
    static_covariates: o.StaticCovariates = None, calendar: o.Calendar = None, missing: o.Missing = None,
    irregular: o.Irregular = False, distribution: o.Distribution = None,
    conformal: o.Conformal = False, validation_size: o.ValidationSize = None, pad_short: o.PadShort = False,
    time_limit: Limit = None, checkpoint_dir: Checkpoints = None, random_state: o.RandomState = None, json: o.Json = False,
) -> None:  # fmt: skip
    """Train one entry, and save it."""
    name, hyperparameters = o.find_model(model), o.parse_settings(settings)
    o.check_settings(name, hyperparameters)
    folder = Path(name.split("/", 1)[1]) if out is None else out
    o.check_folder(folder)
    covariates = o.parse_covariates(past_covariates, future_covariates, static_covariates)
    frame, id_col = read_frame(data, id_col=id_col, time_col=time_col, target_col=target_col, **covariates)
    import_networks()
    estimator = o.make_estimator(
        name, horizon=horizon, lookback=lookback, season_length=season_length, freq=freq, quantiles=quantiles,
        hyperparameters=hyperparameters, id_col=id_col, time_col=time_col, target_col=target_col,
        **covariates, calendar=calendar, missing=missing, irregular=irregular, distribution=distribution,
        conformal=conformal, validation_size=validation_size, pad_short=pad_short, time_limit=time_limit,
        random_state=random_state,
    )  # fmt: skip
    with progress_to_stderr():
        estimator.fit(frame, checkpoint_dir=checkpoint_dir)
    estimator.save(folder)
    _print_report({"model": name, "folder": str(folder), **_learned(estimator)}, json)


def _learned(estimator: Any) -> dict[str, Any]:
    best = estimator.history_[estimator.best_epoch_ - 1]
    return {
        "epochs": len(estimator.history_),
        "best_epoch": estimator.best_epoch_,
        "loss": best["loss"],
        "val_loss": best.get("val_loss"),
        "parameters": estimator.num_parameters_,
        "season_length": estimator.season_length_,
        "seconds": estimator.seconds_,
        "data_digest": estimator.data_digest_,
    }


def _print_report(report: dict[str, Any], json: bool) -> None:
    if json:
        print_json(report)
        return
    print("{model}: {parameters:,} parameters, epochs: {epochs}, the best: {best_epoch}".format(**report))
    name, loss = ("training", report["loss"]) if report["val_loss"] is None else ("validation", report["val_loss"])
    print(f"{name} loss {loss:.4g} after {report['seconds']:.1f} s")
    print("saved to {folder}; next: lstmzoo predict {folder}".format(**report))
