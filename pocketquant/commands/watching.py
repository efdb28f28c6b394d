"""`watch`: show live quotes in the terminal."""

import json
import sys
from contextlib import suppress

import click

from pocketquant.api_settings import ApiSettings
from pocketquant.client import Client
from pocketquant.commands.options import SYMBOL, client_of, url_option
from pocketquant.commands.output import print_note, stopping_on_broken_pipe
from pocketquant.terminal.live_quotes import LiveQuotes
from pocketquant.terminal.quote_table import quote_line

_DRAWN_PER_SECOND = 5


@click.command()
@click.argument("symbols", nargs=-1, required=True, type=SYMBOL)
@click.option("--no-subscribe", is_flag=True, help="Only show symbols that are subscribed already.")
@url_option
@click.option(
    "--push-url", default=None, help="URL of the streams; by default PUSH_URL, else --url."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a line of JSON for each changed quote."
)
def watch(
    symbols: tuple[str, ...],
    no_subscribe: bool,
    url: str | None,
    push_url: str | None,
    as_json: bool,
) -> None:
    """Show live quotes until Ctrl-C.

    The symbols are subscribed, and stay subscribed. A terminal shows a table that changes in place,
    a pipe gets a line for each changed quote.

    \b
    pocketquant watch NASDAQ:AAPL BINANCE:BTCUSDT
    """
    client = client_of(url)
    settings = ApiSettings.read(url, push_url)
    push = Client(settings.push_url, settings.api_key)
    quotes = LiveQuotes(client, push, symbols)
    with suppress(KeyboardInterrupt), stopping_on_broken_pipe():
        if not no_subscribe:
            _subscribe(client, symbols)
        if as_json or not sys.stdout.isatty():
            _print_changes(quotes, as_json)
        else:
            _show_table(quotes)


def _subscribe(client: Client, symbols: tuple[str, ...]) -> None:
    state = client.quotes.subscribe(symbols)
    print_note(
        f"{state['changed']} more symbols are subscribed, and stay subscribed after this;"
        f" {state['subscribed']} in all"
    )


def _print_changes(quotes: LiveQuotes, as_json: bool) -> None:
    with quotes.checking_status(print_note):
        for quote in quotes.follow():
            click.echo(json.dumps(quote, ensure_ascii=False) if as_json else quote_line(quote))


def _show_table(quotes: LiveQuotes) -> None:
    from rich.live import Live

    drawn = Live(quotes, refresh_per_second=_DRAWN_PER_SECOND)
    with quotes.checking_status(lambda _: None), drawn:
        for _ in quotes.follow():
            pass
