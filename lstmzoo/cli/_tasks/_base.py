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
TOKENIZER = Annotated[
    str | None,
    typer.Option(
        help="Tokenizer of text: word, bpe, unigram, char, byte, or a tokenizer.json of the tokenizers library; default: the "
        "entry's own."
    ),
]
VALIDATION = Annotated[
    Path | None, typer.Option(help="Of text: file that chooses the best epoch, instead of a part of the data.")
]


class Source(NamedTuple):
    """What options and a file say.

    Attributes:
        data: What the estimator's ``fit`` takes, in order.
        params: Of the estimator.
        fit_params: Further arguments of its ``fit``.
    """

    data: tuple[Any, ...]
    params: dict[str, Any]
    fit_params: dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """What scores, of which more is better, are reported as.

    Attributes:
        key: As a key.
        title: As people call it.
        higher: Whether it is the score itself; else it is the negative score.
    """

    key: str
    title: str
    higher: bool = False

    def of(self, score: float) -> float:
        """A score as it is reported, and what is reported as a score."""
        return score if self.higher else -score

    def beats(self, ours: float, theirs: float) -> bool:
        """Whether one value is better than another one."""
        return self.of(ours) > self.of(theirs)

    def difference(self, ours: float, theirs: float) -> str:
        """By how much, in points or in percent of the other one.

        Examples:
            >>> Measure("mase", "MASE").difference(0.9, 1.0), Measure("bleu", "BLEU", higher=True).difference(31.5, 30.0)
            ('10.0% less MASE', '1.5 more BLEU')
        """
        size = f"{abs(ours - theirs):.1f}" if self.higher else f"{abs(1 - ours / theirs):.1%}"
        return f"{size} {'less' if ours < theirs else 'more'} {self.title}"


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
        updating: Those of updates.
        further: From a file, options and a fitted estimator to what its ``update`` takes.
        read: From a file and options to what they say.
        about: What a report says of a fitted estimator, beyond what it says of all.
        score: What a score is.
        measure: What scores are reported as.
        reference: The baseline to be beaten.
        use: The command that asks a saved model, and what it does.
        unit: What the loss of a fitted estimator is counted in, after a space.
        stdin: Whether a file named ``-`` is of this task.
        otherwise: What else its files may be.
    """

    name: str
    estimator: str
    holds: str
    suffixes: tuple[str, ...]
    options: dict[str, Any]
    read: Callable[[Path, dict[str, Any]], Source]
    about: Callable[[Any], dict[str, Any]]
    score: str
    measure: Measure
    reference: str
    use: tuple[str, str]
    further: Callable[[Path, dict[str, Any], Any], tuple[Any, ...]]
    unit: Callable[[Any], str] = lambda _: ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    updating: dict[str, Any] = field(default_factory=dict)
    stdin: bool = False
    otherwise: str = ""

    @property
    def files(self) -> str:
        """What its files are."""
        return f"a file that ends in {' or '.join(self.suffixes)}{self.otherwise}"

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


def text_params(options: dict[str, Any], of: str) -> dict[str, Any]:
    """Parameters of the estimators that cut text into tokens.

    Args:
        options: That were given.
        of: What ``--validation-size`` is a share of.

    Raises:
        ConfigError: If an option cannot be read, or two say the same.
    """
    params = {"tokenizer": _tokenizer(options["tokenizer"])} if "tokenizer" in options else {}
    if "validation_size" in options:
        if "validation" in options:
            raise ConfigError("--validation and --validation-size both say what to validate on: give one of them")
        size = parse_number(options["validation_size"], float, "--validation-size", f"a share of the {of}, such as 0.1")
        params["validation_size"] = size
    return params


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


def _tokenizer(given: str) -> Any:
    """Return the name of a tokenizer, or the tokenizer in a file whose name ends in ``.json``.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If it holds no tokenizer.
    """
    if not given.lower().endswith(".json"):
        return given
    from tokenizers import Tokenizer

    text = Path(given).read_bytes()
    try:
        return Tokenizer.from_buffer(text)
    except Exception as error:  # the library's own
        raise ConfigError(f"--tokenizer {given} is not a file of the tokenizers library: {error}") from None
