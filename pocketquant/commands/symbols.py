"""`search` and `symbols`: finding symbols, and keeping them up to date."""

from itertools import islice

import click

from pocketquant.commands.asking import (
    INTERVALS,
    SYMBOL,
    client_of,
    json_option,
    print_json,
    print_one,
    print_rows,
    say,
    url_option,
    yes_option,
)
from pocketquant.domain.searches import SymbolKind

_FOUND = ("exchange", "symbol", "name", "type", "currency", "country")
_KEPT = ("exchange", "symbol", "active", "intervals", "type", "currency", "name")

_intervals_option = click.option(
    "--interval", "-i", "intervals", type=INTERVALS, multiple=True, help="May be repeated."
)


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--type", "kind", type=click.Choice([kind.value for kind in SymbolKind]))
@click.option("--exchange", default=None, help="Only symbols of this exchange.")
@click.option("--country", default=None, help="Only symbols of this country: two letters.")
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True)
@url_option
@json_option
def search(
    query: tuple[str, ...],
    kind: str | None,
    exchange: str | None,
    country: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Look for symbols at TradingView: a part of ticker or name, or an ISIN.

    \b
    pocketquant search apple --type stock
    """
    filters = {"type": kind, "exchange": exchange, "country": country}
    given = {name: value for name, value in filters.items() if value}
    answer = client_of(url).search(" ".join(query), limit=limit, **given)
    print_rows(answer["symbols"], _FOUND, as_json)
    if not as_json and answer.get("remaining"):
        say(f"{answer['remaining']} more match")


@click.group()
def symbols() -> None:
    """The symbols that are kept up to date, and at which intervals."""


@symbols.command("list")
@click.argument("query", required=False)
@click.option("--exchange", default=None, help="Only symbols of this exchange.")
@click.option("--active/--inactive", default=None, help="Only those schedules sync, or not.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@url_option
@json_option
def list_symbols(
    query: str | None,
    exchange: str | None,
    active: bool | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """Registered symbols in order of their name; QUERY is a part of ticker or name.

    \b
    pocketquant symbols list --exchange NASDAQ
    """
    found = client_of(url).symbols.list(query=query, exchange=exchange, active=active)
    print_rows(islice(found, limit), _KEPT, as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@_intervals_option
@click.option("--inactive", is_flag=True, help="No schedule syncs it until it is changed.")
@url_option
@json_option
def add(
    symbol: str, intervals: tuple[str, ...], inactive: bool, url: str | None, as_json: bool
) -> None:
    """Register a symbol, so that schedules keep it up to date (at 1d unless told otherwise).

    \b
    pocketquant symbols add NASDAQ:AAPL -i 1h -i 1d
    """
    print_one(client_of(url).symbols.add(symbol, intervals, not inactive), as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@_intervals_option
@click.option("--active/--inactive", default=None, help="Whether schedules sync it.")
@url_option
@json_option
def change(
    symbol: str, intervals: tuple[str, ...], active: bool | None, url: str | None, as_json: bool
) -> None:
    """Have a symbol synced at other intervals, in place of those before, or not at all.

    \b
    pocketquant symbols change NASDAQ:AAPL -i 1d --active
    """
    if active is None and not intervals:
        raise click.UsageError("say what is to be otherwise: -i, --active or --inactive")
    changed = client_of(url).symbols.change(symbol, active=active, intervals=intervals or None)
    print_one(changed, as_json)


@symbols.command()
@click.argument("symbol", type=SYMBOL)
@click.option("--with-bars", is_flag=True, help="Remove its bars too, at every interval.")
@yes_option
@url_option
@json_option
def remove(symbol: str, with_bars: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Forget a symbol; its bars stay unless told otherwise.

    \b
    pocketquant symbols remove NASDAQ:AAPL --with-bars --yes
    """
    if with_bars and not yes:
        click.confirm(f"Remove {symbol} and all its bars?", abort=True, err=True)
    client_of(url).symbols.remove(symbol, with_bars=with_bars)
    if as_json:
        print_json({"removed": symbol, "with_bars": with_bars})
    else:
        say(f"{symbol} is removed{' with its bars' if with_bars else '; its bars stay'}")
