"""Migrations of saved models: the keys that each format added, with values that preserve the behavior of older models.

Saved keys have no defaults: a missing key is an error, so that no model is completed silently. A key that a format adds is a
row of :data:`MIGRATIONS`, which adds the key to folders of earlier formats when they are loaded.

To add a key while format N + 1 is being developed, append a row to ``MIGRATIONS[N]``. A released row never changes.
Checkpoints are not migrated: a checkpoint of another version is refused, and the fit starts again.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Files = dict[str, Any]


class Added(NamedTuple):
    """A key that a format added.

    Attributes:
        owner: Class of the estimators that have the key; subclasses have it too.
        file: File of the saved model.
        section: Keys that lead to the dict with the key; ``()`` is the document itself. A missing section is skipped, as
            ``config`` of a model without a network.
        key: Name of the key.
        value: Function from the files of the older folder to the value of the key.

    Examples:
        >>> files = {"params.json": {"params": {"horizon": 6}, "learned": {}}}
        >>> Added("Forecaster", "params.json", ("learned",), "horizon_", param("horizon")).apply(files)
        >>> files["params.json"]["learned"]
        {'horizon_': 6}
    """

    owner: str
    file: str
    section: tuple[str, ...]
    key: str
    value: Callable[[Files], Any]

    def apply(self, files: Files) -> None:
        """Add the key to the files, in place."""
        part: Any = files[self.file]
        for name in self.section:
            if name not in part:
                return
            part = part[name]
        if self.key not in part:
            part[self.key] = self.value(files)


def constant(value: Any) -> Callable[[Files], Any]:
    """Return a function that gives the same value for every model."""
    return lambda files: value


def param(name: str) -> Callable[[Files], Any]:
    """Return a function that gives the value of a constructor parameter."""
    return lambda files: files["params.json"]["params"][name]


def _time_dtype(files: Files) -> dict[str, Any] | None:
    """Return the data type of times: format 1 recorded only whether they were dates."""
    form = files["preprocessor.json"]["panel"]["form"]
    dates = {"pandas": {"name": "object", "of": "date"}, "polars": {"name": "Date"}, "pyarrow": {"name": "date32[day]"}}
    return dates[form["backend"]] if form["dates"] else None


def _shortest_season(files: Files) -> list[int]:
    """Return the seasons: format 2 recorded only the shortest."""
    return [files["params.json"]["learned"]["season_length_"]]


_FORM = ("panel", "form")


def params(*names: str) -> Callable[[Files], Any]:
    """Return a function that gives the constructor parameters that the class has, by name."""
    return lambda files: {name: value for name, value in files["params.json"]["params"].items() if name in names}


_OF_FORECASTS = params(
    "horizon", "quantiles", "freq", "missing", "irregular", "pad_short", "conformal", "id_col", "time_col", "target_col",
    "past_covariates", "future_covariates", "static_covariates",
)  # fmt: skip

# The keys that format N + 1 added, by N.
MIGRATIONS: dict[int, tuple[Added, ...]] = {
    1: (
        Added("PanelForecaster", "preprocessor.json", ("panel",), "labels", constant({})),
        Added("Forecaster", "preprocessor.json", ("windows", "channels"), "labels_", constant({})),
        Added("PanelForecaster", "preprocessor.json", _FORM, "id", constant(None)),
        Added("PanelForecaster", "preprocessor.json", _FORM, "time", _time_dtype),
        Added("PanelForecaster", "preprocessor.json", _FORM, "text", constant(None)),
        Added("PanelForecaster", "preprocessor.json", _FORM, "index", constant(None)),
        Added("PanelForecaster", "params.json", ("learned",), "params_", _OF_FORECASTS),
        Added("BaselineForecaster", "params.json", ("learned",), "method_", param("method")),
    ),
    2: (
        Added("PanelForecaster", "params.json", ("learned",), "seasons_", _shortest_season),
        Added("PanelForecaster", "params.json", ("params",), "allow_negative", constant(True)),
        Added("PanelForecaster", "params.json", ("learned", "params_"), "allow_negative", constant(True)),
        Added("Forecaster", "preprocessor.json", ("windows",), "allow_negative", constant(True)),
        Added("Forecaster", "preprocessor.json", ("windows",), "units_", constant(None)),
        Added("Forecaster", "preprocessor.json", ("windows",), "negative_", constant([])),
        Added("Forecaster", "preprocessor.json", ("windows",), "count_padding", constant(True)),
    ),
}

FORMAT = max(MIGRATIONS) + 1  # of folders that this version writes


def migrate(files: Files, format: int, classes: Iterable[str]) -> None:
    """Migrate the files of a saved model, in place, from an earlier format to :data:`FORMAT`.

    Args:
        files: Contents by file name, as :func:`lstmzoo.saving.read_bundle` returns them.
        format: Format of the folder.
        classes: Names of the estimator's class and its base classes.
    """
    owners = set(classes)
    for step in range(format, FORMAT):
        for added in MIGRATIONS[step]:
            if added.owner in owners:
                added.apply(files)
