"""`watch`: live quotes in the terminal."""

import json
import sys

import click

from pocketquant.api_settings import ApiSettings
from pocketquant.client import Client
from pocketquant.commands.asking import SYMBOL, client_of, ended_quietly, say, url_option
from pocketquant.terminal.live_quotes import LiveQuotes
from pocketquant.terminal.quote_table import quote_line

_DRAWN_PER_SECOND = 5


@click.command()
@click.argument("symbols", nargs=-1, required=True, type=SYMBOL)
@click.option("--no-subscribe", is_flag=True, help="Show only what is subscribed already.")
@url_option
@click.option(
    "--push-url", default=None, help="The streams; by default PUSH_URL, else those of the API."
)
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

    \b
    pocketquant watch NASDAQ:AAPL BINANCE:BTCUSDT
    """
    client = client_of(url)
    found = ApiSettings.read(url, push_url)
    push = Client(found.push_url, found.api_key)
    quotes = LiveQuotes(client, push, symbols)
    with ended_quietly():
        if not no_subscribe:
            _subscribe(client, symbols)
        if as_json or not sys.stdout.isatty():
            _print_changes(quotes, as_json)
        else:
            _show_table(quotes)


def _subscribe(client: Client, symbols: tuple[str, ...]) -> None:
    watched = client.quotes.subscribe(symbols)
    say(
        f"{watched['changed']} symbols are subscribed now, and stay so after this;"
        f" {watched['subscribed']} in all"
    )


def _print_changes(quotes: LiveQuotes, as_json: bool) -> None:
    with quotes.looked_after(say):
        for quote in quotes.follow():
            click.echo(json.dumps(quote, ensure_ascii=False) if as_json else quote_line(quote))


def _show_table(quotes: LiveQuotes) -> None:
    from rich.live import Live

    drawn = Live(quotes, refresh_per_second=_DRAWN_PER_SECOND)
    with quotes.looked_after(lambda _: None), drawn:
        for _ in quotes.follow():
            pass
