"""Output of commands: tables or JSON on standard output, notes on standard error."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from pocketquant.hints import as_typed

_ANY_WIDTH = 100_000
_WIDE = 200  # columns of a table that is not printed to a terminal


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_note(text: str) -> None:
    """Print a line for people on stderr, so that programs can read stdout."""
    click.echo(as_typed(text), err=True)


def print_rows(rows: Iterable[Mapping[str, object]], columns: Sequence[str], as_json: bool) -> None:
    """Print a list as a table of these columns, or whole as a JSON array.

    Where the table is wider than the terminal, each row is printed as a block of lines.
    """
    if as_json:
        print_json(list(rows))
        return
    listed = list(rows)
    if not listed:
        print_note("there are none")
        return

    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")  # a truncated id could not be copied
    for row in listed:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    unlimited = console.options.update(max_width=_ANY_WIDTH)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
        return
    for row in listed:
        console.print(_lines({name: row.get(name) for name in columns}))
        console.print()


def print_one(entry: Mapping[str, object], as_json: bool) -> None:
    """Print one object as a line for each field, or as JSON."""
    from rich.console import Console

    if as_json:
        print_json(entry)
        return
    Console().print(_lines(entry))


def _lines(entry: Mapping[str, object]) -> Any:
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in entry.items():
        table.add_row(name, _cell(value))
    return table


@contextmanager
def stopping_on_broken_pipe() -> Iterator[None]:
    """End the block without an error when the reader of stdout closes it, as `head` does."""
    try:
        yield
    except BrokenPipeError:  # the interpreter flushes stdout at its end: redirect that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _cell(value: object) -> Any:
    from rich.text import Text

    return Text(_as_text(value))


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        separator = "; " if any(isinstance(each, dict) for each in value) else ", "
        return separator.join(map(_as_text, value))
    return str(value)
