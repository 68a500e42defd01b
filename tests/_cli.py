"""What the tests of the command line share."""

import json

import pytest
from typer.testing import CliRunner

from lstmzoo.cli import app

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "ABSL_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", "COLUMNS": "200"}
IGNORED_WARNINGS = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:(mlflow|sqlalchemy)\b",  # MLflow's own use of what others deprecate
    "ignore:__array__ implementation:DeprecationWarning",  # Keras' own
)


def run(*args, stdin=None):
    return CliRunner(env=QUIET).invoke(app, [str(a) for a in args], input=stdin)


def run_json(*args, stdin=None):
    """What a command prints to stdout, which is nothing but JSON."""
    result = run(*args, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout, parse_constant=pytest.fail)


def assert_refused(result, code, *fragments):
    """One line on stderr, nothing on stdout, and the exit code."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("lstmzoo: ")
    assert result.stderr.count("\n") == 1, result.stderr
    for fragment in fragments:
        assert fragment in result.stderr
