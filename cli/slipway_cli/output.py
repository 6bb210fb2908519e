"""What commands print: results on stdout (as JSON with --json), everything else on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = {
    "RUNNING": "green", "DEPLOYED": "green", "SUCCEEDED": "green", "READY": "green",
    "STOPPED": "yellow", "CANCELED": "yellow", "QUEUED": "cyan", "DEPLOYING": "cyan", "BUILDING": "cyan",
    "ERROR": "red", "FAILED": "red", "FATAL": "red", "DEPLOYMENT_ERROR": "red", "BUILD_ERROR": "red", "BACKOFF": "red",
}  # fmt: skip


FILE_WIDTH = 240
"""Columns of a table that goes to a file or a pipe: nothing is folded."""


def show_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """The rows as a table; `empty` is said when there is none."""
    if not rows:
        say(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column in ("id", "url", "state"))
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


def _cell(value: Any) -> Any:
    from rich.text import Text

    text = "" if value is None else str(value)
    return Text(text, style=COLOURS.get(text, ""))


def silence_logs() -> None:
    """Libraries log as services do; a command says what matters itself."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def say(text: str) -> None:
    """For people: never part of a result."""
    print(text, file=sys.stderr, flush=True)
