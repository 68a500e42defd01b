"""Forecasting on the command line: series from CSV and Parquet."""

from functools import partial
from pathlib import Path
from typing import Any

from lstmzoo.cli._base import Evaluation, Measure, Source, Task, flag, register_task
from lstmzoo.cli._parsing import VALIDATION_SIZE, option, parse_names, parse_number, parse_numbers
from lstmzoo.cli.tasks.forecasting import predict
from lstmzoo.cli.tasks.forecasting.frames import SUFFIXES, read_frame, read_history
from lstmzoo.errors import ConfigError

_SHOWN = 40  # series in the table of evaluate
_option = partial(option, panel="Forecasting")
_COLUMNS = ("id_col", "time_col", "target_col")
_COVARIATES = ("past_covariates", "future_covariates", "static_covariates")
_OPTIONS = {
    "horizon": _option(int | None, "Steps to forecast; required.", min=1),
    "lookback": _option(int | None, "Steps that the network sees; default: the entry's own.", min=1),
    "season_length": _option(str | None, "Steps of a season, or of several: 24,168; default: found in the data."),
    "freq": _option(str | None, "pandas frequency alias, or a whole number; default: found in the data."),
    "quantiles": _option(str | None, "Levels to forecast besides the median: 0.1,0.9."),
    "id_col": _option(str | None, 'Column that names the series; "" for a single series; default: unique_id.'),
    "time_col": _option(str | None, "Column of times (ISO 8601, or whole numbers); default: ds."),
    "target_col": _option(str | None, "Column of values; default: y."),
    "past_covariates": _option(str | None, "Covariates known up to now, numbers or categories: visitors,rain."),
    "future_covariates": _option(
        str | None, "Covariates known in the future too, numbers or categories; predict --future gives them."
    ),
    "static_covariates": _option(str | None, "Covariates that describe a series: numbers, or categories as text."),
    "calendar": _option(
        str | None, 'Calendar features: hour,weekday,holidays:DE; "" for none; default: the entry\'s own.'
    ),
    "missing": _option(str | None, "Missing values and gaps: error, mask or interpolate; default: error."),
    "irregular": _option(bool, "Allow time steps of any length.", names=("--irregular",)),
    "distribution": _option(
        str | None, "Type of forecast: quantiles, normal, student_t or negative_binomial; default: the entry's own."
    ),
    "conformal": _option(bool, "Calibrate the quantiles on held-out windows.", names=("--conformal",)),
    "allow_negative": _option(
        bool, "Allow negative forecasts of series that were never negative.", names=("--allow-negative",)
    ),
    "pad_short": _option(bool, "Pad series that are too short, also if all of them are.", names=("--pad-short",)),
    "validation_size": VALIDATION_SIZE,
}  # fmt: skip


def _read(path: Path, options: dict[str, Any]) -> Source:
    """Read series from a file, and the estimator's parameters from options.

    Raises:
        ConfigError: If there is no horizon, or an option cannot be parsed.
        DataError: If the file cannot be read.
    """
    params = _parsed(options)
    named = {name: params.get(name) for name in (*_COLUMNS, *_COVARIATES)}
    frame, id_col = read_frame(path, **named)
    return Source((frame,), {**params, "id_col": id_col}, {})


def _parsed(options: dict[str, Any]) -> dict[str, Any]:
    if "horizon" not in options:
        raise ConfigError("pass --horizon: how many steps to forecast")
    if options.get("conformal") and "quantiles" not in options:
        raise ConfigError("--conformal corrects quantiles: name them with --quantiles, such as 0.1,0.9")
    texts = {name: options.get(name) for name in ("season_length", "quantiles", "freq", "calendar", "validation_size")}
    freq, size = texts["freq"], texts["validation_size"]
    parsed = {
        **{name: parse_names(options.get(name), flag(name)) for name in _COVARIATES},
        "calendar": _parse_calendar(texts["calendar"]),
        "season_length": parse_numbers(texts["season_length"], int, "--season-length"),
        "quantiles": parse_numbers(texts["quantiles"], float, "--quantiles"),
        "freq": int(freq) if freq is not None and freq.isdecimal() else freq,
        "validation_size": size and parse_number(size, int, "--validation-size", "whole steps"),
    }
    return {name: value for name, value in {**options, **parsed}.items() if value is not None}


def _parse_calendar(text: str | None) -> list[str] | None:
    from lstmzoo.preprocessing import check_calendar

    names = parse_names(text, "--calendar")
    check_calendar(names or [])
    return names


def _evaluate(estimator: Any, path: Path, options: dict[str, Any]) -> Evaluation:
    names = parse_names(options.get("metrics"), "--metrics")
    scores = estimator.evaluate(read_history(path, estimator), metrics=names)
    mean = scores.iloc[:, 1:].mean()
    rows = [(f"mean of {len(scores)}", *mean), *scores.head(_SHOWN).itertuples(index=False, name=None)]
    more = len(scores) - _SHOWN
    notes = (f"and {more} more series: --json prints them all",) if more > 0 else ()
    return Evaluation({"mean": mean.to_dict(), "series": scores}, map(str, scores.columns), rows, notes)


register_task(
    Task(
        name="forecasting",
        holds="series",
        suffixes=SUFFIXES,
        read=_read,
        read_more=lambda path, options, estimator: (read_history(path, estimator),),
        evaluate=_evaluate,
        score="negative MASE of the last horizon",
        measure=Measure("mase", "MASE"),
        reference="seasonal_naive",
        use=("predict", "forecasts"),
        options=_OPTIONS,
        evaluation_options={
            "metrics": _option(
                str | None,
                "Metrics, such as mae,rmse,wape; default: mase,smape,rmsse, and crps,coverage with quantiles.",
            )
        },
        commands={"predict": predict.predict},
        about=lambda estimator: {"season_length": estimator.season_length_},
    )
)
