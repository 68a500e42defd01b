"""The base of zoo entries: what all tasks' entries have, and how a mistake in one is reported."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, PositiveInt, TypeAdapter, ValidationError, model_validator

from lstmzoo.config.ranges import Categorical, FloatRange, IntRange, Scalar, SearchParameter, Strict, without_numpy
from lstmzoo.errors import ConfigError, unknown_name
from lstmzoo.spec import DataSpec

TokenizerName = Literal["word", "bpe", "unigram", "char", "byte", "pretrained"]
SCHEMAS: dict[str, type["ModelConfig"]] = {}
_SECTIONS = ("hyperparameters", "data", "training")


class TrainingConfig(Strict):
    """How a network is trained. An epoch is ``steps_per_epoch`` batches, or one pass over the data if that is fewer.

    Attributes:
        optimizer: Name of a Keras optimizer.
        learning_rate: Highest learning rate of the schedule.
        beta_2: Decay of the second moment, for ``adam`` and ``adamw``; other optimizers ignore it.
        schedule: ``constant``, or ``cosine``, which falls to zero at the last step or the time limit.
        warmup: Share of the steps, or of the time limit if that is shorter, in which the learning rate rises from zero.
        clipnorm: Global norm to which gradients are clipped, or null.
        batch_size: Batch size.
        epochs: Maximum number of epochs.
        steps_per_epoch: Maximum number of batches per epoch.
        patience: Stop after this many epochs without improvement.
        average_epochs: Validate and keep the mean of the weights at the end of this many last epochs.
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


class ModelConfig(Strict):
    """One zoo entry. A task's entries are a subclass, which registers itself: it names the task, its estimators and its spec.

    Attributes:
        task: Name of the task.
        estimators: Names of the task's estimators and scorers; the first one trains the entries' networks.
        spec: Sizes of the data that the task's builders need.
        name: ``<task>/<name>``, given by the file's path.
        builder: Name of the registered builder.
        summary: One sentence.
        reference: Paper that introduced the architecture.
        tags: Words to search by.
        hyperparameters: Keyword arguments of the builder.
        data: How data becomes batches; the keys depend on the task.
        training: See :class:`TrainingConfig`.
        search_space: Ranges, by key of any of the three sections above.
    """

    task: ClassVar[str]
    estimators: ClassVar[tuple[str, ...]]
    spec: ClassVar[type[DataSpec]]

    name: str
    builder: str
    summary: Annotated[str, Field(min_length=1)]
    reference: Annotated[str, Field(min_length=1)]
    tags: list[str]
    hyperparameters: dict[str, Scalar]
    data: Any
    training: TrainingConfig
    search_space: dict[str, SearchParameter]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        known = SCHEMAS.get(cls.task)
        if known is not None and (known.__module__, known.__name__) != (cls.__module__, cls.__name__):
            raise ValueError(f"the task {cls.task!r} is already defined by {known.__module__}: choose another name")
        SCHEMAS[cls.task] = cls

    @property
    def title(self) -> str:
        """The name without the task."""
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
        """Return a copy with some settings replaced, validated as a file is.

        Args:
            values: New values by key of ``hyperparameters``, ``data`` or ``training``. A value may lie outside the
                search space, which is a proposal and not a limit; but its type must stay.

        Raises:
            ConfigError: If a key is unknown (the valid ones are listed) or a value is of the wrong type.

        Examples:
            >>> from lstmzoo.config import load_config
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
            raise ConfigError(f"{self.name}: {first_problem(error, type(self))}") from None


def _check_same_type(name: str, key: str, old: Scalar, new: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(float if isinstance(old, float) else type(old))
    try:
        adapter.validate_python(new, strict=True)
    except ValidationError:
        raise ConfigError(f"{name}: {key} must be {type(old).__name__}, as {old!r} is; got {new!r}") from None


def first_problem(error: ValidationError, schema: type[BaseModel]) -> str:
    """Return the message for the worst problem of a document."""
    problem = worst(error)
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


def worst(error: ValidationError) -> Any:
    """Return the problem to report: a misspelt key rather than the missing key that it was meant to be."""
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
