"""What a task is to the command line, and how options are read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from lstmzoo.errors import ConfigError

VALIDATION_SIZE = Annotated[
    str | None,
    typer.Option(
        help="What training does not see: steps at each series' end, else the horizon; of text, a share of it, else 0.1."
    ),
]


class Source(NamedTuple):
    """What options and a file say.

    Attributes:
        data: As the estimator's ``fit`` takes it.
        params: Of the estimator.
        fit_params: Further arguments of its ``fit``.
    """

    data: Any
    params: dict[str, Any]
    fit_params: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: As the zoo has it.
        estimator: Name of its class, in lstmzoo.
        holds: What its files hold.
        suffixes: Its files' names end in one of these.
        options: Annotated options of training, by parameter, beyond those that every task has.
        evaluation: Those of evaluation.
        read: From a file and options to what they say.
        about: What a report says of a fitted estimator, beyond what it says of all.
        unit: Of the loss.
        score: What a score is.
        loss: What a negative score is called: as a key, and by people.
        reference: The baseline to be beaten.
        use: The command that asks a saved model, and what it does.
        stdin: Whether a file named ``-`` is of this task.
    """

    name: str
    estimator: str
    holds: str
    suffixes: tuple[str, ...]
    options: dict[str, Any]
    read: Callable[[Path, dict[str, Any]], Source]
    about: Callable[[Any], dict[str, Any]]
    score: str
    loss: tuple[str, str]
    reference: str
    use: tuple[str, str]
    unit: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    stdin: bool = False

    def takes(self, path: Path) -> bool:
        """Whether a file is of this task, by its name."""
        return self.stdin if str(path) == "-" else path.name.lower().endswith(self.suffixes)


def option(kind: Any, help: str, *, panel: str, **more: Any) -> Any:
    """The annotation of an option, which ``--help`` lists with its task's."""
    names = more.pop("names", ())
    return Annotated[kind, typer.Option(*names, help=help, rich_help_panel=panel, **more)]


def flag(name: str) -> str:
    """A parameter as it is typed.

    Examples:
        >>> flag("validation_size")
        '--validation-size'
    """
    return f"--{name.replace('_', '-')}"


def parse_number(text: str, kind: type, option: str, expected: str) -> Any:
    """One number.

    Raises:
        ConfigError: If it is none of that kind.

    Examples:
        >>> parse_number("24", int, "--validation-size", "steps")
        24
    """
    try:
        return kind(text)
    except ValueError:
        raise ConfigError(f"{option}: expected {expected}, got {text!r}") from None


def parse_numbers(text: str | None, kind: type, option: str) -> list[Any] | None:
    """Numbers separated by commas; none in an empty text.

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
