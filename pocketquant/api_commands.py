"""The commands that ask an API: `sync`, `bars`, `watch`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import orjson
from rich.console import Console
from rich.live import Live
from rich.progress import track
from rich.table import Table

from pocketquant.client import Client, Json
from pocketquant.domain.intervals import Interval
from pocketquant.domain.syncs import MAX_BARS
from pocketquant.live_quotes import LiveQuotes
from pocketquant.quote_table import quote_line
from pocketquant.settings import Settings

_DRAWN_PER_SECOND = 5

INTERVALS = click.Choice([interval.value for interval in Interval])

url_option = click.option("--url", default=None, help="The API; by default that of this machine.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="EXCHANGE:TICKER…")
@click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)
@click.option("--bars", "-n", type=click.IntRange(1, MAX_BARS), default=MAX_BARS, show_default=True)
@url_option
@json_option
def sync(
    symbols: tuple[str, ...], interval: str, bars: int, url: str | None, as_json: bool
) -> None:
    """Bring series up to date through the API and wait for them."""
    client = _client(url)
    console = Console(stderr=True)
    reports = [
        client.sync(symbol, interval, bars)
        for symbol in track(symbols, "syncing", console=console, disable=len(symbols) == 1)
    ]
    columns = ("exchange", "symbol", "interval", "status", "fetched", "inserted", "changed")
    _print(reports, (*columns, "unchanged", "refused", "bar_count", "last_bar_at"), as_json)


@click.command()
@click.argument("symbol", metavar="EXCHANGE:TICKER")
@click.option("--interval", "-i", type=INTERVALS, default="1d", show_default=True)
@click.option("--limit", type=click.IntRange(1, MAX_BARS), default=20, show_default=True)
@click.option("--start", default=None, help="First open time, ISO 8601 with zone.")
@click.option("--end", default=None, help="Open times before this one.")
@url_option
@json_option
def bars(
    symbol: str,
    interval: str,
    limit: int,
    start: str | None,
    end: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Print stored bars, the newest first."""
    client = _client(url)
    dates = {"start_date": start, "end_date": end}
    given = {name: date for name, date in dates.items() if date is not None}
    answer = client.ohlcv(symbol, interval, limit=limit, **given)
    _print(answer["data"], ("datetime", "open", "high", "low", "close", "volume"), as_json)


@click.command()
@click.argument("symbols", nargs=-1, required=True, metavar="EXCHANGE:TICKER…")
@click.option("--no-subscribe", is_flag=True, help="Show only what is subscribed already.")
@url_option
@click.option("--push-url", default=None, help="The streams; by default those of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each change.")
def watch(
    symbols: tuple[str, ...],
    no_subscribe: bool,
    url: str | None,
    push_url: str | None,
    as_json: bool,
) -> None:
    """Show live quotes until Ctrl-C; the symbols are subscribed, and stay so.

    On a terminal that is a table which changes in place, elsewhere a line for each changed quote.
    """
    settings = Settings()
    client, push = _client(url), Client(push_url or settings.push_url, _key(settings))
    quotes = LiveQuotes(client, push, symbols)
    with _ended_quietly():
        if not no_subscribe:
            _subscribe(client, symbols)
        if as_json or not sys.stdout.isatty():
            _print_changes(quotes, as_json)
        else:
            _show_table(quotes)


def _client(url: str | None) -> Client:
    """A client of the API that was named, or of this machine's; with the key of the settings."""
    settings = Settings()
    return Client(url or settings.api_url, _key(settings))


def _key(settings: Settings) -> str:
    return settings.api_key.get_secret_value()


def _subscribe(client: Client, symbols: tuple[str, ...]) -> None:
    watched = client.subscribe(symbols)
    _say(
        f"{watched['changed']} symbols are subscribed now, and stay so after this;"
        f" {watched['subscribed']} in all"
    )


def _print_changes(quotes: LiveQuotes, as_json: bool) -> None:
    with quotes.looked_after(_say):
        for quote in quotes.follow():
            click.echo(orjson.dumps(quote) if as_json else quote_line(quote))


def _show_table(quotes: LiveQuotes) -> None:
    drawn = Live(quotes, refresh_per_second=_DRAWN_PER_SECOND)
    with quotes.looked_after(lambda _: None), drawn:
        for _ in quotes.follow():
            pass


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def _ended_quietly() -> Iterator[None]:
    """Ctrl-C, or that nobody reads any more, is how it ends."""
    try:
        yield
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # nor can what is left be written when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(rows: list[Json], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if row.get(name) is None else str(row[name]) for name in columns))
    Console().print(table)
