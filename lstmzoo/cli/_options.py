"""The commands' options, and what they mean."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from lstmzoo.config import list_models, load_config
from lstmzoo.errors import ConfigError, UnknownNameError

_ESTIMATORS = {"forecasting": "Forecaster"}

Data = Annotated[Path, typer.Argument(help="CSV or Parquet file: a row per series and time.", show_default=False)]
Entry = Annotated[str, typer.Argument(help="Zoo entry, such as forecasting/lstm, or lstm.", show_default=False)]
Models = Annotated[str, typer.Option(help="Entries: names or shell patterns, separated by commas.")]
Horizon = Annotated[int, typer.Option(min=1, help="Steps to forecast.", show_default=False)]
Lookback = Annotated[int | None, typer.Option(min=1, help="Steps the network sees; else the entry's own.")]
SeasonLength = Annotated[str | None, typer.Option(help="Steps of a season, or several: 24,168; else from the data.")]
Freq = Annotated[str | None, typer.Option(help="pandas frequency alias, or a whole number; else from the data.")]
Quantiles = Annotated[str | None, typer.Option(help="Levels to forecast besides the median: 0.1,0.9.")]
IdCol = Annotated[
    str | None, typer.Option(help='Column that names the series; "" if there is one only; else unique_id.')
]
TimeCol = Annotated[str | None, typer.Option(help="Column of times (ISO 8601, or whole numbers); else ds.")]
TargetCol = Annotated[str | None, typer.Option(help="Column of values; else y.")]
PadShort = Annotated[
    bool, typer.Option("--pad-short", help="Extend series that are too short, instead of refusing them.")
]
PastCovariates = Annotated[str | None, typer.Option(help="Columns of numbers that are known up to now: visitors,rain.")]
FutureCovariates = Annotated[
    str | None, typer.Option(help="Columns of numbers that are known of the future too; predict --future gives them.")
]
StaticCovariates = Annotated[
    str | None, typer.Option(help="Columns that describe a series: numbers, or text, which is a category.")
]
Calendar = Annotated[
    str | None, typer.Option(help='Calendar features to show: hour,weekday; "" for none; else the entry\'s own.')
]
Missing = Annotated[
    str | None,
    typer.Option(help="Missing values and gaps: error, mask or interpolate; else error."),
]
Irregular = Annotated[bool, typer.Option("--irregular", help="Time steps may be of any length.")]
Distribution = Annotated[
    str | None,
    typer.Option(help="Forecast quantiles, normal, student_t or negative_binomial; else the entry's own."),
]
ValidationSize = Annotated[
    int | None, typer.Option(min=0, help="Steps at each series' end that training does not see; else the horizon.")
]
Conformal = Annotated[bool, typer.Option("--conformal", help="Correct the quantiles by what held-out windows show.")]
RandomState = Annotated[int | None, typer.Option(min=0, help="Seed: the same one gives the same result.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as units=64; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout; anything else goes to stderr.")]
Saved = Annotated[str, typer.Argument(metavar="FOLDER", help="Saved model, or its MLflow URI.", show_default=False)]
TrackingUri = Annotated[str | None, typer.Option(help="MLflow store: sqlite:///mlflow.db, or a server's URL.")]


def find_model(name: str) -> str:
    """The full name of an entry that may be named without its task.

    Raises:
        UnknownNameError: If there is none; the message lists the names.
        ConfigError: If it is one of several tasks.
    """
    names = list_models()
    found = [n for n in names if name in (n, n.split("/", 1)[1])]
    if not found:
        raise UnknownNameError("model", name, names)
    if len(found) > 1:
        raise ConfigError(f"{name!r} is the name of several entries: {', '.join(found)}")
    return found[0]


def find_models(text: str) -> list[str]:
    """The entries that names and patterns, separated by commas, stand for; all of one task.

    Raises:
        UnknownNameError: If one matches nothing; the message lists the names.
        ConfigError: If they are of several tasks.

    Examples:
        >>> find_models("lstm, forecasting/seq2seq_g*")
        ['forecasting/lstm', 'forecasting/seq2seq_gru']
    """
    parts = [part.strip() for part in text.split(",")]
    names = list_models([part if set(part) & set("*?[/") else find_model(part) for part in parts])
    tasks = sorted({name.split("/", 1)[0] for name in names})
    if len(tasks) > 1:
        raise ConfigError(f"--models {text}: of several tasks, {', '.join(tasks)}; name one, such as '{tasks[0]}/*'")
    return names


def parse_settings(settings: Iterable[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` pairs, each value read as in a zoo entry's YAML file.

    Raises:
        ConfigError: If one is not a pair.

    Examples:
        >>> parse_settings(["units=8", "learning_rate=1e-3", "residual=none", "clipnorm=null"])
        {'units': 8, 'learning_rate': 0.001, 'residual': 'none', 'clipnorm': None}
    """
    pairs = [pair.partition("=") for pair in settings or ()]
    for key, equals, value in pairs:
        if not (key and equals and value):
            raise ConfigError(f"--set {key}{equals}{value}: expected key=value, such as units=64")
    return {key.strip(): _parse_value(value.strip()) for key, _, value in pairs}


def _parse_value(text: str) -> Any:
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text):  # which YAML takes for text
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def check_settings(model: str, settings: dict[str, Any]) -> None:
    """Refuse, before any network is loaded, settings that an entry does not have.

    Raises:
        ConfigError: If one is unknown or of the wrong type.
    """
    load_config(model).override(settings)


def parse_numbers(text: str | None, kind: type, option: str) -> list[Any] | None:
    """Numbers separated by commas.

    Raises:
        ConfigError: If one is not a number of that kind.
    """
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(f"{option}: expected numbers separated by commas, got {text!r}") from None


def parse_names(text: str | None, option: str) -> list[str] | None:
    """Names separated by commas; none in an empty text.

    Raises:
        ConfigError: If one is empty.

    Examples:
        >>> parse_names("price, visitors", "--past-covariates"), parse_names("", "--calendar")
        (['price', 'visitors'], [])
    """
    if text is None:
        return None
    names = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(names):
        raise ConfigError(f"{option}: expected names separated by commas, got {text!r}")
    return names


def parse_covariates(past: str | None, future: str | None, static: str | None) -> dict[str, Any]:
    """The estimator's parameters that name columns of covariates.

    Raises:
        ConfigError: If a name is empty.
    """
    return {
        "past_covariates": parse_names(past, "--past-covariates"),
        "future_covariates": parse_names(future, "--future-covariates"),
        "static_covariates": parse_names(static, "--static-covariates"),
    }


def make_estimator(
    model: str,
    *,
    season_length: str | None = None,
    freq: str | None = None,
    quantiles: str | None = None,
    calendar: str | None = None,
    conformal: bool = False,
    **params: Any,
) -> Any:
    """The unfitted estimator of an entry's task, from options as they were typed; those that are None are its own.

    Only ``id_col=None`` means what it says: that there is one series.

    Raises:
        UnknownNameError: If there is no such task or calendar feature.
        ConfigError: If a number cannot be read, or there are no quantiles for ``conformal``.
    """
    import lstmzoo

    task = model.split("/", 1)[0]
    if task not in _ESTIMATORS:
        raise UnknownNameError("task", task, _ESTIMATORS)
    if conformal and quantiles is None:
        raise ConfigError("--conformal corrects quantiles: name them with --quantiles, such as 0.1,0.9")
    params |= {
        "conformal": conformal,
        "calendar": _parse_calendar(calendar),
        "season_length": parse_numbers(season_length, int, "--season-length"),
        "freq": int(freq) if freq is not None and freq.isdecimal() else freq,
        "quantiles": parse_numbers(quantiles, float, "--quantiles"),
    }
    given = {name: value for name, value in params.items() if value is not None or name == "id_col"}
    return getattr(lstmzoo, _ESTIMATORS[task])(model, **given)


def _parse_calendar(text: str | None) -> list[str] | None:
    from lstmzoo.preprocessing import CALENDAR

    names = parse_names(text, "--calendar")
    for name in names or ():
        if name not in CALENDAR:
            raise UnknownNameError("calendar feature", name, CALENDAR)
    return names


def check_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder that a model cannot be saved to.

    Raises:
        ConfigError: If there is something else in its place.
    """
    from lstmzoo.saving import is_bundle

    if path.exists() and not is_bundle(path):
        raise ConfigError(f"--out {path}: exists and is not a saved model; choose another folder")
