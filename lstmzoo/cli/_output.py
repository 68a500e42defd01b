"""Printing of tables and JSON to stdout."""

import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich import box, markup
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table with numbers to the right; it is not cut to a width if stdout is no terminal."""
    cells = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = any(isinstance(row[i], int | float) for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(_cell, row))
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=200)
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        text = f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
        return "-" if text == "nan" else text
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else markup.escape(str(value))


def print_leaderboard(leaderboard: "pd.DataFrame", score: str) -> None:
    """Print the best trials, all baselines, the meaning of the score, and the number of failed trials."""
    ranked = leaderboard[leaderboard["rank"].notna()]
    shown = ranked[(ranked["rank"] <= _SHOWN) | (ranked["status"] == "baseline")]
    columns = ("rank", "model", "score", "seconds", "parameters", "epochs", "status")
    rows = shown[list(columns)].astype(object).where(shown[list(columns)].notna(), None)
    print_table(columns, rows.itertuples(index=False))
    print(f"score: {score}, which the trials did not see; higher is better")
    if len(shown) < len(ranked):
        print(f"{len(ranked) - len(shown)} more trials are not shown")
    failed = leaderboard[leaderboard["rank"].isna()]
    if len(failed):
        print(f"{len(failed)} trials failed, the first with: {' '.join(str(failed['error'].iloc[0]).split())}")


def print_winner(search: Any) -> None:
    """Print the winner with its settings, and its place in MLflow."""
    params = {key: value for key, value in search.best_params_.items() if key != "model"}
    settings = ", ".join(f"{key}={value}" for key, value in params.items())
    print(f"winner: {search.best_params_['model']}{f' ({settings})' if settings else ''}")
    if search.model_uri_ is not None:
        print(f"in MLflow: {search.model_uri_}")


def progress_to_stderr() -> contextlib.redirect_stdout:
    """Keep progress bars and live tables apart from results."""
    return contextlib.redirect_stdout(sys.stderr)


def print_stream(pieces: Iterable[str]) -> None:
    """Print a text piece by piece, as it is generated."""
    for piece in itertools.chain(pieces, ["\n"]):
        sys.stdout.write(piece)
        sys.stdout.flush()


def print_json(document: Any) -> None:
    """Print plain values and frames as JSON; NaN and infinity become null."""
    print(json.dumps(_finite(document), indent=2, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "itertuples"):  # a frame
        return _finite(_records(value))
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _records(frame: "pd.DataFrame") -> list[dict[Any, Any]]:
    """Return a frame's rows, with times as ISO 8601."""
    frame = with_text_times(frame).astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def with_text_times(frame: "pd.DataFrame", separator: str = "T") -> "pd.DataFrame":
    """Return a frame with times as ISO 8601 text, without hours if all are midnight."""
    out = frame.copy()
    for name, column in frame.select_dtypes(["datetime", "datetimetz"]).items():
        out[name] = column.astype(str).str.replace(" ", separator)
    return out
