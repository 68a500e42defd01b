"""How the command line spells the parameters that messages refer to."""

from collections.abc import Iterator, Sequence
from typing import Any

from lstmzoo.errors import NO_VALUE, Spelling, as_python


def option_spelling(group: Any, arguments: Sequence[str]) -> Spelling:
    """Return a function that spells a parameter as the option or argument of the same name.

    The command that was given comes first, then the options of other commands. A parameter that no command has is spelled as in
    Python.

    Args:
        group: All commands.
        arguments: The command line, which starts with the command.
    """
    command = group.commands.get(next((text for text in arguments if not text.startswith("-")), ""))
    spelled = {str(option.name): option for option in _options(group)}
    spelled.update({str(param.name): param for param in (command.params if command else ())})

    def spell(name: str, value: Any) -> str:
        param = spelled.get(name)
        return as_python(name, value) if param is None else _spell(param, value)

    return spell


def _options(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        yield from (param for param in command.params if param.param_type_name == "option")


def _spell(param: Any, value: Any) -> str:
    if param.param_type_name != "option":
        return (param.metavar or str(param.name)).strip("[]").upper()
    flag = max(param.opts, key=len)
    if value in (NO_VALUE, ...) or value is True:
        return flag
    if value is None or value == []:
        return f'{flag} ""'
    if isinstance(value, dict):
        return " ".join(f"{flag} {key}={one}" for key, one in value.items())
    return f"{flag} {','.join(map(str, value)) if isinstance(value, list) else value}"
