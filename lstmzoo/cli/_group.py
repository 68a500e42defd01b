"""How the command line starts and ends: quiet imports, errors in one line, exit codes."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

from lstmzoo.cli._spelling import option_spelling
from lstmzoo.errors import LstmzooError, SavedModelError

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "ABSL_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}
_FILE_ERRORS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)


class ZooGroup(TyperGroup):
    """The commands, with errors in one line on stderr and the exit codes that ``lstmzoo --help`` lists."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **extra: Any) -> Any:
        """Run a command, and exit with its code."""
        arguments, debug = _without_debug(sys.argv[1:] if args is None else args)
        levels = {"TF_CPP_MIN_LOG_LEVEL": "0"} if debug else _QUIET
        os.environ.update({name: value for name, value in levels.items() if name not in os.environ})
        extra["standalone_mode"] = False
        try:
            with warnings.catch_warnings():
                if not debug:
                    warnings.simplefilter("ignore", FutureWarning)
                code = super().main(arguments, *positional, **extra)
        except Exception as error:
            if debug:
                traceback.print_exc()
            code = _report(error, self, arguments)
        if code == 130:
            print("lstmzoo: interrupted", file=sys.stderr)
        sys.exit(code if isinstance(code, int) else 0)


def _without_debug(args: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``--debug``, wherever it stands, and whether it was there."""
    end = list(args).index("--") if "--" in args else len(args)
    kept = [a for i, a in enumerate(args) if a != "--debug" or i > end]
    return kept, len(kept) < len(args)


def _report(error: Any, group: ZooGroup, arguments: Sequence[str]) -> int:
    """Print an error in one line, and return the exit code."""
    message, code = _one_line(error), 2
    if hasattr(error, "format_message"):  # the command line itself is wrong
        command = error.ctx.command_path if getattr(error, "ctx", None) else "lstmzoo"
        message = f"{_one_line(error.format_message())} (see '{command} --help')"
    elif isinstance(error, LstmzooError):
        message = _one_line(error.spelled(option_spelling(group, arguments)))
        code = 3 if isinstance(error, SavedModelError) else 2
    elif isinstance(error, _FILE_ERRORS):
        message = f"{error.filename}: {error.strerror}" if error.filename else message
    else:
        message = message if len(message) <= 300 else f"{message[:297]}..."
        message, code = f"unexpected {type(error).__name__}: {message} (--debug shows the traceback)", 1
    print(f"lstmzoo: {message}", file=sys.stderr)
    return code


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
