"""Zoo entries: validated YAML files, and how they are found.

An entry is a file ``zoo_configs/<task>/<name>.yaml``; its name is ``<task>/<name>``. Directories of further entries, laid
out alike, are named by the environment variable ``LSTMZOO_CONFIGS`` (separated as ``PATH`` is) and are loaded beside the
shipped ones. This module imports neither Keras nor pandas.
"""

import fnmatch
import logging
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError, model_validator

from lstmzoo.errors import ConfigError, UnknownNameError, unknown_name
from lstmzoo.yaml_files import read_yaml

_logger = logging.getLogger(__name__)

TASKS = ("forecasting", "language_modelling", "translation", "classification", "regression", "transcription")
Scalar = bool | int | float | str | None


def without_numpy(value: Any) -> Any:
    """A NumPy number or array as Python's, a tuple as a list, and so within lists and dicts."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return without_numpy(value.tolist())  # an array of objects may hold NumPy's numbers
    if isinstance(value, list | tuple):
        return [without_numpy(v) for v in value]
    return {k: without_numpy(v) for k, v in value.items()} if isinstance(value, dict) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, document: Any) -> Any:
        return without_numpy(document)


class IntRange(_Strict):
    """Whole numbers ``min, min + step, ...`` up to ``max``; on a log scale without a step."""

    type: Literal["int"]
    min: int
    max: int
    step: PositiveInt | None = None
    sampling: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> "IntRange":
        return _check_range(self)

    def contains(self, value: object) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int) and not isinstance(value, bool) and self.min <= value <= self.max


class FloatRange(_Strict):
    """Numbers from ``min`` to ``max``, in steps if a step is given."""

    type: Literal["float"]
    min: float
    max: float
    step: Annotated[float, Field(gt=0)] | None = None
    sampling: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> "FloatRange":
        return _check_range(self)

    def contains(self, value: object) -> bool:
        """Whether a value lies in the range."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.min <= value <= self.max


class Categorical(_Strict):
    """One of the listed values."""

    type: Literal["categorical"]
    values: Annotated[list[Scalar], Field(min_length=1)]

    def contains(self, value: object) -> bool:
        """Whether a value is one of them."""
        return any(value == v and type(value) is type(v) for v in self.values)


SearchParameter = Annotated[IntRange | FloatRange | Categorical, Field(discriminator="type")]


def _check_range(parameter: Any) -> Any:
    if parameter.min >= parameter.max:
        raise ValueError(f"min {parameter.min} must be below max {parameter.max}")
    if parameter.sampling == "log" and (parameter.min <= 0 or parameter.step is not None):
        raise ValueError("log sampling needs min above 0 and no step")
    return parameter


class TrainingConfig(_Strict):
    """How a network is trained; an epoch is ``steps_per_epoch`` batches, or one pass over the data if that is fewer.

    Attributes:
        optimizer: By its name in Keras.
        learning_rate: At its highest.
        beta_2: How long ``adam`` and ``adamw`` remember squares of gradients; the others do not.
        schedule: ``cosine`` falls to zero with the last step, or the time limit.
        warmup: Share of all steps (of the time limit, if that is shorter) in which the learning rate rises from zero.
        clipnorm: Norm that the gradient, as a whole, is cut to; null for none.
        batch_size: Items, or rows, that a step is taken on.
        epochs: At the most.
        steps_per_epoch: At the most.
        patience: Epochs without a better one, after which training ends.
        average_epochs: The weights that are validated, and kept, are the mean of those at the ends of so many last epochs.
    """

    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    beta_2: Annotated[float, Field(gt=0, lt=1)]
    schedule: Literal["constant", "cosine"]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    clipnorm: Annotated[float, Field(gt=0)] | None
    batch_size: PositiveInt
    epochs: PositiveInt
    steps_per_epoch: PositiveInt
    patience: PositiveInt
    average_epochs: PositiveInt


DistributionName = Literal["quantiles", "normal", "student_t", "negative_binomial"]


class ForecastingData(_Strict):
    """How series become windows.

    Attributes:
        lookback_horizons: Window length as a multiple of the horizon, where the estimator sets no ``lookback``.
        scaling: Mean and standard deviation of each window (``window``), of each series' training part (``series``), the last
            value of each window subtracted and nothing else (``level``), or none.
        transform: ``log`` (of series that are positive) or none.
        residual: What forecasts are a deviation from: the window's mean (``none``), the last value (``naive``), the last
            period of the shortest season (``seasonal_naive``) or of the longest (``long_seasonal_naive``), or a mixture, by
            weights that the network gives, of the last period of each season and of its double (``seasonal_mix``), or of
            these, the last value, and the means of the window and of its seasons (``mix``).
        calendar: Whether hour, weekday, month, ... (as sines and cosines) accompany each time step.
        distribution: What is forecast: ``quantiles``, or the parameters of a distribution.
    """

    lookback_horizons: PositiveInt
    scaling: Literal["window", "series", "level", "none"]
    transform: Literal["none", "log"]
    residual: Literal["none", "naive", "seasonal_naive", "long_seasonal_naive", "seasonal_mix", "mix"]
    calendar: bool
    distribution: DistributionName


TokenizerName = Literal["word", "bpe", "unigram", "char", "byte", "pretrained"]


class LanguageModellingData(_Strict):
    """How text becomes batches.

    Attributes:
        tokenizer: Words between white space, pieces (``bpe`` or ``unigram``), characters or bytes; ``pretrained`` if the
            estimator was given a tokenizer of its own.
        vocab_size: The most token ids to learn; null for all words, or characters, that there are.
        bptt: T, tokens that a gradient reaches back at the most: the length of a window.
        variable_bptt: Whether one window in twenty is of half the length, so that the windows' borders vary more.
    """

    tokenizer: TokenizerName
    vocab_size: PositiveInt | None
    bptt: PositiveInt
    variable_bptt: bool


class TranslationData(_Strict):
    """How pairs of sentences become batches.

    Attributes:
        tokenizer: Words between white space, pieces (``bpe`` or ``unigram``), characters or bytes; ``pretrained`` if the
            estimator was given a tokenizer of its own.
        vocab_size: The most token ids to learn, of each language, or of both together; null for all words, or characters, that
            there are.
        joint: Whether both languages share one vocabulary.
        bpe_dropout: Share of the merges that are left out, in training, so that words are cut otherwise from epoch to epoch.
        max_length: Tokens; pairs with a longer sentence are not trained on.
        validate_by: What tells the best epoch: ``loss``, nats per token, or ``bleu`` of greedy translations, which costs more.
    """

    tokenizer: TokenizerName
    vocab_size: PositiveInt | None
    joint: bool
    bpe_dropout: Annotated[float, Field(ge=0, lt=1)]
    max_length: PositiveInt
    validate_by: Literal["loss", "bleu"]


_SECTIONS = ("hyperparameters", "data", "training")


class ModelConfig(_Strict):
    """One zoo entry.

    Attributes:
        name: ``<task>/<name>``, from the file's place.
        builder: Name of the registered builder.
        summary: One sentence.
        reference: The paper that the architecture is from.
        tags: Words to search by.
        hyperparameters: Keyword arguments of the builder.
        data: How data becomes batches; the keys depend on the task.
        training: See :class:`TrainingConfig`.
        search_space: Ranges, by key of any of the three sections above.
    """

    name: str
    builder: str
    summary: Annotated[str, Field(min_length=1)]
    reference: Annotated[str, Field(min_length=1)]
    tags: list[str]
    hyperparameters: dict[str, Scalar]
    data: Any
    training: TrainingConfig
    search_space: dict[str, SearchParameter]

    @property
    def task(self) -> str:
        """The first part of the name."""
        return self.name.split("/", 1)[0]

    @property
    def title(self) -> str:
        """The second part of the name."""
        return self.name.split("/", 1)[1]

    @property
    def settings(self) -> dict[str, Scalar]:
        """Every value that can be overridden or searched, by key."""
        return {**self.hyperparameters, **self.data.model_dump(), **self.training.model_dump()}

    @model_validator(mode="after")
    def _consistent(self) -> "ModelConfig":
        keys = [*self.hyperparameters, *self.data.model_dump(), *self.training.model_dump()]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        if twice:
            raise ValueError(f"set in two sections: {', '.join(twice)}")
        for key, space in self.search_space.items():
            if key not in self.settings:
                raise ValueError(f"search_space: unknown key {key!r}; valid: {', '.join(sorted(self.settings))}")
            if not space.contains(self.settings[key]):
                raise ValueError(f"search_space: the default {key} = {self.settings[key]!r} lies outside its own range")
        return self

    def override(self, values: Mapping[str, Any]) -> "ModelConfig":
        """A copy with some settings replaced, checked as a file is.

        Args:
            values: New values by key of ``hyperparameters``, ``data`` or ``training``. A value may lie outside the
                search space, which is a proposal and not a limit; but its type must stay.

        Raises:
            ConfigError: If a key is unknown (the valid ones are listed) or a value is of the wrong type.

        Examples:
            >>> load_config("forecasting/lstm").override({"units": 8}).hyperparameters["units"]
            8
            >>> load_config("forecasting/lstm").override({"unit": 8})
            Traceback (most recent call last):
            lstmzoo.errors.ConfigError: forecasting/lstm: unknown hyperparameter 'unit' (did you mean 'units'?); valid: ...
        """
        document = self.model_dump()
        for key, value in without_numpy(dict(values)).items():
            section = next((s for s in _SECTIONS if key in document[s]), None)
            if section is None:
                raise ConfigError(f"{self.name}: {unknown_name('hyperparameter', key, self.settings)}")
            if section == "hyperparameters":
                _check_same_type(self.name, key, document[section][key], value)
            document[section][key] = value
        if any(key in values for key in document["search_space"]):
            document["search_space"] = {k: v for k, v in document["search_space"].items() if k not in values}
        try:
            return type(self).model_validate(document)
        except ValidationError as error:
            raise ConfigError(f"{self.name}: {_first_problem(error, type(self))}") from None


class ForecastingConfig(ModelConfig):
    """A zoo entry for forecasting."""

    data: ForecastingData


class LanguageModellingConfig(ModelConfig):
    """A zoo entry for language modelling."""

    data: LanguageModellingData


class TranslationConfig(ModelConfig):
    """A zoo entry for translation."""

    data: TranslationData


_SCHEMAS: dict[str, type[ModelConfig]] = {
    "forecasting": ForecastingConfig,
    "language_modelling": LanguageModellingConfig,
    "translation": TranslationConfig,
}


def list_models(pattern: str | Iterable[str] = "*", *, task: str | None = None, tag: str | None = None) -> list[str]:
    """Names of the zoo's entries.

    Args:
        pattern: One or more names or shell patterns, with the task (``forecasting/*gru``) or without (``*gru``).
        task: Only entries of this task.
        tag: Only entries with this tag. An entry whose file is broken has none, and is named in a warning of the logger.

    Raises:
        UnknownNameError: If a pattern matches nothing; the message lists the task's names, or all.
        ConfigError: If a pattern matches entries of other tasks than ``task`` alone.

    Examples:
        >>> list_models("forecasting/s*_gru")
        ['forecasting/segment_gru', 'forecasting/seq2seq_gru']
        >>> list_models(["segment_*", "gru"], task="forecasting")
        ['forecasting/gru', 'forecasting/segment_gru', 'forecasting/segment_lstm']
    """
    names = {name for one in ([pattern] if isinstance(pattern, str) else pattern) for name in _matching(one, task)}
    return sorted(n for n in names if tag is None or _has_tag(n, tag))


def _has_tag(name: str, tag: str) -> bool:
    try:
        return tag in load_config(name).tags
    except ConfigError as error:
        _logger.warning("%s is left out: %s", name, error)
        return False


def _matching(pattern: str, task: str | None) -> list[str]:
    """The entries of a task, or of all, that one pattern stands for; there is one at least."""
    files = _config_files()
    own = [name for name in files if task is None or _task_of(name) == task]
    found = [name for name in files if fnmatch.fnmatchcase(name, pattern)]
    found += [name for name in own if name not in found and fnmatch.fnmatchcase(name.split("/", 1)[1], pattern)]
    matched = [name for name in found if name in own]
    if found and not matched:
        raise ConfigError(
            f"{found[0]} is of the task {_task_of(found[0])}: name entries of {task} (lstmzoo list '{task}/*')"
        )
    if not matched:
        raise UnknownNameError("model", pattern, own)
    return matched


def _task_of(name: str) -> str:
    return name.split("/", 1)[0]


def full_name(name: str, task: str | None = None) -> str:
    """The name ``<task>/<name>`` of an entry that may be named without its task.

    Args:
        name: The entry's name.
        task: The task that a name without one is of; if None, the one task that has such an entry.

    Raises:
        UnknownNameError: If there is none; the message lists the task's names, or all.
        ConfigError: If it is of another task, or of several.

    Examples:
        >>> full_name("segment_gru"), full_name("gru", "language_modelling")
        ('forecasting/segment_gru', 'language_modelling/gru')
    """
    files = _config_files()
    found = [n for n in files if name == n or (name == n.split("/", 1)[1] and task in (None, _task_of(n)))]
    if not found:
        raise UnknownNameError("model", name, [n for n in files if task is None or _task_of(n) == task])
    if task is not None and _task_of(found[0]) != task:
        raise ConfigError(f"{name} is of the task {_task_of(name)}: name an entry of {task} (lstmzoo list '{task}/*')")
    if len(found) > 1:
        raise ConfigError(f"{name!r} is the name of several entries: {', '.join(sorted(found))}")
    return found[0]


def load_config(name: str) -> ModelConfig:
    """The zoo entry of that name, ``<task>/<name>``, or without the task, where one task alone has such an entry.

    Raises:
        UnknownNameError: If there is none; the message lists the names.
        ConfigError: If its file is broken; the message names file, line and key. Or if several tasks have such an entry.
    """
    files = _config_files()
    name = name if name in files else full_name(name)
    path = files[name]
    try:
        modified = path.stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return _read_config(name, path, modified)


def config_directories() -> list[Path]:
    """Where entries are looked for: the shipped directory first, then those of ``LSTMZOO_CONFIGS``."""
    here = Path(__file__).resolve().parent
    shipped = next(d for d in (here / "zoo_configs", here.parent / "zoo_configs") if d.is_dir())
    user = [Path(d) for d in os.environ.get("LSTMZOO_CONFIGS", "").split(os.pathsep) if d]
    for directory in user:
        if not directory.is_dir():
            raise ConfigError(f"LSTMZOO_CONFIGS names {str(directory)!r}, which is not a directory")
    return [shipped, *user]


def _config_files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for directory in config_directories():
        for path in sorted(directory.glob("*/*.yaml")):
            name = f"{path.parent.name}/{path.stem}"
            if name in files:
                raise ConfigError(f"{name} is defined twice: {files[name]} and {path}")
            files[name] = path
    return files


@cache
def _read_config(name: str, path: Path, mtime: int) -> ModelConfig:
    del mtime  # part of the cache's key, so that an edited file is read again
    file = read_yaml(path)
    document = file.document
    if "name" in document:
        raise ConfigError(f"{path}: key 'name': an entry's name is its file's place")
    schema = _schema(name, path)
    try:
        return schema.model_validate({"name": name, **document})
    except ValidationError as error:
        line = file.line_of(_worst(error)["loc"])
        raise ConfigError(f"{path}, line {line}: {_first_problem(error, schema)}") from None


def parse_config(document: dict[str, Any]) -> ModelConfig:
    """The config that :meth:`ModelConfig.model_dump` wrote.

    Raises:
        ConfigError: If it is not one.
    """
    schema = _schema(str(document.get("name")), "config")
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_first_problem(error, schema)) from None


def _schema(name: str, where: Path | str) -> type[ModelConfig]:
    task = name.split("/", 1)[0]
    if task not in _SCHEMAS:
        raise ConfigError(f"{where}: unknown task {task!r}; valid: {', '.join(sorted(_SCHEMAS))}")
    return _SCHEMAS[task]


def _first_problem(error: ValidationError, schema: type[BaseModel]) -> str:
    problem = _worst(error)
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    *parents, key = [str(part) for part in problem["loc"]] or ["(whole file)"]
    if problem["type"] == "extra_forbidden":
        return unknown_name(f"key in {'.'.join(parents)}:" if parents else "key", key, _fields(schema, parents))
    if problem["type"] == "missing":
        return f"key {'.'.join([*parents, key])!r} is missing"
    hint = ""
    if isinstance(problem["input"], str) and "e" in problem["input"].lower() and _is_number(problem["input"]):
        hint = f"; YAML reads {problem['input']} as text: write it with a point and a sign, such as 1.0e-3"
    return f"key {'.'.join([*parents, key])!r}: {problem['msg']}, got {problem['input']!r}{hint}"


def _worst(error: ValidationError) -> Any:
    """The problem to tell of: a misspelt key rather than the missing one that it was meant to be."""
    problems = error.errors()
    return next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])


def _fields(schema: type[BaseModel], parents: list[str]) -> list[str]:
    ranges: dict[str, type[BaseModel]] = {"int": IntRange, "float": FloatRange, "categorical": Categorical}
    if parents and parents[0] == "search_space":
        schema = ranges[parents[-1]]
    elif parents:
        schema = schema.model_fields[parents[0]].annotation  # type: ignore[assignment]
    return [name for name in schema.model_fields if name != "name"]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_same_type(name: str, key: str, old: Scalar, new: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(float if isinstance(old, float) else type(old))
    try:
        adapter.validate_python(new, strict=True)
    except ValidationError:
        raise ConfigError(f"{name}: {key} must be {type(old).__name__}, as {old!r} is; got {new!r}") from None
