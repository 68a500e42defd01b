"""The output of the benchmarks, ready for docs/benchmarks: Markdown tables, and a line on machine and versions."""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # set before TensorFlow is imported

_ROOT = Path(__file__).resolve().parent.parent
_LOAD = os.getloadavg()[0]


def parser(description: str | None, *, results: bool = False) -> argparse.ArgumentParser:
    """Return a parser with ``--smoke``, and, if wanted, with ``--results``."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--smoke", action="store_true", help="tiny settings: takes seconds, and the numbers mean nothing")
    if results:
        made.add_argument(
            "--results", type=Path, required=True, help="folder of the results, which a later run continues"
        )
    return made


def key_value(text: str) -> tuple[str, Any]:
    """Parse ``units=64``, ``calendar=false``, ``season_length=[24,168]``; values that are not JSON are text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"expected key=value, got {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table; columns of numbers are aligned to the right.

    Examples:
        >>> print(table(["model", "MASE"], [["lstm", "0.9"]]))
        | model | MASE |
        | --- | ---: |
        | lstm | 0.9 |
    """
    rows = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    lines = [columns, ["---:" if right else "---" for right in numeric], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(cell: str) -> bool:
    return not cell or cell.strip("*~ ")[:1] in "+-.0123456789"


def conditions() -> dict[str, Any]:
    """Return machine, versions, date and load, as JSON."""
    versions = {
        "Python": platform.python_version(),
        **{p: _version(p) for p in ("keras", "tensorflow", "numpy")},
        "lstmzoo": f"{_version('lstmzoo')} ({_commit()})",
    }
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"machine": _machine(), "versions": versions, "date": date, "load": _LOAD}


def setting(
    *, seeds: Sequence[int], smoke: bool, others: dict[str, str] | None = None, made: Sequence[dict[str, Any]] = ()
) -> str:
    """Return a line with machine, versions, seeds, date and command.

    Args:
        seeds: The seeds used; none if nothing is random.
        smoke: Whether the settings are tiny, so that the numbers mean nothing.
        others: Versions in other environments, by package.
        made: The conditions of each result that is shown; by default those of this process.
    """
    made = made or [conditions()]
    versions: dict[str, dict[str, None]] = {}
    for package, number in (pair for each in [*made, {"versions": others or {}}] for pair in each["versions"].items()):
        versions.setdefault(package, {})[number] = None
    loads = sorted({f"{each['load']:.1f}" for each in made}, key=float)
    parts = [
        " and ".join(dict.fromkeys(each["machine"] for each in made)),
        ", ".join(f"{name} {' and '.join(numbers)}" for name, numbers in versions.items()),
        *([f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"] if seeds else []),
        " and ".join(sorted({each["date"] for each in made})),
        f"load {loads[0]}{f' to {loads[-1]}' if len(loads) > 1 else ''} at the start",
        f"`python benchmarks/{Path(sys.argv[0]).name}{''.join(f' {a}' for a in sys.argv[1:])}`",
    ]
    return f"{'SMOKE RUN, the numbers mean nothing. ' if smoke else ''}{'; '.join(parts)}."


def spread(values: Sequence[float], digits: int) -> str:
    """Format the median, and the range if there are several values."""
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def with_threads(threads: int) -> dict[str, str]:
    """Return the environment variables of a child process with this many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


def progress(text: str) -> None:
    """Print a line to standard error; standard output holds only the tables."""
    print(text, file=sys.stderr, flush=True)


def _machine() -> str:
    facts = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    wide = ", AVX-512" if "avx512f" in facts.get("flags", "") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = facts.get("model name", platform.machine())
    kind = f"family {facts.get('cpu family')}, model {facts.get('model')}"  # "AMD EPYC" alone says little
    return f"{model} ({kind}), {len(os.sched_getaffinity(0))} cores{wide}, {memory:.0f} GiB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "lstmzoo", "zoo_configs")
        return git("rev-parse", "--short", "HEAD") + (" and changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "no git"
