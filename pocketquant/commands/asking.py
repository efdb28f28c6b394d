"""What commands that ask an API share: whom they ask, how symbols are given, how answers look."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click

from pocketquant.api_settings import ApiSettings
from pocketquant.client import Client
from pocketquant.domain.errors import InvalidSymbol, PocketQuantError
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Symbol

_WIDE = 200  # columns where no terminal says how many there are
_MOST_COMPLETED = 100
_COMPLETION_SECONDS = 1.0

INTERVALS = click.Choice([interval.value for interval in Interval])

url_option = click.option(
    "--url", default=None, help="The API; by default API_URL, else this machine's."
)
interval_option = click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)
FILE_OR_DASH = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask back.")


class SymbolName(click.ParamType[str]):
    """A symbol in any case, as the API knows it."""

    name = "EXCHANGE:TICKER"

    def convert(self, value: object, *_: object) -> str:
        try:
            return str(Symbol.parse(str(value)))
        except InvalidSymbol as error:
            self.fail(f"{error}; a symbol is like NASDAQ:AAPL")

    def shell_complete(
        self, context: click.Context, _: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Registered symbols."""
        typed = incomplete.upper()
        exchange, colon, ticker = typed.partition(":")
        filters = {"exchange": exchange, "query": ticker or None} if colon else {}

        def names(client: Client) -> Iterator[str]:
            for one in client.symbols.list(**filters):
                yield f"{one['exchange']}:{one['symbol']}"

        return completed(context, typed, names)


SYMBOL = SymbolName()


def client_of(url: str | None, **options: float) -> Client:
    """A client of the API that was named, or of this machine's; with the key of the settings."""
    found = ApiSettings.read(url)
    return Client(found.api_url, found.api_key, **options)


def completed(
    context: click.Context, typed: str, names: Callable[[Client], Iterable[str]]
) -> list[Any]:
    """What begins as it was typed, of the names that an API tells; nothing where it is not soon."""
    from click.shell_completion import CompletionItem

    try:
        client = client_of(context.params.get("url"), timeout=_COMPLETION_SECONDS)
        found = list(islice(names(client), _MOST_COMPLETED))
    except PocketQuantError:  # nobody wants to read of it while typing
        return []
    return [CompletionItem(name) for name in found if name.startswith(typed)]


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(rows: Iterable[Mapping[str, object]], columns: Sequence[str], as_json: bool) -> None:
    """A list, as a table of these columns or as a JSON array."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = list(rows)
    if as_json:
        print_json(found)
        return
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")  # an id that is cut opens nothing
    for row in found:
        table.add_row(*(Text(_shown(row.get(name))) for name in columns))
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)


def print_one(entry: Mapping[str, object], as_json: bool) -> None:
    """One object: a line for each field, or JSON."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        print_json(entry)
        return
    table = Table(show_header=False, box=None)
    for name, value in entry.items():
        table.add_row(name, Text(_shown(value)))
    Console().print(table)


def say(text: str) -> None:
    """For people, beside what other programs read."""
    click.echo(text, err=True)


@contextmanager
def ended_quietly() -> Iterator[None]:
    """Ctrl-C, or that nobody reads any more, is how it ends."""
    try:
        with ended_when_unread():
            yield
    except KeyboardInterrupt:
        return


@contextmanager
def ended_when_unread() -> Iterator[None]:
    """That nobody reads any more is no error: `head` does so."""
    try:
        yield
    except BrokenPipeError:  # nor can what is left be written when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(_shown(each) for each in value)
    return str(value)
