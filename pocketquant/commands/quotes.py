"""`quotes`: the subscribed symbols, their latest quotes and forming bars."""

import click

from pocketquant.commands.options import SYMBOL, api_options, client_of, interval_option
from pocketquant.commands.output import print_note, print_one, print_rows

_QUOTE_COLUMNS = (
    *("exchange", "symbol", "last_price", "bid", "ask", "volume", "change_percent"),
    *("update_mode", "timestamp"),
)
_symbols_argument = click.argument("symbols", nargs=-1, required=True, type=SYMBOL)


@click.group()
def quotes() -> None:
    """Subscribe symbols, and show their latest quotes.

    `pocketquant watch` shows quotes as they change.
    """


@quotes.command("list")
@api_options
def list_quotes(url: str | None, as_json: bool) -> None:
    """List the latest quote of each subscribed symbol."""
    print_rows(client_of(url).quotes.all(), _QUOTE_COLUMNS, as_json)


@quotes.command()
@click.argument("symbol", type=SYMBOL)
@api_options
def show(symbol: str, url: str | None, as_json: bool) -> None:
    """Show the latest quote of a subscribed symbol."""
    print_one(client_of(url).quotes.latest(symbol), as_json)


@quotes.command()
@click.argument("symbol", type=SYMBOL)
@interval_option
@api_options
def bar(symbol: str, interval: str, url: str | None, as_json: bool) -> None:
    """Show the bar of a subscribed symbol that forms now."""
    print_one(client_of(url).quotes.current_bar(symbol, interval), as_json)


@quotes.command()
@_symbols_argument
@api_options
def subscribe(symbols: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Stream symbols until they are unsubscribed, also after restarts."""
    print_one(client_of(url).quotes.subscribe(symbols), as_json)


@quotes.command()
@_symbols_argument
@api_options
def unsubscribe(symbols: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Stream symbols no longer; their bars stay."""
    print_one(client_of(url).quotes.unsubscribe(symbols), as_json)


@quotes.command()
@api_options
def status(url: str | None, as_json: bool) -> None:
    """Show how many symbols are streamed, by which streamers, and which are refused."""
    print_one(client_of(url).quotes.status(), as_json)


@quotes.command()
@api_options
def start(url: str | None, as_json: bool) -> None:
    """Stream the subscribed symbols, after `stop`."""
    print_one(client_of(url).quotes.start(), as_json)


@quotes.command()
@api_options
def stop(url: str | None, as_json: bool) -> None:
    """Stop all streaming; the subscriptions stay."""
    print_one(client_of(url).quotes.stop(), as_json)
    if not as_json:
        print_note("`pocketquant quotes start` streams them again")
