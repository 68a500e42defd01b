"""Tasks as the command line knows them, and the task of a file, an entry or a saved model."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lstmzoo.config import full_name, list_models
from lstmzoo.contracts import NetworkEstimator
from lstmzoo.errors import ConfigError, DataError, UnknownNameError
from lstmzoo.plugins import look_for

if TYPE_CHECKING:
    from lstmzoo.estimators._base import ZooEstimator


class Source(NamedTuple):
    """The parameters and the data of an estimator, read from options and a file.

    Attributes:
        data: Positional arguments of the estimator's ``fit``.
        params: Parameters of the estimator.
        fit_params: Further arguments of its ``fit``.
    """

    data: tuple[Any, ...]
    params: dict[str, Any]
    fit_params: dict[str, Any]


class Evaluation(NamedTuple):
    """The scores of a saved model.

    Attributes:
        document: Scores as JSON.
        columns: Names of the table's columns.
        rows: Rows of the table.
        notes: Lines below the table.
    """

    document: Mapping[str, Any]
    columns: Iterable[str]
    rows: Iterable[Iterable[Any]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """How a score is reported.

    Attributes:
        key: Key in JSON.
        title: Title in tables.
        higher: Whether the score itself is reported; otherwise its negative.
    """

    key: str
    title: str
    higher: bool = False

    def of(self, score: float) -> float:
        """Convert a score to the reported value, or a reported value to the score."""
        return score if self.higher else -score

    def beats(self, ours: float, theirs: float) -> bool:
        """Return whether one reported value is better than another."""
        return self.of(ours) > self.of(theirs)

    def difference(self, ours: float, theirs: float) -> str:
        """Describe the difference of two reported values, in points or in percent of the second.

        Examples:
            >>> Measure("mase", "MASE").difference(0.9, 1.0), Measure("bleu", "BLEU", higher=True).difference(31.5, 30.0)
            ('10.0% less MASE', '1.5 more BLEU')
        """
        size = f"{abs(ours - theirs):.1f}" if self.higher else f"{abs(1 - ours / theirs):.1%}"
        return f"{size} {'less' if ours < theirs else 'more'} {self.title}"


@dataclass(frozen=True)
class Task:
    """A task, as the command line knows it.

    Attributes:
        name: Name in the zoo.
        holds: Content of the task's files, such as ``series``.
        suffixes: Suffixes of the task's files.
        read: Reads a file, with options, for training.
        read_more: Reads a file, with options, for the ``update`` of a fitted estimator; returns the arguments.
        evaluate: Evaluates a fitted estimator on a file, with options.
        score: Description of the score.
        measure: How the score is reported.
        reference: Name of the baseline to beat.
        use: Command that a saved model is for, and what that command does.
        options: Annotated options of training by parameter, besides those that all tasks have.
        evaluation_options: Annotated options of ``evaluate``.
        update_options: Annotated options of ``update``.
        commands: Commands of this task alone, by name.
        about: Task-specific part of the report on a fitted estimator.
        unit: Unit of a fitted estimator's loss, after a space.
        plain_text: Whether files are plain text, so that ``-``, standard input, is one.
        claimed_by: Option which tells that a file of plain text, whatever its name, is of this task.
        otherwise: Description of other files that are accepted.
    """

    name: str
    holds: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, dict[str, Any]], Source]
    read_more: Callable[[Path, dict[str, Any], Any], tuple[Any, ...]]
    evaluate: Callable[[Any, Path, dict[str, Any]], Evaluation]
    score: str
    measure: Measure
    reference: str
    use: tuple[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    evaluation_options: dict[str, Any] = field(default_factory=dict)
    update_options: dict[str, Any] = field(default_factory=dict)
    commands: dict[str, Callable[..., None]] = field(default_factory=dict)
    about: Callable[[Any], dict[str, Any]] = lambda _: {}
    unit: Callable[[Any], str] = lambda _: ""
    plain_text: bool = False
    claimed_by: str = ""
    otherwise: str = ""

    @property
    def files(self) -> str:
        """Description of the task's files."""
        return f"a file that ends in {' or '.join(self.suffixes)}{self.otherwise}"

    def takes(self, path: Path) -> bool:
        """Return whether a file is of this task, by its name."""
        return self.plain_text if str(path) == "-" else path.name.lower().endswith(self.suffixes)


TASKS: dict[str, Task] = {}


def flag(name: str) -> str:
    """Return a parameter as it is typed.

    Examples:
        >>> flag("validation_size")
        '--validation-size'
    """
    return f"--{name.replace('_', '-')}"


def register_task(task: Task) -> Task:
    """Make a task available to the command line under its name; a task of the same name is replaced."""
    TASKS[task.name] = task
    return task


def get_task(name: str) -> Task:
    """Return the task of a name.

    Raises:
        UnknownNameError: If the command line has no such task; the message lists the tasks.
        ConfigError: If a plugin that may define it cannot be imported.
    """
    look_for(name, TASKS, "lstmzoo.cli.tasks")
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return TASKS[name]


def task_of(path: Path, options: Container[str] = ()) -> Task:
    """Return the task of a file, by its name, and by the options that were given.

    Raises:
        DataError: If the file is of no task.
    """
    found = next((task for task in TASKS.values() if task.takes(path)), None)
    claims = next((task for task in TASKS.values() if task.claimed_by in options), None)
    if claims is not None and (found is None or found.plain_text):
        return claims
    if found is None:
        kinds = "; ".join(f"{', '.join(task.suffixes)} for {task.name}" for task in TASKS.values())
        raise DataError(f"{path}: expected a name that ends in {kinds}")
    return found


def find_model(name: str, path: Path, options: Container[str] = ()) -> str:
    """Return the full name of an entry, whose task a file decides.

    Args:
        name: Name of the entry, with or without the task.
        path: File to train on.
        options: Options that were given.

    Raises:
        UnknownNameError: If there is no such entry; the message lists the names.
        ConfigError: If the entry is of another task than the file.
        DataError: If the file is of no task.

    Examples:
        >>> find_model("lstm", Path("book.txt")), find_model("lstm", Path("sales.csv"))
        ('language_modelling/lstm', 'forecasting/lstm')
    """
    task = task_of(path, options)
    found = [n for n in list_models() if name in (n, n.split("/", 1)[1])]
    if found and not any(n.startswith(f"{task.name}/") for n in found):
        own = get_task(found[0].split("/", 1)[0])
        raise ConfigError(
            f"{found[0]} is not for {task.holds}, which {path} holds: pass {own.files}, or an entry for {task.holds} "
            f"(lstmzoo list '{task.name}/*')"
        )
    return full_name(name, task.name)


def find_models(text: str | None, path: Path, options: Container[str] = ()) -> list[str]:
    """Return the full names of the entries that names and patterns, separated by commas, match; all of the task if None.

    Raises:
        UnknownNameError: If a name or pattern matches nothing; the message lists the names.
        ConfigError: If an entry is of another task than the file.
        DataError: If the file is of no task.

    Examples:
        >>> find_models("lstm, forecasting/seq2seq_g*", Path("sales.csv"))
        ['forecasting/lstm', 'forecasting/seq2seq_gru']
    """
    task = task_of(path, options)
    parts = ["*"] if text is None else [part.strip() for part in text.split(",")]
    return list_models(
        (part if set(part) & set("*?[") else find_model(part, path, options) for part in parts), task=task.name
    )


def check_task(estimator: "ZooEstimator", model: str, wanted: str) -> None:
    """Refuse a saved model of another task.

    Raises:
        ConfigError: If the model is of another task; the message names the command to use.
    """
    if estimator.task != wanted:
        command, does = get_task(estimator.task).use
        raise ConfigError(f"{model} is a {type(estimator).__name__}: 'lstmzoo {command} {model}' {does}")


def check_data(estimator: "ZooEstimator", model: str, path: Path, options: Container[str]) -> Task:
    """Return the task of a saved model, if a file is of the same task.

    Raises:
        ConfigError: If the file is of another task; the message names the files to pass.
        DataError: If the file is of no task.
    """
    own = get_task(estimator.task)
    task = task_of(path, options)
    if task is not own:
        raise ConfigError(f"{model} is a {type(estimator).__name__}, and {path} holds {task.holds}: pass {own.files}")
    return own


def make_estimator(task: Task, model: str, source: Source, **common: Any) -> NetworkEstimator:
    """Return the unfitted estimator of an entry; parameters in ``common`` that are None keep their defaults."""
    from lstmzoo.estimators import network_estimator

    given = {name: value for name, value in common.items() if value is not None}
    return network_estimator(task.name)(model, **source.params, **given)
