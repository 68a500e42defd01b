"""``lstmzoo benchmark``: every entry once, as it comes, for the same seconds, against the baselines."""

import math
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import import_networks
from lstmzoo.cli._frames import read_frame
from lstmzoo.cli._output import print_json, print_table

REFERENCE = "seasonal_naive"
Limit = Annotated[float, typer.Option(min=0.001, help="Seconds of training, the same for each entry.")]


def benchmark(
    data: o.Data, *, horizon: o.Horizon, models: o.Models = "forecasting/*",
    time_limit_per_model: Limit = 30.0, lookback: o.Lookback = None, season_length: o.SeasonLength = None,
    freq: o.Freq = None, id_col: o.IdCol = None, time_col: o.TimeCol = None, target_col: o.TargetCol = None,
    past_covariates: o.PastCovariates = None, future_covariates: o.FutureCovariates = None,
    static_covariates: o.StaticCovariates = None, calendar: o.Calendar = None, missing: o.Missing = None,
    irregular: o.Irregular = False, pad_short: o.PadShort = False, random_state: o.RandomState = 0, json: o.Json = False,
) -> None:  # fmt: skip
    """Train each entry once as it comes, without a search, and compare them on the last horizon, held out."""
    names = o.find_models(models)
    covariates = o.parse_covariates(past_covariates, future_covariates, static_covariates)
    frame, id_col = read_frame(data, id_col=id_col, time_col=time_col, target_col=target_col, **covariates)
    import_networks()
    networks = {
        name: o.make_estimator(
            name, horizon=horizon, lookback=lookback, season_length=season_length, freq=freq, id_col=id_col,
            time_col=time_col, target_col=target_col, **covariates, calendar=calendar, missing=missing,
            irregular=irregular, pad_short=pad_short, time_limit=time_limit_per_model,
            random_state=random_state, verbose=0,
        )
        for name in names
    }  # fmt: skip
    rows = compare(networks, frame)
    if json:
        print_json(rows)
        return
    print_table(
        ("model", "MASE", "parameters", "seconds", f"against {REFERENCE}"),
        ((r["model"], r["mase"], r["parameters"], r["seconds"], _verdict(r)) for r in rows),
    )


def compare(networks: dict[str, Any], frame: Any) -> list[dict[str, Any]]:
    """Fit and score networks and their baselines; a row each, the best first, those that failed last."""
    first = next(iter(networks.values()))
    train, valid = first.holdout_split(frame)
    console = Console(stderr=True, highlight=False)
    rows: list[dict[str, Any]] = []
    for name, estimator in {**first.baselines(), **networks}.items():
        with console.status(f"fitting {name}"):
            row = {"model": name, "baseline": name not in networks, **_fit_and_score(estimator, train, valid)}
        rows.append(row)
        if name in networks:
            result = row["error"] or f"MASE {row['mase']:.4g} after {row['seconds']:.1f} s"
            console.print(f"{name}: {result}", markup=False, soft_wrap=True)
    reference = next(row["mase"] for row in rows if row["model"] == REFERENCE)
    for row in rows:
        ratio = row["mase"] / reference if row["mase"] is not None and reference else None
        row |= {f"ratio_to_{REFERENCE}": ratio, f"beats_{REFERENCE}": None if ratio is None else ratio < 1}
    return sorted(rows, key=lambda row: math.inf if row["mase"] is None else row["mase"])


def _fit_and_score(estimator: Any, train: tuple, valid: tuple) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        mase = -estimator.fit(*train).score(*valid)
    except Exception as error:  # of one entry: the others are still of interest
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return {"mase": None, "parameters": None, "seconds": time.perf_counter() - began, "error": message}
    return {
        "mase": mase,
        "parameters": estimator.num_parameters_,
        "seconds": estimator.seconds_,
        "error": None,
    }


def _verdict(row: dict[str, Any]) -> str:
    ratio = row[f"ratio_to_{REFERENCE}"]
    if ratio is None or row["baseline"]:
        return row["error"] or ""
    verdict, more_or_less = ("beats it", "less") if ratio < 1 else ("does not beat it", "more")
    return f"{verdict}: {abs(1 - ratio):.1%} {more_or_less} error"
