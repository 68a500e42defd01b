"""Errors name parameters by reference, and each face spells them."""

import ast
import pickle
import re
from pathlib import Path

import pytest
import typer.main

import lstmzoo
from lstmzoo.cli import app
from lstmzoo.cli._spelling import option_spelling
from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError, arg
from lstmzoo.options import OPTIONS, checked_options

ROOT = Path(lstmzoo.__file__).parent
GROUP = typer.main.get_command(app)


def options_of(group):
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from options_of(command)
        yield from (param for param in command.params if param.param_type_name == "option")


OPTION_NAMES = {param.name: max(param.opts, key=len) for param in options_of(GROUP)}


@pytest.mark.parametrize(
    ("command", "reference", "python", "option"),
    [
        ("fit", arg("id_col"), "id_col", "--id-col"),
        ("fit", arg(pad_short=True), "pad_short=True", "--pad-short"),
        ("fit", arg(id_col=None), "id_col=None", '--id-col ""'),
        ("fit", arg(quantiles=[]), "quantiles=[]", '--quantiles ""'),
        ("fit", arg(quantiles=[0.1, 0.9]), "quantiles=[0.1, 0.9]", "--quantiles 0.1,0.9"),
        ("fit", arg(missing="mask"), "missing='mask'", "--missing mask"),
        ("fit", arg(freq=...), "freq=", "--freq"),
        ("fit", arg(hyperparameters={"units": 8}), "hyperparameters={'units': 8}", "--set units=8"),
        ("predict", arg(history=...), "history=", "DATA"),
        ("predict", arg(pad_short=True), "pad_short=True", "--pad-short"),  # an option of fit
        ("generate", arg("prompts"), "prompts", "PROMPT"),
        ("tune", arg("registered_model_name"), "registered_model_name", "--register"),
        ("tune", arg("search_space"), "search_space", "search_space"),  # not on the command line
    ],
)
def test_parameters_are_spelled_by_each_face(command, reference, python, option):
    error = ConfigError(f"pass {reference}, or drop it")
    assert str(error) == f"pass {python}, or drop it"
    assert error.spelled(option_spelling(GROUP, ["--no-such", command, "x"])) == f"pass {option}, or drop it"


@pytest.mark.parametrize("name", sorted(OPTION_NAMES))
def test_every_option_is_spelled_with_its_dashes(name):
    error = DataError(f"{arg(name)}: wrong")
    assert str(error) == f"{name}: wrong"
    assert error.spelled(option_spelling(GROUP, [])) == f"{OPTION_NAMES[name]}: wrong"


def test_references_survive_repetition_and_pickling():
    error = pickle.loads(pickle.dumps(DataError(f"series 'a': {arg(pad_short=True)}")))
    outer = SavedModelError(f"the checkpoint: {error.message}")
    assert str(outer) == "the checkpoint: series 'a': pad_short=True"
    assert outer.spelled(option_spelling(GROUP, ["fit"])) == "the checkpoint: series 'a': --pad-short"
    unknown = pickle.loads(pickle.dumps(UnknownNameError("model", "lsmt", ["forecasting/lstm"])))
    assert str(unknown) == "unknown model 'lsmt' (did you mean 'lstm'?); valid: forecasting/lstm"


def test_text_of_users_is_left_as_it_is():
    column = "\ue000freq\ue001"
    assert str(DataError(f"column {column!r} is missing")) == r"column '\ue000freq\ue001' is missing"


def literal_texts(node):
    """The texts in an expression, those in calls of ``arg`` left out."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "arg":
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.Subscript):
        return
    for child in ast.iter_child_nodes(node):
        yield from literal_texts(child)


def raised(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error"):
            yield node.lineno, " ".join(literal_texts(node))


APART = (
    "cli",
    "mlflow",
    "checks",
    "datasets",
    "layers",
)  # speak of options, requests, builders, or their own arguments


@pytest.mark.parametrize(
    "path", [p for p in sorted(ROOT.rglob("*.py")) if p.relative_to(ROOT).parts[0] not in APART], ids=lambda p: p.stem
)
def test_messages_name_parameters_by_reference(path):
    compound = [name for name in OPTION_NAMES if "_" in name]
    bare = re.compile(rf"\b(?:({'|'.join(compound)})\b|({'|'.join(OPTION_NAMES)})=)|^({'|'.join(OPTION_NAMES)}): ")
    for line, text in raised(path):
        found = bare.search(text)
        assert not found, f"{path.name}:{line}: write {{arg(...)}} for {found[0]!r} in: {text}"


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_held_to_their_table(name):
    numbers = OPTIONS[name]
    low = numbers.low + (1 if numbers.type is int else 0.5) if numbers.above else numbers.low
    assert checked_options(**{name: low}) == {name: low}
    outside = numbers.low if numbers.above else numbers.low - 1
    wrong = [outside, float("nan"), True, "1", [1], *([] if numbers.optional else [None])]
    wrong += [1.5] if numbers.type is int else [numbers.high + 1]
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"^{name}: expected a .*, got "):
            checked_options(**{name: value})
    if numbers.optional:
        assert checked_options(**{name: None}) == {name: None}
