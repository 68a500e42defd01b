"""What is printed to stdout: tables and JSON."""

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich import box, markup
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd


def print_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a table, numbers to the right; where stdout is no terminal, it is not cut to a width."""
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


def print_json(document: Any) -> None:
    """Print plain values as JSON; what is not finite becomes null."""
    print(json.dumps(_finite(document), indent=2, allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def as_records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """A frame as plain rows, times as ISO 8601."""
    return json.loads(with_text_times(frame).to_json(orient="records", double_precision=15))


def with_text_times(frame: "pd.DataFrame", separator: str = "T") -> "pd.DataFrame":
    """A frame whose times are ISO 8601 text, without hours where all are midnight."""
    out = frame.copy()
    for name, column in frame.select_dtypes(["datetime", "datetimetz"]).items():
        out[name] = column.astype(str).str.replace(" ", separator)
    return out
